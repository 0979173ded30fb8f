// Leaves whose stored record was lost, and how a pass makes them whole (I6, R-DUR-6).
//
// Of a lost leaf nothing is known but its key and, by the state digest less all
// other leaves, what the lost ones hashed to. What a peer has of them is taken as
// it is, as if we had never seen them, if it hashes to just that; or if the peer's
// version includes ours: then it has the effect of every row that we had there.
// Everything else in the pass is merged as ever.
//
// The digest tells what was lost for as long as the version covers nothing newer
// there. A pass that brings news of a lost leaf and can't mend it makes the digest
// fit nothing: else an older copy would fit it, and bring back what was removed.
#include <algorithm>

#include "crdt/leaf_key.h"
#include "fmt/format.h"
#include "sync/digest.h"
#include "sync/keyspace_state.h"
#include "sync/merging.h"
#include "sync/range_digests.h"

namespace syncline {
namespace {

// Added to a state digest that no longer says what the lost leaves were.
constexpr Digest unknown_term{0x9e3779b97f4a7c15, 0xd1b54a32d192ed03};

}  // namespace

std::string describe_leaf(std::string_view leaf) {
  const auto parsed = parse_leaf_key(leaf);
  return parsed ? fmt::format("a leaf under key \"{}\"", parsed->key) : std::string("a leaf");
}

bool KeyspaceState::lose(std::string_view leaf) {
  if (!note_lost(leaf)) return false;
  if (in_memory()) table_.erase(leaf);
  return true;
}

bool KeyspaceState::note_lost(std::string_view leaf) const {
  if (!in_memory() && table_.find(leaf)) return false;  // Written anew already.
  if (!lost_.add(leaf)) return false;
  newly_lost_.emplace_back(leaf);
  return true;
}

bool KeyspaceState::touches_lost(const ChangeView& change) const {
  return lost_.waiting() > 0 && std::any_of(change.rows.begin(), change.rows.end(),
                                            [this](const RowView& row) { return lost_.waits(row.leaf); });
}

// Digests have what was lost, too, and nobody can subtract one of several leaves:
// what is left is added up once for all. A pass that doesn't tell all of them mends none.
Result<void> KeyspaceState::prepare_mending(Merging& merging) const {
  if (lost_.waiting() == 0) return {};
  const StagedPass& pass = merging.pass;
  auto& told = merging.told;
  for_each_staged(pass, [&](const StagedChunk&, std::string_view leaf, std::string_view value) {
    if (lost_.waits(leaf)) told[leaf] = value;
    return true;
  });
  merging.outdates_lost = (pass.full || !told.empty()) && !version.includes(pass.version());
  if (pass.repair || (!pass.full && told.size() < lost_.waiting())) return {};
  Digest whole;
  for (const auto& [leaf, value] : told) whole += hash_value(LeafHash(leaf), value);
  const auto scanned = scan_all({}, Lost::left_out, [&](std::string_view leaf, std::string_view value) {
    ++merging.count_without_lost;
    merging.without_lost += hash_value(LeafHash(leaf), value);
    return true;
  });
  if (!scanned) return scanned;
  whole += merging.without_lost;
  if (whole != digests.state && !pass.version().includes(version)) return {};
  merging.state_before = digests.state;
  merging.count_before = leaf_count_;
  merging.mends = true;
  return {};
}

void KeyspaceState::forget_what_was_lost() { digests.state += unknown_term; }

// After all else of the pass was written.
void KeyspaceState::mend(Merging& merging) {
  if (!merging.mends) {
    if (merging.outdates_lost) forget_what_was_lost();
    return;
  }
  ranges_.reset();  // What was lost is in them.
  scrub_.reset();
  digests.state -= merging.state_before;
  digests.state += merging.without_lost;
  leaf_count_ = leaf_count_ - merging.count_before + merging.count_without_lost;
  for (const std::string& leaf : lost_.list()) {
    const auto it = merging.told.find(leaf);
    const std::string_view theirs = it == merging.told.end() ? std::string_view() : it->second;
    const LeafHash hash(leaf);
    count_digest(hash, hash_value(hash, theirs));
    put_leaf(leaf, {{}, in_memory() ? table_.find_position(leaf) : LeafTable::Position()}, theirs);
    lost_.mend(leaf, epoch_);
    ++merging.outcome.mended;
  }
  if (in_memory()) lost_.handle_persisted(epoch_);
}

}  // namespace syncline
