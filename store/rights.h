// Rights of bounded counters that a peer asks for: what a replica is asked about.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "crdt/dot.h"

namespace syncline {

// See ReplicaOptions::give_rights.
struct RightsAsked {
  std::string keyspace;
  std::string key;
  std::vector<std::string> path;  // The names in maps that lead from the key to the counter.
  ActorId asker;                  // Who would get them: what the peer says it writes under.
  std::int64_t lacking = 0;       // So many it lacks of what it would like to hold, as seen here.
  std::int64_t held = 0;          // So many this replica holds.
};

}  // namespace syncline
