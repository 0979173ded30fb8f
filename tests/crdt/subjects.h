// The types under exhaustive search, each with an independent reference: what
// it must read, said of the graph of events alone.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <tuple>

#include "crdt/counter.h"
#include "crdt/lww.h"
#include "crdt/or_set.h"
#include "tests/crdt/exhaustive.h"
#include "tests/crdt/flawed_counter.h"

namespace syncline {

// The events among `seen` that put something and that no event among `seen` has
// taken away. An event takes away what was there when it was made.
template <class Puts>
EventMask still_there(const EventGraph& graph, EventMask seen, const Puts& puts) {
  EventMask there = 0;
  for (const SearchEvent& event : graph) {
    if ((seen & event.bit()) != 0 && puts(event)) there |= event.bit();
  }
  for (const SearchEvent& event : graph) {
    if ((seen & event.bit()) != 0) there &= ~still_there(graph, event.seen, puts);
  }
  return there;
}

// A set of one element: what matters happens within an element.
struct SetSubject {
  using State = OrSet<std::int64_t>;
  enum Kind : unsigned { add, remove };

  static constexpr std::array<unsigned, 2> kinds(unsigned) { return {add, remove}; }
  static State mutate(State& state, const Mutation& m) {
    return m.kind == add ? state.insert(search_actor(m.replica), 7) : state.erase(search_actor(m.replica), 7);
  }
  static std::int64_t read(const State& state) { return state.contains(7) ? 1 : 0; }
  static std::int64_t reference(const EventGraph& graph, EventMask known) {
    return still_there(graph, known, [](const SearchEvent& e) { return e.kind == add; }) != 0 ? 1 : 0;
  }
  static const char* kind_name(unsigned kind) { return kind == add ? "add" : "remove"; }
};

// A set of two elements, and clear(), which removes both.
struct PairSubject {
  using State = OrSet<std::int64_t>;
  enum Kind : unsigned { add_0, add_1, remove_0, clear };

  static constexpr std::array<unsigned, 4> kinds(unsigned) { return {add_0, add_1, remove_0, clear}; }
  static State mutate(State& state, const Mutation& m) {
    const ActorId actor = search_actor(m.replica);
    if (m.kind == clear) return state.clear(actor);
    return m.kind == remove_0 ? state.erase(actor, 0) : state.insert(actor, m.kind == add_1 ? 1 : 0);
  }
  static std::int64_t read(const State& state) {
    return (state.contains(0) ? 1 : 0) + (state.contains(1) ? 2 : 0);
  }
  static std::int64_t reference(const EventGraph& graph, EventMask known) {
    return (there(graph, known, add_0) != 0 ? 1 : 0) + (there(graph, known, add_1) != 0 ? 2 : 0);
  }
  static const char* kind_name(unsigned kind) {
    constexpr std::array<const char*, 4> names{"add 0", "add 1", "remove 0", "clear"};
    return names[kind];
  }

 private:
  // Adds of one element that are still there: only events that touch it take any away.
  static EventMask there(const EventGraph& graph, EventMask seen, unsigned add) {
    EventMask left = 0;
    for (const SearchEvent& e : graph) {
      if ((seen & e.bit()) != 0 && e.kind == add) left |= e.bit();
    }
    for (const SearchEvent& e : graph) {
      const bool touches = e.kind == add || e.kind == clear || (e.kind == remove_0 && add == add_0);
      if ((seen & e.bit()) != 0 && touches) left &= ~there(graph, e.seen, add);
    }
    return left;
  }
};

// One register, as a register or as a field of a map. Replica clocks differ: A's is ahead, C's behind.
template <class StateT>
struct LwwSubject {
  using State = StateT;
  enum Kind : unsigned { set, set_at_20, erase };

  static constexpr std::array<unsigned, 3> kinds(unsigned) { return {set, set_at_20, erase}; }
  static constexpr std::uint64_t clock(unsigned replica) { return 30 - 10 * replica; }

  static State mutate(State& state, const Mutation& m) {
    const ActorId actor = search_actor(m.replica);
    const auto value = static_cast<std::int64_t>(event_bit(m.replica, m.number));
    if constexpr (std::is_same_v<State, LwwMap<std::int64_t>>) {
      if (m.kind == erase) return state.erase(actor, "f");
      return m.kind == set ? state.set(actor, clock(m.replica), "f", value)
                           : *state.set_at(actor, 20, "f", value);
    } else {
      if (m.kind == erase) return state.clear(actor);
      return m.kind == set ? state.set(actor, clock(m.replica), value) : *state.set_at(actor, 20, value);
    }
  }
  static std::int64_t read(const State& state) {
    if constexpr (std::is_same_v<State, LwwMap<std::int64_t>>) {
      return state.find("f").value_or(0);
    } else {
      return state.value().value_or(0);
    }
  }
  // The write with the greatest (stamp, replica, number) of those still there.
  static std::int64_t reference(const EventGraph& graph, EventMask known) {
    std::tuple<std::uint64_t, unsigned, unsigned> greatest{0, 0, 0};
    std::int64_t value = 0;
    const EventMask left = there(graph, known);
    for (const SearchEvent& e : graph) {
      if ((left & e.bit()) == 0) continue;
      const std::tuple rank{stamp_of(graph, e), e.replica + 1U, unsigned{e.number}};
      if (rank > greatest) greatest = rank, value = static_cast<std::int64_t>(e.bit());
    }
    return value;
  }
  static const char* kind_name(unsigned kind) {
    return kind == set ? "set" : kind == set_at_20 ? "set at 20" : "erase";
  }

 private:
  static EventMask there(const EventGraph& graph, EventMask seen) {
    return still_there(graph, seen, [](const SearchEvent& e) { return e.kind != erase; });
  }
  static std::uint64_t stamp_of(const EventGraph& graph, const SearchEvent& event) {
    if (event.kind == set_at_20) return 20;
    std::uint64_t stamp = clock(event.replica);
    const EventMask seen = there(graph, event.seen);
    for (const SearchEvent& e : graph) {
      if ((seen & e.bit()) != 0) stamp = std::max(stamp, 1 + stamp_of(graph, e));
    }
    return stamp;
  }
};

// What every kind of counter must read: the adds known that no known reset had
// seen; twice their sum, plus one if there are any.
struct CounterReference {
  enum Kind : unsigned { add, reset };

  // Each add has an amount of its own, so the sum says which were counted. Odd numbers count down if they
  // may.
  static std::int64_t amount(unsigned replica, unsigned number, bool both_ways) {
    const std::int64_t size = std::int64_t{1} << (3 * number + replica);
    return both_ways && number % 2 == 1 ? -size : size;
  }
  static std::int64_t reference(const EventGraph& graph, EventMask known, bool both_ways) {
    EventMask gone = 0;
    for (const SearchEvent& e : graph) {
      if ((known & e.bit()) != 0 && e.kind == reset) gone |= e.seen;
    }
    std::int64_t sum = 0;
    bool exists = false;
    for (const SearchEvent& e : graph) {
      if (e.kind != add || (known & ~gone & e.bit()) == 0) continue;
      sum += amount(e.replica, e.number, both_ways);
      exists = true;
    }
    return 2 * sum + (exists ? 1 : 0);
  }
  static const char* kind_name(unsigned kind) { return kind == add ? "add" : "reset"; }
};

// `roles`: all may do all, or A only adds and B and C only reset.
enum class Roles { all, one_adds };

template <class Counter, Roles roles>
struct CounterSubject : CounterReference {
  using State = Counter;
  static constexpr bool both_ways = Counter::type == Type::pn_counter;

  static std::vector<unsigned> kinds(unsigned replica) {
    if (roles == Roles::all) return {add, reset};
    return {replica == 0 ? add : reset};
  }
  static State mutate(State& state, const Mutation& m) {
    const ActorId actor = search_actor(m.replica);
    return m.kind == add ? *state.add(actor, amount(m.replica, m.number, both_ways)) : state.reset(actor);
  }
  static std::int64_t read(const State& state) { return 2 * state.total() + (state.exists() ? 1 : 0); }
  static std::int64_t reference(const EventGraph& graph, EventMask known) {
    return CounterReference::reference(graph, known, both_ways);
  }
};

template <CounterFlaw flaw, Roles roles>
struct FlawedCounterSubject : CounterReference {
  using State = FlawedCounter<flaw>;

  static std::vector<unsigned> kinds(unsigned replica) {
    return CounterSubject<GCounter, roles>::kinds(replica);
  }
  static State mutate(State& state, const Mutation& m) {
    const ActorId actor = search_actor(m.replica);
    if (m.kind == reset) return state.reset(actor);
    return state.add(actor, static_cast<std::uint64_t>(amount(m.replica, m.number, false)), m.all_known);
  }
  static std::int64_t read(const State& state) { return state.total(); }
  static std::int64_t reference(const EventGraph& graph, EventMask known) {
    return CounterReference::reference(graph, known, false) / 2;
  }
};

}  // namespace syncline
