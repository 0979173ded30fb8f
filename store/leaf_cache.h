// Leaves that were read lately, as a store in a file keeps them in memory.
//
// In front of SQLite, whose own cache holds pages: finding a leaf there is a
// search in each of three or four of them, here it is one look. Bounded by bytes;
// what wasn't read since the hand came by last goes first ("second chance", the
// clock of Corbato, "A paging experiment with the Multics system", 1968).
//
// Internal to store/. Under the replica's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"

namespace syncline {

class LeafCache {
 public:
  // Holds up to so many bytes, its own included.
  explicit LeafCache(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  ~LeafCache();
  LeafCache(const LeafCache&) = delete;
  LeafCache& operator=(const LeafCache&) = delete;

  // The value, if it is here. Valid until the next call. O(1).
  std::optional<std::string_view> find(std::int64_t keyspace, std::string_view leaf);
  // Keeps a leaf that isn't here; others may go for it. O(1) over many calls.
  void put(std::int64_t keyspace, std::string_view leaf, std::string_view value);
  // What became of a leaf, if it is here: another value, or none if that is empty.
  void update(std::int64_t keyspace, std::string_view leaf, std::string_view value);

  std::size_t memory_bytes() const { return bytes_; }

 private:
  // Followed by the key and the value.
  struct Entry {
    std::int64_t keyspace;
    std::uint32_t key_size;
    std::uint32_t value_size;
    std::uint32_t place;  // In ring_.
    bool read_lately;

    char* bytes() { return reinterpret_cast<char*>(this + 1); }
    const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
    std::string_view key() const { return {bytes(), key_size}; }
    std::string_view value() const { return {bytes() + key_size, value_size}; }
  };
  struct Key {
    std::int64_t keyspace;
    std::string_view leaf;
  };
  static Key key_of(const Entry* entry) { return {entry->keyspace, entry->key()}; }
  static Key key_of(const Key& key) { return key; }
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const Key& key) const;
    std::size_t operator()(const Entry* entry) const { return (*this)(key_of(entry)); }
  };
  struct Equal {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      const Key left = key_of(a);
      const Key right = key_of(b);
      return left.keyspace == right.keyspace && left.leaf == right.leaf;
    }
  };

  static std::size_t memory_of(std::size_t key_size, std::size_t value_size);
  void make_room(std::size_t bytes);
  void remove(Entry* entry);

  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  absl::flat_hash_set<Entry*, Hash, Equal> entries_;
  std::vector<Entry*> ring_;
  std::size_t hand_ = 0;
};

}  // namespace syncline
