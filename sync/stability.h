// Stability: what every member is known to have on disk.
//
// Each member's version only grows, so "all have V" stays true once it was. It
// is found by epochs. In an open epoch each member adds, once, the version it
// has on disk then; the epoch's state is a join semilattice that anybody may
// pass on and merge in any order: who has added (union), what all of them have
// (the meet), what they have together (the join). When all of the list have
// added, the meet is stable: R(t), the intersection of what members have. The
// epoch is closed, its meet goes into the floor, and the next one may begin.
// After the causal stability of Baquero, Almeida and Shoker, "Pure
// operation-based CRDTs" (2017), without their matrix of all by all.
//
// Sound under change: states count only between replicas with the very same
// list, named by a hash; and a list names not stores but the incarnations they
// write under, so that a store which may have lost something (a crash, a restore, a
// copy) isn't the one that acknowledged. Nothing that must be safe hangs on
// it: a wrong floor costs bytes, never data.
//
// Internal to sync/.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "sync/counters.h"
#include "sync/member_list.h"
#include "wire/message.h"

namespace syncline {

// Nobody gets there by counting: what peers may not exceed.
inline constexpr std::uint64_t epoch_max = std::uint64_t{1} << 62;

// What is known of one list's acknowledgements of one keyspace. Merging is a join.
struct Acknowledgements {
  std::uint64_t members = 0;  // Hash of the list.
  std::uint64_t epoch = 0;
  std::string by;        // A bit for each that has added; empty while the epoch is closed.
  Counters met;          // While it is open: what each of these has...
  Counters heard;        // ...and what they have together.
  Counters floor;        // What all members have.
  Counters floor_heard;  // What they had together when they last said so.

  bool is_open() const { return !by.empty(); }
  bool has(std::size_t place) const {
    return place / 8 < by.size() && (static_cast<unsigned char>(by[place / 8]) >> place % 8 & 1) != 0;
  }
  friend bool operator==(const Acknowledgements&, const Acknowledgements&) = default;
};

// The acknowledgements of one keyspace, as this replica knows them.
class Stability {
 public:
  // The list changed from `before` to `now`. The floor stays if nobody was added: it is known of all who are
  // left.
  void follow(const MemberList& before, const MemberList& now);
  // Forgets everything, for the actors' numbers are about to change.
  void clear();
  // Takes in what a peer knows of the same list.
  void merge(const Acknowledgements& theirs, const MemberList& members, std::chrono::milliseconds now);
  // Adds what this replica has on disk to an open epoch, once; begins one when
  // there is news and the last has been closed for `rest`. `context` is the
  // digest of `persisted`. O(1) when there is nothing to do.
  void advance(const Counters& persisted, const Digest& context, const MemberList& members,
               std::chrono::milliseconds now, std::chrono::milliseconds rest);

  const Acknowledgements& known() const { return known_; }
  const Counters& floor() const { return known_.floor; }
  // Grows with each change of known().
  std::uint64_t revision() const { return revision_; }
  // When the floor was last known to be all that members have; nothing if never, by this list.
  std::optional<std::chrono::milliseconds> closed_at() const { return closed_at_; }

 private:
  void add(const Counters& persisted, const MemberList& members, std::chrono::milliseconds now);
  void close_if_all_have(const MemberList& members, std::chrono::milliseconds now);

  Acknowledgements known_;
  std::uint64_t revision_ = 0;
  std::optional<std::chrono::milliseconds> closed_at_;
  std::optional<Digest> quiet_;  // At this context of what is on disk there was no news.
};

}  // namespace syncline
