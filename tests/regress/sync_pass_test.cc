// The traces that break obvious designs of pushes and passes, played on real
// engines; and each once more with the defect planted, by surgery on frames or
// in the model.
#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <set>

#include "tests/sync/pass_model.h"
#include "tests/sync/peers.h"

namespace syncline {
namespace {

using std::chrono::milliseconds;

const std::string k = leaf("k");
const std::string m = leaf("m");

bool model_finds(model::Broken broken) {
  return !model::search({.leaves = 2, .depth = 7, .rows = 4, .log_cuts = false, .broken = broken})
              .violation.empty();
}

// What must never be: equal versions, unequal live dots.
bool diverged(const Peer& a, const Peer& b) {
  return a.version() == b.version() && a.content() != b.content();
}

// The digests tell, and a repair would mend it (R-AE-1): not asked for here, so that the damage can be seen.
bool without_repairs(const Message& message) {
  const auto* want = std::get_if<Want>(&message);
  return want == nullptr || !(want->full || want->repair);
}

bool was_noticed(Peer& peer) {
  const auto kinds = peer.notices();
  return std::find(kinds.begin(), kinds.end(), Notice::Kind::divergence_detected) != kinds.end();
}

// ---- Seen is not applied (counterexample 1) ------------------------------------------------

// A adds milk (a1), B has it. B re-adds it (b1, removes a1) and tells C. C
// re-adds it (c1, removes b1) and tells A before b1 reaches A.
struct Milk {
  TestClock clock;
  Peer a{1}, b{2}, c{3};
  Link ab{clock, a, b}, bc{clock, b, c}, ca{clock, c, a, SessionOptions{.relay = false}};
  Dot a1, b1, c1;

  // Up to where c1 is on its way to A.
  void play() {
    for (Link* link : {&ab, &bc, &ca}) link->run(milliseconds(300));
    a1 = a.put(clock, {k});
    for (Link* link : {&ab, &bc, &ca}) link->settle();
    b1 = b.put(clock, {k});
    bc.settle();
    c1 = c.put(clock, {k});
    ca.collect(0);
    while (ca.deliver(0)) {
    }
  }
};

TEST(SeenIsNotApplied, AnEarlyChangeWaitsForWhatItRemoves_R_CRDT_3) {
  Milk milk;
  milk.play();
  EXPECT_EQ(milk.a.live(k), std::vector{milk.a1});
  EXPECT_FALSE(milk.a.version().contains(milk.c1));
  EXPECT_EQ(milk.a.engine->metrics().changes_waiting, 1U);
  milk.ab.settle();
  milk.bc.settle();
  EXPECT_EQ(milk.a.live(k), std::vector{milk.c1});
  expect_equal(milk.a, milk.b);
  expect_equal(milk.a, milk.c);
}

TEST(SeenIsNotApplied, WithoutCausesItDiverges) {
  Milk milk;
  std::list<std::vector<RowView>> rows;
  milk.ca.operate_on(0, [&rows](Message& message) {
    auto* push = std::get_if<Push>(&message);
    if (push == nullptr) return true;
    for (ChangeView& change : push->changes) {
      change.dependencies = {};
      rows.emplace_back(change.rows.begin(), change.rows.end());
      for (RowView& row : rows.back()) row.removed = {};
      change.rows = rows.back();
    }
    return true;
  });
  milk.play();
  milk.ab.settle();
  milk.bc.settle();
  EXPECT_TRUE(diverged(milk.a, milk.c));
  EXPECT_TRUE(model_finds(model::Broken::removed_counts_as_seen));
  EXPECT_TRUE(model_finds(model::Broken::no_causal_order));
}

// ---- One change over two leaves, the pass cut between them (counterexample 2) --------------

TEST(OneChangeTwoLeaves, ACutBetweenThemShowsNeither) {
  TestClock clock;
  Peer a(1), b(2);
  a.put(clock, {m});
  {
    Link link(clock, a, b);
    link.run(milliseconds(300));
  }
  // One change: puts k, and overwrites m.
  const Dot first = a.put(clock, {k, m}, "new");
  std::size_t frames = 0;
  for (; b.version() != a.version(); ++frames) {
    ASSERT_LT(frames, 200U);
    Link link(clock, a, b, SessionOptions{.chunk_bytes = 1});
    link.settle(frames);  // Cut after so many frames: at every boundary there is.
    if (b.version().contains(first)) break;
    EXPECT_FALSE(b.content().contains(k));
    EXPECT_NE(b.content().at(m).front().payload.bytes, "new");
  }
  EXPECT_GT(frames, 4U);
  expect_equal(a, b);
}

TEST(OneChangeTwoLeaves, AChunkThatCommitsAloneLosesHalf) {
  TestClock clock;
  Peer a(1), b(2);
  a.put(clock, {k, m});
  Link link(clock, a, b, SessionOptions{.chunk_bytes = 1});
  // The first chunk claims to be the last.
  link.operate_on(0, [&](Message& message) {
    auto* chunk = std::get_if<Chunk>(&message);
    if (chunk == nullptr) return true;
    chunk->closing = true;
    chunk->digests = a.engine->digests(*a.shop);
    return chunk->number == 0;
  });
  link.operate_on(1, without_repairs);
  link.settle();
  EXPECT_TRUE(diverged(a, b));
  EXPECT_TRUE(was_noticed(b));
  EXPECT_TRUE(model_finds(model::Broken::chunks_commit_alone));
  EXPECT_TRUE(model_finds(model::Broken::version_before_closing));
}

// ---- A removal learned from state must be passed on (counterexample 3) ----------------------

// A adds a1 and B has it; A removes it (a2); C learns all by a pass, then tells B by a pass.
struct LearnedRemoval {
  TestClock clock;
  Peer a{1}, b{2}, c{3};
  Dot a2;

  void play(const std::function<bool(Message&)>& from_a_to_c,
            const std::function<bool(Message&)>& from_c_to_b) {
    a.put(clock, {k});
    {
      Link ab(clock, a, b);
      ab.settle();
    }
    a2 = a.remove(clock, {k});
    Link ac(clock, a, c);
    if (from_a_to_c) ac.operate_on(0, from_a_to_c);
    ac.settle();
    Link cb(clock, c, b);
    if (from_c_to_b) {
      cb.operate_on(0, from_c_to_b);
      cb.operate_on(1, without_repairs);
    }
    cb.settle();
    full_passes = cb.session(1).metrics().full_passes_in;
    passes = cb.session(1).metrics().passes_in;
  }
  std::uint64_t full_passes = 0;
  std::uint64_t passes = 0;
};

TEST(LearnedRemoval, ComesWithTheRowThatNamesItsLeaf) {
  LearnedRemoval trace;
  trace.play({}, {});
  EXPECT_TRUE(trace.b.live(k).empty());
  EXPECT_EQ(trace.passes, 1U);
  EXPECT_EQ(trace.full_passes, 0U);
  expect_equal(trace.a, trace.b);
}

// Without the row C knows that it can't name the leaf: it gives all of them.
TEST(LearnedRemoval, WithoutTheRowItTakesAFullPass) {
  LearnedRemoval trace;
  trace.play(
      [](Message& message) {
        if (auto* chunk = std::get_if<Chunk>(&message)) chunk->dead.clear();
        return true;
      },
      {});
  EXPECT_TRUE(trace.b.live(k).empty());
  EXPECT_EQ(trace.full_passes, 1U);
  expect_equal(trace.a, trace.b);
}

TEST(LearnedRemoval, APassThatNamesNothingKeepsTheRemoved) {
  LearnedRemoval trace;
  trace.play({}, [](Message& message) {
    if (auto* chunk = std::get_if<Chunk>(&message)) {
      chunk->dead.clear();
      chunk->leaves.clear();
    }
    return true;
  });
  EXPECT_TRUE(diverged(trace.a, trace.b));
  EXPECT_TRUE(was_noticed(trace.b));
  EXPECT_TRUE(model_finds(model::Broken::dead_rows_stay_home));
}

// ---- A change written between two chunks (counterexample 4) ---------------------------------

// A pass of k and m from B to A; a change over both is written after k was read.
struct BetweenChunks {
  TestClock clock;
  Peer a{1}, b{2};
  Dot between;

  void play(const std::function<bool(Message&)>& alter) {
    b.put(clock, {k, m}, "old");
    Link link(clock, b, a, SessionOptions{.chunk_bytes = 1});
    bool read = false;
    link.operate_on(0, [&](Message& message) {
      read = read || std::holds_alternative<Chunk>(message);
      return without_repairs(message) && (!alter || alter(message));
    });
    link.operate_on(1, without_repairs);
    for (int turn = 0; turn < 1'000; ++turn) {
      link.collect(0, 1);
      if (read && between.counter == 0) between = b.put(clock, {k, m}, "new");
      link.collect(1);
      const bool moved = link.deliver(0) || link.deliver(1);
      if (!moved && read) break;
      EXPECT_TRUE(a.version().empty() || a.version() == b.version());
    }
  }
};

TEST(BetweenChunks, TheClosingChunkReadsAgain) {
  BetweenChunks trace;
  trace.play({});
  ASSERT_NE(trace.between.counter, 0U);
  EXPECT_EQ(trace.a.content().at(k).front().payload.bytes, "new");
  EXPECT_EQ(trace.a.content().at(m).front().payload.bytes, "new");
  expect_equal(trace.a, trace.b);
}

TEST(BetweenChunks, WithoutReadingAgainHalfIsLost) {
  BetweenChunks trace;
  std::set<std::string> sent;
  trace.play([&sent](Message& message) {
    auto* chunk = std::get_if<Chunk>(&message);
    if (chunk == nullptr) return true;
    std::erase_if(chunk->leaves, [&](const LeafView& view) { return !sent.emplace(view.leaf).second; });
    return true;
  });
  EXPECT_TRUE(diverged(trace.a, trace.b));
  EXPECT_TRUE(was_noticed(trace.a));
  EXPECT_TRUE(model_finds(model::Broken::no_closing_chunk));
  EXPECT_TRUE(model_finds(model::Broken::resumes_blindly));
}

// ---- Leaves removed while a full pass runs --------------------------------------------------

// A has m and n. A full pass from B begins with k; then B removes m and n, so the
// first round ends with l. A second round, of what was touched meanwhile, says
// that m and n are gone, which the first one's silence said, too.
class GoneBehindTheFirstRound : public testing::TestWithParam<bool> {};

// It was merged twice on a disk: the digest kept was that of no leaves, so all
// full passes from there were refused ever after.
TEST_P(GoneBehindTheFirstRound, ALeafIsMergedOnce_R_AE_2) {
  TestClock clock;
  Peer a(1, {}, GetParam()), b(2);
  const std::string l = leaf("l");
  const std::string n = leaf("n");
  b.put(clock, {m, n});
  Link(clock, b, a).settle();
  b.put(clock, {k, l});
  b.engine->cut_log(*b.shop, 0);  // So that it takes a full pass.
  Link link(clock, b, a, SessionOptions{.chunk_bytes = 1});
  std::size_t chunks = 0;
  std::size_t rounds = 0;
  link.operate_on(0, [&](Message& message) {
    if (const auto* chunk = std::get_if<Chunk>(&message)) {
      ++chunks;
      rounds += chunk->new_round ? 1 : 0;
    }
    return true;
  });
  for (int turn = 0; turn < 100; ++turn) {
    link.collect(0, 1);
    if (chunks == 1 && !b.live(m).empty()) b.remove(clock, {m, n});
    link.collect(1);
    link.deliver(0);
    link.deliver(1);
  }
  EXPECT_EQ(rounds, 2U);
  EXPECT_EQ(a.engine->leaf_count(*a.shop), 2U);
  expect_equal(a, b);
}

INSTANTIATE_TEST_SUITE_P(OnDisk, GoneBehindTheFirstRound, testing::Bool());

// ---- News that came by a pass ---------------------------------------------------------------

// B and C share what they have; A comes to B with more than pushes can bring. From there it goes on to C
// with no tick between: each machine of a row used to wait for one of its own (seed 105000373 of the soak).
class NewsOfAPass : public testing::TestWithParam<bool> {};

TEST_P(NewsOfAPass, GoOnAtOnce_R_AE_3) {
  TestClock clock;
  Peer a(1), b(2, {}, GetParam()), c(3, {}, GetParam());
  Link bc(clock, b, c);
  b.put(clock, {k});
  bc.run(milliseconds(1'100));
  ASSERT_TRUE(bc.session(0).in_sync() && bc.session(1).in_sync());
  const std::uint64_t ticks = bc.session(1).metrics().ticks_equal + bc.session(1).metrics().ticks_unequal;
  a.put(clock, {m});
  Link ab(clock, a, b);
  ab.settle();
  ASSERT_EQ(ab.session(1).metrics().passes_in, 1U);
  EXPECT_TRUE(ab.session(1).in_sync());  // It has compared what it took: nobody need tell it.
  bc.run(milliseconds(250));             // What pushes may bring isn't asked for earlier.
  EXPECT_EQ(c.content(), b.content());
  EXPECT_TRUE(bc.session(0).in_sync() && bc.session(1).in_sync());
  EXPECT_EQ(bc.session(1).metrics().ticks_equal + bc.session(1).metrics().ticks_unequal, ticks);
}

INSTANTIATE_TEST_SUITE_P(OnDisk, NewsOfAPass, testing::Bool());

// ---- The register's loser (counterexample 6) ------------------------------------------------

TEST(RegistersLoser, StaysUntilItIsRemoved) {
  TestClock clock;
  Peer a(1), b(2), c(3);
  const Dot a1 = a.put(clock, {k}, "loses");
  b.put(clock, {k}, "wins");
  Link bc(clock, b, c), ac(clock, a, c);
  bc.settle();
  ac.settle();
  EXPECT_EQ(c.live(k).size(), 2U);
  b.remove(clock, {k});
  bc.settle();
  EXPECT_EQ(c.live(k), std::vector{a1});
  ac.settle();
  EXPECT_EQ(a.live(k), std::vector{a1});
  EXPECT_TRUE(model_finds(model::Broken::losers_are_dropped));
}

}  // namespace
}  // namespace syncline
