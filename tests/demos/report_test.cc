#include "demos/gossip/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace gossip {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Report some_report() {
  return {.source = "here",
          .rerun = "gossip --seed 7",
          .seed = 7,
          .peers = 4,
          .changes = 1000,
          .waited = 12,
          .killed = "2",
          .redone = 3,
          .replay_seconds = 2,
          .heal_seconds = 0.25,
          .settle_seconds = 0.01,
          .bytes_sent = 6000,
          .bytes_own = 1000,
          .pushed = 2000,
          .by_pass = 1000,
          .duplicates = 30,
          .digests_equal = true,
          .digest = "\x01\x02\x03\x04\x05",
          .checks = {"files: all"}};
}

TEST(Report, SaysWhatWasProvenAndAtWhatCost) {
  const auto text = to_text(some_report());
  EXPECT_THAT(text, HasSubstr("PROVEN: all peers agree"));
  EXPECT_THAT(text, HasSubstr("files: all"));
  EXPECT_THAT(text, HasSubstr("500 a second"));
  EXPECT_THAT(text, HasSubstr("6.00 times, 2.00 per receiver"));
  EXPECT_THAT(text, HasSubstr("1.010 received per change"));
  EXPECT_THAT(text, HasSubstr("250 ms after the heal"));
  EXPECT_THAT(text, HasSubstr("gossip --seed 7"));
  EXPECT_THAT(text, Not(HasSubstr("DIFFERENT")));
}

TEST(Report, ADifferenceIsNoProof) {
  auto report = some_report();
  report.differences = {"counter x is 1, expected 2"};
  EXPECT_FALSE(report.proven());
  EXPECT_THAT(to_text(report), HasSubstr("NOT PROVEN"));
  EXPECT_THAT(to_text(report), HasSubstr("DIFFERENT   counter x is 1, expected 2"));
  report.differences.clear();
  report.digests_equal = false;
  EXPECT_FALSE(report.proven());
}

TEST(Report, JsonHoldsTheFiguresWhateverTheNamesAre) {
  auto report = some_report();
  report.differences = {"\xff"};
  const auto json = nlohmann::json::parse(to_json(report), nullptr, false);
  ASSERT_FALSE(json.is_discarded());
  EXPECT_EQ(json["proven"], false);
  EXPECT_EQ(json["digest"], "0102030405");
  EXPECT_EQ(json["changes"], 1000);
  EXPECT_EQ(json["bytes_sent_over_own"], 6.0);
  EXPECT_EQ(json["convergence_after_heal_seconds"], 0.25);
  report.heal_seconds.reset();
  EXPECT_TRUE(nlohmann::json::parse(to_json(report))["convergence_after_heal_seconds"].is_null());
}

}  // namespace
}  // namespace gossip
