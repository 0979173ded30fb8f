// Traces of disks that lose, fail and lie: what is lost must not spread, what
// isn't on disk must not be told.
#include <gtest/gtest.h>

#include <algorithm>

#include "crdt/leaf.h"
#include "tests/sync/peers.h"

namespace syncline {
namespace {

using std::chrono::milliseconds;

const std::string k = leaf("k");
const std::string m = leaf("m");

// ---- The repair that spreads the loss (counterexample 5) ------------------------------------

// A bad page makes one leaf of one of five replicas read as absent.
TEST(WipedLeaf, ComesBackAndIsLostNowhere_R_AE_1) {
  TestClock clock;
  std::vector<std::unique_ptr<Peer>> peers;
  for (std::uint64_t i = 0; i < 5; ++i) peers.push_back(std::make_unique<Peer>(i + 1, EngineOptions{}, true));
  peers[0]->put(clock, {k, m});
  const auto round = [&] {
    std::vector<std::unique_ptr<Link>> links;
    for (std::size_t a = 0; a < peers.size(); ++a)
      for (std::size_t b = a + 1; b < peers.size(); ++b)
        links.push_back(std::make_unique<Link>(clock, *peers[a], *peers[b]));
    for (int turn = 0; turn < 100; ++turn) {
      clock.pass(milliseconds(50));
      for (const auto& link : links) {
        link->session(0).handle_timeout(clock.now);
        link->session(1).handle_timeout(clock.now);
        link->settle();
      }
    }
  };
  round();
  const Content whole = peers[0]->content();
  ASSERT_TRUE(whole.contains(k));
  for (const auto& peer : peers) EXPECT_EQ(peer->content(), whole);

  ASSERT_TRUE(peers[1]->disk->lose("shop", k));
  peers[1]->restart();
  // A scrub found what the disk really holds.
  peers[1]->disk->set_digests("shop", *peers[1]->engine->recompute_digests(*peers[1]->shop));
  peers[1]->restart();
  EXPECT_TRUE(peers[1]->live(k).empty());
  EXPECT_EQ(peers[1]->version(), peers[0]->version());
  round();
  bool noticed = false;
  for (const auto& peer : peers) {
    EXPECT_EQ(peer->content(), whole);
    EXPECT_EQ(*peer->engine->recompute_digests(*peer->shop), peer->engine->digests(*peer->shop));
    EXPECT_EQ(peer->engine->digests(*peer->shop), peers[0]->engine->digests(*peers[0]->shop));
    noticed = noticed || contains(peer->notices(), Notice::Kind::divergence_detected);
  }
  EXPECT_TRUE(noticed);
}

// What an ordinary merge would do with it: covered there, and absent there, so removed here.
TEST(WipedLeaf, AnOrdinaryMergeWouldSpreadTheLoss) {
  const Leaf here{LiveDot{Dot{ActorId{}, 1}, Payload{}}};
  const auto covers = [](const Dot&) { return true; };
  EXPECT_TRUE(merge(here, covers, Leaf{}, covers).empty());
}

// ---- Announcing what isn't on disk (counterexample 13) --------------------------------------

TEST(Announcing, WaitsForTheDisk_R_DUR_1) {
  TestClock clock;
  Peer a(1), b(2, {}, true), c(3);
  Link ab(clock, a, b), bc(clock, b, c);
  ab.run(milliseconds(300));
  bc.run(milliseconds(300));
  b.disk_works = false;
  const Dot a1 = a.put(clock, {k});
  ab.run(milliseconds(2'000));
  bc.run(milliseconds(2'000));
  EXPECT_TRUE(b.version().contains(a1));  // B's own users read it...
  EXPECT_TRUE(c.version().empty());       // ...and nobody else.
  EXPECT_FALSE(ab.session(0).peer_version("shop").contains(a1));
  b.disk_works = true;
  ab.run(milliseconds(300));
  bc.run(milliseconds(300));
  EXPECT_TRUE(ab.session(0).peer_version("shop").contains(a1));
  expect_equal(a, c);
}

TEST(Announcing, AStoreThatAcknowledgesTooEarlyMakesALie) {
  TestClock clock;
  Peer a(1), b(2, {}, true);
  Link ab(clock, a, b);
  ab.run(milliseconds(300));
  b.disk_works = false;
  const Dot a1 = a.put(clock, {k});
  ab.settle();
  while (auto record = b.engine->poll_record())
    b.engine->handle_persisted(record->sequence);  // Stored nowhere.
  ab.run(milliseconds(300));
  EXPECT_TRUE(ab.session(0).peer_version("shop").contains(a1));
  EXPECT_FALSE(b.disk->version("shop").contains(a1));
}

// ---- Failed commit (counterexample 14) ------------------------------------------------------

struct FailedCommit {
  TestClock clock;
  Peer a{1}, b{2, {}, true};
  Dot kept, lost;
  DigestPair before;

  void play(bool stored_all_the_same) {
    kept = b.put(clock, {k}, "kept");
    b.persist();
    before = b.engine->digests(*b.shop);
    lost = b.put(clock, {k, m}, "lost");
    const auto record = b.engine->poll_record();
    ASSERT_TRUE(record.has_value());
    if (stored_all_the_same) b.disk->commit(*record);
    b.engine->handle_failed(Error{Errc::storage, "disk full"});
  }
};

TEST(FailedCommit, IsUndoneWhole) {
  FailedCommit trace;
  Link voided(trace.clock, trace.a, trace.b);
  trace.play(false);
  EXPECT_EQ(trace.b.live(k), std::vector{trace.kept});
  EXPECT_TRUE(trace.b.live(m).empty());
  EXPECT_FALSE(trace.b.version().contains(trace.lost));
  EXPECT_EQ(trace.b.engine->digests(*trace.b.shop), trace.before);
  EXPECT_EQ(*trace.b.engine->recompute_digests(*trace.b.shop), trace.before);
  EXPECT_TRUE(contains(trace.b.notices(), Notice::Kind::commit_failed));
  // Sessions made before are void.
  voided.collect(0);
  ASSERT_FALSE(voided.frames(0).empty());
  EXPECT_FALSE(voided.session(1).handle_frame(trace.clock.now, voided.frames(0).front()).has_value());
  // It goes on under a fresh actor, and what was lost is never missed.
  const Dot next = trace.b.put(trace.clock, {m}, "next");
  EXPECT_NE(next.actor, trace.lost.actor);
  Link link(trace.clock, trace.a, trace.b);
  link.run(milliseconds(2'000));
  expect_equal(trace.a, trace.b);
  EXPECT_TRUE(link.session(0).in_sync());
}

TEST(FailedCommit, AStoreThatKeepsItIsNoticed) {
  FailedCommit trace;
  trace.play(true);
  EXPECT_NE(*trace.b.engine->recompute_digests(*trace.b.shop), trace.b.engine->digests(*trace.b.shop));
}

// ---- A reused dot on another leaf (counterexample 16) ---------------------------------------

// Two copies of a running machine go on under one actor.
struct ReusedDot {
  TestClock clock;
  Peer a{1}, copy{1}, c{3};
};

TEST(ReusedDot, BothLeavesStayAndItIsReported) {
  ReusedDot trace;
  const Dot one = trace.a.put(trace.clock, {k}, "one");
  const Dot other = trace.copy.put(trace.clock, {m}, "other");
  ASSERT_EQ(one, other);
  Link ac(trace.clock, trace.a, trace.c), cc(trace.clock, trace.copy, trace.c);
  for (int turn = 0; turn < 40; ++turn) {
    ac.run(milliseconds(500));
    cc.run(milliseconds(500));
  }
  EXPECT_EQ(trace.a.content(), trace.c.content());
  EXPECT_EQ(trace.copy.content(), trace.c.content());
  EXPECT_EQ(trace.c.live(k), std::vector{one});
  EXPECT_EQ(trace.c.live(m), std::vector{other});
}

TEST(ReusedDot, TwoPayloadsAtOneLeafTheGreaterStays) {
  ReusedDot trace;
  trace.a.put(trace.clock, {k}, "one");
  trace.copy.put(trace.clock, {k}, "two");
  Link ac(trace.clock, trace.a, trace.c), cc(trace.clock, trace.copy, trace.c);
  for (int turn = 0; turn < 40; ++turn) {
    ac.run(milliseconds(500));
    cc.run(milliseconds(500));
  }
  for (const Peer* peer : {&trace.a, &trace.copy, &trace.c})
    EXPECT_EQ(peer->content().at(k).front().payload.bytes, "two");
}

// The same when nobody doubts the versions: the copy wrote more, and its log
// is cut, so that C is sent all its leaves.
TEST(ReusedDot, APassThatIsTrustedKeepsBothLeaves) {
  ReusedDot trace;
  trace.a.put(trace.clock, {k}, "one");
  {
    Link link(trace.clock, trace.a, trace.c);
    link.run(milliseconds(300));
  }
  trace.copy.put(trace.clock, {m}, "other");
  trace.copy.put(trace.clock, {leaf("n")}, "more");
  trace.copy.engine->cut_log(*trace.copy.shop, 0);
  Link link(trace.clock, trace.copy, trace.c);
  while (link.session(1).metrics().passes_in == 0 && link.settle(1) > 0) {
  }
  EXPECT_EQ(link.session(1).metrics().full_passes_in, 1U);
  EXPECT_EQ(trace.c.engine->metrics().repair_kept, 0U);
  for (const std::string& kept : {k, m, leaf("n")}) EXPECT_TRUE(trace.c.content().contains(kept));
  EXPECT_TRUE(contains(trace.c.notices(), Notice::Kind::dot_reused));
  link.run(milliseconds(3'000));
  expect_equal(trace.copy, trace.c);
  EXPECT_EQ(trace.c.content().size(), 3U);
}

// What merging as ever would do: at each leaf one side has the dot, and the other covers it and hasn't.
TEST(ReusedDot, AnOrdinaryMergeWouldLoseBoth) {
  const Leaf one{LiveDot{Dot{ActorId{}, 1}, Payload{0, "one"}}};
  const Leaf other{LiveDot{Dot{ActorId{}, 1}, Payload{0, "other"}}};
  const auto covers = [](const Dot&) { return true; };
  EXPECT_TRUE(merge(one, covers, Leaf{}, covers).empty());
  EXPECT_TRUE(merge(Leaf{}, covers, other, covers).empty());
}

// A second change under a dot that is known is told apart by its hash.
TEST(ReusedDot, APushOfAnotherChangeIsReported) {
  ReusedDot trace;
  Link ac(trace.clock, trace.a, trace.c), cc(trace.clock, trace.copy, trace.c);
  ac.run(milliseconds(300));
  cc.run(milliseconds(300));
  trace.a.put(trace.clock, {k}, "one");
  trace.copy.put(trace.clock, {m}, "other");
  cc.collect(0);  // On its way before C has the other.
  ac.settle();
  cc.settle();
  EXPECT_TRUE(contains(trace.c.notices(), Notice::Kind::dot_reused));
  EXPECT_EQ(trace.c.engine->metrics().dots_reused, 1U);
}

// ---- Digest without version (counterexample 17) ---------------------------------------------

// B is A and an element added and removed again: equal states, unequal versions.
struct AddedAndRemoved {
  AddedAndRemoved() {
    a.put(clock, {k});
    Link link(clock, a, b);
    link.run(milliseconds(300));
    b.put(clock, {m});
    b.remove(clock, {m});
  }

  // Whether A says that they are in sync while nothing but digests comes from B, as `alter` leaves them.
  bool in_sync(const std::function<void(DigestPair&)>& alter) {
    Link link(clock, a, b);
    link.operate_on(1, [&](Message& message) {
      if (auto* status = std::get_if<Status>(&message)) alter(status->digests);
      return !std::holds_alternative<Chunk>(message) && !std::holds_alternative<Push>(message);
    });
    link.run(milliseconds(3'000));
    return link.session(0).in_sync();
  }

  TestClock clock;
  Peer a{1}, b{2};
};

TEST(DigestPair, EqualStatesOfUnequalVersionsArentInSync_R_AE_2) {
  AddedAndRemoved trace;
  EXPECT_EQ(trace.a.content(), trace.b.content());
  EXPECT_EQ(trace.a.engine->digests(*trace.a.shop).state, trace.b.engine->digests(*trace.b.shop).state);
  EXPECT_NE(trace.a.engine->digests(*trace.a.shop).context, trace.b.engine->digests(*trace.b.shop).context);
  EXPECT_FALSE(trace.in_sync([](const DigestPair&) {}));
  Link whole(trace.clock, trace.a, trace.b);
  whole.run(milliseconds(3'000));
  EXPECT_TRUE(whole.session(0).in_sync());
  expect_equal(trace.a, trace.b);
}

// The defect: digests of states alone.
TEST(DigestPair, WithoutTheVersionTheyWouldSeemInSync) {
  AddedAndRemoved trace;
  const Digest context = trace.a.engine->digests(*trace.a.shop).context;
  EXPECT_TRUE(trace.in_sync([&](DigestPair& told) { told.context = context; }));
  EXPECT_NE(trace.a.version(), trace.b.version());
}

}  // namespace
}  // namespace syncline
