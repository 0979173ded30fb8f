#include <atomic>
#include <future>
#include <stdexcept>
#include <thread>

#include "crdt/reading.h"
#include "tests/store/harness.h"
#include "tests/support/random.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// An event in one line: "key.element before->after".
std::string text(const Event& event) {
  const auto shown = [](const std::optional<Value>& value) -> std::string {
    if (!value) return "-";
    if (value->integer() != nullptr) return std::to_string(*value->integer());
    if (value->text() != nullptr) return *value->text();
    return "?";
  };
  std::string line = event.key;
  if (event.type == Type::lww_map) line += "." + event.element;
  return line + " " + shown(event.before) + "->" + shown(event.after);
}

// A batch in one line: its events with ", " between them, "!" where it is from a peer.
std::string text(const EventBatch& batch) {
  std::string line;
  for (const Event& event : batch.events) line += (line.empty() ? "" : ", ") + text(event);
  return batch.local ? line : line + "!";
}

class WatchTest : public ::testing::Test {
 protected:
  std::function<void(const EventBatch&)> note(std::string mark = "") {
    return [this, mark](const EventBatch& batch) { seen.push_back(mark + text(batch)); };
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
  EXPECT_THAT(take(), ElementsAre("c -->5, m.name -->Ada, r -->1, s -->apple"));
  must(shop.update([](auto& tx) {
    tx.counter("c").add(2);
    tx.map("m").set("name", "Bob");
    tx.reg("r").set(2);
  }));
  EXPECT_THAT(take(), ElementsAre("c 5->7, m.name Ada->Bob, r 1->2"));
  must(shop.update([](auto& tx) {
    for (const char* key : {"c", "m", "r", "s"}) tx.erase(key);
  }));
  EXPECT_THAT(take(), ElementsAre("c 7->-, m.name Bob->-, r 2->-, s apple->-"));
}

TEST_F(WatchTest, EventsCarryTypeAndElement) {
  std::vector<Event> events;
  const auto sub = shop.watch(
      "", [&](const EventBatch& batch) { events.assign(batch.events.begin(), batch.events.end()); });
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
  EXPECT_THAT(take(), ElementsAre("carts: " + std::string("cart/\0", 6) +
                                      " -->5, cart/4 -->2, cart/42 -->3, cart/421 -->4",
                                  "one: cart/42 -->3, cart/421 -->4"));
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
  const auto stock = shop.watch("ordered", [&](const EventBatch& batch) {
    seen.push_back("first " + text(batch));
    const std::int64_t now = *batch.events[0].after->integer();
    if (now < 3) {
      must(shop.update([&](auto& tx) { tx.reg("ordered").set(now + 1); }));
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
  once = shop.watch("", [&](const EventBatch& batch) {
    seen.push_back(text(batch));
    must(shop.update([](auto& tx) { tx.reg("b").set(1); }));
    once.reset();
  });
  must(shop.update([](auto& tx) { tx.reg("a").set(1); }));
  EXPECT_THAT(take(), ElementsAre("a -->1"));
}

TEST_F(WatchTest, AWatcherMayDestroyTheReplica) {
  const auto sub = shop.watch("", [&](const EventBatch& batch) {
    seen.push_back(text(batch));
    must(shop.update([](auto& tx) { tx.reg("b").set(1); }));
    const Replica closes(std::move(replica));
  });
  must(shop.update([](auto& tx) { tx.reg("a").set(1); }));
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
  const auto throwing = keyspace.watch("", [](const EventBatch&) { throw std::runtime_error("oh"); });
  const auto strange = keyspace.watch("", [](const EventBatch&) { throw 1; });
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
  EXPECT_THAT(take(), ElementsAre("c 5->7, s -->pear!"));
  must(theirs.update([](auto& tx) { tx.erase("c"); }));
  ASSERT_TRUE(wire.sync());
  EXPECT_THAT(take(), ElementsAre("c 7->-!"));
  must(shop.update([](auto& tx) { tx.counter("c").add(1); }));
  EXPECT_THAT(take(), ElementsAre("c -->1"));
}

// However many changes a frame brings, each is told by itself, as it was when it alone had been applied.
TEST_F(WatchTest, EachRemoteChangeIsABatchWithItsOriginAndTime) {
  Replica other = open_replica(clock, 2);
  Keyspace theirs = other.keyspace("shop");
  Wire wire(clock, replica, other);
  ASSERT_TRUE(wire.sync());
  std::map<std::string, std::optional<Value>> known;
  int changes = 0;
  const auto first = clock.reader()().wall;
  const auto sub = shop.watch("", [&](const EventBatch& batch) {
    EXPECT_EQ(batch.origin, theirs.actor());
    EXPECT_EQ(batch.time, first + changes * 1s);
    EXPECT_EQ(batch.events.size(), 2U);
    for (const Event& event : batch.events) {
      EXPECT_EQ(event.before, known[event.key]) << event.key;
      EXPECT_EQ(event.after, event.key == "sum" ? Value(changes + 1) : Value(changes)) << event.key;
      EXPECT_EQ(event.origin, batch.origin);
      EXPECT_EQ(event.time, batch.time);
      known[event.key] = event.after;
    }
    ++changes;
  });
  for (int i = 0; i < 500; ++i) {
    must(theirs.update([&](auto& tx) {
      tx.reg("r" + std::to_string(i % 7)).set(i);
      tx.counter("sum").add(1);
    }));
    clock.advance(1s);
  }
  ASSERT_TRUE(wire.sync());
  EXPECT_EQ(changes, 500);
  ASSERT_EQ(known.size(), 8U);
  EXPECT_EQ(known["r0"], Value(497));
}

// What is read of a keyspace, kept by events alone: each must go on where the last one left off.
class Mirror {
 public:
  void take(const EventBatch& batch) {
    EXPECT_FALSE(batch.events.empty());
    for (const Event& event : batch.events) {
      std::string place = event.key + type_name(event.type) + event.element;
      for (const std::string& name : event.path) place += "/" + name;
      std::optional<Value>& known = places_[place];
      EXPECT_EQ(event.before, known) << place;
      EXPECT_NE(event.before, event.after) << place;
      known = event.after;
    }
  }
  // All that is there.
  std::map<std::string, std::optional<Value>> there() const {
    auto all = places_;
    std::erase_if(all, [](const auto& place) { return !place.second; });
    return all;
  }

 private:
  std::map<std::string, std::optional<Value>> places_;
};

// The types that don't nest, each under its own key.
void write_plain(Update& tx, Random& random) {
  const auto number = static_cast<std::int64_t>(random.below(3));
  switch (random.below(10)) {
    case 0:
      tx.at<LwwRegister<Value>>("lww").set(number);
      break;
    case 1:
      tx.at<MvRegister<Value>>("mv").set(number);
      break;
    case 2:
      tx.at<MaxRegister<Value>>("max").set(number);
      break;
    case 3:
      tx.at<MinRegister<Value>>("min").set(number);
      break;
    case 4:
      if (random.chance(1, 2)) {
        tx.at<DwFlag>("dw").enable();
      } else {
        tx.at<DwFlag>("dw").disable();
      }
      break;
    case 5:
      tx.at<GMap>("g").at<GSet<Value>>("set").insert(number);
      break;
    case 6:
      tx.at<RwSet<Value>>("rw").insert(number);
      break;
    case 7:
      tx.at<RwSet<Value>>("rw").erase(number);
      break;
    case 8:
      tx.at<BoundedCounter>("bounded").add(number + 1);
      break;
    default:
      tx.at<GCounter>("g counter").add(number);
  }
}
void write_one(Update& tx, Random& random) {
  if (random.chance(1, 3)) return write_plain(tx, random);
  const std::string key = "m" + std::to_string(random.below(2));  // Outlives its writer.
  auto map = tx.at<OrMap>(key);
  const std::string name(1, static_cast<char>('a' + random.below(2)));
  const auto number = static_cast<std::int64_t>(random.below(3));
  switch (random.below(8)) {
    case 0:
      map.at<PnCounter>(name).add(number);
      break;
    case 1:
      map.at<OrSet<Value>>(name).insert(number);
      break;
    case 2:
      map.at<OrSet<Value>>(name).erase(number);
      break;
    case 3:
      map.at<OrMap>(name).at<MvRegister<Value>>("deep").set(number);
      break;
    case 4:
      map.erase(name);
      break;
    case 5:
      tx.map("f").set(name, number);
      break;
    case 6:
      map.at<EwFlag>(name).enable();
      break;
    default:
      tx.erase(random.chance(1, 2) ? "m0" : "f");
  }
}
void write_something(Keyspace& keyspace, Random& random) {
  must(keyspace.update([&](Update& tx) {
    for (std::size_t i = random.below(3) + 1; i > 0; --i) write_one(tx, random);
  }));
}

// By changes, several a frame, and by passes: who hears of every step knows what who hears of the outcome
// knows.
TEST_F(WatchTest, EventsAddUpToWhatIsRead) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Random random(seed);
    Replica left = open_replica(clock, 10 * seed + 3);
    Replica right = open_replica(clock, 10 * seed + 4);
    Keyspace one = left.keyspace("shop");
    Keyspace two = right.keyspace("shop");
    Mirror mirror;
    const auto sub = one.watch("", [&](const EventBatch& batch) { mirror.take(batch); });
    for (int meeting = 0; meeting < 5; ++meeting) {
      for (std::size_t i = random.below(4); i > 0; --i) write_something(two, random);  // To be fetched.
      Wire wire(clock, left, right);
      ASSERT_TRUE(wire.sync());
      for (std::size_t i = random.below(6); i > 0; --i)
        write_something(random.chance(1, 3) ? one : two, random);
      ASSERT_TRUE(wire.sync());
    }
    Replica late = open_replica(clock, 10 * seed + 5);
    Mirror outcome;
    Keyspace lates = late.keyspace("shop");
    const auto all = lates.watch("", [&](const EventBatch& batch) { outcome.take(batch); });
    Wire wire(clock, left, late);
    ASSERT_TRUE(wire.sync());
    EXPECT_EQ(mirror.there(), outcome.there()) << "seed " << seed;
    if (HasFailure()) return;
  }
}

// An element that came and went within one frame is told of twice, and a child likewise.
TEST_F(WatchTest, WhatCameAndWentWithinAFrameIsTold) {
  Replica other = open_replica(clock, 2);
  Keyspace theirs = other.keyspace("shop");
  Wire wire(clock, replica, other);
  ASSERT_TRUE(wire.sync());
  const auto sub = shop.watch("", note());
  must(theirs.update([](Update& tx) { tx.at<OrMap>("u").at<OrSet<Value>>("tags").insert("a"); }));
  must(theirs.update([](Update& tx) { tx.at<OrMap>("u").at<OrSet<Value>>("tags").insert("b"); }));
  must(theirs.update([](Update& tx) { tx.at<OrMap>("u").erase("tags"); }));
  ASSERT_TRUE(wire.sync());
  EXPECT_THAT(take(), ElementsAre("u -->?, u -->a!", "u -->b!", "u ?->-, u a->-, u b->-!"));
}

TEST_F(WatchTest, OwnChangesHaveThisReplicaAsOrigin) {
  int heard = 0;
  const auto sub = shop.watch("", [&](const EventBatch& batch) {
    ++heard;
    EXPECT_TRUE(batch.local);
    EXPECT_EQ(batch.origin, shop.actor());
    EXPECT_EQ(batch.time, clock.reader()().wall);
    EXPECT_EQ(batch.events[0].origin, shop.actor());
  });
  must(shop.update([](auto& tx) { tx.reg("r").set(1); }));
  EXPECT_EQ(heard, 1);
}

// State of many changes comes as one batch of no one's; the dots still tell who wrote what.
TEST_F(WatchTest, APassIsOneBatchWithoutOriginWhoseEventsTellWhoWroteAsFarAsIsKnown) {
  Replica other = open_replica(clock, 2);
  Replica third = open_replica(clock, 3);
  Keyspace theirs = other.keyspace("shop");
  Keyspace thirds = third.keyspace("shop");
  must(shop.update([](auto& tx) { tx.set("s").insert("gone"); }));
  {
    Wire wire(clock, replica, other);
    ASSERT_TRUE(wire.sync());
  }
  must(thirds.update([](auto& tx) { tx.counter("both").add(1); }));
  const auto written = clock.reader()().wall;
  must(thirds.update([](auto& tx) { tx.reg("r").set(3); }));
  {
    Wire wire(clock, third, other);
    ASSERT_TRUE(wire.sync());
  }
  clock.advance(1h);
  must(theirs.update([](auto& tx) {
    tx.counter("both").add(1);
    tx.set("s").insert("new");
    tx.set("s").erase("gone");
  }));
  must(shop.update([](auto& tx) { tx.reg("mine").set(1); }));  // So that changes alone won't do.
  std::vector<Event> events;
  const auto sub = shop.watch("", [&](const EventBatch& batch) {
    EXPECT_FALSE(batch.origin || batch.time || batch.local);
    EXPECT_TRUE(events.empty()) << "one batch";
    events.assign(batch.events.begin(), batch.events.end());
  });
  Wire wire(clock, replica, other);
  ASSERT_TRUE(wire.sync());
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(text(events[0]), "both -->2");
  EXPECT_FALSE(events[0].origin || events[0].time) << "two counted";
  EXPECT_EQ(text(events[1]), "r -->3");
  EXPECT_EQ(events[1].origin, thirds.actor());
  EXPECT_EQ(events[1].time, written) << "a register's stamp tells it";
  EXPECT_EQ(text(events[2]), "s gone->-");
  EXPECT_FALSE(events[2].origin) << "who removed it left no dot";
  EXPECT_EQ(text(events[3]), "s -->new");
  EXPECT_EQ(events[3].origin, theirs.actor());
  EXPECT_FALSE(events[3].time) << "the log has its name only";
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
  const auto sub = shop.watch("", [&](const EventBatch& batch) {
    seen.push_back(text(batch));
    told_by.push_back(std::this_thread::get_id());
    if (batch.events[0].key != "first") return;
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
  std::atomic<bool> returned = false;
  bool returned_early = false;
  std::atomic<std::size_t> told = 0;
  const auto sub = keyspace.watch("", [&](const EventBatch& batch) {
    if ((told += batch.events.size()) > 1) return;
    heard.set_value();
    while (keyspace.version().size() < 41) std::this_thread::yield();
    for (int i = 0; i < 1'000 && !returned; ++i)
      std::this_thread::yield();  // A commit that won't wait has time.
    returned_early = returned;
  });
  std::thread teller([&] { must(keyspace.update([](auto& tx) { tx.reg("r").set(1); })); });
  heard.get_future().wait();
  must(keyspace.update([](auto& tx) {
    for (int i = 0; i < 40; ++i) tx.set("s").insert(i);
  }));
  returned = true;
  teller.join();
  EXPECT_FALSE(returned_early) << "more than 10 events wait, besides those that are being told";
  EXPECT_EQ(told, 41U);
}

TEST_F(WatchTest, EndingAWatchWaitsForItToReturn) {
  std::promise<void> running;
  std::promise<void> ending;
  std::atomic<bool> returned = false;
  auto sub = shop.watch("", [&](const EventBatch&) {
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
