// The actors that one end of a session has named to the other. Messages speak
// of them by their places, in the order of naming. Internal to sync/.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace syncline {

class Dictionary {
 public:
  // The actor's place; the next one if it had none.
  std::uint32_t place(std::uint32_t actor) {
    const auto [it, fresh] = places_.try_emplace(actor, size());
    if (fresh) actors_.push_back(actor);
    return it->second;
  }
  bool has(std::uint32_t actor) const { return places_.contains(actor); }
  // By place.
  const std::vector<std::uint32_t>& actors() const { return actors_; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(actors_.size()); }
  // Those named since the last call.
  std::span<const std::uint32_t> take_new() {
    const std::span fresh = std::span<const std::uint32_t>(actors_).subspan(taken_);
    taken_ = actors_.size();
    return fresh;
  }

 private:
  std::vector<std::uint32_t> actors_;
  absl::flat_hash_map<std::uint32_t, std::uint32_t> places_;
  std::size_t taken_ = 0;
};

}  // namespace syncline
