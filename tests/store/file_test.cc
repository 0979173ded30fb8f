// A replica in a file: what it keeps over a reopening, who may open it, and
// under which actor it goes on.
#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "store/side_file.h"
#include "tests/store/harness.h"
#include "tests/store/sample_store.h"
#include "tests/support/folder.h"

namespace syncline {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FileTest : public ::testing::Test {
 protected:
  Replica open(const std::string& at, ReplicaOptions options = {}) {
    options.path = at;
    return open_replica(clock, ++seed, std::move(options));
  }
  // Opens, writes `value` and closes again. The actor it was written under.
  ActorId write(const std::string& at, std::int64_t value) {
    Replica replica = open(at);
    Keyspace shop = replica.keyspace("shop");
    must(shop.update([&](auto& tx) { tx.set("s").insert(value); }));
    return shop.actor().value_or(ActorId{});
  }
  std::vector<Value> elements(Replica& replica) { return must(replica.keyspace("shop").set("s").elements()); }
  void copy(const std::string& from, const std::string& to) {
    std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing);
  }

  std::string read(const std::string& at) {
    std::ifstream file(at, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  Folder folder;
  std::string path = folder / "shop.db";
  TestClock clock;
  std::uint64_t seed = 0;
};

TEST_F(FileTest, WhatWasWrittenIsThereAfterReopening_R_DUR_1) {
  std::string before;
  DigestPair digests;
  {
    Replica replica = open(path);
    Keyspace shop = replica.keyspace("shop");
    const Version written = must(shop.update([](auto& tx) {
      tx.counter("c").add(3);
      tx.set("s").insert("a");
      tx.set("s").insert("b");
      tx.map("m").set("f", std::string(20'000, 'x'));
    }));
    EXPECT_TRUE(shop.durable(written));
    must(shop.update([](auto& tx) { tx.set("s").erase("a"); }));
    must(replica.keyspace("diary").update([](auto& tx) { tx.reg("r").set(1); }));
    must(replica.drop_keyspace("diary"));
    before = must(shop.to_json());
    digests = shop.digests();
  }
  Replica replica = open(path);
  EXPECT_THAT(replica.keyspaces(), ElementsAre("shop"));
  Keyspace shop = replica.keyspace("shop");
  EXPECT_EQ(must(shop.to_json()), before);
  EXPECT_EQ(shop.digests(), digests);
  must(shop.update([](auto& tx) { tx.counter("c").add(1); }));
  EXPECT_EQ(must(shop.counter("c").total()), 4);
}

TEST_F(FileTest, ATokenCountsOnceOverReopenings_R_CRDT_9) {
  const auto order = [&](const std::string& keyspace, const std::string& token, std::int64_t by) {
    Replica replica = open(path);
    Keyspace orders = replica.keyspace(keyspace);
    must(orders.update(token, [by](auto& tx) { tx.counter("n").add(by); }));
    return must(orders.counter("n").total());
  };
  EXPECT_EQ(order("shop", "order-1", 1), 1);
  EXPECT_EQ(order("shop", "order-1", 1), 1);
  EXPECT_EQ(order("shop", "order-2", 1), 2);
  EXPECT_EQ(order("shop", "order-1", 1), 2);
  EXPECT_EQ(order("diary", "order-1", 1), 1) << "A token belongs to its keyspace.";
  EXPECT_EQ(order("shop", "nothing", 0), 2) << "An update that writes nothing has happened, too.";
  EXPECT_EQ(order("shop", "nothing", 1), 2);
  must(open(path).drop_keyspace("shop"));
  EXPECT_EQ(order("shop", "order-1", 1), 1) << "Dropped, and all it was.";
  EXPECT_EQ(order("diary", "order-1", 1), 1);
}

TEST_F(FileTest, TheOldestTokensGoFirst_R_CRDT_9) {
  const auto count = [](Keyspace& shop, std::size_t token) {
    must(shop.update(std::to_string(token), [](auto& tx) { tx.counter("n").add(1); }));
  };
  {
    Replica replica = open(path, {.commit_window = std::chrono::hours(1)});
    Keyspace shop = replica.keyspace("shop");
    for (std::size_t i = 0; i <= Keyspace::tokens_max; ++i) count(shop, i);
  }
  Replica replica = open(path);
  Keyspace shop = replica.keyspace("shop");
  const auto all = static_cast<std::int64_t>(Keyspace::tokens_max) + 1;
  count(shop, Keyspace::tokens_max);
  count(shop, 1);
  EXPECT_EQ(must(shop.counter("n").total()), all);
  count(shop, 0);
  EXPECT_EQ(must(shop.counter("n").total()), all + 1) << "Forgotten since.";
}

TEST_F(FileTest, AStoreInMemoryIsGoneWithItsReplica) {
  write(":memory:", 1);
  Replica replica = open(":memory:");
  EXPECT_THAT(elements(replica), IsEmpty());
}

TEST_F(FileTest, AKeyspaceDroppedAndMadeAnewInOneCommitIsNew) {
  Replica replica = open(path, {.commit_window = 1h});
  Keyspace shop = replica.keyspace("shop");
  must(shop.update([](auto& tx) { tx.set("s").insert(1); }));
  must(shop.flush());
  must(replica.drop_keyspace("shop"));
  must(replica.keyspace("shop").update([](auto& tx) { tx.set("s").insert(2); }));
  must(shop.flush());
  EXPECT_THAT(elements(replica), ElementsAre(Value(2)));
  replica = open_replica(clock, 77);
  replica = open(path);
  EXPECT_THAT(elements(replica), ElementsAre(Value(2)));
}

TEST_F(FileTest, TheClusterIsKept) {
  must(open(path).bind_cluster("corner-shop"));
  EXPECT_EQ(code_of(open(path).bind_cluster("main-street")), "wrong_cluster");
  must(open(path).bind_cluster("corner-shop"));
}

TEST_F(FileTest, TheSecondOpenerLearnsWhoHolds_R_DUR_7) {
  Replica replica = open(path);
  const auto second = Replica::open({.path = path});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::storage);
  EXPECT_THAT(second.error().detail,
              AllOf(HasSubstr("shop.db is in use: open by process "), HasSubstr(" on ")));
  must(replica.keyspace("shop").update([](auto& tx) { tx.reg("r").set(1); }));
}

TEST_F(FileTest, OtherFilesAreRefusedAndLeftAsTheyWere_R_UPG_2) {
  std::ofstream(path) << "a letter to grandmother, and no store at all";
  const auto opened = Replica::open({.path = path});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::damaged);
  std::ifstream file(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}),
            "a letter to grandmother, and no store at all");
  const std::string newer = folder / "newer.db";
  must(open(newer).bind_cluster("corner-shop"));
  std::string bytes = read(newer);
  bytes[63] = 9;  // The last byte of user_version. Several bits differ: one would be put right.
  std::ofstream(newer, std::ios::binary) << bytes;
  EXPECT_EQ(code_of(Replica::open({.path = newer})), "unsupported");
  EXPECT_EQ(read(newer), bytes);
  EXPECT_EQ(code_of(Replica::open({.path = folder / "no/such/folder.db"})), "storage");
  EXPECT_EQ(code_of(Replica::open({.path = path, .store = std::make_shared<MapStore>()})),
            "invalid_argument");
}

// ---- the actor ----

TEST_F(FileTest, AfterACleanCloseTheActorGoesOn_R_ID_1) {
  const ActorId first = write(path, 1);
  EXPECT_EQ(write(path, 2), first);
  EXPECT_EQ(write(path, 3), first);
  Replica replica = open(path);
  EXPECT_EQ(replica.keyspace("shop").actor(), first);
  EXPECT_EQ(replica.keyspace("shop").version().counter(first), 3U);
  EXPECT_EQ(elements(replica).size(), 3U);
}

TEST_F(FileTest, ACopyPutBackWritesUnderAFreshActor_R_ID_2) {
  const ActorId first = write(path, 1);
  const std::string kept = folder / "kept.db";
  copy(path, kept);
  EXPECT_EQ(write(path, 2), first);
  copy(kept, path);
  EXPECT_NE(write(path, 3), first) << "dot 2 of the first actor is somebody's already";
}

TEST_F(FileTest, ACopyPutBackWithItsSideFileDoesToo_R_ID_2) {
  const ActorId first = write(path, 1);
  copy(path, folder / "kept.db");
  copy(path + "-id", folder / "kept.db-id");
  EXPECT_EQ(write(path, 2), first);
  copy(folder / "kept.db", path);
  copy(folder / "kept.db-id", path + "-id");
  EXPECT_NE(write(path, 3), first);
}

// The opening that can't prove anything writes nothing and closes in order: what it couldn't prove
// isn't proven by that.
TEST_F(FileTest, AnActorThatWasNotProvenOnceIsNeverTakenUpAgain_R_ID_2) {
  const ActorId first = write(path, 1);
  copy(path, folder / "kept.db");
  EXPECT_EQ(write(path, 2), first);
  copy(folder / "kept.db", path);
  { const Replica idle = open(path); }
  EXPECT_NE(write(path, 3), first) << "dot 2 of the first actor is somebody's already";
}

TEST_F(FileTest, ACopyElsewhereWritesUnderAFreshActorAndTheOriginalGoesOn_R_ID_1) {
  const ActorId first = write(path, 1);
  copy(path, folder / "copy.db");
  copy(path + "-id", folder / "copy.db-id");
  EXPECT_NE(write(folder / "copy.db", 2), first);
  EXPECT_EQ(write(path, 2), first);
}

TEST_F(FileTest, AStoreThatWasOpenedMeanwhileProvesNothing_R_ID_1) {
  const ActorId first = write(path, 1);
  copy(path, folder / "kept.db");
  {
    Replica replica = open(path);  // Was to be written, and the process was killed:
    copy(path + "-id", folder / "held");
  }
  copy(folder / "kept.db", path);
  copy(folder / "held", path + "-id");
  EXPECT_NE(write(path, 2), first);
}

// A container often has no machine id; its kernel's boot id is there all the same.
TEST_F(FileTest, AMachineWithoutAnIdProvesItByItsStart_R_ID_1) {
  const std::string nowhere = path + "-nowhere";
  const SideFile file(path + "-id", nowhere.c_str());
  ASSERT_TRUE(file.write("closed"));
  const auto seal = file.seal();
  ASSERT_TRUE(seal.has_value());
  EXPECT_EQ(file.seal(), seal);
  const std::string elsewhere = path + "-machine";
  ASSERT_TRUE(SideFile(elsewhere).write("another machine"));
  EXPECT_NE(SideFile(path + "-id", elsewhere.c_str()).seal(), seal);
  ASSERT_TRUE(file.write("closed"));  // Another file, though it says the same.
  EXPECT_NE(file.seal(), seal);
}

TEST_F(FileTest, WithoutItsSideFileAStoreProvesNothing_R_ID_1) {
  const ActorId first = write(path, 1);
  std::filesystem::remove(path + "-id");
  EXPECT_NE(write(path, 2), first);
}

TEST_F(FileTest, TwoLiveCopiesLearnOfEachOtherAndConverge_R_ID_4) {
  write(path, 1);
  copy(path, folder / "copy.db");
  std::vector<std::string> said;
  ReplicaOptions options;
  options.log = [&](LogLevel level, std::string_view line, const auto&) {
    if (level == LogLevel::error) said.emplace_back(line);
  };
  Replica one = open(path, options);
  Replica two = open(folder / "copy.db", options);
  must(one.keyspace("shop").update([](auto& tx) { tx.set("s").insert(2); }));
  must(two.keyspace("shop").update([](auto& tx) { tx.set("s").insert(3); }));
  EXPECT_NE(one.keyspace("shop").actor(), two.keyspace("shop").actor());
  Wire wire(clock, one, two);
  ASSERT_TRUE(wire.sync());
  EXPECT_THAT(said,
              ElementsAre("a peer runs a copy of this very store", "a peer runs a copy of this very store"));
  EXPECT_EQ(elements(one).size(), 3U);
  EXPECT_EQ(one.keyspace("shop").digests(), two.keyspace("shop").digests());

  said.clear();
  Replica other = open(folder / "other.db", options);
  other.keyspace("shop");
  Wire usual(clock, one, other);
  ASSERT_TRUE(usual.sync());
  EXPECT_THAT(said, IsEmpty());
}

// ---- copies ----

TEST_F(FileTest, ABackupIsAReplicaOfItsOwn_R_DUR_8) {
  write(path, 1);
  Replica replica = open(path);
  must(replica.bind_cluster("corner-shop"));
  must(replica.keyspace("shop").update([](auto& tx) { tx.set("s").insert(2); }));
  must(replica.backup(folder / "backup.db"));
  EXPECT_EQ(code_of(replica.backup(folder / "backup.db")), "invalid_argument") << "it overwrites nothing";
  EXPECT_EQ(code_of(open_replica(clock, 90).backup(folder / "none.db")), "unsupported");
  EXPECT_FALSE(std::filesystem::exists(folder / "backup.db.part"));
  EXPECT_FALSE(std::filesystem::exists(folder / "backup.db-wal"));

  std::vector<std::string> said;
  ReplicaOptions options;
  options.log = [&](LogLevel, std::string_view line, const auto&) { said.emplace_back(line); };
  Replica copied = open(folder / "backup.db", options);
  EXPECT_EQ(copied.keyspace("shop").actor(), std::nullopt);
  EXPECT_EQ(copied.keyspace("shop").digests(), replica.keyspace("shop").digests());
  EXPECT_EQ(code_of(copied.bind_cluster("main-street")), "wrong_cluster");
  must(copied.keyspace("shop").update([](auto& tx) { tx.set("s").insert(3); }));
  Wire wire(clock, replica, copied, {.cluster = "corner-shop"});
  ASSERT_TRUE(wire.sync());
  EXPECT_THAT(said, IsEmpty()) << "to its peers it is a replica like others";
  EXPECT_EQ(elements(replica).size(), 3U);
}

TEST_F(FileTest, ABackupThatIsRestoredLosesNothingThatPeersSaw_R_ID_2) {
  Replica peer = open_replica(clock, 90);
  peer.keyspace("shop");
  {
    Replica replica = open(path);
    must(replica.keyspace("shop").update([](auto& tx) { tx.set("s").insert(1); }));
    must(replica.backup(folder / "backup.db"));
    must(replica.keyspace("shop").update([](auto& tx) { tx.set("s").insert(2); }));
    Wire wire(clock, replica, peer);
    ASSERT_TRUE(wire.sync());
  }
  copy(folder / "backup.db", path);
  Replica replica = open(path);
  must(replica.keyspace("shop").update([](auto& tx) { tx.set("s").insert(3); }));
  Wire wire(clock, replica, peer);
  ASSERT_TRUE(wire.sync());
  EXPECT_EQ(elements(replica).size(), 3U);
  EXPECT_EQ(elements(peer).size(), 3U);
  EXPECT_THAT(replica.notices(), IsEmpty());
}

// What was spent after the backup was taken must not be spent again by who puts it back.
TEST_F(FileTest, ABackupThatIsRestoredHoldsNoRightsOfABoundedCounter_R_ID_2) {
  Replica peer = open_replica(clock, 90);
  peer.keyspace("shop");
  std::optional<ActorId> old;
  {
    Replica replica = open(path);
    Keyspace shop = replica.keyspace("shop");
    must(shop.update([](auto& tx) { tx.template at<BoundedCounter>("stock").add(5); }));
    must(replica.backup(folder / "backup.db"));
    must(shop.update([](auto& tx) { tx.template at<BoundedCounter>("stock").spend(4); }));
    old = shop.actor();
    Wire wire(clock, replica, peer);
    ASSERT_TRUE(wire.sync());
  }
  copy(folder / "backup.db", path);
  Replica replica = open(path);
  Keyspace shop = replica.keyspace("shop");
  const auto spend = [&shop] {
    return shop.update([](auto& tx) { tx.template at<BoundedCounter>("stock").spend(1); });
  };
  const auto stock = shop.at<BoundedCounter>("stock");
  EXPECT_EQ(must(stock.total()), 5) << "it hasn't heard of the four";
  EXPECT_EQ(code_of(spend()), "no_rights");
  Wire wire(clock, replica, peer);
  ASSERT_TRUE(wire.sync());
  EXPECT_EQ(must(stock.total()), 1);
  EXPECT_EQ(code_of(spend()), "no_rights");
  EXPECT_THAT(must(stock.holdings()), ElementsAre(Holding{*old, 1})) << "stranded, and shown";
  must(shop.update([&](auto& tx) { tx.template at<BoundedCounter>("stock").take_over(*old); }));
  must(spend());
  EXPECT_EQ(code_of(spend()), "no_rights");
  EXPECT_EQ(must(stock.total()), 0);
}

TEST_F(FileTest, ABackupIsOneMomentThoughWritingGoesOn_R_DUR_8) {
  Replica replica = open(path);
  Keyspace shop = replica.keyspace("shop");
  must(shop.update([&](auto& tx) {
    for (int i = 0; i < 400; ++i) tx.map("m").set(std::to_string(i), std::string(10'000, 'x'));
  }));
  std::atomic<bool> done = false;
  std::promise<void> writes;
  std::thread writer([&] {
    for (int i = 0; !done; ++i) {
      must(shop.update([&](auto& tx) {
        tx.map("m").set("0", i);
        tx.map("m").set("399", i);
      }));
      if (i == 0) writes.set_value();
    }
  });
  writes.get_future().wait();
  must(replica.backup(folder / "backup.db"));
  done = true;
  writer.join();
  Replica copied = open(folder / "backup.db");
  const auto entries = copied.keyspace("shop").map("m");
  EXPECT_EQ(must(entries.size()), 400U);
  EXPECT_EQ(must(entries.get("0")), must(entries.get("399"))) << "half of an update";
}

// The disk is gone: whoever opens an empty place joins as new.
TEST_F(FileTest, AReplicaThatLostItsDiskJoinsAsNew_R_DUR_9) {
  Replica peer = open_replica(clock, 90);
  peer.keyspace("shop");
  ActorId first;
  {
    Replica replica = open(path);
    must(replica.keyspace("shop").update([](auto& tx) { tx.set("s").insert(1); }));
    first = replica.keyspace("shop").actor().value_or(ActorId{});
    Wire wire(clock, replica, peer);
    ASSERT_TRUE(wire.sync());
  }
  for (const char* end : {"", "-id"}) std::filesystem::remove(path + end);
  Replica replica = open(path);
  replica.keyspace("shop");
  Wire wire(clock, replica, peer);
  must(peer.keyspace("shop").update([](auto& tx) { tx.set("s").insert(2); }));
  ASSERT_TRUE(wire.sync());
  EXPECT_EQ(elements(replica).size(), 2U);
  must(replica.keyspace("shop").update([](auto& tx) { tx.set("s").insert(3); }));
  EXPECT_NE(replica.keyspace("shop").actor(), first);
  ASSERT_TRUE(wire.sync());
  EXPECT_EQ(elements(peer).size(), 3U);
}

// ---- stores of earlier releases ----

TEST_F(FileTest, StoresOfEachFormatOpenAndGoOn_R_UPG_1) {
  std::size_t stores = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SYNCLINE_SOURCE_DIR "/tests/store/golden")) {
    SCOPED_TRACE(entry.path().filename());
    ++stores;
    copy(entry.path(), path);
    Replica twin = open_replica(clock, 1'000);
    must(fill_sample(twin));
    Replica replica = open(path);
    EXPECT_THAT(replica.keyspaces(), ElementsAre("diary", "shop"));
    Keyspace shop = replica.keyspace("shop");
    EXPECT_EQ(must(shop.to_json()), must(twin.keyspace("shop").to_json()));
    EXPECT_EQ(shop.digests(), twin.keyspace("shop").digests());
    EXPECT_EQ(replica.keyspace("diary").digests(), twin.keyspace("diary").digests());
    EXPECT_EQ(code_of(replica.bind_cluster("main-street")), "wrong_cluster");
    must(shop.update("a request", [](auto& tx) { tx.counter("stock/apples").add(-2); }));
    EXPECT_EQ(must(shop.counter("stock/apples").total()), 10) << "done already";
    must(shop.update([](auto& tx) { tx.counter("stock/apples").add(1); }));
    Wire wire(clock, replica, twin, {.cluster = "corner-shop"});
    ASSERT_TRUE(wire.sync());
    EXPECT_EQ(must(twin.keyspace("shop").counter("stock/apples").total()), 11);
  }
  EXPECT_GE(stores, 1U);
}

// ---- memory ----

TEST_F(FileTest, TheLogsOfAllKeyspacesTogetherKeepToTheirShareOfMemory) {
  ReplicaOptions options{.memory_bytes = 1 << 20};
  const auto fill = [&](Replica& replica, int keyspaces) {
    for (int i = 0; i < keyspaces; ++i) {
      Keyspace one = replica.keyspace("k" + std::to_string(i % 4));
      must(one.update([&](auto& tx) { tx.map("m").set(std::to_string(i), std::string(20'000, 'x')); }));
    }
  };
  {
    Replica replica = open(path);
    fill(replica, 40);
    EXPECT_EQ(replica.metrics().log_cut, 0U);
  }
  Replica replica = open(path, options);
  EXPECT_EQ(replica.metrics().log_cut, 0U) << "it is still on the disk";
  must(replica.keyspace("k0").describe("m"));
  EXPECT_EQ(replica.metrics().log_cut, 27U) << "a quarter of a mebibyte has room for thirteen";
  fill(replica, 40);
  EXPECT_EQ(replica.metrics().log_cut, 67U);
}

// ---- gathered commits ----

TEST_F(FileTest, WithAWindowUpdatesReturnAtOnceAndFlushTells_R_DUR_2) {
  Replica replica = open(path, {.commit_window = 1h});
  Keyspace shop = replica.keyspace("shop");
  std::vector<std::string> seen;
  const auto sub = shop.watch("", [&](const EventBatch& batch) { seen.push_back(batch.events.front().key); });
  const Version written = must(shop.update([](auto& tx) { tx.reg("r").set(1); }));
  EXPECT_EQ(must(shop.reg("r").get()), Value(1)) << "own reads see it";
  EXPECT_FALSE(shop.durable(written));
  EXPECT_THAT(seen, IsEmpty()) << "watchers hear of what is on disk";
  must(shop.flush());
  EXPECT_TRUE(shop.durable(written));
  EXPECT_THAT(seen, ElementsAre("r"));
}

TEST_F(FileTest, WhatIsGatheredIsCommittedInTime) {
  Replica replica = open(path, {.commit_window = 1ms});
  Keyspace shop = replica.keyspace("shop");
  std::promise<void> heard;
  const auto sub = shop.watch("", [&](const EventBatch&) { heard.set_value(); });
  const Version written = must(shop.update([](auto& tx) { tx.reg("r").set(1); }));
  ASSERT_EQ(heard.get_future().wait_for(60s), std::future_status::ready);
  EXPECT_TRUE(shop.durable(written));
}

TEST_F(FileTest, MuchThatIsGatheredIsCommittedBeforeItsTime) {
  Replica replica = open(path, {.commit_window = 1h});
  Keyspace shop = replica.keyspace("shop");
  const Version first = must(shop.update([](auto& tx) { tx.reg("r").set(1); }));
  EXPECT_FALSE(shop.durable(first));
  for (int i = 0; i < 100; ++i)
    must(shop.update([&](auto& tx) { tx.map("m").set(std::to_string(i), std::string(60'000, 'x')); }));
  EXPECT_TRUE(shop.durable(first));
}

TEST_F(FileTest, ClosingCommitsWhatWasGathered) {
  {
    Replica replica = open(path, {.commit_window = 1h});
    must(replica.keyspace("shop").update([](auto& tx) { tx.set("s").insert(1); }));
  }
  Replica replica = open(path);
  EXPECT_THAT(elements(replica), ElementsAre(Value(1)));
}

TEST_F(FileTest, AWatcherOnTheCommittingThreadMayDestroyTheReplica) {
  auto replica = std::make_unique<Replica>(open(path, {.commit_window = 1ms}));
  Keyspace shop = replica->keyspace("shop");
  std::promise<void> gone;
  auto sub = std::make_unique<Subscription>(shop.watch("", [&](const EventBatch&) {
    replica.reset();
    gone.set_value();
  }));
  must(shop.update([](auto& tx) { tx.set("s").insert(1); }));
  ASSERT_EQ(gone.get_future().wait_for(60s), std::future_status::ready);
  EXPECT_EQ(code_of(shop.flush()), "closed");
  Replica again = open(path);
  EXPECT_THAT(elements(again), ElementsAre(Value(1)));
}

TEST_F(FileTest, AGroupThatFailsIsUndoneWholeAndFlushTells_R_DUR_2) {
  const auto disk = std::make_shared<MapStore>();
  Replica replica = open_replica(clock, 1, {.store = disk, .commit_window = 1h});
  Keyspace shop = replica.keyspace("shop");
  must(shop.update([](auto& tx) { tx.reg("r").set(1); }));
  must(shop.flush());
  const Version lost = must(shop.update([](auto& tx) { tx.reg("r").set(2); }));
  must(shop.update([](auto& tx) { tx.reg("q").set(2); }));
  disk->fail_next(1);
  EXPECT_EQ(code_of(replica.keyspace("other").flush()), "storage");
  EXPECT_EQ(must(shop.to_json()), R"({"r":1})");
  EXPECT_EQ(code_of(shop.flush()), "storage") << "told once to each keyspace";
  must(shop.flush());
  EXPECT_FALSE(shop.durable(lost));
  must(shop.update([](auto& tx) { tx.reg("r").set(3); }));
  must(shop.flush());
  EXPECT_FALSE(shop.durable(lost)) << "its token never covers another change";
}

// A fresh replica takes in a whole state leaf by leaf, over reopenings; meanwhile it can't be used.
TEST_F(FileTest, AJoiningReplicaRefusesUntilAllIsThereAndGoesOnAfterReopening) {
  Replica ada = open_replica(clock, 100);
  Keyspace adas = ada.keyspace("shop");
  must(adas.update([](auto& tx) {
    for (int i = 0; i < 40; ++i) tx.set("s").insert(i);
  }));
  int openings = 0;
  std::uint64_t leaves = 0;
  for (bool joined = false; !joined && openings < 100; ++openings) {
    Replica bob = open(path, {.engine = {.join_in_place = true}});
    Keyspace bobs = bob.keyspace("shop");
    EXPECT_EQ(bobs.joining().has_value(), openings > 0);
    auto from = ada.connect({.chunk_bytes = 30}, nullptr);
    auto to = bob.connect({.chunk_bytes = 30}, nullptr);
    for (bool moved = true; moved && !joined && to->metrics().leaves_in < 5;) {
      const auto down = from->send();
      if (down) must(to->receive(*down));
      const auto up = to->send();
      if (up) must(from->receive(*up));
      moved = down || up;
      joined = bobs.wait_joined(0ms).has_value();
    }
    leaves += to->metrics().leaves_in;
    if (joined) continue;
    EXPECT_EQ(code_of(bobs.set("s").size()), "joining");
    EXPECT_EQ(code_of(bobs.update([](auto& tx) { tx.set("s").insert(99); })), "joining");
    EXPECT_EQ(code_of(bobs.to_json()), "joining");
    EXPECT_EQ(code_of(bobs.changes_since({})), "joining");
    EXPECT_EQ(code_of(bobs.wait_joined(0ms)), "timeout");
    EXPECT_TRUE(bobs.version().empty());
    EXPECT_EQ(must(bobs.joining() ? Result<std::uint64_t>(bobs.joining()->leaves) : 0), leaves);
  }
  EXPECT_GT(openings, 5);
  EXPECT_EQ(leaves, 40U);
  Replica bob = open(path);
  Keyspace bobs = bob.keyspace("shop");
  EXPECT_FALSE(bobs.joining());
  EXPECT_EQ(must(bobs.to_json()), must(adas.to_json()));
  EXPECT_EQ(bobs.digests(), adas.digests());
  must(bobs.update([](auto& tx) { tx.set("s").insert(99); }));
}

}  // namespace
}  // namespace syncline
