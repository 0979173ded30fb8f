// Handles by which an application reads and writes one keyspace.
//
// Start with Keyspace::update() and its views counter(), set(), map() and
// reg(); docs/guide.md is a walk through it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "crdt/error.h"
#include "crdt/export.h"
#include "crdt/leaf_key.h"
#include "crdt/value.h"
#include "crdt/version.h"
#include "store/event.h"
#include "store/member.h"
#include "store/reader.h"
#include "store/update.h"

namespace syncline {

struct ReplicaState;
struct KeyspaceSlot;

// Whether JSON says the type of each object, or only where one couldn't tell them apart.
enum class JsonTypes { where_needed, always };

// One live dot: what somebody wrote that nobody who saw it has overwritten.
struct LiveWrite {
  std::vector<std::string> path;  // The names in maps that lead from the key to the object.
  Type type{};                    // The object's.
  std::string element;            // As in Event; of a counter its part, named by the actor.
  Dot dot;                        // The actor that wrote, and its which row.
  // When, by the writer's clock: while the log has the change; of registers and fields afterwards, too (a
  // write with a timestamp of the caller's then tells that).
  std::optional<std::chrono::milliseconds> time;
};
class KeyspaceHome;

// Views read one place. They hold what they need: keep them as long as you like.
using CounterView = PnCounter::View<KeyspaceHome>;
using SetView = OrSet<Value>::View<KeyspaceHome>;
using MapView = LwwMap<Value>::View<KeyspaceHome>;
using RegisterView = LwwRegister<Value>::View<KeyspaceHome>;

// A cheap handle, copyable. Calls are safe from any thread: they take the
// replica's one lock. Reads see every own write at once, and need no network.
// They fail only if the disk does, and with `closed` once the Replica was
// destroyed or the keyspace dropped; calls without a Result then answer as an
// empty keyspace would.
//
// No call on the replica is allowed inside the functions given to update(),
// read(), for_each() and for_each_key(), which run under the lock: what returns
// a Result refuses it (`invalid_argument`), the rest ends the process.
class SYNCLINE_EXPORT Keyspace {
 public:
  // Tokens of updates that each replica remembers; see update().
  static constexpr std::size_t tokens_max = Record::tokens_max;
  static constexpr std::size_t token_bytes_max = 256;

  const std::string& name() const;

  // Runs `write` and commits what it wrote as one change. Returns after the
  // commit, with a version that covers it; an update that writes nothing makes
  // no change. Errors, after which nothing is written: what `write` failed with;
  // `too_large` (EngineOptions has the limits); `storage`. If `write` throws,
  // nothing is written and the exception goes on to the caller.
  Result<Version> update(absl::FunctionRef<void(Update&)> write);

  // The same, once: an update with a token that succeeded before in this
  // keyspace writes nothing and returns the version now, which covers the first
  // one. For work that is retried, such as a request. A replica remembers its
  // last `tokens_max` tokens, committed with their updates, over restarts too;
  // other replicas don't know them. A token has 1 to `token_bytes_max` bytes,
  // else `invalid_argument`.
  Result<Version> update(std::string_view token, absl::FunctionRef<void(Update&)> write);

  // ---- reads, each one atomic look ----
  CounterView counter(std::string_view key) const;
  SetView set(std::string_view key) const;
  MapView map(std::string_view key) const;
  RegisterView reg(std::string_view key) const;
  // The door for every type: shop.at<GCounter>("visits").total(). For a type of your own, too:
  // T::View<KeyspaceHome> is made from a KeyspaceHome.
  template <class T>
  typename T::template View<KeyspaceHome> at(std::string_view key) const;
  // Reads leaves of several places, or of types of your own, at one moment.
  Result<void> read(absl::FunctionRef<void(Reader&)> look) const;

  // The keys that start with `prefix`, in byte order, once for each type under
  // them, until `visit` returns false. O(keys · log leaves).
  Result<void> for_each_key(std::string_view prefix,
                            absl::FunctionRef<bool(std::string_view key, Type type)> visit) const;
  // Everything whose key starts with `prefix`, as JSON text; docs/guide.md has the mapping. With
  // JsonTypes::always Update::write_json() makes the same of it elsewhere.
  Result<std::string> to_json(std::string_view prefix = {}, JsonTypes types = JsonTypes::where_needed) const;
  // Who wrote what is there now, of every type under the key, concurrent writes included: in the order of
  // leaves and dots. O(dots under the key).
  Result<std::vector<LiveWrite>> describe(std::string_view key) const;

  // ---- watching and waiting ----
  // Calls `notify` once for each change, local or remote, that readers of keys
  // that start with `prefix` notice, until the Subscription ends or the replica
  // closes. After the commit, on a thread that commits, without the lock: it may
  // call anything, update() included; what it reads may be newer than what it is
  // told. One call at a time in the whole replica, in the order of commits. While
  // one thread tells watchers, another one's commit leaves its batch to it and
  // returns; so does an update inside a watcher. When more than
  // ReplicaOptions::events_max events wait, commits of other threads wait too. An
  // exception out of `notify` is logged and dropped.
  Subscription watch(std::string_view prefix, std::function<void(const EventBatch&)> notify);
  // Waits until this replica has all of `version`: `timeout` if that doesn't
  // come (by the system's steady clock, whatever ReplicaOptions::clock says). Not
  // for the thread that is to bring it, such as a watcher that a transport's thread runs.
  Result<void> wait_for(const Version& version, std::chrono::milliseconds timeout) const;
  // Waits until `enough` says so of what is read here: it is asked now and after each commit, one moment a
  // time. The same.
  Result<void> wait_until(absl::FunctionRef<bool(Reader&)> enough, std::chrono::milliseconds timeout) const;
  // Asks the linked peers that have the keyspace for a change that only they can make: for types that have
  // a use for it, such as BoundedCounter. `leaf` is the object's leaf key with an empty element; `request` is
  // the type's own, at most 64 bytes. Returns at once, and nothing tells whether it arrived. For errors see
  // BasicBoundedView::request().
  Result<void> ask(std::string_view leaf, std::string_view request) const;
  // The keys touched since `version`, sorted, removals included. Where the log
  // doesn't reach back so far, `version_too_old`: iterate anew.
  Result<std::vector<std::string>> changes_since(const Version& version) const;

  // With EngineOptions::join_in_place: how far this keyspace came while it takes in a peer's whole
  // state; nothing when it isn't about that. Until it is done reads and updates fail with `joining`,
  // the version is empty, and watchers hear nothing: iterate once it is. A keyspace that
  // can't be completed, for nobody has the rest any more, can be dropped.
  std::optional<JoinProgress> joining() const;
  // Waits until a whole state is here, joined or written: `timeout`, telling how
  // far it came, if that takes longer. As wait_for() otherwise.
  Result<void> wait_joined(std::chrono::milliseconds timeout) const;

  // ---- what all members have: docs/guide.md, "Members" ----
  // What every member (Replica::add_member()) is known to have on disk, by acknowledgements that peers
  // gossip. Empty while nothing is known: no members, not all of them heard from since the list
  // grew, a restart a moment ago. It lags behind; nothing that must be safe hangs on it.
  Version stable_version() const;
  // Waits until all of `version` is stable. `timeout` tells in its detail whom it waited for;
  // `invalid_argument` if no member is listed. Otherwise as wait_for().
  Result<void> wait_stable(const Version& version, std::chrono::milliseconds timeout) const;
  StabilityReport stability() const;
  // Drops markers that types keep only until all members have them (RwSet), by an ordinary change: its own,
  // and as the first of the list those that their writer left behind. Looks at the next `leaves_max` leaves,
  // from where the last call stopped. A replica with links does it by itself; see
  // ReplicaOptions::collect_leaves. Errors as of update().
  Result<Collected> collect(std::size_t leaves_max = 1'024);

  // What this replica has: a token for wait_for() and changes_since().
  Version version() const;
  // Digests of the version and of the state: replicas whose pairs are equal are equal.
  DigestPair digests() const;
  // The id this replica writes under here; nothing before its first write.
  std::optional<ActorId> actor() const;
  // Own changes that no peer is known to have on disk yet: their rows, counted.
  // Counts what links of this process learned.
  std::uint64_t pending() const;
  // Returns once everything written so far is on disk.
  Result<void> flush();
  // Whether all of `version` is here and on disk.
  bool durable(const Version& version) const;

 private:
  friend class Replica;
  Keyspace(std::shared_ptr<ReplicaState> state, KeyspaceSlot& slot);
  template <class Fn>
  auto look(Fn&& fn) const;
  Result<void> wait(std::chrono::milliseconds timeout,
                    absl::FunctionRef<std::optional<Error>(const KeyspaceState*)> why_not) const;
  Result<Version> write(const std::string_view* token, absl::FunctionRef<void(Update&)> write);

  std::shared_ptr<ReplicaState> state_;
  KeyspaceSlot* slot_;  // Lives as long as the state.
};

// From where views of a keyspace read: one place. A home (crdt/home.h).
class KeyspaceHome {
 public:
  template <class T>
  using Answer = Result<T>;

  KeyspaceHome(Keyspace keyspace, Place place) : keyspace_(std::move(keyspace)), path_(place.path()) {}

  // What fn(Reader&, Place) answers of this moment, or why it can't be told.
  template <class Fn>
  auto look(Fn&& fn) const -> Result<std::invoke_result_t<Fn, Reader&, Place>> {
    if constexpr (std::is_void_v<std::invoke_result_t<Fn, Reader&, Place>>) {
      return keyspace_.read([&](Reader& reader) { fn(reader, Place::at(path_)); });
    } else {
      std::optional<std::invoke_result_t<Fn, Reader&, Place>> answer;
      const Result<void> read =
          keyspace_.read([&](Reader& reader) { answer.emplace(fn(reader, Place::at(path_))); });
      if (!read) return tl::unexpected<Error>(read.error());
      return std::move(*answer);
    }
  }
  // Asks peers about the object of that type here; see Keyspace::ask().
  Result<void> ask(Type type, std::string_view request) const {
    return keyspace_.ask(leaf_key(Place::at(path_), type, {}), request);
  }
  // Waits until fn(Reader&, Place) is true; see Keyspace::wait_until().
  template <class Fn>
  Result<void> wait(std::chrono::milliseconds timeout, Fn&& fn) const {
    return keyspace_.wait_until([&](Reader& reader) { return fn(reader, Place::at(path_)); }, timeout);
  }
  KeyspaceHome below(Type map, std::string_view name) const {
    return {keyspace_, Place::at(child_path(Place::at(path_), map, name))};
  }

 private:
  Keyspace keyspace_;
  std::string path_;
};

template <class T>
typename T::template View<KeyspaceHome> Keyspace::at(std::string_view key) const {
  return typename T::template View<KeyspaceHome>(KeyspaceHome(*this, key));
}

inline CounterView Keyspace::counter(std::string_view key) const { return at<PnCounter>(key); }
inline SetView Keyspace::set(std::string_view key) const { return at<OrSet<Value>>(key); }
inline MapView Keyspace::map(std::string_view key) const { return at<LwwMap<Value>>(key); }
inline RegisterView Keyspace::reg(std::string_view key) const { return at<LwwRegister<Value>>(key); }

}  // namespace syncline
