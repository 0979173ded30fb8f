// Actors by number.
#pragma once

#include <cstdint>

#include "crdt/dot.h"

namespace syncline {

inline ActorId actor(std::uint8_t number) {
  ActorId id;
  id.bytes[0] = number;
  return id;
}

}  // namespace syncline
