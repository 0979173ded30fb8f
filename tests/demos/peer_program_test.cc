// The interactive peer, talked to over pipes and a terminal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/demos/program.h"

namespace gossip {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string peer_program = SYNCLINE_PEER;

TEST(PeerProgram, DoesWhatPipedInputSays) {
  const auto outcome =
      run({peer_program},
          "inc likes 3\ninc likes -1\nadd tags blue\nadd tags \"dark red\"\nrem tags blue\n"
          "put profile name Ada\nput answer 42\nshow\nget profile name\nwatch\npeers\nstatus");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("likes (counter) = 2"), HasSubstr("tags (set) = {\"dark red\"}"),
                    HasSubstr("profile (map) = {name: Ada}"), HasSubstr("answer (register) = 42"),
                    HasSubstr("pending 7, version "), HasSubstr("none yet")));
  EXPECT_THAT(outcome.output, Not(HasSubstr("> "))) << "Nobody there to prompt.";
  EXPECT_THAT(outcome.output, HasSubstr("7 changed places are known to nobody else"));
}

TEST(PeerProgram, BadInputGetsALineThatHelps) {
  const auto outcome =
      run({peer_program}, "foo\ninc\ninc n x\nrem tags none\nadd tags \"open\nput a b c d\nquit\n");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(
      outcome.output,
      AllOf(HasSubstr("foo: no such command; help lists them"), HasSubstr("usage: inc KEY [BY]"),
            HasSubstr("inc counts in whole numbers, and x is none"), HasSubstr("none isn't in tags here"),
            HasSubstr("a closing \" is missing"), HasSubstr("usage: put KEY [FIELD] VALUE")));
}

TEST(PeerProgram, WrongUsageIsStatusTwo) {
  EXPECT_EQ(run({peer_program, "--bogus"}).status, 2);
  EXPECT_EQ(run({peer_program, "--join"}).status, 2);
  const auto off_machine = run({peer_program, "--listen", "0.0.0.0:0"});
  EXPECT_EQ(off_machine.status, 1);
  EXPECT_THAT(off_machine.output, HasSubstr("insecure_plaintext"));
}

// The port after "listening on 127.0.0.1:".
std::string port_of(Program& program) {
  const std::string mark = "listening on 127.0.0.1:";
  const auto output = program.read_until("\n");
  const auto at = output.find(mark);
  if (at == std::string::npos) return {};
  const auto from = at + mark.size();
  return output.substr(from, output.find_first_not_of("0123456789", from) - from);
}

TEST(PeerProgram, TwoMeetAndHearOfEachOthersChanges) {
  Program first({peer_program});
  const auto port = port_of(first);
  ASSERT_NE(port, "");
  first.write("watch\ninc likes 3\n");
  ASSERT_NE(first.read_until("likes (counter) = 3"), "");

  Program second({peer_program, "--join", port});
  second.write("sync\nadd tags blue\nsync\nshow\n");
  EXPECT_NE(second.read_until("tags (set) = {blue}\n  pending"), "");
  EXPECT_NE(second.read_until("likes (counter) = 3"), "");
  EXPECT_NE(first.read_until("* tags + blue   (from a peer)"), "");
  second.write("peers\nquit\n");
  second.close_input();
  EXPECT_THAT(second.read_all(), HasSubstr("127.0.0.1:" + port + " connected"));
  EXPECT_EQ(second.wait(), 0);
  first.write("quit\n");
  EXPECT_THAT(first.read_all(), Not(HasSubstr("known to nobody else")));
  EXPECT_EQ(first.wait(), 0);
}

TEST(PeerProgram, OnATerminalItPromptsAndCtrlCEndsIt) {
  Program program({peer_program}, TerminalSize{});
  ASSERT_NE(program.read_until("> "), "");
  program.write("inc n\n");
  ASSERT_NE(program.read_until("n (counter) = 1"), "");
  program.write("\x03");
  program.read_all();
  EXPECT_EQ(program.wait(), 0);
}

}  // namespace
}  // namespace gossip
