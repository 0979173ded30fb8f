// What the engine tells of a watched keyspace.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "crdt/dot.h"

namespace syncline {

// A change of a watched keyspace, or a pass that was merged, with the leaves that
// it touched. Given after the commit, in the order of commits.
struct LeavesChanged {
  struct Leaf {
    std::string leaf;
    std::string before;  // Its live dots before, as LeafValue bytes; empty if there were none.
  };

  std::string keyspace;
  // Who made the change, and when by its clock; nothing and 0 of a pass, which brings what many changes
  // left behind.
  std::optional<ActorId> origin;
  std::uint64_t hlc = 0;
  bool local = false;        // Made by this replica.
  std::vector<Leaf> leaves;  // Each once, in the order of writing.
};

}  // namespace syncline
