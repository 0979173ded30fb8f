// A map of leaves and a causal context: the state of a type used alone.
//
// No store, no network: states and deltas are merged in any order, any number
// of times. A delta is a LeafMap too: the leaves that a mutation touched, and
// in its context the mutation's own dots and those it removed, nothing else
// ("Delta State Replicated Data Types", Almeida, Shoker, Baquero, 2018).
//
// Not thread-safe; a value, so a copy is independent.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crdt/causal_context.h"
#include "crdt/export.h"
#include "crdt/leaf.h"
#include "crdt/leaf_access.h"

namespace syncline {

class SYNCLINE_EXPORT LeafMap {
 public:
  using Leaves = std::map<std::string, Leaf, std::less<>>;

  LeafMap() = default;
  LeafMap(const LeafMap& other);
  LeafMap(LeafMap&&) = default;
  LeafMap& operator=(const LeafMap& other);
  LeafMap& operator=(LeafMap&&) = default;
  ~LeafMap() = default;

  // The join. O(own live dots that `other` covers + leaves of `other`), each
  // times the logarithm of the leaves: small for a delta, however big the state.
  // A reused dot (I5) that is live at different leaves of the two sides stays at both.
  void merge(const LeafMap& other);

  // Makes a row: the dots in `removed` go, wherever they are, and the payload, if
  // any, is put at the leaf under `dot`. The context covers all of them.
  void apply(std::string_view leaf, const Dot& dot, std::span<const Dot> removed,
             std::optional<Payload> payload);

  // Takes the row of `dot` back: the leaf is as it was, and the context doesn't cover the dot.
  void revert(std::string_view leaf, Leaf before, const Dot& dot);

  // Leaves by key; none is empty.
  const Leaves& leaves() const { return leaves_; }
  const CausalContext& context() const { return context_; }

  // See LeafReader.
  template <class See>
  void for_each_live(std::string_view leaf, See&& see) const {
    const auto it = leaves_.find(leaf);
    if (it == leaves_.end()) return;
    for (const LiveDot& live : it->second) see(view(live));
  }
  template <class Visit>
  void scan(std::string_view prefix, Visit&& visit) const {
    scan_from(prefix, prefix, visit);
  }
  template <class Visit>
  void scan_from(std::string_view prefix, std::string_view from, Visit&& visit) const {
    std::vector<LiveDotView> live;
    for (auto it = leaves_.lower_bound(from); it != leaves_.end() && it->first.starts_with(prefix); ++it) {
      live.clear();
      for (const LiveDot& dot : it->second) live.push_back(view(dot));
      if (!visit(std::string_view(it->first), std::span<const LiveDotView>(live))) return;
    }
  }

  // Canonical bytes: equal states give equal bytes.
  void append_bytes(std::string& out) const;
  // The state in all of `bytes`. `malformed` unless they are canonical and every
  // live dot lies within the context. Memory stays proportional to their size.
  [[nodiscard]] static Result<LeafMap> from_bytes(std::string_view bytes);

  friend bool operator==(const LeafMap& a, const LeafMap& b) {
    return a.context_ == b.context_ && a.leaves_ == b.leaves_;
  }

 private:
  static LiveDotView view(const LiveDot& live) { return {live.dot, live.payload.stamp, live.payload.bytes}; }

  // Whether this state knows of a dot that isn't live at the leaf asked about. A
  // reused dot that lives at another leaf here says nothing of that leaf (I5).
  bool covers(const Dot& dot) const { return context_.contains(dot) && !places_.contains(dot); }
  void replace(std::string_view key, Leaf merged);
  void index(Leaves::iterator place);
  void drop(const Dot& dot);

  Leaves leaves_;
  CausalContext context_;                        // Covers every live dot.
  std::multimap<Dot, Leaves::iterator> places_;  // Where each live dot is.
};

// One mutation of a LeafMap: a LeafAccess that writes through to the state and
// gathers the delta. `state` must outlive it.
class SYNCLINE_EXPORT LeafEdit {
 public:
  struct Slot {
    std::string leaf;
  };

  // Writes under `self`, whose dots nobody else may write: an actor belongs to one copy.
  LeafEdit(LeafMap& state, const ActorId& self, std::uint64_t hlc = 0)
      : state_(state), self_(self), hlc_(hlc) {}

  const ActorId& self() const { return self_; }
  std::uint64_t hlc() const { return hlc_; }
  std::string& key_buffer() { return key_buffer_; }
  std::string_view keep(std::string_view bytes) { return kept_.emplace_back(bytes); }
  Slot open(std::string_view leaf) const { return Slot{std::string(leaf)}; }
  template <class See>
  void for_each_live(std::string_view leaf, See&& see) const {
    state_.for_each_live(leaf, see);
  }
  template <class See>
  void for_each_live(const Slot& slot, See&& see) const {
    state_.for_each_live(slot.leaf, see);
  }
  template <class Visit>
  void scan(std::string_view prefix, Visit&& visit) const {
    state_.scan(prefix, visit);
  }
  template <class Visit>
  void scan_from(std::string_view prefix, std::string_view from, Visit&& visit) const {
    state_.scan_from(prefix, from, visit);
  }
  void put(const Slot& slot, std::uint64_t stamp, std::string_view bytes) {
    write(slot.leaf, Payload{stamp, std::string(bytes)});
  }
  bool remove(const Slot& slot);
  void fail(Error error) {
    if (!error_) error_ = std::move(error);
  }

  const std::optional<Error>& error() const { return error_; }
  LeafMap take_delta() { return std::move(delta_); }
  // Takes everything written back.
  void undo();

 private:
  struct Written {
    std::string leaf;
    Leaf before;
    Dot dot;
  };

  void write(const std::string& leaf, std::optional<Payload> payload);

  LeafMap& state_;
  LeafMap delta_;
  ActorId self_;
  std::uint64_t hlc_;
  std::string key_buffer_;
  std::deque<std::string> kept_;
  std::vector<Written> written_;
  std::optional<Error> error_;
};

static_assert(LeafReader<const LeafMap> && LeafAccess<LeafEdit>);

}  // namespace syncline
