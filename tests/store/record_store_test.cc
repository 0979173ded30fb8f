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
  const auto sub = shop.watch("", [&](const Event& event) { seen.push_back(event.key); });
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
  const auto sub = shop.watch("", [&](const Event&) { heard = shop.durable(written); });
  Wire wire(clock, replica, other);
  ASSERT_TRUE(wire.sync());
  EXPECT_TRUE(heard);
  EXPECT_EQ(theirs.pending(), 0U);
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
