// Leaves as they are read, and what becomes of those that are damaged.
#include <algorithm>
#include <utility>

#include "crdt/leaf_key.h"
#include "fmt/format.h"
#include "store/leaf_group.h"
#include "store/record_sums.h"
#include "store/sqlite_store.h"

namespace syncline {
namespace {

// More than this, and it isn't single leaves that are lost.
constexpr std::size_t quarantined_max = 4'096;

Error damaged_leaf(std::string_view keyspace, std::string_view leaf) {
  LeafGroup group;
  parse_group(leaf, group);
  return Error{Errc::damaged,
               fmt::format("what is stored under \"{}\" in keyspace \"{}\" fails its checksum: it "
                           "can't be read until a peer gave it back",
                           group.key, keyspace)};
}

}  // namespace

// Reads share a transaction until the next write: beginning one for each takes as long as the search.
Result<void> SqliteStore::begin_reading() {
  return sqlite3_get_autocommit(connection_.get()) == 0 ? Result<void>() : begin_reading_.bind().run();
}
Result<void> SqliteStore::end_reading() {
  return sqlite3_get_autocommit(connection_.get()) != 0 ? Result<void>() : commit_.bind().run();
}

Result<std::optional<std::string_view>> SqliteStore::find(std::string_view keyspace, std::string_view leaf) {
  const auto known = keyspaces_.find(keyspace);
  if (known == keyspaces_.end()) return std::nullopt;
  const std::int64_t id = known->second.id;
  if (const auto kept = leaves_.find(id, leaf)) return kept;
  if (auto begun = begin_reading(); !begun) return tl::unexpected(begun.error());
  const auto row = find_leaf_.bind(id, leaf).step();
  if (!row) return failure(Errc::storage, row.error().detail);  // Not `damaged`: no peer mends a page.
  bool good = true;
  if (*row) {
    found_ = find_leaf_.bytes(0);
    good = find_leaf_.integer(1) == leaf_checksum(id, leaf, found_);
  }
  find_leaf_.reset();
  if (*row && good) {
    leaves_.put(id, leaf, found_);
    return found_;
  }
  if (auto checked = check_pages(); !checked) return failure(Errc::storage, checked.error().detail);
  if (!good)
    if (auto done = quarantine({id, std::string(leaf)}, std::nullopt); !done)
      return tl::unexpected(done.error());
  if (!good || may_be_damaged({id, std::string(leaf)})) return tl::unexpected(damaged_leaf(keyspace, leaf));
  return std::nullopt;
}

Result<void> SqliteStore::scan(std::string_view keyspace, std::string_view from,
                               absl::FunctionRef<bool(std::string_view leaf, std::string_view value)> visit) {
  const auto known = keyspaces_.find(keyspace);
  if (known == keyspaces_.end()) return {};
  const std::int64_t id = known->second.id;
  if (auto begun = begin_reading(); !begun) return begun;
  // One of its own: a visitor may read, too.
  auto rows = connection_.prepare(
      "SELECT leaf, value, checksum FROM leaves WHERE keyspace = ? AND leaf >= ? ORDER BY leaf");
  if (!rows) return tl::unexpected(rows.error());
  rows->bind(id, from);
  for (;;) {
    const auto row = rows->step();
    if (!row) return tl::unexpected(row.error());
    if (auto checked = check_pages(); !checked || !*row) return checked;
    if (rows->integer(2) != leaf_checksum(id, rows->bytes(0), rows->bytes(1))) {
      Place place{id, std::string(rows->bytes(0))};
      Error error = damaged_leaf(keyspace, place.second);
      if (is_told(place)) continue;
      if (auto done = quarantine(std::move(place), std::nullopt); !done) return done;
      return tl::unexpected(std::move(error));
    }
    if (!visit(rows->bytes(0), rows->bytes(1))) return {};
  }
}

// ---- damage ----

// Nothing may be taken for absent, and nothing be written, once a page failed whose content can't be known.
Result<void> SqliteStore::check_pages() {
  for (auto suspects = files_->take_suspects(); !suspects.empty(); suspects = files_->take_suspects())
    for (const auto& suspect : suspects)
      if (auto judged = judge(suspect); !judged) return judged;
  if (files_->damaged_pages() == 0) return {};
  return damaged("a page of the store fails its checksum: what is missing there can't be told");
}

// Of a page that failed it is known which leaves it has. Those that are whole are
// good; of the others not even the key is sure.
Result<void> SqliteStore::judge(const CheckedFiles::Suspect& suspect) {
  for (const Place& place : suspect.leaves) {
    const auto whole = is_whole(place);
    if (!whole) return tl::unexpected(whole.error());
    if (!*whole) files_->give_up();  // A search doesn't find it: then it may not find others.
    if (!*whole || **whole) continue;
    auto gap = gap_around(place);
    if (!gap) return tl::unexpected(gap.error());
    if (auto done = quarantine(place, std::move(*gap)); !done) return done;
  }
  return {};
}

// Nothing if it isn't there.
Result<std::optional<bool>> SqliteStore::is_whole(const Place& place) {
  const auto& [id, leaf] = place;
  const std::string_view key = leaf;
  const auto row = find_leaf_.bind(id, key).step();
  if (!row) return tl::unexpected(row.error());
  std::optional<bool> whole;
  if (*row) whole = find_leaf_.integer(1) == leaf_checksum(id, key, find_leaf_.bytes(0));
  find_leaf_.reset();
  return whole;
}

Result<SqliteStore::Gap> SqliteStore::gap_around(const Place& place) {
  Gap gap;
  for (const auto& [neighbour, sql] :
       {std::pair(&gap.above,
                  "SELECT keyspace, leaf FROM leaves WHERE (keyspace, leaf) < (?, ?)"
                  " ORDER BY keyspace DESC, leaf DESC LIMIT 1"),
        std::pair(&gap.below,
                  "SELECT keyspace, leaf FROM leaves WHERE (keyspace, leaf) > (?, ?)"
                  " ORDER BY keyspace, leaf LIMIT 1")}) {
    auto rows = connection_.prepare(sql);
    if (!rows) return tl::unexpected(rows.error());
    const std::string_view leaf = place.second;
    const auto row = rows->bind(place.first, leaf).step();
    if (!row) return tl::unexpected(row.error());
    if (*row) neighbour->emplace(rows->integer(0), rows->bytes(1));
  }
  return gap;
}

// Of a leaf that isn't there: whether a damaged one may have been it.
bool SqliteStore::may_be_damaged(const Place& place) const {
  return std::any_of(quarantine_.begin(), quarantine_.end(), [&](const auto& one) {
    if (!one.second) return one.first == place;
    const auto& [above, below, absent] = *one.second;
    return (!above || *above < place) && (!below || place < *below) && !absent.contains(place);
  });
}

// Whether the engine leaves it out by itself.
bool SqliteStore::is_told(const Place& place) const {
  return quarantine_.contains(place) && std::find(untold_.begin(), untold_.end(), place) == untold_.end();
}

Result<void> SqliteStore::quarantine(Place place, std::optional<Gap> gap) {
  const bool too_many = quarantine_.size() >= quarantined_max && !quarantine_.contains(place);
  if (too_many || !is_leaf_key(place.second)) {  // No peer can be asked for what has no key.
    files_->give_up();
    return damaged("leaves fail their checksums that can't be kept aside");
  }
  const auto [at, fresh] = quarantine_.try_emplace(std::move(place));
  if (gap) at->second = std::move(gap);
  if (!fresh) return {};
  unsaved_.push_back(at->first);
  untold_.push_back(at->first);
  return {};
}

Result<void> SqliteStore::save_quarantine() {
  for (const auto& [id, leaf] : unsaved_) {
    const std::string_view key = leaf;
    if (!quarantine_.contains({id, leaf})) continue;
    if (auto done = put_quarantined_.bind(id, key, record_checksum(key, id)).run(); !done) return done;
  }
  return {};
}

std::vector<QuarantinedLeaf> SqliteStore::quarantined() const {
  std::vector<QuarantinedLeaf> leaves;
  for (const auto& [name, known] : keyspaces_) {
    const auto end = quarantine_.lower_bound({known.id + 1, {}});
    for (auto at = quarantine_.lower_bound({known.id, {}}); at != end; ++at)
      leaves.push_back(describe(name, at->first.second));
  }
  return leaves;
}

std::vector<QuarantinedLeaf> SqliteStore::take_quarantined() {
  if (untold_.empty()) return {};
  // Whether that works or not: they are found again.
  if (!stopped_) static_cast<void>(transact([] { return Result<void>(); }));
  const auto places = std::exchange(untold_, {});
  std::vector<QuarantinedLeaf> leaves;
  for (const auto& [name, known] : keyspaces_)
    for (const auto& [id, leaf] : places)
      if (id == known.id) leaves.push_back(describe(name, leaf));
  return leaves;
}

QuarantinedLeaf SqliteStore::describe(const std::string& keyspace, const std::string& leaf) const {
  LeafGroup group;
  parse_group(leaf, group);
  return {keyspace, std::move(group.key), leaf};
}

}  // namespace syncline
