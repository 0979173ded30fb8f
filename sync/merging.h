// What the parts of merging a pass share. Internal to sync/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "sync/keyspace_state.h"
#include "sync/staged_pass.h"

namespace syncline {

// What the merge of one pass has in common.
struct KeyspaceState::Merging {
  using Key = std::pair<std::uint32_t, std::uint64_t>;
  struct Edit {
    std::string leaf, before, merged;
  };

  explicit Merging(const StagedPass& merged_pass) : pass(merged_pass) {}

  const StagedPass& pass;
  Merged outcome;
  bool changed = false;
  std::vector<Edit> edits;  // With a source: written once all is read.
  std::optional<absl::flat_hash_map<Key, std::string_view>> staged_live;
  std::optional<absl::flat_hash_set<Key>> removed_by_log;
  std::vector<IndexedLive> mine, theirs, merged;
  // See mending.cc.
  bool mends = false;
  bool outdates_lost = false;  // It has news of lost leaves.
  absl::flat_hash_map<std::string_view, std::string_view> told;  // Lost leaves, as the sender has them.
  Digest state_before;                                           // What was said of our leaves...
  Digest without_lost;                                           // ...and what all but the lost add up to.
  std::size_t count_before = 0;
  std::size_t count_without_lost = 0;
};

// Which chunk has the newest read of each leaf. Nothing when that is the only one,
// which shows in that all came in one round and in ascending order: a leaf of a
// later round may lie beyond all of the first, and isn't absent there.
using Newest = absl::flat_hash_map<std::string_view, const StagedChunk*>;

inline std::optional<Newest> newest_of(const StagedPass& pass) {
  bool ascending = true;
  std::string_view last;
  for (const StagedChunk& chunk : pass.chunks) {
    ascending = ascending && (&chunk == &pass.chunks.front() || !chunk.new_round);
    if (chunk.leaves.empty()) continue;
    ascending = ascending && last < chunk.leaves.front().first;
    last = chunk.leaves.back().first;
  }
  if (ascending) return std::nullopt;
  Newest newest;
  for (const StagedChunk& chunk : pass.chunks)
    for (const auto& [leaf, value] : chunk.leaves) newest[leaf] = &chunk;
  return newest;
}

// Calls fn(chunk, leaf, value) for each leaf of the pass, as it was read last.
template <class Fn>
void for_each_staged(const StagedPass& pass, Fn&& fn) {
  const auto newest = newest_of(pass);
  for (const StagedChunk& chunk : pass.chunks)
    for (const auto& [leaf, value] : chunk.leaves)
      if (!newest || newest->at(leaf) == &chunk)
        if (!fn(chunk, leaf, value)) return;
}

}  // namespace syncline
