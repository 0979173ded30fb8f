// A disk in memory under SQLite (a VFS) that fails when told, and forgets what a
// disk may forget when the power goes.
#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/random.h"

namespace syncline {

// What a call on a file does.
enum class FileCall { open, remove, read, write, truncate, sync, size, lock };

// How calls fail.
enum class Fault {
  io,           // An error, and nothing was done.
  full,         // No room. Writes only.
  short_write,  // No room either, after half was written.
  crash,        // The power goes: this call and all later ones fail.
};

// What becomes of writes that weren't synced when the power goes.
enum class Damage {
  none,        // All arrived.
  dropped,     // None did.
  cut,         // Some first ones did.
  some,        // Any of them did.
  shuffled,    // Any did, in any order.
  torn,        // Any sectors of 512 bytes did.
  torn_pages,  // Any sectors of 4,096 bytes did.
  garbage,     // Any sectors did; some others hold nonsense.
};
constexpr int damages = 8;

class FaultyDisk {
 public:
  FaultyDisk();
  ~FaultyDisk();
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  // The name to open databases by.
  const std::string& vfs() const { return name_; }

  // What is on the disk: whole files by name.
  using Image = std::map<std::string, std::string>;
  // Starts over with these files, all synced; nothing fails, no calls were counted.
  void set(const Image& image);
  Image files() const;
  // What is found after the power went, now or at the crash.
  Image after_power_cut(Damage damage, Random& random) const;

  // Calls since set().
  std::size_t calls() const { return calls_; }
  // The call of that number (from 1) fails; so do all later ones that can fail
  // in this way, if `sticky`.
  void fail(std::size_t number, Fault fault, bool sticky);
  // Nothing fails from now on; what crashed stays crashed.
  void heal() { fail_at_ = 0; }
  bool crashed() const { return crashed_; }
  // Whether some call failed.
  bool failed() const { return failed_; }

 private:
  friend struct FaultyDiskCalls;
  struct Write {
    std::size_t at = 0;
    std::string bytes;
    bool truncate = false;
  };
  struct File {
    std::string now;
    std::string synced;
    std::vector<Write> since;  // Writes that a power cut may lose.
  };

  // Counts a call; how it fails, SQLITE_OK if it doesn't.
  int enter(FileCall call);

  std::string name_;
  sqlite3_vfs vfs_{};
  std::map<std::string, File> files_;
  std::size_t calls_ = 0;
  std::size_t fail_at_ = 0;
  Fault fault_ = Fault::io;
  bool sticky_ = false;
  bool crashed_ = false;
  bool failed_ = false;
  bool short_ = false;  // The write that fails now does half its work.
};

}  // namespace syncline
