// The simulator's own test: honest runs hold, planted defects don't.
#include "tests/sim/sim.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "tests/support/scale.h"

namespace syncline::sim {
namespace {

constexpr std::uint64_t blocks = 8;

unsigned long long n(std::uint64_t value) { return value; }

// What must be told of a run that failed: how to repeat it, and the smallest that fails, too.
std::string describe(const Sim& sim, const SimOptions& options) {
  return replay(options) + "\n" + *sim.violation() + "\nsmaller: " + replay(shrink(options));
}

class Simulation : public testing::TestWithParam<std::uint64_t> {
 public:
  // Each rare event within these seeds, if they are enough to say so: two blocks of `make test`.
  static void TearDownTestSuite() {
    if (seeds_run < 250) return;
    for (std::size_t i = 0; i < mark_count; ++i) {
      if (is_rare(static_cast<Mark>(i))) continue;
      EXPECT_GT(marks.counts[i], 0U) << name(static_cast<Mark>(i)) << " was never reached";
    }
  }

 protected:
  static inline std::uint64_t seeds_run = 0;
  static inline Marks marks;
};

// Machines that are split, crash, fall back to older disks, are copied, sleep,
// wait for slow disks and hear damaged, repeated and old frames stay right at
// every step; a connected part of them agrees within ten ticks of calm, and then
// all. In some runs one of them lies, or is set back to snapshots of its memory:
// nothing crashes, budgets and disks hold, versions don't go back, and honest
// machines agree in the end and have what any of them had.
TEST_P(Simulation, ConvergesThroughChaos_R_AE_3) {
  const std::clock_t began = std::clock();
  SimCounts total;
  const std::uint64_t seeds = test_scale() == Scale::small ? 3 : scaled(125);
  for (std::uint64_t i = 0; i < seeds; ++i) {
    const SimOptions options{.seed = GetParam() * seeds + i + 1};
    Sim sim(options);
    const bool held = sim.run();
    total.add(sim.counts());
    ASSERT_TRUE(held) << describe(sim, options);
  }
  const double spent = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
  std::printf(
      "%llu seeds, %llu frames, operations and faults, %.0f a second and core; calm after %llu ticks, %llu "
      "beside liars and dots used twice\n",
      n(seeds), n(total.events()), static_cast<double>(total.events()) / spent, n(total.calm_ticks),
      n(total.loose_ticks));
  seeds_run += seeds;
  marks.add(total.marks);
  if (test_scale() == Scale::small) return;
  for (const Fault fault : all_faults()) {
    if (fault == Fault::rot) continue;
    EXPECT_GT(total.struck[static_cast<std::size_t>(fault)], 0U) << name(fault) << " never struck";
  }
}

INSTANTIATE_TEST_SUITE_P(Block, Simulation, testing::Range<std::uint64_t>(0, blocks));

TEST(SimulationRun, EqualSeedsGiveEqualRuns) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Sim once({.seed = seed, .events = 3'000});
    Sim again({.seed = seed, .events = 3'000});
    Sim another({.seed = seed + 100, .events = 3'000});
    once.run(), again.run(), another.run();
    EXPECT_EQ(once.trace_hash(), again.trace_hash());
    EXPECT_NE(once.trace_hash(), another.trace_hash());
  }
}

// A run that fails is made smaller and fails still; its command says all that it takes.
TEST(SimulationRun, FailingRunsShrink) {
  const SimOptions failing{.seed = 1, .events = 5'000, .defect = Defect::loses_a_frame};
  Sim sim(failing);
  ASSERT_FALSE(sim.run());
  const SimOptions smaller = shrink(failing);
  EXPECT_LT(smaller.events, failing.events / 4);
  Sim again(smaller);
  EXPECT_FALSE(again.run());
  EXPECT_LT(again.counts().events(), sim.counts().events());
  EXPECT_EQ(replay({.seed = 7, .events = 9, .operations = 3, .without = {Fault::crash}}),
            "sim_run --seed 7 --events 9 --operations 3 --without crash");
  EXPECT_EQ(replay({.seed = 7, .events = 9, .with = {{Fault::lie, 5}}, .replicas = 5}),
            "sim_run --seed 7 --events 9 --with lie=5 --replicas 5");
}

class PlantedDefect : public testing::TestWithParam<Defect> {};

// A check that never fails checks nothing.
TEST_P(PlantedDefect, IsCaught) {
  std::uint64_t caught = 0;
  std::uint64_t events = 0;
  std::string first;
  constexpr std::uint64_t seeds = 10;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Sim sim({.seed = seed, .events = 5'000, .defect = GetParam()});
    if (sim.run()) continue;
    ++caught;
    events += sim.counts().events();
    if (first.empty()) first = *sim.violation();
    if (test_scale() == Scale::small) break;
  }
  std::printf("| %-27s | %2llu | %6.0f | %.100s\n", name(GetParam()), n(caught),
              caught == 0 ? 0.0 : static_cast<double>(events) / static_cast<double>(caught), first.c_str());
  EXPECT_GE(caught, 1U);
}

INSTANTIATE_TEST_SUITE_P(Simulation, PlantedDefect, testing::ValuesIn(all_defects()),
                         [](const auto& param) { return std::string(name(param.param)); });

// Where less can be said, something still is.
struct Beside {
  Defect defect;
  Fault fault;
  std::uint64_t once_in;
};

class DefectBeside : public testing::TestWithParam<Beside> {};

TEST_P(DefectBeside, IsCaught) {
  bool caught = false;
  for (std::uint64_t seed = 1; seed <= 10 && !caught; ++seed) {
    Sim sim({.seed = seed,
             .events = 5'000,
             .with = {{GetParam().fault, GetParam().once_in}},
             .defect = GetParam().defect});
    caught = !sim.run();
    if (caught)
      std::printf("%s beside %s: seed %llu, %.100s\n", name(GetParam().defect), name(GetParam().fault),
                  n(seed), sim.violation()->c_str());
  }
  EXPECT_TRUE(caught);
}

INSTANTIATE_TEST_SUITE_P(Simulation, DefectBeside,
                         testing::Values(Beside{Defect::alters_a_payload, Fault::resume, 100},
                                         Beside{Defect::forgets_a_leaf, Fault::resume, 100},
                                         Beside{Defect::forgets_the_digests, Fault::resume, 100},
                                         Beside{Defect::acknowledges_before_storing, Fault::lie, 3},
                                         Beside{Defect::skips_a_record, Fault::lie, 3},
                                         Beside{Defect::drops_wants, Fault::lie, 3}),
                         [](const auto& param) {
                           return std::string(name(param.param.defect)) + "_" + name(param.param.fault);
                         });

}  // namespace
}  // namespace syncline::sim
