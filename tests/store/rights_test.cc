// Rights of bounded counters that replicas ask each other for.
#include <future>
#include <stdexcept>
#include <thread>

#include "tests/store/harness.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RightsTest : public TwoReplicas {
 protected:
  static auto stock(const Keyspace& keyspace) { return keyspace.at<BoundedCounter>("stock"); }
  static Result<Version> spend(Keyspace& keyspace, std::int64_t by) {
    return keyspace.update([by](Update& tx) { tx.at<BoundedCounter>("stock").spend(by); });
  }
  static std::int64_t held(const Keyspace& keyspace) { return must(stock(keyspace).available()); }
  void add(std::int64_t by) {
    must(warehouse.update([by](Update& tx) { tx.at<BoundedCounter>("stock").add(by); }));
  }

  Replica& warehouse_replica = ada;
  Replica& till_replica = bob;
  Keyspace& warehouse = adas;
  Keyspace& till = bobs;
};

TEST_F(RightsTest, WhoLacksRightsAsksAndThenSpends) {
  add(10);
  Wire wire(clock, warehouse_replica, till_replica);
  ASSERT_TRUE(wire.sync());
  EXPECT_EQ(code_of(spend(till, 1)), "no_rights");
  EXPECT_EQ(held(till), 0);

  const auto stock = till.at<BoundedCounter>("stock");
  must(stock.request(4));  // Asks the peers that are linked, and returns.
  ASSERT_TRUE(wire.sync());
  must(stock.wait_for_rights(4, 0ms));  // In a program: a thread of its own waits, and longer.
  must(till.update([](Update& tx) { tx.at<BoundedCounter>("stock").spend(4); }));

  EXPECT_EQ(held(till), 0);
  ASSERT_TRUE(wire.sync());
  EXPECT_EQ(held(warehouse), 6);
  EXPECT_EQ(must(stock.total()), 6);
  EXPECT_EQ(warehouse.digests(), till.digests());
}

// Half of what is held, rounded up, until nothing is lacking: asking again gets the last, too.
TEST_F(RightsTest, AHolderGivesHalfUnlessToldOtherwise) {
  add(5);
  Wire wire(clock, warehouse_replica, till_replica);
  std::vector<std::int64_t> got;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(wire.sync());
    must(stock(till).request(5));
    ASSERT_TRUE(wire.sync());
    got.push_back(held(till));
  }
  EXPECT_THAT(got, ElementsAre(3, 4, 5, 5, 5));
  EXPECT_EQ(held(warehouse), 0);
}

TEST_F(RightsTest, NobodyLinkedIsAnError) {
  add(5);
  EXPECT_EQ(code_of(stock(till).request(1)), "no_peer");
  EXPECT_EQ(code_of(stock(till).request(-1)), "invalid_argument");
  EXPECT_EQ(code_of(stock(till).wait_for_rights(1, 0ms)), "timeout");
  must(stock(till).wait_for_rights(0, 0ms));
  Replica stranger = open_replica(clock, 3);
  stranger.keyspace("another");
  Wire wire(clock, stranger, till_replica);
  ASSERT_TRUE(wire.sync());
  EXPECT_EQ(code_of(stock(till).request(1)), "no_peer") << "it hasn't this keyspace";
}

TEST_F(RightsTest, ACounterInAMapIsAskedForByItsPath) {
  std::vector<RightsAsked> asked_here;
  ReplicaOptions options;
  options.give_rights = [&](const RightsAsked& rights) {
    asked_here.push_back(rights);
    return rights.lacking;
  };
  Replica careful = open_replica(clock, 3, options);
  Keyspace theirs = careful.keyspace("shop");
  must(theirs.update(
      [](Update& tx) { tx.at<OrMap>("hall").at<OrMap>("1").at<BoundedCounter>("seats").add(9); }));
  Wire wire(clock, careful, till_replica);
  ASSERT_TRUE(wire.sync());
  const auto seats = till.at<OrMap>("hall").at<OrMap>("1").at<BoundedCounter>("seats");
  must(seats.request(7));
  ASSERT_TRUE(wire.sync());
  EXPECT_EQ(must(seats.available()), 7);
  ASSERT_EQ(asked_here.size(), 1U);
  EXPECT_EQ(asked_here[0].keyspace, "shop");
  EXPECT_EQ(asked_here[0].key, "hall");
  EXPECT_THAT(asked_here[0].path, ElementsAre("1", "seats"));
  EXPECT_EQ(asked_here[0].asker, *till.actor());
  EXPECT_EQ(asked_here[0].lacking, 7);
  EXPECT_EQ(asked_here[0].held, 9);
}

// However often and under however many names it asks, a holder keeps what its policy keeps.
TEST_F(RightsTest, AskingForEverDrainsNobodyBelowWhatItsPolicyKeeps_R_SEC_4) {
  ReplicaOptions options;
  std::size_t answers = 0;
  options.give_rights = [&](const RightsAsked& rights) {
    ++answers;
    return std::min(rights.lacking, rights.held - 3);
  };
  Replica careful = open_replica(clock, 3, options);
  Keyspace theirs = careful.keyspace("shop");
  must(theirs.update([](Update& tx) { tx.at<BoundedCounter>("stock").add(100); }));
  for (std::uint64_t name = 10; name < 15; ++name) {
    Replica greedy = open_replica(clock, name);
    Keyspace greedys = greedy.keyspace("shop");
    Wire wire(clock, careful, greedy);
    ASSERT_TRUE(wire.sync());
    for (int i = 0; i < 200; ++i) {
      must(stock(greedys).request(std::numeric_limits<std::int64_t>::max()));
      ASSERT_TRUE(wire.drain());
    }
    ASSERT_TRUE(wire.sync());
    EXPECT_GT(wire.a().metrics().asks_dropped, 0U) << "asked faster than is listened";
  }
  EXPECT_EQ(held(theirs), 3);
  EXPECT_LT(answers, 5 * 200U);
  must(spend(theirs, 3));
}

TEST_F(RightsTest, APolicyThatThrowsOrAsksForTheImpossibleGivesWhatIsRight) {
  std::vector<std::string> lines;
  ReplicaOptions options;
  options.log = [&](LogLevel, std::string_view line,
                    const std::vector<std::pair<std::string, std::string>>& fields) {
    lines.push_back(std::string(line) + ": " + fields.at(0).second);
  };
  std::int64_t say = -5;
  options.give_rights = [&](const RightsAsked&) -> std::int64_t {
    if (say == 0) throw std::runtime_error("oh");
    return say;
  };
  Replica careful = open_replica(clock, 3, options);
  Keyspace theirs = careful.keyspace("shop");
  must(theirs.update([](Update& tx) { tx.at<BoundedCounter>("stock").add(2); }));
  Wire wire(clock, careful, till_replica);
  ASSERT_TRUE(wire.sync());
  const Version before = theirs.version();
  for (const std::int64_t next : {std::int64_t{-5}, std::int64_t{0}}) {
    say = next;
    must(stock(till).request(9));
    ASSERT_TRUE(wire.sync());
    EXPECT_EQ(theirs.version(), before);
  }
  EXPECT_THAT(lines, ElementsAre("give_rights threw: oh"));
  say = 1'000;
  must(stock(till).request(9));
  ASSERT_TRUE(wire.sync());
  EXPECT_EQ(held(till), 2);
  EXPECT_EQ(held(theirs), 0);
}

// Several holders may answer at once; none gives what it hasn't, and the bound stays.
TEST_F(RightsTest, ThreeTillsWhoAskEachOtherNeverSellMoreThanThereIs) {
  add(7);
  Replica third_replica = open_replica(clock, 3);
  Keyspace third = third_replica.keyspace("shop");
  Wire one(clock, warehouse_replica, till_replica);
  Wire two(clock, warehouse_replica, third_replica);
  Wire three(clock, till_replica, third_replica);
  const auto settle = [&] {
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(one.sync() && two.sync() && three.sync());
  };
  settle();
  int sold = 0;
  for (int round = 0; round < 10; ++round) {
    for (Keyspace* keyspace : {&warehouse, &till, &third}) {
      if (held(*keyspace) == 0) must(stock(*keyspace).request(2));
      ASSERT_TRUE(one.drain() && two.drain() && three.drain());
      if (spend(*keyspace, 1)) ++sold;
    }
    settle();
    EXPECT_GE(must(stock(warehouse).total()), 0);
  }
  EXPECT_EQ(sold, 7) << "and all of it is sold";
  EXPECT_EQ(must(stock(third).total()), 0);
  EXPECT_THAT(must(stock(till).holdings()), IsEmpty());
}

TEST_F(RightsTest, ADiskThatFailsAtTheAnswerGivesNothing) {
  const auto disk = std::make_shared<MapStore>();
  ReplicaOptions options;
  options.store = disk;
  Replica careful = open_replica(clock, 3, options);
  Keyspace theirs = careful.keyspace("shop");
  must(theirs.update([](Update& tx) { tx.at<BoundedCounter>("stock").add(4); }));
  const ActorId first = *theirs.actor();
  {
    Wire wire(clock, careful, till_replica);
    ASSERT_TRUE(wire.sync());
    must(stock(till).request(4));
    disk->fail_next(1);
    EXPECT_FALSE(wire.drain()) << "links end with the commit";
  }
  Wire wire(clock, careful, till_replica);
  ASSERT_TRUE(wire.sync());
  EXPECT_EQ(held(till), 0);
  EXPECT_EQ(must(stock(theirs).available(first)), 4);
  EXPECT_EQ(must(stock(theirs).total()), 4);
}

TEST_F(RightsTest, WaitingEndsWhenRightsCome) {
  add(4);
  Wire wire(clock, warehouse_replica, till_replica);
  ASSERT_TRUE(wire.sync());
  must(stock(till).request(2));
  auto waits = std::async(std::launch::async, [&] { return stock(till).wait_for_rights(2, 60s); });
  ASSERT_TRUE(wire.sync());
  must(waits.get());
  EXPECT_EQ(held(till), 2);
}

}  // namespace
}  // namespace syncline
