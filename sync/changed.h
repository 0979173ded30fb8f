// What the engine tells its replica of: changes of watched keyspaces, requests of peers.
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

// A peer asks for a change that this replica may be able to make; see Session::ask(). Whether and how is up
// to the type's code; nobody waits for an answer.
struct Asked {
  std::string keyspace;
  ActorId asker;        // Who is to be served.
  std::string leaf;     // The object's leaf key with an empty element.
  std::string request;  // The type's own.
};

}  // namespace syncline
