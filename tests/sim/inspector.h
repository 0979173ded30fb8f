// Reads all that leaves a replica and holds it against the replica's disk.
//
// Nothing may leave the process before what it covers is on disk (I4): no
// change, version, digest or leaf. Rows must travel as they were made.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sync/engine.h"
#include "tests/sim/disk.h"
#include "tests/sim/oracle.h"
#include "wire/codec.h"

namespace syncline::sim {

// What was seen on the wire: to know that a run reached what it should.
struct WireCounts {
  std::uint64_t frames = 0;
  std::uint64_t continued = 0;  // Frames of messages that take several.
  std::uint64_t pushes = 0;
  std::uint64_t chunks = 0;
  std::uint64_t closing = 0;
  std::uint64_t full_chunks = 0;
  std::uint64_t dead_rows = 0;
  std::uint64_t new_rounds = 0;  // Beyond a pass's first.
  std::uint64_t wants = 0;
  std::uint64_t resumed = 0;
  std::uint64_t refused = 0;
};

// One direction of one connection.
class FrameInspector {
 public:
  explicit FrameInspector(WireLimits limits) : decoder_(limits) { decoder_.accept_all(); }

  // `disk` is the sender's and `engine` reads its leaf values; without a disk
  // everything the engine has counts as persisted. `oracles` by keyspace; rows are held
  // against them if `strict`.
  Finding inspect(std::string_view frame, const Engine& engine, const Disk* disk,
                  std::map<std::string, Oracle, std::less<>>& oracles, WireCounts& counts, bool strict);

 private:
  struct Keyspace {
    std::vector<ActorId> actors;    // The sender's dictionary.
    std::set<ActorId> named;        // The same.
    Version status;                 // What was told of these.
    std::uint32_t statement = 0;    // The newest that told of all others by a sum...
    std::optional<Version> rest;    // ...and what these were then; nothing if that isn't known.
    Version chunk;                  // What a pass told so far...
    std::set<ActorId> chunk_named;  // ...of these; of all others it is what the asker has.
  };
  struct Sender {
    const Engine& engine;
    const Disk* disk;
    std::string_view name;
    Oracle* oracle;  // None if rows may be anybody's.
    const Version& persisted;
    bool just_made;  // The message's first frame is this one: nothing was committed since it was made.
  };

  Finding inspect_version(const std::vector<IndexedDot>& entries, const Keyspace& keyspace,
                          const Sender& sender, Version& version) const;
  Finding inspect_status(const Status& status, Keyspace& keyspace, const Sender& sender) const;
  Finding inspect_rest(const Rest& rest, Keyspace& keyspace, const Sender& sender) const;
  Finding inspect_digests(const DigestPair& digests, const Sender& sender) const;
  Finding inspect_push(const Push& push, const Keyspace& keyspace, const Sender& sender) const;
  Finding inspect_chunk(const Chunk& chunk, Keyspace& keyspace, const Sender& sender) const;

  Decoder decoder_;
  std::vector<std::string> names_;
  bool mid_message_ = false;
  std::map<std::uint32_t, Keyspace> keyspaces_;
};

}  // namespace syncline::sim
