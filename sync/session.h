// One anti-entropy conversation between this replica and one peer.
//
// A Session decides what to say; it never says it. Tell it what happened with
// handle_*(), then drain poll_frame(), poll_event() and the engine's polls. It
// makes no system call, reads no clock and starts no thread, so equal inputs
// give equal outputs. The transport must deliver frames in order, none left
// out, or drop the connection: a new session then goes on where this one was.
//
// Layers (docs/protocol.md): L0 ticks compare one hash; L1 pushes changes as
// they are persisted; L2 and L4 passes bring what is missing, asked for by the
// side that misses it, one inbound pass per keyspace and replica at a time.
//
// Not thread-safe: it belongs to whoever owns its Engine.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "crdt/error.h"
#include "crdt/export.h"
#include "crdt/version.h"
#include "sync/engine.h"
#include "sync/time.h"
#include "wire/codec.h"

namespace syncline {

struct SessionOptions {
  std::string cluster = "default";      // Peers of another cluster are refused.
  std::array<std::uint8_t, 16> node{};  // This run of this replica. First half: the store, the same in all
                                        // its copies; then random bits.
  std::string address;                  // Told to the peer; empty if we can't be dialled.
  std::vector<std::string> keyspaces;   // Served on this session; empty means all, also later ones.
  std::chrono::milliseconds tick_interval{1'000};  // Between L0 ticks.
  std::chrono::milliseconds ack_delay{20};         // Acknowledgements gather this long.
  std::chrono::milliseconds pass_grace{200};       // What pushes may still bring isn't asked for earlier.
  std::chrono::milliseconds pass_timeout{5'000};   // An inbound pass without progress is given up.
  // A pass staged in place that no peer can go on with begins anew after so long.
  std::chrono::milliseconds join_patience{60'000};
  std::size_t chunk_bytes = 128 * 1024;  // Aim for one chunk of a pass; below the frame limit.
  std::size_t push_bytes = 64 * 1024;    // Aim for one push.
  std::size_t actors_named = 256;        // Of a keyspace, unasked: a hash tells of all that wrote earlier.
  bool relay = true;     // Push what other peers made, too. Off in a full mesh, where each pushes its own.
  bool compress = true;  // Passes, where it saves an eighth and the peer reads it.
  WireLimits limits;
};

// Connected and greeted: the peer's own claim of who it is.
struct PeerGreeted {
  std::array<std::uint8_t, 16> node;
  std::string address;
};
// The peer told where others can be dialled.
struct PeersLearned {
  std::vector<std::string> addresses;
};
// A verdict on one keyspace: the digest pairs of equal versions were compared.
struct KeyspaceCompared {
  std::string keyspace;
  bool equal;
};
using SessionEvent = std::variant<PeerGreeted, PeersLearned, KeyspaceCompared>;

struct SessionMetrics {
  std::uint64_t frames_in = 0, frames_out = 0;
  std::uint64_t bytes_in = 0, bytes_out = 0;         // Frames, headers included.
  std::uint64_t changes_in = 0, changes_out = 0;     // By push.
  std::uint64_t passes_in = 0, passes_out = 0;       // Completed.
  std::uint64_t full_passes_in = 0;                  // Of these, all leaves.
  std::uint64_t digest_passes_in = 0;                // Of these, leaves named by a sketch.
  std::uint64_t leaves_in = 0, leaves_out = 0;       // In chunks.
  std::uint64_t ticks_equal = 0, ticks_unequal = 0;  // L0 verdicts.
  std::uint64_t asks_in = 0, asks_out = 0;           // Requests.
  std::uint64_t asks_dropped = 0;                    // Of those that came in, because there were too many.
};

class SYNCLINE_EXPORT Session {
 public:
  // Speaks for `engine`, which must outlive the session. Both sides greet first.
  Session(Engine& engine, SessionOptions options, Time now);
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  // Takes one frame from the peer. On error nothing of it was merged: send what
  // poll_frame() still yields (it says why), close the connection and drop the
  // session; the engine is unharmed.
  [[nodiscard]] Result<void> handle_frame(Time now, std::string_view frame);

  // Does whatever fell due by `now`. Calling early or late is harmless.
  void handle_timeout(Time now);

  // The next frame to send, or nothing. Frames are made when asked for: ask
  // only while the transport has room, and nothing queues up here. Call it
  // after anything happened to the engine, too: new changes leave by it.
  [[nodiscard]] std::optional<std::string> poll_frame(Time now);

  // When handle_timeout() is next due, in monotonic time.
  [[nodiscard]] std::chrono::milliseconds poll_deadline() const;

  [[nodiscard]] std::optional<SessionEvent> poll_event();

  // Tells the peer where others can be dialled.
  void send_addresses(std::vector<std::string> addresses);
  // Compares now instead of at the next tick ("sync now").
  void tick_now(Time now);

  // Asks the peer for a change that it can make and we can't, about the object whose leaf key with an
  // empty element is `leaf`. `request` is the type's own, at most 64 bytes; it surfaces there as an Asked
  // event, unless it is dropped: nothing says so. A later one about the same object replaces one that wasn't
  // sent yet. Draws the keyspace's own actor if there is none. False if the peer doesn't share the keyspace,
  // or 64 requests wait to be sent.
  bool ask(std::string_view keyspace, std::string_view leaf, std::string_view request);

  // Greeted by the peer, and it may be spoken to.
  bool established() const;
  // Every keyspace that both serve was found equal at the last comparison, and
  // nothing changed here since.
  bool in_sync() const;
  // What the peer is known to have on disk; empty if nothing is known yet.
  Version peer_version(std::string_view keyspace) const;
  const SessionMetrics& metrics() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace syncline
