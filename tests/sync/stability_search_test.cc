// The rules of members and stability, searched exhaustively in small scope; and
// each rule left out once, to see the search find the trace that it prevents.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/sync/stability_model.h"

namespace syncline::stability_model {
namespace {

std::string lines(const std::vector<std::string>& steps) {
  std::string text;
  for (const std::string& step : steps) text += "  " + step + "\n";
  return text;
}

// Depths in steps: small scale, full, deep.
unsigned depth(unsigned small, unsigned full, unsigned deep) {
  const char* wanted = std::getenv("SYNCLINE_TEST_SCALE");
  const std::string_view scale = wanted == nullptr ? "full" : wanted;
  return scale == "small" ? small : scale == "full" ? full : deep;
}

void expect_no_violation(const char* what, const Options& options) {
  const Outcome outcome = search(options);
  std::printf("%s: depth %u, %llu states, %llu transitions\n", what, options.depth,
              static_cast<unsigned long long>(outcome.states),
              static_cast<unsigned long long>(outcome.transitions));
  EXPECT_TRUE(outcome.violation.empty()) << lines(outcome.violation);
}

TEST(StabilityModel, WhatAllShareHoldsThroughJoinsLeavesAndLoss) {
  expect_no_violation("one row shared",
                      {.start = Start::shared, .depth = depth(5, 7, 8), .calls = 2, .misfortunes = 2});
}

TEST(StabilityModel, WhatIsApartHoldsThroughJoinsLeavesAndLoss) {
  expect_no_violation("rows apart", {.start = Start::apart, .depth = depth(5, 7, 8)});
}

class RuleLeftOut : public testing::TestWithParam<Broken> {};

TEST_P(RuleLeftOut, IsFound) {
  std::size_t steps = 0;
  for (const Start start : {Start::shared, Start::apart}) {
    const Outcome outcome = search({.start = start, .depth = 8, .broken = GetParam()});
    if (outcome.violation.empty()) continue;
    steps = outcome.violation.size();
    std::printf("%s: a violation after %zu steps, among %llu states\n%s", name(GetParam()), steps,
                static_cast<unsigned long long>(outcome.states), lines(outcome.violation).c_str());
    break;
  }
  EXPECT_GT(steps, 0U);
}

INSTANTIATE_TEST_SUITE_P(StabilityModel, RuleLeftOut, testing::ValuesIn(all_broken),
                         [](const auto& param) { return std::string(name(param.param)); });

}  // namespace
}  // namespace syncline::stability_model
