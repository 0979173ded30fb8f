// Random writes through the rules of every type, and of one that nobody knows.
#pragma once

#include <cstdint>
#include <string>

#include "crdt/leaf_key.h"
#include "sync/engine.h"
#include "tests/sim/disk.h"
#include "tests/sim/oracle.h"
#include "tests/sim/rng.h"

namespace syncline::sim {

// A type of a newer peer: this build must store, digest and forward its leaves.
inline constexpr Type made_up_type{77};

// Reads an engine's leaves as the types do.
class EngineReader {
 public:
  EngineReader(const Engine& engine, const KeyspaceState& keyspace) : engine_(engine), keyspace_(keyspace) {}

  template <class See>
  void for_each_live(std::string_view leaf, See&& see) const {
    if (const auto found = engine_.find(keyspace_, leaf); found && *found)
      engine_.for_each_live(keyspace_, **found, see);
  }
  template <class Visit>
  void scan(std::string_view prefix, Visit&& visit) const {
    scan_from(prefix, prefix, visit);
  }
  template <class Visit>
  void scan_from(std::string_view prefix, std::string_view from, Visit&& visit) const {
    std::vector<LiveDotView> live;
    const auto read =
        engine_.scan(keyspace_, from, [&](std::string_view leaf, std::string_view value) -> bool {
          if (!leaf.starts_with(prefix)) return false;
          live.clear();
          engine_.for_each_live(keyspace_, value, [&](const LiveDotView& dot) { live.push_back(dot); });
          return visit(leaf, std::span<const LiveDotView>(live));
        });
    SYNCLINE_ASSERT(read.has_value());
  }

 private:
  const Engine& engine_;
  const KeyspaceState& keyspace_;
};

struct OperationLimits {
  std::uint64_t keys = 2;
  std::size_t value_bytes_max = 40;
};

// One transaction of one to three writes; a few are given up or fail, and must
// leave nothing behind. `disk` is the engine's, if it has one; reads of it may
// fail until the commit. `oracle` takes down what was made; `view` is the
// replica's, and current. Reads what it wrote. `loose`: rows may be anybody's, and aren't taken down.
Finding operate(Engine& engine, KeyspaceState& keyspace, Time now, std::uint32_t replica,
                const OperationLimits& limits, Disk* disk, Rng& rng, Oracle& oracle, Oracle::View& view,
                bool loose);

}  // namespace syncline::sim
