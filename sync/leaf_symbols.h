// The symbols of a keyspace's persisted leaves, and the way back. Internal to sync/.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "crdt/error.h"
#include "sync/keyspace_state.h"
#include "sync/range_digests.h"

namespace syncline {

// Made by one scan of all leaves, of which those in `filter` are hashed. Eight
// bytes a leaf of those, and now and then a key.
class LeafSymbols {
 public:
  static constexpr std::size_t symbols_max = std::size_t{1} << 24;

  LeafSymbols(const RangeFilter& filter, std::uint64_t salt) : filter_(filter), salt_(salt) {}
  // `limit` if there are more than symbols_max.
  Result<void> scan(const KeyspaceState& keyspace);
  // XORs all of them into the cells first, first + 1, ...
  void add_to(std::uint64_t first, std::span<std::uint64_t> cells) const;
  bool contains(std::uint64_t leaf_hash) const { return filter_.contains(leaf_hash); }
  std::uint64_t symbol_of(const KeyspaceState& keyspace, std::string_view leaf, std::string_view value) const;

  using Names = absl::flat_hash_set<std::uint64_t>;
  // The leaves whose symbols have these names, in leaf order; removes their names from
  // `names`. What changed since the scan isn't found.
  Result<std::vector<std::string>> find_leaves(const KeyspaceState& keyspace, Names& names) const;

 private:
  static constexpr std::size_t mark_every = 64;

  RangeFilter filter_;
  std::uint64_t salt_;
  std::vector<std::uint64_t> symbols_;  // In leaf order.
  std::vector<std::string> marks_;      // The leaf of every 64th.
};

}  // namespace syncline
