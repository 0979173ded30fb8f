// What peers say to each other, as values.
//
// Actors are written as small indices into the sender's dictionary, which grows
// by the `definitions` that ride on messages: definition i of a message names
// the next index not yet named on this connection, per keyspace. Each actor is
// named once at most, and most never: what a version says of actors that its
// sender hasn't named follows from what both sides know (see Status). Keyspaces are
// indices into the sender's list of Keyspaces messages. The views in a message
// point into its own storage or, after decoding, into a Decoded's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
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
  // What the sender can read beyond the protocol's version, each a bit of `reads`.
  static constexpr std::uint16_t reads_zstd = 1;  // Compressed chunks.

  std::uint16_t protocol = 1;
  std::uint16_t reads = 0;
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

// With very many actors most are long gone and the same on both sides. They go
// without names: `rest` is the sum over the entries of all actors that the
// sender hasn't named so far. A receiver whose own entries beside those named
// by the sender add up to the same has the same, and `knows`. Later changes of
// them are told like any others, and name them; or, if they are many, in another
// statement, whose rest is taken anew.
struct Rest {
  Digest sum;
  std::uint32_t statement = 0;  // 1, 2, 3... of this sender on this connection.
  std::uint32_t heard = 0;  // So many names of the receiver's came, and are named in turn where it matters.
  friend bool operator==(const Rest&, const Rest&) = default;
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
  // Only with digests:
  std::optional<Rest> rest;  // Nothing once all are named, or the receiver said that it knows.
  std::uint32_t knows = 0;   // The sender knows all that the receiver has, by this statement of its.
  bool more = false;         // It doesn't, and asks for more names.
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

// Some of the 2^bits ranges of leaves (a leaf belongs to one by the hash of its
// key), and if told a short digest of what is in each: equal contents have equal
// ones, others most likely not.
struct RangeList {
  static constexpr unsigned bits_max = 12;

  unsigned bits = 0;
  std::vector<std::uint32_t> ranges;   // Ascending.
  std::vector<std::uint16_t> digests;  // One for each range, or none at all.
};

// Asks for a pass. `version` is the asker's whole version, in its own dictionary; what it hasn't
// named is as its Status told. In `resume` that is as in `version`.
struct Want {
  std::uint32_t keyspace = 0;
  std::vector<ActorId> definitions;
  std::vector<IndexedDot> version;
  std::uint32_t pass = 0;  // Chosen by the asker; chunks carry it.
  bool full = false;       // All leaves, even if log rows could name the differing ones.
  bool has_resume = false;
  Resume resume;
  // What a digest pass needs; all of it is left out by who doesn't know of them.
  bool knows_digests = false;
  bool repair = false;            // Versions are distrusted: the asker will remove nothing.
  bool by_digests = false;        // Digests are to name the leaves; `ranges` has the asker's.
  std::uint64_t leaves = 0;       // How many the asker has.
  std::uint64_t salt = 0;         // Keys the digests of ranges and the sketch.
  RangeList ranges;               // With by_digests: of all ranges, with digests.
  std::vector<std::string> lost;  // Leaves to be named, too: the asker lost what it had of them.
};

// Answers a Want: digests shall name the leaves, and these are the sender's.
struct Ranges {
  std::uint32_t keyspace = 0;
  std::uint32_t pass = 0;
  std::uint64_t leaves = 0;  // How many the sender has.
  RangeList list;            // Those that may differ; without digests: all of these do.
};

// Coded symbols of the leaves in the differing ranges of the asker of a pass.
struct Sketch {
  std::uint32_t keyspace = 0;
  std::uint32_t pass = 0;
  RangeList list;           // The differing ranges, without digests; told with the first symbols only.
  std::uint64_t first = 0;  // Place of the first of these symbols.
  std::vector<std::uint64_t> cells;  // sync/sketch.h
};

// The symbols so far don't decode.
struct MoreSymbols {
  std::uint32_t keyspace = 0;
  std::uint32_t pass = 0;
  std::uint64_t count = 0;  // So many more.
};

// A part of a pass: an atomic read of some leaves, and the version then.
struct Chunk {
  std::uint32_t keyspace = 0;
  std::uint32_t pass = 0;
  std::uint32_t number = 0;  // 0, 1, 2... within the pass, from where it was resumed.
  std::vector<ActorId> definitions;
  std::vector<IndexedDot> version;  // Entries that changed since the previous chunk of this pass; in chunk 0
                                    // all that the sender has named so far. What it hasn't named is as in
                                    // the Want.
  bool new_round =
      false;             // This chunk begins a round: base is the previous round's start, start this version.
  bool full = false;     // The pass's first round has all leaves: absence between them counts.
  bool closing = false;  // Completes the pass; the receiver commits.
  bool by_digests = false;  // Of a digest pass.
  DigestPair digests;       // Of the state read by the closing chunk; zero elsewhere.
  // There, too: the actors whose last change no other change of that state follows. Nothing if they are
  // too many.
  std::vector<std::uint32_t> frontier;
  std::vector<LeafView> leaves;  // In leaf order.
  std::vector<RowName> dead;     // Rows of missing dots that are live nowhere. By dot.
  // In chunk 0 of a digest pass: names of the receiver's own symbols that the sender lacks.
  // Their leaves are others here, or absent. Ascending, below 2^48.
  std::vector<std::uint64_t> symbols;
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
  // Where these have very many entries: they are told of all actors that the sender has named, and of all
  // others are as its Status told.
  bool floor_as_status = false;
  bool met_as_status = false;
};

// Asks for a change that the receiver can make and the sender can't. What is asked is
// between two replicas' code of a type: nobody else reads it, or passes it on.
struct Ask {
  static constexpr std::size_t bytes_max = 64;

  std::uint32_t keyspace = 0;
  ActorId asker;      // Who is to be served: what the asking replica writes under.
  std::string leaf;   // The object's leaf key with an empty element.
  std::string bytes;  // The type's own.
};

using Message = std::variant<Hello, Keyspaces, Tick, Status, Push, Want, Chunk, Refuse, Addresses, Bye, Cut,
                             Ranges, Sketch, MoreSymbols, Ask>;

}  // namespace syncline
