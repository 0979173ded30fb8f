// Versions: which dots a replica has the whole effect of.
//
// A version is one counter per actor: causal application (I10) leaves no
// holes. It is also the token that users hold: "wait until you have this",
// "what changed since this?". Kin to the version vectors of Parker et al.,
// "Detection of Mutual Inconsistency in Distributed Systems" (1983).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crdt/dot.h"
#include "crdt/error.h"
#include "crdt/export.h"

namespace syncline {

class SYNCLINE_EXPORT Version {
 public:
  using Entry = std::pair<ActorId, std::uint64_t>;

  Version() = default;

  // The greatest counter known of `actor`; 0 when there is none. O(log actors).
  std::uint64_t counter(const ActorId& actor) const;
  // Whether the dot lies within. O(log actors).
  bool contains(const Dot& dot) const { return dot.counter <= counter(dot.actor); }
  // Whether all of `other` lies within. O(actors).
  bool includes(const Version& other) const;

  // The least version that has all these entries, which come in any order. O(entries) if
  // they are sorted by actor, else O(entries log entries).
  static Version of(std::vector<Entry> entries);

  // Raises the actor's counter to at least `counter`. O(actors) for a new actor.
  void raise(const ActorId& actor, std::uint64_t counter);
  // The least version that includes both. O(actors).
  void merge(const Version& other);

  // Entries by actor, counters above 0.
  const std::vector<Entry>& entries() const { return entries_; }
  bool empty() const { return entries_.empty(); }
  // How many dots lie within.
  std::uint64_t size() const;

  // Canonical bytes: equal versions give equal bytes.
  std::string to_bytes() const;
  // The version in `bytes`, or `malformed`. Takes no more memory than a small multiple of `bytes`.
  [[nodiscard]] static Result<Version> from_bytes(std::string_view bytes);

  friend bool operator==(const Version&, const Version&) = default;

 private:
  std::vector<Entry> entries_;  // Sorted by actor; no zero counters.
};

}  // namespace syncline
