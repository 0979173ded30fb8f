// What an open transaction has gathered. Internal to sync/; the engine keeps
// one and reuses its memory.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "crdt/error.h"
#include "sync/keyspace_state.h"

namespace syncline {

// Memory that is given back all at once. Views stay where they are until then.
class Arena {
 public:
  char* allocate(std::size_t size) {
    if (size > left_) grow(size);
    char* const taken = next_;
    next_ += size;
    left_ -= size;
    return taken;
  }
  std::string_view copy(std::string_view text) {
    if (text.empty()) return {};
    char* const bytes = allocate(text.size());
    std::memcpy(bytes, text.data(), text.size());
    return {bytes, text.size()};
  }
  // Keeps the first block for the next use.
  void clear() {
    if (blocks_.size() > 1) blocks_.resize(1);
    next_ = blocks_.empty() ? nullptr : blocks_.front().get();
    left_ = blocks_.empty() ? 0 : block_bytes;
  }

 private:
  static constexpr std::size_t block_bytes = 64 * 1024;

  void grow(std::size_t size) {
    const std::size_t bytes = blocks_.empty() || size < block_bytes ? block_bytes : size;
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(std::max(bytes, size)));
    next_ = blocks_.back().get();
    left_ = std::max(bytes, size);
  }

  std::vector<std::unique_ptr<char[]>> blocks_;  // The first has block_bytes.
  char* next_ = nullptr;
  std::size_t left_ = 0;
};

struct TransactionScratch {
  enum class Write : std::uint8_t { none, put, remove };

  // One leaf opened, and what it held then.
  struct Op {
    std::string_view leaf;
    KnownLeaf known;
    std::string_view payload;
    std::uint64_t stamp = 0;
    std::uint32_t payload_capacity = 0;
    Write write = Write::none;
  };

  Arena arena;
  std::vector<Op> ops;
  absl::flat_hash_map<std::string_view, std::uint32_t> index;  // Of ops by leaf, once there are many.
  std::optional<Error> error;
  std::string key_buffer;
  bool open = false;

  void clear() {
    arena.clear();
    ops.clear();
    // Emptying a table this small is cheaper than growing it anew, which clear() makes necessary.
    constexpr std::size_t kept_max = 4096;
    if (index.size() > kept_max) index.clear();
    index.erase(index.begin(), index.end());
    error.reset();
    open = false;
  }
};

}  // namespace syncline
