// The simulator: three to five replicas, unmodified engines and sessions, in
// virtual time. One seed decides everything, so each run can be repeated.
//
// First chaos: writes, slow and failing disks, crashes, connections lost at any
// frame boundary, old frames played into new connections; each event is
// followed by the checks of oracle.h and inspector.h. Then calm: with all links
// whole, all must agree within ten tick intervals.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "sync/engine.h"
#include "tests/sim/inspector.h"

namespace syncline::sim {

// What is built wrong on purpose, outside the library, to see it caught.
enum class Defect {
  none,
  acknowledges_before_storing,  // The disk says "persisted" at once and stores later.
  forgets_a_leaf,               // The disk leaves one leaf out of a record.
  stores_half_a_record,         // The disk stores the first half of a record's leaves.
  restores_a_backup,            // A crashed replica starts from an older disk with its old entropy.
  loses_a_frame,                // The transport drops a frame and goes on.
  swaps_frames,                 // The transport delivers two frames in the wrong order.
  strips_removals,              // A push loses what it removes on the way.
  strips_dependencies,          // A push loses its dependencies and overtakes them.
  strips_a_leaf,                // A chunk loses a leaf on the way.
  raises_a_version,             // A status claims one dot more than there is.
  keeps_failed_writes,          // The disk reports a failure and stores the record all the same.
};
inline constexpr Defect all_defects[] = {Defect::acknowledges_before_storing,
                                         Defect::forgets_a_leaf,
                                         Defect::stores_half_a_record,
                                         Defect::restores_a_backup,
                                         Defect::loses_a_frame,
                                         Defect::swaps_frames,
                                         Defect::strips_removals,
                                         Defect::strips_dependencies,
                                         Defect::strips_a_leaf,
                                         Defect::raises_a_version,
                                         Defect::keeps_failed_writes};
const char* name(Defect defect);

struct SimOptions {
  std::uint64_t seed = 1;
  std::uint64_t events = 20'000;  // Of chaos: frames delivered, operations and faults.
  Defect defect = Defect::none;
};

// What happened, for the speed and to know that a run reached what it should.
struct SimCounts {
  std::uint64_t frames = 0;
  std::uint64_t operations = 0;
  std::uint64_t faults = 0;
  std::uint64_t rows = 0;
  std::uint64_t cuts = 0;
  std::uint64_t crashes = 0;
  std::uint64_t commits_failed = 0;
  std::uint64_t replays = 0;
  std::uint64_t replays_refused = 0;
  std::uint64_t full_checks = 0;
  std::uint64_t duplicates = 0;  // Changes that arrived though known.
  std::uint64_t early = 0;       // Early changes dropped.
  std::uint64_t log_cut = 0;
  std::uint64_t passes = 0;
  std::uint64_t full_passes = 0;
  std::uint64_t calm_ticks = 0;  // Until agreement, in tick intervals, rounded up.
  WireCounts wire;

  std::uint64_t events() const { return frames + operations + faults; }
  void add(const SimCounts& other);
};

class Sim {
 public:
  explicit Sim(SimOptions options);
  ~Sim();
  Sim(const Sim&) = delete;
  Sim& operator=(const Sim&) = delete;

  // Chaos, then calm. True if every check held.
  bool run();

  // The first thing found wrong, with the event and the virtual time.
  const std::optional<std::string>& violation() const;
  const SimCounts& counts() const;
  // Equal for equal runs, and for nothing else.
  std::uint64_t trace_hash() const;
  // The command that repeats the run.
  std::string replay() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace syncline::sim
