// Causal contexts: which dots a type used alone has seen.
//
// Deltas of a type used alone merge in any order, so its context has gaps: per
// actor the counters seen, as intervals. What a keyspace has seen has none and
// is a Version.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "crdt/dot.h"
#include "crdt/error.h"
#include "crdt/export.h"

namespace syncline {

// A set of counters as disjoint closed intervals that don't touch, in order.
class SYNCLINE_EXPORT IntervalSet {
 public:
  struct Interval {
    std::uint64_t first, last;
    friend bool operator==(const Interval&, const Interval&) = default;
  };

  // O(log intervals).
  bool contains(std::uint64_t counter) const;
  // Whether each counter of [first, last] is within. True when first > last.
  bool contains(std::uint64_t first, std::uint64_t last) const;
  // Adds [first, last], nothing when first > last. O(log intervals) at the end, O(intervals) else.
  void insert(std::uint64_t first, std::uint64_t last);
  // Takes [first, last] out.
  void erase(std::uint64_t first, std::uint64_t last);
  void merge(const IntervalSet& other);

  const std::vector<Interval>& intervals() const { return intervals_; }
  bool empty() const { return intervals_.empty(); }
  std::uint64_t last() const { return intervals_.empty() ? 0 : intervals_.back().last; }

  friend bool operator==(const IntervalSet&, const IntervalSet&) = default;

 private:
  std::vector<Interval> intervals_;
};

class SYNCLINE_EXPORT CausalContext {
 public:
  bool contains(const Dot& dot) const;
  void insert(const Dot& dot);
  void erase(const Dot& dot);
  void merge(const CausalContext& other);
  // The actor's greatest counter seen, plus one: its next dot's.
  std::uint64_t next_counter(const ActorId& actor) const;

  const std::map<ActorId, IntervalSet>& actors() const { return actors_; }

  void append_bytes(std::string& out) const;
  // Reads one off the front of `bytes`. `malformed` unless it is canonical.
  [[nodiscard]] static Result<CausalContext> take(std::string_view& bytes);

  friend bool operator==(const CausalContext&, const CausalContext&) = default;

 private:
  std::map<ActorId, IntervalSet> actors_;  // No empty sets.
};

}  // namespace syncline
