// Bounded-exhaustive search: every history of three replicas up to a depth.
//
// A step is a mutation, a merge of another's whole state, or the delivery of
// one delta. After each step the replica that took it must read what a
// reference says of the events it knows; the reference sees the graph of events
// and nothing of our code. Replicas that know the same events must have equal
// bytes.
//
// Events are numbered per replica, so histories that differ only in the order
// of independent steps are one. States of the type under test are interned by
// their bytes, and each merge and mutation of interned states is done once.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "crdt/dot.h"
#include "crdt/error.h"

namespace syncline {

inline constexpr unsigned search_replicas = 3;
inline constexpr unsigned search_depth_max = 12;

// Events known, a bit each: those of replica r from bit r * search_depth_max on.
using EventMask = std::uint64_t;

constexpr EventMask event_bit(unsigned replica, unsigned number) {
  return EventMask{1} << (replica * search_depth_max + number);
}

struct SearchEvent {
  std::uint8_t replica;
  std::uint8_t number;  // Which of the replica's events.
  std::uint8_t kind;
  std::uint32_t delta;  // An interned state.
  EventMask seen;

  EventMask bit() const { return event_bit(replica, number); }
  friend bool operator==(const SearchEvent&, const SearchEvent&) = default;
};

using EventGraph = std::vector<SearchEvent>;

inline ActorId search_actor(unsigned replica) {
  ActorId actor;
  actor.bytes[0] = static_cast<std::uint8_t>(replica + 1);
  return actor;
}

// How a mutation is told apart: by replica and number it is unique, so values made of them are too.
struct Mutation {
  unsigned replica;
  unsigned number;
  unsigned kind;
  bool all_known;          // Whether everyone knows all that this replica does: only planted defects ask.
  bool knows_all = false;  // Whether this replica knows all that anyone does.
  // Per replica's actor the counter up to which everyone's state reaches, for subjects that ask for it
  // by `needs_stable`.
  std::array<std::uint8_t, search_replicas> stable{};

  friend bool operator==(const Mutation&, const Mutation&) = default;
};

struct SearchResult {
  bool right = true;
  unsigned depth = 0;      // Reached, or where it went wrong.
  std::size_t steps = 0;   // Taken and checked.
  std::size_t worlds = 0;  // Distinct ones, the last depth's not counted.
  std::string trace;       // The history that went wrong.
};

struct SearchOptions {
  unsigned depth;
  bool deltas = true;                // Deliver deltas, besides merging whole states.
  bool deltas_in_any_order = false;  // Or only after all that their origin had seen.
};

// `Subject` is the type under test with its reference:
//   State                                      with merge(), to_bytes(); default: nothing happened
//   kinds(replica) -> range of unsigned        what the replica may do
//   mutate(State&, Mutation) -> State          the delta; without dots if nothing changed
//   read(const State&) -> std::int64_t         what it reads as, as a number
//   reference(const EventGraph&, EventMask known) -> std::int64_t
//                                              of the known events and those they had seen; of all there
//                                              are only if the subject has `reads_all_events`
//   kind_name(kind) -> const char*
template <class Subject>
class Search {
 public:
  explicit Search(SearchOptions options) : options_(options) {}

  SearchResult run() {
    SearchResult result;
    World first;
    first.states.fill(intern(typename Subject::State{}));
    std::vector<World> frontier{first};
    history_.emplace_back();
    for (unsigned depth = 1; depth <= options_.depth && result.right; ++depth) {
      std::vector<World> next;
      const bool last = depth == options_.depth;
      for (const World& world : frontier) {
        expand(world, [&](World&& reached, unsigned replica, const Step& step) {
          ++result.steps;
          if (!is_right(reached, replica)) {
            result.right = false;
            result.trace = trace(world.history) + describe(step) + explain(reached, replica);
            return false;
          }
          if (!last && visited_.insert(hash(reached))) {
            reached.history = static_cast<std::uint32_t>(history_.size());
            history_.push_back(Past{world.history, step});
            next.push_back(reached);
          }
          return true;
        });
        if (!result.right) break;
      }
      result.depth = depth;
      result.worlds += next.size();
      frontier = std::move(next);
    }
    return result;
  }

 private:
  struct World {
    std::array<EventMask, search_replicas> known{};
    std::array<std::uint32_t, search_replicas> states{};
    std::array<std::uint32_t, search_depth_max> events{};  // Interned; by replica, then number.
    std::array<std::uint8_t, search_replicas> counts{};
    std::uint32_t history = 0;
  };
  enum class StepKind : std::uint8_t { mutate, merge, deliver };
  struct Step {
    StepKind kind = StepKind::mutate;
    std::uint8_t to = 0;    // Whose step it is.
    std::uint8_t from = 0;  // Another replica, or the kind of mutation.
    std::uint8_t number = 0;
  };
  struct Past {
    std::uint32_t before = 0;
    Step step;
  };
  struct Hash128 {
    std::uint64_t a = 0, b = 0;
    friend bool operator==(const Hash128&, const Hash128&) = default;
  };
  // Open addressing; 16 bytes a member.
  class HashSet {
   public:
    bool insert(Hash128 hash) {
      if (2 * (size_ + 1) > slots_.size()) grow();
      return place(hash);
    }

   private:
    bool place(Hash128 hash) {
      for (std::size_t i = hash.a & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
        if (slots_[i] == hash) return false;
        if (slots_[i] == Hash128{}) {
          slots_[i] = hash;
          ++size_;
          return true;
        }
      }
    }
    void grow() {
      std::vector<Hash128> old(std::max<std::size_t>(1024, 2 * slots_.size()));
      old.swap(slots_);
      size_ = 0;
      for (const Hash128& hash : old) {
        if (hash != Hash128{}) place(hash);
      }
    }
    std::vector<Hash128> slots_;
    std::size_t size_ = 0;
  };

  static void mix(Hash128& hash, std::uint64_t word) {
    hash.a = (hash.a ^ word) * 0x9e37'79b9'7f4a'7c15;
    hash.a ^= hash.a >> 32;
    hash.b = (hash.b + word) * 0xc2b2'ae3d'27d4'eb4f;
    hash.b ^= hash.b >> 29;
  }
  static unsigned event_count(const World& world) {
    return static_cast<unsigned>(world.counts[0] + world.counts[1] + world.counts[2]);
  }
  static Hash128 hash(const World& world) {
    Hash128 hash{1, 2};
    for (const EventMask known : world.known) mix(hash, known);
    for (const std::uint32_t state : world.states) mix(hash, state);
    for (const std::uint8_t count : world.counts) mix(hash, count);
    for (unsigned i = 0; i < event_count(world); ++i) mix(hash, world.events[i]);
    return hash;
  }

  std::uint32_t intern(typename Subject::State state) {
    const auto [it, added] = ids_.try_emplace(state.to_bytes(), static_cast<std::uint32_t>(states_.size()));
    if (added) {
      reads_.push_back(Subject::read(state));
      states_.push_back(std::move(state));
    }
    return it->second;
  }
  std::uint32_t merged(std::uint32_t mine, std::uint32_t theirs) {
    const std::uint64_t key = std::uint64_t{mine} << 32 | theirs;
    const auto it = merges_.find(key);
    if (it != merges_.end()) return it->second;
    auto state = states_[mine];
    state.merge(states_[theirs]);
    return merges_[key] = intern(std::move(state));
  }
  // The state and the delta after a mutation; equal to the state before if nothing changed.
  std::pair<std::uint32_t, std::uint32_t> mutated(std::uint32_t before, const Mutation& mutation) {
    std::uint64_t key = std::uint64_t{before} << 32 | mutation.replica << 30 | mutation.number << 26 |
                        mutation.kind << 22 | (mutation.all_known ? 1U << 21 : 0U) |
                        (mutation.knows_all ? 1U << 20 : 0U);
    for (unsigned r = 0; r < search_replicas; ++r) key |= std::uint64_t{mutation.stable[r]} << (6 * r);
    const auto it = mutations_.find(key);
    if (it != mutations_.end()) return it->second;
    auto state = states_[before];
    auto delta = Subject::mutate(state, mutation);
    std::pair<std::uint32_t, std::uint32_t> after{before, before};
    if (!delta.state().context().actors().empty())
      after = {intern(std::move(state)), intern(std::move(delta))};
    return mutations_[key] = after;
  }
  std::uint32_t intern_event(const SearchEvent& event) {
    const Hash128 key = [&] {
      Hash128 hash{3, 4};
      mix(hash, std::uint64_t{event.replica} << 16 | std::uint64_t{event.number} << 8 | event.kind);
      mix(hash, event.delta);
      mix(hash, event.seen);
      return hash;
    }();
    const auto [it, added] =
        event_ids_.try_emplace(key.a ^ key.b, static_cast<std::uint32_t>(events_.size()));
    if (added) events_.push_back(event);
    SYNCLINE_ASSERT(events_[it->second] == event);  // Two events of one hash: change the constants.
    return it->second;
  }

  template <class Visit>
  void expand(const World& world, Visit&& visit) {
    const EventMask all = world.known[0] | world.known[1] | world.known[2];
    for (unsigned i = 0; i < search_replicas; ++i) {
      for (const unsigned kind : Subject::kinds(i)) {
        const bool all_known = ((world.known[i] & ~world.known[0]) | (world.known[i] & ~world.known[1]) |
                                (world.known[i] & ~world.known[2])) == 0;
        Mutation mutation{i, world.counts[i], kind, all_known};
        if constexpr (requires { Subject::needs_stable; }) {
          mutation.knows_all = (all & ~world.known[i]) == 0;
          mutation.stable = stable(world);
        }
        const auto [state, delta] = mutated(world.states[i], mutation);
        if (delta == world.states[i] && state == world.states[i]) continue;
        World reached = world;
        const SearchEvent event{static_cast<std::uint8_t>(i), world.counts[i],
                                static_cast<std::uint8_t>(kind), delta, world.known[i]};
        insert(reached, i, intern_event(event));
        reached.states[i] = state;
        reached.known[i] |= event.bit();
        if (!visit(std::move(reached), i, Step{StepKind::mutate, event.replica, event.kind, event.number}))
          return;
      }
      for (unsigned j = 0; j < search_replicas; ++j) {
        if (i == j || (world.known[j] & ~world.known[i]) == 0) continue;
        World reached = world;
        reached.states[i] = merged(world.states[i], world.states[j]);
        reached.known[i] |= world.known[j];
        if (!visit(std::move(reached), i,
                   Step{StepKind::merge, static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(j), 0}))
          return;
      }
      if (!options_.deltas || (all & ~world.known[i]) == 0) continue;
      const unsigned total = event_count(world);
      for (unsigned e = 0; e < total; ++e) {
        const SearchEvent& event = events_[world.events[e]];
        if ((world.known[i] & event.bit()) != 0) continue;
        if (!options_.deltas_in_any_order && (event.seen & ~world.known[i]) != 0) continue;
        const Step step{StepKind::deliver, static_cast<std::uint8_t>(i), event.replica, event.number};
        World reached = world;
        reached.known[i] |= event.bit();
        reached.states[i] = merged(world.states[i], event.delta);
        if (!visit(std::move(reached), i, step)) return;
      }
    }
  }

  std::array<std::uint8_t, search_replicas> stable(const World& world) const {
    std::array<std::uint8_t, search_replicas> least{};
    for (unsigned actor = 0; actor < search_replicas; ++actor) {
      std::uint64_t counter = ~std::uint64_t{0};
      for (const std::uint32_t state : world.states)
        counter = std::min(counter, states_[state].state().context().next_counter(search_actor(actor)) - 1);
      least[actor] = static_cast<std::uint8_t>(counter);
    }
    return least;
  }

  static void insert(World& world, unsigned replica, std::uint32_t event) {
    unsigned at = 0;
    for (unsigned r = 0; r <= replica; ++r) at += world.counts[r];
    unsigned total = at;
    for (unsigned r = replica + 1; r < search_replicas; ++r) total += world.counts[r];
    for (unsigned i = total; i > at; --i) world.events[i] = world.events[i - 1];
    world.events[at] = event;
    ++world.counts[replica];
  }

  const EventGraph& graph(const World& world) {
    graph_.clear();
    const unsigned total = event_count(world);
    for (unsigned i = 0; i < total; ++i) graph_.push_back(events_[world.events[i]]);
    return graph_;
  }
  bool is_right(const World& world, unsigned replica) {
    for (unsigned other = 0; other < search_replicas; ++other) {
      if (world.known[other] == world.known[replica] && world.states[other] != world.states[replica])
        return false;
    }
    // What the reference says follows from the events it may look at: once is enough for each such view.
    if (!judged_.insert(view(world, replica))) return true;
    return reads_[world.states[replica]] == Subject::reference(graph(world), world.known[replica]);
  }
  // The events that a replica knows, those that they had seen, and what it holds.
  Hash128 view(const World& world, unsigned replica) const {
    const unsigned total = event_count(world);
    EventMask within = world.known[replica];
    if constexpr (requires { Subject::reads_all_events; }) within = ~EventMask{0};
    for (EventMask before = 0; before != within;) {
      before = within;
      for (unsigned i = 0; i < total; ++i) {
        const SearchEvent& event = events_[world.events[i]];
        if ((within & event.bit()) != 0) within |= event.seen;
      }
    }
    Hash128 hash{5, 6};
    mix(hash, world.known[replica]);
    mix(hash, world.states[replica]);
    for (unsigned i = 0; i < total; ++i) {
      if ((within & events_[world.events[i]].bit()) != 0) mix(hash, world.events[i]);
    }
    return hash;
  }
  std::string explain(const World& world, unsigned replica) {
    return std::string("-> ") + static_cast<char>('A' + replica) + " reads " +
           std::to_string(reads_[world.states[replica]]) + ", reference " +
           std::to_string(Subject::reference(graph(world), world.known[replica]));
  }
  static std::string describe(const Step& step) {
    const char to = static_cast<char>('A' + step.to);
    const char from = static_cast<char>('A' + step.from);
    if (step.kind == StepKind::merge) return std::string{from} + "->" + to + "; ";
    if (step.kind == StepKind::deliver)
      return std::string{from} + std::to_string(step.number) + "=>" + to + "; ";
    return std::string{to} + " " + Subject::kind_name(step.from) + "; ";
  }
  std::string trace(std::uint32_t history) const {
    if (history == 0) return "";
    return trace(history_[history].before) + describe(history_[history].step);
  }

  SearchOptions options_;
  std::unordered_map<std::string, std::uint32_t> ids_;
  std::vector<typename Subject::State> states_;
  std::vector<std::int64_t> reads_;
  absl::flat_hash_map<std::uint64_t, std::uint32_t> merges_;
  absl::flat_hash_map<std::uint64_t, std::pair<std::uint32_t, std::uint32_t>> mutations_;
  absl::flat_hash_map<std::uint64_t, std::uint32_t> event_ids_;
  std::vector<SearchEvent> events_;
  std::vector<Past> history_;
  HashSet visited_;
  HashSet judged_;
  EventGraph graph_;
};

}  // namespace syncline
