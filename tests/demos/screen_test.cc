#include "demos/gossip/screen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace gossip {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

View some_view(std::size_t peers) {
  View view{.title = "gossip: peers replay 5,000 changes of somewhere with a long name",
            .done = 2500,
            .total = 5000,
            .seconds = 12.34,
            .state = "cut 1 2 | 3 4",
            .events = {"  1.00 s  first", "  2.00 s  second"}};
  for (std::size_t i = 0; i < peers; ++i) {
    view.peers.push_back({.name = std::to_string(i + 1),
                          .port = "40001",
                          .links = 7,
                          .made = 1234,
                          .received = 3456,
                          .behind = 12,
                          .bytes_in = 1'234'567,
                          .bytes_out = 999,
                          .digest = i % 2 == 0 ? "abcdefgh" : "ABCDEFGH"});
  }
  return view;
}

std::string without_escapes(const std::string& line) {
  std::string out;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\x1b') {
      i = line.find('m', i);
    } else {
      out += line[i];
    }
  }
  return out;
}

TEST(Render, ShowsAllColumnsWhereThereIsRoom) {
  const auto lines = render(some_view(2), 100, 0, false);
  ASSERT_GE(lines.size(), 5U);
  EXPECT_EQ(lines[2], "peer  port links    made  received  behind       in      out    digest");
  EXPECT_EQ(lines[3], "   1 40001     7   1,234     3,456      12   1.2 MB    999 B  61626364");
  EXPECT_THAT(lines.back(), HasSubstr("second"));
}

TEST(Render, NoLineIsEverTooLong) {
  for (std::size_t width = 1; width <= 120; ++width) {
    for (const bool colour : {false, true}) {
      for (const auto& line : render(some_view(3), width, 0, colour)) {
        EXPECT_LE(without_escapes(line).size(), width) << line;
      }
    }
  }
}

TEST(Render, ANarrowTerminalKeepsWhatMattersMost) {
  const auto lines = render(some_view(1), 24, 0, false);
  EXPECT_EQ(lines[2], "peer  behind    digest");
  EXPECT_EQ(lines[3], "   1      12  61626364");
}

TEST(Render, NeverHasMoreLinesThanTheTerminal) {
  for (std::size_t height = 8; height < 80; ++height) {
    EXPECT_LE(render(some_view(64), 80, height, false).size(), height);
    EXPECT_LE(render(some_view(2), 80, height, false).size(), height);
  }
  const auto lines = render(some_view(64), 80, 20, false);
  EXPECT_THAT(lines, ::testing::Contains(HasSubstr("more peers")));
}

TEST(Render, EqualDigestsHaveEqualColours) {
  const auto lines = render(some_view(3), 100, 0, true);
  const auto ink = [](const std::string& line) { return line.substr(line.find('\x1b'), 16); };
  EXPECT_EQ(ink(lines[3]).substr(0, ink(lines[3]).find('m')),
            ink(lines[5]).substr(0, ink(lines[5]).find('m')));
  EXPECT_NE(ink(lines[3]), ink(lines[4]));
}

TEST(Render, WithoutColourThereIsNoEscapeCode) {
  for (const auto& line : render(some_view(3), 100, 0, false)) EXPECT_THAT(line, Not(HasSubstr("\x1b")));
}

TEST(Numbers, ReadWell) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(1000), "1.0 kB");
  EXPECT_EQ(human_bytes(999'999), "1.0 MB");
  EXPECT_EQ(human_bytes(12'345'678), "12 MB");
  EXPECT_EQ(short_digest("\x01\xff\x10\x20\x30"), "01ff1020");
}

}  // namespace
}  // namespace gossip
