// How far a pass came that is staged in place.
//
// Into an empty keyspace a full pass may go leaf by leaf: memory stays that of
// the leaves, and each chunk is on disk when its record is. Until the closing
// chunk the keyspace is `joining`: it can't be read or written, its version is
// empty, and peers are told nothing of it. With nothing to merge with, a leaf is
// what was read last of it. Internal to sync/.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crdt/error.h"
#include "sync/counters.h"
#include "wire/message.h"

namespace syncline {

struct Joining {
  std::array<std::uint8_t, 16> peer{};  // The node that sent the last chunk.
  Counters base, start;                 // What the present round names; see Resume.
  bool from_nothing = true;             // The present round is the first: all leaves.
  Counters version;                     // The sender's at the last chunk.
  std::string cursor;                   // The last leaf of the present round; empty if none.
  std::uint64_t bytes = 0;              // Keys and values that came.
  Digest state;                         // Of the leaves that are here.
  // Monotonic time of the last chunk; nothing yet after a restart.
  std::optional<std::chrono::milliseconds> progress;

  // As the store keeps it, where other passes have their chunks.
  std::string to_bytes() const;
  static bool is_one(std::string_view bytes);
  // `damaged` unless all of it can be read and lies within a keyspace with so many actors.
  static Result<Joining> from_bytes(std::string_view bytes, std::uint32_t actors);
};

}  // namespace syncline
