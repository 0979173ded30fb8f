// Versions inside the engine: counters by actor index, and the table of actors.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "crdt/dot.h"
#include "wire/message.h"

namespace syncline {

// A version by the keyspace's actor indices; actors beyond the end have 0.
class Counters {
 public:
  std::uint64_t operator[](std::uint32_t actor) const { return actor < at_.size() ? at_[actor] : 0; }
  bool contains(const IndexedDot& dot) const { return dot.counter <= (*this)[dot.actor]; }
  bool includes(const Counters& other) const {
    for (std::uint32_t actor = 0; actor < other.size(); ++actor)
      if (other[actor] > (*this)[actor]) return false;
    return true;
  }
  // Raises the actor's counter to at least `counter`.
  void raise(std::uint32_t actor, std::uint64_t counter) {
    if (actor >= at_.size()) at_.resize(actor + std::size_t{1});
    at_[actor] = std::max(at_[actor], counter);
  }
  void merge(const Counters& other) {
    for (std::uint32_t actor = 0; actor < other.size(); ++actor)
      if (other[actor] > (*this)[actor]) raise(actor, other[actor]);
  }
  // One past the greatest index that may hold a counter.
  std::uint32_t size() const { return static_cast<std::uint32_t>(at_.size()); }
  // The entries that are above those of `base`.
  std::vector<IndexedDot> since(const Counters& base) const {
    std::vector<IndexedDot> entries;
    for (std::uint32_t actor = 0; actor < size(); ++actor)
      if (at_[actor] > base[actor]) entries.push_back({actor, at_[actor]});
    return entries;
  }
  friend bool operator==(const Counters& a, const Counters& b) { return a.includes(b) && b.includes(a); }

 private:
  std::vector<std::uint64_t> at_;
};

// Gives actors small indices, in order of appearance, for as long as the keyspace lives.
class ActorTable {
 public:
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  std::uint32_t intern(const ActorId& id) {
    const auto [it, fresh] = index_.try_emplace(id, static_cast<std::uint32_t>(ids_.size()));
    if (fresh) ids_.push_back(id);
    return it->second;
  }
  // Forgets the newest actors down to `size`.
  void truncate(std::uint32_t size) {
    for (; ids_.size() > size; ids_.pop_back()) index_.erase(ids_.back());
    std::erase_if(order_, [size](std::uint32_t index) { return index >= size; });
  }
  // All indices in the order of their ids. O(1), or O(actors) once after new ones.
  const std::vector<std::uint32_t>& in_order() const {
    const auto before = [this](std::uint32_t a, std::uint32_t b) { return ids_[a] < ids_[b]; };
    const auto known = static_cast<std::ptrdiff_t>(order_.size());
    for (auto index = static_cast<std::uint32_t>(known); index < size(); ++index) order_.push_back(index);
    std::sort(order_.begin() + known, order_.end(), before);
    std::inplace_merge(order_.begin(), order_.begin() + known, order_.end(), before);
    return order_;
  }
  std::uint32_t find(const ActorId& id) const {
    const auto it = index_.find(id);
    return it == index_.end() ? none : it->second;
  }
  const ActorId& operator[](std::uint32_t index) const { return ids_[index]; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(ids_.size()); }

 private:
  // Ids come from peers, so the map is keyed afresh in each process.
  struct Hash {
    std::size_t operator()(const ActorId& id) const {
      return absl::Hash<absl::string_view>{}({id.view().data(), id.view().size()});
    }
  };
  std::vector<ActorId> ids_;
  mutable std::vector<std::uint32_t> order_;  // As far as somebody asked.
  absl::flat_hash_map<ActorId, std::uint32_t, Hash> index_;
};

}  // namespace syncline
