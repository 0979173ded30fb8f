// Reading a store's file through in search of damage, page by page past SQLite's
// cache: what is on the disk counts, not what was read of it once.
#include <algorithm>
#include <cstring>

#include "store/leaf_page.h"
#include "store/record_sums.h"
#include "store/sqlite_store.h"

namespace syncline {
namespace {

constexpr std::size_t page_bytes = 4'096;
// SQLite locks a byte of this page and never uses it.
constexpr std::int64_t lock_page = (std::int64_t{1} << 30) / page_bytes + 1;

std::int64_t offset_of(std::int64_t number) { return (number - 1) * static_cast<std::int64_t>(page_bytes); }

std::uint32_t number32(const std::string& page, std::size_t at) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) number = number << 8 | static_cast<std::uint8_t>(page[at + i]);
  return number;
}

}  // namespace

sqlite3_file* SqliteStore::file() const {
  sqlite3_file* found = nullptr;
  sqlite3_file_control(connection_.get(), "main", SQLITE_FCNTL_FILE_POINTER, &found);
  return found;
}

Result<bool> SqliteStore::scrub(std::size_t pages) {
  if (stopped_) return tl::unexpected(*stopped_);
  sqlite3_int64 size = 0;
  if (file()->pMethods != nullptr && file()->pMethods->xFileSize(file(), &size) != SQLITE_OK)
    return failure(Errc::storage, "the size of the store can't be told");
  const auto last = static_cast<std::int64_t>(size) / static_cast<std::int64_t>(page_bytes);
  for (; pages > 0 && scrubbed_ < last; --pages) {
    if (auto done = scrub_page(++scrubbed_); !done && done.error().code != Errc::damaged)
      return tl::unexpected(done.error());
    ++pages_checked_;
  }
  if (scrubbed_ < last) return true;
  scrubbed_ = 0;
  ++scrubs_;
  return false;
}

Result<void> SqliteStore::scrub_page(std::int64_t number) {
  if (number == lock_page) return {};
  std::string page(page_bytes, '\0');
  if (CheckedFiles::read_page(file(), page, offset_of(number)) != SQLITE_OK)
    return failure(Errc::storage, "a page of the store can't be read");
  return CheckedFiles::is_whole(page, offset_of(number)) ? scrub_leaves(page) : scrub_damaged(number, page);
}

// Records may be damaged on a page that isn't: then that happened in memory. What
// the file says may be out of date, so SQLite is asked of each that fails.
Result<void> SqliteStore::scrub_leaves(const std::string& page) {
  const auto leaves = leaves_on_page(page, page_bytes - CheckedFiles::checksum_bytes);
  if (!leaves) return {};
  for (const StoredLeaf& stored : *leaves) {
    if (stored.whole && stored.checksum == leaf_checksum(stored.keyspace, stored.leaf, stored.value))
      continue;
    Place place{stored.keyspace, std::string(stored.leaf)};
    const auto whole = is_whole(place);
    if (!whole) return tl::unexpected(whole.error());
    if (*whole && !**whole)
      if (auto done = quarantine(std::move(place), std::nullopt); !done) return done;
  }
  return check_pages();
}

// A newer version of the page may wait in the write-ahead log, and what isn't used may hold anything.
Result<void> SqliteStore::scrub_damaged(std::int64_t number, std::string& page) {
  if (auto done = checkpoint(SQLITE_CHECKPOINT_PASSIVE); !done) return done;
  const std::int64_t offset = offset_of(number);
  const auto free = is_free(number);
  if (!free || *free) return free ? Result<void>() : tl::unexpected(free.error());
  if (CheckedFiles::read_page(file(), page, offset) != SQLITE_OK)
    return failure(Errc::storage, "a page of the store can't be read");
  if (CheckedFiles::is_whole(page, offset)) return {};
  // As SQLite would read it: mended, suspected, or given up.
  if (file()->pMethods->xRead(file(), page.data(), static_cast<int>(page_bytes), offset) != SQLITE_OK)
    return failure(Errc::storage, "a page of the store can't be read");
  const auto leaves = leaves_on_page(page, page_bytes - CheckedFiles::checksum_bytes);
  if (auto checked = check_pages(); !checked || !leaves || CheckedFiles::is_whole(page, offset))
    return checked;
  for (const StoredLeaf& stored : *leaves) {
    const auto again = write_again({stored.keyspace, std::string(stored.leaf)});
    if (!again) return tl::unexpected(again.error());
    if (*again) break;
  }
  return {};
}

// Writes a leaf that is whole anew, so that its page gets a new checksum. False if it isn't.
Result<bool> SqliteStore::write_again(const Place& place) {
  const auto id = std::get<0>(place);
  const std::string_view key = std::get<1>(place);
  const auto whole = is_whole(place);
  if (!whole) return tl::unexpected(whole.error());
  if (!*whole || !**whole) return false;
  const auto row = find_leaf_.bind(id, key).step();
  if (!row) return tl::unexpected(row.error());
  const std::string value(find_leaf_.bytes(0));
  find_leaf_.reset();
  const std::string_view dots = value;
  auto done = transact([&] {  // SQLite writes no page that doesn't change.
    auto erased = erase_leaf_.bind(id, key).run();
    return erased ? put_leaf_.bind(id, key, dots, leaf_checksum(id, key, dots)).run() : erased;
  });
  if (!done && done.error().code != Errc::disk_full) return tl::unexpected(done.error());
  return true;
}

// Whether the page is in the list of those that SQLite doesn't use.
Result<bool> SqliteStore::is_free(std::int64_t number) const {
  constexpr std::size_t first_trunk = 32;
  std::string page(page_bytes, '\0');
  const auto read = [&](std::int64_t at) {
    return CheckedFiles::read_page(file(), page, offset_of(at)) == SQLITE_OK;
  };
  if (!read(1)) return failure(Errc::storage, "a page of the store can't be read");
  std::size_t seen = 0;
  for (std::int64_t trunk = number32(page, first_trunk); trunk != 0; trunk = number32(page, 0)) {
    if (trunk == number || !read(trunk) || ++seen > (std::size_t{1} << 20)) return false;
    const std::size_t count = std::min<std::size_t>(number32(page, 4), page_bytes / 4 - 2);
    for (std::size_t i = 0; i < count; ++i)
      if (number32(page, 8 + 4 * i) == number) return true;
  }
  return false;
}

FileHealth SqliteStore::health() const {
  FileHealth health = counts();
  sqlite3_int64 size = 0;
  if (file()->pMethods != nullptr && file()->pMethods->xFileSize(file(), &size) == SQLITE_OK)
    health.pages = static_cast<std::uint64_t>(size) / page_bytes;
  health.quarantined = quarantined();
  return health;
}

FileHealth SqliteStore::counts() const {
  FileHealth health;
  health.pages_checked = pages_checked_;
  health.scrubs = scrubs_;
  health.mended_pages = files_->mended_pages();
  health.damaged_pages = files_->damaged_pages();
  health.mended_leaves = mended_leaves_;
  return health;
}

}  // namespace syncline
