// One change being written.
//
// A transaction sees the keyspace with its own writes on top. Only the net
// effect becomes rows. It implements LeafAccess, through which all types write
// (crdt/leaf_access.h); users see it wrapped (store/keyspace.h).
//
// Not thread-safe; lives inside one Engine call sequence begin() ... commit().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "crdt/dot.h"
#include "crdt/error.h"
#include "crdt/export.h"
#include "crdt/row.h"

namespace syncline {

class KeyspaceState;
struct TransactionScratch;

class SYNCLINE_EXPORT Transaction {
 public:
  // A leaf opened for writing. Valid for the transaction.
  struct Slot {
    std::uint32_t index;
  };

  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  // The actor this change is made under, and its timestamp.
  ActorId self() const;
  std::uint64_t hlc() const;

  Slot open(std::string_view leaf);
  // Calls fn(const LiveDotView&) for each live dot, in dot order; an own pending
  // write shows as `pending_counter`.
  template <class Fn>
  void for_each_live(Slot slot, Fn&& fn) const;
  // The same by key, without opening the leaf for writing.
  template <class Fn>
  void for_each_live(std::string_view leaf, Fn&& fn) const;
  // Removes every dot seen at the leaf and puts the payload under a fresh one.
  void put(Slot slot, std::uint64_t stamp, std::string_view bytes);
  // Removes every dot seen at the leaf. False if there was none.
  bool remove(Slot slot);
  // Leaves whose keys start with `prefix`, in order, own writes included, until
  // `visit` returns false. Nothing may be written meanwhile.
  void scan(std::string_view prefix,
            absl::FunctionRef<bool(std::string_view leaf, std::span<const LiveDotView> live)> visit) const {
    scan_from(prefix, prefix, visit);
  }
  // The same from the first leaf that isn't below `from`, which must not be below `prefix`.
  void scan_from(
      std::string_view prefix, std::string_view from,
      absl::FunctionRef<bool(std::string_view leaf, std::span<const LiveDotView> live)> visit) const;
  // Records the first error: the transaction will not commit.
  void fail(Error error);
  bool failed() const;
  // A buffer for building leaf keys in; cleared by whoever uses it.
  std::string& key_buffer();
  // A copy of `bytes` that lives as long as the transaction.
  std::string_view keep(std::string_view bytes);

 private:
  friend class Engine;
  Transaction(KeyspaceState& keyspace, TransactionScratch& scratch, ActorId self, std::uint64_t hlc);

  Slot add_op(std::string_view leaf);
  void each_live(Slot slot, absl::FunctionRef<void(const LiveDotView&)> fn) const;
  void each_live(std::string_view leaf, absl::FunctionRef<void(const LiveDotView&)> fn) const;

  KeyspaceState* keyspace_;
  TransactionScratch* scratch_;  // Owned by the engine, reused; null after a move.
  ActorId self_;
  std::uint64_t hlc_;
};

template <class Fn>
void Transaction::for_each_live(Slot slot, Fn&& fn) const {
  each_live(slot, fn);
}
template <class Fn>
void Transaction::for_each_live(std::string_view leaf, Fn&& fn) const {
  each_live(leaf, fn);
}

}  // namespace syncline
