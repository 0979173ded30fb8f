#include "sync/leaf_symbols.h"

#include "sync/leaf_value.h"
#include "sync/sketch.h"

namespace syncline {

std::uint64_t LeafSymbols::symbol_of(const KeyspaceState& keyspace, std::string_view leaf,
                                     std::string_view value) const {
  return make_symbol(keyspace.hash_value(LeafHash(leaf), value), salt_);
}

Result<void> LeafSymbols::scan(const KeyspaceState& keyspace) {
  bool fits = true;
  symbols_.reserve(std::min(
      symbols_max,
      static_cast<std::size_t>(filter_.share() * static_cast<double>(keyspace.leaf_count()) * 1.02)));
  const auto scanned = keyspace.scan_persisted({}, [&](std::string_view leaf, std::string_view value) {
    const LeafHash hash = LeafHash(leaf);
    if (!filter_.contains(hash.hash)) return true;
    if (symbols_.size() == symbols_max) return fits = false;
    if (symbols_.size() % mark_every == 0) marks_.emplace_back(leaf);
    symbols_.push_back(make_symbol(keyspace.hash_value(hash, value), salt_));
    return true;
  });
  if (!scanned) return scanned;
  if (!fits) return failure(Errc::limit, "too many leaves in the differing ranges");
  return {};
}

void LeafSymbols::add_to(std::uint64_t first, std::span<std::uint64_t> cells) const {
  add_symbols(symbols_, first, cells);
}

Result<std::vector<std::string>> LeafSymbols::find_leaves(const KeyspaceState& keyspace, Names& names) const {
  std::vector<std::string> leaves;
  for (std::size_t mark = 0; mark < marks_.size() && !names.empty(); ++mark) {
    const std::size_t end = std::min(symbols_.size(), (mark + 1) * mark_every);
    std::size_t wanted = 0;
    for (std::size_t i = mark * mark_every; i < end; ++i)
      if (names.contains(symbol_name(symbols_[i]))) ++wanted;
    if (wanted == 0) continue;
    const auto scanned =
        keyspace.scan_persisted(marks_[mark], [&](std::string_view leaf, std::string_view value) {
          if (wanted == 0 || (mark + 1 < marks_.size() && leaf >= marks_[mark + 1])) return false;
          if (!filter_.contains(LeafHash(leaf).hash)) return true;
          if (names.erase(symbol_name(symbol_of(keyspace, leaf, value))) == 0) return true;
          leaves.emplace_back(leaf);
          --wanted;
          return true;
        });
    if (!scanned) return tl::unexpected(scanned.error());
  }
  return leaves;
}

}  // namespace syncline
