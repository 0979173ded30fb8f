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

#include <string_view>
#include <utility>

#include "crdt/crdt.h"
#include "crdt/export.h"
#include "sync/transaction.h"

namespace syncline {

using CounterWriter = PnCounter::Writer<Transaction>;
using SetWriter = OrSet<Value>::Writer<Transaction>;
using MapWriter = LwwMap<Value>::Writer<Transaction>;
using RegisterWriter = LwwRegister<Value>::Writer<Transaction>;

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
  // The door for every type: tx.at<GCounter>("visits").add(1),
  // tx.at<OrMap>("user/42").at<EwFlag>("verified"). For a type of your own, too: T::Writer<Transaction> is
  // made from (Transaction&, Place), and written over LeafAccess (crdt/leaf_access.h).
  template <class T>
  typename T::template Writer<Transaction> at(std::string_view key) {
    return typename T::template Writer<Transaction>(transaction_, Place(key));
  }

  // Removes everything seen under the key, of whatever type and at every depth; what others write
  // there concurrently survives. Whether there was anything. Fails the update
  // with `unknown_type` if a leaf there is of a type that only newer code knows, with `wrong_type` if
  // there is a bounded counter. O(leaves under the key).
  bool erase(std::string_view key);
  // Writes what a JSON object says, key by key, on top of what is there; nothing is removed. A value makes
  // the counter, flag or register that is there read so, or sets an LwwRegister; an array's values are
  // inserted into the set that is there, or an OrSet; an object's members are written to the LwwMap that is
  // there, or as children of an OrMap; {"$types":{"pn_counter":3}} says the type. Fails the update
  // with `invalid_argument` where that can't be. docs/guide.md has the mapping.
  void write_json(std::string_view json);
  // Gives up: the update returns this error, unless there was one before, and writes nothing.
  void fail(Error error) { transaction_.fail(std::move(error)); }
  // The same without a reason of its own: `aborted`.
  void abort() { fail(Error{Errc::aborted, "the update gave up"}); }
  // Whether the update has failed already.
  bool failed() const { return transaction_.failed(); }

 private:
  Transaction& transaction_;
};

}  // namespace syncline
