// Writing: what the function of Keyspace::update() is given.
//
//   shop.update([](auto& tx) {
//     tx.counter("stock/apples").add(-2);
//     tx.set("cart/42").insert("apples");
//     tx.map("customer/42").set("name", "Ada");
//   });
//
// Everything written by one function is one atomic change. What it reads is the
// keyspace with its own writes on top. An operation that can't be done makes
// the whole update fail, with the first error, and nothing is written.
//
// All of this lives inside one call of update(), on one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "crdt/counter.h"
#include "crdt/error.h"
#include "crdt/export.h"
#include "crdt/leaf_key.h"
#include "crdt/lww.h"
#include "crdt/or_set.h"
#include "crdt/value.h"
#include "sync/transaction.h"

namespace syncline {

// How a type is reached in a keyspace: tx.at<T>(key) gives a Door<T>::Writer,
// made from (Transaction&, std::string_view key); Keyspace::at<T>(key) gives a
// Door<T>::View, made from (Keyspace, std::string key). Specialise it for a type
// of your own, written over LeafAccess and LeafReader (crdt/leaf_access.h).
template <class T>
struct Door;

// A counter: counts up and down, unless it is a GCounter.
class SYNCLINE_EXPORT CounterWriter {
 public:
  CounterWriter(Transaction& transaction, std::string_view key, Type type = Type::pn_counter)
      : transaction_(transaction), key_(key), type_(type) {}

  // Adds `by`, which may be negative; 0 writes nothing. Fails the update with
  // `overflow` if what this replica counted up, or down, would pass 64 bits, and
  // with `invalid_argument` if a GCounter would count down. O(log leaves).
  void add(std::int64_t by);
  // Takes away exactly what is seen here; concurrent adds survive. Whether it
  // existed. O(replicas that counted).
  bool reset();
  // 0 if it doesn't exist. Clamped to 64 bits. O(replicas that counted).
  std::int64_t total() const;
  // Whether anything was counted since the last reset.
  bool exists() const;

 private:
  Transaction& transaction_;
  std::string_view key_;
  Type type_;
};

class GCounterWriter : public CounterWriter {
 public:
  GCounterWriter(Transaction& transaction, std::string_view key)
      : CounterWriter(transaction, key, Type::g_counter) {}
};

// A set in which add wins. Operations cost O(log leaves).
class SYNCLINE_EXPORT SetWriter {
 public:
  SetWriter(Transaction& transaction, std::string_view key) : transaction_(transaction), key_(key) {}

  // Writes even if the element is there: it shall survive a concurrent erase.
  void insert(const Value& element);
  // Removes what is seen here; a concurrent insert survives. False if it was absent.
  bool erase(const Value& element);
  bool contains(const Value& element) const;

 private:
  Transaction& transaction_;
  std::string_view key_;
};

// A map of fields, each a last-writer-wins register. Fields are bytes.
// Operations cost O(log leaves).
class SYNCLINE_EXPORT MapWriter {
 public:
  MapWriter(Transaction& transaction, std::string_view key) : transaction_(transaction), key_(key) {}

  // Last writer wins, by (timestamp, actor, counter); this write beats all that is seen here.
  void set(std::string_view field, const Value& value);
  // With the caller's timestamp (below 2^62, else the update fails with
  // `invalid_argument`): changes nothing unless it is above what is seen. Whether it did.
  bool set(std::string_view field, const Value& value, std::uint64_t timestamp);
  // Removes what is seen here; a concurrent set survives. False if it was absent.
  bool erase(std::string_view field);
  std::optional<Value> get(std::string_view field) const;

 private:
  Transaction& transaction_;
  std::string_view key_;
};

// A last-writer-wins register; see MapWriter.
class SYNCLINE_EXPORT RegisterWriter {
 public:
  RegisterWriter(Transaction& transaction, std::string_view key) : transaction_(transaction), key_(key) {}

  void set(const Value& value);
  bool set(const Value& value, std::uint64_t timestamp);
  // Removes the value as far as it is seen. False if there was none.
  bool clear();
  std::optional<Value> get() const;

 private:
  Transaction& transaction_;
  std::string_view key_;
};

// One atomic change being written. Keys are bytes; a key's bytes must live as
// long as the writer made from them. One key may hold several types: they are
// apart from each other.
class SYNCLINE_EXPORT Update {
 public:
  explicit Update(Transaction& transaction) : transaction_(transaction) {}

  CounterWriter counter(std::string_view key) { return {transaction_, key}; }
  SetWriter set(std::string_view key) { return {transaction_, key}; }
  MapWriter map(std::string_view key) { return {transaction_, key}; }
  RegisterWriter reg(std::string_view key) { return {transaction_, key}; }
  // The door for every type: tx.at<GCounter>("visits").add(1).
  template <class T>
  typename Door<T>::Writer at(std::string_view key) {
    return typename Door<T>::Writer(transaction_, key);
  }

  // Removes everything seen under the key, of whatever type; what others write
  // there concurrently survives. Whether there was anything. Fails the update
  // with `unknown_type` if a leaf there is of a type that only newer code knows.
  // O(leaves under the key).
  bool erase(std::string_view key);
  // Gives up: the update returns this error, unless there was one before, and writes nothing.
  void fail(Error error) { transaction_.fail(std::move(error)); }
  // Whether the update has failed already.
  bool failed() const { return transaction_.failed(); }

 private:
  Transaction& transaction_;
};

}  // namespace syncline
