// The sync rules, searched exhaustively in small scope; and each rule left out
// once, to see the search find the trace that the rule prevents.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/sync/pass_model.h"

namespace syncline::model {
namespace {

std::string_view scale() {
  const char* wanted = std::getenv("SYNCLINE_TEST_SCALE");
  return wanted == nullptr ? "full" : wanted;
}

std::string lines(const std::vector<std::string>& steps) {
  std::string text;
  for (const std::string& step : steps) text += "  " + step + "\n";
  return text;
}

void expect_no_violation(const char* what, const Options& options) {
  const Outcome outcome = search(options);
  std::printf("%s: depth %u, %llu states, %llu transitions\n", what, options.depth,
              static_cast<unsigned long long>(outcome.states),
              static_cast<unsigned long long>(outcome.transitions));
  EXPECT_TRUE(outcome.violation.empty()) << lines(outcome.violation);
}

// Depths in steps: small scale, full, deep.
unsigned depth(unsigned small, unsigned full, unsigned deep) {
  return scale() == "small" ? small : scale() == "full" ? full : deep;
}

TEST(SyncModel, OneLeafHolds) {
  expect_no_violation("one leaf", {.leaves = 1, .depth = depth(6, 8, 9), .rows = 6});
}

TEST(SyncModel, TwoLeavesAndCutPassesHold) {
  expect_no_violation("two leaves, passes cut", {.leaves = 2, .depth = depth(5, 7, 8), .rows = 5});
}

TEST(SyncModel, WholePassesAndPushesHold) {
  expect_no_violation(
      "two leaves, whole passes",
      {.leaves = 2, .depth = depth(6, 8, 9), .rows = 6, .stepwise_passes = false, .log_cuts = false});
}

TEST(SyncModel, StagingInPlaceHolds) {
  expect_no_violation("two leaves, staged in place",
                      {.leaves = 2, .depth = depth(5, 7, 8), .rows = 5, .in_place = true});
}

TEST(SyncModel, DigestPassesHold) {
  expect_no_violation("two leaves, digest passes", {.leaves = 2,
                                                    .depth = depth(5, 7, 9),
                                                    .rows = 4,
                                                    .stepwise_passes = false,
                                                    .digest_passes = true});
}

// Deeper, where one leaf is enough: the receiver's own changes while it waits.
TEST(SyncModel, DigestPassesOfOneLeafHold) {
  expect_no_violation("one leaf, digest passes", {.leaves = 1,
                                                  .depth = depth(6, 8, 11),
                                                  .rows = 4,
                                                  .stepwise_passes = false,
                                                  .log_cuts = false,
                                                  .digest_passes = true});
}

TEST(SyncModel, LossOfALeafHolds) {
  expect_no_violation("two leaves, one lost", {.leaves = 2,
                                               .depth = depth(5, 8, 9),
                                               .rows = 4,
                                               .stepwise_passes = false,
                                               .digest_passes = scale() == "deep",
                                               .losses = true});
}

void expect_found(const char* what, const Options& options) {
  const Outcome outcome = search(options);
  std::printf("%s: a violation after %zu steps, among %llu states\n", what, outcome.violation.size(),
              static_cast<unsigned long long>(outcome.states));
  EXPECT_FALSE(outcome.violation.empty()) << what;
  std::fputs(lines(outcome.violation).c_str(), stdout);
}

class DigestsLeftOut : public testing::TestWithParam<Broken> {};

TEST_P(DigestsLeftOut, IsFound) {
  expect_found(name(GetParam()), {.leaves = 2,
                                  .depth = 10,
                                  .rows = 4,
                                  .stepwise_passes = false,
                                  .log_cuts = false,
                                  .digest_passes = true,
                                  .broken = GetParam()});
}
INSTANTIATE_TEST_SUITE_P(SyncModel, DigestsLeftOut, testing::ValuesIn(all_broken_digests),
                         [](const auto& param) { return std::string(name(param.param)); });

class LossesLeftOut : public testing::TestWithParam<Broken> {};

TEST_P(LossesLeftOut, IsFound) {
  expect_found(name(GetParam()), {.leaves = 2,
                                  .depth = 8,
                                  .rows = 4,
                                  .stepwise_passes = false,
                                  .losses = true,
                                  .broken = GetParam()});
}
INSTANTIATE_TEST_SUITE_P(SyncModel, LossesLeftOut, testing::ValuesIn(all_broken_losses),
                         [](const auto& param) { return std::string(name(param.param)); });

class LeftOut : public testing::TestWithParam<Broken> {};

// These concern passes in place; the others must be found without any.
bool is_of_joining(Broken broken) { return broken >= Broken::joining_answers; }

TEST_P(LeftOut, IsFound) {
  Options options{.leaves = 2,
                  .depth = 8,
                  .rows = 4,
                  .log_cuts = false,
                  .in_place = is_of_joining(GetParam()),
                  .broken = GetParam()};
  const Outcome outcome = search(options);
  std::printf("without %s: a violation after %zu steps, among %llu states\n", name(GetParam()),
              outcome.violation.size(), static_cast<unsigned long long>(outcome.states));
  EXPECT_FALSE(outcome.violation.empty());
  std::fputs(lines(outcome.violation).c_str(), stdout);
}

INSTANTIATE_TEST_SUITE_P(SyncModel, LeftOut, testing::ValuesIn(all_broken),
                         [](const auto& param) { return std::string(name(param.param)); });

}  // namespace
}  // namespace syncline::model
