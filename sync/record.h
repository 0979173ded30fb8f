// What the engine wants on disk, as one transaction, and what it needs back at start.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crdt/dot.h"
#include "crdt/export.h"
#include "wire/message.h"

namespace syncline {

// One entry of the recent log as it is stored. The bytes are the engine's own.
struct LogRecord {
  std::uint32_t actor = 0;  // Index into the keyspace's actors.
  std::uint64_t first = 0;
  std::string bytes;

  friend bool operator==(const LogRecord&, const LogRecord&) = default;
};

// The part of a record that concerns one keyspace. Lists hold what is new since
// the previous record; the rest replaces what is stored.
struct KeyspaceRecord {
  std::string name;
  bool dropped = false;  // Forget everything of it; all else is empty.
  std::vector<std::pair<std::string, std::string>>
      leaves;                       // To put; an empty value erases. Sorted, no leaf twice.
  std::vector<ActorId> actors;      // Appended to the keyspace's actors.
  std::vector<IndexedDot> version;  // Entries that changed.
  DigestPair digests;
  std::optional<std::uint32_t> self;                             // The actor written under, if there is one.
  std::vector<std::uint32_t> frontier;                           // Of the version; see KeyspaceHead.
  std::uint64_t leaf_count = 0;                                  // Live leaves.
  std::vector<LogRecord> log;                                    // Appended.
  std::vector<std::pair<std::uint32_t, std::uint64_t>> log_cut;  // (actor, first) of entries to forget.
  bool staged_cleared = false;                                   // Forget staged chunks before appending.
  std::vector<std::string> staged;                               // Chunks of an unfinished pass, appended.
};

// An update that is not to be done twice: see Keyspace::update(). The replica's own; the
// engine neither makes nor reads them.
struct TokenRecord {
  std::string keyspace;
  std::string token;

  friend bool operator==(const TokenRecord&, const TokenRecord&) = default;
};

// One transaction. Committing it whole or not at all is up to the store.
struct Record {
  static constexpr std::size_t tokens_max = 65'536;  // That a store keeps; the oldest go first.

  std::uint64_t sequence = 0;          // 1, 2, 3...
  std::uint64_t hlc = 0;               // The greatest timestamp made or taken in.
  std::optional<std::string> cluster;  // Replaces what is stored, if there is one.
  std::vector<KeyspaceRecord> keyspaces;
  std::vector<TokenRecord> tokens;  // Appended; a keyspace's go when it is dropped.
};

// What a store holds of a keyspace besides its leaves: what its records add up to.
struct KeyspaceHead {
  std::string name;
  std::vector<ActorId> actors;
  std::vector<IndexedDot> version;
  DigestPair digests;
  // The actor written under, told only if the store can prove that nothing else
  // continued what it holds (I5).
  std::optional<std::uint32_t> self;
  // Ascending: the actors whose last change no other change that is here follows. Nothing: any may be.
  std::vector<std::uint32_t> frontier;
  std::uint64_t leaf_count = 0;
  std::vector<LogRecord> log;  // In the order in which they were appended.
  // The log comes by Engine::restore_logs(), with at most so many entries; then `log` is empty.
  std::uint64_t log_later_max = 0;
  std::vector<std::string> staged;
};

// A log that its head left out, in the order in which it was appended.
struct KeyspaceLog {
  std::string name;
  std::vector<LogRecord> log;
};

struct Head {
  std::uint64_t hlc = 0;
  std::optional<std::string> cluster;
  std::uint64_t store_id = 0;  // Copies of a store have the same one; 0 for none.
  std::vector<KeyspaceHead> keyspaces;
  std::vector<TokenRecord> tokens;  // Oldest first.
};

// Adds a record to a head: what every store does with all but the leaves. Who
// is written under isn't added: that takes a proof, see KeyspaceHead::self.
SYNCLINE_EXPORT void apply(const Record& record, Head& head);

}  // namespace syncline
