#include "demos/gossip/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gossip {
namespace {

using ::testing::HasSubstr;

std::string complaint(const std::vector<std::string>& arguments) {
  const auto options = parse_options(arguments);
  return options ? "" : options.error().detail;
}

TEST(Options, AllAreRead) {
  const auto options = parse_options({"--peers", "64",          "--commits=100",
                                      "--git",   "/x y",        "--by",
                                      "author",  "--partition", "isolate",
                                      "--kill",  "none",        "--speed",
                                      "0",       "--seed",      "18446744073709551615",
                                      "--json",  "j",           "--keep",
                                      "k",       "--data",      "d"});
  ASSERT_TRUE(options) << options.error().detail;
  EXPECT_EQ(options->peers, 64U);
  EXPECT_EQ(options->commits, 100U);
  EXPECT_EQ(options->git, "/x y");
  EXPECT_EQ(options->assign, Assign::by_author);
  EXPECT_EQ(options->partition, Options::Partition::isolate);
  EXPECT_FALSE(options->kill);
  EXPECT_EQ(options->speed, 0);
  EXPECT_EQ(options->seed, UINT64_MAX);
  EXPECT_EQ(options->data, "d");
}

TEST(Options, ErrorsSayWhatIsAllowed) {
  EXPECT_EQ(complaint({"--peers", "1"}), "--peers takes a number from 2 to 64");
  EXPECT_EQ(complaint({"--peers", "65"}), "--peers takes a number from 2 to 64");
  EXPECT_EQ(complaint({"--peers", "8x"}), "--peers takes a number from 2 to 64");
  EXPECT_EQ(complaint({"--peers"}), "--peers takes a number from 2 to 64");
  EXPECT_EQ(complaint({"--speed", "-1"}), "--speed takes changes a second, 0 for no limit");
  EXPECT_EQ(complaint({"--speed", "nan"}), "--speed takes changes a second, 0 for no limit");
  EXPECT_EQ(complaint({"--partition", "thirds"}), "--partition takes none, halves or isolate");
  EXPECT_EQ(complaint({"--kill", "all"}), "--kill takes none or one");
  EXPECT_EQ(complaint({"--by", "me"}), "--by takes commit or author");
  EXPECT_EQ(complaint({"--fast"}), "--fast: no such option; --help lists them");
}

TEST(Options, TheRerunLineReadsBackAsTheSame) {
  const std::vector<std::string> arguments{"--peers", "5",       "--git", "it's here", "--by",
                                           "author",  "--speed", "0",     "--kill",    "none"};
  const auto options = parse_options(arguments);
  ASSERT_TRUE(options);
  EXPECT_EQ(rerun_line("./gossip", *options, 7),
            "./gossip --git 'it'\\''s here' --peers 5 --by author --kill none --speed 0 --seed 7");
}

TEST(Options, HelpNamesEachOption) {
  const auto help = help_text();
  for (const auto* name : {"--git", "--commits", "--by", "--trace", "--peers", "--partition", "--kill",
                           "--speed", "--seed", "--skip", "--json", "--keep", "--data"}) {
    EXPECT_THAT(help, HasSubstr(name));
  }
}

}  // namespace
}  // namespace gossip
