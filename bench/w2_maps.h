// The maps that W2 compares, behind the same few calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "bench/data.h"
#include "bench/record.h"
#include "store/store.h"

namespace syncline::bench {

constexpr std::size_t batch = 1'000;      // Operations a transaction.
constexpr std::size_t scan_length = 100;  // Keys of a scan.

// Keys and values of the workload, in the form in which a map takes them.
struct W2Data {
  explicit W2Data(std::size_t n) : keys(strings(n, key_chars, 1)), raw(blobs(n, value_bytes, 2)) {}

  std::vector<std::string> keys;
  std::vector<std::string> raw;
};

// What a scan reads of each entry, so that it fetches it.
inline std::uint64_t byte_of(char c) { return static_cast<std::uint8_t>(c); }

// One map of strings; a transaction is only a call.
template <class Map>
class PlainMap {
 public:
  using Entry = std::string;
  static std::vector<Entry> values(const std::vector<std::string>& raw) { return raw; }

  template <class Fn>
  void transact(Fn&& fn) {
    fn(*this);
  }
  void set(const std::string& key, const std::string& value) { map_.insert_or_assign(key, value); }
  void erase(const std::string& key) { map_.erase(key); }
  std::size_t look_up(const std::string& key) const {
    const auto found = map_.find(key);
    return found == map_.end() ? 0 : found->second.size();
  }
  // Reads up to `count` entries, in order from the first that isn't below `from`.
  std::size_t scan(const std::string& from, std::size_t count) const {
    std::size_t read = 0;
    auto at = map_.lower_bound(from);
    for (; read < count && at != map_.end(); ++read, ++at) touch(at->first, at->second);
    return read;
  }
  std::size_t read_all() const {
    for (const auto& [key, value] : map_) touch(key, value);
    return map_.size();
  }
  std::uint64_t touched() const { return touched_; }
  Map& map() { return map_; }

 private:
  void touch(const std::string& key, const std::string& value) const {
    touched_ += byte_of(key.back()) + byte_of(value.back());
  }

  Map map_;
  mutable std::uint64_t touched_ = 0;
};

using BtreeMap = PlainMap<absl::btree_map<std::string, std::string>>;

// Without order, so without scans.
class HashMap : public PlainMap<absl::flat_hash_map<std::string, std::string>> {
 public:
  explicit HashMap(std::size_t n) { map().reserve(n); }
  std::size_t scan(const std::string&, std::size_t) const { return 0; }
};

// An LwwMap in a keyspace of a replica in memory.
class KeyspaceMap {
 public:
  using Entry = Value;
  static std::vector<Entry> values(const std::vector<std::string>& raw) {
    std::vector<Value> made;
    made.reserve(raw.size());
    for (const std::string& bytes : raw) made.emplace_back(Blob{bytes});
    return made;
  }
  static constexpr const char* key = "m";

  explicit KeyspaceMap(Keyspace keyspace) : keyspace_(std::move(keyspace)), view_(keyspace_.map(key)) {}

  class Writer {
   public:
    explicit Writer(Update& tx) : map_(tx.map(key)) {}
    void set(const std::string& field, const Value& value) { map_.set(field, value); }
    void erase(const std::string& field) { map_.erase(field); }

   private:
    MapWriter map_;
  };

  template <class Fn>
  void transact(Fn&& fn) {
    const auto written = keyspace_.update([&fn](Update& tx) {
      Writer writer(tx);
      fn(writer);
    });
    require(written.has_value(), "a transaction is written");
  }
  std::size_t look_up(const std::string& field) const {
    const auto found = view_.get(field);
    return found && *found ? (*found)->blob()->bytes.size() : 0;
  }
  std::size_t scan(const std::string& from, std::size_t count) const {
    std::size_t read = 0;
    const auto scanned = view_.for_each(from, [&](std::string_view field, const Value& value) {
      touched_ += byte_of(field.back()) + byte_of(value.blob()->bytes.back());
      return ++read < count;
    });
    require(scanned.has_value(), "a map can be read");
    return read;
  }
  std::size_t read_all() const { return scan({}, ~std::size_t{0}); }
  std::uint64_t touched() const { return touched_; }

 private:
  Keyspace keyspace_;
  MapView view_;
  mutable std::uint64_t touched_ = 0;
};

}  // namespace syncline::bench
