// A replica: what an offline app opens.
//
// It owns an engine and a store and pumps them. It works with no network, for
// ever; a Node (net/node.h) or any transport of the caller's gives it peers.
//
// Thread-safe: one lock guards each call. Watchers run without it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crdt/error.h"
#include "crdt/export.h"
#include "store/keyspace.h"
#include "sync/engine.h"
#include "sync/session.h"
#include "sync/time.h"

namespace syncline {

enum class LogLevel { debug, info, warning, error };

// A line of the log: a text and fields, for the host's own logger.
using LogHook = std::function<void(LogLevel level, std::string_view text,
                                   const std::vector<std::pair<std::string, std::string>>& fields)>;

struct ReplicaOptions {
  // Where the store is. Empty: in memory, gone with the process. (Files come with the durable store.)
  std::string path;
  EngineOptions engine;               // `entropy` is filled from the system when it is all zero.
  std::function<Time()> clock;        // The system's clocks when empty.
  LogHook log;
};

class SYNCLINE_EXPORT Replica {
 public:
  static Result<Replica> open(ReplicaOptions options = {});
  Replica(Replica&&) noexcept;
  Replica& operator=(Replica&&) noexcept;
  ~Replica();  // Closes: later calls on handles fail with `closed`.

  // The keyspace of that name, made if it is new.
  Keyspace keyspace(std::string_view name);
  std::vector<std::string> keyspaces() const;
  // Forgets the keyspace here; other replicas keep it.
  Result<void> drop_keyspace(std::string_view name);

  EngineMetrics metrics() const;
  // Notices (divergence, amnesia, drift...) since the last call; also logged as they happen.
  std::vector<Notice> notices();

  // The cluster this store belongs to: bound by the first join, checked by every later one.
  Result<void> bind_cluster(std::string_view cluster);

  // ---- for transports ----
  // A Link is one Session with the replica's lock around it. The caller moves
  // frames: bytes from the peer into receive(), what send() yields to the peer,
  // and calls run() when deadline() has come. `wake` is called, from any thread
  // and without the lock, when send() may have something new to say.
  class Link;
  std::unique_ptr<Link> connect(SessionOptions options, std::function<void()> wake);

  // Time as this replica reads it.
  Time now() const;
  // Writes a line to the replica's log hook, if it has one: so that a transport's lines go where the
  // replica's do. Any thread; the hook runs on it, without the lock.
  void log(LogLevel level, std::string_view text,
           const std::vector<std::pair<std::string, std::string>>& fields = {}) const;

 private:
  explicit Replica(std::shared_ptr<ReplicaState> state);
  std::shared_ptr<ReplicaState> state_;
};

class SYNCLINE_EXPORT Replica::Link {
 public:
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // Takes bytes off the stream, any number of frames or parts of one. On error
  // send() may still yield a last frame that says why; then close.
  Result<void> receive(std::string_view bytes);
  // The next frame for the peer, or nothing. Ask only while the transport has room.
  std::optional<std::string> send();
  // Does what fell due.
  void run();
  // When run() is next due, in monotonic time of Replica::now().
  std::chrono::milliseconds deadline() const;

  std::optional<SessionEvent> poll_event();
  void send_addresses(std::vector<std::string> addresses);
  void tick_now();
  bool established() const;
  bool in_sync() const;
  Version peer_version(std::string_view keyspace) const;
  SessionMetrics metrics() const;

 private:
  friend class Replica;
  struct Impl;
  explicit Link(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace syncline
