// Questions without an answer, and answers without a question: passes and
// repairs that a peer never brings, and frames of a connection that is gone.
// Each once more with the defect planted, in the harness around real sessions.
#include <gtest/gtest.h>

#include "tests/sync/peers.h"

namespace syncline {
namespace {

using std::chrono::milliseconds;

const std::string k = leaf("k");
const std::string m = leaf("m");

// ---- A peer that never answers ---------------------------------------------------------------

// B has a link to A, whose answers to questions for a pass get lost, and one to C, who answers.
struct Silence {
  explicit Silence(bool b_has_disk = false) : b(2, {}, b_has_disk) {}

  // Links B with A anew.
  void connect() {
    silent.reset();
    silent = std::make_unique<Link>(clock, a, b);
    silent->operate_on(0, [this](Message& message) {
      if (std::holds_alternative<Want>(message)) return false;  // A doesn't mend itself.
      return !std::holds_alternative<Chunk>(message) || clock.now.monotonic >= answered_from;
    });
    silent->operate_on(1, [this](Message& message) {
      if (!std::holds_alternative<Want>(message)) return true;
      asked.push_back(clock.now.monotonic);
      return !asks_once || asked.size() == 1;
    });
    silent->settle();
  }
  // Lets so much time pass, A's side first; ends early once B is as C.
  bool agree_within(milliseconds time) {
    constexpr milliseconds step(50);
    for (milliseconds passed{0}; passed < time; passed += step) {
      clock.pass(step);
      for (Link* link : {silent.get(), good.get()}) {
        link->session(0).handle_timeout(clock.now);
        link->session(1).handle_timeout(clock.now);
        if (forgets && !asked.empty() && asked.back() + SessionOptions{}.pass_timeout <= clock.now.monotonic)
          connect();
        silent->settle();
        if (link == good.get()) good->settle();
      }
      if (b.version() == c.version() && b.content() == c.content()) return true;
    }
    return false;
  }

  TestClock clock;
  Peer a{1}, b, c{3};
  std::unique_ptr<Link> silent, good;
  std::vector<milliseconds> asked;  // When B asked A.
  milliseconds answered_from = milliseconds::max();
  bool forgets = false;    // The defect: B's session doesn't remember that nobody answered.
  bool asks_once = false;  // The defect: B doesn't remember that it wanted an answer.
};

// A and C have what B lacks.
struct SilentPass : Silence {
  SilentPass() {
    a.put(clock, {k, m});
    Link link(clock, a, c);
    link.run(milliseconds(300));
    connect();
    good = std::make_unique<Link>(clock, c, b);
  }
};

TEST(SilentPeer, OthersAreAskedBeforeItIsAskedAgain) {
  SilentPass trace;
  EXPECT_TRUE(trace.agree_within(SessionOptions{}.pass_timeout + milliseconds(1'000)));
  EXPECT_EQ(trace.asked.size(), 1U);
  expect_equal(trace.b, trace.c);
}

// The simulator's seed 994: a peer that went away in the middle of a pass held up all others.
TEST(SilentPeer, HoldsUpOthersForLessThanTenTicks_R_AE_3) {
  SilentPass trace;
  EXPECT_TRUE(trace.agree_within(8 * SessionOptions{}.tick_interval));
}

// The simulator's seed 832: B slept while the answer was on its way, gave up the pass at once, and then
// let the only peer that had news wait as long as one that doesn't answer.
TEST(SilentPeer, IsAskedAgainSoonByWhoSlept_R_AE_3) {
  SilentPass trace;
  trace.good.reset();
  trace.clock.pass(std::chrono::hours(50));
  trace.answered_from = trace.clock.now.monotonic;
  trace.silent->run(3 * SessionOptions{}.tick_interval);
  EXPECT_EQ(trace.asked.size(), 2U);
  expect_equal(trace.a, trace.b);
}

TEST(SilentPeer, AskedAgainAtOnceItKeepsAllOthersWaiting) {
  SilentPass trace;
  trace.forgets = true;
  EXPECT_FALSE(trace.agree_within(milliseconds(120'000)));
  EXPECT_GE(trace.asked.size(), 10U);
}

// B lost a leaf that A and C have, under one version.
struct SilentRepair : Silence {
  SilentRepair() : Silence(true) {
    a.put(clock, {k, m});
    for (Peer* peer : {&b, &c}) {
      Link link(clock, a, *peer);
      link.run(milliseconds(300));
    }
    EXPECT_TRUE(b.disk->lose("shop", k));
    b.restart();
    b.disk->set_digests("shop", *b.engine->recompute_digests(*b.shop));
    b.restart();
    connect();
    good = std::make_unique<Link>(clock, c, b);
    good->operate_on(0, [](Message& message) { return !std::holds_alternative<Want>(message); });
    answered_from = clock.now.monotonic + SessionOptions{}.pass_timeout;
  }
};

TEST(SilentPeer, OthersAreAskedForARepairBeforeItIsAskedAgain) {
  SilentRepair trace;
  EXPECT_TRUE(trace.agree_within(SessionOptions{}.pass_timeout + milliseconds(2'000)));
  EXPECT_EQ(trace.asked.size(), 1U);
  expect_equal(trace.b, trace.c);
}

// ---- A repair that gets lost -----------------------------------------------------------------

// The answers to B's first question are lost on a connection that lives on: it
// asks once more, and is mended.
TEST(UnansweredRepair, IsTriedAgain) {
  SilentRepair trace;
  trace.good.reset();
  trace.silent->run(3 * SessionOptions{}.pass_timeout);
  EXPECT_EQ(trace.asked.size(), 2U);
  expect_equal(trace.a, trace.b);
}

TEST(UnansweredRepair, AskedForOnlyOnceNothingIsMended) {
  SilentRepair trace;
  trace.good.reset();
  trace.asks_once = true;
  trace.silent->run(milliseconds(120'000));
  EXPECT_TRUE(trace.b.live(k).empty());
}

// ---- An old connection's frames in a new one ------------------------------------------------

// A's first chunks of a pass to B, recorded; then A overwrites what was in them.
// They are played into a new session of B's (the simulator found them taken for
// an answer to its first question: ids of passes began anew on each).
struct OldFrames {
  OldFrames() {
    for (const char* element : {"1", "2", "3", "4"}) a.put(clock, {leaf(element)}, "old");
    {
      Link link(clock, a, b, SessionOptions{.chunk_bytes = 1});
      for (int turn = 0; turn < 8; ++turn) {
        link.collect(0, 1);
        for (const std::string& frame : link.frames(0)) frames.push_back(frame);
        link.deliver(0);
        link.collect(1);
        link.deliver(1);
      }
    }
    EXPECT_TRUE(b.version().empty());
    for (const char* element : {"1", "2", "3", "4"}) a.put(clock, {leaf(element)}, "new");
  }

  // Plays them to a replica; how many leaves it took for an answer.
  std::uint64_t replay(Peer& to) {
    Session session(*to.engine, SessionOptions{.node = to.node}, clock.now);
    for (const std::string& frame : frames) {
      while (session.poll_frame(clock.now)) {
      }
      if (!session.handle_frame(clock.now, frame)) break;
    }
    return session.metrics().leaves_in;
  }

  TestClock clock;
  Peer a{1}, b{2};
  std::vector<std::string> frames;
};

TEST(OldFrames, DontAnswerNewQuestions) {
  OldFrames trace;
  EXPECT_EQ(trace.replay(trace.b), 0U);
  Link link(trace.clock, trace.a, trace.b, SessionOptions{.chunk_bytes = 1});
  link.run(milliseconds(3'000));
  expect_equal(trace.a, trace.b);
}

// The defect: random bits that repeat, and with them the ids of passes.
TEST(OldFrames, AreTakenForAnswersWhereIdsBeginAnew) {
  OldFrames trace;
  Peer again(2);
  EXPECT_GT(trace.replay(again), 0U);
}

}  // namespace
}  // namespace syncline
