#include <atomic>
#include <future>
#include <thread>

#include "tests/store/harness.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LinkTest : public TwoReplicas {};

TEST_F(LinkTest, ReplicasThatWroteOfflineConverge) {
  must(adas.update([](auto& tx) {
    tx.counter("stock").add(10);
    tx.set("cart").insert("apples");
    tx.map("customer").set("name", "Ada");
  }));
  must(bobs.update([](auto& tx) {
    tx.counter("stock").add(-3);
    tx.set("cart").insert("pears");
    tx.map("customer").set("city", "Graz");
  }));
  Wire wire(clock, ada, bob);
  EXPECT_FALSE(wire.a().established());
  ASSERT_TRUE(wire.sync());
  EXPECT_TRUE(wire.a().established());
  EXPECT_EQ(must(adas.to_json()),
            R"({"cart":["apples","pears"],"customer":{"city":"Graz","name":"Ada"},"stock":7})");
  EXPECT_EQ(must(bobs.to_json()), must(adas.to_json()));
  EXPECT_EQ(adas.digests(), bobs.digests());
  EXPECT_EQ(adas.version(), bobs.version());
  EXPECT_EQ(ada.metrics().divergence_detected, 0U);
}

TEST_F(LinkTest, WritesOnALivingLinkArriveByPush) {
  Wire wire(clock, ada, bob);
  ASSERT_TRUE(wire.sync());
  const Version written = must(adas.update([](auto& tx) { tx.set("s").insert(1); }));
  ASSERT_TRUE(wire.drain());
  must(bobs.wait_for(written, 0ms));
  EXPECT_TRUE(must(bobs.set("s").contains(1)));
  EXPECT_THAT(must(bobs.changes_since({})), ElementsAre("s"));
}

// I6, looked at after each single frame.
TEST_F(LinkTest, InSyncIsOnlySaidOfEqualDigests_R_AE_2) {
  auto a = ada.connect({}, nullptr);
  auto b = bob.connect({}, nullptr);
  must(adas.update([](auto& tx) { tx.set("s").insert(1); }));
  must(bobs.update([](auto& tx) { tx.set("s").insert(2); }));
  std::size_t said = 0;
  const auto look = [&] {
    for (const Replica::Link* link : {a.get(), b.get()}) {
      if (!link->in_sync()) continue;
      ++said;
      EXPECT_EQ(adas.digests(), bobs.digests());
    }
  };
  const auto carry_one = [&](Replica::Link& from, Replica::Link& to) {
    const auto frame = from.send();
    look();
    if (!frame) return false;
    must(to.receive(*frame));
    look();
    return true;
  };
  for (int round = 0; round < 500; ++round) {
    while (carry_one(*a, *b) || carry_one(*b, *a)) {
    }
    clock.advance(10ms);
    a->run();
    b->run();
  }
  EXPECT_GT(said, 0U);
  EXPECT_TRUE(a->in_sync());
  must(adas.update([](auto& tx) { tx.set("s").insert(3); }));
  EXPECT_FALSE(a->in_sync()) << "no peer has said anything of this change";
}

TEST_F(LinkTest, BytesMayComeInAnyPieces) {
  auto a = ada.connect({}, nullptr);
  auto b = bob.connect({}, nullptr);
  must(adas.update([](auto& tx) { tx.set("s").insert(std::string(1'000, 'x')); }));
  std::string to_a;
  std::string to_b;
  for (int round = 0; round < 500 && !(a->in_sync() && b->in_sync()); ++round) {
    while (auto frame = a->send()) to_b += *frame;
    while (auto frame = b->send()) to_a += *frame;
    for (const char c : std::exchange(to_b, {})) must(b->receive({&c, 1}));
    must(a->receive(std::exchange(to_a, {})));
    clock.advance(10ms);
    a->run();
    b->run();
  }
  EXPECT_EQ(must(bobs.set("s").size()), 1U);
  EXPECT_EQ(adas.digests(), bobs.digests());
}

TEST_F(LinkTest, PendingShrinksAsPeersAcknowledgeAndStaysSoAfterTheLink) {
  must(adas.update([](auto& tx) {
    tx.set("s").insert(1);
    tx.set("s").insert(2);
  }));
  EXPECT_EQ(adas.pending(), 2U);
  {
    Wire wire(clock, ada, bob);
    ASSERT_TRUE(wire.sync());
    EXPECT_EQ(adas.pending(), 0U);
    EXPECT_EQ(bobs.pending(), 0U);
    EXPECT_TRUE(wire.a().peer_version("shop").includes(adas.version()));
  }
  EXPECT_EQ(adas.pending(), 0U);
  must(adas.update([](auto& tx) { tx.set("s").insert(3); }));
  EXPECT_EQ(adas.pending(), 1U);
}

TEST_F(LinkTest, SeveralKeyspacesTravelAndOthersStay) {
  Keyspace only_hers = ada.keyspace("diary");
  must(only_hers.update([](auto& tx) { tx.reg("day").set("fine"); }));
  Keyspace served = ada.keyspace("served");
  must(served.update([](auto& tx) { tx.reg("x").set(1); }));
  must(adas.update([](auto& tx) { tx.reg("y").set(1); }));
  Keyspace his = bob.keyspace("served");
  SessionOptions options;
  options.keyspaces = {"served"};
  Wire wire(clock, ada, bob, options);
  ASSERT_TRUE(wire.sync());
  EXPECT_EQ(must(his.reg("x").get()), Value(1));
  EXPECT_TRUE(bobs.version().empty());
  EXPECT_THAT(bob.keyspaces(), ElementsAre("served", "shop"));
}

TEST_F(LinkTest, AKeyspaceOpenedLaterJoinsALivingLink) {
  Wire wire(clock, ada, bob);
  ASSERT_TRUE(wire.sync());
  must(ada.keyspace("late").update([](auto& tx) { tx.reg("r").set(1); }));
  Keyspace his = bob.keyspace("late");
  ASSERT_TRUE(wire.sync());
  EXPECT_EQ(must(his.reg("r").get()), Value(1));
}

TEST_F(LinkTest, WakesAreCalledOnceUntilSendYieldedNothing) {
  int woken = 0;
  auto link = ada.connect({}, [&woken] { ++woken; });
  const auto write = [&] { must(adas.update([](auto& tx) { tx.counter("c").add(1); })); };
  while (link->send()) {
  }
  EXPECT_EQ(woken, 0);
  for (int i = 0; i < 1'000; ++i) write();
  EXPECT_EQ(woken, 1);
  while (link->send()) {
  }
  write();
  EXPECT_EQ(woken, 2);
}

TEST_F(LinkTest, AWakeMaySendAndUpdateAndIsCalledAgainOnceItReturned) {
  std::unique_ptr<Replica::Link> link;
  int woken = 0;
  bool inside = false;
  link = ada.connect({}, [&] {
    EXPECT_FALSE(std::exchange(inside, true)) << "one call at a time";
    while (link->send()) {
    }
    if (++woken < 3) must(adas.update([](auto& tx) { tx.counter("c").add(1); }));
    inside = false;
  });
  while (link->send()) {
  }
  must(adas.update([](auto& tx) { tx.counter("c").add(1); }));
  EXPECT_EQ(woken, 3);
  EXPECT_EQ(must(adas.counter("c").total()), 3);
}

TEST_F(LinkTest, DestroyingALinkWaitsForItsWakeToReturn) {
  std::promise<void> running;
  std::promise<void> ending;
  std::atomic<bool> returned = false;
  auto link = ada.connect({}, [&] {
    running.set_value();
    ending.get_future().wait();
    // Whoever destroys the link is on its way now, and must not get past us.
    for (int i = 0; i < 1'000; ++i) std::this_thread::yield();
    returned = true;
  });
  while (link->send()) {
  }
  std::thread writer([&] { must(adas.update([](auto& tx) { tx.reg("r").set(1); })); });
  running.get_future().wait();
  ending.set_value();
  link.reset();
  EXPECT_TRUE(returned);
  writer.join();
}

TEST_F(LinkTest, WhatOneLinkBringsWakesTheOthers) {
  Replica eve = open_replica(clock, 3);
  Keyspace eves = eve.keyspace("shop");
  Wire to_ada(clock, ada, bob);
  ASSERT_TRUE(to_ada.sync());
  int woken = 0;
  auto to_eve = bob.connect({}, [&] { ++woken; });
  auto back = eve.connect({}, nullptr);
  const auto carry = [&] {
    for (bool busy = true; busy;) {
      busy = false;
      while (const auto frame = to_eve->send()) busy = true, must(back->receive(*frame));
      while (const auto frame = back->send()) busy = true, must(to_eve->receive(*frame));
    }
  };
  carry();
  woken = 0;
  must(adas.update([](auto& tx) { tx.reg("news").set(1); }));
  ASSERT_TRUE(to_ada.drain());
  EXPECT_EQ(woken, 1);
  carry();
  EXPECT_EQ(must(eves.reg("news").get()), Value(1));
}

TEST_F(LinkTest, WaitForEndsWhenThePeersChangeArrives) {
  const Version written = must(adas.update([](auto& tx) { tx.reg("r").set(1); }));
  std::promise<void> waits;
  std::thread waiter([&] {
    waits.set_value();
    must(bobs.wait_for(written, 5min));
  });
  waits.get_future().wait();
  Wire wire(clock, ada, bob);
  ASSERT_TRUE(wire.sync());
  waiter.join();
}

TEST_F(LinkTest, ClosingEndsWaitsLinksAndHandles) {
  Version beyond;
  beyond.raise(ActorId{}, 1);
  std::promise<void> waits;
  std::thread waiter([&] {
    waits.set_value();
    EXPECT_EQ(code_of(adas.wait_for(beyond, 5min)), "closed");
  });
  waits.get_future().wait();
  int woken = 0;
  auto link = ada.connect({}, [&woken] { ++woken; });
  while (link->send()) {
  }
  { const Replica closes(std::move(ada)); }
  waiter.join();
  EXPECT_EQ(woken, 1);
  ASSERT_TRUE(link->error());
  EXPECT_EQ(link->error()->code, Errc::closed);
  EXPECT_EQ(code_of(link->receive("x")), "closed");
  EXPECT_EQ(link->send(), std::nullopt);
  EXPECT_EQ(link->deadline(), std::chrono::milliseconds::max());
  link->run();
  link->tick_now();
  link->send_addresses({"a"});
  EXPECT_EQ(link->poll_event(), std::nullopt);
  EXPECT_FALSE(link->established());
  EXPECT_FALSE(link->in_sync());
  EXPECT_TRUE(link->peer_version("shop").empty());
  EXPECT_GT(link->metrics().frames_out, 0U);

  EXPECT_EQ(code_of(adas.update([](auto& tx) { tx.reg("r").set(1); })), "closed");
  EXPECT_EQ(code_of(adas.reg("r").get()), "closed");
  EXPECT_EQ(code_of(adas.to_json()), "closed");
  EXPECT_EQ(code_of(adas.changes_since({})), "closed");
  EXPECT_EQ(code_of(adas.flush()), "closed");
  EXPECT_EQ(adas.version(), Version{});
  EXPECT_EQ(adas.digests(), DigestPair{});
  EXPECT_EQ(adas.pending(), 0U);
  EXPECT_FALSE(adas.durable({}));
  EXPECT_EQ(adas.name(), "shop");
  ada = open_replica(clock, 3);
}

TEST_F(LinkTest, NonsenseOffTheStreamEndsTheLinkAndNothingElse) {
  auto link = ada.connect({}, nullptr);
  const auto received = link->receive(std::string(64, '\xff'));
  ASSERT_FALSE(received);
  EXPECT_EQ(link->error(), received.error());
  EXPECT_EQ(code_of(link->receive("")), name(received.error().code));
  EXPECT_EQ(link->deadline(), std::chrono::milliseconds::max());
  must(adas.update([](auto& tx) { tx.reg("r").set(1); }));
  Wire wire(clock, ada, bob);
  EXPECT_TRUE(wire.sync());
}

TEST_F(LinkTest, PeersOfAnotherClusterAreToldWhy_R_MEM_1) {
  SessionOptions other;
  other.cluster = "elsewhere";
  auto a = ada.connect({}, nullptr);
  auto b = bob.connect(other, nullptr);
  const auto hello = a->send();
  ASSERT_TRUE(hello);
  EXPECT_EQ(code_of(b->receive(*hello)), "wrong_cluster");
  std::string reply;
  while (auto frame = b->send()) reply += *frame;
  EXPECT_FALSE(a->receive(reply));
}

TEST_F(LinkTest, AStoreBelongsToTheClusterItWasBoundTo) {
  must(ada.bind_cluster("corner-shop"));
  must(ada.bind_cluster("corner-shop"));
  EXPECT_EQ(code_of(ada.bind_cluster("elsewhere")), "wrong_cluster");
  EXPECT_EQ(code_of(ada.bind_cluster("")), "invalid_argument");
  EXPECT_EQ(code_of(ada.bind_cluster(std::string(256, 'c'))), "invalid_argument");
  SessionOptions options;
  options.cluster = "elsewhere";
  const auto refused = ada.connect(options, nullptr);
  ASSERT_TRUE(refused->error());
  EXPECT_EQ(refused->error()->code, Errc::wrong_cluster);
  EXPECT_EQ(refused->send(), std::nullopt);
  options.cluster = "corner-shop";
  EXPECT_FALSE(ada.connect(options, nullptr)->error());
}

TEST_F(LinkTest, DroppedKeyspacesEndLinksAndComeBackFromPeers) {
  must(adas.update([](auto& tx) { tx.reg("r").set(1); }));
  {
    Wire wire(clock, ada, bob);
    ASSERT_TRUE(wire.sync());
    must(ada.drop_keyspace("shop"));
    ASSERT_TRUE(wire.a().error());
  }
  EXPECT_EQ(code_of(adas.reg("r").get()), "closed");
  EXPECT_EQ(code_of(adas.update([](auto&) {})), "closed");
  EXPECT_EQ(code_of(ada.drop_keyspace("shop")), "invalid_argument");
  EXPECT_THAT(ada.keyspaces(), IsEmpty());

  Keyspace again = ada.keyspace("shop");
  EXPECT_EQ(must(adas.reg("r").get()), std::nullopt);
  must(again.update([](auto& tx) { tx.reg("new").set(2); }));
  Wire wire(clock, ada, bob);
  ASSERT_TRUE(wire.sync());
  EXPECT_EQ(must(adas.reg("r").get()), Value(1));
  EXPECT_EQ(bobs.version().entries().size(), 2U) << "what came back writes under a fresh actor";
}

TEST_F(LinkTest, TokensOfADroppedKeyspaceAreForgotten) {
  must(adas.update("t", [](auto& tx) { tx.counter("c").add(1); }));
  must(ada.drop_keyspace("shop"));
  Keyspace again = ada.keyspace("shop");
  must(again.update("t", [](auto& tx) { tx.counter("c").add(1); }));
  EXPECT_EQ(must(again.counter("c").total()), 1);
}

TEST_F(LinkTest, KeyspacesThatCannotBeSayWhy) {
  EXPECT_EQ(code_of(ada.keyspace("").update([](auto&) {})), "invalid_argument");
  ReplicaOptions options;
  options.engine.keyspaces_max = 1;
  Replica small = open_replica(clock, 5, options);
  must(small.keyspace("one").update([](auto&) {}));
  EXPECT_EQ(code_of(small.keyspace("two").reg("r").get()), "limit");
  must(small.drop_keyspace("one"));
  must(small.keyspace("two").reg("r").get());
}

TEST_F(LinkTest, ReplicasOpenedWithTheDefaultsHaveIdsOfTheirOwn) {
  auto one = Replica::open();
  auto two = Replica::open();
  ASSERT_TRUE(one && two);
  const Version a = must(one->keyspace("k").update([](auto& tx) { tx.reg("r").set(1); }));
  const Version b = must(two->keyspace("k").update([](auto& tx) { tx.reg("r").set(1); }));
  EXPECT_FALSE(a.includes(b));
  EXPECT_GT(one->now().wall, std::chrono::hours(24 * 365 * 50));
}

TEST_F(LinkTest, ClocksTooFarAheadAreNoticedAndLogged_R_TIME_2) {
  std::vector<std::string> lines;
  ReplicaOptions options;
  options.log = [&](LogLevel level, std::string_view line,
                    const std::vector<std::pair<std::string, std::string>>& fields) {
    EXPECT_EQ(level, LogLevel::warning);
    EXPECT_EQ(fields.at(0), (std::pair<std::string, std::string>("keyspace", "shop")));
    lines.emplace_back(line);
  };
  Replica careful = open_replica(clock, 4, options);
  Keyspace keyspace = careful.keyspace("shop");
  TestClock fast;
  fast.advance(24h);
  Replica hasty = open_replica(fast, 5);
  Keyspace hers = hasty.keyspace("shop");
  Wire wire(clock, careful, hasty);
  ASSERT_TRUE(wire.sync());
  must(hers.update([](auto& tx) { tx.reg("r").set(1); }));
  ASSERT_TRUE(wire.drain());
  EXPECT_EQ(must(keyspace.reg("r").get()), Value(1)) << "applied all the same";
  const auto notices = careful.notices();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices[0].kind, Notice::Kind::clock_drift);
  EXPECT_THAT(careful.notices(), IsEmpty());
  EXPECT_EQ(careful.metrics().clock_drift, 1U);
  EXPECT_THAT(lines, ElementsAre(HasSubstr("ahead of our clock")));
}

TEST_F(LinkTest, LinksMayOutliveAndOutnumber) {
  std::vector<std::unique_ptr<Replica::Link>> links;
  for (int i = 0; i < 20; ++i) links.push_back(ada.connect({}, nullptr));
  must(adas.update([](auto& tx) { tx.reg("r").set(1); }));
  links.erase(links.begin() + 5);
  { const Replica closes(std::move(ada)); }
  links.clear();
  ada = open_replica(clock, 9);
}

}  // namespace
}  // namespace syncline
