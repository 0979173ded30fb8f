// Members: the replicas that count when it is asked what all have.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "crdt/dot.h"

namespace syncline {

// One entry of the list. See Replica::add_member().
struct Member {
  std::string id;     // Replica::member_id() of its store.
  std::string label;  // For people.
  // Under which ids its store says that it writes: none until it has heard that it is listed. After a crash
  // or a restore it says another one, which replaces the former. Several: copies of the store are alive, and
  // all of them have to acknowledge.
  std::vector<ActorId> incarnations;
  bool self = false;
};

// How far one keyspace's stability has come. See Keyspace::stability().
struct StabilityReport {
  std::size_t members = 0;               // On the list; 0: nothing can be known.
  std::vector<std::string> waiting_for;  // Ids of members whose acknowledgement is outstanding.
  // For how long something on this disk has waited to be stable; zero if nothing does. Nothing if no
  // epoch of this list was ever complete.
  std::optional<std::chrono::milliseconds> age;
};

// What Keyspace::collect() did.
struct Collected {
  std::size_t leaves = 0;  // Whose markers were dropped.
  bool finished = false;   // The walk came to its end; the next call begins a new one.
};

}  // namespace syncline
