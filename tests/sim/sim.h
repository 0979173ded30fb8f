// The simulator: three to six machines with unmodified engines and sessions, in
// virtual time. One seed decides everything, so each run can be repeated.
//
// First chaos: writes, and the faults of faults.h; each event is followed by the
// checks of oracle.h and inspector.h. Then calm: all faults end, a connected
// part of the machines must agree within ten tick intervals while the others
// are away, and after that all.
//
// Beside a peer that lies, and where a machine was resumed from a snapshot of its
// memory, nobody can say what must be live: rows may be anybody's, and a dot two.
// Then versions, digests, disks and budgets are checked as always, what is read
// isn't; and in the end all honest machines must agree, on no less than what any
// of them had when calm began, and, without a liar, on what somebody wrote.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/defects.h"
#include "tests/sim/faults.h"
#include "tests/sim/marks.h"

namespace syncline::sim {

struct SimOptions {
  std::uint64_t seed = 1;
  std::uint64_t events = 20'000;  // Of chaos: frames delivered, operations and faults.
  // Of the operations only the first so many are carried out.
  std::uint64_t operations = std::numeric_limits<std::uint64_t>::max();
  std::vector<Fault> without;  // Faults left out of what the seed drew.
  // Faults put in its place: once in so many occasions.
  std::vector<std::pair<Fault, std::uint64_t>> with;
  std::uint32_t replicas = 0;  // So many; 0 for as many as the seed drew.
  Defect defect = Defect::none;
};

// What happened, for the speed and to know that a run reached what it should.
struct SimCounts {
  std::uint64_t frames = 0;
  std::uint64_t operations = 0;
  std::uint64_t faults = 0;
  std::uint64_t rows = 0;
  std::uint64_t full_checks = 0;
  std::uint64_t calm_ticks = 0;   // Until agreement, in tick intervals, rounded up; the most of all runs.
  std::uint64_t loose_ticks = 0;  // The same of runs where lies were believed or dots used twice.
  std::array<std::uint64_t, fault_count> struck{};
  Marks marks;
  // What the machines sent, frames that were lost on their way included; and what it had taken to send each
  // change once to each other machine: a frame for each, and the bytes of its leaf keys and payloads.
  std::uint64_t frames_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t frames_due = 0;
  std::uint64_t bytes_due = 0;

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
  // Of all frames delivered and when, of how often what struck, and of what everybody has in the end: equal
  // for equal runs, and for nothing else.
  std::uint64_t trace_hash() const;

  struct Impl;  // See sim_impl.h.

 private:
  std::unique_ptr<Impl> impl_;
};

// The command that repeats the run.
std::string replay(const SimOptions& options);

// A run that fails, made smaller: fewer events, fewer kinds of faults, fewer
// operations, as long as it fails in some way. `options` must fail; so does the
// result. Takes up to `runs_max` runs.
SimOptions shrink(const SimOptions& options, std::uint32_t runs_max = 200);

}  // namespace syncline::sim
