// A copy of a store, made while the store is used. Internal to store/.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "store/sqlite_store.h"

namespace syncline {

// A copy of a store in the making, consistent though writing goes on between
// its steps. Without its identity, so that the copy is a replica of its own.
class SqliteBackup {
 public:
  // To a file that isn't there yet. `invalid_argument` if it is.
  static Result<std::unique_ptr<SqliteBackup>> begin(std::shared_ptr<SqliteStore> store, std::string path);
  ~SqliteBackup();
  SqliteBackup(const SqliteBackup&) = delete;
  SqliteBackup& operator=(const SqliteBackup&) = delete;

  // Copies some pages, under the replica's lock. Whether there are more.
  Result<bool> step();
  // Once there are no more, without the lock: makes the copy whole and gives it its name.
  Result<void> finish();

 private:
  SqliteBackup(std::shared_ptr<SqliteStore> store, std::string path)
      : store_(std::move(store)), path_(std::move(path)) {}
  std::string unfinished() const { return path_ + ".part"; }

  std::shared_ptr<SqliteStore> store_;
  std::string path_;
  std::unique_ptr<CheckedFiles> files_;
  std::optional<Connection> to_;
  sqlite3_backup* copy_ = nullptr;
};

}  // namespace syncline
