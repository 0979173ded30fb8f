// What a session concludes from versions and digests, and the passes it asks for.
#include <algorithm>
#include <utility>

#include "sync/session_impl.h"

namespace syncline {

namespace {
constexpr std::chrono::milliseconds repair_backoff_max = std::chrono::minutes(1);
// So many lost leaves are named to the peer; for more it is asked for all leaves.
constexpr std::size_t lost_named_max = 1'024;
}  // namespace

// The peer has this much on disk.
void Session::Impl::learn(Shared& each, const Counters& peer_has) {
  each.peer_version.merge(peer_has);
  each.sent_version.merge(peer_has);
}

// Judges the peer's newest digest pair by our own of the same context (I6).
void Session::Impl::compare(Shared& each, Time now) {
  if (!each.state->is_whole()) return;
  const auto own = each.state->persisted_pair_at(each.peer_digests->context);
  if (!own) return;
  each.known = true;
  if (own->state == each.peer_digests->state) {
    if (own->context == each.state->persisted_digests().context) {
      each.equal_pair = *own;
      each.repair_wanted = false;
      each.repair_backoff = Millis{0};
    }
    emit(KeyspaceCompared{each.state->name, true});
    return;
  }
  emit(KeyspaceCompared{each.state->name, false});
  if (each.repair_wanted || owns_inbound(each)) return;
  ++core().metrics.divergence_detected;
  core().notice(Notice::Kind::divergence_detected, *each.state, "equal versions, unequal states: repairing");
  each.repair_wanted = true;
  each.repair_at = std::max(each.repair_at, now.monotonic);
  each.repair_backoff = std::max(each.repair_backoff, options.tick_interval);
}

bool Session::Impl::can_mend(const Shared& each) const {
  return each.state->lost().waiting() > 0 && each.known;
}

// Asks for a pass if it is time for one.
void Session::Impl::evaluate(Shared& each, Time now) {
  if (core().read_only) return each.behind_since.reset();
  if (each.state->distrusted && each.known && !each.repair_wanted && !owns_inbound(each)) {
    each.repair_wanted = true;
    each.repair_backoff = std::max(each.repair_backoff, options.tick_interval);
  }
  const bool behind = !each.state->version.includes(each.peer_version);
  if (!behind) {
    each.behind_since.reset();
    // This peer has nothing, and nobody came who can go on: better empty than joining for ever.
    Joining* const joining = each.state->inbound == nullptr ? each.state->joining() : nullptr;
    if (joining != nullptr && each.peer_digests && is_abandoned(*joining, now)) each.state->give_up_joining();
  } else if (!each.behind_since) {
    // The first time nothing is on its way; later, pushes may be.
    const bool fresh = !each.status_pair || !each.equal_pair;
    each.behind_since = fresh ? now.monotonic - options.pass_grace : now.monotonic;
  }
  const bool repair_due = each.repair_wanted && each.repair_at <= now.monotonic;
  const bool pass_due = each.behind_since && *each.behind_since + options.pass_grace <= now.monotonic;
  const bool mend_due = can_mend(each) && each.mend_at <= now.monotonic;
  if (!repair_due && !pass_due && !mend_due) return;
  if (!peer_knows_all(each)) {
    each.status_due = each.status_due || !each.told;
    return;  // The peer gives no pass to whom it doesn't know.
  }
  // What was joined waits for the disk: peers would be told of nothing, and answer with everything.
  const bool settles = !each.state->is_joining() && !each.state->is_whole();
  if (each.state->inbound == nullptr && !settles) return begin_inbound(each, now);
  // One at a time; it may bring what is missing. Look again later.
  if (pass_due) each.behind_since = now.monotonic;
  if (repair_due) each.repair_at = now.monotonic + options.pass_grace;
  if (mend_due) each.mend_at = now.monotonic + options.pass_grace;
}

void Session::Impl::begin_inbound(Shared& each, Time now) {
  KeyspaceState& state = *each.state;
  if (state.is_joining() || (core().options.join_in_place && state.is_empty()))
    return begin_joining(each, now);
  const bool repair = each.repair_wanted && each.repair_at <= now.monotonic;
  const bool mends = !repair && can_mend(each) && each.mend_at <= now.monotonic;
  std::unique_ptr<StagedPass> pass;
  if (state.parked != nullptr && state.parked->peer == peer_node && !repair && !mends && !each.full_next) {
    pass = std::move(state.parked);
  } else {
    pass = std::make_unique<StagedPass>();
    pass->repair = repair;
    pass->mends = mends;
    pass->full = each.full_next || (mends && state.lost().waiting() > lost_named_max);
    pass->by_digests = repair && !pass->full;
  }
  if (mends) {
    each.mend_backoff = std::clamp(each.mend_backoff * 2, options.tick_interval, repair_backoff_max);
    each.mend_at = now.monotonic + each.mend_backoff;
  }
  if (repair) {
    each.repair_wanted = false;
    each.repair_at = now.monotonic + each.repair_backoff;
    each.repair_backoff = std::min(each.repair_backoff * 2, repair_backoff_max);
  }
  ask_for(each, std::move(pass), now);
}

// Whether a pass in place came no further for so long that nobody is likely to go on with it.
bool Session::Impl::is_abandoned(Joining& joining, Time now) const {
  if (!joining.progress) joining.progress = now.monotonic;
  return *joining.progress + options.join_patience <= now.monotonic;
}

// A pass in place goes on at any peer that has all that it brought so far.
void Session::Impl::begin_joining(Shared& each, Time now) {
  auto pass = std::make_unique<StagedPass>();
  pass->in_place = pass->full = true;
  if (Joining* const joining = each.state->joining()) {
    const bool has_it = joining->peer == peer_node || each.peer_version.includes(joining->version);
    pass->resumes = has_it && !each.anew_next;
    if (!pass->resumes && !is_abandoned(*joining, now)) {
      each.behind_since = now.monotonic;  // Look again later.
      return;
    }
  }
  each.anew_next = false;
  ask_for(each, std::move(pass), now);
}

void Session::Impl::ask_for(Shared& each, std::unique_ptr<StagedPass> pass, Time now) {
  pass->peer = peer_node;
  pass->owner = this;
  pass->progress = now.monotonic;
  each.state->inbound = std::move(pass);
  each.want_due = true;
}

void Session::Impl::end_inbound(Shared& each, bool keep_staged) {
  auto& inbound = each.state->inbound;
  each.repair_wanted = each.repair_wanted || inbound->repair;
  if (keep_staged && !inbound->chunks.empty() && !inbound->repair && !inbound->mends &&
      inbound->basis == nullptr) {
    inbound->owner = nullptr;
    each.state->parked = std::move(inbound);
  } else {  // One in place leaves what it brought in the keyspace.
    if (!inbound->chunks.empty()) each.state->stage_for_record({}, true);
    inbound.reset();
  }
  each.want_due = false;
}

// A chunk in our own indices. `malformed` if its dots lie beyond its version.
Result<StagedChunk> Session::Impl::stage_of(Shared& each, const Chunk& chunk) const {
  StagedChunk staged;
  const auto grown = counters_of(each, chunk.version);
  if (!grown) return tl::unexpected(grown.error());
  each.chunk_version.merge(*grown);
  staged.version = each.chunk_version;
  staged.new_round = chunk.new_round;
  staged.leaves.reserve(chunk.leaves.size());
  for (const LeafView& leaf : chunk.leaves) {
    std::string value;
    for (const IndexedLiveDot& live : leaf.dots) {
      const auto dot = dot_of(each, live.dot);
      if (!dot) return tl::unexpected(dot.error());
      if (!staged.version.contains(*dot)) return failure(Errc::malformed, "a live dot beyond the version");
      append_live(value, {*dot, {live.stamp, live.payload}});
    }
    staged.leaves.emplace_back(std::string(leaf.leaf), std::move(value));
  }
  staged.dead.reserve(chunk.dead.size());
  for (const RowName& row : chunk.dead) {
    const auto dot = dot_of(each, row.dot);
    if (!dot) return tl::unexpected(dot.error());
    if (!staged.version.contains(*dot)) return failure(Errc::malformed, "a dead dot beyond the version");
    staged.dead.emplace_back(*dot, std::string(row.leaf));
  }
  return staged;
}

Result<void> Session::Impl::close_inbound(Shared& each, const DigestPair& digests, Time now) {
  const std::unique_ptr<StagedPass> pass = std::move(each.state->inbound);
  pass->closed = true;
  pass->digests = digests;
  each.state->stage_for_record({}, true);
  const auto merged = core().merge_pass(*each.state, *pass, now);
  if (!merged) return tl::unexpected(merged.error());
  if (!*merged) return missed_something(each, *pass, now), Result<void>();
  ++metrics.passes_in;
  if (pass->full) ++metrics.full_passes_in;
  if (pass->basis != nullptr) ++metrics.digest_passes_in;
  note_pass(each, pass->version(), digests, now);
  return {};
}

// The leaves are here already: what is left is to judge them, and to say so.
Result<void> Session::Impl::close_joining(Shared& each, const DigestPair& digests, Time now) {
  const Counters version = each.state->joining()->version;
  const auto pass = std::move(each.state->inbound);
  if (auto done = core().close_joining(*each.state, digests, pass->frontier); !done) return done;
  ++metrics.passes_in;
  ++metrics.full_passes_in;
  note_pass(each, version, digests, now);
  return {};
}

// The peer has all of a pass that was merged.
void Session::Impl::note_pass(Shared& each, const Counters& version, const DigestPair& digests, Time now) {
  each.digest_failures = 0;
  each.full_next = false;
  each.state->parked.reset();
  learn(each, version);
  each.whole = true;  // What the peer changes later it tells by name.
  each.pass_came = each.state->passes();
  each.peer_digests = digests;
  each.known = true;
  evaluate(each, now);
}

}  // namespace syncline
