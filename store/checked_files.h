// Checksums for the pages of a database: a layer between SQLite and its files.
//
// Each page of the main file ends with eight bytes over the rest of it and its
// place. A page that fails isn't refused: records have checksums of their own,
// and those that are whole can still be read. But what isn't found there may
// have been, so whoever uses the file must ask damaged_pages() before taking
// anything for absent. The write-ahead log has SQLite's own checksums.
//
// Internal to store/.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <string>

namespace syncline {

class CheckedFiles {
 public:
  static constexpr int checksum_bytes = 8;

  // Over the files of the VFS of that name, SQLite's own if it is empty. Must
  // outlive the connections that use it.
  explicit CheckedFiles(const std::string& base);
  ~CheckedFiles();
  CheckedFiles(const CheckedFiles&) = delete;
  CheckedFiles& operator=(const CheckedFiles&) = delete;

  // The VFS to open a database by.
  const std::string& vfs() const { return name_; }
  // Pages read so far that failed their checksum.
  std::uint64_t damaged_pages() const { return damaged_pages_; }

 private:
  friend struct CheckedFilesCalls;
  sqlite3_vfs* base_;
  sqlite3_vfs vfs_{};
  std::string name_;
  std::string page_;  // Scratch: what is written with its checksum.
  std::uint64_t damaged_pages_ = 0;
};

}  // namespace syncline
