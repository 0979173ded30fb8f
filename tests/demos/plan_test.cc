#include "demos/gossip/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "demos/gossip/messages.h"

namespace gossip {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string bytes(const syncline::Value& value) { return value.to_bytes(); }

Contents some_contents() {
  return {.counters = {{"commits/Ada", 3}},
          .sets = {{"files", {bytes("a"), bytes(syncline::Blob{"b\xff"})}}},
          .maps = {{"last", {{"a", bytes("1")}, {"b", bytes("2")}}}},
          .registers = {{"name", bytes("x")}}};
}

TEST(Differences, NoneBetweenEquals) {
  EXPECT_THAT(differences(some_contents(), some_contents(), 10), IsEmpty());
}

TEST(Differences, ZeroAndEmptyAreLikeNone) {
  auto found = some_contents();
  found.counters["nobody"] = 0;
  found.sets["none"] = {};
  found.maps["none"] = {};
  EXPECT_THAT(differences(some_contents(), found, 10), IsEmpty());
  EXPECT_THAT(differences(found, some_contents(), 10), IsEmpty());
}

TEST(Differences, EachKindIsNamed) {
  auto found = some_contents();
  found.counters["commits/Ada"] = 2;
  found.sets["files"] = {bytes("a"), bytes("c")};
  found.maps["last"].erase("a");
  found.maps["last"]["b"] = bytes("3");
  found.registers["name"] = bytes(7);
  EXPECT_THAT(differences(some_contents(), found, 10),
              ElementsAre("counter commits/Ada is 2, expected 3", "set files lacks \"b\xff\"",
                          "set files has \"c\" which isn't expected", "last/a is absent, expected \"1\"",
                          "last/b is \"3\", expected \"2\"", "name is 7, expected \"x\""));
}

TEST(Differences, LongListsEndWithTheirNumber) {
  Contents expected;
  for (int i = 0; i < 100; ++i) expected.counters["c" + std::to_string(i)] = 1;
  const auto lines = differences(expected, {}, 5);
  ASSERT_THAT(lines, SizeIs(6));
  EXPECT_EQ(lines.back(), "... and 95 more");
}

TEST(Hash, SpreadsAndFollowsTheSeed) {
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    for (const auto* text : {"", "a", "b", "ab", "ba"}) seen.insert(hash_of(text, seed));
  }
  EXPECT_THAT(seen, SizeIs(50));
}

TEST(OwnBytes, CountsKeysFieldsAndValuesOnce) {
  Plan plan;
  plan.changes.resize(1);
  plan.changes[0].operations = {{.kind = OperationKind::inc, .key = "abc", .by = 1},
                                {.kind = OperationKind::put, .key = "k", .field = "ff", .value = "vvvv"}};
  EXPECT_EQ(own_bytes(plan), 3U + 8U + 1U + 2U + 4U);
}

TEST(Messages, ComeBackAsTheyWent) {
  const auto body = [](const std::string& message) { return message.substr(5); };
  const auto contents = decode_contents(body(encode(some_contents())));
  ASSERT_TRUE(contents);
  EXPECT_THAT(differences(some_contents(), *contents, 10), IsEmpty());

  Task task{.position = 7,
            .operations = {{.kind = OperationKind::put, .key = "k", .field = "", .by = -3, .value = 5}}};
  task.tokens.resize(2);
  task.tokens[1].raise(syncline::ActorId{{1, 2}}, 9);
  const auto decoded = decode_task(body(encode(task)));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->position, 7U);
  EXPECT_EQ(decoded->tokens, task.tokens);
  EXPECT_EQ(decoded->operations[0].field, "");
  EXPECT_EQ(decoded->operations[0].by, -3);

  PeerStatus status{.digest = "d", .connected = {"127.0.0.1:1", "127.0.0.1:2"}, .early = 4};
  const auto status_back = decode_status(body(encode(status)));
  ASSERT_TRUE(status_back);
  EXPECT_EQ(status_back->connected, status.connected);
  EXPECT_EQ(status_back->early, 4U);
}

TEST(Messages, EveryTruncationIsAnError) {
  const auto whole = encode(some_contents()).substr(5);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(decode_contents(whole.substr(0, size))) << size;
  }
  EXPECT_FALSE(decode_contents(whole + "x"));
}

}  // namespace
}  // namespace gossip
