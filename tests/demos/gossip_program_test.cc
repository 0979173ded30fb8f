// The demo as a person runs it. Which peer hears what when is up to the system;
// what must come out isn't.
#include <errno.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/demos/history_stream.h"
#include "tests/demos/program.h"

namespace gossip {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

const std::string gossip_program = SYNCLINE_GOSSIP;

std::vector<std::string> gossip(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), gossip_program);
  return arguments;
}

// A repository with a history of its own in a folder.
void make_repository(const std::string& path, std::size_t commits) {
  ASSERT_EQ(run({"git", "init", "-q", "-b", "main", path}).status, 0);
  const auto imported = run({"git", "-C", path, "fast-import", "--quiet", "--done"}, history_stream(commits));
  ASSERT_EQ(imported.status, 0) << imported.output;
}

nlohmann::json report(const Folder& folder) {
  auto json = nlohmann::json::parse(folder.read("report.json"), nullptr, false);
  EXPECT_FALSE(json.is_discarded());
  return json;
}

TEST(GossipProgram, ReplaysTheBundledTraceWhereThereIsNoRepository) {
  const Folder folder;
  const auto outcome =
      run(gossip({"--git", folder.path("none"), "--peers", "4", "--speed", "0", "--seed", "1", "--json",
                  folder.path("report.json"), "--keep", folder.path("logs")}));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("replaying the trace that comes with this program"));
  EXPECT_THAT(outcome.output, HasSubstr("PROVEN"));
  EXPECT_THAT(outcome.output, Not(HasSubstr("\x1b"))) << "No terminal, no escape codes.";
  EXPECT_THAT(outcome.output, HasSubstr("CUT: "));
  EXPECT_THAT(outcome.output, HasSubstr("KILL: "));
  EXPECT_THAT(outcome.output, HasSubstr("HEAL: "));
  const auto json = report(folder);
  EXPECT_EQ(json["proven"], true);
  EXPECT_EQ(json["changes"], 2000);
  EXPECT_EQ(json["peers"].size(), 4U);
  EXPECT_GT(json["waited"], 0);
  EXPECT_TRUE(json["killed"].is_string());
  EXPECT_GT(json["convergence_after_heal_seconds"], 0);
  EXPECT_GE(json["bytes_sent_over_own"], 3.0) << "Each of three others must get each change.";
  EXPECT_GE(json["copies_per_change"], 1.0);
  for (const auto& peer : json["peers"]) EXPECT_EQ(peer["digest"], json["digest"]);
  const auto rerun = json["rerun"].get<std::string>();
  EXPECT_THAT(rerun, AllOf(HasSubstr("--seed 1"), HasSubstr("--peers 4"), HasSubstr("--speed 0")));
  EXPECT_NE(folder.read("logs/peer-1.log"), "");
  EXPECT_NE(folder.read("logs/report.json"), "");
}

TEST(GossipProgram, ReplaysAGitHistoryWithOddNamesAndMerges) {
  const Folder folder;
  make_repository(folder.path(), 400);
  const auto by_commit = run(gossip({"--git", folder.path(), "--peers", "5", "--speed", "0", "--seed", "2",
                                     "--json", folder.path("report.json")}));
  EXPECT_EQ(by_commit.status, 0) << by_commit.output;
  EXPECT_EQ(report(folder)["changes"], 400);
  EXPECT_THAT(by_commit.output, HasSubstr("git ls-tree -rz --name-only"));
  EXPECT_THAT(by_commit.output, HasSubstr("9 authors"));

  const auto by_author =
      run(gossip({"--git", folder.path(), "--by", "author", "--partition", "isolate", "--speed", "0",
                  "--seed", "3", "--commits", "150", "--json", folder.path("report.json")}));
  EXPECT_EQ(by_author.status, 0) << by_author.output;
  EXPECT_EQ(report(folder)["changes"], 150);
}

TEST(GossipProgram, AShortHistoryIsReplacedByTheTrace) {
  const Folder folder;
  make_repository(folder.path(), 199);
  const auto outcome = run(gossip(
      {"--git", folder.path(), "--peers", "2", "--kill", "none", "--partition", "none", "--speed", "0"}));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("only 199 commits here; replaying the trace"));
}

TEST(GossipProgram, TwoPeersOneIsolatedAndOneKilledStillAgree) {
  for (const std::string seed : {"1", "2", "3"}) {
    const auto outcome = run(gossip(
        {"--git", "/dev/null", "--peers", "2", "--partition", "isolate", "--speed", "0", "--seed", seed}));
    EXPECT_EQ(outcome.status, 0) << outcome.output;
  }
}

TEST(GossipProgram, WithStoresTheKilledComesBackWithItsOwn) {
  const Folder folder;
  const auto outcome = run(gossip({"--git", "/dev/null", "--peers", "3", "--speed", "0", "--seed", "1",
                                   "--data", folder.path("data"), "--json", folder.path("report.json")}));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("is back with its own store"));
  const auto json = report(folder);
  EXPECT_EQ(json["own_store"], true);
  // The killed one may have had a few on its disk that it hadn't told of yet.
  EXPECT_LT(json["made_before"], 200);

  // All is there: the same once more makes nothing and proves it again.
  const auto again = run(gossip({"--git", "/dev/null", "--peers", "3", "--speed", "0", "--data",
                                 folder.path("data"), "--json", folder.path("report.json")}));
  EXPECT_EQ(again.status, 0) << again.output;
  EXPECT_EQ(report(folder)["made_before"], 2000);

  const auto other = run(gossip({"--git", "/dev/null", "--peers", "4", "--data", folder.path("data")}));
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.output, HasSubstr("holds the stores of another run"));
}

TEST(GossipProgram, WithStoresAnInterruptedRunGoesOn) {
  const Folder folder;
  const auto arguments = gossip({"--git", "/dev/null", "--peers", "3", "--speed", "500", "--seed", "2",
                                 "--data", folder.path("data"), "--json", folder.path("report.json")});
  Program program(arguments);
  ASSERT_NE(program.read_until("HEAL: "), "");
  ASSERT_EQ(::kill(program.pid(), SIGINT), 0);
  program.read_all();
  EXPECT_EQ(program.wait(), 130);

  const auto outcome = run(arguments);
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("continued"));
  const auto json = report(folder);
  EXPECT_EQ(json["changes"], 2000);
  EXPECT_GE(json["made_before"], 2000 / 3) << "The cut is at a third.";
  EXPECT_LT(json["made_before"], 2000);
}

TEST(GossipProgram, AChangeLeftOutIsFound) {
  const Folder folder;
  const auto outcome = run(gossip({"--git", "/dev/null", "--peers", "3", "--speed", "0", "--seed", "1",
                                   "--skip", "1", "--json", folder.path("report.json")}));
  EXPECT_EQ(outcome.status, 1) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("NOT PROVEN"));
  EXPECT_THAT(outcome.output, HasSubstr("DIFFERENT"));
  const auto json = report(folder);
  EXPECT_EQ(json["proven"], false);
  EXPECT_EQ(json["digests_equal"], true) << "All peers lack the same.";
  ASSERT_THAT(json["differences"], SizeIs(1));
  EXPECT_THAT(json["differences"][0].get<std::string>(), HasSubstr("every peer: "));
}

TEST(GossipProgram, TakesATraceFromStandardInput) {
  const auto trace = run({SYNCLINE_MAKE_TRACE});
  ASSERT_EQ(trace.status, 0);
  const auto outcome = run(gossip({"--trace", "-", "--speed", "0", "--kill", "none"}), trace.output);
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("2,000 by 8 peers"));

  const auto bad = run(gossip({"--trace", "-"}), "{\"peer\":1,\"op\":\"inc\",\"key\":\"k\"}\n{\"peer\":0}\n");
  EXPECT_EQ(bad.status, 2);
  EXPECT_THAT(bad.output, HasSubstr("standard input:2: \"peer\" must be a whole number from 1 to 64"));
}

TEST(GossipProgram, WrongUsageIsStatusTwo) {
  EXPECT_EQ(run(gossip({"--peers", "1"})).status, 2);
  EXPECT_EQ(run(gossip({"--trace", "/nonexistent"})).status, 2);
  EXPECT_EQ(run(gossip({"--git", "/dev/null", "--skip", "2001"})).status, 2);
  const auto help = run(gossip({"--help"}));
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.output, HasSubstr("usage: gossip"));
}

TEST(GossipProgram, CtrlCEndsEveryPeer) {
  Program program(gossip({"--git", "/dev/null", "--speed", "20"}), TerminalSize{});
  ASSERT_NE(program.read_until("8 peers have met"), "");
  program.write("\x03");
  const auto output = program.read_all();  // Ends when the last process has let go of the terminal.
  EXPECT_EQ(program.wait(), 130);
  EXPECT_THAT(output, HasSubstr("interrupted; all peers have been ended"));
  EXPECT_THAT(output, HasSubstr("\x1b[?25h")) << "The cursor is back.";
  EXPECT_EQ(::kill(-program.pid(), 0), -1);
  EXPECT_EQ(errno, ESRCH) << "No process of the group is left.";
}

TEST(GossipProgram, WhenItIsKilledItsPeersEnd) {
  Program program(gossip({"--git", "/dev/null", "--speed", "20"}));
  ASSERT_NE(program.read_until("8 peers have met"), "");
  ::kill(program.pid(), SIGKILL);
  program.read_all();  // Returns once no peer holds the output: the test's timeout is the check.
  EXPECT_EQ(program.wait(), 128 + SIGKILL);
}

std::string without_escapes(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\x1b') {
      if (text[i] != '\r') out += text[i];
      continue;
    }
    if (text.compare(i, 3, "\x1b[H") == 0) out += '\n';                      // The next picture.
    for (i += 2; i < text.size() && (text[i] < '@' || text[i] > '~');) ++i;  // ESC [ ... letter.
  }
  return out;
}

TEST(GossipProgram, ANarrowTerminalGetsNarrowLines) {
  constexpr TerminalSize size{.rows = 14, .columns = 30};
  Program program(gossip({"--git", "/dev/null", "--peers", "12", "--speed", "0"}), size);
  const auto output = program.read_all();
  EXPECT_EQ(program.wait(), 0) << output;
  const auto first = output.find("\x1b[?1049h");
  const auto last = output.find("\x1b[?1049l");
  ASSERT_NE(first, std::string::npos);
  ASSERT_NE(last, std::string::npos);
  std::istringstream pictures(without_escapes(output.substr(first, last - first)));
  std::size_t lines = 0;
  for (std::string line; std::getline(pictures, line); ++lines) {
    EXPECT_LE(line.size(), size.columns) << line;
  }
  EXPECT_GT(lines, 10U);
  EXPECT_THAT(output, HasSubstr("more peers"));
  EXPECT_THAT(output.substr(last), HasSubstr("PROVEN"));
}

}  // namespace
}  // namespace gossip
