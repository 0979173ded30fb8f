// A pass as its receiver holds it until the closing chunk: outside the state.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crdt/bytes.h"
#include "crdt/error.h"
#include "sync/counters.h"
#include "wire/message.h"

namespace syncline {

// A version as stored passes have it. Taking says whether it was one of a keyspace with so many actors.
void put_counters(std::string& out, const Counters& counters);
[[nodiscard]] bool take_counters(ByteReader& in, std::uint32_t actors, Counters& counters);
struct PassBasis;

// One chunk: leaves as stored values in the receiver's indices, and the
// sender's version when it read them.
struct StagedChunk {
  Counters version;
  bool new_round = false;
  std::vector<std::pair<std::string, std::string>> leaves;  // In leaf order; an empty value says "absent".
  std::vector<std::pair<IndexedDot, std::string>> dead;     // Rows of dots that are live nowhere.

  std::size_t memory_bytes() const;
  std::string to_bytes() const;
  // As a store gives it back to a keyspace with so many actors. `damaged` unless
  // all of it can be read and lies within that.
  static Result<StagedChunk> from_bytes(std::string_view bytes, std::uint32_t actors);
};

struct StagedPass {
  std::array<std::uint8_t, 16> peer{};   // The node that sends it.
  std::uint32_t id = 0;                  // As named in Want.
  const void* owner = nullptr;           // The session that receives it.
  std::chrono::milliseconds progress{};  // Monotonic time of the last chunk, or of the Want.

  bool full = false;        // All leaves: absence counts.
  bool repair = false;      // Versions are distrusted: never removes.
  bool mends = false;       // Asked for to mend lost leaves.
  bool in_place = false;    // Its chunks go into the keyspace's leaves (sync/joining.h), none is kept here.
  bool resumes = false;     // In place: goes on where the one before was cut.
  Counters asked;           // The receiver's version when it asked.
  bool by_digests = false;  // Asked for as a digest pass.
  // Of a digest pass, from when our sketch was made. Not stored: such a pass begins anew.
  std::shared_ptr<PassBasis> basis;
  Counters base, start;       // What the present round names; see Resume.
  bool from_nothing = false;  // The present round is the first of a full pass.
  std::vector<StagedChunk> chunks;
  std::size_t bytes = 0;
  bool closed = false;
  DigestPair digests;                   // The sender's at the closing chunk...
  std::vector<std::uint32_t> frontier;  // ...and its frontier; nothing if it didn't tell.

  // Appends a chunk and moves base and start along.
  void stage(StagedChunk chunk);
  // The sender's version at the newest chunk.
  const Counters& version() const { return chunks.back().version; }
  // The last leaf staged in the present round; empty if none.
  std::string_view cursor() const;
  // As the store keeps it: a first element with the facts above, then chunks. `damaged` as before.
  std::string header_bytes() const;
  static Result<StagedPass> from_bytes(const std::vector<std::string>& staged, std::uint32_t actors);
};

}  // namespace syncline
