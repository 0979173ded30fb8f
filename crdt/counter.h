// Counters that can be reset: GCounter and PnCounter.
#pragma once

#include <cstdint>

#include "crdt/counter_logic.h"
#include "crdt/standalone.h"

namespace syncline {

// A number that all add to. Concurrent adds all count; a reset takes away
// exactly what it saw. An actor's adds travel as their sum: who has seen one has
// seen those before it, even if their deltas come late or never.
//
//   Ada and Bob both read 5. At once Ada resets, Bob adds 2. Ada never saw
//   Bob's 2, so after both merged the counter reads 2.
//
//   PnCounter ada, bob;
//   bob.merge(*ada.add(a, 5));
//   const auto reset = ada.reset(a);
//   const auto more = *bob.add(b, 2);
//   ada.merge(more), bob.merge(reset);  // Both: 2.
//
// add() costs O(log leaves), total() and reset() O(actors that counted). Memory: one share
// per actor that counted, and after a reset one floor per share until its owner saw that
// and wrote again. The growing kind refuses to count down.
template <Type counter_type>
requires(counter_type == Type::g_counter || counter_type == Type::pn_counter) class Counter
    : public Standalone<Counter<counter_type>> {
 public:
  static constexpr Type type = counter_type;

  // Counts `by`; 0 changes nothing and its delta is empty. `invalid_argument` when a GCounter
  // would count down; `overflow` when the sum of all that this actor ever counted up, or
  // down, since its last reset would pass 64 bits. Nothing changes then.
  [[nodiscard]] Result<Counter> add(const ActorId& actor, std::int64_t by) {
    return this->try_mutate(actor, 0, [&](LeafEdit& edit) { counter_add(edit, type, {}, by); });
  }

  // Takes away all that is seen. What others count concurrently stays.
  Counter reset(const ActorId& actor) {
    return this->mutate(actor, 0, [](LeafEdit& edit) { counter_reset(edit, type, {}); });
  }

  // The sum, clamped to what 64 bits hold.
  std::int64_t total() const { return counter_total(this->state(), type, {}).total; }
  // Whether anything was counted since the last reset.
  bool exists() const { return counter_total(this->state(), type, {}).exists; }

  static bool dot_is_valid(std::string_view element, const LiveDot& live) {
    return counter_dot_is_valid(type, element, live);
  }
};

using GCounter = Counter<Type::g_counter>;
using PnCounter = Counter<Type::pn_counter>;

}  // namespace syncline
