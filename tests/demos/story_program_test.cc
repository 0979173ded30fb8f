// The stories about the types, as somebody meets them who has never seen one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/demos/program.h"

namespace gossip {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class StoryProgram : public ::testing::TestWithParam<std::string> {};

TEST_P(StoryProgram, TellsWhatHappenedAndWhyItIsRight) {
  const auto outcome = run({GetParam()});
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("  right: "));
  EXPECT_THAT(outcome.output, Not(HasSubstr("WRONG")));
}

TEST_P(StoryProgram, TakesNoOptionsAndSaysSo) {
  const auto help = run({GetParam(), "--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.output, HasSubstr("usage: "));
  for (const std::string option : {"--bogus", "extra", "--seed=1"}) {
    const auto outcome = run({GetParam(), option});
    EXPECT_EQ(outcome.status, 2);
    EXPECT_THAT(outcome.output, HasSubstr(option + ": a story takes no options"));
    EXPECT_THAT(outcome.output, Not(HasSubstr("right: ")));
  }
}

INSTANTIATE_TEST_SUITE_P(Stories, StoryProgram, ::testing::Values(SYNCLINE_CART, SYNCLINE_FEED),
                         [](const auto& story) { return std::string(story.index == 0 ? "Cart" : "Feed"); });

TEST(CartStory, NamesTheHoldersOfRightsAndNotTheirIds) {
  const auto outcome = run({SYNCLINE_CART});
  EXPECT_THAT(outcome.output, HasSubstr("left till: no sale (no_rights: spend from bounded_counter "
                                        "\"stock/apples\": 1 asked for, 0 held here, 2 by the right till)"));
}

}  // namespace
}  // namespace gossip
