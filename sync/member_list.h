// Who counts for stability.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "crdt/dot.h"
#include "crdt/export.h"

namespace syncline {

// Who has to acknowledge: a value. An empty list says that nothing is known of stability.
class SYNCLINE_EXPORT MemberList {
 public:
  MemberList() = default;
  // `incarnations` in any order; `own` is this replica's, if it counts.
  explicit MemberList(std::vector<ActorId> incarnations, const std::optional<ActorId>& own = {});

  bool empty() const { return incarnations_.empty(); }
  std::size_t size() const { return incarnations_.size(); }
  // Its members, sorted; their places are those of acknowledgements.
  const std::vector<ActorId>& incarnations() const { return incarnations_; }
  std::optional<std::size_t> own() const { return own_; }
  // Equal lists have equal hashes, whoever computes them.
  std::uint64_t hash() const { return hash_; }
  // Whether all of its members are in the other list, too.
  bool is_within(const MemberList& other) const;

 private:
  std::vector<ActorId> incarnations_;
  std::optional<std::size_t> own_;
  std::uint64_t hash_ = 0;
};

}  // namespace syncline
