// What a Session promises, one example each.
#include "sync/session.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/sync/peers.h"

namespace syncline {
namespace {

using std::chrono::milliseconds;

const std::string k = leaf("k");
const std::string m = leaf("m");

// The cluster is checked before anything else is said or heard.
TEST(Session, AnotherClusterIsRefusedBeforeAnything_R_MEM_1) {
  TestClock clock;
  Peer a(1), b(2);
  a.put(clock, {k});
  Session mine(*a.engine, SessionOptions{.cluster = "mine", .node = a.node}, clock.now);
  Session theirs(*b.engine, SessionOptions{.cluster = "theirs", .node = b.node}, clock.now);
  const auto hello = mine.poll_frame(clock.now);
  ASSERT_TRUE(hello.has_value());
  EXPECT_FALSE(mine.poll_frame(clock.now).has_value());  // Nothing but the greeting until the peer's came.
  ASSERT_TRUE(theirs.poll_frame(clock.now).has_value());
  EXPECT_EQ(theirs.handle_frame(clock.now, *hello).error().code, Errc::wrong_cluster);
  EXPECT_FALSE(theirs.established());
  const auto bye = theirs.poll_frame(clock.now);
  ASSERT_TRUE(bye.has_value());
  EXPECT_FALSE(theirs.poll_frame(clock.now).has_value());
  EXPECT_FALSE(mine.handle_frame(clock.now, *bye).has_value());
}

TEST(Session, WhatIsWrittenIsPushedOnce) {
  TestClock clock;
  Peer a(1), b(2);
  Link link(clock, a, b);
  link.run(milliseconds(300));
  for (int i = 0; i < 10; ++i) {
    a.put(clock, {k}, std::to_string(i));
    link.settle();
  }
  EXPECT_EQ(link.session(1).metrics().changes_in, 10U);
  EXPECT_EQ(link.session(1).metrics().passes_in, 0U);
  EXPECT_EQ(link.session(1).metrics().changes_out, 0U);  // Nothing goes back.
  expect_equal(a, b);
}

TEST(Session, EqualReplicasSayLittle) {
  TestClock clock;
  Peer a(1), b(2);
  Link link(clock, a, b);
  a.put(clock, {k, m}, std::string(1'000, 'x'));
  link.run(milliseconds(3'000));
  const std::uint64_t before = link.session(0).metrics().bytes_out;
  const std::uint64_t equal = link.session(0).metrics().ticks_equal;
  link.run(milliseconds(10'000));
  const std::uint64_t ticks = link.session(0).metrics().ticks_equal - equal;
  EXPECT_GE(ticks, 9U);
  EXPECT_LE(link.session(0).metrics().bytes_out - before, 48 * (ticks + 1));
}

// "In sync" needs a comparison of digests.
TEST(Session, InSyncIsOnlySaidAfterAComparison_R_AE_2) {
  TestClock clock;
  Peer a(1), b(2);
  a.put(clock, {k});
  {
    Link link(clock, a, b);
    EXPECT_FALSE(link.session(0).in_sync());
    bool first = true;
    link.operate_on(1, [&first](Message& message) {  // B's digests never arrive, but for the first hash.
      if (auto* status = std::get_if<Status>(&message)) status->has_digests = false;
      return !std::holds_alternative<Tick>(message) || std::exchange(first, false);
    });
    link.run(milliseconds(3'000));
    EXPECT_EQ(a.content(), b.content());
    EXPECT_FALSE(link.session(0).in_sync());
  }
  Link whole(clock, a, b);
  whole.run(milliseconds(300));
  EXPECT_TRUE(whole.session(0).in_sync());
  EXPECT_TRUE(whole.session(1).in_sync());
  a.put(clock, {m});
  EXPECT_FALSE(whole.session(0).in_sync());
  whole.run(milliseconds(3'000));
  EXPECT_TRUE(whole.session(0).in_sync());
}

TEST(Session, PeerVersionIsWhatIsOnItsDisk) {
  TestClock clock;
  Peer a(1), b(2, {}, true);
  Link link(clock, a, b);
  link.run(milliseconds(300));
  b.disk_works = false;
  const Dot dot = a.put(clock, {k});
  link.run(milliseconds(500));
  EXPECT_TRUE(b.version().contains(dot));
  EXPECT_FALSE(link.session(0).peer_version("shop").contains(dot));
  b.disk_works = true;
  link.run(milliseconds(500));
  EXPECT_TRUE(link.session(0).peer_version("shop").contains(dot));
}

TEST(Session, OnlyServedKeyspacesAreShared) {
  TestClock clock;
  Peer a(1), b(2);
  KeyspaceState* till = *a.engine->open_keyspace("till");
  ASSERT_TRUE(b.engine->open_keyspace("till").has_value());
  Transaction tx = a.engine->begin(*till, clock.now);
  tx.put(tx.open(k), 0, "secret");
  ASSERT_TRUE(a.engine->commit(std::move(tx)).has_value());
  a.put(clock, {k});
  Link link(clock, a, b, SessionOptions{.keyspaces = {"shop"}});
  link.run(milliseconds(3'000));
  expect_equal(a, b);
  EXPECT_TRUE(b.engine->version(*b.engine->find_keyspace("till")).empty());
  EXPECT_TRUE(link.session(0).in_sync());
}

TEST(Session, AKeyspaceOpenedLaterIsServed) {
  TestClock clock;
  Peer a(1), b(2);
  Link link(clock, a, b);
  link.run(milliseconds(300));
  KeyspaceState* till = *a.engine->open_keyspace("till");
  KeyspaceState* other = *b.engine->open_keyspace("till");
  Transaction tx = a.engine->begin(*till, clock.now);
  tx.put(tx.open(k), 0, "x");
  ASSERT_TRUE(a.engine->commit(std::move(tx)).has_value());
  link.run(milliseconds(3'000));
  EXPECT_EQ(a.engine->digests(*till), b.engine->digests(*other));
}

// ---- passes ----

// A pass that is cut at any frame goes on where it was; it doesn't start over.
TEST(Session, ACutPassGoesOnWhereItWas) {
  TestClock clock;
  Peer a(1);
  constexpr int leaves = 40;
  for (int i = 0; i < leaves; ++i) a.put(clock, {leaf(std::to_string(i))}, "x");
  for (const bool full : {false, true}) {
    if (full) a.engine->cut_log(*a.shop, 0);
    Peer b(full ? 3 : 2);
    std::uint64_t sent = 0;
    int links = 0;
    for (std::size_t frames = 12; b.version() != a.version(); ++links) {
      ASSERT_LT(links, 100);
      Link link(clock, a, b, SessionOptions{.chunk_bytes = 1});
      link.settle(frames);
      sent += link.session(1).metrics().leaves_in;
    }
    EXPECT_GT(links, 3);
    EXPECT_LE(sent, leaves + 2U);  // Each leaf came once.
    expect_equal(a, b);
  }
}

TEST(Session, StagedChunksSurviveARestart) {
  TestClock clock;
  Peer a(1), b(2, {}, true);
  constexpr int leaves = 40;
  for (int i = 0; i < leaves; ++i) a.put(clock, {leaf(std::to_string(i))}, "x");
  std::uint64_t sent = 0;
  int links = 0;
  for (; b.version() != a.version(); ++links) {
    ASSERT_LT(links, 100);
    {
      Link link(clock, a, b, SessionOptions{.chunk_bytes = 1});
      link.settle(12);
      sent += link.session(1).metrics().leaves_in;
      b.persist();
    }
    EXPECT_TRUE(b.content().empty() || b.version() == a.version());
    b.restart();
  }
  EXPECT_GT(links, 3);
  EXPECT_LE(sent, leaves + 2U);
  expect_equal(a, b);
}

TEST(Session, ALeafLargerThanAFrameTravelsInSeveral_R_RES_3) {
  TestClock clock;
  Peer a(1), b(2);
  SessionOptions options;
  options.limits.frame_bytes_max = 1'024;
  const std::string value(60'000, 'v');
  a.put(clock, {k}, value);
  Link link(clock, a, b, options);
  link.run(milliseconds(1'000));  // By a pass...
  EXPECT_EQ(b.content().at(k).front().payload.bytes, value);
  a.put(clock, {m}, value);
  link.run(milliseconds(100));  // ...and by a push.
  EXPECT_EQ(b.content().at(m).front().payload.bytes, value);
  EXPECT_GT(link.session(0).metrics().frames_out, 120U);
  expect_equal(a, b);
}

// Bytes that a fresh peer is sent of orders that look much alike; `alter` is done to what it says.
std::uint64_t bytes_of_joining(const SessionOptions& options, const std::function<bool(Message&)>& alter) {
  TestClock clock;
  Peer a(1), fresh(2);
  for (int i = 0; i < 2'000; ++i)
    a.put(clock, {leaf("order-" + std::to_string(i * 7'919 % 100'003))},
          R"({"state":"delivered","paid":true,"currency":"EUR","cents":)" + std::to_string(i * i % 9'973) +
              "}");
  a.engine->cut_log(*a.shop, 0);
  Link link(clock, a, fresh, options);
  link.operate_on(1, alter);
  link.settle();
  EXPECT_EQ(fresh.content(), a.content());
  return link.session(0).metrics().bytes_out;
}

TEST(Session, PassesAreCompressedForWhoReadsThat) {
  const auto as_it_is = [](Message&) { return true; };
  const auto of_an_older_peer = [](Message& message) {
    if (auto* const hello = std::get_if<Hello>(&message)) hello->reads = 0;
    return true;
  };
  const std::uint64_t compressed = bytes_of_joining({}, as_it_is);
  const std::uint64_t plain = bytes_of_joining({.compress = false}, as_it_is);
  EXPECT_LT(compressed * 3, plain);
  EXPECT_EQ(bytes_of_joining({}, of_an_older_peer), plain);
}

TEST(Session, APassWithoutProgressIsGivenUp) {
  TestClock clock;
  Peer a(1), b(2), c(3);
  a.put(clock, {k});
  {
    Link link(clock, a, c);
    link.run(milliseconds(300));
  }
  Link stuck(clock, a, b), good(clock, c, b);
  stuck.operate_on(0, [](Message& message) { return !std::holds_alternative<Chunk>(message); });
  stuck.run(milliseconds(1'000));
  good.run(milliseconds(1'000));
  EXPECT_TRUE(b.version().empty());  // One inbound pass at a time, and that one says nothing.
  for (int turn = 0; turn < 12; ++turn) {
    clock.pass(milliseconds(1'000));
    stuck.session(1).handle_timeout(clock.now);
    good.run(milliseconds(50));
  }
  expect_equal(b, c);
}

// Equal versions with unequal states are found, reported and repaired, and a repair that can't help isn't
// tried in a loop.
TEST(Session, DivergenceIsFoundAndRepairedWithBackOff_R_AE_1_R_BLAST_3) {
  TestClock clock;
  Peer a(1, {}, true), b(2);
  a.put(clock, {k, m});
  a.persist();
  {
    Link link(clock, a, b);
    link.run(milliseconds(300));
  }
  ASSERT_TRUE(a.disk->lose("shop", k));
  a.restart();
  a.disk->set_digests("shop", *a.engine->recompute_digests(*a.shop));
  a.restart();
  {
    // Repairs get no answer: asked for at growing intervals.
    Link link(clock, a, b);
    std::vector<milliseconds> asked;
    link.operate_on(0, [&](Message& message) {
      const auto* want = std::get_if<Want>(&message);
      if (want == nullptr || !want->repair) return true;
      asked.push_back(clock.now.monotonic);
      return false;
    });
    link.operate_on(1, [](Message& message) {
      const auto* want = std::get_if<Want>(&message);
      return want == nullptr || !want->repair;
    });
    link.run(milliseconds(120'000));
    EXPECT_TRUE(contains(a.notices(), Notice::Kind::divergence_detected));
    EXPECT_FALSE(link.session(0).in_sync());
    EXPECT_GE(asked.size(), 2U);
    EXPECT_LE(asked.size(), 13U);
  }
  Link link(clock, a, b);
  link.run(milliseconds(5'000));  // Five rounds.
  EXPECT_TRUE(a.content().contains(k));
  expect_equal(a, b);
  EXPECT_TRUE(link.session(0).in_sync());
}

// ---- long absences, wrong clocks ----

// Causes are never dropped by time. While B is away for 400 days, what it had
// is removed, others write, and the log forgets: it resurrects nothing, and
// what it wrote alone is lost to nobody.
TEST(Session, APeerBackAfterAYearResurrectsNothing_R_GC_1) {
  TestClock clock;
  Peer a(1, EngineOptions{.log_bytes_max = 2'000}), b(2, {}, true), c(3);
  for (int i = 0; i < 20; ++i) a.put(clock, {leaf("old" + std::to_string(i))});
  {
    Link ab(clock, a, b), ac(clock, a, c);
    ab.run(milliseconds(1'000));
    ac.run(milliseconds(1'000));
  }
  b.put(clock, {leaf("alone")});
  b.persist();
  {
    Link ac(clock, a, c);
    for (int i = 0; i < 20; ++i) a.remove(clock, {leaf("old" + std::to_string(i))});
    for (int day = 0; day < 400; ++day) {
      clock.pass(std::chrono::hours(24));
      a.put(clock, {leaf("day" + std::to_string(day % 10))});
      ac.run(milliseconds(100));
    }
  }
  b.restart();
  Link ab(clock, a, b), ac(clock, a, c);
  for (int turn = 0; turn < 5; ++turn) {
    ab.run(milliseconds(1'000));
    ac.run(milliseconds(1'000));
  }
  expect_equal(a, b);
  expect_equal(a, c);
  EXPECT_EQ(c.content().size(), 11U);
  EXPECT_TRUE(c.content().contains(leaf("alone")));
  EXPECT_GT(ab.session(1).metrics().full_passes_in, 0U);
}

// A replica that starts with its wall clock off by ten years is as good as any.
TEST(Session, RestartsWithAWallClockTenYearsOffRejoinAtOnce_R_MEM_2) {
  constexpr auto ten_years = std::chrono::hours(24 * 3653);
  for (const auto jump : {ten_years, -ten_years}) {
    TestClock clock;
    Peer a(1), b(2, {}, true);
    a.put(clock, {k});
    {
      Link link(clock, a, b);
      b.put(clock, {m});
      link.run(milliseconds(300));
    }
    b.restart();
    TestClock jumped = clock;
    jumped.now.wall += jump;
    b.put(jumped, {leaf("after")});
    b.persist();
    Link link(clock, a, b);
    link.run(milliseconds(300));
    expect_equal(a, b);
    EXPECT_EQ(a.content().size(), 3U);
    EXPECT_TRUE(link.session(0).in_sync());
  }
}

// ---- timers ----

// A deadline that handling doesn't move would make its loop spin.
TEST(Session, ADeadlineIsNeverLeftInThePast) {
  TestClock clock;
  Peer a(1), b(2, {}, true);
  Link link(clock, a, b);
  const auto wake = [&] {
    clock.pass(milliseconds(5'000));
    for (const std::size_t end : {0U, 1U}) {
      link.session(end).handle_timeout(clock.now);
      EXPECT_GT(link.session(end).poll_deadline(), clock.now.monotonic);
    }
  };
  wake();  // Not greeted.
  link.run(milliseconds(300));
  a.put(clock, {k});
  link.collect(0);
  link.deliver(0);
  wake();  // An acknowledgement is due, and there is no room for it.
  b.disk_works = false;
  a.put(clock, {m});
  link.run(milliseconds(100));
  wake();  // One waits for the disk.
  b.disk_works = true;
  link.run(milliseconds(3'000));
  expect_equal(a, b);
}

TEST(Session, CallingEarlyOrOftenIsHarmless) {
  TestClock clock;
  Peer a(1), b(2);
  Link link(clock, a, b);
  link.run(milliseconds(300));
  const std::uint64_t before = link.session(0).metrics().frames_out;
  for (int i = 0; i < 1'000; ++i) link.session(0).handle_timeout(clock.now);
  link.settle();
  EXPECT_LE(link.session(0).metrics().frames_out, before + 1);
}

TEST(Session, ARequestSurfacesAtThePeerAndNowhereElse) {
  TestClock clock;
  Peer a(1), b(2), c(3);
  a.put(clock, {k});
  Link ab(clock, a, b);
  Link bc(clock, b, c);
  EXPECT_FALSE(ab.session(0).ask("shop", k, "1")) << "not before the greeting";
  ab.run(milliseconds(300));
  bc.run(milliseconds(300));
  EXPECT_FALSE(ab.session(0).ask("till", k, "1")) << "a keyspace that isn't shared";
  EXPECT_TRUE(ab.session(0).ask("shop", k, "1"));
  EXPECT_TRUE(ab.session(0).ask("shop", k, "2")) << "it replaces the first, which wasn't sent yet";
  ab.settle();
  bc.run(milliseconds(300));
  std::vector<Asked> heard;
  while (auto event = b.engine->poll_event())
    if (auto* asked = std::get_if<Asked>(&*event)) heard.push_back(std::move(*asked));
  ASSERT_EQ(heard.size(), 1U);
  EXPECT_EQ(heard[0].keyspace, "shop");
  EXPECT_EQ(heard[0].asker, a.engine->own_actor(*a.shop));
  EXPECT_EQ(heard[0].leaf, k);
  EXPECT_EQ(heard[0].request, "2");
  while (const auto event = c.engine->poll_event()) EXPECT_FALSE(std::holds_alternative<Asked>(*event));
}

TEST(Session, OnlySoManyRequestsWaitToBeSent_R_RES_1) {
  TestClock clock;
  Peer a(1), b(2);
  Link link(clock, a, b);
  link.run(milliseconds(300));
  std::size_t waiting = 0;
  while (link.session(0).ask("shop", leaf(std::to_string(waiting)), "1")) ++waiting;
  EXPECT_EQ(waiting, 64U);
  EXPECT_FALSE(link.session(0).ask("shop", k, std::string(65, 'x')));
  link.settle();
  EXPECT_TRUE(link.session(0).ask("shop", k, std::string(64, 'x')));
}

}  // namespace
}  // namespace syncline
