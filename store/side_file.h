// The small file beside a store by which it proves that nothing else continued
// what it holds (invariant I5). Internal to store/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crdt/error.h"

namespace syncline {

// A store that is closed writes the file and records its seal. A store that
// opens compares: only where the file is still the very one, on the same start
// of the same machine, was nothing copied back, restored or moved. No copy and
// no restore preserves a file's ctime; its inode, device and text guard against
// the clock's grain. Opening removes the file before anything is written.
class SideFile {
 public:
  explicit SideFile(std::string path, const char* machine_id_path = "/etc/machine-id")
      : path_(std::move(path)), machine_id_path_(machine_id_path) {}

  // What the file and the machine are now; nothing if that can't be told.
  std::optional<std::string> seal() const;
  // What it says, nothing if there is none.
  std::optional<std::string> text() const;
  // Replaces it, by a file of its own, and waits for the disk.
  Result<void> write(std::string_view text) const;
  // Removes it, if it is there, and waits for the disk.
  Result<void> remove() const;

 private:
  std::string path_;
  const char* machine_id_path_;
};

// Gives a file its name and waits for the disk.
Result<void> rename_synced(const std::string& from, const std::string& to);

// "process <number> on <host>": how a store names its holder.
std::string holder();

}  // namespace syncline
