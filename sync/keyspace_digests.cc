// Digests of a keyspace's leaves: of ranges, kept current once they were needed;
// of the state that a digest pass speaks of; and the scrub that adds them up anew.
#include <utility>

#include "sync/keyspace_state.h"
#include "sync/merging.h"
#include "sync/pass_basis.h"
#include "sync/range_digests.h"
#include "sync/sketch.h"

namespace syncline {

Digest KeyspaceState::hash_value(const LeafHash& leaf, std::string_view value) const {
  Digest sum;
  for_each_live_in(value, [&](const IndexedLive& live) { sum += hash_of(leaf, live); });
  return sum;
}

// A row changed what its leaf adds up to. Peers are told of what is on disk, so
// with a source ranges follow once the record is.
void KeyspaceState::count_range(std::uint64_t leaf_hash, const Digest& change) {
  const RangeDelta delta{RangeDigests::range_of(leaf_hash), change};
  if (!in_memory()) {
    range_deltas_.push_back(delta);
  } else if (ranges_ != nullptr) {
    ranges_->add(delta.range, delta.change);
  }
}

void KeyspaceState::count_ranges(const std::vector<RangeDelta>& deltas) {
  if (ranges_ == nullptr) return;
  for (const RangeDelta& delta : deltas) ranges_->add(delta.range, delta.change);
}

Result<const RangeDigests*> KeyspaceState::persisted_ranges() {
  if (ranges_ != nullptr) return ranges_.get();
  if (!is_whole()) return tl::unexpected(joining_error());  // What is on disk is a part of what was joined.
  auto built = std::make_unique<RangeDigests>();
  const auto scanned = scan_persisted({}, [&](std::string_view leaf, std::string_view value) {
    const LeafHash hash = LeafHash(leaf);
    built->add(RangeDigests::range_of(hash.hash), hash_value(hash, value));
    return true;
  });
  if (!scanned) return tl::unexpected(scanned.error());
  if (built->total() != persisted_digests().state && !missing_) distrusted = true;
  ranges_ = std::move(built);
  return ranges_.get();
}

Result<std::unique_ptr<PassBasis>> KeyspaceState::make_basis(const RangeList& differing, std::uint64_t salt) {
  const auto ranges = persisted_ranges();
  if (!ranges) return tl::unexpected(ranges.error());
  auto basis = std::make_unique<PassBasis>(RangeFilter(differing), salt);
  basis->state = (*ranges)->total();
  if (!differing.ranges.empty())
    if (const auto scanned = basis->symbols.scan(*this); !scanned) return tl::unexpected(scanned.error());
  if (in_memory()) return basis;
  for (auto pending = table_.begin(); pending.valid(); pending.next()) {
    const auto stored = find_persisted(pending.key());
    if (!stored) return tl::unexpected(stored.error());
    basis->touch(pending.key(), stored->value_or(std::string_view()));
  }
  return basis;
}

Result<std::vector<std::string>> KeyspaceState::leaves_named(const PassBasis& basis,
                                                             const std::vector<std::uint64_t>& names) const {
  LeafSymbols::Names left(names.begin(), names.end());
  std::vector<std::string> leaves;
  for (const auto& [leaf, value] : basis.touched) {  // As they were then.
    if (value.empty() || !basis.symbols.contains(LeafHash(leaf).hash)) continue;
    if (left.erase(symbol_name(basis.symbols.symbol_of(*this, leaf, value))) != 0) leaves.push_back(leaf);
  }
  auto others = basis.symbols.find_leaves(*this, left);
  if (!others) return others;
  if (!left.empty()) return failure(Errc::malformed, "symbols that were never sent");
  leaves.insert(leaves.end(), std::make_move_iterator(others->begin()),
                std::make_move_iterator(others->end()));
  return leaves;
}

// The state that a digest pass says the sender has: ours as it was, but for the leaves that were sent.
Result<bool> KeyspaceState::basis_agrees(const StagedPass& pass) const {
  const PassBasis& basis = *pass.basis;
  if (basis.overflowed) return false;
  Digest state = basis.state;
  Result<void> read;
  for_each_staged(pass, [&](const StagedChunk&, std::string_view leaf, std::string_view value) {
    const LeafHash hash = LeafHash(leaf);
    if (const auto touched = basis.touched.find(leaf); touched != basis.touched.end()) {
      state -= hash_value(hash, touched->second);
    } else if (const auto found = find(leaf); !found) {
      read = tl::unexpected(found.error());
    } else if (*found) {
      state -= hash_value(hash, **found);
    }
    state += hash_value(hash, value);
    return read.has_value();
  });
  if (!read) return tl::unexpected(read.error());
  return state == pass.digests.state;
}

// The sender has a leaf that it didn't send as we had it; and it knows of dots that we may have got
// meanwhile, and of what removed them. So that is merged like a leaf that was sent.
Result<void> KeyspaceState::merge_touched(Merging& merging) {
  absl::flat_hash_set<std::string_view> staged;
  for (const StagedChunk& chunk : merging.pass.chunks)
    for (const auto& [leaf, value] : chunk.leaves) staged.insert(leaf);
  for (const auto& [leaf, value] : merging.pass.basis->touched)
    if (!staged.contains(leaf))
      if (auto merged = merge_leaf(merging, leaf, value, merging.pass.version()); !merged) return merged;
  return {};
}

// Our digests don't say what our leaves are, and a repair is about to add what is missing: from
// now on they do.
Result<void> KeyspaceState::recount() {
  Digest state;
  std::size_t count = 0;
  const auto scanned = scan_all({}, Lost::left_out, [&](std::string_view leaf, std::string_view value) {
    ++count;
    state += hash_value(LeafHash(leaf), value);
    return true;
  });
  if (!scanned) return scanned;
  missing_ = digests.state;
  *missing_ -= state;
  digests.state = state;
  if (lost_.waiting() > 0) forget_what_was_lost();  // Not that they were absent.
  leaf_count_ = count;
  dirty_ = true;
  return {};
}

// What was lost is back if the sender had all that we had, or if what came is just what was missing.
void KeyspaceState::note_restored(const Digest& state_before, bool sender_had_all) {
  Digest came = digests.state;
  came -= state_before;
  if (!sender_had_all && came != *missing_) return;
  missing_.reset();
  distrusted = false;
}

// A leaf that the walk has passed changes.
void KeyspaceState::follow_scrub(std::string_view leaf, std::string_view before, std::string_view value) {
  if (leaf > scrub_->cursor) return;
  scrub_->sum -= hash_value(LeafHash(leaf), before);
  scrub_->sum += hash_value(LeafHash(leaf), value);
}

// All leaves become others at once.
void KeyspaceState::forget_ranges() {
  ranges_.reset();
  range_deltas_.clear();
  scrub_.reset();
}

Result<KeyspaceState::Scrubbed> KeyspaceState::scrub(std::size_t leaves_max) {
  if (scrub_ == nullptr) scrub_ = std::make_unique<ScrubWalk>();
  Scrubbed scrubbed;
  std::string from = scrub_->cursor;
  if (!from.empty()) from.push_back('\0');
  bool more = false;
  const auto scanned = scan_all(from, Lost::left_out, [&](std::string_view leaf, std::string_view value) {
    more = scrubbed.leaves == leaves_max;
    if (more) return false;
    ++scrubbed.leaves;
    scrub_->sum += hash_value(LeafHash(leaf), value);
    scrub_->cursor = leaf;
    return true;
  });
  if (!scanned) {
    scrub_.reset();
    return tl::unexpected(scanned.error());
  }
  if (more) return scrubbed;
  const bool sound = scrub_->sum == digests.state;
  scrub_.reset();
  scrubbed.finished = true;
  // Lost leaves are known to be missing, and mended otherwise.
  if (sound || is_joining() || lost_.waiting() > 0 || distrusted) return scrubbed;
  scrubbed.unsound = distrusted = true;
  ranges_.reset();  // They were kept, not read.
  return scrubbed;
}

}  // namespace syncline
