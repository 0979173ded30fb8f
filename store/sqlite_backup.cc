#include "store/sqlite_backup.h"

#include <unistd.h>

#include <utility>

namespace syncline {

Result<void> SqliteStore::forget_identity() {
  Head heads;  // Of a store that proves nothing: reading them makes it forget whom it wrote under.
  if (auto done = load_keyspaces(heads); !done) return done;
  const auto forget = [&] { return connection_.execute("DELETE FROM meta WHERE name IN ('store', 'seal')"); };
  auto done = transact(forget);
  return done ? checkpoint(SQLITE_CHECKPOINT_TRUNCATE) : done;
}

Result<std::unique_ptr<SqliteBackup>> SqliteBackup::begin(std::shared_ptr<SqliteStore> store,
                                                          std::string path) {
  if (::access(path.c_str(), F_OK) == 0)
    return failure(Errc::invalid_argument, path + " is there already: a backup overwrites nothing");
  std::unique_ptr<SqliteBackup> backup(new SqliteBackup(std::move(store), std::move(path)));
  ::unlink(backup->unfinished().c_str());  // Of a backup that was cut short.
  backup->files_ = std::make_unique<CheckedFiles>(backup->store_->options_.vfs);
  auto to = Connection::open(backup->unfinished(), backup->files_->vfs());
  if (!to) return tl::unexpected(to.error());
  backup->to_ = std::move(*to);
  backup->copy_ = sqlite3_backup_init(backup->to_->get(), "main", backup->store_->connection_.get(), "main");
  if (backup->copy_ == nullptr) return tl::unexpected(sqlite_error(backup->to_->get(), "the backup"));
  return backup;
}

SqliteBackup::~SqliteBackup() {
  if (copy_ == nullptr) return;
  sqlite3_backup_finish(copy_);
  to_.reset();
  ::unlink(unfinished().c_str());
}

Result<bool> SqliteBackup::step() {
  constexpr int pages = 256;
  const int code = sqlite3_backup_step(copy_, pages);
  if (auto checked = store_->check_pages(); !checked) return tl::unexpected(checked.error());
  if (code == SQLITE_OK) return true;
  const bool done = code == SQLITE_DONE && sqlite3_backup_finish(std::exchange(copy_, nullptr)) == SQLITE_OK;
  if (!done) return tl::unexpected(sqlite_error(to_->get(), "the backup"));
  to_.reset();
  return false;
}

Result<void> SqliteBackup::finish() {
  {
    auto copied = SqliteStore::open({.path = unfinished(), .vfs = store_->options_.vfs, .side_file = false});
    if (!copied) return tl::unexpected(copied.error());
    if (auto done = (*copied)->forget_identity(); !done) return done;
  }
  return rename_synced(unfinished(), path_);
}

}  // namespace syncline
