// A replica that knows it lost a leaf: it answers nothing for it, nobody takes it
// for removed, and a peer that has it makes it whole again.
#include <gtest/gtest.h>

#include "tests/sync/peers.h"

namespace syncline {
namespace {

using std::chrono::milliseconds;

const std::string k = leaf("k");
const std::string m = leaf("m");
const std::string n = leaf("n");

// Of what a message tells only the names go on.
bool keep_news(Message& message) {
  if (auto* const push = std::get_if<Push>(&message)) push->changes.clear();
  if (const auto* const chunk = std::get_if<Chunk>(&message))
    message = Push{chunk->keyspace, std::vector<ActorId>(chunk->definitions), {}};
  return true;
}

struct LostLeaf : testing::Test {
  LostLeaf() {
    a.put(clock, {k, m});
    b.put(clock, {n});
    run(a, b, milliseconds(2'000));
  }

  void run(Peer& one, Peer& other, milliseconds time) {
    Link link(clock, one, other);
    link.run(time);
  }
  // The record of a leaf of B rots, and its store says so.
  void lose(const std::string& leaf) {
    ASSERT_TRUE(b.disk->lose("shop", leaf));
    b.restart();
    EXPECT_TRUE(*b.engine->distrust(*b.shop, leaf));
    EXPECT_TRUE(contains(b.notices(), Notice::Kind::leaf_lost));
  }

  TestClock clock;
  Peer a{1}, b{2, {}, true}, c{3};
};

TEST_F(LostLeaf, IsNeitherThereNorAbsent_R_DUR_6) {
  lose(k);
  const auto found = b.engine->find(*b.shop, k);
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, Errc::damaged);
  EXPECT_TRUE(b.engine->find(*b.shop, m)->has_value());
  const auto scanned = b.engine->scan(*b.shop, {}, [](std::string_view, std::string_view) { return true; });
  ASSERT_FALSE(scanned.has_value());
  EXPECT_EQ(scanned.error().code, Errc::damaged);
  EXPECT_TRUE(
      b.engine->scan(*b.shop, m, [](std::string_view, std::string_view) { return true; }).has_value());
  Transaction tx = b.engine->begin(*b.shop, clock.now);
  tx.put(tx.open(k), 0, "blind");
  EXPECT_EQ(b.engine->commit(std::move(tx)).error().code, Errc::damaged);
  EXPECT_EQ(b.engine->lost_leaves(*b.shop), std::vector{k});
}

TEST_F(LostLeaf, ComesBackFromAPeerAndIsWhole_R_DUR_6) {
  const Content whole = b.content();
  lose(k);
  {
    Link link(clock, a, b);
    link.run(milliseconds(2'000));
    EXPECT_TRUE(link.session(1).in_sync());
    EXPECT_EQ(link.session(1).metrics().full_passes_in, 0U);  // It cost the leaf, not the keyspace.
    EXPECT_EQ(link.session(1).metrics().leaves_in, 1U);
  }
  EXPECT_EQ(b.content(), whole);
  expect_equal(a, b);
  EXPECT_TRUE(contains(b.notices(), Notice::Kind::leaf_mended));
  EXPECT_TRUE(b.disk->leaf("shop", k).has_value());
  b.restart();
  EXPECT_EQ(b.content(), whole);
  EXPECT_EQ(*b.engine->recompute_digests(*b.shop), b.engine->digests(*b.shop));
}

TEST_F(LostLeaf, ThatWasRemovedMeanwhileIsGone) {
  lose(k);
  a.remove(clock, {k});
  Link link(clock, a, b);
  link.run(milliseconds(3'000));
  EXPECT_TRUE(b.live(k).empty());
  expect_equal(a, b);
}

TEST_F(LostLeaf, ThatWasWrittenMeanwhileHasTheNewValue) {
  lose(k);
  const Dot later = a.put(clock, {k, m}, "later");
  Link link(clock, a, b);
  link.run(milliseconds(3'000));
  EXPECT_EQ(b.live(k), std::vector{later});
  expect_equal(a, b);
}

// It is absent at B, and B's version covers it: a fresh peer, and one that B
// would give all its leaves, must not take it for removed.
TEST_F(LostLeaf, IsRemovedNowhere_R_DUR_6) {
  run(a, c, milliseconds(1'000));
  lose(k);
  b.put(clock, {m}, "news");
  b.engine->cut_log(*b.shop, 0);
  Peer fresh(4);
  Link to_fresh(clock, b, fresh);
  to_fresh.run(milliseconds(3'000));
  EXPECT_TRUE(fresh.version().empty());
  Link bc(clock, b, c);
  bc.run(milliseconds(3'000));
  EXPECT_FALSE(c.live(k).empty());
  Link ab(clock, a, b);
  for (int turn = 0; turn < 10; ++turn) {
    ab.run(milliseconds(1'000));
    bc.run(milliseconds(1'000));
    to_fresh.run(milliseconds(1'000));
  }
  // A lacked B's news, and still B could tell by its digest that A has the very leaf.
  for (const Peer* peer : {&b, &c, &fresh}) expect_equal(a, *peer);
  EXPECT_FALSE(a.live(k).empty());
}

// Who doesn't have all that B had may lack what B had there: it does here, and B's digest knows.
TEST_F(LostLeaf, IsMendedOnlyByWhoHasAllThatWasHad) {
  Peer behind(5);
  run(a, behind, milliseconds(1'000));
  const Dot later = b.put(clock, {k}, "later");
  b.persist();
  lose(k);
  b.engine->cut_log(*b.shop, 0);  // What was written last is here alone, and can't be told.
  run(behind, b, milliseconds(5'000));
  EXPECT_EQ(b.engine->lost_leaves(*b.shop), std::vector{k});
  EXPECT_FALSE(b.engine->find(*b.shop, k).has_value());
  EXPECT_FALSE(behind.version().contains(later));
}

// B hears that k was removed, and can't tell that C has all that B had. Then A's
// copy, the very one that B lost, is older than what B's version says of k.
TEST_F(LostLeaf, IsNotMendedByAnOldCopyOnceItsRemovalWasHeardOf_R_DUR_6) {
  run(a, c, milliseconds(1'000));
  const Dot news = b.put(clock, {m}, "news");
  b.persist();
  lose(k);
  c.remove(clock, {k});
  for (Peer* other : {&c, &a}) {
    Link link(clock, *other, b);
    link.operate_on(1, keep_news);
    link.run(milliseconds(3'000));
    ASSERT_FALSE(other->version().contains(news));
    EXPECT_EQ(b.engine->lost_leaves(*b.shop), std::vector{k});
  }
  Link bc(clock, b, c);
  bc.run(milliseconds(3'000));
  expect_equal(b, c);
  EXPECT_TRUE(b.live(k).empty());
  run(a, b, milliseconds(2'000));
  expect_equal(a, b);
}

// After a silent loss B adds up what it has. What it knows it lost isn't in that sum: it isn't what
// a peer has who never had it.
TEST_F(LostLeaf, IsNotTakenForAbsentAfterARecount_R_DUR_6) {
  ASSERT_TRUE(b.disk->lose("shop", n));
  b.restart();
  while (!b.engine->scrub(*b.shop, 100)->finished) continue;
  ASSERT_TRUE(b.disk->lose("shop", k));
  ASSERT_TRUE(*b.engine->distrust(*b.shop, k));
  {
    Link link(clock, a, b);  // A repair brings back n; k can't be asked for.
    link.operate_on(1, [](Message& message) {
      const auto* const want = std::get_if<Want>(&message);
      return want == nullptr || want->lost.empty();
    });
    link.run(milliseconds(1'000));
  }
  ASSERT_TRUE(b.engine->find(*b.shop, n)->has_value());
  Peer fresh(4);
  run(fresh, b, milliseconds(5'000));
  EXPECT_EQ(b.engine->lost_leaves(*b.shop), std::vector{k});
  run(a, b, milliseconds(5'000));
  run(fresh, b, milliseconds(5'000));
  EXPECT_FALSE(a.live(k).empty());
  expect_equal(a, b);
  expect_equal(a, fresh);
}

// A commit that fails loses it again.
TEST_F(LostLeaf, IsLostAgainWhenItsRecordFails) {
  lose(k);
  b.disk_works = false;
  run(a, b, milliseconds(1'000));
  const auto record = b.engine->poll_record();
  ASSERT_TRUE(record.has_value());
  EXPECT_TRUE(b.engine->lost_leaves(*b.shop).empty());
  b.engine->handle_failed(Error{Errc::storage, "disk full"});
  EXPECT_EQ(b.engine->lost_leaves(*b.shop), std::vector{k});
  b.disk_works = true;
  Link link(clock, a, b);
  link.run(milliseconds(2'000));
  expect_equal(a, b);
}

// Two replicas, each of which lost another leaf, mend each other.
TEST_F(LostLeaf, OnBothSidesIsMendedOnBoth) {
  lose(k);
  ASSERT_TRUE(*a.engine->distrust(*a.shop, m));
  Link link(clock, a, b);
  link.run(milliseconds(3'000));
  expect_equal(a, b);
  EXPECT_EQ(a.content().size(), 3U);
}

// What the store finds out by reading.
TEST_F(LostLeaf, IsFoundOutByReading_R_DUR_6) {
  ASSERT_TRUE(b.disk->rot("shop", k));
  EXPECT_EQ(b.engine->find(*b.shop, k).error().code, Errc::damaged);
  EXPECT_EQ(b.engine->lost_leaves(*b.shop), std::vector{k});
  Link link(clock, a, b);
  link.run(milliseconds(2'000));
  expect_equal(a, b);
}

}  // namespace
}  // namespace syncline
