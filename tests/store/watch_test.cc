#include <atomic>
#include <future>
#include <stdexcept>
#include <thread>

#include "tests/store/harness.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// An event in one line: "key.element before->after", "!" where it is from a peer.
std::string text(const Event& event) {
  const auto shown = [](const std::optional<Value>& value) -> std::string {
    if (!value) return "-";
    if (value->integer() != nullptr) return std::to_string(*value->integer());
    if (value->text() != nullptr) return *value->text();
    return "?";
  };
  std::string line = event.key;
  if (event.type == Type::lww_map) line += "." + event.element;
  line += " " + shown(event.before) + "->" + shown(event.after);
  return event.local ? line : line + "!";
}

class WatchTest : public ::testing::Test {
 protected:
  std::function<void(const Event&)> note(std::string mark = "") {
    return [this, mark](const Event& event) { seen.push_back(mark + text(event)); };
  }
  std::vector<std::string> take() { return std::exchange(seen, {}); }

  TestClock clock;
  std::vector<std::string> seen;
  Replica replica = open_replica(clock, 1);
  Keyspace shop = replica.keyspace("shop");
};

TEST_F(WatchTest, TellsOldAndNewOfEachType) {
  const auto sub = shop.watch("", note());
  must(shop.update([](auto& tx) {
    tx.counter("c").add(5);
    tx.set("s").insert("apple");
    tx.map("m").set("name", "Ada");
    tx.reg("r").set(1);
  }));
  EXPECT_THAT(take(), ElementsAre("c -->5", "m.name -->Ada", "r -->1", "s -->apple"));
  must(shop.update([](auto& tx) {
    tx.counter("c").add(2);
    tx.map("m").set("name", "Bob");
    tx.reg("r").set(2);
  }));
  EXPECT_THAT(take(), ElementsAre("c 5->7", "m.name Ada->Bob", "r 1->2"));
  must(shop.update([](auto& tx) {
    for (const char* key : {"c", "m", "r", "s"}) tx.erase(key);
  }));
  EXPECT_THAT(take(), ElementsAre("c 7->-", "m.name Bob->-", "r 2->-", "s apple->-"));
}

TEST_F(WatchTest, EventsCarryTypeAndElement) {
  std::vector<Event> events;
  const auto sub = shop.watch("", [&](const Event& event) { events.push_back(event); });
  must(shop.update([](auto& tx) {
    tx.template at<GCounter>("c").add(1);
    tx.set("s").insert("x");
    tx.map("t").set(std::string_view("a\0b", 3), 1);
  }));
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].type, Type::g_counter);
  EXPECT_EQ(events[1].type, Type::or_set);
  EXPECT_EQ(events[1].element, Value("x").to_bytes());
  EXPECT_EQ(events[2].type, Type::lww_map);
  EXPECT_EQ(events[2].element, std::string("a\0b", 3));
}

TEST_F(WatchTest, WhatReadsAsBeforeIsNotTold) {
  must(shop.update([](auto& tx) {
    tx.set("s").insert(1);
    tx.reg("r").set(1);
    tx.counter("c").add(1);
  }));
  const auto sub = shop.watch("", note());
  must(shop.update([](auto& tx) {
    tx.set("s").insert(1);
    tx.reg("r").set(1);
    tx.counter("c").add(3);
    tx.counter("c").add(-3);
  }));
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(WatchTest, OnlyKeysWithThePrefix) {
  const auto carts = shop.watch("cart/", note("carts: "));
  const auto one = shop.watch("cart/42", note("one: "));
  must(shop.update([](auto& tx) {
    tx.reg("cart").set(1);
    tx.reg("cart/4").set(2);
    tx.reg("cart/42").set(3);
    tx.reg("cart/421").set(4);
    tx.reg(std::string_view("cart/\0", 6)).set(5);
  }));
  EXPECT_THAT(take(), ElementsAre("carts: " + std::string("cart/\0", 6) + " -->5", "carts: cart/4 -->2",
                                  "carts: cart/42 -->3", "one: cart/42 -->3", "carts: cart/421 -->4",
                                  "one: cart/421 -->4"));
}

TEST_F(WatchTest, AnotherKeyspaceIsNotHeard) {
  Keyspace other = replica.keyspace("other");
  const auto sub = shop.watch("", note());
  must(other.update([](auto& tx) { tx.reg("r").set(1); }));
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(WatchTest, EndsWithItsSubscription) {
  auto sub = shop.watch("", note("a "));
  auto moved = std::move(sub);
  must(shop.update([](auto& tx) { tx.reg("r").set(1); }));
  EXPECT_THAT(take(), ElementsAre("a r -->1"));
  moved.reset();
  must(shop.update([](auto& tx) { tx.reg("r").set(2); }));
  {
    const auto scoped = shop.watch("", note("b "));
    must(shop.update([](auto& tx) { tx.reg("r").set(3); }));
  }
  must(shop.update([](auto& tx) { tx.reg("r").set(4); }));
  EXPECT_THAT(take(), ElementsAre("b r 2->3"));
}

TEST_F(WatchTest, WatchersMayUpdateAndEventsKeepTheOrderOfCommits) {
  const auto stock = shop.watch("ordered", [&](const Event& event) {
    seen.push_back("first " + text(event));
    if (*event.after->integer() < 3) {
      must(shop.update([&](auto& tx) { tx.reg("ordered").set(*event.after->integer() + 1); }));
      seen.push_back("updated");
    }
  });
  const auto audit = shop.watch("ordered", note("second "));
  must(shop.update([](auto& tx) { tx.reg("ordered").set(1); }));
  EXPECT_THAT(take(),
              ElementsAre("first ordered -->1", "updated", "second ordered -->1", "first ordered 1->2",
                          "updated", "second ordered 1->2", "first ordered 2->3", "second ordered 2->3"));
}

TEST_F(WatchTest, AWatcherMayEndItself) {
  Subscription once;
  once = shop.watch("", [&](const Event& event) {
    seen.push_back(text(event));
    once.reset();
  });
  must(shop.update([](auto& tx) {
    tx.reg("a").set(1);
    tx.reg("b").set(1);
  }));
  EXPECT_THAT(take(), ElementsAre("a -->1"));
}

TEST_F(WatchTest, AWatcherMayDestroyTheReplica) {
  const auto sub = shop.watch("", [&](const Event& event) {
    seen.push_back(text(event));
    const Replica closes(std::move(replica));
  });
  must(shop.update([](auto& tx) {
    tx.reg("a").set(1);
    tx.reg("b").set(1);
  }));
  EXPECT_THAT(take(), ElementsAre("a -->1"));
  EXPECT_EQ(code_of(shop.reg("a").get()), "closed");
  replica = open_replica(clock, 2);
}

TEST_F(WatchTest, WhatWatchersThrowIsLoggedAndOthersHear_R_BLAST_2) {
  std::vector<std::string> lines;
  ReplicaOptions options;
  options.log = [&](LogLevel level, std::string_view line,
                    const std::vector<std::pair<std::string, std::string>>& fields) {
    EXPECT_EQ(level, LogLevel::error);
    lines.push_back(std::string(line) + ": " + fields.at(0).second);
  };
  Replica logged = open_replica(clock, 2, options);
  Keyspace keyspace = logged.keyspace("k");
  const auto throwing = keyspace.watch("", [](const Event&) { throw std::runtime_error("oh"); });
  const auto strange = keyspace.watch("", [](const Event&) { throw 1; });
  const auto sub = keyspace.watch("", note());
  must(keyspace.update([](auto& tx) { tx.reg("r").set(1); }));
  EXPECT_THAT(take(), ElementsAre("r -->1"));
  EXPECT_THAT(lines, ElementsAre("a watcher threw: oh", "a watcher threw: not a std::exception"));
}

TEST_F(WatchTest, SubscriptionsOutliveTheReplica) {
  auto sub = shop.watch("", note());
  { const Replica closes(std::move(replica)); }
  sub.reset();
  auto late = shop.watch("", note());
  late.reset();
  EXPECT_EQ(code_of(shop.update([](auto& tx) { tx.reg("r").set(1); })), "closed");
  EXPECT_THAT(take(), IsEmpty());
  replica = open_replica(clock, 2);
}

TEST_F(WatchTest, ADroppedKeyspaceThatComesBackIsWatchedStill) {
  const auto sub = shop.watch("", note());
  must(shop.update([](auto& tx) { tx.reg("r").set(1); }));
  must(replica.drop_keyspace("shop"));
  Keyspace again = replica.keyspace("shop");
  must(again.update([](auto& tx) { tx.reg("r").set(2); }));
  EXPECT_THAT(take(), ElementsAre("r -->1", "r -->2"));
}

TEST_F(WatchTest, RemoteChangesAreToldWithWhatTheyChangedHere) {
  Replica other = open_replica(clock, 2);
  Keyspace theirs = other.keyspace("shop");
  must(shop.update([](auto& tx) { tx.counter("c").add(5); }));
  must(theirs.update([](auto& tx) {
    tx.counter("c").add(2);
    tx.set("s").insert("pear");
  }));
  const auto sub = shop.watch("", note());
  Wire wire(clock, replica, other);
  ASSERT_TRUE(wire.sync());
  EXPECT_THAT(take(), ElementsAre("c 5->7!", "s -->pear!"));
  must(theirs.update([](auto& tx) { tx.erase("c"); }));
  ASSERT_TRUE(wire.sync());
  EXPECT_THAT(take(), ElementsAre("c 7->-!"));
  must(shop.update([](auto& tx) { tx.counter("c").add(1); }));
  EXPECT_THAT(take(), ElementsAre("c -->1"));
}

// What one frame brings may be told as one change, but no event's "before" is a
// value that was never told.
TEST_F(WatchTest, ManyRemoteChangesOfOnePlaceAreToldWithoutGaps) {
  Replica other = open_replica(clock, 2);
  Keyspace theirs = other.keyspace("shop");
  Wire wire(clock, replica, other);
  ASSERT_TRUE(wire.sync());
  std::map<std::string, std::optional<Value>> known;
  const auto sub = shop.watch("", [&](const Event& event) {
    EXPECT_EQ(event.before, known[event.key]) << event.key;
    known[event.key] = event.after;
  });
  for (int i = 0; i < 500; ++i)
    must(theirs.update([&](auto& tx) { tx.reg("r" + std::to_string(i % 7)).set(i); }));
  ASSERT_TRUE(wire.sync());
  ASSERT_EQ(known.size(), 7U);
  EXPECT_EQ(known["r0"], Value(497));
}

TEST_F(WatchTest, AResetCounterShowsOnlyWhatTheResetDidNotSee) {
  Replica other = open_replica(clock, 2);
  Keyspace theirs = other.keyspace("shop");
  must(shop.update([](auto& tx) { tx.counter("c").add(5); }));
  {
    Wire wire(clock, replica, other);
    ASSERT_TRUE(wire.sync());
  }
  must(theirs.update([](auto& tx) { tx.counter("c").reset(); }));
  must(shop.update([](auto& tx) { tx.counter("c").add(2); }));
  const auto sub = shop.watch("", note());
  Wire wire(clock, replica, other);
  ASSERT_TRUE(wire.sync());
  EXPECT_THAT(take(), ElementsAre("c 7->2!"));
}

// One thread's watcher holds on until the other's commit is made: the events of
// the second commit are left to it, and both orders agree.
TEST_F(WatchTest, TheThreadThatTellsWatchersTellsOthersCommitsToo) {
  std::promise<void> first_heard;
  std::promise<void> second_made;
  std::vector<std::thread::id> told_by;
  const auto sub = shop.watch("", [&](const Event& event) {
    seen.push_back(text(event));
    told_by.push_back(std::this_thread::get_id());
    if (event.key != "first") return;
    first_heard.set_value();
    second_made.get_future().wait();
  });
  std::thread teller([&] { must(shop.update([](auto& tx) { tx.reg("first").set(1); })); });
  const auto teller_id = teller.get_id();
  first_heard.get_future().wait();
  must(shop.update([](auto& tx) { tx.reg("second").set(2); }));
  second_made.set_value();
  teller.join();
  EXPECT_THAT(seen, ElementsAre("first -->1", "second -->2"));
  EXPECT_THAT(told_by, ElementsAre(teller_id, teller_id));
}

TEST_F(WatchTest, CommitsWaitWhileTooManyEventsWait_R_RES_1) {
  ReplicaOptions options;
  options.events_max = 10;
  Replica small = open_replica(clock, 2, options);
  Keyspace keyspace = small.keyspace("k");
  std::promise<void> heard;
  std::atomic<int> told = 0;
  const auto sub = keyspace.watch("", [&](const Event&) {
    if (told++ > 0) return;
    heard.set_value();
    while (keyspace.version().size() < 101) std::this_thread::yield();
  });
  std::thread teller([&] { must(keyspace.update([](auto& tx) { tx.reg("r").set(1); })); });
  heard.get_future().wait();
  must(keyspace.update([](auto& tx) {
    for (int i = 0; i < 100; ++i) tx.set("s").insert(i);
  }));
  EXPECT_GE(told, 1 + 100 - 10 - 1) << "more than 10 events wait, besides the one that is being told";
  teller.join();
  EXPECT_EQ(told, 101);
}

TEST_F(WatchTest, EndingAWatchWaitsForItToReturn) {
  std::promise<void> running;
  std::promise<void> ending;
  std::atomic<bool> returned = false;
  auto sub = shop.watch("", [&](const Event&) {
    running.set_value();
    ending.get_future().wait();
    // Whoever ends the watch is on its way now, and must not get past us.
    for (int i = 0; i < 1'000; ++i) std::this_thread::yield();
    returned = true;
  });
  std::thread teller([&] { must(shop.update([](auto& tx) { tx.reg("r").set(1); })); });
  running.get_future().wait();
  ending.set_value();
  sub.reset();
  EXPECT_TRUE(returned);
  teller.join();
}

}  // namespace
}  // namespace syncline
