// What a session says and hears of what members have (sync/stability.h).
#include <algorithm>
#include <utility>

#include "sync/session_impl.h"

namespace syncline {

bool Session::Impl::has_cut_to_tell(const Shared& each) const {
  const Acknowledgements& known = each.state->stability.known();
  const bool anything = known.epoch > 0 || known.floor.size() > 0;
  return anything && !core().members.empty() && each.known && peer_knows_all(each) &&
         (each.cut_told != each.state->stability.revision() || each.cut_members != known.members);
}

// Acknowledges what is on disk, and passes on what is new of what members have.
bool Session::Impl::send_cut(Shared& each, Time now) {
  if (core().members.empty()) return false;
  // After a change of the list what the peer told before may count again.
  if (std::exchange(each.cut_list, core().members_changed) != core().members_changed) each.cut_waits = true;
  if (each.cut_waits) merge_cut(each, now);
  core().acknowledge(*each.state, now);
  if (!has_cut_to_tell(each) || now.monotonic < each.cut_due) return false;
  const Acknowledgements& known = each.state->stability.known();
  each.cut_members = known.members;
  each.cut_told = each.state->stability.revision();
  each.cut_due = now.monotonic + options.tick_interval;  // A news of them per tick: links may be narrow.
  each.cut_now = false;
  Cut cut;
  cut.keyspace = each.mine;
  cut.members = known.members;
  cut.epoch = known.epoch;
  cut.acknowledged = known.by;
  if (std::exchange(each.cut_sent, known.members) != known.members) each.cut_floor = {};
  put_floors(each, known, cut);
  if (cut.floor_heard.size() + cut.heard.size() + each.names.size() > options.limits.list_entries_max)
    return false;  // Not for a list so long: stability waits.
  each.cut_floor = known.floor;
  cut.definitions = new_definitions(each);
  send(cut);
  return true;
}

// Whether so many entries are better told by what differs from our version.
bool Session::Impl::is_shorter_as_status(const Shared& each, const Counters& version,
                                         std::size_t entries) const {
  if (entries <= each.names.size()) return false;
  const std::size_t differ = version.since(each.status_sent).size() + each.status_sent.since(version).size();
  return each.names.size() + differ < entries;
}

void Session::Impl::put_floors(Shared& each, const Acknowledgements& known, Cut& cut) {
  const std::vector<IndexedDot> floor = known.floor.since(each.cut_floor);
  const std::vector<IndexedDot> met = known.is_open() ? known.met.since(known.floor) : floor;
  cut.floor_as_status = is_shorter_as_status(each, known.floor, floor.size());
  cut.met_as_status = known.is_open() && is_shorter_as_status(each, known.met, met.size());
  // The peer may have heard of news by other ways; whoever is left without a name has none.
  if (cut.floor_as_status || cut.met_as_status)
    name_differing(each, each.state->persisted_version(), each.status_sent);
  if (cut.floor_as_status) name_differing(each, known.floor, each.status_sent);
  if (cut.met_as_status) name_differing(each, known.met, each.status_sent);
  if (!cut.floor_as_status) cut.floor = named(each, floor);
  cut.floor_heard = named(each, known.floor_heard.since(known.floor));
  if (known.is_open()) {
    if (!cut.met_as_status) cut.met = named(each, met);
    cut.heard = named(each, known.heard.since(known.met));
  }
  // Of all that this message names.
  if (cut.floor_as_status) cut.floor = named_entries(each, known.floor);
  if (cut.met_as_status) cut.met = named_entries(each, known.met);
}

Result<void> Session::Impl::on(const Cut& cut, Time now) {
  const auto found = shared_of_peer(cut.keyspace);
  if (!found) return tl::unexpected(found.error());
  Shared& each = **found;
  if (const auto defined = define(each, cut.definitions); !defined) return defined;
  if (cut.epoch > epoch_max) return failure(Errc::malformed, "an epoch that can't be");
  const auto told = [&](const std::vector<IndexedDot>& entries, bool as_status) {
    return as_status ? version_of(each, entries, unnamed_of_peer(each)) : counters_of(each, entries);
  };
  const auto floor = told(cut.floor, cut.floor_as_status);
  const auto floor_heard = counters_of(each, cut.floor_heard);
  const auto met = told(cut.met, cut.met_as_status);
  const auto heard = counters_of(each, cut.heard);
  if (!floor || !floor_heard || !met || !heard)
    return failure(Errc::malformed, "an actor without definition");
  Acknowledgements& peer = each.peer_cut;
  if (peer.members != cut.members) peer.floor = {};
  peer.members = cut.members;
  peer.epoch = cut.epoch;
  peer.by = cut.acknowledged;
  peer.floor.merge(*floor);
  peer.floor_heard = peer.floor;
  peer.floor_heard.merge(*floor_heard);
  peer.met = {};
  peer.heard = {};
  if (peer.is_open()) {
    peer.met = cut.met_as_status ? Counters() : peer.floor;
    peer.met.merge(*met);
    peer.heard = peer.met;
    peer.heard.merge(*heard);
  }
  each.cut_waits = true;
  merge_cut(each, now);
  return {};
}

// Only what goes by the very same list is taken in; the rest waits until the lists agree.
void Session::Impl::merge_cut(Shared& each, Time now) {
  if (each.peer_cut.members != core().members.hash() || core().members.empty()) return;
  each.cut_waits = false;
  core().merge_acknowledgements(*each.state, each.peer_cut, now);
  if (each.peer_cut.epoch < each.state->stability.known().epoch) each.cut_told = 0;  // It missed something.
  if (each.peer_cut != each.state->stability.known()) return;
  each.cut_told = each.state->stability.revision();  // The peer knows all of it.
  each.cut_members = each.peer_cut.members;
}

}  // namespace syncline
