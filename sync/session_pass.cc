// What a session concludes from versions and digests, and the passes it asks for.
#include <algorithm>
#include <utility>

#include "sync/session_impl.h"

namespace syncline {

namespace {
constexpr std::chrono::milliseconds repair_backoff_max = std::chrono::minutes(1);
// So many lost leaves are named to the peer; for more it is asked for all leaves.
constexpr std::size_t lost_named_max = 1'024;
}

// The peer has this much on disk.
void Session::Impl::learn(Shared& each, const Counters& peer_has) {
  each.peer_version.merge(peer_has);
  each.sent_version.merge(peer_has);
}

// Judges the peer's newest digest pair by our own of the same context (I6).
void Session::Impl::compare(Shared& each, Time now) {
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
  const bool behind = !each.state->version.includes(each.peer_version);
  if (!behind) {
    each.behind_since.reset();
  } else if (!each.behind_since) {
    // The first time nothing is on its way; later, pushes may be.
    const bool fresh = !each.status_pair || !each.equal_pair;
    each.behind_since = fresh ? now.monotonic - options.pass_grace : now.monotonic;
  }
  const bool repair_due = each.repair_wanted && each.repair_at <= now.monotonic;
  const bool pass_due = each.behind_since && *each.behind_since + options.pass_grace <= now.monotonic;
  const bool mend_due = can_mend(each) && each.mend_at <= now.monotonic;
  if (!repair_due && !pass_due && !mend_due) return;
  if (each.state->inbound == nullptr) return begin_inbound(each, now);
  // One at a time; it may bring what is missing. Look again later.
  if (pass_due) each.behind_since = now.monotonic;
  if (repair_due) each.repair_at = now.monotonic + options.pass_grace;
  if (mend_due) each.mend_at = now.monotonic + options.pass_grace;
}

void Session::Impl::begin_inbound(Shared& each, Time now) {
  auto& inbound = each.state->inbound;
  auto& parked = each.state->parked;
  const bool repair = each.repair_wanted && each.repair_at <= now.monotonic;
  const bool mends = !repair && can_mend(each) && each.mend_at <= now.monotonic;
  if (parked != nullptr && parked->peer == peer_node && !repair && !mends && !each.full_next) {
    inbound = std::move(parked);
  } else {
    inbound = std::make_unique<StagedPass>();
    inbound->peer = peer_node;
    inbound->repair = repair;
    inbound->mends = mends;
    inbound->full = repair || each.full_next || (mends && each.state->lost().waiting() > lost_named_max);
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
  inbound->owner = this;
  inbound->progress = now.monotonic;
  each.want_due = true;
}

void Session::Impl::end_inbound(Shared& each, bool keep_staged) {
  auto& inbound = each.state->inbound;
  each.repair_wanted = each.repair_wanted || inbound->repair;
  if (keep_staged && !inbound->chunks.empty() && !inbound->repair && !inbound->mends) {
    inbound->owner = nullptr;
    each.state->parked = std::move(inbound);
  } else {
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
  if (!merged) return merged;
  ++metrics.passes_in;
  if (pass->full) ++metrics.full_passes_in;
  each.full_next = false;
  each.state->parked.reset();
  learn(each, pass->version());
  each.status_after = each.state->version;
  each.peer_digests = digests;
  each.known = true;
  each.status_due = true;
  compare(each, now);
  evaluate(each, now);
  return {};
}

}  // namespace syncline
