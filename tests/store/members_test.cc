// The list of members, what they are known to have, and what is collected then.
#include <filesystem>
#include <thread>

#include "tests/store/harness.h"
#include "tests/support/folder.h"

namespace syncline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// Replicas with a wire from each to the next, on one clock.
class MembersTest : public testing::Test {
 protected:
  Replica open(std::uint64_t seed, const std::string& path = {}) {
    ReplicaOptions options;
    options.path = path;
    return open_replica(clock, seed, std::move(options));
  }
  // Lets time pass and frames travel on all wires.
  void run(std::vector<Wire*> wires, std::chrono::milliseconds time = 5s) {
    for (auto passed = 0ms; passed < time; passed += 50ms) {
      clock.advance(50ms);
      for (Wire* wire : wires) wire->a().run(), wire->b().run();
      for (std::size_t again = 0; again < wires.size(); ++again)
        for (Wire* wire : wires) ASSERT_TRUE(wire->drain());
    }
  }
  static void write(Keyspace keyspace, std::string_view key) {
    ASSERT_TRUE(keyspace.update([&](Update& tx) { tx.counter(key).add(1); }));
  }
  // The keyspace that both have, of which both are members.
  static Keyspace list_both(Replica& ada, Replica& bob) {
    bob.keyspace("shop");
    EXPECT_TRUE(ada.add_member(ada.member_id()));
    EXPECT_TRUE(ada.add_member(bob.member_id()));
    return ada.keyspace("shop");
  }
  static std::vector<ActorId> incarnations(const Replica& replica, const std::string& id) {
    const auto listed = replica.members();
    for (const Member& each : *listed)
      if (each.id == id) return each.incarnations;
    return {};
  }
  static void copy(const std::string& from, const std::string& to) {
    std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing);
  }

  TestClock clock;
  Folder folder;
};

TEST_F(MembersTest, AreListedByCallAndEverybodyHears) {
  Replica ada = open(1);
  Replica bob = open(2);
  Keyspace shop = ada.keyspace("shop");
  bob.keyspace("shop");
  write(shop, "a");
  Wire wire(clock, ada, bob);
  run({&wire});
  EXPECT_THAT(*ada.members(), IsEmpty());
  EXPECT_TRUE(shop.stable_version().empty());
  ASSERT_TRUE(ada.add_member(ada.member_id(), "Ada's till"));
  ASSERT_TRUE(ada.add_member(bob.member_id(), "Bob's till"));
  run({&wire});
  const auto members = bob.members();
  ASSERT_THAT(*members, SizeIs(2));
  for (const Member& each : *members) {
    EXPECT_EQ(each.self, each.id == bob.member_id());
    EXPECT_EQ(each.label, each.self ? "Bob's till" : "Ada's till");
    EXPECT_THAT(each.incarnations, SizeIs(1));
  }
  EXPECT_EQ(shop.stable_version(), shop.version());
  EXPECT_EQ(bob.keyspace("shop").stable_version(), shop.version());
  EXPECT_TRUE(shop.wait_stable(shop.version(), 0ms));
  EXPECT_EQ(shop.stability().members, 2U);
  EXPECT_EQ(shop.stability().age, 0ms);
  ASSERT_TRUE(bob.remove_member(ada.member_id()));
  run({&wire});
  EXPECT_THAT(*ada.members(), SizeIs(1));
}

TEST_F(MembersTest, TheListIsAKeyspaceThatOnlyTheseCallsWrite) {
  Replica ada = open(1);
  ASSERT_TRUE(ada.add_member(ada.member_id()));
  EXPECT_THAT(ada.keyspaces(), IsEmpty());
  Keyspace list = ada.keyspace("syncline.members");
  EXPECT_THAT(*list.to_json(), HasSubstr(ada.member_id()));  // Anybody may look.
  const auto written = list.update([](Update& tx) { tx.counter("x").add(1); });
  EXPECT_EQ(written.error().code, Errc::invalid_argument);
  EXPECT_EQ(ada.drop_keyspace("syncline.members").error().code, Errc::invalid_argument);
}

TEST_F(MembersTest, ErrorsSayWhatToDo) {
  Replica ada = open(1);
  const Keyspace shop = ada.keyspace("shop");
  EXPECT_THAT(ada.add_member("bob").error().detail, HasSubstr("member_id()"));
  EXPECT_EQ(ada.add_member(ada.member_id(), std::string(257, 'x')).error().code, Errc::invalid_argument);
  EXPECT_THAT(ada.remove_member(ada.member_id()).error().detail, HasSubstr("members()"));
  EXPECT_THAT(shop.wait_stable({}, 1s).error().detail, HasSubstr("add_member()"));
  const std::string away(16, '7');
  ASSERT_TRUE(ada.add_member(ada.member_id()));
  ASSERT_TRUE(ada.add_member(away));
  write(shop, "a");
  const auto waited = shop.wait_stable(shop.version(), 1ms);
  EXPECT_EQ(waited.error().code, Errc::timeout);
  EXPECT_THAT(waited.error().detail, HasSubstr(away));
  EXPECT_THAT(shop.stability().waiting_for, ElementsAre(away));
  ASSERT_TRUE(ada.remove_member(away));
  EXPECT_TRUE(shop.wait_stable(shop.version(), 1ms));
}

TEST_F(MembersTest, AWaitOnOneThreadEndsWithWhatAnotherBrings) {
  Replica ada = open(1);
  Replica bob = open(2);
  const Keyspace shop = list_both(ada, bob);
  write(shop, "a");
  Result<void> waited;
  std::thread waiter([&] { waited = shop.wait_stable(shop.version(), 60s); });
  Wire wire(clock, ada, bob);
  run({&wire}, 10s);
  waiter.join();
  EXPECT_TRUE(waited) << to_string(waited.error());
}

// Sessions that serve some keyspaces only share the list all the same.
TEST_F(MembersTest, TheListIsSharedByLinksThatServeOtherKeyspacesOnly) {
  Replica ada = open(1);
  Replica bob = open(2);
  const Keyspace shop = ada.keyspace("shop");
  bob.keyspace("shop");
  Wire wire(clock, ada, bob, {.keyspaces = {"shop"}});
  run({&wire});
  ASSERT_TRUE(ada.add_member(ada.member_id()));
  ASSERT_TRUE(ada.add_member(bob.member_id()));
  write(shop, "a");
  run({&wire});
  EXPECT_EQ(shop.stable_version(), shop.version());
}

TEST_F(MembersTest, AStoreGoesOnAsTheSameMemberOnlyIfItIsProven_R_ID_1) {
  const std::string path = folder / "ada.db";
  std::string id;
  std::vector<ActorId> first;
  {
    Replica ada = open(1, path);
    id = ada.member_id();
    ASSERT_TRUE(ada.add_member(id, "Ada"));
    first = incarnations(ada, id);
  }
  copy(path, folder / "kept.db");
  {
    Replica ada = open(2, path);  // After a clean close.
    EXPECT_EQ(ada.member_id(), id);
    EXPECT_EQ(incarnations(ada, id), first);
    EXPECT_EQ(ada.keyspace("shop").stability().members, 1U);
  }
  copy(folder / "kept.db", path);  // A backup is put back: it says so by another one, without being asked.
  Replica ada = open(3, path);
  EXPECT_EQ(ada.member_id(), id);
  EXPECT_THAT(incarnations(ada, id), SizeIs(1));
  EXPECT_NE(incarnations(ada, id), first);
}

// What a member acknowledged doesn't count for the older store that was put back in its place.
TEST_F(MembersTest, ARestoredStoreDoesNotAcknowledgeForWhatItLost_R_ID_2) {
  const std::string path = folder / "bob.db";
  Replica ada = open(1);
  const Keyspace shop = ada.keyspace("shop");
  std::optional<Replica> bob = open(2, path);
  bob->keyspace("shop");
  ASSERT_TRUE(ada.add_member(ada.member_id()));
  ASSERT_TRUE(ada.add_member(bob->member_id()));
  {
    Wire wire(clock, ada, *bob);
    run({&wire});
  }
  bob.reset();
  copy(path, folder / "kept.db");
  bob = open(3, path);
  bob->keyspace("shop");
  write(shop, "a");
  {
    Wire wire(clock, ada, *bob);
    run({&wire});
  }
  EXPECT_EQ(shop.stable_version(), shop.version());
  bob.reset();
  copy(folder / "kept.db", path);
  bob = open(4, path);
  bob->keyspace("shop");
  {
    Wire wire(clock, ada, *bob);
    wire.drain();
    clock.advance(20ms);
    // As soon as Ada hears of it, she counts on nothing that the former one said.
    while (incarnations(ada, bob->member_id()) != incarnations(*bob, bob->member_id())) {
      ASSERT_TRUE(wire.sync());
      wire.drain();
    }
    run({&wire});
  }
  EXPECT_EQ(shop.stable_version(), shop.version());
  EXPECT_TRUE(bob->keyspace("shop").version().includes(shop.version()));
}

TEST_F(MembersTest, OfTwoLiveCopiesBothHaveToAcknowledge_R_ID_4) {
  const std::string path = folder / "bob.db";
  Replica ada = open(1);
  const Keyspace shop = ada.keyspace("shop");
  ASSERT_TRUE(ada.add_member(ada.member_id()));
  {
    Replica bob = open(2, path);
    bob.keyspace("shop");
    ASSERT_TRUE(ada.add_member(bob.member_id()));
    Wire wire(clock, ada, bob);
    run({&wire});
  }
  copy(path, folder / "copy.db");
  Replica bob = open(3, path);
  Replica copied = open(4, folder / "copy.db");
  EXPECT_EQ(bob.member_id(), copied.member_id());
  Wire one(clock, ada, bob);
  run({&one});
  auto two = std::make_unique<Wire>(clock, ada, copied);
  run({&one, two.get()});
  EXPECT_THAT(incarnations(ada, bob.member_id()), SizeIs(2));
  EXPECT_EQ(shop.stable_version(), shop.version());
  two.reset();
  write(shop, "a");
  run({&one});
  EXPECT_FALSE(shop.wait_stable(shop.version(), 0ms));  // The copy doesn't have it.
}

TEST_F(MembersTest, WhoDroppedAKeyspaceIsAnotherMemberFromThenOn) {
  Replica ada = open(1);
  Replica bob = open(2);
  const Keyspace shop = list_both(ada, bob);
  write(shop, "a");
  auto wire = std::make_unique<Wire>(clock, ada, bob);
  run({wire.get()});
  EXPECT_EQ(shop.stable_version(), shop.version());
  const auto before = incarnations(bob, bob.member_id());
  ASSERT_TRUE(bob.drop_keyspace("shop"));
  EXPECT_NE(incarnations(bob, bob.member_id()), before);
  wire = std::make_unique<Wire>(clock, ada, bob);
  run({wire.get()});
  EXPECT_TRUE(shop.stable_version().empty());
  bob.keyspace("shop");
  run({wire.get()});
  EXPECT_EQ(shop.stable_version(), shop.version());
}

// ---- collecting ----

std::size_t leaves(const Keyspace& keyspace, std::string_view key) { return keyspace.describe(key)->size(); }

TEST_F(MembersTest, MarkersOfAnRwSetGoOnceAllMembersHaveThem) {
  Replica ada = open(1);
  Replica bob = open(2);
  Keyspace shop = ada.keyspace("shop");
  Keyspace other = bob.keyspace("shop");
  const auto set_of = [](Update& tx) { return tx.at<RwSet<Value>>("rights"); };
  ASSERT_TRUE(shop.update([&](Update& tx) { set_of(tx).erase("carl"); }));
  ASSERT_TRUE(
      shop.update([&](Update& tx) { tx.at<OrMap>("user").at<RwSet<Value>>("rights").erase("dora"); }));
  ASSERT_TRUE(other.update([&](Update& tx) { set_of(tx).insert("carl"); }));  // At once.
  Wire wire(clock, ada, bob);
  run({&wire}, 3s);
  EXPECT_EQ(leaves(shop, "rights"), 2U);  // Nobody is a member: it stays.
  std::size_t events = 0;
  const auto watch = other.watch("", [&](const EventBatch&) { ++events; });
  ASSERT_TRUE(ada.add_member(ada.member_id()));
  ASSERT_TRUE(ada.add_member(bob.member_id()));
  run({&wire}, 10s);
  for (const Keyspace& each : {shop, other}) {
    EXPECT_EQ(leaves(each, "rights"), 0U);
    EXPECT_EQ(leaves(each, "user"), 0U);
    EXPECT_FALSE(*each.at<RwSet<Value>>("rights").contains("carl"));
  }
  EXPECT_EQ(events, 0U);  // No reader notices.
  EXPECT_EQ(shop.digests(), other.digests());
}

TEST_F(MembersTest, MarkersStayWhileAMemberIsAway) {
  Replica ada = open(1);
  Replica bob = open(2);
  Keyspace shop = ada.keyspace("shop");
  bob.keyspace("shop");
  Wire wire(clock, ada, bob);
  ASSERT_TRUE(ada.add_member(ada.member_id()));
  ASSERT_TRUE(ada.add_member(bob.member_id()));
  ASSERT_TRUE(ada.add_member(std::string(16, '7'), "on a ship"));
  ASSERT_TRUE(shop.update([&](Update& tx) { tx.at<RwSet<Value>>("rights").erase("carl"); }));
  run({&wire}, 10s);
  EXPECT_EQ(leaves(shop, "rights"), 1U);
  EXPECT_EQ(shop.collect()->leaves, 0U);
  ASSERT_TRUE(ada.remove_member(std::string(16, '7')));
  run({&wire}, 10s);
  EXPECT_EQ(leaves(shop, "rights"), 0U);
}

// The actor that erased never writes again: the first of the list cleans up after it.
TEST_F(MembersTest, MarkersOfAnActorThatIsGoneAreCollectedByTheFirstMember) {
  Replica ada = open(1);
  Replica bob = open(2);
  const Keyspace shop = ada.keyspace("shop");
  bob.keyspace("shop");
  {
    Replica gone = open(3);
    ASSERT_TRUE(
        gone.keyspace("shop").update([&](Update& tx) { tx.at<RwSet<Value>>("rights").erase("carl"); }));
    Wire wire(clock, ada, gone);
    ASSERT_TRUE(wire.sync());
  }
  Wire wire(clock, ada, bob);
  ASSERT_TRUE(ada.add_member(ada.member_id()));
  ASSERT_TRUE(ada.add_member(bob.member_id()));
  run({&wire}, 10s);
  EXPECT_EQ(leaves(shop, "rights"), 0U);
  EXPECT_EQ(leaves(bob.keyspace("shop"), "rights"), 0U);
}

TEST_F(MembersTest, ACallToCollectLooksAtSoManyLeavesAndGoesOnAfterThem) {
  ReplicaOptions options;
  options.collect_leaves = 0;  // Never by itself.
  Replica ada = open_replica(clock, 1, options);
  Keyspace shop = ada.keyspace("shop");
  ASSERT_TRUE(ada.add_member(ada.member_id()));
  ASSERT_TRUE(shop.update([&](Update& tx) {
    for (int i = 0; i < 25; ++i) tx.at<RwSet<Value>>("rights").erase(i);
  }));
  EXPECT_EQ(shop.stable_version(), shop.version());
  for (const std::size_t expected : {10U, 10U, 5U}) {
    const auto collected = shop.collect(10);
    ASSERT_TRUE(collected);
    EXPECT_EQ(collected->leaves, expected);
    EXPECT_EQ(collected->finished, expected == 5);
  }
  EXPECT_EQ(leaves(shop, "rights"), 0U);
}

// Two that collect the same at once harm nobody; an insert that has seen the erasure survives both.
TEST_F(MembersTest, CollectionsBesideEachOtherAndBesideInsertsConverge) {
  ReplicaOptions options;
  options.collect_leaves = 0;
  Replica ada = open_replica(clock, 1, options);
  Replica bob = open_replica(clock, 2, options);
  Keyspace shop = ada.keyspace("shop");
  Keyspace other = bob.keyspace("shop");
  ASSERT_TRUE(ada.add_member(ada.member_id()));
  ASSERT_TRUE(ada.add_member(bob.member_id()));
  for (const Keyspace& each : {shop, other})
    ASSERT_TRUE(Keyspace(each).update([&](Update& tx) {
      for (const char* name : {"carl", "dora"}) tx.at<RwSet<Value>>("rights").erase(name);
    }));
  auto wire = std::make_unique<Wire>(clock, ada, bob);
  run({wire.get()});
  ASSERT_EQ(shop.stable_version(), shop.version());
  wire.reset();
  ASSERT_TRUE(shop.collect() && shop.collect() && other.collect() && other.collect());
  ASSERT_TRUE(other.update([&](Update& tx) { tx.at<RwSet<Value>>("rights").insert("dora"); }));
  wire = std::make_unique<Wire>(clock, ada, bob);
  run({wire.get()});
  EXPECT_EQ(shop.digests(), other.digests());
  EXPECT_FALSE(*shop.at<RwSet<Value>>("rights").contains("carl"));
  EXPECT_TRUE(*shop.at<RwSet<Value>>("rights").contains("dora"));
}

}  // namespace
}  // namespace syncline
