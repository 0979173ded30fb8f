// Peers that lie: whatever well-formed or mangled frames say, the engine keeps
// its rules, nothing crashes, and an honest peer still gets through.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>

#include "sync/keyspace_state.h"
#include "tests/sim/rng.h"
#include "tests/sync/peers.h"

namespace syncline {
namespace {

using std::chrono::milliseconds;

const std::string k = leaf("k");

// An honest replica with something in it, and a liar on the line to it.
class Victim {
 public:
  explicit Victim(std::uint64_t seed)
      : peer(seed, EngineOptions{.log_bytes_max = 20'000}), honest_(seed + 500) {
    peer.put(clock, {k, leaf("m")}, "precious");
  }

  // Greets, lists keyspaces, then says `message`. Whether it was taken.
  bool hear(const Message& message) {
    SessionOptions options{.node = peer.node};
    Session session(*peer.engine, options, clock.now);
    Encoder liar;
    Hello hello;
    hello.cluster = options.cluster;
    hello.node[3] = 77;
    bool taken = true;
    const auto say = [&](const Message& said) {
      for (const std::string& frame : liar.encode(said)) {
        while (session.poll_frame(clock.now)) {
        }
        taken = taken && session.handle_frame(clock.now, frame).has_value();
      }
    };
    say(hello);
    say(Keyspaces{{"shop", "nowhere"}});
    EXPECT_TRUE(taken);
    say(message);
    clock.pass(milliseconds(1'500));
    session.handle_timeout(clock.now);
    while (session.poll_frame(clock.now)) {
    }
    return taken;
  }

  // The engine's rules hold, and an honest peer comes to agree with it.
  void expect_unharmed() {
    EXPECT_EQ(*peer.engine->recompute_digests(*peer.shop), peer.engine->digests(*peer.shop));
    Link link(clock, peer, honest_);
    link.run(milliseconds(3'000));
    EXPECT_EQ(peer.content(), honest_.content());
    EXPECT_TRUE(link.session(0).in_sync());
  }

  TestClock clock;
  Peer peer;

 private:
  Peer honest_;
};

const ActorId stranger{{9, 9, 9}};

TEST(HostileSession, WildIndicesAndCountersAreRefused) {
  constexpr std::uint64_t huge = ~std::uint64_t{0};
  const std::vector<IndexedDot> wild{{12'345, 1}};
  const std::string payload = "p";
  std::vector<Message> lies;
  lies.push_back(Status{.keyspace = 99});
  lies.push_back(Status{.keyspace = 0, .version = wild});
  lies.push_back(Want{.keyspace = 99});
  lies.push_back(Want{.keyspace = 0, .version = wild});
  Want resumed{.keyspace = 0, .has_resume = true};
  resumed.resume.start = wild;
  lies.push_back(resumed);
  lies.push_back(Chunk{.keyspace = 99});
  lies.push_back(Cut{.keyspace = 99});
  lies.push_back(Cut{.keyspace = 0, .acknowledged = "\x01", .met = wild});
  lies.push_back(Cut{.keyspace = 0, .epoch = huge});
  lies.push_back(Ask{.keyspace = 99, .leaf = k});
  lies.push_back(Push{.keyspace = 99});
  const std::vector<RowView> rows{{k, wild, true, 0, payload}};
  ChangeView change{.actor = 0, .first = 1, .hlc = 1, .dependencies = {}, .rows = rows};
  lies.push_back(
      Push{.keyspace = 0, .definitions = {stranger}, .changes = {change}});  // Removes a dot of nobody.
  const std::vector<RowView> plain{{k, {}, true, 0, payload}};
  change.rows = plain;
  change.actor = 7;
  lies.push_back(Push{.keyspace = 0, .definitions = {stranger}, .changes = {change}});  // Made by nobody.
  change.actor = 0;
  change.first = 0;
  lies.push_back(Push{.keyspace = 0, .definitions = {stranger}, .changes = {change}});  // Dot 0 is no dot.
  change.first = huge;
  lies.push_back(Push{.keyspace = 0, .definitions = {stranger}, .changes = {change}});
  change.first = 1;
  const std::string first = leaf("a");
  const std::string second = leaf("z");
  const std::vector<RowView> unsorted{{second, {}, true, 0, payload}, {first, {}, true, 0, payload}};
  change.rows = unsorted;
  lies.push_back(Push{.keyspace = 0, .definitions = {stranger}, .changes = {change}});
  for (std::size_t i = 0; i < lies.size(); ++i) {
    SCOPED_TRACE(i);
    Victim victim(1);
    const Content before = victim.peer.content();
    EXPECT_FALSE(victim.hear(lies[i]));
    EXPECT_EQ(victim.peer.content(), before);
    victim.expect_unharmed();
  }
}

// Well-formed lies that can't be told from the truth at once: taken or not, they do no harm here.
TEST(HostileSession, BoastsAreOutlived_R_SEC_4) {
  constexpr std::uint64_t huge = ~std::uint64_t{0} - 1;
  const std::string payload = "p";
  std::vector<Message> lies;
  lies.push_back(Status{.keyspace = 0, .definitions = {stranger}, .version = {{0, huge}}});
  lies.push_back(Status{.keyspace = 0, .has_digests = true, .digests = {{1, 2}, {3, 4}}, .reply = true});
  lies.push_back(Want{.keyspace = 0, .definitions = {stranger}, .version = {{0, huge}}, .pass = 5});
  Want resumed{.keyspace = 0, .definitions = {stranger}, .pass = 5, .full = true, .has_resume = true};
  resumed.resume.start = {{0, huge}};
  resumed.resume.cursor = std::string(500, '\xff');
  lies.push_back(resumed);
  resumed.resume = {};
  resumed.resume.from_nothing = true;
  lies.push_back(resumed);
  lies.push_back(Chunk{.keyspace = 0, .pass = 1, .new_round = true, .closing = true});
  lies.push_back(Refuse{.keyspace = 0, .pass = 1, .reason = "no"});
  lies.push_back(Addresses{{"x:1", "", "y"}});
  lies.push_back(Tick{{1, 2}});
  lies.push_back(Cut{.definitions = {stranger}, .members = 1, .epoch = 5, .floor = {{0, huge}}});
  lies.push_back(
      Ask{.keyspace = 0, .asker = stranger, .leaf = k, .bytes = std::string(Ask::bytes_max, '\xff')});
  const std::vector<IndexedDot> dependencies{{0, huge}};
  const std::vector<RowView> rows{{k, {}, true, huge, payload}};
  const ChangeView waits{.actor = 0, .first = 5, .hlc = huge, .dependencies = dependencies, .rows = rows};
  lies.push_back(Push{.keyspace = 0, .definitions = {stranger}, .changes = {waits}});
  const ChangeView ahead{.actor = 0, .first = 1, .hlc = huge, .dependencies = {}, .rows = rows};
  lies.push_back(Push{.keyspace = 0, .definitions = {stranger}, .changes = {ahead}});
  for (std::size_t i = 0; i < lies.size(); ++i) {
    SCOPED_TRACE(i);
    Victim victim(1);
    victim.hear(lies[i]);
    EXPECT_TRUE(victim.peer.content().contains(leaf("m")));
    victim.expect_unharmed();
  }
}

// Requests are taken at a rate, and never more than the queue holds, however many sessions bring them.
TEST(HostileSession, AskingForEverFillsNoQueue_R_SEC_4) {
  Victim victim(1);
  SessionOptions options{.node = victim.peer.node};
  Encoder liar;
  Hello hello;
  hello.cluster = options.cluster;
  hello.node[3] = 77;
  std::size_t taken = 0;
  for (int connection = 0; connection < 10; ++connection) {
    Session session(*victim.peer.engine, options, victim.clock.now);
    const auto say = [&](const Message& said) {
      for (const std::string& frame : liar.encode(said))
        EXPECT_TRUE(session.handle_frame(victim.clock.now, frame).has_value());
    };
    say(hello);
    say(Keyspaces{{"shop"}});
    for (int i = 0; i < 1'000; ++i) say(Ask{.keyspace = 0, .asker = stranger, .leaf = k, .bytes = "1"});
    taken += session.metrics().asks_in - session.metrics().asks_dropped;
    EXPECT_LE(session.metrics().asks_in - session.metrics().asks_dropped, 64U);
    victim.clock.pass(milliseconds(500));
    say(Ask{.keyspace = 0, .asker = stranger, .leaf = k, .bytes = "1"});
  }
  std::size_t events = 0;
  while (const auto event = victim.peer.engine->poll_event())
    if (std::holds_alternative<Asked>(*event)) ++events;
  EXPECT_EQ(events, 256U) << taken << " were taken of 10,010";
  victim.expect_unharmed();
}

// A change that waits for another's, and once that is there turns out to remove
// what it can't have seen. It was taken as the fault of whoever brought the other.
TEST(HostileSession, ATrapThatWaitsIsThrownAway_R_SEC_4) {
  Victim victim(1);
  Peer honest(2);
  const Dot coming = honest.put(victim.clock, {leaf("z")});
  const std::vector<IndexedDot> dependencies{{1, coming.counter}};
  const std::vector<IndexedDot> unseen{{0, 50}};
  const std::vector<RowView> rows{{k, unseen, true, 0, "p"}};
  const ChangeView trap{.actor = 0, .first = 1, .hlc = 1, .dependencies = dependencies, .rows = rows};
  EXPECT_TRUE(victim.hear(
      Push{.keyspace = 0, .definitions = {stranger, coming.actor}, .changes = {trap}}));
  EXPECT_EQ(victim.peer.engine->metrics().changes_waiting, 1U);
  Link link(victim.clock, honest, victim.peer);
  link.settle();
  EXPECT_EQ(victim.peer.engine->metrics().changes_waiting, 0U);
  EXPECT_FALSE(victim.peer.version().contains(Dot{stranger, 1}));
  expect_equal(victim.peer, honest);
  victim.expect_unharmed();
}

// A peer boasts in the first chunk of a pass and is cut off. What was staged stays,
// to go on with; when it tells the truth over the next connection, that doesn't
// fit any more. It was refused each time anew, and the two never agreed.
TEST(HostileSession, APassThatWasAlteredBeforeTheCutDoesntStandInTheWay_R_SEC_4) {
  TestClock clock;
  Peer victim(1), peer(2);
  peer.put(clock, {k, leaf("m"), leaf("n")});
  peer.engine->cut_log(*peer.shop, 0);
  {
    Link link(clock, peer, victim, SessionOptions{.chunk_bytes = 1});
    bool boasted = false;
    link.operate_on(0, [&boasted](Message& message) {
      auto* chunk = std::get_if<Chunk>(&message);
      if (chunk == nullptr || boasted) return chunk == nullptr;
      boasted = true;
      chunk->version.at(0).counter += 1'000;
      return true;
    });
    link.settle();
    EXPECT_TRUE(boasted);
  }
  EXPECT_NE(victim.shop->parked, nullptr);
  Link link(clock, peer, victim, SessionOptions{.chunk_bytes = 1});
  link.run(milliseconds(3'000));
  expect_equal(victim, peer);
  EXPECT_TRUE(link.session(0).in_sync());
}

TEST(HostileSession, ByteNoiseAndTruncationsAreRefused) {
  Victim victim(1);
  sim::Rng rng(7);
  Encoder encoder;
  Hello hello;
  hello.cluster = "default";
  const std::string greeting = encoder.encode(hello).front();
  for (std::size_t length = 0; length < greeting.size(); ++length) {
    Session session(*victim.peer.engine, SessionOptions{}, victim.clock.now);
    EXPECT_FALSE(
        session.handle_frame(victim.clock.now, std::string_view(greeting).substr(0, length)).has_value());
  }
  for (int run = 0; run < 2'000; ++run) {
    std::string noise(static_cast<std::size_t>(rng.below(200)), '\0');
    for (char& byte : noise) byte = static_cast<char>(rng.next());
    Session session(*victim.peer.engine, SessionOptions{}, victim.clock.now);
    EXPECT_FALSE(session.handle_frame(victim.clock.now, noise).has_value());
  }
  victim.expect_unharmed();
}

// Alters something in a message that keeps it well formed.
void mutate(Message& message, sim::Rng& rng, std::vector<std::vector<RowView>>& rows,
            std::vector<std::vector<IndexedLiveDot>>& dots) {
  const auto wild = [&rng]() -> std::uint64_t {
    switch (rng.below(4)) {
      case 0:
        return rng.below(4);
      case 1:
        return rng.below(100);
      case 2:
        return ~std::uint64_t{0} - rng.below(3);
      default:
        return rng.next();
    }
  };
  const auto index = [&rng] {
    return static_cast<std::uint32_t>(rng.one_in(10) ? rng.next() : rng.below(3));
  };
  const auto of_version = [&](std::vector<IndexedDot>& version) {
    if (version.empty() || rng.one_in(3)) {
      version.push_back({index(), wild()});
    } else {
      version[static_cast<std::size_t>(rng.below(version.size()))].counter = wild();
    }
  };
  if (auto* status = std::get_if<Status>(&message)) {
    rng.one_in(2) ? of_version(status->version) : static_cast<void>(status->digests.state.low = rng.next());
  } else if (auto* want = std::get_if<Want>(&message)) {
    of_version(want->version);
    want->has_resume = rng.one_in(2);
    want->resume.from_nothing = rng.one_in(2);
    want->resume.start = want->version;
    want->full = rng.one_in(2);
  } else if (auto* chunk = std::get_if<Chunk>(&message)) {
    switch (rng.below(7)) {
      case 0:
        of_version(chunk->version);
        break;
      case 1:
        chunk->number = index();
        break;
      case 2:
        chunk->closing = !chunk->closing;
        break;
      case 3:
        chunk->new_round = !chunk->new_round;
        break;
      case 4:
        chunk->full = !chunk->full;
        break;
      case 5:
        if (!chunk->leaves.empty()) chunk->leaves.pop_back();
        break;
      default:
        if (!chunk->leaves.empty()) {
          LeafView& view = chunk->leaves[static_cast<std::size_t>(rng.below(chunk->leaves.size()))];
          dots.emplace_back(view.dots.begin(), view.dots.end());
          for (IndexedLiveDot& dot : dots.back())
            dot.dot.counter = rng.one_in(2) ? wild() : dot.dot.counter + 1;
          view.dots = dots.back();
        }
    }
  } else if (auto* push = std::get_if<Push>(&message); push != nullptr && !push->changes.empty()) {
    ChangeView& change = push->changes[static_cast<std::size_t>(rng.below(push->changes.size()))];
    switch (rng.below(6)) {
      case 0:
        change.first = wild();
        break;
      case 1:
        change.hlc = wild();
        break;
      case 2:
        change.actor = index();
        break;
      case 3:
        change.dependencies = {};
        break;
      case 4:
        change.rows = change.rows.subspan(change.rows.size() / 2);
        break;
      default:
        rows.emplace_back(change.rows.begin(), change.rows.end());
        for (RowView& row : rows.back()) row.removed = {};
        change.rows = rows.back();
    }
  }
}

// A liar changes one in so many messages of a real conversation, over and over.
// A peer that believes lies may hold what was never written; it must not crash,
// must keep its own rules, and must not lose what it wrote itself.
TEST(HostileSession, MutatedConversationsDoNoHarmBeyondTheirWords_R_SEC_4) {
  const char* scale = std::getenv("SYNCLINE_TEST_SCALE");
  const std::uint64_t runs = scale != nullptr && std::string_view(scale) == "small" ? 150 : 1'500;
  std::uint64_t refused = 0;
  for (std::uint64_t seed = 1; seed <= runs; ++seed) {
    SCOPED_TRACE(seed);
    sim::Rng rng(seed);
    TestClock clock;
    const std::size_t log_bytes = rng.one_in(2) ? 500 : 1 << 20;
    Peer liar(1, EngineOptions{.log_bytes_max = log_bytes}),
        victim(2, EngineOptions{.log_bytes_max = log_bytes});
    std::vector<std::vector<RowView>> rows;
    std::vector<std::vector<IndexedLiveDot>> dots;
    for (int talk = 0; talk < 4; ++talk) {
      Session from(*liar.engine, SessionOptions{.node = liar.node, .chunk_bytes = 50}, clock.now);
      Session to(*victim.engine, SessionOptions{.node = victim.node, .chunk_bytes = 50}, clock.now);
      FrameSurgeon surgeon;
      bool open = true;
      for (int turn = 0; turn < 60 && open; ++turn) {
        if (rng.one_in(3))
          liar.put(clock, {leaf(std::to_string(rng.below(4))), leaf(std::to_string(4 + rng.below(4)))}, "l");
        if (rng.one_in(5)) victim.put(clock, {leaf("own" + std::to_string(rng.below(4)))}, "v");
        clock.pass(milliseconds(rng.below(300)));
        from.handle_timeout(clock.now);
        to.handle_timeout(clock.now);
        while (auto frame = from.poll_frame(clock.now)) {
          rows.clear();
          dots.clear();
          rows.reserve(4);
          dots.reserve(4);
          const auto altered = surgeon.operate(*frame, [&](Message& message) {
            if (rng.one_in(15)) mutate(message, rng, rows, dots);
            return true;
          });
          for (const std::string& each : altered) open = open && to.handle_frame(clock.now, each).has_value();
        }
        while (auto frame = to.poll_frame(clock.now))
          open = from.handle_frame(clock.now, *frame).has_value() && open;
        ASSERT_EQ(*victim.engine->recompute_digests(*victim.shop), victim.engine->digests(*victim.shop));
      }
      if (!open) ++refused;
    }
  }
  EXPECT_GT(refused, 0U);
}

}  // namespace
}  // namespace syncline
