// Handles by which an application reads and writes one keyspace.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crdt/error.h"
#include "crdt/export.h"
#include "crdt/leaf_key.h"
#include "crdt/value.h"
#include "crdt/version.h"

namespace syncline {

class Transaction;
struct ReplicaState;
struct DigestPair;

// ---- writing: what an update's function is given ----

// A counter inside an update (PnCounter).
class SYNCLINE_EXPORT CounterWriter {
 public:
  // Adds `by`, which may be negative. A share's total past 64 bits fails the update.
  void add(std::int64_t by);
  // Takes away exactly what is seen here; concurrent adds survive.
  void reset();
  std::int64_t total() const;
  // ...
 private:
  friend class Update;
  CounterWriter(Transaction& transaction, std::string_view key) : transaction_(transaction), key_(key) {}
  Transaction& transaction_;
  std::string_view key_;
};

class SYNCLINE_EXPORT SetWriter {
 public:
  void insert(const Value& element);
  // Removes what is seen here; a concurrent insert survives. False if it was absent.
  bool erase(const Value& element);
  bool contains(const Value& element) const;

 private:
  friend class Update;
  SetWriter(Transaction& transaction, std::string_view key) : transaction_(transaction), key_(key) {}
  Transaction& transaction_;
  std::string_view key_;
};

class SYNCLINE_EXPORT MapWriter {
 public:
  // Last writer wins, by (timestamp, actor, counter). Fields are bytes.
  void set(std::string_view field, const Value& value);
  // With the caller's timestamp (below 2^62): changes nothing unless it is above what is seen.
  void set(std::string_view field, const Value& value, std::uint64_t timestamp);
  bool erase(std::string_view field);
  std::optional<Value> get(std::string_view field) const;

 private:
  friend class Update;
  MapWriter(Transaction& transaction, std::string_view key) : transaction_(transaction), key_(key) {}
  Transaction& transaction_;
  std::string_view key_;
};

class SYNCLINE_EXPORT RegisterWriter {
 public:
  void set(const Value& value);
  void set(const Value& value, std::uint64_t timestamp);
  bool clear();
  std::optional<Value> get() const;

 private:
  friend class Update;
  RegisterWriter(Transaction& transaction, std::string_view key) : transaction_(transaction), key_(key) {}
  Transaction& transaction_;
  std::string_view key_;
};

// One atomic change being written. Keys are bytes; the views given to it must
// live as long as the writer made from them.
class SYNCLINE_EXPORT Update {
 public:
  explicit Update(Transaction& transaction) : transaction_(transaction) {}
  CounterWriter counter(std::string_view key) { return {transaction_, key}; }
  SetWriter set(std::string_view key) { return {transaction_, key}; }
  MapWriter map(std::string_view key) { return {transaction_, key}; }
  RegisterWriter reg(std::string_view key) { return {transaction_, key}; }
  // Removes everything under the key, of whatever type. Fails the update if a
  // leaf there is of a type that only newer code knows.
  void erase(std::string_view key);
  // Gives up: the update returns this error and writes nothing.
  void fail(Error error);

 private:
  Transaction& transaction_;
};

// ---- watching ----

// A change of one watched place, after its commit.
struct Event {
  std::string key;
  Type type{};
  std::string element;         // Set: the element's canonical bytes; map: the field; else empty.
  std::optional<Value> before; // Counter: total; set: the element while present; register, map field: the value.
  std::optional<Value> after;
  bool local = false;          // Made by this replica.
};

// Ends the watch when destroyed or reset. May outlive the replica.
class [[nodiscard]] SYNCLINE_EXPORT Subscription {
 public:
  Subscription() = default;
  explicit Subscription(std::shared_ptr<void> hold) : hold_(std::move(hold)) {}
  void reset() { hold_.reset(); }

 private:
  std::shared_ptr<void> hold_;
};

// ---- the keyspace ----

// A cheap handle, copyable; valid as long as its Replica. Calls are safe from
// any thread: they take the replica's one lock. Reads see every own write at
// once. They fail only if the disk does, or with `closed`.
class SYNCLINE_EXPORT Keyspace {
 public:
  const std::string& name() const;

  // Runs `write` and commits what it wrote as one change. Returns after the
  // commit, with a version that covers it. What `write` fails with is returned
  // and nothing is written. `write` runs under the lock: no other call on the
  // replica from inside it. A `token` makes it idempotent: an update with a
  // token seen before (in this store) writes nothing and returns the version now.
  Result<Version> update(const std::function<void(Update&)>& write);
  Result<Version> update(std::string_view token, const std::function<void(Update&)>& write);

  // ---- reads, each one atomic look ----
  struct CounterView {
    Result<std::int64_t> total() const;  // 0 if it doesn't exist. Clamped to 64 bits.
    Result<bool> exists() const;
    const Keyspace& keyspace;
    std::string key;
  };
  struct SetView {
    Result<bool> contains(const Value& element) const;
    Result<std::size_t> size() const;  // O(size).
    Result<std::vector<Value>> elements() const;
    const Keyspace& keyspace;
    std::string key;
  };
  struct MapView {
    Result<std::optional<Value>> get(std::string_view field) const;
    Result<std::size_t> size() const;  // O(size).
    // Fields >= `from` in byte order, until `visit` returns false. Under the lock: no call on the replica inside.
    Result<void> for_each(std::string_view from,
                          const std::function<bool(std::string_view field, const Value& value)>& visit) const;
    const Keyspace& keyspace;
    std::string key;
  };
  struct RegisterView {
    Result<std::optional<Value>> get() const;
    const Keyspace& keyspace;
    std::string key;
  };
  CounterView counter(std::string_view key) const { return {*this, std::string(key)}; }
  SetView set(std::string_view key) const { return {*this, std::string(key)}; }
  MapView map(std::string_view key) const { return {*this, std::string(key)}; }
  RegisterView reg(std::string_view key) const { return {*this, std::string(key)}; }

  // The keys that start with `prefix`, with the types found under each, in byte order, until `visit` returns false.
  Result<void> for_each_key(std::string_view prefix,
                            const std::function<bool(std::string_view key, Type type)>& visit) const;
  // Everything whose key starts with `prefix`, as JSON text (docs/guide.md has the mapping).
  Result<std::string> to_json(std::string_view prefix = {}) const;

  // ---- watching and waiting ----
  // Calls `notify` for each change, local or remote, of keys that start with
  // `prefix`: after the commit, on the thread that committed, without the lock
  // (it may call update). In the order of commits.
  Subscription watch(std::string_view prefix, std::function<void(const Event&)> notify);
  // Waits until this replica has all of `version`. `timeout` error if it doesn't come.
  Result<void> wait_for(const Version& version, std::chrono::milliseconds timeout) const;
  // The keys touched since `version`, sorted. `version_too_old`: iterate anew.
  Result<std::vector<std::string>> changes_since(const Version& version) const;

  // What this replica has, and its proof of equality: replicas of equal context have equal state.
  Version version() const;
  DigestPair digests() const;
  // Own changes that no peer is known to hold yet: dots, as a count.
  std::uint64_t pending() const;
  // Returns once everything written so far is on disk.
  Result<void> flush();
  // Whether all of `version` is here and on disk.
  bool durable(const Version& version) const;

 private:
  friend class Replica;
  Keyspace(std::shared_ptr<ReplicaState> state, std::string name);
  std::shared_ptr<ReplicaState> state_;
  std::string name_;
};

}  // namespace syncline
