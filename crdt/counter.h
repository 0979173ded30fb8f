// Counters that can be reset: GCounter and PnCounter.
#pragma once

#include <cstdint>

#include "crdt/counter_logic.h"
#include "crdt/home.h"
#include "crdt/standalone.h"

namespace syncline {

// Reads a counter.
template <class Home, Type type>
class BasicCounterView {
 public:
  explicit BasicCounterView(Home home) : home_(std::move(home)) {}

  // 0 if it doesn't exist. Clamped to 64 bits. O(actors that counted).
  typename Home::template Answer<std::int64_t> total() const {
    return home_.look([](auto& reader, Place place) { return counter_total(reader, type, place).total; });
  }
  // Whether anything was counted since the last reset.
  typename Home::template Answer<bool> exists() const {
    return home_.look([](auto& reader, Place place) { return counter_total(reader, type, place).exists; });
  }

 protected:
  Home home_;
};

// Writes a counter within a change.
template <LeafAccess A, Type type>
class BasicCounterWriter : public BasicCounterView<WriteHome<A>, type> {
 public:
  BasicCounterWriter(A& access, Place place)
      : BasicCounterView<WriteHome<A>, type>(WriteHome<A>(access, place)) {}

  // Adds `by`, which may be negative; 0 writes nothing. Fails the change with
  // `overflow` if what this actor counted up, or down, would pass 64 bits, and
  // with `invalid_argument` if a GCounter would count down. O(log leaves).
  void add(std::int64_t by) { counter_add(this->home_.access(), type, this->home_.place(), by); }
  // Takes away exactly what is seen here; concurrent adds survive. Whether it
  // existed. O(actors that counted).
  bool reset() { return counter_reset(this->home_.access(), type, this->home_.place()); }
};

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
  template <class Home>
  using View = BasicCounterView<Home, type>;
  template <LeafAccess A>
  using Writer = BasicCounterWriter<A, type>;

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
