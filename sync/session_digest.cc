// Digest passes (L3): for differences that the log can't name.
//
//   asker                              giver
//   Want, digests of coarse ranges ->
//                                   <- Ranges: which differ, in finer ones
//   Sketch over those that differ  ->
//                                   <- MoreSymbols, if it doesn't decode
//                                   <- Chunks: the leaves that differ, as in any pass
//
// Who asked without digests because it couldn't know that the giver's log is cut
// is answered by Ranges, too. Both sides choose a full pass where that costs less.
#include <algorithm>
#include <utility>

#include "sync/pass_basis.h"
#include "sync/range_digests.h"
#include "sync/session_impl.h"
#include "sync/sketch.h"

namespace syncline {
namespace {

// Fewer leaves than this are sent: naming them would cost as much.
constexpr std::uint64_t leaves_min = 64;
// Where more than one in so many leaves differs, all are sent in order, which needs no naming.
constexpr double full_ratio = 4;
constexpr unsigned coarse_bits_max = 8;

bool is_full_cheaper(double differences, std::uint64_t mine, std::uint64_t theirs) {
  return differences * full_ratio > static_cast<double>(std::max(mine, theirs));
}

double count_missing(const Counters& of, const Counters& in) {
  double rows = 0;
  for (const IndexedDot& entry : of.since(in)) rows += static_cast<double>(entry.counter - in[entry.actor]);
  return rows;
}

// How many symbols differ when so many leaves do. A leaf that both have counts twice. If the peer lacks
// nothing of ours, what it has more (or fewer) are leaves of one side; all others that differ are likely to
// be of both.
double count_symbols(double leaves, std::uint64_t mine, std::uint64_t theirs, bool peer_has_all) {
  if (!peer_has_all) return leaves;
  const double one_sided = static_cast<double>(mine > theirs ? mine - theirs : theirs - mine);
  return leaves + std::max(0.0, leaves - one_sided);
}

}  // namespace

// What a Want tells beside the version.
void Session::Impl::add_digests(Shared& each, Want& want) {
  StagedPass& pass = *each.state->inbound;
  want.knows_digests = true;
  want.leaves = each.state->leaf_count();
  want.repair = pass.repair;
  pass.basis.reset();
  const ActorId drawn = core().draw();
  std::copy_n(drawn.bytes.begin(), sizeof want.salt, reinterpret_cast<std::uint8_t*>(&want.salt));
  each.salt = want.salt;
  if (pass.full) return;
  if (pass.mends) want.lost = each.state->lost().list();
  if (!pass.by_digests) return;
  const auto ranges =
      each.state->lost().empty() ? each.state->persisted_ranges() : failure(Errc::damaged, "leaves are lost");
  if (!ranges) {
    want.full = pass.full = true;
    return;
  }
  want.by_digests = true;
  const unsigned bits = std::min(coarse_bits_max, range_bits_for(1e9, want.leaves));
  want.ranges = (*ranges)->list(bits, want.salt);
}

// Answers a Want by Ranges. False if another pass is to be given.
bool Session::Impl::begin_digest_pass(Shared& each, const Want& want, const Counters& asked) {
  KeyspaceState& state = *each.state;
  const std::uint64_t mine = state.leaf_count();
  if (want.full || !want.knows_digests || want.leaves == 0 || std::max(mine, want.leaves) < leaves_min)
    return false;
  if (!want.by_digests && state.names_all_since(asked)) return false;
  const double missing = count_missing(state.persisted_version(), asked);
  if (!want.by_digests &&
      is_full_cheaper(static_cast<double>(mine) - static_cast<double>(want.leaves), mine, mine))
    return false;  // It lacks most of them.
  const auto ranges = state.persisted_ranges();
  if (!ranges || state.distrusted) return false;
  Ranges answer{.keyspace = each.mine, .pass = want.pass, .leaves = mine, .list = {}};
  if (want.by_digests) {
    const RangeList coarse = (*ranges)->differing(want.ranges, want.salt);
    const std::size_t differing = coarse.ranges.size();
    const double differences = differing == want.ranges.ranges.size()
                                   ? static_cast<double>(mine)  // All differ: there is no telling.
                                   : estimate_differences(want.ranges.ranges.size(), differing);
    answer.list = coarse;
    const unsigned bits = range_bits_for(differences, mine);
    if (bits > coarse.bits) answer.list = (*ranges)->refine(coarse, bits, want.salt);
  } else {
    answer.list = (*ranges)->list(range_bits_for(missing, mine), want.salt);
  }
  each.outbound = std::make_unique<OutboundPass>(OutboundPass::by_digests(state, asked, want.salt));
  send(answer);
  return true;
}

// The inbound pass becomes a full one.
void Session::Impl::ask_for_all(Shared& each) {
  StagedPass& pass = *each.state->inbound;
  pass.basis.reset();
  pass.full = true;
  each.want_due = true;
}

Result<void> Session::Impl::on(const Ranges& ranges, Time now) {
  const auto found = shared_of_peer(ranges.keyspace);
  if (!found) return tl::unexpected(found.error());
  Shared& each = **found;
  if (!owns_inbound(each) || each.want_due || ranges.pass != each.want_id) return {};  // Of a pass given up.
  StagedPass& pass = *each.state->inbound;
  if (pass.basis != nullptr || each.chunk_number > 0 || pass.full)
    return failure(Errc::malformed, "ranges that weren't asked for");
  pass.progress = now.monotonic;
  if (!each.state->lost().empty()) return ask_for_all(each), Result<void>();
  const auto mine = each.state->persisted_ranges();
  if (!mine) return ask_for_all(each), Result<void>();
  RangeList differing = (*mine)->differing(ranges.list, each.salt);
  const std::size_t compared =
      ranges.list.digests.empty() ? std::size_t{1} << ranges.list.bits : ranges.list.ranges.size();
  double differences = estimate_differences(compared, differing.ranges.size());
  // If all differ there is no telling how much; at most about every row that is missing.
  if (differing.ranges.size() == compared)
    differences = std::max(differences, count_missing(each.peer_version, each.state->version));
  if (is_full_cheaper(differences, each.state->leaf_count(), ranges.leaves))
    return ask_for_all(each), Result<void>();
  const double symbols = count_symbols(differences, each.state->leaf_count(), ranges.leaves,
                                       each.peer_version.includes(each.state->version));
  // Rows may be far more than the leaves that they touched, and a full pass is many times a sketch.
  const auto cells = std::min<std::uint64_t>(cells_for(symbols), options.limits.sketch_cells_max);
  auto basis = each.state->make_basis(differing, each.salt);
  if (!basis) return ask_for_all(each), Result<void>();
  pass.basis = std::move(*basis);
  send_cells(each, std::move(differing), cells);
  return {};
}

void Session::Impl::send_cells(Shared& each, RangeList list, std::uint64_t count) {
  PassBasis& basis = *each.state->inbound->basis;
  Sketch sketch;
  sketch.keyspace = each.mine;
  sketch.pass = each.want_id;
  sketch.list = std::move(list);
  sketch.first = basis.cells;
  sketch.cells.resize(static_cast<std::size_t>(count));
  basis.symbols.add_to(basis.cells, sketch.cells);
  basis.cells += count;
  send(sketch);
}

Result<void> Session::Impl::on(const MoreSymbols& more, Time now) {
  const auto found = shared_of_peer(more.keyspace);
  if (!found) return tl::unexpected(found.error());
  Shared& each = **found;
  if (!owns_inbound(each) || each.want_due || more.pass != each.want_id) return {};
  StagedPass& pass = *each.state->inbound;
  if (pass.basis == nullptr || each.chunk_number > 0)
    return failure(Errc::malformed, "symbols asked for without a sketch");
  pass.progress = now.monotonic;
  const std::uint64_t room = options.limits.sketch_cells_max - pass.basis->cells;
  if (more.count > room) return ask_for_all(each), Result<void>();
  send_cells(each, {}, more.count);
  return {};
}

Result<void> Session::Impl::on(const Sketch& sketch, Time now) {
  const auto found = shared_of_peer(sketch.keyspace);
  if (!found) return tl::unexpected(found.error());
  Shared& each = **found;
  if (each.outbound == nullptr || sketch.pass != each.outbound_id) return {};  // Of a pass given up.
  each.outbound_progress = now.monotonic;
  return each.outbound->take_cells(sketch);
}

// Chunk 0 of a digest pass says of which of our leaves the sender has others, or none: of those that
// it sends we shall hear, the rest are absent there.
Result<void> Session::Impl::stage_named(Shared& each, const Chunk& chunk, StagedChunk& staged) const {
  const StagedPass& pass = *each.state->inbound;
  if (chunk.by_digests != (pass.basis != nullptr))
    return failure(Errc::malformed, "a chunk of another kind of pass");
  if (chunk.symbols.empty()) return {};
  if (chunk.number != 0) return failure(Errc::malformed, "symbols in a later chunk");
  const auto leaves = each.state->leaves_named(*pass.basis, chunk.symbols);
  if (!leaves) return tl::unexpected(leaves.error());
  const auto sent = [&](const std::string& leaf) {
    const auto it = std::lower_bound(staged.leaves.begin(), staged.leaves.end(), leaf,
                                     [](const auto& one, const std::string& key) { return one.first < key; });
    return it != staged.leaves.end() && it->first == leaf;
  };
  std::vector<std::pair<std::string, std::string>> all;
  for (const std::string& leaf : *leaves)
    if (!sent(leaf)) all.emplace_back(leaf, std::string());
  std::sort(all.begin(), all.end());
  std::vector<std::pair<std::string, std::string>> merged;
  std::merge(std::make_move_iterator(all.begin()), std::make_move_iterator(all.end()),
             std::make_move_iterator(staged.leaves.begin()), std::make_move_iterator(staged.leaves.end()),
             std::back_inserter(merged));
  staged.leaves = std::move(merged);
  return {};
}

// A digest pass that doesn't add up to the sender's digest: two contents looked alike, or much was
// written here meanwhile. Done anew under another salt, and then in full.
void Session::Impl::missed_something(Shared& each, const StagedPass& pass, Time now) {
  each.full_next = ++each.digest_failures > 1;
  each.repair_wanted = each.repair_wanted || pass.repair;
  each.repair_at = std::min(each.repair_at, now.monotonic + options.tick_interval);
  each.behind_since = now.monotonic;
}

}  // namespace syncline
