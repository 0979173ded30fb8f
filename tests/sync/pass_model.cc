#include "tests/sync/pass_model.h"

#include <algorithm>
#include <bit>
#include <unordered_set>

#include "tests/sim/rng.h"

namespace syncline::model {
namespace {

constexpr std::uint8_t leaves_max = 2;
constexpr std::uint8_t no_source = 0xff;

Rows bit(unsigned row) { return static_cast<Rows>(1U << row); }
Rows without(Rows a, Rows b) { return static_cast<Rows>(a & ~b); }

struct Row {
  Rows removed = 0;
  Rows past = 0;  // What its origin had: itself and its change left out.
  std::uint8_t leaf = 0;
  std::uint8_t payload = 0;
  std::uint8_t first = 0;  // Counter - 1 of its change's first and last row.
  std::uint8_t last = 0;
};

// A pass that a replica receives. Leaf sets are bit masks.
struct Pass {
  std::uint8_t source = no_source;  // None: no pass.
  std::uint8_t running = 0;         // 0: cut, waiting to be resumed.
  std::uint8_t full = 0;
  std::uint8_t named = 0;                  // Leaves that the round names.
  std::uint8_t staged = 0;                 // Of these, read.
  std::array<Rows, leaves_max> live{};     // As read.
  std::array<Rows, leaves_max> version{};  // When read.
  Rows asked = 0;
  // Into the leaves themselves; then `live` isn't used, and `version` is the source's at the first
  // chunk and at the last one.
  std::uint8_t in_place = 0;
  // Of a digest pass: nothing is staged before the sketch was made and decoded.
  std::uint8_t sketch = 0;  // 1: the sender told its digests; 2: the receiver its sketch; 3: decoded.
  Rows start = 0;           // The sender's version when it told its digests...
  Rows told = 0;            // ...and what was live there.
  Rows basis = 0;           // What was live at the receiver when it made its sketch.
};

struct Replica {
  Rows version = 0;
  Rows live = 0;
  Rows logged = 0;
  std::uint8_t lost = 0;       // Leaves of which it knows nothing...
  std::uint8_t distrusts = 0;  // ...or it knows that something is lost, and not what.
  std::uint8_t fits = 0;       // Its digest tells a copy of what was lost...
  Rows was = 0;                // ...which is this.
  Pass inbound;

  bool is_joining() const { return inbound.source != no_source && inbound.in_place != 0; }
};

struct State {
  std::array<Row, rows_max> rows{};
  std::array<Replica, replicas> at{};
  std::uint8_t losses = 0;
};

struct Hash128 {
  std::uint64_t low;
  std::uint64_t high;
  friend bool operator==(const Hash128&, const Hash128&) = default;
};
struct FirstHalf {
  std::size_t operator()(const Hash128& hash) const { return hash.low; }
};

class Search {
 public:
  explicit Search(const Options& options) : options_(options) {}

  Outcome run() {
    std::vector<State> frontier{State{}};
    layers_.push_back({Trail{0, 0}});
    seen_.insert(hash(frontier.front()));
    for (unsigned depth = 0; depth < options_.depth && !frontier.empty() && outcome_.violation.empty();
         ++depth) {
      next_.clear();
      layers_.emplace_back();
      for (std::size_t i = 0; i < frontier.size() && outcome_.violation.empty(); ++i) {
        current_ = &frontier[i];
        parent_ = static_cast<std::uint32_t>(i);
        expand();
      }
      frontier.swap(next_);
    }
    outcome_.states = seen_.size();
    return std::move(outcome_);
  }

 private:
  // How a state was first reached: its parent in the layer above, and the action.
  struct Trail {
    std::uint32_t parent;
    std::uint32_t action;
  };
  enum class Verb : std::uint8_t {
    write,
    remove,
    both,
    push,
    whole,
    full,
    begin,
    begin_full,
    chunk,
    close,
    cut,
    resume,
    forget,
    begin_digests,
    sketch,
    decode,
    miss,
    lose,
    lose_silently,
    mend,
    pass_by,
    repair
  };

  static std::uint32_t code(Verb verb, unsigned a, unsigned b = 0) {
    return static_cast<std::uint32_t>(verb) << 16 | a << 8 | b;
  }
  static std::string describe(std::uint32_t action) {
    static constexpr const char* verbs[] = {"writes leaf",
                                            "removes leaf",
                                            "writes both leaves",
                                            "gets pushed row",
                                            "takes an L2 pass of",
                                            "takes a full pass of",
                                            "begins an L2 pass of",
                                            "begins a full pass of",
                                            "takes a chunk",
                                            "takes the closing chunk",
                                            "loses its link",
                                            "resumes from",
                                            "cuts its log",
                                            "is told digests by",
                                            "sends its sketch",
                                            "is told what differs",
                                            "isn't told that it differs: leaf",
                                            "loses leaf",
                                            "loses, not knowing which, leaf",
                                            "is mended by",
                                            "is told all but what it lost by",
                                            "repairs with"};
    const char who = static_cast<char>('A' + (action >> 8 & 0xff));
    return std::string(1, who) + " " + verbs[action >> 16] + " " + std::to_string(action & 0xff);
  }

  // Replicas are alike, so states that differ by who is who count as one: the
  // least hash of all six ways of naming them.
  static Hash128 hash(const State& state) {
    Hash128 least{~std::uint64_t{0}, ~std::uint64_t{0}};
    for (const Naming& naming : namings()) {
      const Hash128 hash = hash_as(state, naming);
      if (hash.low < least.low || (hash.low == least.low && hash.high < least.high)) least = hash;
    }
    return least;
  }

  // A way of naming replicas anew.
  struct Naming {
    std::array<std::uint8_t, replicas> old_name{};  // By new name.
    std::array<std::uint8_t, replicas> new_name{};  // By old name.
    std::array<Rows, 1U << rows_max> rows{};        // Sets of rows, renamed.
  };
  static const std::vector<Naming>& namings() {
    static const std::vector<Naming> all = [] {
      std::vector<Naming> made;
      std::array<std::uint8_t, replicas> order{0, 1, 2};
      do {
        Naming& naming = made.emplace_back();
        naming.old_name = order;
        for (std::uint8_t i = 0; i < replicas; ++i) naming.new_name[order[i]] = i;
        for (unsigned set = 0; set < naming.rows.size(); ++set) {
          for (unsigned actor = 0; actor < replicas; ++actor) {
            const unsigned part = set >> actor * rows_per_actor & ((1U << rows_per_actor) - 1);
            naming.rows[set] |= static_cast<Rows>(part << naming.new_name[actor] * rows_per_actor);
          }
        }
      } while (std::next_permutation(order.begin(), order.end()));
      return made;
    }();
    return all;
  }

  static Hash128 hash_as(const State& state, const Naming& naming) {
    // Field by field: padding is no part of a state.
    std::uint64_t low = 1;
    std::uint64_t high = 2;
    const auto take = [&](std::uint64_t word) {
      low = sim::mix(low, word);
      high = sim::mix(word + 0x9e3779b97f4a7c15, high);
    };
    const auto named = [&naming](Rows rows) { return std::uint64_t{naming.rows[rows]}; };
    for (const std::uint8_t actor : naming.old_name) {
      for (unsigned counter = 0; counter < rows_per_actor; ++counter) {
        const Row& row = state.rows[actor * rows_per_actor + counter];
        if (row.last == 0) break;
        take(named(row.removed) | named(row.past) << 16 | std::uint64_t{row.leaf} << 32 |
             std::uint64_t{row.payload} << 36 | std::uint64_t{row.first} << 40 |
             std::uint64_t{row.last} << 48);
      }
      const Replica& replica = state.at[actor];
      const Pass& pass = replica.inbound;
      take(named(replica.version) | named(replica.live) << 16 | named(replica.logged) << 32 |
           named(pass.asked) << 48);
      if (state.losses != 0)
        take(std::uint64_t{state.losses} | std::uint64_t{replica.lost} << 8 |
             std::uint64_t{replica.distrusts} << 16 | std::uint64_t{replica.fits} << 24 |
             named(replica.was) << 32 | std::uint64_t{1} << 62);
      if (pass.source == no_source) continue;
      take(std::uint64_t{naming.new_name[pass.source]} | std::uint64_t{pass.running} << 8 |
           std::uint64_t{pass.full} << 16 | std::uint64_t{pass.named} << 24 |
           std::uint64_t{pass.staged} << 32 | std::uint64_t{pass.in_place} << 40 | std::uint64_t{1} << 63);
      take(named(pass.live[0]) | named(pass.live[1]) << 16 | named(pass.version[0]) << 32 |
           named(pass.version[1]) << 48);
      if (pass.sketch != 0)
        take(named(pass.start) | named(pass.told) << 16 | named(pass.basis) << 32 |
             std::uint64_t{pass.sketch} << 48);
    }
    return {low, high};
  }

  void offer(const State& state, std::uint32_t action) {
    if (!outcome_.violation.empty()) return;
    ++outcome_.transitions;
    if (!seen_.insert(hash(state)).second) return;
    layers_.back().push_back(Trail{parent_, action});
    if (is_bad(state)) {
      blame();
      return;
    }
    next_.push_back(state);
  }

  void blame() {
    std::size_t at = layers_.back().size() - 1;
    for (std::size_t depth = layers_.size() - 1; depth > 0; --depth) {
      outcome_.violation.push_back(describe(layers_[depth][at].action));
      at = layers_[depth][at].parent;
    }
    std::reverse(outcome_.violation.begin(), outcome_.violation.end());
  }

  bool is_bad(const State& state) const {
    const auto lacks = [](const Replica& replica) { return replica.lost != 0 || replica.distrusts != 0; };
    for (unsigned a = 0; a < replicas; ++a) {
      for (unsigned b = a + 1; b < replicas; ++b) {
        if (state.at[a].is_joining() || state.at[b].is_joining()) continue;
        if (lacks(state.at[a]) || lacks(state.at[b])) continue;
        if (state.at[a].version == state.at[b].version && state.at[a].live != state.at[b].live) return true;
      }
    }
    if (options_.broken == Broken::losers_are_dropped)
      return false;  // An effect may be absent: that's the rule's claim.
    for (const Replica& replica : state.at) {
      if (replica.is_joining()) continue;
      if (lacks(replica)) continue;  // It may lack what it knows that it lacks; nobody else may.
      Rows expected = 0;
      Rows removed = 0;
      for (unsigned row = 0; row < rows_max; ++row) {
        if ((replica.version & bit(row)) == 0) continue;
        if (state.rows[row].payload != 0) expected |= bit(row);
        removed |= state.rows[row].removed;
      }
      if (replica.live != without(expected, removed)) return true;
    }
    return false;
  }

  Rows rows_of_leaf(const State& state, unsigned leaf) const {
    Rows rows = 0;
    for (unsigned row = 0; row < rows_max; ++row)
      if (state.rows[row].last != 0 && state.rows[row].leaf == leaf) rows |= bit(row);
    return rows;
  }

  static unsigned made(const State& state, unsigned actor) {
    unsigned count = 0;
    while (count < rows_per_actor && state.rows[actor * rows_per_actor + count].last != 0) ++count;
    return count;
  }

  Rows dropping_losers(const State& state, Rows live) const {
    if (options_.broken != Broken::losers_are_dropped) return live;
    Rows kept = 0;
    for (unsigned leaf = 0; leaf < options_.leaves; ++leaf) {
      const Rows here = live & rows_of_leaf(state, leaf);
      if (here != 0) kept |= static_cast<Rows>(std::bit_floor(here));
    }
    return kept;
  }

  void expand() {
    unsigned total = 0;
    for (unsigned a = 0; a < replicas; ++a) total += made(*current_, a);
    for (unsigned r = 0; r < replicas; ++r) {
      write_all(r, total);
      push_all(r);
      pass_all(r);
      if (options_.log_cuts && current_->at[r].logged != 0) {
        State next = *current_;
        next.at[r].logged = 0;
        offer(next, code(Verb::forget, r));
      }
      if (options_.digest_passes) digest_all(r);
      if (options_.losses) lose_all(r);
    }
  }

  // ---- digest passes ----

  // Each leaf is a range of its own: what it is about is when digests and sketches are made.
  std::uint8_t leaves_that_differ(const State& state, Rows a, Rows b, std::uint8_t among) const {
    std::uint8_t differ = 0;
    for (unsigned leaf = 0; leaf < options_.leaves; ++leaf)
      if ((among >> leaf & 1) != 0 && ((a ^ b) & rows_of_leaf(state, leaf)) != 0)
        differ |= static_cast<std::uint8_t>(1U << leaf);
    return differ;
  }

  void digest_all(unsigned r) {
    const Replica& replica = current_->at[r];
    if (replica.inbound.source == no_source && replica.lost == 0 && replica.distrusts == 0) {
      for (unsigned from = 0; from < replicas; ++from) {
        const Replica& source = current_->at[from];
        if (from == r || without(source.version, replica.version) == 0 || !gives(source)) continue;
        State next = *current_;
        next.at[r].inbound = Pass{.source = static_cast<std::uint8_t>(from),
                                  .running = 1,
                                  .asked = replica.version,
                                  .sketch = 1,
                                  .start = source.version,
                                  .told = source.live};
        offer(next, code(Verb::begin_digests, r, from));
      }
      return;
    }
    if (replica.inbound.running == 0) return;
    if (replica.inbound.sketch == 1) {
      State next = *current_;
      next.at[r].inbound.basis = replica.live;
      next.at[r].inbound.sketch = 2;
      offer(next, code(Verb::sketch, r));
    } else if (replica.inbound.sketch == 2) {
      State next = *current_;
      decode(next, r);
      offer(next, code(Verb::decode, r));
      if (options_.broken == Broken::digests_are_of_later) return;  // It must show by itself.
      const std::uint8_t named = next.at[r].inbound.named;
      for (unsigned leaf = 0; leaf < options_.leaves; ++leaf) {
        if ((named >> leaf & 1) == 0) continue;
        State missed = next;  // Two contents looked alike.
        missed.at[r].inbound.named = static_cast<std::uint8_t>(named & ~(1U << leaf));
        offer(missed, code(Verb::miss, r, leaf));
      }
    }
  }

  // The sender compares the receiver's sketch with what it has now, in the ranges that differed then.
  void decode(State& state, unsigned r) const {
    Pass& pass = state.at[r].inbound;
    const std::uint8_t ranges = leaves_that_differ(state, pass.told, pass.basis, every_leaf());
    pass.named = leaves_that_differ(state, state.at[pass.source].live, pass.basis, ranges);
    pass.sketch = 3;
    if (options_.broken == Broken::digests_are_of_later) pass.start = state.at[pass.source].version;
  }

  // The end of a digest pass. False if the sender can't name what it changed since.
  bool close_digests(State& state, unsigned r) {
    Replica& to = state.at[r];
    Pass pass = to.inbound;
    const Replica& source = state.at[pass.source];
    const Rows since = without(source.version, pass.start);
    if (!may_name(source, since)) return false;
    for (unsigned leaf = 0; leaf < options_.leaves; ++leaf)
      if ((named_by(state, source, since) >> leaf & 1) != 0)
        read(state, pass, leaf, rows_of_leaf(state, leaf));
    Rows mirrored = pass.basis;  // What the sender has, if nothing was missed.
    for (unsigned leaf = 0; leaf < options_.leaves; ++leaf)
      if ((pass.staged >> leaf & 1) != 0)
        mirrored = static_cast<Rows>(without(mirrored, rows_of_leaf(state, leaf)) | pass.live[leaf]);
    to.inbound = Pass{};
    const bool believed =
        options_.broken == Broken::sketch_is_believed || options_.broken == Broken::digests_are_of_later;
    if (mirrored != source.live && !believed) return true;  // Nothing is merged.
    const Rows before = to.version;
    for (unsigned leaf = 0; leaf < options_.leaves; ++leaf) {
      const Rows here = rows_of_leaf(state, leaf);
      if ((pass.staged >> leaf & 1) != 0) {
        merge_leaf(to, here, pass.live[leaf], pass.version[leaf]);
      } else if (options_.broken != Broken::touched_is_forgotten) {
        merge_leaf(to, here, pass.basis & here, source.version);
      }
    }
    to.version |= source.version;
    log_rows(to, source, before);
    return true;
  }

  // ---- losses ----

  // Whether it may give passes: nothing that it lacks would look removed.
  bool gives(const Replica& source) const {
    return options_.broken == Broken::lost_is_absent || (source.lost == 0 && source.distrusts == 0);
  }

  void lose_all(unsigned r) {
    const Replica& replica = current_->at[r];
    if (current_->losses == 0 && replica.inbound.source == no_source) {
      for (unsigned leaf = 0; leaf < options_.leaves; ++leaf) {
        const Rows here = rows_of_leaf(*current_, leaf);
        if ((replica.live & here) == 0) continue;
        State next = *current_;
        next.losses = 1;
        next.at[r].live = without(replica.live, here);
        next.at[r].lost = static_cast<std::uint8_t>(1U << leaf);
        next.at[r].fits = 1;
        next.at[r].was = replica.live & here;
        offer(next, code(Verb::lose, r, leaf));
        next.at[r].lost = next.at[r].fits = 0;
        next.at[r].was = 0;
        next.at[r].distrusts = 1;
        offer(next, code(Verb::lose_silently, r, leaf));
      }
    }
    for (unsigned from = 0; from < replicas; ++from) {
      if (from == r || replica.inbound.source != no_source) continue;
      if (replica.lost != 0) mend_all(r, from);
      if (replica.distrusts != 0) repair_all(r, from);
    }
  }

  // Passes to who lost a leaf: by dots, by dots and the lost leaf's name, and of all leaves.
  void mend_all(unsigned r, unsigned from) {
    const Replica& source = current_->at[from];
    const Replica& replica = current_->at[r];
    if (!gives(source)) return;
    const Rows missing = without(source.version, replica.version);
    const std::uint8_t touched = named_by(*current_, source, missing);
    if (may_name(source, missing)) {
      if (missing != 0) mend(r, from, touched);
      mend(r, from, touched | replica.lost);
    }
    mend(r, from, every_leaf());
  }

  // A lost leaf is made whole if the pass tells it, and the source has all that was had or what was lost.
  void mend(unsigned r, unsigned from, std::uint8_t named) {
    const Replica& source = current_->at[from];
    const Replica& replica = current_->at[r];
    const Rows missing = without(source.version, replica.version);
    const bool told = (named & replica.lost) != 0;
    const Rows lost_rows = rows_of_leaf(*current_, replica.lost >> 1);  // Of leaf 0 or 1.
    const bool has_all = without(replica.version, source.version) == 0;
    const bool has_it = replica.fits != 0 && (source.live & lost_rows) == replica.was;
    const bool mends = told && (has_all || has_it || options_.broken == Broken::mends_from_anybody);
    if (!mends && missing == 0) return;
    State next = *current_;
    Replica& to = next.at[r];
    for (unsigned leaf = 0; leaf < options_.leaves; ++leaf)
      if ((named & ~replica.lost) >> leaf & 1)
        merge_leaf(to, rows_of_leaf(next, leaf), source.live & rows_of_leaf(next, leaf), source.version);
    if (mends) to.live = static_cast<Rows>(without(to.live, lost_rows) | (source.live & lost_rows));
    const Rows before = to.version;
    to.version |= source.version;
    if (mends || (told && options_.broken != Broken::old_copy_mends)) {
      to.fits = 0;
      to.was = 0;
    }
    if (mends) to.lost = 0;
    log_rows(to, source, before);
    offer(next, code(mends ? Verb::mend : Verb::pass_by, r, from));
  }

  // Between equal versions, of which it isn't known who lacks what. Both sides ask.
  void repair_all(unsigned r, unsigned from) {
    const Replica& other = current_->at[from];
    const Replica& replica = current_->at[r];
    if (other.version != replica.version || other.lost != 0) return;
    State next = *current_;
    for (const unsigned side : {r, from}) {
      Replica& to = next.at[side];
      const Rows theirs = current_->at[side == r ? from : r].live;
      to.live = options_.broken == Broken::repair_removes ? static_cast<Rows>(to.live & theirs)
                                                          : static_cast<Rows>(to.live | theirs);
      to.distrusts = 0;
    }
    offer(next, code(Verb::repair, r, from));
  }

  // ---- writes ----

  static void add_row(State& state, unsigned r, unsigned leaf, bool payload, Rows here, unsigned first,
                      unsigned last, Rows past) {
    const unsigned counter = made(state, r);
    const unsigned row = r * rows_per_actor + counter;
    state.rows[row] = Row{.removed = here,
                          .past = past,
                          .leaf = static_cast<std::uint8_t>(leaf),
                          .payload = static_cast<std::uint8_t>(payload ? 1 : 0),
                          .first = static_cast<std::uint8_t>(first),
                          .last = static_cast<std::uint8_t>(last + 1)};
    Replica& replica = state.at[r];
    replica.live = without(replica.live, here);
    if (payload) replica.live |= bit(row);
    replica.version |= bit(row);
    replica.logged |= bit(row);
  }

  void write_all(unsigned r, unsigned total) {
    const unsigned counter = made(*current_, r);
    const Replica& replica = current_->at[r];
    if (replica.is_joining()) return;
    if (counter < rows_per_actor && total < options_.rows) {
      for (unsigned leaf = 0; leaf < options_.leaves; ++leaf) {
        if ((replica.lost >> leaf & 1) != 0) continue;
        const Rows here = replica.live & rows_of_leaf(*current_, leaf);
        State next = *current_;
        add_row(next, r, leaf, true, here, counter, counter, replica.version);
        offer(next, code(Verb::write, r, leaf));
        if (here == 0) continue;
        next = *current_;
        add_row(next, r, leaf, false, here, counter, counter, replica.version);
        offer(next, code(Verb::remove, r, leaf));
      }
    }
    // One change, two rows: puts leaf 0 and removes what is seen at leaf 1.
    const Rows other = replica.live & rows_of_leaf(*current_, 1);
    if (options_.leaves < 2 || other == 0 || replica.lost != 0 || counter + 2 > rows_per_actor ||
        total + 2 > options_.rows)
      return;
    State next = *current_;
    add_row(next, r, 0, true, replica.live & rows_of_leaf(*current_, 0), counter, counter + 1,
            replica.version);
    add_row(next, r, 1, false, other, counter, counter + 1, replica.version);
    offer(next, code(Verb::both, r));
  }

  // ---- pushes ----

  void push_all(unsigned r) {
    for (unsigned row = 0; row < rows_max; ++row) {
      const Row& first = current_->rows[row];
      const unsigned actor = row / rows_per_actor;
      if (first.last == 0 || first.first != row % rows_per_actor) continue;  // Not a change's first row.
      Rows change = 0;
      Rows removed = 0;
      for (unsigned c = first.first; c < first.last; ++c) {
        change |= bit(actor * rows_per_actor + c);
        removed |= current_->rows[actor * rows_per_actor + c].removed;
      }
      const Replica& replica = current_->at[r];
      if ((replica.version & change) != 0) continue;  // Seen.
      if (replica.is_joining() && options_.broken != Broken::joining_takes_changes) continue;
      if ((leaves_named(*current_, change) & replica.lost) != 0) continue;  // Left to a pass.
      if (options_.broken != Broken::no_causal_order && options_.broken != Broken::removed_counts_as_seen &&
          without(first.past, replica.version) != 0)
        continue;
      const bool somebody_can = std::any_of(current_->at.begin(), current_->at.end(), [&](const Replica& at) {
        return without(change, at.logged) == 0;
      });
      if (!somebody_can) continue;
      State next = *current_;
      Replica& to = next.at[r];
      Rows payloads = 0;
      for (unsigned c = first.first; c < first.last; ++c)
        if (current_->rows[actor * rows_per_actor + c].payload != 0)
          payloads |= bit(actor * rows_per_actor + c);
      to.live = dropping_losers(next, static_cast<Rows>(without(to.live, removed) | payloads));
      to.version |= change;
      to.logged |= change;
      if (options_.broken == Broken::removed_counts_as_seen) to.version |= removed;
      offer(next, code(Verb::push, r, row));
    }
  }

  // ---- passes ----

  std::uint8_t leaves_named(const State& state, Rows missing) const {
    std::uint8_t named = 0;
    for (unsigned leaf = 0; leaf < options_.leaves; ++leaf)
      if ((missing & rows_of_leaf(state, leaf)) != 0) named |= static_cast<std::uint8_t>(1U << leaf);
    return named;
  }
  std::uint8_t every_leaf() const { return static_cast<std::uint8_t>((1U << options_.leaves) - 1); }

  // Whether the source may name leaves by rows: it must have one for each missing dot.
  bool may_name(const Replica& source, Rows missing) const {
    return options_.broken == Broken::dead_rows_stay_home || without(missing, source.logged) == 0;
  }

  std::uint8_t named_by(const State& state, const Replica& source, Rows missing) const {
    if (options_.broken == Broken::dead_rows_stay_home)
      missing &= static_cast<Rows>(source.logged | source.live);
    return leaves_named(state, missing);
  }

  static void read(const State& state, Pass& pass, unsigned leaf, Rows rows_here) {
    const Replica& source = state.at[pass.source];
    pass.live[leaf] = source.live & rows_here;
    pass.version[leaf] = source.version;
    pass.staged |= static_cast<std::uint8_t>(1U << leaf);
  }

  static void merge_leaf(Replica& to, Rows rows_here, Rows theirs, Rows their_version) {
    const Rows mine = to.live & rows_here;
    const Rows merged =
        static_cast<Rows>((mine & theirs) | without(mine, their_version) | without(theirs, to.version));
    to.live = static_cast<Rows>(without(to.live, rows_here) | merged);
  }

  void log_rows(Replica& to, const Replica& source, Rows before) const {
    if (options_.broken == Broken::dead_rows_stay_home) {
      to.logged |= without(source.version & source.live, before);
    } else {
      to.logged |= static_cast<Rows>(without(source.version, before) & (source.logged | source.live));
    }
  }

  // The closing chunk: an atomic read of what was touched since its chunk, then the one commit.
  // False if the source can't name what was touched.
  bool close(State& state, unsigned r) {
    Replica& to = state.at[r];
    if (to.is_joining()) return close_in_place(state, to);
    Pass pass = to.inbound;
    const Replica& source = state.at[pass.source];
    for (unsigned leaf = 0; leaf < options_.leaves; ++leaf) {
      const Rows here = rows_of_leaf(state, leaf);
      const bool is_staged = (pass.staged >> leaf & 1) != 0;
      const Rows since = without(source.version, is_staged ? pass.version[leaf] : pass.asked);
      if (!pass.full && !may_name(source, since)) return false;
      if (pass.full && is_staged && !may_name(source, since)) return false;
      if (options_.broken == Broken::no_closing_chunk) continue;
      if ((named_by(state, source, since) >> leaf & 1) != 0) read(state, pass, leaf, here);
    }
    const Rows before = to.version;
    for (unsigned leaf = 0; leaf < options_.leaves; ++leaf) {
      if ((pass.staged >> leaf & 1) == 0) continue;
      merge_leaf(to, rows_of_leaf(state, leaf), pass.live[leaf], pass.version[leaf]);
    }
    to.version |= source.version;
    log_rows(to, source, before);
    to.live = dropping_losers(state, to.live);
    to.inbound = Pass{};
    return true;
  }

  // What was read first is replaced by what is read last: of an empty replica there is nothing to merge with.
  void read_in_place(const State& state, Replica& to, unsigned leaf) const {
    const Replica& source = state.at[to.inbound.source];
    const Rows here = rows_of_leaf(state, leaf);
    if (options_.broken != Broken::joining_keeps_old_reads) to.live = without(to.live, here);
    to.live |= source.live & here;
    if (to.inbound.staged == 0) to.inbound.version[0] = source.version;
    to.inbound.version[1] = source.version;
    to.inbound.staged |= static_cast<std::uint8_t>(1U << leaf);
    if (options_.broken == Broken::joining_answers || options_.broken == Broken::version_before_closing)
      to.version |= source.version;
  }

  bool close_in_place(const State& state, Replica& to) const {
    const Replica& source = state.at[to.inbound.source];
    const Rows since = without(source.version, to.inbound.version[0]);
    if (!may_name(source, since)) return false;
    for (unsigned leaf = 0; leaf < options_.leaves; ++leaf) {
      if (options_.broken == Broken::no_closing_chunk) break;
      if ((named_by(state, source, since) >> leaf & 1) != 0) read_in_place(state, to, leaf);
    }
    to.version |= source.version;
    to.inbound = Pass{};
    return true;
  }

  void begin(State& state, unsigned r, unsigned from, bool full) const {
    Replica& to = state.at[r];
    const Replica& source = state.at[from];
    to.inbound = Pass{.source = static_cast<std::uint8_t>(from),
                      .running = 1,
                      .full = static_cast<std::uint8_t>(full ? 1 : 0),
                      .asked = to.version};
    const bool empty = to.version == 0 || options_.broken == Broken::joins_what_is_not_empty;
    to.inbound.in_place = options_.in_place && full && empty ? 1 : 0;
    to.inbound.named = full ? every_leaf() : named_by(state, source, without(source.version, to.version));
  }

  void chunk(State& state, unsigned r) const {
    Replica& to = state.at[r];
    Pass& pass = to.inbound;
    const auto leaf =
        static_cast<unsigned>(std::countr_zero(static_cast<unsigned>(pass.named & ~pass.staged)));
    if (to.is_joining()) return read_in_place(state, to, leaf);
    const Rows here = rows_of_leaf(state, leaf);
    read(state, pass, leaf, here);
    if (options_.broken == Broken::chunks_commit_alone) {
      merge_leaf(to, here, pass.live[leaf], pass.version[leaf]);
      to.version |= pass.live[leaf];
    }
    if (options_.broken == Broken::version_before_closing) to.version |= pass.version[leaf];
  }

  void pass_all(unsigned r) {
    const Replica& replica = current_->at[r];
    for (unsigned from = 0; from < replicas; ++from) {
      if (from == r) continue;
      const Replica& source = current_->at[from];
      if (source.is_joining() && options_.broken != Broken::joining_answers) continue;
      const Rows missing = without(source.version, replica.version);
      if (missing == 0 || !gives(source) || replica.lost != 0 || replica.distrusts != 0) continue;
      for (const bool full : {false, true}) {
        if (!full && !may_name(source, missing)) continue;
        if (replica.inbound.source == no_source) {
          // At once, nothing happening meanwhile.
          State next = *current_;
          begin(next, r, from, full);
          while ((next.at[r].inbound.named & ~next.at[r].inbound.staged) != 0) chunk(next, r);
          if (close(next, r)) offer(next, code(full ? Verb::full : Verb::whole, r, from));
        }
        if (!options_.stepwise_passes || replica.inbound.source != no_source) continue;
        State next = *current_;
        begin(next, r, from, full);
        if (next.at[r].inbound.named == 0) continue;
        chunk(next, r);
        offer(next, code(full ? Verb::begin_full : Verb::begin, r, from));
      }
    }
    if (replica.inbound.source == no_source) return;
    State next = *current_;
    if (replica.inbound.sketch != 0) {
      next.at[r].inbound = Pass{};  // Cut: it begins anew.
      offer(next, code(Verb::cut, r, 1));
      if (replica.inbound.sketch < 3 || !gives(current_->at[replica.inbound.source])) return;
      next = *current_;
      if ((replica.inbound.named & ~replica.inbound.staged) != 0) {
        chunk(next, r);
        offer(next, code(Verb::chunk, r));
      } else if (close_digests(next, r)) {
        offer(next, code(Verb::close, r));
      }
      return;
    }
    if (replica.inbound.running == 0) {
      for (unsigned from = 0; from < replicas; ++from) {
        const Rows had = static_cast<Rows>(replica.inbound.version[0] | replica.inbound.version[1]);
        const bool lacks =
            without(had, current_->at[from].version) != 0;  // It must have all that was staged.
        if (from == r || current_->at[from].is_joining()) continue;
        if (lacks && !(replica.is_joining() && options_.broken == Broken::joins_from_who_has_less)) continue;
        next = *current_;
        next.at[r].inbound.source = static_cast<std::uint8_t>(from);
        next.at[r].inbound.running = 1;
        if (options_.broken == Broken::resumes_blindly)
          next.at[r].inbound.version.fill(current_->at[from].version);
        offer(next, code(Verb::resume, r, from));
      }
      next = *current_;
      if (replica.is_joining()) next.at[r].live = next.at[r].version = next.at[r].logged = 0;
      next.at[r].inbound = Pass{};  // Given up.
      offer(next, code(Verb::cut, r, 1));
      return;
    }
    next.at[r].inbound.running = 0;
    offer(next, code(Verb::cut, r));
    next = *current_;
    if ((replica.inbound.named & ~replica.inbound.staged) != 0) {
      chunk(next, r);
      offer(next, code(Verb::chunk, r));
    } else if (close(next, r)) {
      offer(next, code(Verb::close, r));
    }
  }

  Options options_;
  Outcome outcome_;
  std::unordered_set<Hash128, FirstHalf> seen_;
  std::vector<State> next_;
  std::vector<std::vector<Trail>> layers_;
  const State* current_ = nullptr;
  std::uint32_t parent_ = 0;
};

}  // namespace

const char* name(Broken broken) {
  switch (broken) {
    case Broken::nothing:
      return "nothing";
    case Broken::removed_counts_as_seen:
      return "removed_counts_as_seen";
    case Broken::no_causal_order:
      return "no_causal_order";
    case Broken::dead_rows_stay_home:
      return "dead_rows_stay_home";
    case Broken::no_closing_chunk:
      return "no_closing_chunk";
    case Broken::chunks_commit_alone:
      return "chunks_commit_alone";
    case Broken::version_before_closing:
      return "version_before_closing";
    case Broken::losers_are_dropped:
      return "losers_are_dropped";
    case Broken::resumes_blindly:
      return "resumes_blindly";
    case Broken::joining_answers:
      return "joining_answers";
    case Broken::joining_takes_changes:
      return "joining_takes_changes";
    case Broken::joining_keeps_old_reads:
      return "joining_keeps_old_reads";
    case Broken::joins_from_who_has_less:
      return "joins_from_who_has_less";
    case Broken::joins_what_is_not_empty:
      return "joins_what_is_not_empty";
    case Broken::sketch_is_believed:
      return "sketch_is_believed";
    case Broken::touched_is_forgotten:
      return "touched_is_forgotten";
    case Broken::digests_are_of_later:
      return "digests_are_of_later";
    case Broken::repair_removes:
      return "repair_removes";
    case Broken::lost_is_absent:
      return "lost_is_absent";
    case Broken::mends_from_anybody:
      return "mends_from_anybody";
    case Broken::old_copy_mends:
      return "old_copy_mends";
  }
  return "?";
}

Outcome search(const Options& options) { return Search(options).run(); }

}  // namespace syncline::model
