// Messages to frames and back: the one place where bytes become values.
//
// A frame is eight bytes of header (length, type, checksum) and a body: a
// Cap'n Proto message of one segment whose bulk is columnar `Data`.
// docs/protocol.md describes every byte. A message larger than a frame is cut
// into several, all but the last marked as to be continued.
//
// Encoder and Decoder hold what one direction of one connection has in common:
// front-coding of keys, expected counters and timestamps of pushes go on from
// the previous push of the same keyspace. So frames must be decoded in the
// order in which they were encoded, none left out.
//
// Not thread-safe. No exception leaves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crdt/error.h"
#include "crdt/export.h"
#include "wire/message.h"

namespace syncline {

// What a codec accepts and makes. An encoder's limits must be within those of
// the decoder at the other end; the defaults are the protocol's.
struct WireLimits {
  std::size_t frame_bytes_max = 256 * 1024;          // Header included.
  std::size_t message_bytes_max = 32 * 1024 * 1024;  // After joining frames. Above change_bytes_max.
  std::size_t leaf_key_bytes_max = 64 * 1024;        // Escaped bytes of one leaf key.
  std::size_t text_bytes_max = 4 * 1024;             // Names, addresses, reasons, each.
  std::size_t list_entries_max = 1 << 16;            // Keyspaces, addresses, each.
  std::size_t actors_max = 1 << 20;                  // Definitions, entries of a version, each.
  // What a byte of body may turn into, so that run-length and front coding
  // can't ask for unbounded memory: rows, changes, leaves and dots together,
  // and bytes of leaf keys (these also stay below message_bytes_max).
  std::size_t elements_per_byte_max = 1;
  std::size_t key_bytes_per_byte_max = 64;
  // What a byte of a compressed body may turn into, then four times as many elements as above, and as
  // many bytes of keys.
  std::size_t body_bytes_per_byte_max = 64;
  std::size_t sketch_cells_max = 1 << 19;  // Of one digest pass, all its messages together.
};

// Cuts a byte stream into frames. Feed what arrived; take frames until there is none.
class SYNCLINE_EXPORT FrameSplitter {
 public:
  explicit FrameSplitter(WireLimits limits = {}) : limits_(limits) {}

  // Appends bytes from the stream. At most a frame and what was fed at once are held.
  void feed(std::string_view bytes);
  // The next whole frame, nothing yet, or `malformed` for a length over the
  // limit (then the stream can't go on). The view lives until the next call.
  Result<std::optional<std::string_view>> next();

 private:
  WireLimits limits_;
  std::string buffer_;
  std::size_t taken_ = 0;
};

class SYNCLINE_EXPORT Encoder {
 public:
  explicit Encoder(WireLimits limits = {});
  ~Encoder();
  Encoder(Encoder&&) noexcept;
  Encoder& operator=(Encoder&&) noexcept;

  // The frames of one message, in order. Every message made of them decodes to
  // an equal one, provided that it is well-formed and within the limits:
  //  - lists, texts and leaf keys as WireLimits say; the whole at most
  //    message_bytes_max (callers cut pushes and chunks to size by
  //    encoded_bytes_estimate(); over it the process ends);
  //  - leaf keys as leaf_key() makes them; rows of a change and leaves of a
  //    chunk in strict order of them; at least one row in a change;
  //  - counters from 1 to 2^64 - 2, those of all rows of a change; a row
  //    without payload has no stamp, either.
  // All frames must be sent, in this order, before those of the next message.
  // O(bytes); chunks O(dots log dots).
  std::vector<std::string> encode(const Message& message);

  // From now on chunks are compressed where that saves an eighth. Only for a peer
  // whose Hello said that it reads them (Hello::reads_zstd).
  void compress_chunks();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A decoded message and the bytes and arrays that its views point into. Copies
// share them.
struct Decoded {
  Message message;
  std::shared_ptr<const void> storage;
};

class SYNCLINE_EXPORT Decoder {
 public:
  explicit Decoder(WireLimits limits = {});
  ~Decoder();
  Decoder(Decoder&&) noexcept;
  Decoder& operator=(Decoder&&) noexcept;

  // Takes one frame, header included, and copies what it needs of it. Yields a
  // message when the frame completes one. What comes out is well-formed as
  // encode() wants it; whether it makes sense (actors that were defined,
  // keyspaces that exist) is for the session to see. Memory is bounded by a
  // multiple of the bytes received (see WireLimits), time is near linear in them.
  // Errors: `malformed`; `limit` for what is over WireLimits; `unsupported` for
  // a type of message that a newer peer may know. After an error the connection
  // is beyond repair: drop it and the decoder.
  Result<std::optional<Decoded>> decode(std::string_view frame);

  // Only a Hello of one frame of at most 4 KiB is accepted until this is called.
  void accept_all();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// How many bytes of body these take at most, but for what a message has once
// (under 256 bytes, definitions and version apart): to cut chunks and pushes to
// size. Usually a good deal more than what they take in the end. O(rows), O(dots).
SYNCLINE_EXPORT std::size_t encoded_bytes_estimate(const LeafView& leaf);
SYNCLINE_EXPORT std::size_t encoded_bytes_estimate(const RowName& row);
SYNCLINE_EXPORT std::size_t encoded_bytes_estimate(const ChangeView& change);

}  // namespace syncline
