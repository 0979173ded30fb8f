// The laws that every type keeps, checked on random histories and on random
// decodable states. One run is one seed; a broken law is returned by name.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crdt/dot.h"
#include "tests/support/random.h"

namespace syncline {

inline constexpr std::size_t law_actors = 4;

inline ActorId law_actor(std::size_t number) {
  ActorId actor;
  actor.bytes[3] = static_cast<std::uint8_t>(number + 1);
  return actor;
}

// `Subject` is a type and what can be done to it:
//   State                                                  merge(), to_bytes(), from_bytes()
//   mutate(State&, const ActorId&, Random&) -> State       a random mutation; its delta
//   arbitrary(Random&) -> State                            any decodable state, reachable or not
template <class Subject>
class Laws {
 public:
  using State = typename Subject::State;

  explicit Laws(std::uint64_t seed) : random_(seed) {}

  // Two to four replicas, 20 to 50 steps, one to four keys (the subject's choice).
  std::optional<std::string> run() {
    std::vector<State> replicas(2 + random_.below(law_actors - 1));
    std::vector<State> deltas;
    for (std::size_t step = 20 + random_.below(31); step > 0; --step) {
      const std::size_t at = random_.below(replicas.size());
      State& replica = replicas[at];
      const std::size_t what = random_.below(5);
      if (what < 2) {
        if (auto broken = mutate(replica, law_actor(at), deltas)) return broken;
      } else if (what < 3 || deltas.empty()) {
        const State& other = replicas[random_.below(replicas.size())];
        &other == &replica ? replica.merge(State(other)) : replica.merge(other);
      } else {
        replica.merge(deltas[random_.below(deltas.size())]);
      }
    }
    if (auto broken = converge(replicas, deltas)) return broken;
    const State some = random_.chance(1, 2) ? Subject::arbitrary(random_) : replicas[0];
    if (auto broken = join(some, Subject::arbitrary(random_), replicas[1])) return broken;
    if (auto broken = join(Subject::arbitrary(random_), Subject::arbitrary(random_), some)) return broken;
    if (auto broken = load(replicas[0], deltas)) return broken;
    return load(Subject::arbitrary(random_), deltas);
  }

 private:
  static State merged(State a, const State& b) {
    a.merge(b);
    return a;
  }
  // In all that is told of them. What merge leads to must also be equal byte for byte: see converge() and
  // join().
  static bool same(const State& a, const State& b) { return a == b; }
  static bool same_bytes(const State& a, const State& b) {
    return same(a, b) && a.to_bytes() == b.to_bytes();
  }

  // I2: a mutation is the merge of its delta. It only grows the state.
  std::optional<std::string> mutate(State& state, const ActorId& actor, std::vector<State>& deltas) {
    const State before = state;
    State delta = Subject::mutate(state, actor, random_);
    State by_delta = merged(before, delta);
    if (!same(by_delta, state)) return "a mutation is not the merge of its delta";
    by_delta.merge(before);
    if (!same(by_delta, state)) return "a mutation lost something";
    deltas.push_back(std::move(delta));
    return std::nullopt;
  }

  // All that merged the same are equal: by states or by deltas, in any order, grouped, repeated.
  std::optional<std::string> converge(const std::vector<State>& replicas, const std::vector<State>& deltas) {
    State by_states;
    for (const State& replica : replicas) by_states.merge(replica);
    std::vector<const State*> order;
    for (const State& delta : deltas) order.push_back(&delta);
    for (std::size_t i = deltas.size() / 3; i > 0; --i)
      order.push_back(&deltas[random_.below(deltas.size())]);
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random_.below(i)]);
    State by_deltas, group;
    for (const State* delta : order) {
      group.merge(*delta);
      if (random_.chance(1, 3)) by_deltas.merge(std::exchange(group, State{}));
    }
    by_deltas.merge(group);
    if (!same_bytes(by_states, by_deltas)) return "states and deltas lead to different ends";
    return std::nullopt;
  }

  // I1.
  std::optional<std::string> join(const State& a, const State& b, const State& c) {
    const State ab = merged(a, b);
    if (!same_bytes(ab, merged(b, a))) return "merge doesn't commute";
    if (!same_bytes(merged(ab, c), merged(a, merged(b, c)))) return "merge doesn't associate";
    if (!same(merged(a, State(a)), a)) return "merge with itself changes a state";
    if (!same(merged(ab, a), ab) || !same(merged(ab, b), ab)) return "a merge lost something";
    return std::nullopt;
  }

  // A loaded state is the saved one, byte for byte, and behaves as that does under 20 further steps.
  std::optional<std::string> load(State state, const std::vector<State>& deltas) {
    const std::string bytes = state.to_bytes();
    auto loaded = State::from_bytes(bytes);
    if (!loaded) return "a state can't be loaded";
    if (loaded->to_bytes() != bytes || !(*loaded == state)) return "a loaded state is another";
    for (int step = 0; step < 20; ++step) {
      if (random_.chance(1, 4) || deltas.empty()) {
        Random same_again = random_;
        Subject::mutate(state, law_actor(0), random_);
        Subject::mutate(*loaded, law_actor(0), same_again);
      } else {
        const State& delta = deltas[random_.below(deltas.size())];
        state.merge(delta);
        loaded->merge(delta);
      }
    }
    if (!same_bytes(state, *loaded)) return "a loaded state behaves in another way";
    return std::nullopt;
  }

  Random random_;
};

}  // namespace syncline
