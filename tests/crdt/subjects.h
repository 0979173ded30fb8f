// The types under exhaustive search, each with an independent reference: what
// it must read, said of the graph of events alone.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "crdt/crdt.h"
#include "tests/crdt/exhaustive.h"
#include "tests/crdt/flawed_counter.h"
#include "tests/crdt/raw_leaves.h"

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

// A grow-only set of two elements: what is known is there.
struct GSetSubject {
  using State = GSet<std::int64_t>;

  static constexpr std::array<unsigned, 2> kinds(unsigned) { return {0, 1}; }
  static State mutate(State& state, const Mutation& m) {
    return state.insert(search_actor(m.replica), static_cast<std::int64_t>(m.kind));
  }
  static std::int64_t read(const State& state) {
    return (state.contains(0) ? 1 : 0) + (state.contains(1) ? 2 : 0);
  }
  static std::int64_t reference(const EventGraph& graph, EventMask known) {
    std::int64_t there = 0;
    for (const SearchEvent& e : graph) {
      if ((known & e.bit()) != 0) there |= e.kind == 0 ? 1 : 2;
    }
    return there;
  }
  static const char* kind_name(unsigned kind) { return kind == 0 ? "add 0" : "add 1"; }
};

// Where both sides leave a mark in place of those they see: any removal, or disabling, that is there wins.
template <class StateT>
struct RemoveWinsSubject {
  using State = StateT;
  enum Kind : unsigned { put, take };

  static constexpr std::array<unsigned, 2> kinds(unsigned) { return {put, take}; }
  static State mutate(State& state, const Mutation& m) {
    const ActorId actor = search_actor(m.replica);
    if constexpr (std::is_same_v<State, DwFlag>) {
      return m.kind == put ? state.enable(actor) : state.disable(actor);
    } else {
      return m.kind == put ? state.insert(actor, 7) : state.erase(actor, 7);
    }
  }
  static std::int64_t read(const State& state) {
    if constexpr (std::is_same_v<State, DwFlag>) {
      return state.enabled() ? 1 : 0;
    } else {
      return state.contains(7) ? 1 : 0;
    }
  }
  static std::int64_t reference(const EventGraph& graph, EventMask known) {
    const EventMask there = still_there(graph, known, [](const SearchEvent&) { return true; });
    bool on = there != 0;
    for (const SearchEvent& e : graph) on = on && ((there & e.bit()) == 0 || e.kind == put);
    return on ? 1 : 0;
  }
  static const char* kind_name(unsigned kind) { return kind == put ? "put" : "take"; }
};

// An RwSet whose markers are collected once they are stable. Collecting changes nothing that is read, so
// the reference leaves it out. `hasty`: collects though the collector has yet to hear of what others
// wrote before they knew the marker. That is the defect.
template <bool hasty>
struct CollectSubject : RemoveWinsSubject<RwSet<std::int64_t>> {
  enum : unsigned { collect = 2 };
  static constexpr bool needs_stable = true;

  static constexpr std::array<unsigned, 3> kinds(unsigned) { return {put, take, collect}; }
  static State mutate(State& state, const Mutation& m) {
    if (m.kind != collect) return RemoveWinsSubject::mutate(state, m);
    if (!m.knows_all && !hasty) return State();
    Version stable;
    for (unsigned r = 0; r < search_replicas; ++r) stable.raise(search_actor(r), m.stable[r]);
    return state.collect(search_actor(m.replica), stable);
  }
  static std::int64_t reference(const EventGraph& graph, EventMask known) {
    EventMask collections = 0;
    for (const SearchEvent& e : graph) {
      if (e.kind == collect) collections |= e.bit();
    }
    EventGraph without;
    for (SearchEvent e : graph) {
      e.seen &= ~collections;
      if ((collections & e.bit()) == 0) without.push_back(e);
    }
    return RemoveWinsSubject::reference(without, known & ~collections);
  }
  static const char* kind_name(unsigned kind) {
    return kind == collect ? "collect" : RemoveWinsSubject::kind_name(kind);
  }
};

// An EwFlag is on while an enable is there that no known disable had seen.
struct EwFlagSubject {
  using State = EwFlag;
  enum Kind : unsigned { enable, disable };

  static constexpr std::array<unsigned, 2> kinds(unsigned) { return {enable, disable}; }
  static State mutate(State& state, const Mutation& m) {
    return m.kind == enable ? state.enable(search_actor(m.replica)) : state.disable(search_actor(m.replica));
  }
  static std::int64_t read(const State& state) { return state.enabled() ? 1 : 0; }
  static std::int64_t reference(const EventGraph& graph, EventMask known) {
    return still_there(graph, known, [](const SearchEvent& e) { return e.kind == enable; }) != 0 ? 1 : 0;
  }
  static const char* kind_name(unsigned kind) { return kind == enable ? "enable" : "disable"; }
};

// MvRegister: each write a bit of its own, all that are there are read.
struct MvSubject {
  using State = MvRegister<std::int64_t>;
  enum Kind : unsigned { set, clear };

  static constexpr std::array<unsigned, 2> kinds(unsigned) { return {set, clear}; }
  static State mutate(State& state, const Mutation& m) {
    const auto value = static_cast<std::int64_t>(event_bit(m.replica, m.number));
    return m.kind == set ? state.set(search_actor(m.replica), value) : state.clear(search_actor(m.replica));
  }
  static std::int64_t read(const State& state) {
    std::int64_t bits = 0;
    for (const std::int64_t value : state.values()) bits |= value;
    return bits;
  }
  static std::int64_t reference(const EventGraph& graph, EventMask known) {
    return static_cast<std::int64_t>(
        still_there(graph, known, [](const SearchEvent& e) { return e.kind == set; }));
  }
  static const char* kind_name(unsigned kind) { return kind == set ? "set" : "clear"; }
};

// The greatest, or least, of the writes that are there; one that isn't beyond what it sees is none.
template <class StateT>
struct ExtremumSubject {
  using State = StateT;
  enum Kind : unsigned { set_1, set_2, set_3, clear };

  static constexpr std::array<unsigned, 4> kinds(unsigned) { return {set_1, set_2, set_3, clear}; }
  static State mutate(State& state, const Mutation& m) {
    const ActorId actor = search_actor(m.replica);
    return m.kind == clear ? state.clear(actor) : state.set(actor, static_cast<std::int64_t>(m.kind) + 1);
  }
  static std::int64_t read(const State& state) { return state.value().value_or(0); }
  static std::int64_t reference(const EventGraph& graph, EventMask known) {
    const EventMask there = still_there(graph, known, [](const SearchEvent& e) { return e.kind != clear; });
    std::int64_t best = 0;
    for (const SearchEvent& e : graph) {
      const auto value = static_cast<std::int64_t>(e.kind) + 1;
      if ((there & e.bit()) == 0) continue;
      best = best == 0                           ? value
             : State::type == Type::max_register ? std::max(best, value)
                                                 : std::min(best, value);
    }
    return best;
  }
  static const char* kind_name(unsigned kind) {
    constexpr std::array<const char*, 4> names{"set 1", "set 2", "set 3", "clear"};
    return names[kind];
  }
};

// The sum of what the known events add and take away.
template <class AmountOf>
std::int64_t amount_known(const EventGraph& graph, EventMask known, const AmountOf& amount_of) {
  std::int64_t sum = 0;
  for (const SearchEvent& e : graph) {
    if ((known & e.bit()) != 0) sum += amount_of(e);
  }
  return sum;
}

// A bounded counter to which A adds. What it reads: the total, and what each holds. A bound that was
// passed, by all events there are, reads as nothing does.
struct BoundedSubject {
  using State = BoundedCounter;
  static constexpr bool reads_all_events = true;
  enum Kind : unsigned { add_2, spend_1, give_next };

  static std::vector<unsigned> kinds(unsigned replica) {
    return replica == 0 ? std::vector<unsigned>{add_2, spend_1, give_next}
                        : std::vector<unsigned>{spend_1, give_next};
  }
  static State mutate(State& state, const Mutation& m) {
    const ActorId self = search_actor(m.replica);
    if (m.kind == add_2) return *state.add(self, 2);
    const ActorId next = search_actor((m.replica + 1) % search_replicas);
    auto delta = m.kind == spend_1 ? state.spend(self, 1) : state.give(self, next, 1);
    return delta ? std::move(*delta) : State();
  }
  static std::int64_t read(const State& state) {
    std::int64_t all = state.total();
    for (unsigned r = 0; r < search_replicas; ++r) all = 100 * all + state.available(search_actor(r));
    return all;
  }
  static std::int64_t reference(const EventGraph& graph, EventMask known) {
    const auto change = [](const SearchEvent& e) { return e.kind == add_2 ? 2 : e.kind == spend_1 ? -1 : 0; };
    if (amount_known(graph, ~EventMask{0}, change) < 0) return -1;
    std::int64_t all = amount_known(graph, known, change);
    for (unsigned r = 0; r < search_replicas; ++r) {
      all = 100 * all + amount_known(graph, known, [r](const SearchEvent& e) {
              const int given = e.kind == give_next && (e.replica + 1U) % search_replicas == r ? 1 : 0;
              return given + (e.replica != r ? 0 : e.kind == add_2 ? 2 : -1);
            });
    }
    return all;
  }
  static const char* kind_name(unsigned kind) {
    constexpr std::array<const char*, 3> names{"add 2", "spend 1", "give 1 on"};
    return names[kind];
  }
};

// A bounded counter to which A adds, and rights on request: a replica may at any time be asked, by the next
// one, for as many as make two. What it reads, and a bound that was passed: as above. `flaw`: an answer that
// doesn't look at what the asker holds already.
enum class AskFlaw { none, forgets_the_asker };

template <AskFlaw flaw>
struct AskedSubject {
  using State = BoundedCounter;
  static constexpr bool reads_all_events = true;
  enum Kind : unsigned { add_3, spend_1, answer_next };
  static constexpr std::int64_t wanted = 2;

  static std::vector<unsigned> kinds(unsigned replica) {
    return replica == 0 ? std::vector<unsigned>{add_3, spend_1, answer_next}
                        : std::vector<unsigned>{spend_1, answer_next};
  }
  static State mutate(State& state, const Mutation& m) {
    const ActorId self = search_actor(m.replica);
    if (m.kind == add_3) return *state.add(self, 3);
    const ActorId asker = search_actor((m.replica + 1) % search_replicas);
    if (m.kind == answer_next && flaw == AskFlaw::none)
      return *state.answer(self, asker, bounded_request(wanted), rights_to_give);
    auto delta = m.kind == spend_1 ? state.spend(self, 1)
                                   : state.give(self, asker, rights_to_give(wanted, state.available(self)));
    return delta ? std::move(*delta) : State();
  }
  static std::int64_t read(const State& state) { return BoundedSubject::read(state); }
  static std::int64_t reference(const EventGraph& graph, EventMask known) {
    std::vector<std::int64_t> gave(graph.size());  // What each event gave.
    const auto held = [&](unsigned r, EventMask seen) {
      std::int64_t sum = 0;
      for (std::size_t i = 0; i < graph.size(); ++i) {
        const SearchEvent& e = graph[i];
        if ((seen & e.bit()) == 0) continue;
        if (e.replica == r) sum += e.kind == add_3 ? 3 : e.kind == spend_1 ? -1 : -gave[i];
        if (e.kind == answer_next && (e.replica + 1U) % search_replicas == r) sum += gave[i];
      }
      return sum;
    };
    // It rests on what it saw, which may come later in the graph's order.
    for (bool settled = false; !settled;) {
      settled = true;
      for (std::size_t i = 0; i < graph.size(); ++i) {
        const SearchEvent& e = graph[i];
        if (e.kind != answer_next) continue;
        const std::int64_t lacking = wanted - held((e.replica + 1U) % search_replicas, e.seen);
        const std::int64_t half = (held(e.replica, e.seen) + 1) / 2;
        const std::int64_t now = std::max<std::int64_t>(0, std::min(lacking, half));
        settled = settled && now == std::exchange(gave[i], now);
      }
    }
    const auto change = [](const SearchEvent& e) { return e.kind == add_3 ? 3 : e.kind == spend_1 ? -1 : 0; };
    if (amount_known(graph, ~EventMask{0}, change) < 0) return -1;
    std::int64_t all = amount_known(graph, known, change);
    for (unsigned r = 0; r < search_replicas; ++r) all = 100 * all + held(r, known);
    return all;
  }
  static const char* kind_name(unsigned kind) {
    constexpr std::array<const char*, 3> names{"add 3", "spend 1", "answer the next"};
    return names[kind];
  }
};

// The same bound with a defect: `looks_at_the_total` is a plain counter that is counted down while it is
// above zero; `takes_over_the_living` lets the others take over the rights of A, who goes on.
enum class BoundedFlaw { looks_at_the_total, takes_over_the_living };

template <BoundedFlaw flaw>
struct FlawedBoundedSubject {
  using State = std::conditional_t<flaw == BoundedFlaw::looks_at_the_total, PnCounter, BoundedCounter>;
  static constexpr bool reads_all_events = true;
  enum Kind : unsigned { add_1, spend_1, take_over };

  static std::vector<unsigned> kinds(unsigned replica) {
    if (replica == 0) return {add_1, spend_1};
    return flaw == BoundedFlaw::looks_at_the_total ? std::vector<unsigned>{spend_1}
                                                   : std::vector<unsigned>{spend_1, take_over};
  }
  static State mutate(State& state, const Mutation& m) {
    const ActorId self = search_actor(m.replica);
    if (m.kind == add_1) return *state.add(self, 1);
    if constexpr (flaw == BoundedFlaw::looks_at_the_total) {
      return state.total() > 0 ? *state.add(self, -1) : State();
    } else {
      if (m.kind == take_over) return state.take_over(self, search_actor(0));
      auto delta = state.spend(self, 1);
      return delta ? std::move(*delta) : State();
    }
  }
  static std::int64_t read(const State& state) { return state.total(); }
  static std::int64_t reference(const EventGraph& graph, EventMask known) {
    const auto change = [](const SearchEvent& e) { return e.kind == add_1 ? 1 : e.kind == spend_1 ? -1 : 0; };
    const bool passed = amount_known(graph, ~EventMask{0}, change) < 0;
    return passed ? -100 : amount_known(graph, known, change);
  }
  static const char* kind_name(unsigned kind) {
    constexpr std::array<const char*, 3> names{"add 1", "spend 1", "take over A"};
    return names[kind];
  }
};

// Nested maps: below "m", names "0" and "1", each with a counter and a set of one element; erasure of a
// name and of "m". `flaw`: an erasure that removes the counter's leaves instead of writing floors.
enum class NestedFlaw { none, erases_shares };

template <NestedFlaw flaw>
struct NestedSubject {
  using State = OrMap;
  enum Kind : unsigned { count_0, count_1, insert_0, erase_0, erase_m };

  static constexpr std::array<unsigned, 5> kinds(unsigned) {
    return {count_0, count_1, insert_0, erase_0, erase_m};
  }
  static std::int64_t amount(unsigned replica, unsigned number) {
    return std::int64_t{1} << (3 * number + replica);
  }
  static State mutate(State& state, const Mutation& m) {
    return *state.update(search_actor(m.replica), 1, [&](auto& root) {
      auto map = root.template at<OrMap>("m");
      switch (m.kind) {
        case count_0:
        case count_1:
          return map.template at<OrMap>(m.kind == count_0 ? "0" : "1")
              .template at<PnCounter>("n")
              .add(amount(m.replica, m.number));
        case insert_0:
          return map.template at<OrMap>("0").template at<OrSet<std::int64_t>>("s").insert(7);
        case erase_0:
          if (flaw == NestedFlaw::erases_shares) return map.template at<RawLeaves>("0").erase();
          return static_cast<void>(map.erase("0"));
        default:
          return static_cast<void>(root.erase("m"));
      }
    });
  }
  static std::int64_t read(const State& state) {
    const auto map = state.at<OrMap>("m");
    const auto zero = map.at<OrMap>("0");
    const auto one = map.at<OrMap>("1");
    const std::int64_t names = (state.contains("m") ? 1 : 0) + (map.contains("0") ? 2 : 0) +
                               (map.contains("1") ? 4 : 0) +
                               (zero.at<OrSet<std::int64_t>>("s").contains(7) ? 8 : 0);
    return names + 16 * (zero.at<PnCounter>("n").total() + (one.at<PnCounter>("n").total() << 24));
  }
  static std::int64_t reference(const EventGraph& graph, EventMask known) {
    const EventMask zero = left(graph, known, count_0);
    const EventMask one = left(graph, known, count_1);
    const EventMask set = left(graph, known, insert_0);
    std::int64_t names = zero | one | set ? 1 : 0;
    names += (zero | set ? 2 : 0) + (one != 0 ? 4 : 0) + (set != 0 ? 8 : 0);
    return names + 16 * (sum(graph, zero) + (sum(graph, one) << 24));
  }
  static const char* kind_name(unsigned kind) {
    constexpr std::array<const char*, 5> names{"count 0", "count 1", "insert 0", "erase 0", "erase m"};
    return names[kind];
  }

 private:
  // Writes of that kind among `known` that no known erasure above them had seen.
  static EventMask left(const EventGraph& graph, EventMask known, unsigned kind) {
    EventMask there = 0;
    for (const SearchEvent& e : graph) {
      if ((known & e.bit()) != 0 && e.kind == kind) there |= e.bit();
    }
    for (const SearchEvent& e : graph) {
      const bool above = e.kind == erase_m || (e.kind == erase_0 && kind != count_1);
      if ((known & e.bit()) != 0 && above) there &= ~e.seen;
    }
    return there;
  }
  static std::int64_t sum(const EventGraph& graph, EventMask of) {
    std::int64_t all = 0;
    for (const SearchEvent& e : graph) {
      if ((of & e.bit()) != 0) all += amount(e.replica, e.number);
    }
    return all;
  }
};

}  // namespace syncline
