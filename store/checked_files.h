// Checksums for the pages of a database: a layer between SQLite and its files.
//
// Each page of the main file ends with eight bytes over the rest of it and its
// place. One flipped bit is found by trying each, and put right. Any other page
// that fails isn't refused: records have checksums of their own, and those that
// are whole can still be read. But what isn't found there may have been, so
// whoever uses the file must ask take_suspects() and damaged_pages() before taking
// anything for absent. The write-ahead log has SQLite's own checksums.
//
// Internal to store/.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace syncline {

class CheckedFiles {
 public:
  // A page that failed, of which it is known which leaves it has (leaf_page.h);
  // which of them are whole their own checksums tell.
  struct Suspect {
    std::vector<std::pair<std::int64_t, std::string>> leaves;  // Keyspace and leaf.
  };
  static constexpr int checksum_bytes = 8;

  // Over the files of the VFS of that name, SQLite's own if it is empty. Must
  // outlive the connections that use it.
  explicit CheckedFiles(const std::string& base);
  ~CheckedFiles();
  CheckedFiles(const CheckedFiles&) = delete;
  CheckedFiles& operator=(const CheckedFiles&) = delete;

  // The VFS to open a database by.
  const std::string& vfs() const { return name_; }
  // Pages read so far that failed their checksum and whose content can't be known.
  std::uint64_t damaged_pages() const { return damaged_pages_; }
  // The same of which one bit had flipped. They are as they were.
  std::uint64_t mended_pages() const { return mended_pages_; }
  // Pages that failed since the last call and whose content is known.
  std::vector<Suspect> take_suspects() { return std::exchange(suspects_, {}); }
  // A suspect turned out not to hold what it should.
  void give_up() { ++damaged_pages_; }

  // Reads a page of an open database, past all that; and whether it is whole.
  static int read_page(sqlite3_file* file, std::string& page, std::int64_t offset);
  static bool is_whole(const std::string& page, std::int64_t offset);

 private:
  friend struct CheckedFilesCalls;
  sqlite3_vfs* base_;
  sqlite3_vfs vfs_{};
  std::string name_;
  std::string page_;  // Scratch: what is written with its checksum.
  std::uint64_t damaged_pages_ = 0;
  std::uint64_t mended_pages_ = 0;
  std::vector<Suspect> suspects_;
  std::map<std::int64_t, std::uint64_t> looked_at_;  // Offset and hash of a damaged page: once will do.
};

}  // namespace syncline
