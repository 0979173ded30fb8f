#include "tests/sync/stability_model.h"

#include <array>
#include <cstring>
#include <unordered_set>

#include "tests/sim/rng.h"

namespace syncline::stability_model {
namespace {

constexpr unsigned replicas = 3;
constexpr unsigned per_replica = 4;
constexpr unsigned all = replicas * per_replica;
constexpr unsigned steps_max = 16;

using Rows = std::uint16_t;  // Bit replica * 4 + 0, 1: of its first incarnation; + 2, 3: of the later ones.
// Incarnations: bit replica * 4 + 0, 1, 2; + 3 says that a store was added which hasn't said its own yet.
using Members = std::uint16_t;
constexpr unsigned unannounced = 3;
constexpr unsigned incarnations_max = 3;

constexpr Members store_mask(unsigned store) { return static_cast<Members>(0xfU << store * per_replica); }

struct Cut {
  Members members = 0;
  Members by = 0;  // Empty while the epoch is closed.
  Rows met = 0, heard = 0, floor = 0, floor_heard = 0;
  std::uint16_t epoch = 0, pad = 0;
};

struct Replica {
  Rows memory = 0, disk = 0;
  std::uint16_t incarnation = 0;
  // The list is an observed-remove set; each entry has two dots.
  std::uint16_t pad = 0;
  std::uint32_t added = 0, removed = 0;
  Cut cut;
};

struct State {
  std::array<Replica, replicas> at{};
  std::array<Rows, all> past{};  // What its writer had, by row.
  std::uint16_t rows = 0, calls = 0, misfortunes = 0, pad = 0;
};

struct Node {
  State state;
  std::array<std::uint16_t, steps_max> steps{};
  unsigned count = 0;
};

enum Verb : unsigned {
  write,
  persist,
  pull,
  learn,
  gossip,
  acknowledge,
  open,
  crash,
  lose,
  restart,
  join,
  announce,
  leave
};

std::string describe(unsigned step) {
  static constexpr const char* verbs[] = {
      "writes",           "persists",         "takes rows of",  "learns the list of",
      "hears the cut of", "acknowledges",     "opens an epoch", "crashes",
      "loses its disk",   "restarts cleanly", "adds",           "announces its incarnation",
      "removes"};
  std::string text(1, static_cast<char>('A' + (step >> 4 & 0xf)));
  text += std::string(" ") + verbs[step >> 8];
  const unsigned verb = step >> 8;
  if (verb == pull || verb == learn || verb == gossip || verb == join || verb == leave)
    text += std::string(" ") + static_cast<char>('A' + (step & 0xf));
  return text;
}

class Search {
 public:
  explicit Search(const Options& options) : options_(options) {}

  Outcome run() {
    std::vector<Node> frontier{Node{start(), {}, 0}};
    seen_.insert(hash(frontier.front().state));
    for (unsigned depth = 0; depth < options_.depth && outcome_.violation.empty(); ++depth) {
      next_.clear();
      for (const Node& node : frontier) {
        node_ = &node;
        expand();
        if (!outcome_.violation.empty()) break;
      }
      frontier.swap(next_);
    }
    outcome_.states = seen_.size();
    return std::move(outcome_);
  }

 private:
  struct Hash128 {
    std::uint64_t low, high;
    friend bool operator==(const Hash128&, const Hash128&) = default;
  };
  struct FirstHalf {
    std::size_t operator()(const Hash128& hash) const { return hash.low; }
  };

  static Hash128 hash(const State& state) {
    static_assert(sizeof(State) % 4 == 0 && std::has_unique_object_representations_v<State>);
    std::uint64_t low = 1, high = 2;
    std::array<std::uint32_t, sizeof(State) / 4> words{};
    std::memcpy(words.data(), &state, sizeof state);
    for (const std::uint32_t word : words) {
      low = sim::mix(low, word);
      high = sim::mix(high, word);
    }
    return {low, high};
  }

  State start() const {
    State state;
    for (Replica& replica : state.at) {
      replica.added = entry_dot(0) | entry_dot(per_replica);
      replica.cut.members = list(replica);
    }
    const Rows a = 1U << 0, b = 1U << per_replica;
    if (options_.start == Start::shared) {
      for (const unsigned who : {0U, 1U}) state.at[who].memory = state.at[who].disk = b;
      state.rows = 1;
    } else {
      state.at[0].memory = state.at[0].disk = a;
      state.at[1].memory = state.at[1].disk = b;
      state.rows = 2;
    }
    return state;
  }

  static std::uint32_t entry_dot(unsigned entry) { return 1U << 2 * entry; }
  static Members list(const Replica& replica) {
    const std::uint32_t live = replica.added & ~replica.removed;
    Members members = 0;
    for (unsigned entry = 0; entry < all; ++entry)
      if ((live >> 2 * entry & 3) != 0) members = static_cast<Members>(members | 1U << entry);
    return members;
  }
  static unsigned own(const State& state, unsigned who) {
    return who * per_replica + state.at[who].incarnation;
  }
  bool counts_stores() const { return options_.broken == Broken::counts_stores; }
  // What a list is known by.
  Members identity(Members members) const {
    if (!counts_stores()) return members;
    Members stores = 0;
    for (unsigned store = 0; store < replicas; ++store)
      if ((members & store_mask(store)) != 0)
        stores = static_cast<Members>(stores | 1U << store * per_replica);
    return stores;
  }
  Members own_bit(const State& state, unsigned who) const {
    return static_cast<Members>(1U << (counts_stores() ? who * per_replica : own(state, who)));
  }

  // After the list of a replica may have changed.
  void follow(Replica& replica) const {
    const Members now = identity(list(replica));
    const Members before = replica.cut.members;
    if (now == before) return;
    Cut fresh;
    fresh.members = now;
    const bool within = now != 0 && (now & ~before) == 0;
    if (within || options_.broken == Broken::ignores_joiners) {
      fresh.floor = replica.cut.floor;
      fresh.floor_heard = replica.cut.floor_heard;
    }
    if (options_.broken == Broken::counts_other_lists) {
      fresh = replica.cut;
      fresh.members = now;
    }
    replica.cut = fresh;
    close(replica.cut);
  }

  static void close(Cut& cut) {
    if (cut.by == 0 || (cut.members & ~cut.by) != 0 || cut.members == 0) return;
    cut.floor = static_cast<Rows>(cut.floor | cut.met);
    cut.floor_heard = cut.heard;
    cut.by = cut.met = cut.heard = 0;
  }

  void merge(Cut& ours, const Cut& theirs) const {
    if (ours.members == 0) return;
    if (ours.members != theirs.members && options_.broken != Broken::counts_other_lists) return;
    const Members members = ours.members;
    ours.floor = static_cast<Rows>(ours.floor | theirs.floor);
    const bool same = ours.epoch == theirs.epoch;
    const bool alike = same && (ours.by == 0) == (theirs.by == 0);
    if (theirs.epoch > ours.epoch || (same && ours.by != 0 && theirs.by == 0)) {
      const Rows floor = ours.floor;
      ours = theirs;
      ours.floor = floor;
      ours.members = members;
    } else if (same && ours.by != 0) {
      ours.by = static_cast<Members>(ours.by | theirs.by);
      ours.met =
          static_cast<Rows>(options_.broken == Broken::joins_what_it_should_meet ? ours.met | theirs.met
                                                                                 : ours.met & theirs.met);
      ours.heard = static_cast<Rows>(ours.heard | theirs.heard);
    }
    if (alike) ours.floor_heard = static_cast<Rows>(ours.floor_heard | theirs.floor_heard);
    close(ours);
  }

  void add_own(State& state, unsigned who) const {
    Replica& replica = state.at[who];
    const Rows has = options_.broken == Broken::acknowledges_unpersisted ? replica.memory : replica.disk;
    replica.cut.by = static_cast<Members>(replica.cut.by | own_bit(state, who));
    replica.cut.met = static_cast<Rows>(replica.cut.met & has);
    replica.cut.heard = static_cast<Rows>(replica.cut.heard | has);
    close(replica.cut);
  }

  // Applies one step; false if it isn't possible or changes nothing.
  bool apply(State& state, unsigned verb, unsigned who, unsigned other) const {
    Replica& me = state.at[who];
    const Replica& them = state.at[other];
    const Members members = list(me);
    const bool counts = (members >> own(state, who) & 1) != 0;
    switch (verb) {
      case write: {
        unsigned row = who * per_replica + (me.incarnation == 0 ? 0 : me.incarnation + 1U);
        if (me.incarnation == 0 && (me.memory >> row & 1) != 0) ++row;
        if (state.rows == options_.rows || (me.memory >> row & 1) != 0) return false;
        state.past[row] = me.memory;
        me.memory = static_cast<Rows>(me.memory | 1U << row);
        ++state.rows;
        return true;
      }
      case persist:
        if (me.disk == me.memory) return false;
        me.disk = me.memory;
        return true;
      case pull:
        if ((them.disk & ~me.memory) == 0) return false;
        me.memory = static_cast<Rows>(me.memory | them.disk);
        return true;
      case learn:
        if ((them.added & ~me.added) == 0 && (them.removed & ~me.removed) == 0) return false;
        me.added |= them.added;
        me.removed |= them.removed;
        follow(me);
        return true;
      case gossip: {
        const Cut before = me.cut;
        merge(me.cut, them.cut);
        return std::memcmp(&before, &me.cut, sizeof before) != 0;
      }
      case acknowledge:
        if (!counts || me.cut.by == 0 || (me.cut.by & own_bit(state, who)) != 0) return false;
        add_own(state, who);
        return true;
      case open: {
        if (!counts || me.cut.by != 0 || me.cut.epoch == 2) return false;
        if ((me.disk & ~me.cut.floor) == 0 && (me.cut.floor_heard & ~me.disk) == 0) return false;
        const bool keeps = options_.broken == Broken::keeps_acknowledgements && me.cut.epoch > 0;
        ++me.cut.epoch;
        me.cut.met = me.disk;
        if (keeps) me.cut.by = me.cut.members;
        add_own(state, who);
        return true;
      }
      case crash:
      case lose:
        if (state.misfortunes == options_.misfortunes || me.incarnation + 1U == incarnations_max)
          return false;
        ++state.misfortunes;
        if (verb == lose) {  // A backup from before the rows was put back.
          me.disk = 0;
          // What others still have of its own comes back to it as it would from a latecomer.
          for (unsigned row = who * per_replica; row < (who + 1) * per_replica; ++row)
            if (((state.at[0].memory | state.at[1].memory | state.at[2].memory) >> row & 1) != 0)
              state.past[row] = 0xffff;
        }
        me.memory = me.disk;
        if (options_.broken != Broken::keeps_incarnation) ++me.incarnation;
        me.cut = {};
        me.cut.members = identity(list(me));
        return true;
      case restart:
        if (state.misfortunes == options_.misfortunes || me.disk != me.memory) return false;
        ++state.misfortunes;
        me.cut = {};
        me.cut.members = identity(list(me));
        return true;
      case join:
        if (state.calls == options_.calls || (members & store_mask(other)) != 0) return false;
        ++state.calls;
        me.added |= fresh_dot(me, other * per_replica + unannounced);
        follow(me);
        return true;
      case announce: {
        const Members mine = static_cast<Members>(members & store_mask(who));
        const auto self = static_cast<Members>(1U << own(state, who));
        if (mine == 0 || mine == self) return false;
        for (unsigned entry = who * per_replica; entry < (who + 1) * per_replica; ++entry)
          if (entry != own(state, who)) me.removed |= me.added & 3U << 2 * entry;
        if (!counts) me.added |= fresh_dot(me, own(state, who));
        follow(me);
        return true;
      }
      case leave:
        if (state.calls == options_.calls || (members & store_mask(other)) == 0) return false;
        ++state.calls;
        for (unsigned entry = other * per_replica; entry < (other + 1) * per_replica; ++entry)
          me.removed |= me.added & 3U << 2 * entry;
        follow(me);
        return true;
      default:
        return false;
    }
  }
  // The entry's next dot; its last one again when both were used.
  static std::uint32_t fresh_dot(const Replica& replica, unsigned entry) {
    return (replica.added & entry_dot(entry)) == 0 ? entry_dot(entry) : entry_dot(entry) << 1;
  }

  void expand() {
    for (unsigned verb = write; verb <= leave; ++verb) {
      const bool pair = verb == pull || verb == learn || verb == gossip || verb == join || verb == leave;
      for (unsigned who = 0; who < replicas; ++who) {
        for (unsigned other = 0; other < (pair ? replicas : 1U); ++other) {
          if (pair && other == who && verb != leave && verb != join) continue;
          try_step(verb, who, other);
          if (!outcome_.violation.empty()) return;
        }
      }
    }
  }

  void try_step(unsigned verb, unsigned who, unsigned other) {
    State state = node_->state;
    if (!apply(state, verb, who, other)) return;
    ++outcome_.transitions;
    if (!seen_.insert(hash(state)).second) return;
    Node node{state, node_->steps, node_->count};
    node.steps[node.count++] = static_cast<std::uint16_t>(verb << 8 | who << 4 | other);
    if (is_bad(state)) {
      for (unsigned i = 0; i < node.count; ++i) outcome_.violation.push_back(describe(node.steps[i]));
      return;
    }
    if (node.count < options_.depth) next_.push_back(node);
  }

  bool is_bad(const State& state) const {
    for (const Replica& replica : state.at) {
      const Members members = list(replica);
      Rows theirs = 0;  // What stores in the list wrote.
      for (unsigned store = 0; store < replicas; ++store) {
        const Members listed = static_cast<Members>(members & store_mask(store));
        const bool lives = (listed >> own(state, store) & 1) != 0;
        const bool awaited = (listed >> (store * per_replica + unannounced) & 1) != 0;
        if ((lives || awaited) && (replica.cut.floor & ~state.at[store].disk) != 0) return true;
        if (lives) theirs = static_cast<Rows>(theirs | 0xfU << store * per_replica);
      }
      if (collects_too_early(state, replica, theirs)) return true;
    }
    return false;
  }

  // Whether a row that it takes for stable everywhere, and would collect by, has one beside it that isn't
  // here.
  bool collects_too_early(const State& state, const Replica& replica, Rows theirs) const {
    const bool heard = (replica.cut.floor_heard & ~replica.memory) == 0;
    if (!heard && options_.broken != Broken::collects_unheard) return false;
    Rows somewhere = 0;
    for (const Replica& each : state.at) somewhere = static_cast<Rows>(somewhere | each.memory);
    const auto missing = static_cast<Rows>(theirs & somewhere & ~replica.memory);
    for (unsigned row = 0; row < all; ++row)
      if ((missing >> row & 1) != 0 && (replica.cut.floor & ~state.past[row]) != 0) return true;
    return false;
  }

  Options options_;
  Outcome outcome_;
  const Node* node_ = nullptr;
  std::vector<Node> next_;
  std::unordered_set<Hash128, FirstHalf> seen_;
};

}  // namespace

const char* name(Broken broken) {
  static constexpr const char* names[] = {
      "nothing",         "counts_other_lists", "acknowledges_unpersisted", "ignores_joiners",
      "counts_stores",   "keeps_incarnation",  "keeps_acknowledgements",   "joins_what_it_should_meet",
      "collects_unheard"};
  return names[static_cast<unsigned>(broken)];
}

Outcome search(const Options& options) { return Search(options).run(); }

}  // namespace syncline::stability_model
