// What peers say to each other, as values.
//
// Actors are written as small indices into the sender's dictionary, which grows
// by the `definitions` that ride on messages: definition i of a message names
// the next index not yet named on this connection, per keyspace. Keyspaces are
// indices into the sender's list of Keyspaces messages. The views in a message
// point into its own storage or, after decoding, into a Decoded's.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "crdt/dot.h"

namespace syncline {

// 128 bits of a published hash, summed modulo 2^128: finds accidents, not attackers.
struct Digest {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  friend auto operator<=>(const Digest&, const Digest&) = default;
};

// The sum over a version's entries and the sum over the live dots.
struct DigestPair {
  Digest context;
  Digest state;
  friend auto operator<=>(const DigestPair&, const DigestPair&) = default;
};

// A dot by dictionary index.
struct IndexedDot {
  std::uint32_t actor = 0;
  std::uint64_t counter = 0;
  friend auto operator<=>(const IndexedDot&, const IndexedDot&) = default;
};

// A row as it travels. Its dot is the change's first counter plus its place.
struct RowView {
  std::string_view leaf;
  std::span<const IndexedDot> removed;
  bool has_payload = false;  // Without, the row only removes; stamp and payload are empty.
  std::uint64_t stamp = 0;
  std::string_view payload;
};

// A change as it travels: rows in strict order of their leaves, at least one.
struct ChangeView {
  std::uint32_t actor = 0;
  std::uint64_t first = 0;
  std::uint64_t hlc = 0;
  std::span<const IndexedDot> dependencies;
  std::span<const RowView> rows;
};

// A live dot with its payload.
struct IndexedLiveDot {
  IndexedDot dot;
  std::uint64_t stamp = 0;
  std::string_view payload;
};

// All live dots of one leaf at the time a chunk was read; none says "absent".
struct LeafView {
  std::string_view leaf;
  std::span<const IndexedLiveDot> dots;
};

// Which leaf a dead dot's row touched.
struct RowName {
  IndexedDot dot;
  std::string_view leaf;
};

// First on every connection, both ways. The cluster is checked before anything else is parsed.
struct Hello {
  std::uint16_t protocol = 1;
  std::string cluster;
  std::array<std::uint8_t, 16> node{};  // This run of this replica; see SessionOptions.
  std::string address;                  // Where the sender can be dialled; empty if nowhere.
};

// The keyspaces the sender serves; each message appends to the list.
struct Keyspaces {
  std::vector<std::string> names;
};

// L0: one hash over the digest pairs of the keyspaces that both serve.
struct Tick {
  Digest hash;
};

// What the sender has on disk. `version` holds the entries that changed since
// the last Status of this keyspace on this connection. It acknowledges, too.
struct Status {
  std::uint32_t keyspace = 0;
  std::vector<ActorId> definitions;
  std::vector<IndexedDot> version;
  bool has_digests = false;  // Digests of exactly the version that this message completes.
  DigestPair digests;
  bool reply = false;  // Asks for the receiver's Status with digests.
};

// L1: changes in an order in which they can be applied.
struct Push {
  std::uint32_t keyspace = 0;
  std::vector<ActorId> definitions;
  std::vector<ChangeView> changes;
};

// How far a pass came that was cut: it goes on where it stopped.
struct Resume {
  std::vector<IndexedDot> base;   // The round names what lies between base...
  std::vector<IndexedDot> start;  // ...and start.
  bool from_nothing = false;      // First round of a full pass: all leaves, base is empty.
  std::string cursor;             // The last leaf staged.
};

// Asks for a pass. `version` is the asker's whole version, in its own dictionary.
struct Want {
  std::uint32_t keyspace = 0;
  std::vector<ActorId> definitions;
  std::vector<IndexedDot> version;
  std::uint32_t pass = 0;  // Chosen by the asker; chunks carry it.
  bool full = false;       // All leaves, even if log rows could name the differing ones.
  bool has_resume = false;
  Resume resume;
};

// A part of a pass: an atomic read of some leaves, and the version then.
struct Chunk {
  std::uint32_t keyspace = 0;
  std::uint32_t pass = 0;
  std::uint32_t number = 0;  // 0, 1, 2... within the pass, from where it was resumed.
  std::vector<ActorId> definitions;
  std::vector<IndexedDot>
      version;  // Entries that changed since the previous chunk of this pass; all in chunk 0.
  bool new_round =
      false;             // This chunk begins a round: base is the previous round's start, start this version.
  bool full = false;     // The pass's first round has all leaves: absence between them counts.
  bool closing = false;  // Completes the pass; the receiver commits.
  DigestPair digests;    // Of the state read by the closing chunk; zero elsewhere.
  std::vector<LeafView> leaves;  // In leaf order.
  std::vector<RowName> dead;     // Rows of missing dots that are live nowhere. By dot.
};

// The asked-for pass can't be given (the reason is for people). Ask anew, without resuming.
struct Refuse {
  std::uint32_t keyspace = 0;
  std::uint32_t pass = 0;
  std::string reason;
};

// Where other peers of the cluster can be dialled.
struct Addresses {
  std::vector<std::string> addresses;
};

// Says why the sender closes the connection.
struct Bye {
  std::uint16_t code = 0;  // An Errc.
  std::string reason;
};

// What the members have of a keyspace, as far as the sender has heard: gossip,
// the same whoever tells it. By epochs: in an open one each member adds what it
// has on disk; it closes when all have. See sync/stability.h.
struct Cut {
  std::uint32_t keyspace = 0;
  std::vector<ActorId> definitions;
  std::uint64_t members = 0;  // Hash of the list that counts.
  std::uint64_t epoch = 0;
  std::string acknowledged;             // Who has added: a bit for each of the list, low bits first; empty
                                        // once the epoch is closed.
  std::vector<IndexedDot> floor;        // What all members have: entries that grew since the last Cut of
                                        // this list on this connection.
  std::vector<IndexedDot> floor_heard;  // What they had together when they said so: entries above the floor.
  std::vector<IndexedDot> met;          // Of an open epoch: what all who added have; entries above the floor.
  std::vector<IndexedDot> heard;        // What they have together; entries above `met`.
};

using Message = std::variant<Hello, Keyspaces, Tick, Status, Push, Want, Chunk, Refuse, Addresses, Bye, Cut>;

}  // namespace syncline
