// Types with one defect each, made of ours by changing their states through
// their bytes: what the laws and the regressions must catch.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "crdt/lww.h"
#include "crdt/or_set.h"
#include "tests/crdt/encode_state.h"

namespace syncline {

// A State whose merge is followed by Flaw::change(context, leaves).
template <class StateT, class Flaw>
class Flawed {
 public:
  using Inner = StateT;
  static constexpr Type type = Inner::type;

  Flawed() = default;
  explicit Flawed(Inner inner) : inner_(std::move(inner)) {}

  void merge(const Flawed& other) {
    inner_.merge(other.inner_);
    CausalContext context = inner_.state().context();
    LeafMap::Leaves leaves = inner_.state().leaves();
    Flaw::change(context, leaves);
    inner_ = *Inner::from_bytes(encode_state(type, context, leaves));
  }
  std::string to_bytes() const { return inner_.to_bytes(); }
  static Result<Flawed> from_bytes(std::string_view bytes) {
    auto inner = Inner::from_bytes(bytes);
    if (!inner) return tl::unexpected<Error>(inner.error());
    return Flawed(std::move(*inner));
  }
  Inner& operator*() { return inner_; }
  Inner* operator->() { return &inner_; }
  friend bool operator==(const Flawed& a, const Flawed& b) { return a.inner_ == b.inner_; }

 private:
  Inner inner_;
};

// The merge keeps the greatest write of a leaf and drops the losers.
struct DropsLosers {
  static void change(CausalContext&, LeafMap::Leaves& leaves) {
    for (auto& [key, leaf] : leaves) {
      const auto greatest =
          std::max_element(leaf.begin(), leaf.end(), [](const LiveDot& a, const LiveDot& b) {
            return std::pair(a.payload.stamp, a.dot) < std::pair(b.payload.stamp, b.dot);
          });
      leaf = Leaf{*greatest};
    }
  }
};

// "Last dot seen" stands for all before it: contexts have no gaps.
struct LastSeenOnly {
  static void change(CausalContext& context, LeafMap::Leaves&) {
    const CausalContext with_gaps = context;
    for (const auto& [actor, counters] : with_gaps.actors()) {
      for (std::uint64_t counter = 1; counter < counters.last(); ++counter)
        context.insert(Dot{actor, counter});
    }
  }
};

// The context keeps only what is live: who removed what is forgotten.
struct ForgetsRemovals {
  static void change(CausalContext& context, LeafMap::Leaves& leaves) {
    context = CausalContext();
    for (const auto& [key, leaf] : leaves) {
      for (const LiveDot& live : leaf) context.insert(live.dot);
    }
  }
};

using LoserDroppingRegister = Flawed<LwwRegister<Value>, DropsLosers>;
using LastSeenSet = Flawed<OrSet<std::string>, LastSeenOnly>;
using ForgetfulSet = Flawed<OrSet<std::string>, ForgetsRemovals>;

}  // namespace syncline
