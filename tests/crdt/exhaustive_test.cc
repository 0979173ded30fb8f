// Every history of three replicas up to a depth, against independent
// references: see exhaustive.h. Depth 8, counters 11; 6 when small, more when deep.
#include <gtest/gtest.h>

#include "tests/crdt/subjects.h"
#include "tests/support/scale.h"

namespace syncline {
namespace {

struct Depths {
  unsigned small, full, deep;
};

unsigned depth(const Depths& depths) {
  switch (test_scale()) {
    case Scale::small:
      return depths.small;
    case Scale::full:
      return depths.full;
    case Scale::deep:
    case Scale::soak:
      break;
  }
  return depths.deep;
}

template <class Subject>
void expect_right(SearchOptions options) {
  const SearchResult result = Search<Subject>(options).run();
  EXPECT_TRUE(result.right) << "at depth " << result.depth << ": " << result.trace;
  EXPECT_EQ(result.depth, options.depth);
  std::printf("depth %u: %zu steps, %zu worlds\n", result.depth, result.steps, result.worlds);
}

TEST(Exhaustive_R_CRDT_4, OrSetOneElementDeltasInAnyOrder) {
  expect_right<SetSubject>({.depth = depth({6, 9, 10}), .deltas_in_any_order = true});
}

TEST(Exhaustive_R_CRDT_4, OrSetTwoElementsAndClear) {
  expect_right<PairSubject>({.depth = depth({6, 8, 9})});
}

TEST(Exhaustive_R_CRDT_4, LwwRegisterDeltasInAnyOrder) {
  expect_right<LwwSubject<LwwRegister<std::int64_t>>>(
      {.depth = depth({6, 8, 9}), .deltas_in_any_order = true});
}

TEST(Exhaustive_R_CRDT_4, LwwMapField) {
  expect_right<LwwSubject<LwwMap<std::int64_t>>>({.depth = depth({6, 8, 9})});
}

TEST(Exhaustive_R_CRDT_4, GCounterAllRoles) {
  expect_right<CounterSubject<GCounter, Roles::all>>({.depth = depth({6, 9, 11})});
}

TEST(Exhaustive_R_CRDT_4, PnCounterAllRoles) {
  expect_right<CounterSubject<PnCounter, Roles::all>>({.depth = depth({6, 9, 11})});
}

TEST(Exhaustive_R_CRDT_4, PnCounterOneAddsTwoReset) {
  expect_right<CounterSubject<PnCounter, Roles::one_adds>>({.depth = depth({9, 12, 12})});
}

TEST(Exhaustive_R_CRDT_4, GSet) { expect_right<GSetSubject>({.depth = depth({6, 8, 9})}); }

TEST(Exhaustive_R_CRDT_4, RwSetDeltasInAnyOrder) {
  expect_right<RemoveWinsSubject<RwSet<std::int64_t>>>(
      {.depth = depth({6, 8, 9}), .deltas_in_any_order = true});
}

TEST(Exhaustive_R_CRDT_4, RwSetWithCollection) {
  expect_right<CollectSubject<false>>({.depth = depth({6, 8, 9})});
}

TEST(Exhaustive_R_CRDT_4, MvRegisterDeltasInAnyOrder) {
  expect_right<MvSubject>({.depth = depth({6, 8, 9}), .deltas_in_any_order = true});
}

TEST(Exhaustive_R_CRDT_4, MaxRegister) {
  expect_right<ExtremumSubject<MaxRegister<std::int64_t>>>({.depth = depth({6, 8, 8})});
}

TEST(Exhaustive_R_CRDT_4, MinRegister) {
  expect_right<ExtremumSubject<MinRegister<std::int64_t>>>({.depth = depth({6, 8, 8})});
}

TEST(Exhaustive_R_CRDT_4, EwFlagDeltasInAnyOrder) {
  expect_right<EwFlagSubject>({.depth = depth({6, 8, 9}), .deltas_in_any_order = true});
}

TEST(Exhaustive_R_CRDT_4, DwFlagDeltasInAnyOrder) {
  expect_right<RemoveWinsSubject<DwFlag>>({.depth = depth({6, 8, 9}), .deltas_in_any_order = true});
}

TEST(Exhaustive_R_CRDT_4, BoundedCounterNeverPassesItsBound) {
  expect_right<BoundedSubject>({.depth = depth({8, 11, 12})});
}

// Whoever asks, however often and late: each answer is a gift of what its maker held.
TEST(Exhaustive_R_CRDT_4, RightsOnRequestNeverPassTheBound) {
  expect_right<AskedSubject<AskFlaw::none>>({.depth = depth({7, 10, 12})});
}

TEST(Exhaustive_R_CRDT_4, NestedMapsTwoNames) {
  expect_right<NestedSubject<NestedFlaw::none>>({.depth = depth({5, 7, 7})});
}

// The search finds what it is for: each planted defect at the depth at which it is known to fail.
template <class Subject>
void expect_wrong_at(unsigned depth, bool deltas) {
  const SearchResult result = Search<Subject>({.depth = depth, .deltas = deltas}).run();
  EXPECT_FALSE(result.right);
  EXPECT_EQ(result.depth, depth) << result.trace;
}

TEST(ExhaustiveFinds, ResetThatRemovesDotsAtDepth5) {
  expect_wrong_at<FlawedCounterSubject<CounterFlaw::reset_removes, Roles::all>>(5, false);
  expect_wrong_at<FlawedCounterSubject<CounterFlaw::reset_removes, Roles::all>>(5, true);
}

TEST(ExhaustiveFinds, ABoundKeptByLookingAtTheTotalAtDepth4) {
  expect_wrong_at<FlawedBoundedSubject<BoundedFlaw::looks_at_the_total>>(4, true);
}

TEST(ExhaustiveFinds, TakingOverFromWhoStillLivesAtDepth5) {
  expect_wrong_at<FlawedBoundedSubject<BoundedFlaw::takes_over_the_living>>(5, true);
}

TEST(ExhaustiveFinds, AnAnswerThatForgetsWhatTheAskerHoldsAtDepth3) {
  expect_wrong_at<AskedSubject<AskFlaw::forgets_the_asker>>(3, true);
}

TEST(ExhaustiveFinds, CollectionBeforeAllIsHeardAtDepth6) { expect_wrong_at<CollectSubject<true>>(6, true); }

TEST(ExhaustiveFinds, ErasureThatTakesCountersForElementsAtDepth5) {
  expect_wrong_at<NestedSubject<NestedFlaw::erases_shares>>(5, true);
}

TEST(ExhaustiveFinds, RestartAtSightOfAFloorAtDepth9) {
  expect_wrong_at<FlawedCounterSubject<CounterFlaw::restarts_at_sight, Roles::one_adds>>(9, false);
  expect_wrong_at<FlawedCounterSubject<CounterFlaw::restarts_at_sight, Roles::one_adds>>(9, true);
}

TEST(ExhaustiveFinds, RestartOnceStableAtDepth10) {
  expect_wrong_at<FlawedCounterSubject<CounterFlaw::restarts_when_stable, Roles::one_adds>>(10, false);
  expect_wrong_at<FlawedCounterSubject<CounterFlaw::restarts_when_stable, Roles::one_adds>>(10, true);
}

}  // namespace
}  // namespace syncline
