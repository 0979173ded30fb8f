// The obvious counters that are wrong: what the tests of ours must catch.
#pragma once

#include <optional>
#include <string>

#include "crdt/bytes.h"
#include "crdt/leaf_map.h"

namespace syncline {

enum class CounterFlaw {
  reset_removes,        // A reset removes the dots it saw; no floors.
  restarts_at_sight,    // An owner restarts its total as soon as it sees a floor.
  restarts_when_stable  // It restarts once everyone knows share and floor.
};

// Shares and floors as in crdt/counter_logic.h, written anew and with one flaw.
template <CounterFlaw flaw>
class FlawedCounter {
 public:
  // Returns the delta. `all_known`: everyone knows all that this replica knows.
  FlawedCounter add(const ActorId& self, std::uint64_t amount, bool all_known) {
    Pair share = read(leaf('s', self));
    const Pair floor = read(leaf('f', self));
    const bool sees_floor = share.live != 0 && floor.at != 0 && floor.at >= share.base();
    if (sees_floor &&
        (flaw == CounterFlaw::restarts_at_sight || (flaw == CounterFlaw::restarts_when_stable && all_known)))
      share = Pair{0, 0, share.total - floor.total};
    LeafEdit edit(state_, self);
    put(edit, leaf('s', self), share.live == 0 ? 0 : share.base(), share.total + amount);
    return delta_of(edit);
  }

  FlawedCounter reset(const ActorId& self) {
    LeafEdit edit(state_, self);
    const auto leaves = state_.leaves();
    for (const auto& [key, live] : leaves) {
      if (key.front() != 's') continue;
      if (flaw == CounterFlaw::reset_removes) {
        edit.remove(edit.open(key));
      } else {
        const Pair share = read(key);
        put(edit, 'f' + key.substr(1), share.live, share.total);
      }
    }
    return delta_of(edit);
  }

  std::int64_t total() const {
    std::uint64_t sum = 0;
    for (const auto& [key, live] : state_.leaves()) {
      if (key.front() != 's') continue;
      const Pair share = read(key);
      const Pair floor = read('f' + key.substr(1));
      const std::uint64_t gone = floor.at >= share.base() ? floor.total : 0;
      sum += share.total > gone ? share.total - gone : 0;
    }
    return static_cast<std::int64_t>(sum);
  }

  void merge(const FlawedCounter& other) { state_.merge(other.state_); }
  std::string to_bytes() const {
    std::string out;
    state_.append_bytes(out);
    return out;
  }
  const LeafMap& state() const { return state_; }

 private:
  struct Pair {
    std::uint64_t live = 0;  // The counter of the dot it was read from.
    std::uint64_t at = 0;    // A share's base (0: the dot itself), a floor's upto.
    std::uint64_t total = 0;

    std::uint64_t base() const { return at == 0 ? live : at; }
  };

  static std::string leaf(char mark, const ActorId& owner) { return mark + std::string(owner.view()); }
  static void put(LeafEdit& edit, const std::string& leaf, std::uint64_t at, std::uint64_t total) {
    std::string bytes;
    put_varint(bytes, at);
    put_varint(bytes, total);
    edit.put(edit.open(leaf), 0, bytes);
  }
  FlawedCounter delta_of(LeafEdit& edit) const {
    FlawedCounter delta;
    delta.state_ = edit.take_delta();
    return delta;
  }
  // The share's newest dot; the floor that reaches furthest.
  Pair read(const std::string& leaf) const {
    Pair newest;
    state_.for_each_live(leaf, [&](const LiveDotView& dot) {
      ByteReader in(dot.bytes);
      Pair pair{dot.dot.counter, *in.varint(), *in.varint()};
      if (leaf.front() == 's' ? pair.live > newest.live : pair.at > newest.at) newest = pair;
    });
    return newest;
  }

  LeafMap state_;
};

}  // namespace syncline
