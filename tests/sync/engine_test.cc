// What an Engine promises, one example each.
#include "sync/engine.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "crdt/hlc.h"
#include "sync/keyspace_state.h"
#include "tests/support/scale.h"
#include "tests/sync/peers.h"

namespace syncline {
namespace {

using std::chrono::milliseconds;

const std::string k = leaf("k");
const std::string m = leaf("m");
const std::string unknown = leaf_key("k", Type{77}, "x");

TEST(Engine, AChangeIsOneRowALeafAndReadsItsOwnWrites) {
  TestClock clock;
  Peer a(1);
  const Dot first = a.put(clock, {m, k}, "x");  // Rows are in leaf order, whatever the order of writing.
  EXPECT_EQ(a.live(k), (std::vector{Dot{first.actor, 1}}));
  EXPECT_EQ(a.live(m), (std::vector{Dot{first.actor, 2}}));
  EXPECT_EQ(a.version().counter(first.actor), 2U);
  EXPECT_EQ(a.engine->leaf_count(*a.shop), 2U);
  EXPECT_EQ(a.engine->own_actor(*a.shop), first.actor);
}

TEST(Engine, OnlyTheNetEffectMakesRows) {
  TestClock clock;
  Peer a(1);
  Transaction tx = a.engine->begin(*a.shop, clock.now);
  tx.put(tx.open(k), 0, "x");
  EXPECT_TRUE(tx.remove(tx.open(k)));
  EXPECT_FALSE(tx.remove(tx.open(m)));
  const auto token = a.engine->commit(std::move(tx));
  ASSERT_TRUE(token.has_value());
  EXPECT_TRUE(a.version().empty());
}

TEST(Engine, ATransactionGivenUpLeavesNothing) {
  TestClock clock;
  Peer a(1);
  {
    Transaction tx = a.engine->begin(*a.shop, clock.now);
    tx.put(tx.open(k), 0, "x");
  }
  EXPECT_TRUE(a.content().empty());
  Transaction failing = a.engine->begin(*a.shop, clock.now);
  failing.put(failing.open(k), 0, "x");
  failing.fail(Error{Errc::invalid_argument, "no"});
  EXPECT_EQ(a.engine->commit(std::move(failing)).error().code, Errc::invalid_argument);
  EXPECT_TRUE(a.content().empty());
}

TEST(Engine, LimitsRefuseAtTheWrite_R_RES_3) {
  TestClock clock;
  Peer a(1, EngineOptions{
                .value_bytes_max = 10, .key_bytes_max = 40, .change_bytes_max = 1'000, .keyspaces_max = 2});
  const auto write = [&](const std::vector<std::string>& leaves, std::string_view value) {
    Transaction tx = a.engine->begin(*a.shop, clock.now);
    for (const std::string& each : leaves) tx.put(tx.open(each), 0, value);
    return a.engine->commit(std::move(tx));
  };
  EXPECT_TRUE(write({k}, std::string(10, 'x')).has_value());
  EXPECT_EQ(write({k}, std::string(11, 'x')).error().code, Errc::too_large);
  EXPECT_TRUE(write({leaf(std::string(20, 'x'))}, "x").has_value());
  EXPECT_EQ(write({leaf(std::string(60, 'x'))}, "x").error().code, Errc::too_large);
  std::vector<std::string> many;
  for (char c = 'a'; c <= 'z'; ++c) many.push_back(leaf(std::string(30, c)));
  EXPECT_EQ(write(many, "1234567890").error().code, Errc::too_large);
  EXPECT_EQ(a.content().size(), 2U);
  EXPECT_TRUE(a.engine->open_keyspace("second").has_value());
  EXPECT_EQ(a.engine->open_keyspace("third").error().code, Errc::limit);
  EXPECT_TRUE(a.engine->open_keyspace("second").has_value());
}

TEST(Engine, ADroppedKeyspaceComesBackUnderAFreshActor) {
  TestClock clock;
  Peer a(1), b(2);
  const Dot first = a.put(clock, {k});
  {
    Link link(clock, a, b);
    link.run(milliseconds(300));
  }
  ASSERT_TRUE(a.engine->drop_keyspace("shop").has_value());
  EXPECT_EQ(a.engine->find_keyspace("shop"), nullptr);
  a.shop = *a.engine->open_keyspace("shop");
  EXPECT_TRUE(a.content().empty());
  const Dot second = a.put(clock, {m});
  EXPECT_NE(second.actor, first.actor);
  Link link(clock, a, b);
  link.run(milliseconds(2'000));
  expect_equal(a, b);
  EXPECT_EQ(b.content().size(), 2U);
}

// B has a change of A's. C has a link to B alone, who passes nothing on.
struct EarlyChanges {
  explicit EarlyChanges(EngineOptions options = {}, bool with_disk = false) : c(3, options, with_disk) {
    ab.run(milliseconds(300));
    bc.run(milliseconds(300));
    a.put(clock, {k});
    ab.settle();
  }
  // B's changes, which follow A's, reach C.
  void write(int changes) {
    for (int i = 0; i < changes; ++i) b.put(clock, {leaf("b" + std::to_string(i))}, std::string(50, 'x'));
    bc.collect(0);
    while (bc.deliver(0)) {
    }
  }

  TestClock clock;
  Peer a{1}, b{2}, c;
  Link ab{clock, a, b}, bc{clock, b, c, SessionOptions{.relay = false}};
};

// What unfinished buffers hold is bounded; what they shed comes by a pass.
TEST(Engine, TheBufferOfEarlyChangesIsBounded_R_CRDT_3_R_RES_1) {
  EarlyChanges trace({.early_bytes_max = 2'000});
  trace.write(100);
  Peer& c = trace.c;
  EXPECT_GT(c.engine->metrics().changes_waiting, 0U);
  EXPECT_LT(c.engine->metrics().changes_waiting, 40U);
  EXPECT_GT(c.engine->metrics().early_dropped, 0U);
  EXPECT_TRUE(c.version().empty());
  EXPECT_TRUE(contains(c.notices(), Notice::Kind::early_dropped));
  trace.bc.run(milliseconds(2'000));
  expect_equal(trace.b, c);
  EXPECT_EQ(c.engine->metrics().changes_waiting, 0U);
}

// What waits in a keyspace that is dropped, or whose disk failed, waits no more.
TEST(Engine, ChangesThatWaitAreCountedWhileTheyDo) {
  EarlyChanges dropped, failed({}, true);
  for (EarlyChanges* trace : {&dropped, &failed}) {
    trace->write(3);
    EXPECT_EQ(trace->c.engine->metrics().changes_waiting, 3U);
  }
  ASSERT_TRUE(dropped.c.engine->drop_keyspace("shop").has_value());
  EXPECT_EQ(dropped.c.engine->metrics().changes_waiting, 0U);
  failed.c.engine->handle_failed(Error{Errc::storage, "disk full"});
  EXPECT_EQ(failed.c.engine->metrics().changes_waiting, 0U);
}

TEST(Engine, AKnownChangeIsADuplicate) {
  TestClock clock;
  Peer a(1), b(2), c(3);
  Link ab(clock, a, b), bc(clock, b, c), ac(clock, a, c);
  for (Link* link : {&ab, &bc, &ac}) link->run(milliseconds(300));
  a.put(clock, {k});
  ac.collect(0);  // On its way to C directly...
  ab.settle();
  bc.settle();  // ...and by way of B.
  ac.settle();
  EXPECT_EQ(c.engine->metrics().changes_duplicate, 1U);
  EXPECT_EQ(c.engine->metrics().changes_remote, 1U);
  expect_equal(a, c);
}

TEST(Engine, TheLogIsCutToItsBudgetAndPeersBelowItGetAFullPass) {
  TestClock clock;
  Peer a(1, EngineOptions{.log_bytes_max = 1'000}), b(2);
  {
    Link link(clock, a, b);
    a.put(clock, {leaf("0")});
    link.run(milliseconds(300));
    EXPECT_EQ(link.session(1).metrics().full_passes_in, 0U);
  }
  const Version before = a.version();
  for (int i = 0; i < 100; ++i) a.put(clock, {leaf(std::to_string(i % 10))}, "x");
  EXPECT_LE(a.engine->log_memory_bytes(*a.shop), 2'000U);
  EXPECT_GT(a.engine->metrics().log_cut, 0U);
  EXPECT_EQ(a.engine->touched_since(*a.shop, before).error().code, Errc::version_too_old);
  Link link(clock, a, b);
  link.run(milliseconds(1'000));
  EXPECT_EQ(link.session(1).metrics().full_passes_in, 1U);
  expect_equal(a, b);
}

// What was added and removed again leaves a counter in the version and nothing
// else, once the log forgets it.
TEST(Engine, PairsOfAddAndRemoveLeaveLessThanAKilobyte_R_AE_4) {
  TestClock clock;
  Peer a(1, EngineOptions{.log_bytes_max = 400}), b(2);
  const auto memory = [&] {
    return a.engine->leaf_memory_bytes(*a.shop) + a.engine->log_memory_bytes(*a.shop);
  };
  const auto pairs = [&](std::size_t count) {
    for (; count > 0; --count) {
      a.put(clock, {k}, "x");
      a.remove(clock, {k});
    }
  };
  pairs(10);
  const std::size_t before = memory();
  pairs(scaled(100'000) - 10);
  EXPECT_EQ(a.version().counter(*a.engine->own_actor(*a.shop)), 2 * scaled(100'000));
  EXPECT_LT(memory(), before + 1'000);
  Link link(clock, a, b);
  link.run(milliseconds(300));
  expect_equal(a, b);
  EXPECT_LT(link.session(0).metrics().bytes_out, 1'000U);
}

TEST(Engine, TouchedSinceNamesTheLeavesOfMissingDots) {
  TestClock clock;
  Peer a(1);
  a.put(clock, {k});
  const Version before = a.version();
  a.put(clock, {m});
  a.remove(clock, {m});
  EXPECT_EQ(*a.engine->touched_since(*a.shop, before), std::vector{m});
  EXPECT_EQ(*a.engine->touched_since(*a.shop, {}), (std::vector{k, m}));
  EXPECT_TRUE(a.engine->touched_since(*a.shop, a.version())->empty());
}

// At the edge in both directions: what is ahead by more than the
// drift is applied, counted, reported, and never advances our clock.
TEST(Engine, AClockTooFarAheadIsNotFollowed_R_TIME_2) {
  for (const bool too_far : {false, true}) {
    TestClock clock;
    Peer a(1), b(2);
    Link link(clock, a, b);
    link.run(milliseconds(300));
    TestClock ahead = clock;
    ahead.now.wall += std::chrono::minutes(10) + milliseconds(too_far ? 1 : 0);
    a.put(ahead, {k});
    link.settle();
    EXPECT_TRUE(b.content().contains(k));
    EXPECT_EQ(b.engine->metrics().clock_drift, too_far ? 1U : 0U);
    EXPECT_EQ(contains(b.notices(), Notice::Kind::clock_drift), too_far);
    Transaction tx = b.engine->begin(*b.shop, clock.now);
    EXPECT_EQ(tx.hlc() >= Hlc::from_wall(ahead.now.wall), !too_far);
  }
  // A clock that is behind is nothing to report, however far.
  TestClock clock;
  Peer a(1), b(2);
  Link link(clock, a, b);
  link.run(milliseconds(300));
  TestClock behind = clock;
  behind.now.wall -= std::chrono::hours(1'000);
  a.put(behind, {k});
  link.settle();
  EXPECT_TRUE(b.content().contains(k));
  EXPECT_EQ(b.engine->metrics().clock_drift, 0U);
}

TEST(Engine, TheGreatestTimestampSurvivesARestart) {
  TestClock clock;
  Peer a(1, {}, true);
  std::uint64_t before = 0;
  {
    Transaction tx = a.engine->begin(*a.shop, clock.now);
    tx.put(tx.open(k), 0, "x");
    before = tx.hlc();
    ASSERT_TRUE(a.engine->commit(std::move(tx)).has_value());
  }
  a.persist();
  a.restart();
  clock.now.wall -= std::chrono::hours(1);  // The clock was set back meanwhile.
  EXPECT_GT(a.engine->begin(*a.shop, clock.now).hlc(), before);
}

// A machine set back to an older snapshot, its random bits with it, goes
// on under its old actor. A peer that knows more of that actor than it does
// makes it take a fresh one.
TEST(Engine, AfterAmnesiaItWritesUnderAFreshActor_R_ID_3) {
  TestClock clock;
  Peer b(2);
  std::unique_ptr<Peer> a = std::make_unique<Peer>(1, EngineOptions{}, true);
  const Dot kept = a->put(clock, {k});
  a->persist();
  const sim::Disk snapshot(*a->disk);
  for (const char* element : {"m", "n", "o"}) a->put(clock, {leaf(element)}, "before");
  {
    Link link(clock, *a, b);
    link.run(milliseconds(300));
  }
  ASSERT_EQ(b.content().size(), 4U);

  a = std::make_unique<Peer>(1, EngineOptions{}, true);
  *a->disk = sim::Disk(snapshot);
  a->engine = *Engine::restore({.entropy = {1, 2, 3, 1}}, *a->disk, a->disk->head());
  a->shop = *a->engine->open_keyspace("shop");
  const Dot reused = a->put(clock, {leaf("p")}, "after");
  ASSERT_EQ(reused, (Dot{kept.actor, kept.counter + 1}));
  Link link(clock, *a, b);
  link.run(milliseconds(3'000));
  EXPECT_TRUE(contains(a->notices(), Notice::Kind::amnesia));
  EXPECT_NE(a->put(clock, {leaf("q")}).actor, kept.actor);
  link.run(milliseconds(30'000));
  EXPECT_EQ(a->content(), b.content());
  for (const char* element : {"n", "o", "p", "q"})
    EXPECT_TRUE(a->content().contains(leaf(element))) << element;
}

// ...whose first change follows what the old one wrote, though no peer has told of it yet: else somebody
// might apply it without that.
TEST(Engine, AfterAmnesiaTheNextChangeFollowsTheOldActor_R_ID_3) {
  TestClock clock;
  Peer a(1, {}, true), b(2);
  const Dot kept = a.put(clock, {k});
  a.persist();
  const sim::Disk snapshot(*a.disk);
  for (const char* element : {"m", "n"}) a.put(clock, {leaf(element)}, "before");
  {
    Link link(clock, a, b);
    link.run(milliseconds(300));
  }
  *a.disk = sim::Disk(snapshot);
  a.engine = *Engine::restore({.entropy = {1, 2, 3, 1}}, *a.disk, a.disk->head());
  a.shop = *a.engine->open_keyspace("shop");
  const Dot reused = a.put(clock, {leaf("p")}, "after");
  ASSERT_EQ(reused, (Dot{kept.actor, kept.counter + 1}));
  Link link(clock, a, b);
  std::vector<Dot> followed;
  link.operate_on(1, [](Message& message) { return !std::holds_alternative<Chunk>(message); });
  std::vector<ActorId> named;
  link.operate_on(0, [&](Message& message) {
    if (const auto* status = std::get_if<Status>(&message))
      named.insert(named.end(), status->definitions.begin(), status->definitions.end());
    if (const auto* want = std::get_if<Want>(&message))
      named.insert(named.end(), want->definitions.begin(), want->definitions.end());
    const auto* push = std::get_if<Push>(&message);
    if (push == nullptr) return true;
    named.insert(named.end(), push->definitions.begin(), push->definitions.end());
    for (const IndexedDot& dot : push->changes.front().dependencies)
      followed.push_back({named.at(dot.actor), dot.counter});
    return true;
  });
  link.run(milliseconds(300));
  ASSERT_TRUE(contains(a.notices(), Notice::Kind::amnesia));
  EXPECT_NE(a.put(clock, {k}, "fresh").actor, kept.actor);
  link.run(milliseconds(100));
  EXPECT_EQ(followed, std::vector<Dot>{reused});
}

TEST(Engine, LeavesOfUnknownTypesAreStoredDigestedAndForwarded) {
  TestClock clock;
  Peer a(1), b(2, {}, true), c(3);
  a.put(clock, {unknown}, "newer");
  {
    Link ab(clock, a, b);
    ab.run(milliseconds(300));
  }
  b.restart();
  Link bc(clock, b, c);
  bc.run(milliseconds(300));
  EXPECT_EQ(c.content().at(unknown).front().payload.bytes, "newer");
  expect_equal(a, c);
  a.remove(clock, {unknown});
  Link ab(clock, a, b);
  ab.run(milliseconds(300));
  bc.run(milliseconds(3'000));
  EXPECT_TRUE(c.content().empty());
  expect_equal(a, c);
}

TEST(Engine, WatchersHearAfterTheCommit) {
  TestClock clock;
  Peer a(1, {}, true);
  a.engine->watch(*a.shop, true);
  a.put(clock, {k}, "x");
  EXPECT_FALSE(a.engine->poll_event().has_value());
  a.persist();
  const auto event = a.engine->poll_event();
  ASSERT_TRUE(event.has_value());
  const auto& changed = std::get<LeavesChanged>(*event);
  EXPECT_EQ(changed.keyspace, "shop");
  EXPECT_EQ(changed.origin, a.engine->own_actor(*a.shop));
  EXPECT_EQ(Hlc::to_wall(changed.hlc), clock.now.wall);
  EXPECT_TRUE(changed.local);
  ASSERT_EQ(changed.leaves.size(), 1U);
  EXPECT_EQ(changed.leaves[0].leaf, k);
  EXPECT_TRUE(changed.leaves[0].before.empty());
  EXPECT_FALSE(a.engine->poll_event().has_value());
}

// All that a store must keep is in the records: replaying them gives the same engine.
TEST(Engine, ARestartFromTheDiskIsTheSameState) {
  TestClock clock;
  Peer a(1, {}, true), b(2);
  for (int i = 0; i < 50; ++i) {
    a.put(clock, {leaf(std::to_string(i % 7)), k}, std::to_string(i));
    if (i % 5 == 0) a.remove(clock, {leaf(std::to_string(i % 7))});
    if (i % 3 == 0) a.persist();
  }
  a.persist();
  const Content before = a.content();
  const Version version = a.version();
  const DigestPair digests = a.engine->digests(*a.shop);
  a.restart();
  EXPECT_EQ(a.content(), before);
  EXPECT_EQ(a.version(), version);
  EXPECT_EQ(a.engine->digests(*a.shop), digests);
  EXPECT_EQ(*a.engine->recompute_digests(*a.shop), digests);
  Link link(clock, a, b);
  link.run(milliseconds(1'000));
  EXPECT_EQ(link.session(1).metrics().full_passes_in, 0U);  // The log survived, too.
  expect_equal(a, b);
}

// What a reader must look at anew after a change, without reading all.
TEST(PendingLeaves, AreThoseThatNoDiskHasYet) {
  TestClock clock;
  Peer peer(1, {}, true);
  const auto pending = [&peer] {
    std::vector<std::string> leaves;
    EXPECT_TRUE(peer.shop->for_each_pending(
        [&](std::string_view leaf, std::string_view) { leaves.emplace_back(leaf); }));
    return leaves;
  };
  peer.put(clock, {leaf("a"), leaf("b")});
  EXPECT_EQ(pending(), (std::vector{leaf("a"), leaf("b")}));
  peer.persist();
  EXPECT_EQ(pending(), std::vector<std::string>());
  peer.remove(clock, {leaf("b")});
  EXPECT_EQ(pending(), std::vector{leaf("b")});
  Peer in_memory(2);
  EXPECT_FALSE(in_memory.shop->for_each_pending([](std::string_view, std::string_view) { ADD_FAILURE(); }));
}

TEST(ActorTable, InOrderFollowsWhoComesAndGoes) {
  ActorTable actors;
  const auto intern = [&actors](int first) { actors.intern(ActorId{{static_cast<std::uint8_t>(first)}}); };
  for (const int first : {5, 2, 9}) intern(first);
  EXPECT_EQ(actors.in_order(), (std::vector<std::uint32_t>{1, 0, 2}));
  actors.truncate(1);
  for (const int first : {1, 7}) intern(first);
  EXPECT_EQ(actors.in_order(), (std::vector<std::uint32_t>{1, 0, 2}));
  actors.truncate(0);
  EXPECT_TRUE(actors.in_order().empty());
}

}  // namespace
}  // namespace syncline
