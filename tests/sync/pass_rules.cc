#include "tests/sync/pass_rules.h"

#include <algorithm>
#include <bit>

namespace syncline::model {
namespace {

void read(const State& state, Pass& pass, unsigned leaf, Rows rows_here) {
  const Replica& source = state.at[pass.source];
  pass.live[leaf] = source.live & rows_here;
  pass.version[leaf] = source.version;
  pass.staged |= static_cast<std::uint8_t>(1U << leaf);
}

void merge_leaf(Replica& to, Rows rows_here, Rows theirs, Rows their_version) {
  const Rows mine = to.live & rows_here;
  const Rows merged =
      static_cast<Rows>((mine & theirs) | without(mine, their_version) | without(theirs, to.version));
  to.live = static_cast<Rows>(without(to.live, rows_here) | merged);
}

}  // namespace

bool Rules::is_bad(const State& state) const {
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

Rows Rules::dropping_losers(const State& state, Rows live) const {
  if (options_.broken != Broken::losers_are_dropped) return live;
  Rows kept = 0;
  for (unsigned leaf = 0; leaf < options_.leaves; ++leaf) {
    const Rows here = live & state.rows_of_leaf(leaf);
    if (here != 0) kept |= static_cast<Rows>(std::bit_floor(here));
  }
  return kept;
}

std::uint8_t Rules::leaves_named(const State& state, Rows missing) const {
  std::uint8_t named = 0;
  for (unsigned leaf = 0; leaf < options_.leaves; ++leaf)
    if ((missing & state.rows_of_leaf(leaf)) != 0) named |= static_cast<std::uint8_t>(1U << leaf);
  return named;
}

std::uint8_t Rules::named_by(const State& state, const Replica& source, Rows missing) const {
  if (options_.broken == Broken::dead_rows_stay_home)
    missing &= static_cast<Rows>(source.logged | source.live);
  return leaves_named(state, missing);
}

bool Rules::may_name(const Replica& source, Rows missing) const {
  return options_.broken == Broken::dead_rows_stay_home || without(missing, source.logged) == 0;
}

bool Rules::gives(const Replica& source) const {
  return options_.broken == Broken::lost_is_absent || (source.lost == 0 && source.distrusts == 0);
}

void Rules::log_rows(Replica& to, const Replica& source, Rows before) const {
  if (options_.broken == Broken::dead_rows_stay_home) {
    to.logged |= without(source.version & source.live, before);
  } else {
    to.logged |= static_cast<Rows>(without(source.version, before) & (source.logged | source.live));
  }
}

// ---- changes ----

void Rules::add_row(State& state, unsigned r, unsigned leaf, bool payload, Rows here, unsigned first,
                    unsigned last, Rows past) const {
  const unsigned row = r * rows_per_actor + state.made(r);
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

bool Rules::push(State& state, unsigned r, unsigned row) const {
  const Row& first = state.rows[row];
  const unsigned actor = row / rows_per_actor;
  Rows change = 0;
  Rows removed = 0;
  Rows payloads = 0;
  for (unsigned c = first.first; c < first.last; ++c) {
    const unsigned each = actor * rows_per_actor + c;
    change |= bit(each);
    removed |= state.rows[each].removed;
    if (state.rows[each].payload != 0) payloads |= bit(each);
  }
  Replica& to = state.at[r];
  if ((to.version & change) != 0) return false;  // Seen.
  if (to.is_joining() && options_.broken != Broken::joining_takes_changes) return false;
  if ((leaves_named(state, change) & to.lost) != 0) return false;  // Left to a pass.
  if (options_.broken != Broken::no_causal_order && options_.broken != Broken::removed_counts_as_seen &&
      without(first.past, to.version) != 0)
    return false;
  const bool somebody_can = std::any_of(state.at.begin(), state.at.end(),
                                        [&](const Replica& at) { return without(change, at.logged) == 0; });
  if (!somebody_can) return false;
  to.live = dropping_losers(state, static_cast<Rows>(without(to.live, removed) | payloads));
  to.version |= change;
  to.logged |= change;
  if (options_.broken == Broken::removed_counts_as_seen) to.version |= removed;
  return true;
}

// ---- passes ----

void Rules::begin(State& state, unsigned r, unsigned from, bool full) const {
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

void Rules::chunk(State& state, unsigned r) const {
  Replica& to = state.at[r];
  Pass& pass = to.inbound;
  const auto leaf = static_cast<unsigned>(std::countr_zero(static_cast<unsigned>(pass.named & ~pass.staged)));
  if (to.is_joining()) return read_in_place(state, to, leaf);
  const Rows here = state.rows_of_leaf(leaf);
  read(state, pass, leaf, here);
  if (options_.broken == Broken::chunks_commit_alone) {
    merge_leaf(to, here, pass.live[leaf], pass.version[leaf]);
    to.version |= pass.live[leaf];
  }
  if (options_.broken == Broken::version_before_closing) to.version |= pass.version[leaf];
}

bool Rules::close(State& state, unsigned r) const {
  Replica& to = state.at[r];
  if (to.is_joining()) return close_in_place(state, to);
  Pass pass = to.inbound;
  const Replica& source = state.at[pass.source];
  for (unsigned leaf = 0; leaf < options_.leaves; ++leaf) {
    const Rows here = state.rows_of_leaf(leaf);
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
    merge_leaf(to, state.rows_of_leaf(leaf), pass.live[leaf], pass.version[leaf]);
  }
  to.version |= source.version;
  log_rows(to, source, before);
  to.live = dropping_losers(state, to.live);
  to.inbound = Pass{};
  return true;
}

// What was read first is replaced by what is read last: of an empty replica there is nothing to merge with.
void Rules::read_in_place(const State& state, Replica& to, unsigned leaf) const {
  const Replica& source = state.at[to.inbound.source];
  const Rows here = state.rows_of_leaf(leaf);
  if (options_.broken != Broken::joining_keeps_old_reads) to.live = without(to.live, here);
  to.live |= source.live & here;
  if (to.inbound.staged == 0) to.inbound.version[0] = source.version;
  to.inbound.version[1] = source.version;
  to.inbound.staged |= static_cast<std::uint8_t>(1U << leaf);
  if (options_.broken == Broken::joining_answers || options_.broken == Broken::version_before_closing)
    to.version |= source.version;
}

bool Rules::close_in_place(const State& state, Replica& to) const {
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

// ---- digest passes ----

// Each leaf is a range of its own: what it is about is when digests and sketches are made.
std::uint8_t Rules::leaves_that_differ(const State& state, Rows a, Rows b, std::uint8_t among) const {
  std::uint8_t differ = 0;
  for (unsigned leaf = 0; leaf < options_.leaves; ++leaf)
    if ((among >> leaf & 1) != 0 && ((a ^ b) & state.rows_of_leaf(leaf)) != 0)
      differ |= static_cast<std::uint8_t>(1U << leaf);
  return differ;
}

void Rules::decode(State& state, unsigned r) const {
  Pass& pass = state.at[r].inbound;
  const std::uint8_t ranges = leaves_that_differ(state, pass.told, pass.basis, every_leaf());
  pass.named = leaves_that_differ(state, state.at[pass.source].live, pass.basis, ranges);
  pass.sketch = 3;
  if (options_.broken == Broken::digests_are_of_later) pass.start = state.at[pass.source].version;
}

bool Rules::close_digests(State& state, unsigned r) const {
  Replica& to = state.at[r];
  Pass pass = to.inbound;
  const Replica& source = state.at[pass.source];
  const Rows since = without(source.version, pass.start);
  if (!may_name(source, since)) return false;
  for (unsigned leaf = 0; leaf < options_.leaves; ++leaf)
    if ((named_by(state, source, since) >> leaf & 1) != 0) read(state, pass, leaf, state.rows_of_leaf(leaf));
  Rows mirrored = pass.basis;  // What the sender has, if nothing was missed.
  for (unsigned leaf = 0; leaf < options_.leaves; ++leaf)
    if ((pass.staged >> leaf & 1) != 0)
      mirrored = static_cast<Rows>(without(mirrored, state.rows_of_leaf(leaf)) | pass.live[leaf]);
  to.inbound = Pass{};
  const bool believed =
      options_.broken == Broken::sketch_is_believed || options_.broken == Broken::digests_are_of_later;
  if (mirrored != source.live && !believed) return true;  // Nothing is merged.
  const Rows before = to.version;
  for (unsigned leaf = 0; leaf < options_.leaves; ++leaf) {
    const Rows here = state.rows_of_leaf(leaf);
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

Rules::Mended Rules::mend(State& state, unsigned r, unsigned from, std::uint8_t named) const {
  const Replica& source = state.at[from];
  Replica& to = state.at[r];
  const Rows missing = without(source.version, to.version);
  const bool told = (named & to.lost) != 0;
  const Rows lost_rows = state.rows_of_leaf(to.lost >> 1);  // Of leaf 0 or 1.
  const bool has_all = without(to.version, source.version) == 0;
  const bool has_it = to.fits != 0 && (source.live & lost_rows) == to.was;
  const bool mends = told && (has_all || has_it || options_.broken == Broken::mends_from_anybody);
  if (!mends && missing == 0) return Mended::nothing;
  for (unsigned leaf = 0; leaf < options_.leaves; ++leaf)
    if ((named & ~to.lost) >> leaf & 1)
      merge_leaf(to, state.rows_of_leaf(leaf), source.live & state.rows_of_leaf(leaf), source.version);
  if (mends) to.live = static_cast<Rows>(without(to.live, lost_rows) | (source.live & lost_rows));
  const Rows before = to.version;
  to.version |= source.version;
  if (mends || (told && options_.broken != Broken::old_copy_mends)) {
    to.fits = 0;
    to.was = 0;
  }
  if (mends) to.lost = 0;
  log_rows(to, source, before);
  return mends ? Mended::lost : Mended::others;
}

void Rules::repair(State& state, unsigned a, unsigned b) const {
  const Rows both = options_.broken == Broken::repair_removes
                        ? static_cast<Rows>(state.at[a].live & state.at[b].live)
                        : static_cast<Rows>(state.at[a].live | state.at[b].live);
  for (const unsigned side : {a, b}) {
    state.at[side].live = both;
    state.at[side].distrusts = 0;
  }
}

}  // namespace syncline::model
