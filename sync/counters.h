// Versions inside the engine: counters by actor index, and the table of actors.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "crdt/dot.h"
#include "wire/message.h"

namespace syncline {

// A version by the keyspace's actor indices; actors beyond the end have 0.
//
// In pages that copies share until one of them writes there: a replica holds
// several versions for each session and pass, and of very many actors nearly
// all are long gone. So a copy takes a few bytes an actor, and comparing one
// with another skips what they share.
class Counters {
 public:
  std::uint64_t operator[](std::uint32_t actor) const {
    const Page* const page = page_at(actor / page_size);
    return page == nullptr ? 0 : page->at[actor % page_size];
  }
  bool contains(const IndexedDot& dot) const { return dot.counter <= (*this)[dot.actor]; }
  bool includes(const Counters& other) const {
    return other.all_of(
        [](std::uint32_t, std::uint64_t theirs, std::uint64_t mine) { return theirs <= mine; }, *this);
  }
  // Raises the actor's counter to at least `counter`.
  void raise(std::uint32_t actor, std::uint64_t counter) {
    std::uint64_t& held = own_page(actor).at[actor % page_size];
    held = std::max(held, counter);
  }
  // Sets it to 0.
  void forget(std::uint32_t actor) {
    if ((*this)[actor] != 0) own_page(actor).at[actor % page_size] = 0;
  }
  void merge(const Counters& other) {
    for (std::uint32_t page = 0; page < other.pages_.size(); ++page) {
      if (other.pages_[page] == nullptr || other.shares(page, *this)) continue;
      if (page >= pages_.size() || pages_[page] == nullptr) {
        pages_.resize(std::max<std::size_t>(pages_.size(), page + std::size_t{1}));
        pages_[page] = other.pages_[page];
        continue;
      }
      const Page& theirs = *other.pages_[page];
      for (std::uint32_t i = 0; i < page_size; ++i)
        if (theirs.at[i] > pages_[page]->at[i]) own_page(page * page_size).at[i] = theirs.at[i];
    }
  }
  // Lowers each counter to what both have.
  void meet(const Counters& other) {
    for (const IndexedDot& entry : since(other)) {
      forget(entry.actor);
      if (other[entry.actor] > 0) raise(entry.actor, other[entry.actor]);
    }
  }
  // One past the greatest index that may hold a counter.
  std::uint32_t size() const { return static_cast<std::uint32_t>(pages_.size()) * page_size; }
  // The entries that are above those of `base`.
  std::vector<IndexedDot> since(const Counters& base) const {
    std::vector<IndexedDot> entries;
    all_of(
        [&](std::uint32_t actor, std::uint64_t mine, std::uint64_t before) {
          if (mine > before) entries.push_back({actor, mine});
          return true;
        },
        base);
    return entries;
  }
  // What a copy takes while all its pages are shared.
  std::size_t unshared_bytes() const { return pages_.size() * sizeof pages_.front(); }
  friend bool operator==(const Counters& a, const Counters& b) { return a.includes(b) && b.includes(a); }

 private:
  static constexpr std::uint32_t page_size = 16;
  struct Page {
    std::array<std::uint64_t, page_size> at{};
  };

  const Page* page_at(std::uint32_t page) const {
    return page < pages_.size() ? pages_[page].get() : nullptr;
  }
  bool shares(std::uint32_t page, const Counters& other) const {
    return page_at(page) == other.page_at(page);
  }
  Page& own_page(std::uint32_t actor) {
    const std::uint32_t page = actor / page_size;
    if (page >= pages_.size()) pages_.resize(page + std::size_t{1});
    std::shared_ptr<Page>& held = pages_[page];
    if (held == nullptr) held = std::make_shared<Page>();
    if (held.use_count() > 1) held = std::make_shared<Page>(*held);  // One thread: nobody takes a copy now.
    return *held;
  }
  // Whether fn(actor, mine, other's) holds for all actors, but for pages that both share.
  template <typename Fn>
  bool all_of(const Fn& fn, const Counters& other) const {
    for (std::uint32_t page = 0; page < pages_.size(); ++page) {
      if (pages_[page] == nullptr || shares(page, other)) continue;
      const Page* const theirs = other.page_at(page);
      for (std::uint32_t i = 0; i < page_size; ++i)
        if (!fn(page * page_size + i, pages_[page]->at[i], theirs == nullptr ? 0 : theirs->at[i]))
          return false;
    }
    return true;
  }

  std::vector<std::shared_ptr<Page>> pages_;  // Null where all are 0.
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
