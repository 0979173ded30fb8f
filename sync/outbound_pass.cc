#include "sync/outbound_pass.h"

#include <algorithm>
#include <utility>

#include "sync/leaf_symbols.h"
#include "sync/leaf_value.h"
#include "sync/sketch.h"

namespace syncline {
namespace {

bool is_live(std::string_view value, const IndexedDot& dot) {
  bool live = false;
  for_each_live_in(value, [&](const IndexedLive& each) { live = live || each.dot == dot; });
  return live;
}

std::size_t bytes_of(const OutboundPass::Chunk& chunk) {
  std::size_t bytes = 0;
  for (const auto& [leaf, value] : chunk.leaves) bytes += leaf.size() + value.size();
  return bytes;
}

}  // namespace

OutboundPass::OutboundPass(const KeyspaceState& keyspace, Counters asked, bool full,
                           const std::vector<std::string>& besides)
    : keyspace_(&keyspace),
      repairs_(keyspace.repairs),
      base_(std::move(asked)),
      besides_(besides),
      full_(full) {}

Result<OutboundPass> OutboundPass::resume(const KeyspaceState& keyspace, Counters base, Counters start,
                                          bool from_nothing, std::string cursor) {
  if (!keyspace.persisted_version().includes(start))
    return failure(Errc::invalid_argument, "a round we never began");
  OutboundPass pass(keyspace, std::move(base), from_nothing);
  pass.start_ = std::move(start);
  pass.first_ = false;
  pass.in_round_ = true;
  pass.from_nothing_ = from_nothing;
  if (from_nothing) {
    pass.cursor_ = std::move(cursor);
    return pass;
  }
  auto names = pass.names_between(pass.base_, pass.start_);
  if (!names) return tl::unexpected(names.error());
  pass.keep(std::move(*names));
  const auto after =
      std::upper_bound(pass.names_.begin(), pass.names_.end(), std::string_view(cursor),
                       [](std::string_view leaf, const Name& name) { return leaf < name.first; });
  pass.at_ = static_cast<std::size_t>(after - pass.names_.begin());
  return pass;
}

OutboundPass OutboundPass::by_digests(const KeyspaceState& keyspace, Counters asked, std::uint64_t salt) {
  OutboundPass pass(keyspace, std::move(asked), false);
  pass.start_ = keyspace.persisted_version();
  pass.naming_ = std::make_unique<Naming>();
  pass.naming_->salt = salt;
  return pass;
}

Result<void> OutboundPass::take_cells(const Sketch& sketch) {
  if (!waits() || sketch.first != naming_->cells.size())
    return failure(Errc::malformed, "a sketch that wasn't asked for");
  if (sketch.first == 0) naming_->list = sketch.list;
  naming_->cells.insert(naming_->cells.end(), sketch.cells.begin(), sketch.cells.end());
  naming_->complete = true;
  return {};
}

// Reads all leaves for it, and the chunk in the same moment.
Result<void> OutboundPass::name_by_sketch(Chunk& chunk) {
  LeafSymbols mine(RangeFilter(naming_->list), naming_->salt);
  if (!naming_->list.ranges.empty())
    if (const auto scanned = mine.scan(*keyspace_); !scanned) return scanned;
  std::vector<std::uint64_t> cells = naming_->cells;
  mine.add_to(0, cells);
  const auto symbols = decode_symbols(std::move(cells));
  if (!symbols && naming_->cells.size() > 2 * keyspace_->leaf_count() + 64)
    return failure(Errc::limit, "naming the leaves that differ costs more than all of them");
  if (!symbols) {
    // A leaf that both have counts twice, but only once where differences were estimated.
    naming_->complete = false;
    chunk.more_cells = std::max<std::uint64_t>(16, naming_->cells.size());
    return {};
  }
  LeafSymbols::Names names;
  for (const std::uint64_t symbol : *symbols) names.insert(symbol_name(symbol));
  auto leaves = mine.find_leaves(*keyspace_, names);
  if (!leaves) return tl::unexpected(leaves.error());
  Names named;
  for (const std::string& leaf : *leaves) named.emplace_back(leaf, IndexedDot{});
  std::sort(named.begin(), named.end());
  keep(std::move(named));
  chunk.symbols.assign(names.begin(), names.end());  // What isn't ours is the receiver's.
  std::sort(chunk.symbols.begin(), chunk.symbols.end());
  naming_->cells = {};
  return {};
}

Result<OutboundPass::Names> OutboundPass::names_between(const Counters& base, const Counters& end) const {
  Names names;
  for (const auto& [actor, last] : end.since(base)) {
    if (!keyspace_->log.covers(actor, base[actor] + 1, last))
      return failure(Errc::version_too_old, "the log doesn't name all leaves");
    keyspace_->log.for_each_name(actor, base[actor] + 1, last,
                                 [&, of = actor](std::uint64_t counter, std::string_view leaf) {
                                   names.emplace_back(leaf, IndexedDot{of, counter});
                                 });
  }
  std::sort(names.begin(), names.end());
  return names;
}

// For a round: each leaf once, whatever becomes of where the names came from.
void OutboundPass::keep(Names names) {
  const auto is_new = [&names](std::size_t i) { return i == 0 || names[i].first != names[i - 1].first; };
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (is_new(i)) bytes += names[i].first.size();
  std::vector<char> keys;
  keys.reserve(bytes);  // So that views into it stay.
  std::string_view kept;
  names_.clear();
  names_.reserve(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (is_new(i)) {
      keys.insert(keys.end(), names[i].first.begin(), names[i].first.end());
      kept = {keys.data() + keys.size() - names[i].first.size(), names[i].first.size()};
    }
    names_.emplace_back(kept, names[i].second);
  }
  keys_ = std::move(keys);
}

// Reads named leaves from `at` on until the chunk has `bytes`.
Result<void> OutboundPass::read_named(Chunk& chunk, const Names& names, std::size_t& at,
                                      std::size_t bytes) const {
  std::size_t size = bytes_of(chunk);
  while (at < names.size() && (size < bytes || chunk.leaves.empty())) {
    const std::string_view leaf = names[at].first;
    const auto found = keyspace_->find_persisted(leaf);
    if (!found) return tl::unexpected(found.error());
    const std::string_view value = found->value_or(std::string_view());
    for (; at < names.size() && names[at].first == leaf; ++at) {
      if (names[at].second.counter == 0 || is_live(value, names[at].second)) continue;
      chunk.dead.emplace_back(names[at].second, leaf);
      size += sizeof(IndexedDot);
    }
    size += leaf.size() + value.size();
    chunk.leaves.emplace_back(leaf, value);
  }
  return {};
}

// Reads all leaves after the cursor until the chunk has `bytes`. False when there are no more.
Result<bool> OutboundPass::read_all(Chunk& chunk, std::size_t bytes) {
  std::size_t size = 0;
  bool more = false;
  std::string from = cursor_;
  if (!from.empty()) from.push_back('\0');
  const auto scanned = keyspace_->scan_persisted(from, [&](std::string_view leaf, std::string_view value) {
    more = size >= bytes;
    if (more) return false;
    size += leaf.size() + value.size();
    chunk.leaves.emplace_back(leaf, value);
    return true;
  });
  if (!scanned) return tl::unexpected(scanned.error());
  if (!chunk.leaves.empty()) cursor_ = chunk.leaves.back().first;
  return more;
}

// The round is at its end. What was touched since it began goes into this chunk
// if it fits: then the pass is closed. Else it will be a round of its own.
Result<void> OutboundPass::try_to_close(Chunk& chunk, std::size_t bytes) {
  auto touched = names_between(start_, chunk.version);
  if (!touched) return tl::unexpected(touched.error());
  Chunk rest;
  std::size_t at = 0;
  if (const auto read = read_named(rest, *touched, at, bytes); !read) return read;
  if (at < touched->size()) return {};
  // Leaves of this chunk were read just now, so reading one twice gave the same.
  std::vector<std::pair<std::string, std::string>> leaves;
  std::set_union(std::make_move_iterator(chunk.leaves.begin()), std::make_move_iterator(chunk.leaves.end()),
                 std::make_move_iterator(rest.leaves.begin()), std::make_move_iterator(rest.leaves.end()),
                 std::back_inserter(leaves));
  chunk.leaves = std::move(leaves);
  chunk.dead.insert(chunk.dead.end(), rest.dead.begin(), rest.dead.end());
  chunk.closing = true;
  chunk.digests = keyspace_->persisted_digests();
  chunk.frontier = keyspace_->persisted_frontier();
  closed_ = true;
  return {};
}

Result<void> OutboundPass::begin_round(Chunk& chunk) {
  const bool by_sketch = first_ && naming_ != nullptr;
  if (!first_) base_ = std::move(start_);
  if (!by_sketch) start_ = chunk.version;  // Else what changed since the digests were told counts.
  chunk.new_round = true;
  from_nothing_ = first_ && full_;
  names_.clear();
  at_ = 0;
  if (by_sketch) {
    if (auto named = name_by_sketch(chunk); !named || chunk.more_cells > 0) return named;
  } else if (!from_nothing_) {
    auto names = names_between(base_, start_);
    if (!names) return tl::unexpected(names.error());
    const std::size_t named = names->size();
    for (const std::string& leaf : besides_) names->emplace_back(leaf, IndexedDot{});
    if (names->size() != named) std::sort(names->begin(), names->end());
    keep(std::move(*names));
    besides_.clear();
  }
  first_ = false;
  in_round_ = true;
  return {};
}

Result<OutboundPass::Chunk> OutboundPass::next(std::size_t bytes) {
  SYNCLINE_ASSERT(!closed_);
  if (keyspace_->repairs != repairs_)
    return failure(Errc::invalid_argument, "a repair changed what was sent");
  Chunk chunk;
  chunk.version = keyspace_->persisted_version();
  if (!in_round_) {
    if (const auto begun = begin_round(chunk); !begun) return tl::unexpected(begun.error());
    if (chunk.more_cells > 0) return chunk;
  }
  bool more = false;
  if (from_nothing_) {
    const auto read = read_all(chunk, bytes);
    if (!read) return tl::unexpected(read.error());
    more = *read;
  } else {
    const auto read = read_named(chunk, names_, at_, bytes);
    if (!read) return tl::unexpected(read.error());
    more = at_ < names_.size();
  }
  if (!more) {
    in_round_ = false;
    if (const auto closed = try_to_close(chunk, bytes); !closed) return tl::unexpected(closed.error());
  }
  std::sort(chunk.dead.begin(), chunk.dead.end());
  return chunk;
}

}  // namespace syncline
