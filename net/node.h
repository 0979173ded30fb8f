// A node: a replica on the network.
//
// Listens, dials, keeps links alive and pumps sessions over TCP, on a thread of
// its own or on the caller's libuv loop. It decides nothing about data: that is
// the session's. Every node links to every other it learns of (a full mesh), and
// tells newcomers whom it knows, so joining any one peer is enough to meet all.
// What a node doesn't get by push, anti-entropy brings: each link compares once
// per tick, and ticks are the keep-alive, too.
//
// Plaintext needs no switch on loopback; anywhere else it needs
// `insecure_plaintext`, and says so in the log.
//
// Threads: without a loop of the caller's, every function may be called from
// any thread; stop(), the destructor and the waits from any but the node's own.
// With one, start(), stop() and the destructor belong to the loop's thread, the
// rest to any. Nothing is called with a lock held.
//
// Time: only the monotonic clock counts. A process that was stopped or a machine
// that slept blames nobody for its own silence.
//
// Fork: a node doesn't survive fork(); start it after. Its sockets are closed on exec.
//
// Signals: libuv's writes can raise SIGPIPE in the thread that makes them. The
// node's own thread has all signals blocked, so handlers run on the host's
// threads. The thread of a caller's loop gets SIGPIPE blocked by start(), for
// good. No handler is installed and nothing is set for the whole process.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "crdt/error.h"
#include "crdt/export.h"
#include "store/replica.h"

struct uv_loop_s;

namespace syncline {

// What is known about one peer.
struct PeerState {
  enum class State {
    dialling,     // Being resolved or connected to.
    handshaking,  // Connected, not yet greeted.
    connected,    // Greeted: in the mesh.
    waiting,      // Will be dialled when its rest after a failure is over.
    blocked,      // See Node::block().
    refused,      // Turned up and never got past the greeting; only the last few are kept, for the reason.
  };
  std::string address;  // As the peer tells it, else as dialled; empty for a peer that can't be dialled.
  State state{};
  bool outbound = false;   // We dialled.
  std::string last_error;  // Why the last try or link ended; empty if none did.
  std::chrono::milliseconds last_synced{
      -1};               // When it was last found equal, in monotonic time of Replica::now(); -1: never.
  bool in_sync = false;  // Found equal at the last comparison, and nothing changed here since.
  std::size_t write_queue_bytes = 0;  // Waiting for the peer to read.
  SessionMetrics traffic;             // Of the present link.
};

struct NodeOptions {
  // No default: must be named, in at most 255 bytes. Checked first in each handshake; the replica is bound to
  // it.
  std::string cluster;
  // "127.0.0.1:0", "[::1]:7946", "localhost:0": a number or localhost. Empty: dial only. Port 0 lets the
  // system choose.
  std::string listen;
  // What peers are told to dial. Empty: the listening address; if that is 0.0.0.0 or [::], peers take
  // the address they see us at, with our port.
  std::string advertise;
  // Dialled and, when lost, dialled again, for ever. Names may resolve to many addresses.
  std::vector<std::string> join;
  std::vector<std::string> keyspaces;  // Served; empty means all.
  bool insecure_plaintext = false;     // Listen and dial off this machine without encryption.
  // Push on what other peers made. A mesh doesn't need it, for there each pushes its own to all; a star
  // of peers that can't dial each other is faster with it.
  bool relay = false;

  std::chrono::milliseconds tick_interval{
      1'000};  // Between comparisons; each link's is off by up to a fifth.
  std::chrono::milliseconds dead_after{
      15'000};  // A link so long silent, or not reading, is closed. At least two ticks.
  std::chrono::milliseconds handshake_timeout{5'000};  // To resolve; to connect; to greet.
  std::chrono::milliseconds backoff_min{100};          // Rest after a failed try, doubled with jitter...
  std::chrono::milliseconds backoff_max{15'000};       // ...up to this.
  std::size_t failures_max = 100;  // In a row; then an address not in `join` is forgotten.

  std::size_t write_queue_bytes_max =
      1024 * 1024;                   // Frames for a peer are made only below this. At least 4 KiB.
  std::size_t peers_max = 256;       // Links to greeted peers, and addresses remembered.
  std::size_t handshakes_max = 128;  // Links from outside not yet greeted; one host gets half of them.
  std::size_t dials_max = 32;        // Under way at once.
  std::uint64_t seed = 0;            // Of all jitter; 0 draws one.

  SessionOptions
      session;  // Its cluster, node, address, keyspaces, tick_interval and relay are set by the node.
  // Called on the node's thread when a peer was greeted and when a greeted one was lost. It may call
  // anything that its thread may.
  std::function<void(const PeerState&)> on_peer;
  uv_loop_s* loop = nullptr;  // Run on this loop, whose thread calls start(); else on an own thread.
};

class SYNCLINE_EXPORT Node {
 public:
  // Starts on `replica`, which must outlive the node and stay where it is.
  // Errors: `invalid_argument` for what the options say, `network` for an
  // address that can't be listened on, `wrong_cluster` for a replica that
  // belongs to another one. Returns without waiting for any peer.
  static Result<Node> start(Replica& replica, NodeOptions options);
  Node(Node&&) noexcept;
  // Stops the node that was here.
  Node& operator=(Node&&) noexcept;
  // stop().
  ~Node();
  // Closes all links, after flushing what there is to say, for up to a second.
  // On an own thread it returns when all is done. On a caller's loop it returns
  // at once, and the sockets are flushed and closed as the loop runs on (at most
  // what their queues hold); the replica isn't used any more. Idempotent.
  void stop();

  // The port it listens on; 0 if it doesn't.
  std::uint16_t port() const;
  // "host:port" as told to peers; empty if it can't be dialled.
  std::string address() const;

  // As if it had stood in NodeOptions::join. `invalid_argument` for what is no
  // address, `closed` after stop().
  Result<void> join(std::string address);
  // Links, and addresses without one. O(peers).
  std::vector<PeerState> peers() const;
  // Waits until every connected peer (and at least one) was found equal and
  // nothing changed here since. `timeout`, or `closed` when the node stops; not
  // from the node's thread (`invalid_argument`).
  Result<void> wait_until_synced(std::chrono::milliseconds timeout);
  // Compares with all peers now.
  void sync_now();
  // Closes all links, dials no more and turns away who dials in; resume() undoes
  // it. Writing goes on.
  void pause();
  void resume();
  // Refuses links with peers that tell these addresses, closes present ones, and
  // doesn't dial them: a cut cable, for demonstrations and tests. Replaces the
  // previous list; an empty one heals. What is no address is ignored.
  void block(std::vector<std::string> addresses);
  // Runs `work` on the node's thread: the way in from other threads. Dropped, as
  // are the calls above, if the node stops first.
  void post(std::function<void()> work);

  // Sums over all links so far, closed ones included.
  SessionMetrics traffic() const;

 private:
  struct Impl;
  explicit Node(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace syncline
