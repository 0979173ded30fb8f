// The rules of the model of passes: what each step does to a state, apart from which steps are tried.
#pragma once

#include <cstdint>

#include "tests/sync/pass_state.h"

namespace syncline::model {

class Rules {
 public:
  explicit Rules(const Options& options) : options_(options) {}

  // Two replicas with equal versions and unequal live rows, or a version that covers a row whose effect is
  // absent.
  bool is_bad(const State& state) const;

  std::uint8_t every_leaf() const { return static_cast<std::uint8_t>((1U << options_.leaves) - 1); }
  std::uint8_t leaves_named(const State& state, Rows missing) const;
  // The same, as the source names them by its rows.
  std::uint8_t named_by(const State& state, const Replica& source, Rows missing) const;
  // Whether the source may name leaves by rows: it must have one for each missing dot.
  bool may_name(const Replica& source, Rows missing) const;
  // Whether it may give passes: nothing that it lacks would look removed.
  bool gives(const Replica& source) const;

  // ---- changes ----
  // `here` is what the row removes; it belongs to the change of counters first to last.
  void add_row(State& state, unsigned r, unsigned leaf, bool payload, Rows here, unsigned first,
               unsigned last, Rows past) const;
  // Applies the change whose first row that is. False if it isn't its turn.
  bool push(State& state, unsigned r, unsigned row) const;

  // ---- passes ----
  void begin(State& state, unsigned r, unsigned from, bool full) const;
  void chunk(State& state, unsigned r) const;
  // The closing chunk: an atomic read of what was touched since its chunk, then the one commit.
  // False if the source can't name what was touched.
  bool close(State& state, unsigned r) const;

  // ---- digest passes ----
  // The sender compares the receiver's sketch with what it has now, in the ranges that differed then.
  void decode(State& state, unsigned r) const;
  // The end. False if the sender can't name what it changed since.
  bool close_digests(State& state, unsigned r) const;

  // ---- losses ----
  enum class Mended { nothing, others, lost };  // What came of a pass to who lost a leaf.
  // A lost leaf is made whole if the pass tells it, and the source has all that was had or what was lost.
  Mended mend(State& state, unsigned r, unsigned from, std::uint8_t named) const;
  // Between equal versions, of which it isn't known who lacks what. Both sides ask.
  void repair(State& state, unsigned a, unsigned b) const;

 private:
  std::uint8_t leaves_that_differ(const State& state, Rows a, Rows b, std::uint8_t among) const;
  Rows dropping_losers(const State& state, Rows live) const;
  void log_rows(Replica& to, const Replica& source, Rows before) const;
  void read_in_place(const State& state, Replica& to, unsigned leaf) const;
  bool close_in_place(const State& state, Replica& to) const;

  Options options_;
};

}  // namespace syncline::model
