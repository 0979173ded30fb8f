#include "sync/stability.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "sync/digest.h"

namespace syncline {
namespace {

constexpr std::uint64_t hash_seed = 0x6d656d62657273;  // "members".

std::size_t bytes_for(const MemberList& members) { return (members.size() + 7) / 8; }

}  // namespace

MemberList::MemberList(std::vector<ActorId> incarnations, const std::optional<ActorId>& own)
    : incarnations_(std::move(incarnations)) {
  std::sort(incarnations_.begin(), incarnations_.end());
  incarnations_.erase(std::unique(incarnations_.begin(), incarnations_.end()), incarnations_.end());
  std::string bytes;
  for (const ActorId& each : incarnations_) bytes += each.view();
  if (!empty()) hash_ = hash_bytes(bytes, hash_seed);
  if (!own) return;
  const auto at = std::lower_bound(incarnations_.begin(), incarnations_.end(), *own);
  if (at != incarnations_.end() && *at == *own) own_ = static_cast<std::size_t>(at - incarnations_.begin());
}

bool MemberList::is_within(const MemberList& other) const {
  return std::includes(other.incarnations_.begin(), other.incarnations_.end(), incarnations_.begin(),
                       incarnations_.end());
}

void Stability::follow(const MemberList& before, const MemberList& now) {
  if (known_.members == now.hash()) return;
  const bool keeps = !now.empty() && now.is_within(before);
  Acknowledgements fresh;
  fresh.members = now.hash();
  if (keeps) {
    fresh.floor = std::move(known_.floor);
    fresh.floor_heard = std::move(known_.floor_heard);
  } else {
    closed_at_.reset();
  }
  known_ = std::move(fresh);
  quiet_.reset();
  ++revision_;
}

void Stability::clear() {
  const std::uint64_t members = known_.members;
  known_ = {};
  known_.members = members;
  closed_at_.reset();
  quiet_.reset();
  ++revision_;
}

void Stability::merge(const Acknowledgements& theirs, const MemberList& members,
                      std::chrono::milliseconds now) {
  if (theirs.members != known_.members || members.empty()) return;
  if (theirs.is_open() && theirs.by.size() != bytes_for(members)) return;  // Of no correct peer.
  const Acknowledgements before = known_;
  known_.floor.merge(theirs.floor);
  const bool same = theirs.epoch == known_.epoch;
  if (theirs.epoch > known_.epoch || (same && known_.is_open() && !theirs.is_open())) {
    Counters floor = std::move(known_.floor);
    known_ = theirs;  // Further on: what had been added here they have, or it is added again.
    known_.floor = std::move(floor);
    if (!known_.is_open()) closed_at_ = now;
  } else if (same && known_.is_open()) {
    for (std::size_t i = 0; i < std::min(known_.by.size(), theirs.by.size()); ++i)
      known_.by[i] = static_cast<char>(known_.by[i] | theirs.by[i]);
    known_.met.meet(theirs.met);
    known_.heard.merge(theirs.heard);
  }
  if (same && known_.is_open() == theirs.is_open()) known_.floor_heard.merge(theirs.floor_heard);
  close_if_all_have(members, now);
  if (known_ == before) return;
  ++revision_;
  quiet_.reset();
}

void Stability::advance(const Counters& persisted, const Digest& context, const MemberList& members,
                        std::chrono::milliseconds now, std::chrono::milliseconds rest) {
  if (!members.own()) return;
  if (known_.is_open()) {
    if (!known_.has(*members.own())) add(persisted, members, now);
    return;
  }
  if (known_.epoch >= epoch_max) return;  // Somebody lied: until the list changes.
  if (quiet_ == context || (closed_at_ && now < *closed_at_ + rest)) return;
  if (known_.floor.includes(persisted) && persisted.includes(known_.floor_heard)) {
    quiet_ = context;
    closed_at_ = now;
    return;
  }
  ++known_.epoch;
  known_.by.assign(bytes_for(members), '\0');
  known_.met = persisted;
  add(persisted, members, now);
}

void Stability::add(const Counters& persisted, const MemberList& members, std::chrono::milliseconds now) {
  const std::size_t place = *members.own();
  known_.by[place / 8] = static_cast<char>(known_.by[place / 8] | 1 << place % 8);
  known_.met.meet(persisted);
  known_.heard.merge(persisted);
  close_if_all_have(members, now);
  ++revision_;
}

void Stability::close_if_all_have(const MemberList& members, std::chrono::milliseconds now) {
  if (!known_.is_open()) return;
  for (std::size_t place = 0; place < members.size(); ++place)
    if (!known_.has(place)) return;
  known_.floor.merge(known_.met);
  known_.floor_heard = std::exchange(known_.heard, {});  // Of one list it only grows.
  known_.by.clear();
  known_.met = {};
  closed_at_ = now;
}

}  // namespace syncline
