#include "demos/gossip/git_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gossip {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string first_id(40, 'a');
const std::string second_id(40, 'b');

// Pieces with a NUL after each, as git writes them.
std::string pieces(const std::vector<std::string>& all) {
  std::string out;
  for (const auto& piece : all) (out += piece) += '\0';
  return out;
}

std::vector<Commit> parsed(const std::string& bytes) {
  HistoryParser parser;
  const auto fed = parser.feed(bytes);
  EXPECT_TRUE(fed) << fed.error().detail;
  const auto finished = parser.finish();
  EXPECT_TRUE(finished) << finished.error().detail;
  return parser.commits();
}

std::string complaint(const std::string& bytes) {
  HistoryParser parser;
  auto result = parser.feed(bytes);
  if (result) result = parser.finish();
  return result ? "" : result.error().detail;
}

TEST(GitHistory, NamesAreBytes) {
  const std::vector<std::string> names{"with space", "new\nline", "qu\"ote", "\xff\xfe",
                                       "A",          first_id,    "tab\t"};
  std::vector<std::string> all{first_id, "Ada"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    all.push_back(i == 0 ? "\nA" : "A");
    all.push_back(names[i]);
  }
  const auto commits = parsed(pieces(all));
  ASSERT_THAT(commits, SizeIs(1));
  EXPECT_EQ(commits[0].author, "Ada");
  ASSERT_THAT(commits[0].files, SizeIs(names.size()));
  for (std::size_t i = 0; i < names.size(); ++i) EXPECT_EQ(commits[0].files[i].name, names[i]);
}

TEST(GitHistory, EmptyCommitsAndEmptyAuthorsAreCommits) {
  const auto commits =
      parsed(pieces({first_id, "", second_id, "Ada", "\nM", "f", "D", "g", "T", "h", first_id, "Eve"}));
  ASSERT_THAT(commits, SizeIs(3));
  EXPECT_THAT(commits[0].files, IsEmpty());
  EXPECT_EQ(commits[0].author, "");
  ASSERT_THAT(commits[1].files, SizeIs(3));
  EXPECT_EQ(commits[1].files[0].status, 'M');
  EXPECT_EQ(commits[1].files[1].status, 'D');
  EXPECT_EQ(commits[1].files[2].status, 'T');
  EXPECT_EQ(commits[2].author, "Eve");
}

TEST(GitHistory, EveryPlaceOfACutBetweenReadsGivesTheSame) {
  const auto bytes = pieces({first_id, "Ada", "\nA", "f", second_id, "Bob", "\nD", "f"});
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    HistoryParser parser;
    ASSERT_TRUE(parser.feed(std::string_view(bytes).substr(0, cut)));
    ASSERT_TRUE(parser.feed(std::string_view(bytes).substr(cut)));
    ASSERT_TRUE(parser.finish());
    ASSERT_THAT(parser.commits(), SizeIs(2));
    EXPECT_EQ(parser.commits()[1].files[0].name, "f");
  }
}

TEST(GitHistory, WhatGitDoesNotWriteIsAnError) {
  EXPECT_THAT(complaint(pieces({"nothing"})), HasSubstr("neither a commit nor a status: nothing"));
  EXPECT_THAT(complaint(pieces({first_id, "Ada", "R100", "f"})), HasSubstr("R100"));
  EXPECT_THAT(complaint(pieces({first_id, "Ada", "\nA", ""})), HasSubstr("empty file name"));
  EXPECT_THAT(complaint(pieces({first_id, "Ada", "\nA"})), HasSubstr("ends in the middle"));
  EXPECT_THAT(complaint(first_id), HasSubstr("ends in the middle"));
}

History history_of(std::vector<Commit> commits) {
  History history;
  history.commits = std::move(commits);
  for (const auto& commit : history.commits) ++history.authored[commit.author];
  return history;
}

TEST(GitPlan, AddsFollowRemovesAndRemovesFollowAdds) {
  const auto history = history_of({{first_id, "Ada", {{'A', "f"}, {'A', "g"}}},
                                   {second_id, "Bob", {{'M', "f"}}},
                                   {std::string(40, 'c'), "Ada", {{'D', "f"}, {'D', "g"}}},
                                   {std::string(40, 'd'), "Ada", {{'A', "f"}, {'T', "g"}}}});
  const auto plan = plan_of(history, 4, 1, Assign::by_commit);
  ASSERT_THAT(plan.changes, SizeIs(4));
  EXPECT_THAT(plan.changes[0].after, IsEmpty());
  EXPECT_THAT(plan.changes[1].after, IsEmpty());
  EXPECT_THAT(plan.changes[2].after, ElementsAre(0));
  EXPECT_THAT(plan.changes[3].after, ElementsAre(2));
  // Counter, then for A and D the set and the map, for M and T the map only.
  EXPECT_THAT(plan.changes[0].operations, SizeIs(5));
  EXPECT_THAT(plan.changes[1].operations, SizeIs(2));
  EXPECT_THAT(plan.changes[3].operations, SizeIs(4));
  EXPECT_EQ(plan.expected.maps.at("last").at("f"), syncline::Value(std::string(40, 'd')).to_bytes());
  EXPECT_EQ(plan.expected.counters.at("commits/Ada"), 3);
}

TEST(GitPlan, AuthorsStayTogetherWhenTheyDecide) {
  std::vector<Commit> commits;
  for (char c = 'a'; c <= 'f'; ++c) commits.push_back({std::string(40, c), "Ada", {}});
  const auto plan = plan_of(history_of(std::move(commits)), 8, 7, Assign::by_author);
  for (const auto& change : plan.changes) EXPECT_EQ(change.peer, plan.changes.front().peer);
}

TEST(GitHistory, AFolderWithoutARepositoryIsAnErrorWithGitsWords) {
  const auto history = read_history("/dev/null", std::nullopt);
  ASSERT_FALSE(history);
  EXPECT_THAT(history.error().detail, HasSubstr("/dev/null"));
}

}  // namespace
}  // namespace gossip
