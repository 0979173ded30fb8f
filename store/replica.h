// A replica: what an offline app opens.
//
// It owns an engine and a store and pumps them. It works with no network, for
// ever; a Node (net/node.h) or any transport of the caller's gives it peers.
//
// Thread-safe: one lock guards each call. Watchers, the log hook and the `wake`
// functions of links run without it, so they may call the replica.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crdt/error.h"
#include "crdt/export.h"
#include "store/file_health.h"
#include "store/keyspace.h"
#include "store/member.h"
#include "store/record_store.h"
#include "store/rights.h"
#include "sync/engine.h"
#include "sync/session.h"
#include "sync/time.h"

namespace syncline {

enum class LogLevel { debug, info, warning, error };

// A line of the log: a text and fields, for the host's own logger. Called from
// whichever thread it happened on, perhaps from several at once.
using LogHook = std::function<void(LogLevel level, std::string_view text,
                                   const std::vector<std::pair<std::string, std::string>>& fields)>;

// When an update is on disk. docs/durability.md says what each promises.
enum class Durability {
  durable,  // A commit waits for the disk: what was acknowledged survives power failures.
  relaxed,  // It doesn't: survives the process; a power failure may take the last commits back.
};

struct ReplicaOptions {
  // The file of the store, made if it isn't there; its side files are named
  // after it. Empty: in memory, gone with the process.
  std::string path;
  Durability durability = Durability::durable;
  // A store of the caller's own instead (store/record_store.h).
  std::shared_ptr<RecordStore> store;
  // Memory for a replica in a file, which may be far larger: a quarter for the recent logs of all
  // keyspaces together (each is also bounded by EngineOptions::log_bytes_max), the rest for what was
  // read. At least a few MiB. Beside it stand the ids of all writers, changes on their way (five times
  // their size while one is written), and passes that are being received (EngineOptions::staged_bytes_max).
  std::size_t memory_bytes = std::size_t{256} << 20;
  // Zero: each update returns after its own commit. Else commits are gathered
  // for so long: update() returns at once, and flush() or durable() tells when
  // it is on disk. A commit comes earlier when much is waiting.
  std::chrono::milliseconds commit_window{0};
  // A replica in a file reads all of it through in so much time while it is open, a little at a time,
  // in search of damage: see health(). Zero: only when scrub() is called.
  std::chrono::milliseconds scrub_period = std::chrono::hours(24);
  // How many rights of a bounded counter to give to a peer that asks (BasicBoundedView::request()): less than
  // 0 is 0, more than is lacking or held is that. Empty: half of what is held, rounded up, so that the last
  // can be had, too; who asks for ever then gets all but what is spent here. To keep some, or to give to some
  // only: give a function. Called under the lock, it must not call the replica; if it throws, nothing is
  // given.
  std::function<std::int64_t(const RightsAsked&)> give_rights;
  EngineOptions engine;         // `entropy` is drawn from the system when it is all zero.
  std::function<Time()> clock;  // The system's clocks when empty. Called under the lock.
  LogHook log;
  // While there are members and a link runs, so many leaves a second are looked at for what
  // may be collected (Keyspace::collect()), one keyspace after the other. Zero: only when called.
  std::size_t collect_leaves = 1'024;
  std::size_t events_max = 65'536;  // Events that may wait for slow watchers; see Keyspace::watch().
};

class SYNCLINE_EXPORT Replica {
 public:
  // Notices that are kept for notices(); older ones are only in the log.
  static constexpr std::size_t notices_max = 1'024;

  // Errors: `storage` if the file can't be opened or another process has it (the
  // detail names it), `damaged`, `disk_full`; `unsupported` for a file of a newer
  // version; what a store of the caller's own failed with.
  static Result<Replica> open(ReplicaOptions options = {});

  // A replica that was moved from may only be assigned to or destroyed.
  Replica(Replica&&) noexcept;
  Replica& operator=(Replica&&) noexcept;
  // Closes: later calls on handles and links fail with `closed`, waits end. When
  // it returns no watcher runs or will be called, unless it is a watcher that
  // destroys the replica. Links may live on; the log hook must, until they and
  // all other calls have ended.
  ~Replica();

  // The keyspace of that name, made if it is new. One that can't be made (the
  // name, too many) answers every call with the reason.
  Keyspace keyspace(std::string_view name);
  // Names, sorted.
  std::vector<std::string> keyspaces() const;
  // Forgets the keyspace here; other replicas keep it. Handles on it fail with
  // `closed` until keyspace() makes it anew. All links
  // end (Link::error()); their peers connect anew. `invalid_argument` if there is none of that name.
  Result<void> drop_keyspace(std::string_view name);

  // ---- members: docs/guide.md, "Members" ----
  // The list of replicas that count when it is asked what all have (Keyspace::stable_version()). It is a
  // keyspace of its own, `syncline.members`, which all links share and update() refuses to write. Only
  // these calls change it; a member that is away stays listed, and stability waits for it.
  //
  // Names a store: 16 hexadecimal digits, the same for as long as the file lives, and in its copies. A
  // replica in memory has another one each time, and so has one whose file was lost.
  std::string member_id() const;
  // Lists a store, or gives it another label. It counts at once and is waited for until it was heard
  // from. `invalid_argument` for an id that can't be, a label above 256 bytes; else as update().
  Result<void> add_member(std::string_view id, std::string_view label = {});
  // Waits for it no longer. What it has not passed on yet still arrives, should it come back.
  // `invalid_argument` if it isn't listed.
  Result<void> remove_member(std::string_view id);
  // The list as this replica has it, by id.
  Result<std::vector<Member>> members() const;

  EngineMetrics metrics() const;
  // Notices (divergence, amnesia, drift...) since the last call, the last
  // `notices_max` of them. Also logged as they happen.
  std::vector<Notice> notices();

  // How well the file keeps; empty if there is none. What is damaged is also logged as it is found.
  FileHealth health() const;
  // Reads the whole file through now, a little at a time while other threads go on. Leaves that are
  // found damaged are quarantined; the answer is health() after it, which tells what was found.
  // `unsupported` if the replica isn't in a file, `storage` if that can't be read.
  Result<FileHealth> scrub();

  // Copies the store to a file that isn't there yet, consistently, while other
  // threads read and write; what was written before the call is in it. The copy has no
  // identity: opened, it is a replica of its own with the same data
  // (docs/durability.md). `unsupported` if the replica isn't in a file,
  // `invalid_argument` if `path` exists, `disk_full`, `storage`.
  Result<void> backup(const std::string& path);

  // The cluster this store belongs to: bound by the first call, checked by every
  // later one (`wrong_cluster`). Names have 1 to 255 bytes.
  Result<void> bind_cluster(std::string_view cluster);

  // ---- for transports ----
  // A Link is one Session with the replica's lock around it. The caller moves
  // bytes: see Link. `wake` is called, from any thread and without the lock,
  // when send() may have something new to say or deadline() came nearer. It is
  // not called again before send() has yielded nothing, and never by two threads
  // at once. An empty `node` in the options is filled with this replica's own.
  // If the store is bound to another cluster the link is born dead: see Link::error().
  class Link;
  std::unique_ptr<Link> connect(SessionOptions options, std::function<void()> wake);

  // Time as this replica reads it.
  Time now() const;
  // Writes a line to the log hook, if there is one: so that a transport's lines go where the
  // replica's do. Any thread; the hook runs on it, without the lock.
  void log(LogLevel level, std::string_view text,
           const std::vector<std::pair<std::string, std::string>>& fields = {}) const;

 private:
  explicit Replica(std::shared_ptr<ReplicaState> state);
  std::shared_ptr<ReplicaState> state_;
};

// One conversation with one peer. A transport's duties: drain send() into the
// connection at once, after every receive() and run(), and when woken; give
// receive() what arrives; call run() when deadline() has come, and ask for the
// deadline anew after each of these; close the connection when error() tells so.
// Any thread, one at a time for receive() and for send(). May outlive the
// replica.
class SYNCLINE_EXPORT Replica::Link {
 public:
  // Ends the conversation. When it returns, `wake` isn't running and will not be
  // called, unless it is `wake` that destroys the link.
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // Takes bytes off the stream, any number of frames or parts of one. On error
  // send() may still yield frames that say why; send them, then close.
  Result<void> receive(std::string_view bytes);
  // The next frame for the peer, or nothing. Ask only while the transport has
  // room: frames are made when asked for, so nothing queues up here.
  std::optional<std::string> send();
  // Does what fell due.
  void run();
  // When run() is next due, in monotonic time of Replica::now(); milliseconds::max() for never.
  std::chrono::milliseconds deadline() const;
  // Why this link is beyond use, nothing while it is not: an error that receive()
  // returned, the store failed, a keyspace was dropped, the replica was closed.
  // Look when woken, too.
  std::optional<Error> error() const;

  std::optional<SessionEvent> poll_event();
  // Tells the peer where others can be dialled.
  void send_addresses(std::vector<std::string> addresses);
  // Compares now instead of at the next tick ("sync now"). Drain send() after it.
  void tick_now();
  // See Session. Once the link is beyond use: false, empty.
  bool established() const;
  bool in_sync() const;
  Version peer_version(std::string_view keyspace) const;
  // Of the session, also after its end.
  SessionMetrics metrics() const;

 private:
  friend class Replica;
  struct Impl;
  explicit Link(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace syncline
