// Leaves as they are read.
#include "store/record_sums.h"
#include "store/sqlite_store.h"

namespace syncline {

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
  if (!row) return tl::unexpected(row.error());
  if (!*row) {
    find_leaf_.reset();
    if (auto checked = check_pages(); !checked) return tl::unexpected(checked.error());
    return std::nullopt;
  }
  found_ = find_leaf_.bytes(0);
  const bool good = find_leaf_.integer(1) == leaf_checksum(id, leaf, found_);
  find_leaf_.reset();
  if (!good) return damaged("a stored leaf fails its checksum");
  leaves_.put(id, leaf, found_);
  return found_;
}

// Nothing may be taken for absent, and nothing be written, once a page failed.
Result<void> SqliteStore::check_pages() const {
  if (files_->damaged_pages() == 0) return {};
  return damaged("a page of the store fails its checksum: what is missing there can't be told");
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
    if (rows->integer(2) != leaf_checksum(id, rows->bytes(0), rows->bytes(1)))
      return damaged("a stored leaf fails its checksum");
    if (!visit(rows->bytes(0), rows->bytes(1))) return {};
  }
}

}  // namespace syncline
