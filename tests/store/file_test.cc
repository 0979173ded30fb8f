// A replica in a file: what it keeps over a reopening, who may open it, and
// under which actor it goes on.
#include <filesystem>
#include <fstream>
#include <future>

#include "tests/store/harness.h"
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
  bytes[63] = 2;  // The last byte of user_version.
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

TEST_F(FileTest, WithoutItsSideFileAStoreProvesNothing_R_ID_1) {
  const ActorId first = write(path, 1);
  std::filesystem::remove(path + "-id");
  EXPECT_NE(write(path, 2), first);
}

// ---- gathered commits ----

TEST_F(FileTest, WithAWindowUpdatesReturnAtOnceAndFlushTells_R_DUR_2) {
  Replica replica = open(path, {.commit_window = 1h});
  Keyspace shop = replica.keyspace("shop");
  std::vector<std::string> seen;
  const auto sub = shop.watch("", [&](const Event& event) { seen.push_back(event.key); });
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
  const auto sub = shop.watch("", [&](const Event&) { heard.set_value(); });
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
  auto sub = std::make_unique<Subscription>(shop.watch("", [&](const Event&) {
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

}  // namespace
}  // namespace syncline
