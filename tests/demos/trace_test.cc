#include "demos/gossip/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace gossip {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string complaint(const std::string& text) {
  const auto plan = parse_trace(text, "t.jsonl", std::nullopt);
  return plan ? "" : plan.error().detail;
}

TEST(Trace, ReadsEachOperation) {
  const auto plan = parse_trace(
      R"({"peer":1,"op":"inc","key":"n","by":-2}
{"peer":2,"op":"inc","key":"n"}

{"peer":3,"op":"add","key":"s","element":"a"}
{"peer":3,"op":"put","key":"m","field":"f","value":1.5}
{"peer":3,"op":"put","key":"r","value":null})",
      "t.jsonl", std::nullopt);
  ASSERT_TRUE(plan) << plan.error().detail;
  EXPECT_EQ(plan->peers, 3U);
  ASSERT_THAT(plan->changes, SizeIs(5));
  EXPECT_EQ(plan->changes[0].operations[0].by, -2);
  EXPECT_EQ(plan->changes[1].peer, 1U);
  EXPECT_EQ(plan->expected.counters.at("n"), -1);
  EXPECT_TRUE(plan->expected.sets.at("s").contains(syncline::Value("a").to_bytes()));
  EXPECT_EQ(plan->expected.maps.at("m").at("f"), syncline::Value(1.5).to_bytes());
  EXPECT_EQ(plan->expected.registers.at("r"), syncline::Value().to_bytes());
}

TEST(Trace, AddsAndRemovesFollowTheWholeRunBeforeThem) {
  const auto plan = parse_trace(
      R"({"peer":1,"op":"add","key":"s","element":"a"}
{"peer":2,"op":"add","key":"s","element":"a"}
{"peer":3,"op":"rem","key":"s","element":"a"}
{"peer":1,"op":"rem","key":"s","element":"a"}
{"peer":2,"op":"add","key":"s","element":"a"}
{"peer":2,"op":"rem","key":"s","element":"b"})",
      "t.jsonl", std::nullopt);
  ASSERT_TRUE(plan) << plan.error().detail;
  EXPECT_THAT(plan->changes[1].after, IsEmpty());
  EXPECT_THAT(plan->changes[2].after, ElementsAre(0, 1));
  EXPECT_THAT(plan->changes[3].after, ElementsAre(0, 1));
  EXPECT_THAT(plan->changes[4].after, ElementsAre(2, 3));
  EXPECT_THAT(plan->changes[5].after, IsEmpty());
}

TEST(Trace, WritersAreDealtOutToFewerPeers) {
  const auto plan = parse_trace(R"({"peer":5,"op":"inc","key":"n"})", "t.jsonl", 3);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->peers, 3U);
  EXPECT_EQ(plan->changes[0].peer, 1U);
}

TEST(Trace, ErrorsNameFileLineAndReason) {
  const std::string good = R"({"peer":1,"op":"inc","key":"n"})"
                           "\n";
  EXPECT_EQ(complaint(good + "{"), "t.jsonl:2: not JSON");
  EXPECT_EQ(complaint(good + "\n[1]"), "t.jsonl:3: not an object {...}");
  EXPECT_EQ(complaint(R"({"op":"inc","key":"n"})"), "t.jsonl:1: \"peer\" is missing");
  EXPECT_EQ(complaint(R"({"peer":65,"op":"inc","key":"n"})"),
            "t.jsonl:1: \"peer\" must be a whole number from 1 to 64");
  EXPECT_EQ(complaint(R"({"peer":1.5,"op":"inc","key":"n"})"),
            "t.jsonl:1: \"peer\" must be a whole number from 1 to 64");
  EXPECT_EQ(complaint(R"({"peer":1,"op":"del","key":"n"})"),
            "t.jsonl:1: \"op\" must be inc, add, rem or put, not \"del\"");
  EXPECT_EQ(complaint(R"({"peer":1,"op":"inc","key":7})"), "t.jsonl:1: \"key\" must be a text");
  EXPECT_EQ(complaint(R"({"peer":1,"op":"inc","key":"n","by":0})"), "t.jsonl:1: \"by\" must not be 0");
  EXPECT_EQ(complaint(R"({"peer":1,"op":"inc","key":"n","bye":1})"),
            "t.jsonl:1: \"bye\" has no meaning here");
  EXPECT_EQ(complaint(R"({"peer":1,"op":"add","key":"s"})"), "t.jsonl:1: \"element\" is missing");
  EXPECT_EQ(complaint(R"({"peer":1,"op":"put","key":"s","value":[1]})"),
            "t.jsonl:1: \"value\" must be a scalar");
  EXPECT_EQ(complaint(good + R"({"peer":1,"op":"put","key":"n","value":1})"),
            "t.jsonl:2: \"n\" is a counter since line 1");
  EXPECT_EQ(complaint(good + R"({"peer":1,"op":"inc","key":"n","by":9223372036854775807})"),
            "t.jsonl:2: the counter would leave its range");
  EXPECT_EQ(complaint(R"({"peer":1,"op":"inc","key":"n","by":-9223372036854775808})"),
            "t.jsonl:1: the counter would leave its range");
  EXPECT_EQ(complaint(R"({"peer":1,"op":"inc","key":")" + std::string(5000, 'k') + "\"}"),
            "t.jsonl:1: \"key\" is over 4096 bytes");
  EXPECT_EQ(complaint("\n"), "t.jsonl:1: no operations");
}

TEST(SampleTrace, IsTheSameOnEveryMachine) {
  const auto text = sample_trace();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2000);
  EXPECT_EQ(hash_of(text, 0), 1556155294282454041U)
      << "The trace has changed; if that was meant, so must this number.";
  const auto plan = parse_trace(text, "sample", std::nullopt);
  ASSERT_TRUE(plan) << plan.error().detail;
  EXPECT_EQ(plan->peers, 8U);
  const auto waits = std::count_if(plan->changes.begin(), plan->changes.end(),
                                   [](const Change& change) { return !change.after.empty(); });
  EXPECT_GT(waits, 100) << "It should show changes that wait.";
}

}  // namespace
}  // namespace gossip
