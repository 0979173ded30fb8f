// The types under the law suite: their random mutations and arbitrary states.
#pragma once

#include <cstdint>
#include <string>

#include "crdt/counter.h"
#include "crdt/lww.h"
#include "crdt/or_set.h"
#include "tests/crdt/encode_state.h"
#include "tests/crdt/laws.h"

namespace syncline {

// A random context over few actors and small counters, so that states overlap.
inline CausalContext arbitrary_context(Random& random) {
  CausalContext context;
  for (std::size_t dots = random.below(12); dots > 0; --dots)
    context.insert(Dot{law_actor(random.below(law_actors)), 1 + random.below(7)});
  return context;
}

// A state with live dots of its context anywhere, one dot at several leaves
// too. `element(random)` gives path elements, `payload(random, element, dot)`
// what may stand there, or nothing.
template <class State, class Element, class PayloadOf>
State arbitrary_state(Random& random, const Element& element, const PayloadOf& payload) {
  const CausalContext context = arbitrary_context(random);
  LeafMap::Leaves leaves;
  for (std::size_t count = random.below(5); count > 0; --count) {
    const std::string at = element(random);
    Leaf leaf;
    for (const auto& [actor, counters] : context.actors()) {
      for (const auto& [first, last] : counters.intervals()) {
        for (std::uint64_t counter = first; counter <= last; ++counter) {
          const Dot dot{actor, counter};
          if (!random.chance(1, 3)) continue;
          if (auto made = payload(random, at, dot)) leaf.push_back(LiveDot{dot, std::move(*made)});
        }
      }
    }
    if (!leaf.empty()) leaves[leaf_key({}, State::type, at)] = std::move(leaf);
  }
  return *State::from_bytes(encode_state(State::type, context, leaves));
}

struct SetLaws {
  using State = OrSet<std::string>;

  static std::string element(Random& random) { return std::string(random.below(4), 'x'); }
  static State mutate(State& state, const ActorId& actor, Random& random) {
    const std::size_t what = random.below(8);
    if (what == 0) return state.clear(actor);
    return what < 5 ? state.insert(actor, element(random)) : state.erase(actor, element(random));
  }
  static State arbitrary(Random& random) {
    return arbitrary_state<State>(
        random, [](Random& r) { return Value(element(r)).to_bytes(); },
        [](Random&, std::string_view, const Dot&) { return std::optional(Payload{}); });
  }
};

// Stamps are few, so that they tie; payloads too, so that reused dots differ.
inline std::optional<Payload> arbitrary_write(Random& random, std::string_view, const Dot&) {
  const std::uint64_t stamp = random.chance(1, 9) ? ~std::uint64_t{0} - random.below(2) : random.below(4);
  return Payload{stamp, Value(static_cast<std::int64_t>(random.below(3))).to_bytes()};
}

struct RegisterLaws {
  using State = LwwRegister<Value>;

  static State mutate(State& state, const ActorId& actor, Random& random) {
    const Value value(static_cast<std::int64_t>(random.below(100)));
    const std::size_t what = random.below(4);
    if (what == 0) return state.clear(actor);
    return what == 1 ? *state.set_at(actor, random.below(6), value)
                     : state.set(actor, random.below(6), value);
  }
  static State arbitrary(Random& random) {
    return arbitrary_state<State>(
        random, [](Random&) { return std::string(); }, arbitrary_write);
  }
};

struct MapLaws {
  using State = LwwMap<Value>;

  static std::string field(Random& random) { return std::string(random.below(4), '\0'); }
  static State mutate(State& state, const ActorId& actor, Random& random) {
    const std::string at = field(random);
    const Value value(random.chance(1, 2) ? Value("text") : Value(1.5));
    const std::size_t what = random.below(4);
    if (what == 0) return state.erase(actor, at);
    return what == 1 ? *state.set_at(actor, random.below(6), at, value)
                     : state.set(actor, random.below(6), at, value);
  }
  static State arbitrary(Random& random) { return arbitrary_state<State>(random, field, arbitrary_write); }
};

template <class Counter>
struct CounterLaws {
  using State = Counter;

  static State mutate(State& state, const ActorId& actor, Random& random) {
    if (random.chance(1, 3)) return state.reset(actor);
    const auto by = static_cast<std::int64_t>(random.below(300));
    // A total near its limit is refused: that changes nothing, as its empty delta says.
    auto delta = state.add(actor, Counter::type == Type::pn_counter && random.chance(1, 2) ? -by : by);
    return delta ? std::move(*delta) : State{};
  }
  static State arbitrary(Random& random) {
    const auto element = [](Random& r) {
      return (r.chance(1, 2) ? "s" : "f") + std::string(law_actor(r.below(law_actors)).view());
    };
    const auto payload = [](Random& r, std::string_view at, const Dot& dot) -> std::optional<Payload> {
      if (at.front() == 's' && dot.actor.view() != at.substr(1)) return std::nullopt;
      const std::uint64_t first = at.front() == 's' ? r.below(dot.counter) : 1 + r.below(7);
      Payload made;
      put_varint(made.bytes, first);
      put_varint(made.bytes, r.chance(1, 9) ? ~std::uint64_t{0} - r.below(100) : r.below(9));
      put_varint(made.bytes, Counter::type == Type::pn_counter ? r.below(9) : 0);
      return made;
    };
    return arbitrary_state<State>(random, element, payload);
  }
};

}  // namespace syncline
