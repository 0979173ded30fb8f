#include "demos/peer/words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace peer {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> words(std::string_view line) {
  const auto split = split_words(line);
  std::vector<std::string> texts;
  if (split) {
    for (const auto& word : *split) texts.push_back(word.text);
  } else {
    texts.push_back(split.error().detail);
  }
  return texts;
}

TEST(Words, AreApartByBlanksOrInQuotes) {
  EXPECT_THAT(words(""), IsEmpty());
  EXPECT_THAT(words("  \t \r\n"), IsEmpty());
  EXPECT_THAT(words(" put\tprofile  name Ada\r"), ElementsAre("put", "profile", "name", "Ada"));
  EXPECT_THAT(words(R"(add tags "dark red" "" "a \"b\" \\")"),
              ElementsAre("add", "tags", "dark red", "", R"(a "b" \)"));
  EXPECT_THAT(words("add \"open"), ElementsAre("a closing \" is missing"));
  EXPECT_THAT(words("\"ends with \\"), ElementsAre("a closing \" is missing"));
}

TEST(Words, BecomeTheValuesTheyLookLike) {
  EXPECT_EQ(value_of({.text = "36"}), syncline::Value(36));
  EXPECT_EQ(value_of({.text = "-1"}), syncline::Value(-1));
  EXPECT_EQ(value_of({.text = "1.5"}), syncline::Value(1.5));
  EXPECT_EQ(value_of({.text = "true"}), syncline::Value(true));
  EXPECT_EQ(value_of({.text = "null"}), syncline::Value());
  EXPECT_EQ(value_of({.text = "inf"}), syncline::Value("inf"));
  EXPECT_EQ(value_of({.text = "36 apples"}), syncline::Value("36 apples"));
  EXPECT_EQ(value_of({.text = "36", .quoted = true}), syncline::Value("36"));
  EXPECT_EQ(value_of({.text = "99999999999999999999"}), syncline::Value(1e20));
}

TEST(Words, WhatIsShownCanBeTypedAgain) {
  for (const auto& value :
       {syncline::Value("plain"), syncline::Value("two words"), syncline::Value("36"),
        syncline::Value("true"), syncline::Value(""), syncline::Value("a \"quote\" and \\"),
        syncline::Value(-7), syncline::Value(2.5), syncline::Value(false), syncline::Value()}) {
    const auto typed = split_words(shown(value));
    ASSERT_TRUE(typed) << shown(value);
    ASSERT_EQ(typed->size(), 1U) << shown(value);
    EXPECT_EQ(value_of(typed->front()), value) << shown(value);
  }
}

}  // namespace
}  // namespace peer
