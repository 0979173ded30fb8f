#include "tests/sync/pass_model.h"

#include <algorithm>
#include <unordered_set>

#include "tests/sync/pass_rules.h"
#include "tests/sync/pass_state.h"

namespace syncline::model {
namespace {

struct FirstHalf {
  std::size_t operator()(const Hash128& hash) const { return hash.low; }
};

// Which steps are tried from each state, and where each came from.
class Search {
 public:
  explicit Search(const Options& options) : options_(options), rules_(options) {}

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

  void offer(const State& state, std::uint32_t action) {
    if (!outcome_.violation.empty()) return;
    ++outcome_.transitions;
    if (!seen_.insert(hash(state)).second) return;
    layers_.back().push_back(Trail{parent_, action});
    if (rules_.is_bad(state)) {
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

  void expand() {
    unsigned total = 0;
    for (unsigned a = 0; a < replicas; ++a) total += current_->made(a);
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

  // ---- changes ----

  void write_all(unsigned r, unsigned total) {
    const unsigned counter = current_->made(r);
    const Replica& replica = current_->at[r];
    if (replica.is_joining()) return;
    if (counter < rows_per_actor && total < options_.rows) {
      for (unsigned leaf = 0; leaf < options_.leaves; ++leaf) {
        if ((replica.lost >> leaf & 1) != 0) continue;
        const Rows here = replica.live & current_->rows_of_leaf(leaf);
        State next = *current_;
        rules_.add_row(next, r, leaf, true, here, counter, counter, replica.version);
        offer(next, code(Verb::write, r, leaf));
        if (here == 0) continue;
        next = *current_;
        rules_.add_row(next, r, leaf, false, here, counter, counter, replica.version);
        offer(next, code(Verb::remove, r, leaf));
      }
    }
    // One change, two rows: puts leaf 0 and removes what is seen at leaf 1.
    const Rows other = replica.live & current_->rows_of_leaf(1);
    if (options_.leaves < 2 || other == 0 || replica.lost != 0 || counter + 2 > rows_per_actor ||
        total + 2 > options_.rows)
      return;
    State next = *current_;
    rules_.add_row(next, r, 0, true, replica.live & current_->rows_of_leaf(0), counter, counter + 1,
                   replica.version);
    rules_.add_row(next, r, 1, false, other, counter, counter + 1, replica.version);
    offer(next, code(Verb::both, r));
  }

  void push_all(unsigned r) {
    for (unsigned row = 0; row < rows_max; ++row) {
      const Row& first = current_->rows[row];
      if (first.last == 0 || first.first != row % rows_per_actor) continue;  // Not a change's first row.
      State next = *current_;
      if (rules_.push(next, r, row)) offer(next, code(Verb::push, r, row));
    }
  }

  // ---- passes ----

  void pass_all(unsigned r) {
    const Pass& inbound = current_->at[r].inbound;
    begin_all(r);
    if (inbound.source == no_source) return;
    if (inbound.sketch != 0) return go_on_by_digests(r);
    if (inbound.running == 0) return resume_all(r);
    State next = *current_;
    next.at[r].inbound.running = 0;
    offer(next, code(Verb::cut, r));
    next = *current_;
    if ((inbound.named & ~inbound.staged) != 0) {
      rules_.chunk(next, r);
      offer(next, code(Verb::chunk, r));
    } else if (rules_.close(next, r)) {
      offer(next, code(Verb::close, r));
    }
  }

  void begin_all(unsigned r) {
    const Replica& replica = current_->at[r];
    for (unsigned from = 0; from < replicas; ++from) {
      if (from == r) continue;
      const Replica& source = current_->at[from];
      if (source.is_joining() && options_.broken != Broken::joining_answers) continue;
      const Rows missing = without(source.version, replica.version);
      if (missing == 0 || !rules_.gives(source) || replica.lost != 0 || replica.distrusts != 0) continue;
      if (replica.inbound.source != no_source) continue;
      for (const bool full : {false, true}) {
        if (!full && !rules_.may_name(source, missing)) continue;
        // At once, nothing happening meanwhile.
        State next = *current_;
        rules_.begin(next, r, from, full);
        while ((next.at[r].inbound.named & ~next.at[r].inbound.staged) != 0) rules_.chunk(next, r);
        if (rules_.close(next, r)) offer(next, code(full ? Verb::full : Verb::whole, r, from));
        if (!options_.stepwise_passes) continue;
        next = *current_;
        rules_.begin(next, r, from, full);
        if (next.at[r].inbound.named == 0) continue;
        rules_.chunk(next, r);
        offer(next, code(full ? Verb::begin_full : Verb::begin, r, from));
      }
    }
  }

  void resume_all(unsigned r) {
    const Replica& replica = current_->at[r];
    const Rows had = static_cast<Rows>(replica.inbound.version[0] | replica.inbound.version[1]);
    State next = *current_;
    for (unsigned from = 0; from < replicas; ++from) {
      if (from == r || current_->at[from].is_joining()) continue;
      const bool lacks = without(had, current_->at[from].version) != 0;  // It must have all that was staged.
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
  }

  void go_on_by_digests(unsigned r) {
    const Pass& inbound = current_->at[r].inbound;
    State next = *current_;
    next.at[r].inbound = Pass{};  // Cut: it begins anew.
    offer(next, code(Verb::cut, r, 1));
    if (inbound.sketch < 3 || !rules_.gives(current_->at[inbound.source])) return;
    next = *current_;
    if ((inbound.named & ~inbound.staged) != 0) {
      rules_.chunk(next, r);
      offer(next, code(Verb::chunk, r));
    } else if (rules_.close_digests(next, r)) {
      offer(next, code(Verb::close, r));
    }
  }

  void digest_all(unsigned r) {
    const Replica& replica = current_->at[r];
    if (replica.inbound.source == no_source && replica.lost == 0 && replica.distrusts == 0) {
      for (unsigned from = 0; from < replicas; ++from) {
        const Replica& source = current_->at[from];
        if (from == r || without(source.version, replica.version) == 0 || !rules_.gives(source)) continue;
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
      rules_.decode(next, r);
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

  // ---- losses ----

  void lose_all(unsigned r) {
    const Replica& replica = current_->at[r];
    if (current_->losses == 0 && replica.inbound.source == no_source) {
      for (unsigned leaf = 0; leaf < options_.leaves; ++leaf) {
        const Rows here = current_->rows_of_leaf(leaf);
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
    if (!rules_.gives(source)) return;
    const Rows missing = without(source.version, replica.version);
    const std::uint8_t touched = rules_.named_by(*current_, source, missing);
    if (rules_.may_name(source, missing)) {
      if (missing != 0) mend(r, from, touched);
      mend(r, from, touched | replica.lost);
    }
    mend(r, from, rules_.every_leaf());
  }

  void mend(unsigned r, unsigned from, std::uint8_t named) {
    State next = *current_;
    const Rules::Mended mended = rules_.mend(next, r, from, named);
    if (mended == Rules::Mended::nothing) return;
    offer(next, code(mended == Rules::Mended::lost ? Verb::mend : Verb::pass_by, r, from));
  }

  void repair_all(unsigned r, unsigned from) {
    if (current_->at[from].version != current_->at[r].version || current_->at[from].lost != 0) return;
    State next = *current_;
    rules_.repair(next, r, from);
    offer(next, code(Verb::repair, r, from));
  }

  Options options_;
  Rules rules_;
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
