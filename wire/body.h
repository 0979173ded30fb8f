// The columnar bodies of messages. Private to the codec.
//
// Each put_*() appends a body, each take_*() reads one of unknown origin and
// fails with `malformed` or `limit`. Memory is taken only after counts were
// checked against the bytes that are there.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crdt/bytes.h"
#include "crdt/error.h"
#include "crdt/leaf_key.h"
#include "crdt/row.h"
#include "wire/codec.h"
#include "wire/column.h"
#include "wire/message.h"

namespace syncline {

// What successive messages of one keyspace, in one direction of one
// connection, are coded against. Both ends change it alike.
struct KeyspaceStream {
  std::string leaf;                 // Of the last row pushed.
  std::uint64_t hlc = 0;            // Of the last change pushed.
  std::uint64_t stamp = 0;          // The last one pushed that was neither 0 nor its change's hlc.
  std::vector<std::uint64_t> last;  // By defined actor: the last counter pushed, 0 for none.

  // Counters of actors that were never defined aren't remembered, so that
  // memory stays below what was received.
  std::uint64_t last_of(std::uint32_t actor) const { return actor < last.size() ? last[actor] : 0; }
  void set_last(std::uint32_t actor, std::uint64_t counter) {
    if (actor < last.size()) last[actor] = counter;
  }
};

using KeyspaceStreams = std::map<std::uint32_t, KeyspaceStream>;

// The stream of a keyspace that came from outside: `limit` if its index is beyond any list.
Result<KeyspaceStream*> stream_of(std::uint64_t keyspace, KeyspaceStreams& streams, const WireLimits& limits);

// What the views of a decoded message point into.
struct MessageStorage {
  std::vector<std::uint64_t> words;  // The joined frames, behind a segment table.
  std::string body;                  // What a compressed one in them says.
  std::string keys;
  std::string dead_keys;
  std::vector<IndexedDot> dots;
  std::vector<RowView> rows;
  std::vector<IndexedLiveDot> live;
};

// What a body turns into.
struct BodyContent {
  std::size_t elements = 0;
  std::size_t key_bytes = 0;
};

// How many elements and key bytes a body may still turn into: its share by the
// limits. Taking more than is left says so and takes nothing.
class Budget {
 public:
  Budget(std::size_t body_bytes, const WireLimits& limits)
      : elements_(body_bytes * limits.elements_per_byte_max), key_bytes_(key_bytes_max(body_bytes, limits)) {}
  // Of one that came compressed, in so many bytes. An element of a chunk takes a hundred bytes of
  // memory: four of them for a byte are still less than what a push may ask for.
  static Budget of_compressed(std::size_t bytes, const WireLimits& limits) {
    Budget budget(bytes, limits);
    budget.elements_ *= 4;
    return budget;
  }

  [[nodiscard]] bool take_elements(std::uint64_t count) { return take(elements_, count); }
  [[nodiscard]] bool take_key_bytes(std::uint64_t count) { return take(key_bytes_, count); }
  [[nodiscard]] bool take(const BodyContent& content) {
    return take_elements(content.elements) && take_key_bytes(content.key_bytes);
  }

 private:
  static std::size_t key_bytes_max(std::size_t body_bytes, const WireLimits& limits) {
    return std::min(body_bytes * limits.key_bytes_per_byte_max + limits.leaf_key_bytes_max,
                    limits.message_bytes_max);
  }
  static bool take(std::size_t& left, std::uint64_t count) {
    if (count > left) return false;
    left -= static_cast<std::size_t>(count);
    return true;
  }

  std::size_t elements_;
  std::size_t key_bytes_;
};

void put_push(std::string& out, const Push& push, KeyspaceStreams& streams, const WireLimits& limits);
Result<void> take_push(std::string_view body, Push& push, MessageStorage& storage, KeyspaceStreams& streams,
                       const WireLimits& limits);

// Everything of a chunk but keyspace, pass, number, flags and coding, which stand in its struct; so does
// whether there is a frontier.
BodyContent put_chunk(std::string& out, const Chunk& chunk, KeyspaceStreams& streams,
                      const WireLimits& limits);
// `budget`: of the body as it came, compressed or not.
Result<void> take_chunk(std::string_view body, const Budget& budget, bool has_frontier, Chunk& chunk,
                        MessageStorage& storage, KeyspaceStreams& streams, const WireLimits& limits);

void put_status(std::string& out, const Status& status, KeyspaceStreams& streams);
Result<void> take_status(std::string_view body, Status& status, KeyspaceStreams& streams,
                         const WireLimits& limits);

void put_cut(std::string& out, const Cut& cut, KeyspaceStreams& streams);
Result<void> take_cut(std::string_view body, Cut& cut, KeyspaceStreams& streams, const WireLimits& limits);

void put_ask(std::string& out, const Ask& ask);
Result<void> take_ask(std::string_view body, Ask& ask, const WireLimits& limits);

// Definitions, version and, if there is one, base and start of the resume point.
void put_want(std::string& out, const Want& want, KeyspaceStreams& streams);
Result<void> take_want(std::string_view body, Want& want, KeyspaceStreams& streams, const WireLimits& limits);

// The rest of a Want: all that digest passes need.
void put_request(std::string& out, const Want& want);
Result<void> take_request(std::string_view body, Want& want, MessageStorage& storage,
                          const WireLimits& limits);

void put_ranges(std::string& out, const Ranges& ranges);
Result<void> take_ranges(std::string_view body, Ranges& ranges);

void put_sketch(std::string& out, const Sketch& sketch);
Result<void> take_sketch(std::string_view body, Sketch& sketch, const WireLimits& limits);

// Parts that several bodies have.

// Ascending numbers.
void put_symbols(std::string& out, const std::vector<std::uint64_t>& symbols);
Result<void> take_symbols(ByteReader& in, std::vector<std::uint64_t>& symbols, const WireLimits& limits);

void put_definitions(std::string& out, const std::vector<ActorId>& definitions, KeyspaceStream& stream);
Result<void> take_definitions(ByteReader& in, std::vector<ActorId>& definitions, KeyspaceStream& stream,
                              const WireLimits& limits);

void put_version(std::string& out, const std::vector<IndexedDot>& version);
Result<void> take_version(ByteReader& in, std::vector<IndexedDot>& version, const WireLimits& limits);

void put_digests(std::string& out, const DigestPair& digests);
Result<void> take_digests(ByteReader& in, DigestPair& digests);

// Numbers as they are or as differences to the one before, whichever is
// smaller. Counters of leaves in key order run on if they were written in key
// order, and are as good as random otherwise.
void put_sequence(std::string& out, std::span<const std::uint64_t> values, ColumnForm form);
[[nodiscard]] bool take_sequence(ByteReader& in, std::span<std::uint64_t> values);

// HLC timestamps: their milliseconds as differences, their logical counters as
// a sequence. `before` is the one that the first is coded against.
void put_times(std::string& out, std::span<const std::uint64_t> times, std::uint64_t before, ColumnForm form);
[[nodiscard]] bool take_times(ByteReader& in, std::span<std::uint64_t> times, std::uint64_t before);

// For estimates from above.
inline constexpr std::size_t time_bytes_max = 7 + 3;  // Milliseconds and logical counter.
// A key with its two lengths, and its share of block headers of all columns.
inline std::size_t leaf_key_bytes_estimate(std::string_view leaf) { return leaf.size() + 7; }

// Narrows an index that came as a varint.
Result<std::uint32_t> to_index(std::uint64_t value, const char* what);

// Front-coded leaf keys: for each the bytes shared with the one before, the
// length without the last two, which are always the same, and then all the
// rest of all keys.
class LeafWriter {
 public:
  LeafWriter(std::string_view previous, ColumnForm form) : previous_(previous), form_(form) {}

  // `leaf` must outlive the writer, as must the previous one.
  void add(std::string_view leaf);
  void put(std::string& out) const;
  std::size_t key_bytes() const { return key_bytes_; }

 private:
  std::string_view previous_;
  ColumnForm form_;
  std::vector<std::uint64_t> shared_;
  std::vector<std::uint64_t> lengths_;
  std::string rest_;
  std::size_t key_bytes_ = 0;
};

// Reads `count` keys into `arena`, which must be empty and stay as it is while
// the views are used, and calls `each(view)` in order.
template <class Each>
Result<void> take_leaves(ByteReader& in, std::size_t count, std::string_view previous, Budget& budget,
                         const WireLimits& limits, std::string& arena, const Each& each) {
  ColumnMemory memory;
  Column shared(count, memory.get());
  Column lengths(count, memory.get());
  if (!take_column(in, shared) || !take_column(in, lengths)) {
    return failure(Errc::malformed, "leaf keys: bad column");
  }
  std::size_t arena_bytes = 0;
  for (const std::uint64_t length : lengths) {
    if (length + 2 > limits.leaf_key_bytes_max) return failure(Errc::limit, "leaf key: too long");
    arena_bytes += static_cast<std::size_t>(length) + 2;
  }
  if (!budget.take_key_bytes(arena_bytes)) return failure(Errc::limit, "leaf keys: too many bytes");
  arena.resize(arena_bytes);
  std::size_t at = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (shared[i] > previous.size() || shared[i] > lengths[i]) {
      return failure(Errc::malformed, "leaf key: shares more than there is");
    }
    const auto kept = static_cast<std::size_t>(shared[i]);
    const auto rest = in.take(lengths[i] - shared[i]);
    if (!rest) return failure(Errc::malformed, "leaf key: cut short");
    char* const key = arena.data() + at;
    std::memcpy(key, previous.data(), kept);
    std::memcpy(key + kept, rest->data(), rest->size());
    key[kept + rest->size()] = '\x00';
    key[kept + rest->size() + 1] = '\x01';
    previous = {key, kept + rest->size() + 2};
    at += previous.size();
    if (!is_leaf_key(previous)) return failure(Errc::malformed, "leaf key: not one");
    each(previous);
  }
  return {};
}

}  // namespace syncline
