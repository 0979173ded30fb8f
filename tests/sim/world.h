// A test kit for apps: replicas of yours in virtual time, under faults.
//
//   sim::World world({.seed = 7});
//   world.check([](std::uint32_t, Replica& replica) { ... return std::string(); });
//   world.play(2'000, [](std::uint32_t, Replica& replica, sim::Rng& rng) { ...write... });
//   EXPECT_TRUE(world.heal()) << world.describe();
//
// The replicas are real ones (store/replica.h) over simulated disks, clocks and
// links; one seed decides everything, so each run can be repeated. Time jumps
// to what is due next: hours pass in a moment. docs/simulation.md has a tour.
//
// Not thread-safe, and not to be used with a commit window, which has a thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "crdt/export.h"
#include "store/replica.h"
#include "tests/sim/faults.h"
#include "tests/sim/network.h"
#include "tests/sim/rng.h"
#include "tests/sim/schedule.h"

namespace syncline::sim {

struct WorldOptions {
  std::uint64_t seed = 1;
  std::uint32_t replicas = 3;      // Each linked with each. At least 2.
  std::optional<Faults> faults;    // Drawn from the seed if not given; Faults() for none.
  Micros beat = 20 * millisecond;  // Between two acts, on average.
  LinkOptions link;
  EngineOptions engine;    // Budgets; its entropy is the world's to draw.
  SessionOptions session;  // Its cluster, node and address are the world's.
};

class SYNCLINE_EXPORT World {
 public:
  // What an app does at one replica; what it asserts of one. An empty text says that all is well.
  using Act = std::function<void(std::uint32_t index, Replica& replica, Rng& rng)>;
  using Check = std::function<std::string(std::uint32_t index, Replica& replica)>;

  explicit World(WorldOptions options);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Called after every event for the replica that it happened to, and in heal()
  // for all. The first text that isn't empty ends the run, see violation().
  void check(Check check);

  // So many beats of chaos: at each one replica that is up acts, or something
  // breaks, or both; frames are delivered in between. False after a violation.
  bool play(std::uint64_t beats, const Act& act);
  // Lets virtual time pass, faults included, with nobody acting.
  bool run_for(Micros length);
  // Ends all faults for good, starts what is down, and lets time pass until all
  // replicas are found equal. False after a violation, or when that takes longer.
  bool heal(Micros within = 10 * second);

  std::uint32_t size() const;
  // The replica; null while it is down. It lives until the next event at most.
  Replica* replica(std::uint32_t index);
  Micros now() const;

  // The first thing found wrong, with the virtual time.
  const std::optional<std::string>& violation() const;
  // How often a fault struck so far.
  std::uint64_t struck(Fault fault) const;
  // Frames delivered so far.
  std::uint64_t frames() const;
  // Equal for equal runs.
  std::uint64_t trace_hash() const;
  // For a failing test's message: the seed, what was found, which faults struck.
  std::string describe() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace syncline::sim
