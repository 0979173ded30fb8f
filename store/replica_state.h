// What a Replica, its handles and its links share: the engine, the store, the
// one lock, and everything that is to happen after it was released.
//
// Internal to store/.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "store/event.h"
#include "store/file_health.h"
#include "store/leaf_group.h"
#include "store/replica.h"
#include "wire/codec.h"

namespace syncline {

class SqliteStore;

// What one commit changed in a keyspace. See EventBatch.
struct TypedChange {
  std::optional<ActorId> origin;
  std::optional<std::chrono::milliseconds> time;
  bool local = false;
  std::vector<Event> events;
};

struct Watcher {
  std::string prefix;
  std::function<void(const EventBatch&)> notify;
  bool ended = false;
};

// One name of a keyspace, as handles hold it. Never goes while the state lives.
struct KeyspaceSlot {
  std::string name;
  // The engine's, or null with the reason in `problem`.
  KeyspaceState* keyspace = nullptr;
  Error problem{Errc::closed, "the keyspace isn't open"};
  std::vector<std::shared_ptr<Watcher>> watchers;
  // Told apart from itself before it was dropped: tokens of then are void.
  std::uint64_t incarnation = 0;
  // Why updates that had returned were undone, until flush() tells.
  std::optional<Error> undone;
  // The greatest own counter that some peer acknowledged over a link now gone.
  ActorId acknowledged_actor;
  std::uint64_t acknowledged = 0;
  // The walk over leaves for what is collectable: from where it goes on, by which stable version, and by
  // which the walk before it went. What others left behind is collected by the latter: they had their time.
  struct {
    std::string from;
    Version stable;
    Version before;
    bool walking = false;
  } collecting;
};

struct LinkState {
  std::optional<Session> session;
  FrameSplitter splitter;
  std::function<void()> wake;
  std::optional<Error> error;
  SessionMetrics last_metrics;  // Once the session is gone.
  bool woken = false;           // wake was called and send() has not yielded nothing since.
  bool waking = false;          // wake runs, on `waker`...
  bool wake_again = false;      // ...and is to run once more.
  bool ended = false;
  std::thread::id waker;
};

struct ReplicaState {
  struct LogLine {
    LogLevel level;
    std::string text;
    std::vector<std::pair<std::string, std::string>> fields;
  };
  struct Delivery {
    std::shared_ptr<Watcher> watcher;
    std::shared_ptr<const TypedChange> change;
    std::span<const Event> events;  // Of the change, those that the watcher hears.
  };
  using Lock = std::unique_lock<std::mutex>;

  // ---- set once ----
  std::function<Time()> clock;
  LogHook log;
  std::size_t events_max = 0;
  std::chrono::milliseconds commit_window{0};
  std::function<std::int64_t(const RightsAsked&)> give_rights;
  std::array<std::uint8_t, 16> node{};

  // ---- the lock, and what it guards ----
  mutable std::mutex mutex;
  mutable std::condition_variable changed;  // Something was committed, or all was closed.
  std::condition_variable idle;             // Watchers or wakes ended, or left room in the queue.
  mutable std::size_t waiting = 0;          // Threads that wait for `changed`.
  bool closed = false;
  std::shared_ptr<RecordStore> store;
  std::shared_ptr<SqliteStore> file;  // The same, if it is ours.
  // Why nothing is written now, and when the store is asked again.
  std::optional<Error> refused;
  std::chrono::milliseconds retry_at{0};
  std::size_t uncommitted_bytes = 0;
  bool has_logs = false;  // See need_logs().
  // What the recent logs of all keyspaces may hold together, zero for no bound; and by how much
  // they grew since that was looked at.
  std::size_t logs_bytes_max = 0;
  std::size_t logs_grown = 0;
  // When what is gathered is to be committed, if something is, and when the next pages of the file
  // are to be checked. A thread of its own waits for both.
  std::optional<std::chrono::steady_clock::time_point> commit_at, scrub_at;
  std::condition_variable keeper_wanted;
  std::thread keeper;
  std::chrono::milliseconds scrub_period{0};
  FileHealth told_health;          // What the log was told of.
  std::unique_ptr<Engine> engine;  // Null once closed.
  std::map<std::string, KeyspaceSlot, std::less<>> slots;
  std::vector<std::shared_ptr<LinkState>> links;
  std::optional<std::string> cluster;
  std::deque<Notice> notices;
  std::vector<LogLine> log_lines;  // To be told after the lock.
  std::uint64_t generation = 0;    // Of the engine, as sessions know it.
  bool wake_all = false;           // Links have something to look for, once the lock is released.
  using Tokens = std::set<std::pair<std::uint64_t, std::string>>;  // By incarnation of a slot.
  Tokens tokens;
  std::deque<Tokens::const_iterator> tokens_in_order;
  std::vector<TokenRecord> new_tokens;  // For the next record.
  std::uint64_t incarnations = 0;
  // The list of members as it was last read, when it had these digests on disk...
  std::vector<Member> members;
  std::optional<DigestPair> members_seen;
  // ...and the id under which this store is, or was, listed in this run: nothing before that, unless the
  // opening proved that the store goes on as it was.
  std::optional<ActorId> listed_as;
  std::chrono::milliseconds collect_at{0};  // When more leaves are looked at, of the slot after this one.
  std::string collected_last;
  std::size_t collect_leaves = 0;
  std::string key_buffer;  // Readers build leaf keys in it.

  std::deque<Delivery> deliveries;  // For watchers, in the order of commits.
  std::size_t undelivered = 0;      // Their events.
  bool delivering = false;          // `deliverer` calls watchers...
  std::thread::id deliverer;
  const Watcher* notified = nullptr;  // ...now this one.

  // The thread that runs a caller's function under the lock, if any does.
  std::atomic<std::thread::id> inside{};

  // ---- all below: under the lock ----
  Time now() const { return clock(); }
  // The slot's keyspace, found again if it came back; null if it isn't there.
  KeyspaceState* find(KeyspaceSlot& slot) const;
  KeyspaceSlot& slot(std::string_view name);
  // Commits what the engine wants on disk, or sees to it that it will be, and
  // takes in the engine's events. Due after each call that may have changed the
  // engine. On error the engine undid what wasn't on disk, and all links are
  // beyond use.
  enum class Commit { when_due, now };
  Result<void> pump(Commit commit = Commit::when_due);
  // The logs, which opening leaves on the disk: whoever writes, meets peers or asks what changed needs
  // them first. On error (`storage`) they are as if they had been cut.
  Result<void> need_logs();
  // Cuts the largest logs until all together keep to their bound.
  void bound_logs();
  // Why nothing can be written now, if so. Asks the store again from time to time.
  std::optional<Error> refusal();
  // What `keeper` does until all is closed: commits what was gathered, checks the file.
  static void keep_time(std::shared_ptr<ReplicaState> state);
  // Checks the next pages of the file; false if those were the last.
  Result<bool> scrub();
  void scrub_later();
  // The log and the engine hear what the store found damaged.
  void tell_damage();
  // A read found damage: what else there is shall be known soon.
  void scrub_soon();
  // Ends a session, or all, for good.
  void end_session(LinkState& link, Error error);
  void end_sessions(const Error& error);
  void close(Lock& lock);

  std::string member_id() const;
  // One change of the list of members.
  Result<void> write_members(absl::FunctionRef<void(Update&)> write);
  // What the list says now. On error the disk failed.
  Result<std::vector<Member>> read_members() const;
  StabilityReport stability_of(const KeyspaceState& keyspace) const;
  // Looks for what is collectable, if it is time to.
  void collect_in_time();
  Result<Collected> collect(KeyspaceSlot& slot, std::size_t leaves_max);

  bool knows_token(const KeyspaceSlot& slot, std::string_view token) const;
  void remember_token(const KeyspaceSlot& slot, std::string_view token);
  // For updates that came to nothing. Forgets those of `lost` again, if they are still remembered.
  void forget_tokens(const std::vector<TokenRecord>& lost);

  // Everything that waits for the lock to be released. Leaves it released.
  // `caller` needs no waking: it looks for itself.
  void release(Lock& lock, const LinkState* caller);

 private:
  void tend_members();
  void announce_member(KeyspaceState& list, const Member& self);
  void close_store();
  Result<void> commit_when(Commit commit);
  Result<void> commit_records();
  void fail_commit(const Error& error);
  void note_log(const Record& record);
  void gather();
  void do_what_is_due();
  void take(Notice notice);
  bool answer(const Asked& asked);
  void queue_changes(std::vector<LeavesChanged> changes);
  void queue_change(const KeyspaceSlot& slot, std::shared_ptr<const TypedChange> change);
  void note_acknowledged(const LinkState& link);
  void tell_log(Lock& lock);
  void call_wake(Lock& lock, LinkState& link);
  void deliver(Lock& lock);
};

// Whether this thread is inside a function that it gave to this replica.
inline bool is_inside(const ReplicaState& state) {
  return state.inside.load(std::memory_order_relaxed) == std::this_thread::get_id();
}
inline Error inside_error() {
  return Error{Errc::invalid_argument, "no call on the replica inside an update, a read or a visit"};
}

inline Error system_error() {
  return Error{Errc::invalid_argument,
               "the list of members is changed by Replica::add_member() and remove_member() only"};
}

// Runs a caller's function; what it threw, as text.
template <class Fn>
std::optional<std::string> guarded(Fn&& fn) noexcept {
  try {
    fn();
    return std::nullopt;
  } catch (const std::exception& thrown) {
    return thrown.what();
  } catch (...) {
    return "not a std::exception";
  }
}

// While a caller's function runs under the lock.
class Inside {
 public:
  explicit Inside(ReplicaState& state) : state_(state) {
    state_.inside.store(std::this_thread::get_id(), std::memory_order_relaxed);
  }
  ~Inside() { state_.inside.store(std::thread::id{}, std::memory_order_relaxed); }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  ReplicaState& state_;
};

// One call that may change something: the lock, and afterwards what waited for
// its release (wakes, log lines, watchers). Keeps the state alive meanwhile.
class Turn {
 public:
  explicit Turn(std::shared_ptr<ReplicaState> state, const LinkState* caller = nullptr)
      : state_(std::move(state)), caller_(caller), lock_(acquire(*state_)) {}
  ~Turn() { state_->release(lock_, caller_); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  ReplicaState& operator*() const { return *state_; }
  ReplicaState* operator->() const { return state_.get(); }
  ReplicaState::Lock& lock() { return lock_; }

  // The lock, for calls that only look. Inside a caller's function it would never come.
  static ReplicaState::Lock acquire(const ReplicaState& state) {
    SYNCLINE_ASSERT(!is_inside(state) && "no call on the replica inside an update, a read or a visit");
    return ReplicaState::Lock(state.mutex);
  }

 private:
  std::shared_ptr<ReplicaState> state_;
  const LinkState* caller_;
  ReplicaState::Lock lock_;
};

// What watchers are told of changes of one keyspace, in order; of those that no
// reader notices nothing. The engine has the state after the last of them.
// Sorts the leaves of each. O(leaves · log leaves).
std::vector<TypedChange> typed_changes(const Engine& engine, const KeyspaceState& keyspace,
                                       std::span<LeavesChanged> changes);

// See Keyspace::to_json().
std::string to_json(Reader& reader, std::string_view prefix, JsonTypes types);

}  // namespace syncline
