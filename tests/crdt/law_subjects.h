// The types under the law suite: their random mutations and arbitrary states.
#pragma once

#include <cstdint>
#include <string>

#include "crdt/crdt.h"
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
// what may stand there, or nothing. In a map that nests, an element is a leaf's whole key.
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
    if (!leaf.empty()) leaves[is_map(State::type) ? at : leaf_key({}, State::type, at)] = std::move(leaf);
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

struct GSetLaws {
  using State = GSet<std::string>;

  static State mutate(State& state, const ActorId& actor, Random& random) {
    return state.insert(actor, SetLaws::element(random));
  }
  static State arbitrary(Random& random) {
    return arbitrary_state<State>(
        random, [](Random& r) { return Value(SetLaws::element(r)).to_bytes(); },
        [](Random&, std::string_view, const Dot&) { return std::optional(Payload{}); });
  }
};

struct RwSetLaws {
  using State = RwSet<std::string>;

  static State mutate(State& state, const ActorId& actor, Random& random) {
    const std::size_t what = random.below(8);
    if (what == 0) {  // Of anything: the laws hold whether it is stable or not.
      Version stable;
      for (std::size_t i = 0; i < law_actors; ++i) stable.raise(law_actor(i), 1 + random.below(9));
      return state.collect(actor, stable);
    }
    return what < 5 ? state.insert(actor, SetLaws::element(random))
                    : state.erase(actor, SetLaws::element(random));
  }
  static State arbitrary(Random& random) {
    return arbitrary_state<State>(
        random, [](Random& r) { return Value(SetLaws::element(r)).to_bytes(); },
        [](Random& r, std::string_view, const Dot&) {
          return std::optional(Payload{0, std::string(r.chance(1, 2) ? removed_mark : std::string_view())});
        });
  }
};

template <class Register>
struct MvLaws {
  using State = Register;

  static State mutate(State& state, const ActorId& actor, Random& random) {
    return random.chance(1, 5) ? state.clear(actor)
                               : state.set(actor, static_cast<std::int64_t>(random.below(30)) - 15);
  }
  static State arbitrary(Random& random) {
    return arbitrary_state<State>(
        random, [](Random&) { return std::string(); },
        [](Random& r, std::string_view, const Dot&) {
          return std::optional(Payload{0, Value(static_cast<std::int64_t>(r.below(5))).to_bytes()});
        });
  }
};

template <class FlagT>
struct FlagLaws {
  using State = FlagT;

  static State mutate(State& state, const ActorId& actor, Random& random) {
    return random.chance(1, 2) ? state.enable(actor) : state.disable(actor);
  }
  static State arbitrary(Random& random) {
    return arbitrary_state<State>(
        random, [](Random&) { return std::string(); },
        [](Random& r, std::string_view, const Dot&) {
          const bool on = State::type == Type::ew_flag || r.chance(1, 2);
          return std::optional(Payload{0, std::string(on ? on_mark : off_mark)});
        });
  }
};

struct BoundedLaws {
  using State = BoundedCounter;

  static State mutate(State& state, const ActorId& actor, Random& random) {
    const auto by = static_cast<std::int64_t>(random.below(9));
    const ActorId other = law_actor(random.below(law_actors));
    // A refusal changes nothing, as its empty delta says.
    auto delta = [&]() -> Result<State> {
      switch (random.below(8)) {
        case 0:
          return state.take_over(actor, other);
        case 1:
        case 2:
          return state.add(actor, by);
        case 3:
        case 4:
          return state.give(actor, other, by);
        default:
          return state.spend(actor, by);
      }
    }();
    return delta ? std::move(*delta) : State{};
  }
  static State arbitrary(Random& random) {
    const auto element = [](Random& r) {
      const ActorId first = law_actor(r.below(law_actors));
      const ActorId second = law_actor(r.below(law_actors));
      return r.chance(1, 3)   ? bounded::element(bounded::own_mark, first)
             : r.chance(1, 2) ? bounded::element(bounded::gift_mark, first, &second)
                              : bounded::element(bounded::takeover_mark, first, &second);
    };
    const auto payload = [](Random& r, std::string_view at, const Dot& dot) -> std::optional<Payload> {
      Payload made;
      for (std::size_t numbers = at.front() == bounded::own_mark ? 3 : 1; numbers > 0; --numbers)
        put_varint(made.bytes, r.chance(1, 9) ? ~std::uint64_t{0} - r.below(100) : r.below(9));
      return bounded_dot_is_valid(at, LiveDot{dot, made}) ? std::optional(made) : std::nullopt;
    };
    return arbitrary_state<State>(random, element, payload);
  }
};

// Nested maps: few names, so that paths meet; every sort of removal below an erasure.
template <class Map>
struct NestedLaws {
  using State = Map;

  static std::string name(Random& random) { return std::string(random.below(3), '\0'); }
  template <class Writer>
  static void write(Writer& map, Random& random, std::size_t depth) {
    const std::string at = name(random);
    const auto number = static_cast<std::int64_t>(random.below(20));
    switch (random.below(depth < 4 ? 12 : 8)) {
      case 0:
        return map.template at<PnCounter>(at).add(number - 10);
      case 1:
        return static_cast<void>(map.template at<GCounter>(at).reset());
      case 2:
        return map.template at<OrSet<std::int64_t>>(at).insert(number % 3);
      case 3:
        return static_cast<void>(map.template at<RwSet<std::int64_t>>(at).erase(number % 3));
      case 4:
        return static_cast<void>(map.template at<MvRegister<std::int64_t>>(at).set(number));
      case 5:
        return map.template at<DwFlag>(at).enable();
      case 6:
      case 7:
        if constexpr (Map::type == Type::or_map) map.erase(at);
        return;
      default: {
        auto child = map.template at<Map>(at);
        return write(child, random, depth + 1);
      }
    }
  }
  static State mutate(State& state, const ActorId& actor, Random& random) {
    auto delta = state.update(actor, random.below(9), [&](auto& map) {
      for (std::size_t writes = 1 + random.below(2); writes > 0; --writes) write(map, random, 0);
    });
    return delta ? std::move(*delta) : State{};
  }
  static State arbitrary(Random& random) {
    const auto leaf = [](Random& r) {
      std::string path = Place().path();
      for (std::size_t depth = 1 + r.below(3); depth > 0; --depth)
        path = child_path(Place::at(path), Map::type, name(r));
      if (r.chance(1, 2)) return leaf_key(Place::at(path), Type::lww_register, {});
      if (r.chance(1, 2)) return leaf_key(Place::at(path), Type{200}, name(r));  // Of newer code.
      return leaf_key(Place::at(path), Type::pn_counter,
                      (r.chance(1, 2) ? "s" : "f") + std::string(law_actor(r.below(law_actors)).view()));
    };
    const auto payload = [](Random& r, std::string_view, const Dot&) {
      Payload made;
      for (std::size_t numbers = 3; numbers > 0; --numbers) put_varint(made.bytes, r.below(9));
      return std::optional(made);
    };
    return arbitrary_state<State>(random, leaf, payload);
  }
};

}  // namespace syncline
