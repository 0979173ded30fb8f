#include "sync/transaction.h"

#include <algorithm>
#include <utility>

#include "sync/engine.h"
#include "sync/keyspace_state.h"
#include "sync/leaf_value.h"
#include "sync/live_views.h"
#include "sync/transaction_scratch.h"

namespace syncline {
namespace {

using Op = TransactionScratch::Op;
using Write = TransactionScratch::Write;

// So few leaves are found faster by looking at each than by hashing.
constexpr std::size_t unindexed_max = 8;

void each_in_order(std::string_view value, const ActorTable& actors,
                   absl::FunctionRef<void(const LiveDotView&)> fn) {
  with_views(value, actors, [&](std::span<const LiveDotView> views) {
    for (const LiveDotView& view : views) fn(view);
  });
}

}  // namespace

Transaction::Transaction(KeyspaceState& keyspace, TransactionScratch& scratch, ActorId self,
                         std::uint64_t hlc)
    : keyspace_(&keyspace), scratch_(&scratch), self_(self), hlc_(hlc) {
  SYNCLINE_ASSERT(!scratch.open);
  scratch.open = true;
}

Transaction::Transaction(Transaction&& other) noexcept
    : keyspace_(other.keyspace_),
      scratch_(std::exchange(other.scratch_, nullptr)),
      self_(other.self_),
      hlc_(other.hlc_) {}

Transaction::~Transaction() {
  if (scratch_ != nullptr) scratch_->clear();
}

ActorId Transaction::self() const { return self_; }
std::uint64_t Transaction::hlc() const { return hlc_; }
std::string& Transaction::key_buffer() { return scratch_->key_buffer; }
std::string_view Transaction::keep(std::string_view bytes) { return scratch_->arena.copy(bytes); }
bool Transaction::failed() const { return scratch_->error.has_value(); }
void Transaction::fail(Error error) {
  if (!scratch_->error) scratch_->error = std::move(error);
}

Transaction::Slot Transaction::open(std::string_view leaf) {
  auto& ops = scratch_->ops;
  auto& index = scratch_->index;
  const auto next = static_cast<std::uint32_t>(ops.size());
  if (!ops.empty() && ops.back().leaf == leaf) return {next - 1};
  if (ops.size() < unindexed_max) {
    for (std::uint32_t i = 0; i < next; ++i)
      if (ops[i].leaf == leaf) return {i};
    return add_op(scratch_->arena.copy(leaf));
  }
  for (std::uint32_t i = static_cast<std::uint32_t>(index.size()); i < next; ++i)
    index.emplace(ops[i].leaf, i);
  bool fresh = false;
  const auto at = index.lazy_emplace(leaf, [&](const auto& make) {
    fresh = true;
    make(scratch_->arena.copy(leaf), next);
  });
  return fresh ? add_op(at->first) : Slot{at->second};
}

// `leaf` is in the arena.
Transaction::Slot Transaction::add_op(std::string_view leaf) {
  TransactionScratch::Op& op = scratch_->ops.emplace_back();
  op.leaf = leaf;
  if (const auto found = keyspace_->find_known(leaf); !found) {
    fail(found.error());
  } else {
    op.known = *found;
    // In memory the table stands still while the transaction is open; a source's view doesn't.
    if (!keyspace_->in_memory()) op.known.value = scratch_->arena.copy(found->value);
  }
  return {static_cast<std::uint32_t>(scratch_->ops.size() - 1)};
}

void Transaction::put(Slot slot, std::uint64_t stamp, std::string_view bytes) {
  Op& op = scratch_->ops[slot.index];
  op.write = Write::put;
  op.stamp = stamp;
  if (bytes.size() <= op.payload_capacity) {
    char* const at = const_cast<char*>(op.payload.data());  // Ours: a place in the arena.
    if (!bytes.empty()) std::memmove(at, bytes.data(), bytes.size());
    op.payload = {at, bytes.size()};
  } else {
    op.payload = scratch_->arena.copy(bytes);
    op.payload_capacity = static_cast<std::uint32_t>(bytes.size());
  }
}

bool Transaction::remove(Slot slot) {
  Op& op = scratch_->ops[slot.index];
  const bool was_there = op.write == Write::put || (op.write == Write::none && !op.known.value.empty());
  op.write = op.known.value.empty() ? Write::none : Write::remove;
  return was_there;
}

void Transaction::each_live(Slot slot, absl::FunctionRef<void(const LiveDotView&)> fn) const {
  const Op& op = scratch_->ops[slot.index];
  if (op.write == Write::put) {
    fn({{self_, pending_counter}, op.stamp, op.payload});
  } else if (op.write == Write::none) {
    each_in_order(op.known.value, keyspace_->actors, fn);
  }
}

void Transaction::each_live(std::string_view leaf, absl::FunctionRef<void(const LiveDotView&)> fn) const {
  if (const auto& index = scratch_->index; !index.empty()) {
    if (const auto it = index.find(leaf); it != index.end()) return each_live(Slot{it->second}, fn);
  } else {
    for (std::uint32_t i = 0; i < scratch_->ops.size(); ++i)
      if (scratch_->ops[i].leaf == leaf) return each_live(Slot{i}, fn);
  }
  const auto found = keyspace_->find(leaf);
  if (!found) {
    if (!scratch_->error) scratch_->error = found.error();
  } else if (*found) {
    each_in_order(**found, keyspace_->actors, fn);
  }
}

void Transaction::scan_from(
    std::string_view prefix, std::string_view from,
    absl::FunctionRef<bool(std::string_view, std::span<const LiveDotView>)> visit) const {
  std::vector<std::uint32_t> written;
  for (std::uint32_t i = 0; i < scratch_->ops.size(); ++i) {
    const Op& op = scratch_->ops[i];
    if (op.write != Write::none && op.leaf >= from && op.leaf.starts_with(prefix)) written.push_back(i);
  }
  std::sort(written.begin(), written.end(), [this](std::uint32_t a, std::uint32_t b) {
    return scratch_->ops[a].leaf < scratch_->ops[b].leaf;
  });
  auto next = written.begin();
  bool going = true;
  const auto visit_written = [&] {
    const Op& op = scratch_->ops[*next++];
    if (op.write != Write::put) return;
    const LiveDotView live{{self_, pending_counter}, op.stamp, op.payload};
    going = visit(op.leaf, {&live, 1});
  };
  const auto scanned = keyspace_->scan(from, [&](std::string_view leaf, std::string_view value) {
    if (!leaf.starts_with(prefix)) return false;
    while (going && next != written.end() && scratch_->ops[*next].leaf < leaf) visit_written();
    if (going && next != written.end() && scratch_->ops[*next].leaf == leaf) {
      visit_written();
    } else if (going) {
      going = with_views(value, keyspace_->actors,
                         [&](std::span<const LiveDotView> views) { return visit(leaf, views); });
    }
    return going;
  });
  if (!scanned && !scratch_->error) scratch_->error = scanned.error();
  while (going && next != written.end()) visit_written();
}

}  // namespace syncline
