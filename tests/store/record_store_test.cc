// A replica on a store of the caller's own: what is committed survives it, what
// isn't never was.
#include "tests/store/harness.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RecordStoreTest : public ::testing::Test {
 protected:
  Replica open(std::uint64_t seed) {
    ReplicaOptions options;
    options.store = disk;
    options.log = [this](LogLevel level, std::string_view line, const auto&) {
      if (level == LogLevel::error) errors.emplace_back(line);
    };
    return open_replica(clock, seed, std::move(options));
  }

  TestClock clock;
  std::shared_ptr<MapStore> disk = std::make_shared<MapStore>();
  std::vector<std::string> errors;
};

TEST_F(RecordStoreTest, WhatWasWrittenIsThereAfterReopening) {
  std::string before;
  DigestPair digests;
  {
    Replica replica = open(1);
    Keyspace shop = replica.keyspace("shop");
    const Version written = must(shop.update([](auto& tx) {
      tx.counter("c").add(3);
      tx.set("s").insert("a");
      tx.set("s").insert("b");
    }));
    must(shop.update([](auto& tx) { tx.set("s").erase("a"); }));
    EXPECT_TRUE(shop.durable(written));
    must(shop.flush());
    before = must(shop.to_json());
    digests = shop.digests();
  }
  Replica replica = open(2);
  EXPECT_THAT(replica.keyspaces(), ElementsAre("shop"));
  Keyspace shop = replica.keyspace("shop");
  EXPECT_EQ(must(shop.to_json()), before);
  EXPECT_EQ(shop.digests(), digests);
  must(shop.update([](auto& tx) { tx.counter("c").add(1); }));
  EXPECT_EQ(must(shop.counter("c").total()), 4);
}

TEST_F(RecordStoreTest, AFailedCommitUndoesTheUpdate) {
  Replica replica = open(1);
  Keyspace shop = replica.keyspace("shop");
  must(shop.update([](auto& tx) { tx.reg("r").set(1); }));
  std::vector<std::string> seen;
  const auto sub = shop.watch("", [&](const EventBatch& batch) { seen.push_back(batch.events.front().key); });
  const std::string before = must(shop.to_json());
  const DigestPair digests = shop.digests();
  disk->fail_next(1);
  const auto written = shop.update("token", [](auto& tx) { tx.reg("r").set(2); });
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error(), (Error{Errc::storage, "no space left"}));
  EXPECT_EQ(must(shop.to_json()), before);
  EXPECT_EQ(shop.digests(), digests);
  EXPECT_THAT(seen, IsEmpty()) << "watchers hear of commits only";
  EXPECT_THAT(errors, ElementsAre(::testing::HasSubstr("the store failed")));
  const auto notices = replica.notices();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices[0].kind, Notice::Kind::commit_failed);

  must(shop.update("token", [](auto& tx) { tx.reg("r").set(3); }));
  EXPECT_EQ(must(shop.reg("r").get()), Value(3));
  EXPECT_THAT(seen, ElementsAre("r"));
}

// Says that a commit failed, and keeps it.
class LyingStore : public MapStore {
 public:
  Result<void> commit(const Record& record) override {
    EXPECT_TRUE(MapStore::commit(record));
    return failure(Errc::storage, "not on disk, it seems");
  }
};

TEST_F(RecordStoreTest, ALeafOfAWriterThatWasUndoneIsDamagedAndNotTheEndOfTheProcess) {
  disk = std::make_shared<LyingStore>();
  Replica replica = open(1);
  Keyspace shop = replica.keyspace("shop");
  EXPECT_EQ(code_of(shop.update([](auto& tx) { tx.reg("r").set(1); })), "storage");
  EXPECT_EQ(code_of(shop.reg("r").get()), "damaged");
  EXPECT_EQ(code_of(shop.to_json()), "damaged");
}

TEST_F(RecordStoreTest, AFailedCommitEndsAllLinksAndNewOnesGoOn) {
  Replica replica = open(1);
  Keyspace shop = replica.keyspace("shop");
  Replica other = open_replica(clock, 2);
  Keyspace theirs = other.keyspace("shop");
  int woken = 0;
  auto idle = replica.connect({}, [&woken] { ++woken; });
  while (idle->send()) {
  }
  {
    Wire wire(clock, replica, other);
    ASSERT_TRUE(wire.sync());
    woken = 0;
    must(theirs.update([](auto& tx) { tx.reg("r").set(1); }));
    disk->fail_next(1);
    EXPECT_FALSE(wire.sync());
    ASSERT_TRUE(wire.a().error());
    EXPECT_EQ(wire.a().error()->code, Errc::storage);
    EXPECT_EQ(wire.a().send(), std::nullopt);
  }
  EXPECT_EQ(woken, 1) << "the other link's transport learns of it, too";
  EXPECT_TRUE(idle->error());
  EXPECT_EQ(must(shop.reg("r").get()), std::nullopt);

  Wire again(clock, replica, other);
  ASSERT_TRUE(again.sync());
  EXPECT_EQ(must(shop.reg("r").get()), Value(1));
  EXPECT_EQ(shop.digests(), theirs.digests());
}

TEST_F(RecordStoreTest, DroppedKeyspacesStayDropped) {
  {
    Replica replica = open(1);
    must(replica.keyspace("shop").update([](auto& tx) { tx.reg("r").set(1); }));
    must(replica.keyspace("diary").update([](auto& tx) { tx.reg("r").set(1); }));
    must(replica.drop_keyspace("shop"));
  }
  Replica replica = open(2);
  EXPECT_THAT(replica.keyspaces(), ElementsAre("diary"));
  EXPECT_EQ(must(replica.keyspace("shop").to_json()), "{}");
}

TEST_F(RecordStoreTest, RemoteChangesAreOnDiskBeforeWatchersHear) {
  Replica replica = open(1);
  Keyspace shop = replica.keyspace("shop");
  Replica other = open_replica(clock, 2);
  Keyspace theirs = other.keyspace("shop");
  const Version written = must(theirs.update([](auto& tx) { tx.reg("r").set(1); }));
  bool heard = false;
  const auto sub = shop.watch("", [&](const EventBatch&) { heard = shop.durable(written); });
  Wire wire(clock, replica, other);
  ASSERT_TRUE(wire.sync());
  EXPECT_TRUE(heard);
  EXPECT_EQ(theirs.pending(), 0U);
}

// Claims to be the only continuation of what it holds, like a machine that was
// set back to a snapshot while it ran.
class SureStore : public MapStore {
 public:
  Result<Head> load() override {
    auto head = MapStore::load();
    for (KeyspaceHead& keyspace : head->keyspaces) keyspace.self = self_;
    return head;
  }
  Result<void> commit(const Record& record) override {
    for (const KeyspaceRecord& part : record.keyspaces) self_ = part.self;
    return MapStore::commit(record);
  }

 private:
  std::optional<std::uint32_t> self_;
};

TEST_F(RecordStoreTest, AProvenContinuationGoesOnUnderItsActor_R_ID_1) {
  disk = std::make_shared<SureStore>();
  const auto write = [this](std::uint64_t seed) {
    Replica replica = open(seed);
    Keyspace shop = replica.keyspace("shop");
    must(shop.update([](auto& tx) { tx.counter("c").add(1); }));
    return std::pair(shop.actor(), must(shop.counter("c").total()));
  };
  const auto first = write(1);
  const auto second = write(2);
  EXPECT_EQ(second.first, first.first);
  EXPECT_EQ(second.second, 2);
}

TEST_F(RecordStoreTest, APeerThatKnowsMoreMakesUsTakeAFreshActorForGood_R_ID_3) {
  const auto sure = std::make_shared<SureStore>();
  disk = sure;
  Replica peer = open_replica(clock, 50);
  Keyspace theirs = peer.keyspace("shop");
  std::shared_ptr<SureStore> snapshot;
  std::optional<ActorId> first;
  {
    Replica replica = open(1);
    Keyspace shop = replica.keyspace("shop");
    must(shop.update([](auto& tx) { tx.set("s").insert(1); }));
    snapshot = std::make_shared<SureStore>(*sure);
    must(shop.update([](auto& tx) { tx.set("s").insert(2); }));
    first = shop.actor();
    Wire wire(clock, replica, peer);
    ASSERT_TRUE(wire.sync());
  }
  disk = snapshot;
  std::optional<ActorId> second;
  {
    Replica replica = open(2);
    Keyspace shop = replica.keyspace("shop");
    EXPECT_EQ(shop.actor(), first);
    Wire wire(clock, replica, peer);
    ASSERT_TRUE(wire.sync());
    const auto notices = replica.notices();
    ASSERT_EQ(notices.size(), 1U);
    EXPECT_EQ(notices[0].kind, Notice::Kind::amnesia);
    must(shop.update([](auto& tx) { tx.set("s").insert(3); }));
    second = shop.actor();
    EXPECT_NE(second, first);
    ASSERT_TRUE(wire.sync());
    EXPECT_EQ(must(theirs.set("s").elements()).size(), 3U);
  }
  Replica replica = open(3);
  EXPECT_EQ(replica.keyspace("shop").actor(), second);
}

// Commits a while, has no room for another while.
class SmallStore : public MapStore {
 public:
  bool full = false;
  int questions = 0;
  Result<void> commit(const Record& record) override {
    if (full) return failure(Errc::disk_full, "no room");
    return MapStore::commit(record);
  }
  bool ready() override {
    ++questions;
    return !full;
  }
};

TEST_F(RecordStoreTest, AFullDiskRefusesWritesGoesOnReadingAndResumesByItself_R_DUR_4) {
  const auto small = std::make_shared<SmallStore>();
  disk = small;
  Replica replica = open(1);
  Keyspace shop = replica.keyspace("shop");
  must(shop.update([](auto& tx) { tx.set("s").insert(1); }));
  Replica peer = open_replica(clock, 2);
  Keyspace theirs = peer.keyspace("shop");
  small->full = true;
  const auto insert = [](auto& tx) { tx.set("s").insert(2); };
  EXPECT_EQ(code_of(shop.update(insert)), "disk_full");
  const int questions = small->questions;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(code_of(shop.update(insert)), "disk_full");
  EXPECT_LE(small->questions, questions + 1) << "the disk isn't asked by each update";
  EXPECT_EQ(code_of(replica.drop_keyspace("shop")), "disk_full");
  must(shop.flush());
  EXPECT_THAT(must(shop.set("s").elements()), ElementsAre(Value(1)));

  must(theirs.update([](auto& tx) { tx.set("s").insert(3); }));
  Wire wire(clock, replica, peer);
  EXPECT_FALSE(wire.sync(3s)) << "what the peer has can't be taken in";
  EXPECT_FALSE(wire.a().error() || wire.b().error()) << "but the link lives";
  EXPECT_EQ(must(theirs.set("s").elements()).size(), 2U) << "and peers get what is here";
  EXPECT_THAT(must(shop.set("s").elements()), ElementsAre(Value(1)));

  small->full = false;
  EXPECT_TRUE(wire.sync()) << "nobody had to do anything";
  must(shop.update(insert));
  EXPECT_EQ(must(shop.set("s").elements()).size(), 3U);
  ASSERT_TRUE(wire.sync());
  EXPECT_EQ(shop.digests(), theirs.digests());
  EXPECT_EQ(shop.version().entries().size(), 3U) << "a fresh actor for the commit that failed, no more";
}

class UnreadableStore : public MapStore {
 public:
  Result<Head> load() override { return failure(Errc::storage, "no such disk"); }
};

TEST_F(RecordStoreTest, AStoreThatCannotBeLoadedIsNotOpened) {
  ReplicaOptions options;
  options.store = std::make_shared<UnreadableStore>();
  const auto opened = Replica::open(std::move(options));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), (Error{Errc::storage, "no such disk"}));
}

// The newest entry of the log comes back cut short.
class DamagedStore : public MapStore {
 public:
  Result<Head> load() override {
    auto head = MapStore::load();
    for (KeyspaceHead& keyspace : head->keyspaces) keyspace.log.back().bytes.pop_back();
    return head;
  }
};

TEST_F(RecordStoreTest, ADamagedStoreIsNotOpenedAndSaysWhy_R_DUR_6) {
  disk = std::make_shared<DamagedStore>();
  must(open(1).keyspace("shop").update([](auto& tx) { tx.reg("r").set(1); }));
  ReplicaOptions options;
  options.store = disk;
  const auto opened = Replica::open(std::move(options));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), (Error{Errc::damaged, "keyspace \"shop\": a log entry can't be read"}));
}

// Gives its log when asked, if it can.
class LateLogStore : public MapStore {
 public:
  int loads = 0;
  bool broken = false;
  Result<Head> load() override {
    auto head = MapStore::load();
    logs_.clear();
    for (KeyspaceHead& keyspace : head->keyspaces) {
      keyspace.log_later_max = keyspace.log.size();
      logs_.push_back({keyspace.name, std::exchange(keyspace.log, {})});
    }
    return head;
  }
  Result<std::vector<KeyspaceLog>> load_logs() override {
    ++loads;
    if (broken) return failure(Errc::storage, "read error");
    return logs_;
  }

 private:
  std::vector<KeyspaceLog> logs_;
};

class LateLogTest : public RecordStoreTest {
 protected:
  // Two changes, the first at `first`.
  LateLogTest() {
    disk = store;
    Replica replica = open(1);
    Keyspace shop = replica.keyspace("shop");
    first = must(shop.update([](auto& tx) { tx.reg("a").set(1); }));
    must(shop.update([](auto& tx) { tx.reg("b").set(2); }));
    store->loads = 0;
  }

  std::shared_ptr<LateLogStore> store = std::make_shared<LateLogStore>();
  Version first;
};

TEST_F(LateLogTest, OpeningAndReadingLeaveTheLogOnTheDisk) {
  Replica replica = open(2);
  Keyspace shop = replica.keyspace("shop");
  EXPECT_EQ(must(shop.to_json()), R"({"a":1,"b":2})");
  EXPECT_EQ(store->loads, 0);
  EXPECT_THAT(must(shop.changes_since(first)), ElementsAre("b"));
  must(shop.update([](auto& tx) { tx.reg("c").set(3); }));
  EXPECT_THAT(must(shop.changes_since(first)), ElementsAre("b", "c"));
  EXPECT_TRUE(must(shop.describe("a")).at(0).time.has_value());
  EXPECT_EQ(store->loads, 1);
}

TEST_F(LateLogTest, APeerThatLacksTheLastChangesGetsTheseAndNoMore) {
  Replica peer = open_replica(clock, 5);
  Keyspace theirs = peer.keyspace("shop");
  {
    Replica replica = open(2);
    Wire wire(clock, replica, peer);
    ASSERT_TRUE(wire.sync());
    must(replica.keyspace("shop").update([](auto& tx) { tx.reg("b").set(3); }));
  }
  Replica replica = open(3);
  Wire wire(clock, replica, peer);
  ASSERT_TRUE(wire.sync());
  EXPECT_EQ(must(theirs.to_json()), R"({"a":1,"b":3})");
  EXPECT_EQ(store->loads, 2) << "once for each opening";
}

TEST_F(LateLogTest, ALogThatCantBeReadRefusesWritesUntilItCan_R_DUR_3) {
  Replica replica = open(2);
  Keyspace shop = replica.keyspace("shop");
  store->broken = true;
  const auto refused = shop.update([](auto& tx) { tx.reg("c").set(3); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), (Error{Errc::storage, "the log can't be read: read error"}));
  EXPECT_EQ(code_of(shop.changes_since(first)), "storage");
  EXPECT_EQ(must(shop.to_json()), R"({"a":1,"b":2})") << "reading goes on";
  Replica peer = open_replica(clock, 5);
  static_cast<void>(peer.keyspace("shop"));
  Wire wire(clock, replica, peer);
  EXPECT_TRUE(wire.sync()) << "and so do peers";
  store->broken = false;
  must(shop.update([](auto& tx) { tx.reg("c").set(3); }));
  EXPECT_THAT(must(shop.changes_since(first)), ElementsAre("b", "c"));
}

TEST_F(LateLogTest, ADroppedKeyspaceIsntGivenItsOldLog) {
  Replica replica = open(2);
  must(replica.drop_keyspace("shop"));
  Keyspace shop = replica.keyspace("shop");
  must(shop.update([](auto& tx) { tx.reg("c").set(3); }));
  EXPECT_THAT(must(shop.changes_since({})), ElementsAre("c"));
}

// Reads fail while told to.
class FlakyStore : public MapStore {
 public:
  bool broken = false;
  Result<std::optional<std::string_view>> find(std::string_view keyspace, std::string_view leaf) override {
    if (broken) return failure(Errc::storage, "read error");
    return MapStore::find(keyspace, leaf);
  }
  Result<void> scan(std::string_view keyspace, std::string_view from,
                    absl::FunctionRef<bool(std::string_view leaf, std::string_view value)> visit) override {
    if (broken) return failure(Errc::storage, "read error");
    return MapStore::scan(keyspace, from, visit);
  }
};

TEST_F(RecordStoreTest, FailedReadsAreErrorsAndNeverEmptyAnswers) {
  const auto flaky = std::make_shared<FlakyStore>();
  disk = flaky;
  Replica replica = open(1);
  Keyspace shop = replica.keyspace("shop");
  must(shop.update([](auto& tx) {
    tx.counter("c").add(1);
    tx.set("s").insert(1);
    tx.map("m").set("f", 1);
    tx.reg("r").set(1);
  }));
  flaky->broken = true;
  EXPECT_EQ(code_of(shop.counter("c").total()), "storage");
  EXPECT_EQ(code_of(shop.set("s").contains(1)), "storage");
  EXPECT_EQ(code_of(shop.set("s").size()), "storage");
  EXPECT_EQ(code_of(shop.map("m").get("f")), "storage");
  EXPECT_EQ(code_of(shop.map("m").for_each("", [](std::string_view, const Value&) { return true; })),
            "storage");
  EXPECT_EQ(code_of(shop.reg("r").get()), "storage");
  EXPECT_EQ(code_of(shop.for_each_key("", [](std::string_view, Type) { return true; })), "storage");
  EXPECT_EQ(code_of(shop.to_json()), "storage");
  EXPECT_EQ(code_of(shop.update([](auto& tx) { tx.counter("c").add(1); })), "storage");
  flaky->broken = false;
  EXPECT_EQ(must(shop.to_json()), R"({"c":1,"m":{"f":1},"r":1,"s":[1]})");
  must(shop.update([](auto& tx) { tx.counter("c").add(1); }));
  EXPECT_EQ(must(shop.counter("c").total()), 2);
}

}  // namespace
}  // namespace syncline
