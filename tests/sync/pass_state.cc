#include "tests/sync/pass_state.h"

#include <algorithm>
#include <vector>

#include "tests/sim/rng.h"

namespace syncline::model {
namespace {

// A way of naming replicas anew.
struct Naming {
  std::array<std::uint8_t, replicas> old_name{};  // By new name.
  std::array<std::uint8_t, replicas> new_name{};  // By old name.
  std::array<Rows, 1U << rows_max> rows{};        // Sets of rows, renamed.
};
const std::vector<Naming>& namings() {
  static const std::vector<Naming> all = [] {
    std::vector<Naming> made;
    std::array<std::uint8_t, replicas> order{0, 1, 2};
    do {
      Naming& naming = made.emplace_back();
      naming.old_name = order;
      for (std::uint8_t i = 0; i < replicas; ++i) naming.new_name[order[i]] = i;
      for (unsigned set = 0; set < naming.rows.size(); ++set) {
        for (unsigned actor = 0; actor < replicas; ++actor) {
          const unsigned part = set >> actor * rows_per_actor & ((1U << rows_per_actor) - 1);
          naming.rows[set] |= static_cast<Rows>(part << naming.new_name[actor] * rows_per_actor);
        }
      }
    } while (std::next_permutation(order.begin(), order.end()));
    return made;
  }();
  return all;
}

Hash128 hash_as(const State& state, const Naming& naming) {
  // Field by field: padding is no part of a state.
  std::uint64_t low = 1;
  std::uint64_t high = 2;
  const auto take = [&](std::uint64_t word) {
    low = sim::mix(low, word);
    high = sim::mix(word + 0x9e3779b97f4a7c15, high);
  };
  const auto named = [&naming](Rows rows) { return std::uint64_t{naming.rows[rows]}; };
  for (const std::uint8_t actor : naming.old_name) {
    for (unsigned counter = 0; counter < rows_per_actor; ++counter) {
      const Row& row = state.rows[actor * rows_per_actor + counter];
      if (row.last == 0) break;
      take(named(row.removed) | named(row.past) << 16 | std::uint64_t{row.leaf} << 32 |
           std::uint64_t{row.payload} << 36 | std::uint64_t{row.first} << 40 | std::uint64_t{row.last} << 48);
    }
    const Replica& replica = state.at[actor];
    const Pass& pass = replica.inbound;
    take(named(replica.version) | named(replica.live) << 16 | named(replica.logged) << 32 |
         named(pass.asked) << 48);
    if (state.losses != 0)
      take(std::uint64_t{state.losses} | std::uint64_t{replica.lost} << 8 |
           std::uint64_t{replica.distrusts} << 16 | std::uint64_t{replica.fits} << 24 |
           named(replica.was) << 32 | std::uint64_t{1} << 62);
    if (pass.source == no_source) continue;
    take(std::uint64_t{naming.new_name[pass.source]} | std::uint64_t{pass.running} << 8 |
         std::uint64_t{pass.full} << 16 | std::uint64_t{pass.named} << 24 | std::uint64_t{pass.staged} << 32 |
         std::uint64_t{pass.in_place} << 40 | std::uint64_t{1} << 63);
    take(named(pass.live[0]) | named(pass.live[1]) << 16 | named(pass.version[0]) << 32 |
         named(pass.version[1]) << 48);
    if (pass.sketch != 0)
      take(named(pass.start) | named(pass.told) << 16 | named(pass.basis) << 32 |
           std::uint64_t{pass.sketch} << 48);
  }
  return {low, high};
}

}  // namespace

Hash128 hash(const State& state) {
  Hash128 least{~std::uint64_t{0}, ~std::uint64_t{0}};
  for (const Naming& naming : namings()) {
    const Hash128 hash = hash_as(state, naming);
    if (hash.low < least.low || (hash.low == least.low && hash.high < least.high)) least = hash;
  }
  return least;
}

}  // namespace syncline::model
