// The simulator's own test: honest runs hold, planted defects don't.
#include "tests/sim/sim.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string_view>

namespace syncline::sim {
namespace {

std::uint64_t scaled(std::uint64_t small, std::uint64_t full, std::uint64_t deep, std::uint64_t soak) {
  const char* scale = std::getenv("SYNCLINE_TEST_SCALE");
  const std::string_view wanted = scale == nullptr ? "full" : scale;
  return wanted == "small" ? small : wanted == "deep" ? deep : wanted == "soak" ? soak : full;
}

// Replicas that are split, crash, lose writes that no disk had and hear old
// frames stay right at every step, and agree within ten ticks of calm (R-AE-3).
TEST(Simulation, ConvergesThroughChaos_R_AE_3) {
  const std::clock_t began = std::clock();
  SimCounts total;
  const std::uint64_t seeds = scaled(10, 60, 3'000, 50'000);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Sim sim({.seed = seed});
    const bool held = sim.run();
    total.add(sim.counts());
    ASSERT_TRUE(held) << sim.replay() << "\n" << *sim.violation();
  }
  const double spent = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
  std::printf("%llu seeds, %llu frames, operations and faults, %.0f a second and core\n",
              static_cast<unsigned long long>(seeds), static_cast<unsigned long long>(total.events()),
              static_cast<double>(total.events()) / spent);
  RecordProperty("events", std::to_string(total.events()));
  // What a run should reach was reached.
  EXPECT_GT(total.crashes, 0U);
  EXPECT_GT(total.commits_failed, 0U);
  EXPECT_GT(total.cuts, 0U);
  EXPECT_GT(total.replays, 0U);
  EXPECT_GT(total.duplicates, 0U);
  EXPECT_GT(total.log_cut, 0U);
  EXPECT_GT(total.passes, 0U);
  EXPECT_GT(total.full_passes, 0U);
  EXPECT_GT(total.early, 0U);
  EXPECT_GT(total.wire.continued, 0U);
  EXPECT_GT(total.wire.resumed, 0U);
  EXPECT_GT(total.wire.new_rounds, 0U);
  EXPECT_GT(total.wire.dead_rows, 0U);
}

// 5020: a cut pass went on after another had cleared its chunks from the disk,
// and the next start found chunks without their beginning.
TEST(Simulation, SeedsThatFailedOnceHold) {
  for (const std::uint64_t seed : {5020U}) {
    Sim sim({.seed = seed});
    ASSERT_TRUE(sim.run()) << sim.replay() << "\n" << *sim.violation();
  }
}

TEST(Simulation, EqualSeedsGiveEqualRuns) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Sim once({.seed = seed, .events = 3'000});
    Sim again({.seed = seed, .events = 3'000});
    Sim another({.seed = seed + 100, .events = 3'000});
    once.run(), again.run(), another.run();
    EXPECT_EQ(once.trace_hash(), again.trace_hash());
    EXPECT_NE(once.trace_hash(), another.trace_hash());
  }
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
  }
  std::printf("%-28s %2llu of %llu seeds, after %6.0f events; %s\n", name(GetParam()),
              static_cast<unsigned long long>(caught), static_cast<unsigned long long>(seeds),
              caught == 0 ? 0.0 : static_cast<double>(events) / static_cast<double>(caught), first.c_str());
  EXPECT_GE(caught, 1U);
}

INSTANTIATE_TEST_SUITE_P(Simulation, PlantedDefect, testing::ValuesIn(all_defects),
                         [](const auto& param) { return std::string(name(param.param)); });

}  // namespace
}  // namespace syncline::sim
