// Leaves whose stored record can't be read any more. Internal to sync/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace syncline {

// `a leaf under key "..."`, for people.
std::string describe_leaf(std::string_view leaf);

// A lost leaf is neither there nor absent: nothing is known of it but its key.
// It stays lost on disk until the record that mends it is persisted.
class LostLeaves {
 public:
  bool empty() const { return leaves_.empty(); }
  // How many wait to be mended.
  std::size_t waiting() const { return waiting_; }
  // Whether nothing is known of the leaf, not even by a pending record.
  bool waits(std::string_view leaf) const {
    const auto it = leaves_.find(leaf);
    return it != leaves_.end() && it->second == 0;
  }
  // Whether what is on disk isn't the leaf.
  bool is_unreadable(std::string_view leaf) const { return leaves_.find(leaf) != leaves_.end(); }
  // False if it was known.
  bool add(std::string_view leaf) {
    const bool added = leaves_.emplace(std::string(leaf), 0).second;
    if (added) ++waiting_;
    return added;
  }
  // The record of that epoch (above 0) mends it.
  void mend(std::string_view leaf, std::uint64_t epoch) {
    const auto it = leaves_.find(leaf);
    if (it == leaves_.end() || it->second != 0) return;
    it->second = epoch;
    --waiting_;
  }
  // Records up to that epoch are persisted.
  void handle_persisted(std::uint64_t epoch) {
    std::erase_if(leaves_, [epoch](const auto& leaf) { return leaf.second != 0 && leaf.second <= epoch; });
  }
  // What was pending is lost again.
  void undo() {
    for (auto& [leaf, epoch] : leaves_) epoch = 0;
    waiting_ = leaves_.size();
  }
  // The first with a key >= `from` that waits, or that is unreadable on disk.
  std::optional<std::string_view> first_waiting(std::string_view from) const {
    auto it = leaves_.lower_bound(from);
    while (it != leaves_.end() && it->second != 0) ++it;
    return it == leaves_.end() ? std::nullopt : std::optional<std::string_view>(it->first);
  }
  std::optional<std::string_view> first_unreadable(std::string_view from) const {
    const auto it = leaves_.lower_bound(from);
    return it == leaves_.end() ? std::nullopt : std::optional<std::string_view>(it->first);
  }
  // Those that wait, sorted.
  std::vector<std::string> list() const {
    std::vector<std::string> waiting;
    for (const auto& [leaf, epoch] : leaves_)
      if (epoch == 0) waiting.push_back(leaf);
    return waiting;
  }

 private:
  std::map<std::string, std::uint64_t, std::less<>> leaves_;  // With the epoch that mends, 0 while none does.
  std::size_t waiting_ = 0;
};

}  // namespace syncline
