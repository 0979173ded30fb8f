// The notebook: two copies edit offline, meet, and show the merge.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/demos/program.h"

namespace gossip {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string notes_program = SYNCLINE_NOTES;

// The word before `after` in what was printed.
std::string word_before(const std::string& text, const std::string& after) {
  const auto end = text.find(" " + after);
  if (end == std::string::npos) return {};
  const auto start = text.find_last_of(" \n", end - 1) + 1;
  return text.substr(start, end - start);
}

TEST(NotesProgram, KeepsWhatPipedInputSays) {
  const Folder folder;
  const auto first = run({notes_program, folder.path("paper.db")}, "add buy apples\nadd call Ada\nlist\n");
  EXPECT_EQ(first.status, 0) << first.output;
  const std::string id = word_before(first.output, "buy apples");
  ASSERT_NE(id, "");
  const auto second = run({notes_program, folder.path("paper.db")}, "edit " + id + " buy pears, too\ntag " +
                                                                        id + " shop\nlist shop\nrem " + id +
                                                                        "\nlist\nfoo\nedit\nedit zzz x\n");
  EXPECT_EQ(second.status, 0);
  EXPECT_THAT(second.output, AllOf(HasSubstr(id + " buy pears, too #shop"), HasSubstr(" call Ada"),
                                   HasSubstr("foo: no such command"), HasSubstr("usage: edit NOTE TEXT"),
                                   HasSubstr("zzz: no such note")));
  const auto third = run({notes_program, folder.path("paper.db")}, "list\n");
  EXPECT_THAT(third.output, AllOf(HasSubstr("call Ada"), Not(HasSubstr("pears"))));
  EXPECT_EQ(run({notes_program}).status, 2);
}

TEST(NotesProgram, TwoCopiesEditOfflineMeetAndShowTheMerge) {
  const Folder folder;
  Program paper({notes_program, folder.path("paper.db"), "--listen", "0"});
  const auto listening = paper.read_until("\n");
  const auto port = listening.substr(listening.rfind(':') + 1, 5);
  paper.write("add buy apples\n");
  const auto id = word_before(paper.read_until("buy apples\n"), "buy apples");
  ASSERT_NE(id, "");

  const auto met = run({notes_program, folder.path("phone.db")}, "sync " + port + "\nlist\n");
  EXPECT_THAT(met.output, AllOf(HasSubstr("* " + id + " is now: buy apples"), HasSubstr("in sync")));

  // Apart, one changes the text and the other puts a tag on it.
  const auto offline =
      run({notes_program, folder.path("phone.db")}, "tag " + id + " shop\nadd on the phone\n");
  EXPECT_EQ(offline.status, 0);
  paper.write("edit " + id + " buy pears\nlist\n");
  ASSERT_NE(paper.read_until("buy pears"), "");

  const auto merged = run({notes_program, folder.path("phone.db")}, "sync " + port + "\nlist\n");
  EXPECT_THAT(merged.output, AllOf(HasSubstr("* " + id + " is now: buy pears"),
                                   HasSubstr(id + " buy pears #shop"), HasSubstr("on the phone")));
  EXPECT_NE(paper.read_until("* " + id + " +#shop"), "");
  paper.write("list\nquit\n");
  EXPECT_THAT(paper.read_all(), AllOf(HasSubstr(id + " buy pears #shop"), HasSubstr("on the phone")));
  EXPECT_EQ(paper.wait(), 0);
}

}  // namespace
}  // namespace gossip
