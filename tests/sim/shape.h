// All that a seed decides once for a run.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/defects.h"
#include "tests/sim/faults.h"
#include "tests/sim/network.h"
#include "tests/sim/operations.h"
#include "tests/sim/rng.h"
#include "tests/sim/sim.h"

namespace syncline::sim {

inline constexpr Micros tick = second;

struct Shape {
  std::uint32_t replicas;  // The last of them is the place of a copy, if one may be made.
  bool has_clone;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> links;
  std::vector<std::vector<std::string>> keyspaces;  // By replica.
  std::vector<bool> in_memory;                      // Those keep no disk, and don't crash.
  bool relay, join_in_place;
  OperationLimits operations;
  std::size_t log_bytes, early_bytes, chunk_bytes, push_bytes, frame_bytes, actors_named;
  Micros operation_gap, commit_max;
  LinkOptions link;
  Faults faults;

  // Nobody can say what must be live: see sim.h.
  bool is_loose() const { return faults[Fault::lie] != 0 || faults[Fault::resume] != 0; }
};

Shape draw_shape(Rng& rng, const SimOptions& options);

}  // namespace syncline::sim
