// The notebook, talked to over pipes and a terminal, and its tour.
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

const std::string notes_program = SYNCLINE_NOTES;

// The mark of the note whose text follows it in `output`: "  abcd  Buy milk".
std::string mark_before(const std::string& output, const std::string& text) {
  const auto at = output.find("  " + text);
  return at == std::string::npos || at < 4 ? "" : output.substr(at - 4, 4);
}

TEST(NotesProgram, KeepsNotesInItsFileFromRunToRun) {
  const Folder folder;
  const auto path = folder.path("ada.db");
  const auto first = run({notes_program, path}, "add Buy milk\nadd   Call the plumber  \nlist\n");
  EXPECT_EQ(first.status, 0) << first.output;
  const auto milk = mark_before(first.output, "Buy milk");
  const auto plumber = mark_before(first.output, "Call the plumber\n");
  ASSERT_THAT(milk, Not(HasSubstr(" "))) << first.output;
  EXPECT_THAT(first.output, Not(HasSubstr("> "))) << "Nobody there to prompt.";

  const auto second = run({notes_program, path}, "edit " + milk + " Buy oat milk\ntag " + milk +
                                                     " shopping\ntag " + milk + " today\nuntag " + milk +
                                                     " today\ndel " + plumber + "\nlist\nlist today");
  EXPECT_EQ(second.status, 0) << second.output;
  EXPECT_THAT(second.output,
              AllOf(HasSubstr(milk + "  Buy oat milk  #shopping  #today"), HasSubstr(plumber + " is deleted"),
                    HasSubstr("no note has the tag today")));
  const auto third = run({notes_program, path}, "list shopping\nlist\nstatus\n");
  EXPECT_THAT(third.output, HasSubstr("  " + milk + "  Buy oat milk  #shopping\n  " + milk));
  EXPECT_THAT(third.output, Not(HasSubstr("plumber")));
  EXPECT_THAT(third.output, HasSubstr("linked to nobody"));
}

TEST(NotesProgram, BadInputGetsALineThatHelps) {
  const Folder folder;
  const auto outcome = run({notes_program, folder.path("n.db")},
                           "foo\nadd\nedit\nedit zzzz\nedit zzzz x\ndel zzzz\ntag\nquit\nadd never read\n");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("foo: no such command; help lists them"), HasSubstr("usage: add TEXT"),
                    HasSubstr("usage: edit NOTE TEXT"), HasSubstr("no note is called zzzz"),
                    HasSubstr("usage: tag NOTE TAG"), Not(HasSubstr("never read"))));
}

TEST(NotesProgram, WrongUsageIsStatusTwo) {
  EXPECT_EQ(run({notes_program}).status, 2);
  EXPECT_EQ(run({notes_program, "a.db", "b.db"}).status, 2);
  EXPECT_EQ(run({notes_program, "a.db", "--bogus"}).status, 2);
  EXPECT_EQ(run({notes_program, "a.db", "--join"}).status, 2);
  EXPECT_EQ(run({notes_program, "--help"}).status, 0);
  const Folder folder;
  const auto nowhere = run({notes_program, folder.path("no/such/folder/a.db")});
  EXPECT_EQ(nowhere.status, 1);
  EXPECT_THAT(nowhere.output, HasSubstr("no/such/folder"));
}

TEST(NotesProgram, CopiesThatWereEditedApartShowBothTexts) {
  const Folder folder;
  Program ada({notes_program, folder.path("ada.db")});
  ada.write("add Buy milk\nstatus\n");
  const auto told = ada.read_until("nobody else yet");
  const auto milk = mark_before(told, "Buy milk");
  const std::string listening = "listening on 127.0.0.1:";
  const auto at = told.find(listening);
  ASSERT_NE(at, std::string::npos) << told;
  const auto port = std::to_string(std::stoi(told.substr(at + listening.size())));
  Program bob({notes_program, folder.path("bob.db"), "--join", port});
  bob.write("sync\nlist\n");
  ASSERT_NE(bob.read_until(milk + "  Buy milk"), "");

  bob.write("offline\nedit " + milk + " Buy oat milk\n");
  ASSERT_NE(bob.read_until("  Buy oat milk"), "");
  ada.write("edit " + milk + " Buy milk and eggs\n");
  ASSERT_NE(ada.read_until("Buy milk and eggs"), "");
  bob.write("online\nsync\nlist\nquit\n");
  EXPECT_THAT(bob.read_all(), AllOf(HasSubstr("edited in 2 places at once"), HasSubstr("| Buy milk and eggs"),
                                    HasSubstr("| Buy oat milk")));
  EXPECT_EQ(bob.wait(), 0);
  ada.write("list\nquit\n");
  EXPECT_THAT(ada.read_all(), HasSubstr("edited in 2 places at once"));
  EXPECT_EQ(ada.wait(), 0);
}

TEST(NotesProgram, TheTourEndsWithEqualCopies) {
  const auto outcome = run({notes_program, "--tour"});
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("edited in 2 places at once"), HasSubstr("Call the plumber before noon"),
                    HasSubstr("Buy oat milk and eggs  #shopping"),
                    HasSubstr("Both copies are equal, and as they were.")));
}

TEST(NotesProgram, OnATerminalItPromptsAndCtrlCEndsIt) {
  const Folder folder;
  Program program({notes_program, folder.path("n.db")}, TerminalSize{});
  ASSERT_NE(program.read_until("> "), "");
  program.write("add typed by hand\n");
  ASSERT_NE(program.read_until("  typed by hand\r\n"), "") << "With its mark in front.";
  program.write("\x03");
  program.read_all();
  EXPECT_EQ(program.wait(), 0);
  EXPECT_THAT(run({notes_program, folder.path("n.db")}, "list\n").output, HasSubstr("typed by hand"));
}

}  // namespace
}  // namespace gossip
