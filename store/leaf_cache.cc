#include "store/leaf_cache.h"

#include <cstring>
#include <limits>
#include <new>

#include "sync/digest.h"

namespace syncline {

LeafCache::~LeafCache() {
  for (Entry* const entry : ring_) ::operator delete(entry);
}

std::size_t LeafCache::Hash::operator()(const Key& key) const {
  return static_cast<std::size_t>(hash_bytes(key.leaf, static_cast<std::uint64_t>(key.keyspace)));
}

// With malloc's share, and the places in ring and set while these are half full.
std::size_t LeafCache::memory_of(std::size_t key_size, std::size_t value_size) {
  constexpr std::size_t places = 2 * sizeof(Entry*) + 2 * (sizeof(Entry*) + 1);
  return (sizeof(Entry) + key_size + value_size + 8 + 15) / 16 * 16 + places;
}

std::optional<std::string_view> LeafCache::find(std::int64_t keyspace, std::string_view leaf) {
  const auto it = entries_.find(Key{keyspace, leaf});
  if (it == entries_.end()) return std::nullopt;
  (*it)->read_lately = true;
  return (*it)->value();
}

void LeafCache::put(std::int64_t keyspace, std::string_view leaf, std::string_view value) {
  const std::size_t bytes = memory_of(leaf.size(), value.size());
  if (bytes > bytes_max_ / 16 || ring_.size() == std::numeric_limits<std::uint32_t>::max()) return;
  make_room(bytes);
  void* const memory = ::operator new(sizeof(Entry) + leaf.size() + value.size());
  auto* const entry = new (memory)
      Entry{keyspace, static_cast<std::uint32_t>(leaf.size()), static_cast<std::uint32_t>(value.size()),
            static_cast<std::uint32_t>(ring_.size()), false};
  std::memcpy(entry->bytes(), leaf.data(), leaf.size());
  std::memcpy(entry->bytes() + leaf.size(), value.data(), value.size());
  if (!entries_.insert(entry).second) {
    ::operator delete(memory);
    return;
  }
  ring_.push_back(entry);
  bytes_ += bytes;
}

void LeafCache::update(std::int64_t keyspace, std::string_view leaf, std::string_view value) {
  const auto it = entries_.find(Key{keyspace, leaf});
  if (it == entries_.end()) return;
  Entry* const entry = *it;
  if (!value.empty() && value.size() == entry->value_size) {
    std::memcpy(entry->bytes() + entry->key_size, value.data(), value.size());
    return;
  }
  remove(entry);
  if (!value.empty()) put(keyspace, leaf, value);
}

void LeafCache::make_room(std::size_t bytes) {
  while (bytes_ + bytes > bytes_max_ && !ring_.empty()) {
    if (hand_ >= ring_.size()) hand_ = 0;
    Entry* const entry = ring_[hand_];
    if (entry->read_lately) {
      entry->read_lately = false;
      ++hand_;
    } else {
      remove(entry);  // The last of the ring takes its place.
    }
  }
}

void LeafCache::remove(Entry* entry) {
  entries_.erase(entry);
  bytes_ -= memory_of(entry->key_size, entry->value_size);
  ring_[entry->place] = ring_.back();
  ring_[entry->place]->place = entry->place;
  ring_.pop_back();
  ::operator delete(entry);
}

}  // namespace syncline
