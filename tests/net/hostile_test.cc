// Strangers, the dead and the slow: what they cost, and for how long.
#include <gtest/gtest.h>

#include <csignal>
#include <future>
#include <memory>

#include "tests/net/fixture.h"
#include "tests/net/raw_peer.h"

namespace syncline {
namespace {

using namespace test;

// A greeting of the test's cluster, as bytes.
std::string hello(Replica& replica) {
  const auto link = replica.connect({.cluster = "test"}, [] {});
  return *link->send();
}

TEST(Hostile, WhoSaysNothingOrHalfOfItIsDroppedInTime_R_SEC_7) {
  auto options = quick();
  options.handshake_timeout = milliseconds(100);
  Peer a(std::move(options));
  auto other = Replica::open();
  const std::string greeting = hello(*other);
  for (const std::string& said :
       {std::string(), greeting.substr(0, 4), greeting.substr(0, greeting.size() - 1)}) {
    RawPeer stranger(a.node->port());
    ASSERT_TRUE(stranger.send(said));
    EXPECT_TRUE(stranger.closed_by_peer());
  }
  EXPECT_TRUE(eventually([&] { return a.peers(State::refused).size() == 3; }));
  EXPECT_NE(a.error(State::refused).find("no greeting within 100 ms"), std::string::npos);
}

TEST(Hostile, GarbageIsAnsweredWithTheDoor) {
  Peer a(quick());
  auto other = Replica::open();
  std::string flipped = hello(*other);
  flipped[flipped.size() / 2] = static_cast<char>(~flipped[flipped.size() / 2]);
  for (const std::string& said : {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(100'000, '\xff'),
                                  std::string(64, '\0'), flipped}) {
    RawPeer stranger(a.node->port());
    stranger.send(said);
    EXPECT_TRUE(stranger.closed_by_peer());
  }
  EXPECT_TRUE(eventually([&] { return a.peers(State::refused).size() == 4; }));
  EXPECT_EQ(a.connected(), 0U);
}

TEST(Hostile, AFloodOfStrangersDoesNotFloodTheLog) {
  Peer a(quick());
  for (int i = 0; i < 200; ++i) {
    RawPeer stranger(a.node->port());
    stranger.send("GET / HTTP/1.1\r\n\r\n");
    EXPECT_TRUE(stranger.closed_by_peer());
  }
  EXPECT_TRUE(eventually([&] { return a.log.count(LogLevel::warning, "more strangers refused") > 0; }));
  EXPECT_LT(a.log.count(LogLevel::warning, "stranger refused"), 200U);
  EXPECT_LE(a.peers(State::refused).size(), 16U);
}

// A frame that is announced and never ends.
TEST(Hostile, AStrangerFillsNoMoreThanFourKibibytes_R_SEC_7) {
  Peer a(quick());
  auto other = Replica::open();
  std::string endless = hello(*other).substr(0, 8);
  endless[0] = '\x00';  // Little-endian length: 64 KiB.
  endless[1] = '\x00';
  endless[2] = '\x01';
  endless[3] = '\x00';
  endless.append(50'000, 'x');
  RawPeer stranger(a.node->port());
  stranger.send(endless);
  EXPECT_TRUE(stranger.closed_by_peer());
  ASSERT_TRUE(eventually([&] { return !a.peers(State::refused).empty(); }));
  EXPECT_NE(a.error(State::refused).find("no greeting within 4096 bytes"), std::string::npos)
      << a.error(State::refused);
  EXPECT_EQ(a.node->traffic().frames_in, 0U);
}

TEST(Hostile, OnlySoManyStrangersAtOnce_R_RES_1_R_SEC_7) {
  auto options = quick();
  options.handshakes_max = 8;  // Four for one host.
  Peer a(std::move(options));
  std::vector<std::unique_ptr<RawPeer>> silent;
  for (int i = 0; i < 4; ++i) {
    silent.push_back(std::make_unique<RawPeer>(a.node->port()));
    ASSERT_NE(silent.back()->receive(), "");  // Its greeting: we were taken in.
  }
  RawPeer fifth(a.node->port());
  EXPECT_TRUE(fifth.closed_by_peer());
  silent.pop_back();
  EXPECT_TRUE(eventually([&] { return a.peers(State::handshaking).size() == 3; }));
  RawPeer sixth(a.node->port());
  EXPECT_NE(sixth.receive(), "");
}

TEST(Hostile, WhoGreetsAndFallsSilentIsDropped) {
  auto options = quick();
  options.dead_after = milliseconds(150);
  Peer a(std::move(options));
  auto other = Replica::open();
  RawPeer silent(a.node->port());
  ASSERT_TRUE(silent.greet(*other, "test", "127.0.0.1:1"));
  EXPECT_TRUE(silent.closed_by_peer());
  EXPECT_TRUE(eventually([&] { return a.log.count(LogLevel::info, "silent for 150 ms") == 1; }));
}

// The peer asks for everything, keeps talking, and reads nothing.
TEST(Hostile, WhoNeverReadsIsCappedAndThenDropped_R_RES_1_R_RES_2) {
  constexpr std::size_t cap = 64 * 1024;
  auto options = quick();
  options.write_queue_bytes_max = cap;
  options.dead_after = milliseconds(1'000);
  Peer a(std::move(options));
  // Ten times what the kernel's buffers hold.
  for (int i = 0; i < 1'000; ++i) a.put(std::to_string(i), std::string(60'000, 'x'));

  auto other = Replica::open();
  other->keyspace("shop");
  RawPeer greedy(a.node->port(), 4096);
  ASSERT_TRUE(greedy.greet(*other, "test"));
  std::size_t greatest = 0;
  bool asked = false;
  ASSERT_TRUE(eventually([&] {
    for (const PeerState& peer : a.node->peers()) greatest = std::max(greatest, peer.write_queue_bytes);
    if (!asked) {  // Until chunks come.
      const std::string bytes = greedy.receive();
      asked = !greedy.link().receive(bytes) || greedy.link().metrics().leaves_in > 0 || bytes.empty();
      greedy.link().run();
      greedy.flush();
    } else {
      greedy.link().tick_now();  // Alive, as far as one hears.
      greedy.flush();
    }
    return a.log.count(LogLevel::info, "didn't read for 1000 ms") == 1;
  }));
  EXPECT_GT(greatest, 0U);
  // One turn's frames may start while a byte is free.
  EXPECT_LE(greatest, cap + WireLimits{}.frame_bytes_max);
  EXPECT_TRUE(eventually([&] { return a.connected() == 0; }));
}

TEST(Hostile, ResetsInTheMiddleOfWritesKillNobody) {
  // As a host without a handler has it: the signal would end the process.
  struct sigaction default_action {};
  default_action.sa_handler = SIG_DFL;
  struct sigaction before {};
  ASSERT_EQ(::sigaction(SIGPIPE, &default_action, &before), 0);
  Peer a(quick());
  for (int i = 0; i < 100; ++i) {
    auto other = Replica::open();
    other->keyspace("shop");
    RawPeer rude(a.node->port());
    ASSERT_TRUE(rude.greet(*other, "test"));
    rude.flush();
    a.put(std::to_string(i), std::string(60'000, 'x'));
    rude.reset();
    a.put(std::to_string(i), "again");
  }
  EXPECT_TRUE(eventually([&] { return a.connected() == 0; }));
  ::sigaction(SIGPIPE, &before, nullptr);
}

TEST(Hostile, ALoopThatStoodStillBlamesNobody_R_TIME_3) {
  auto options = quick();
  options.dead_after = milliseconds(300);
  options.tick_interval = milliseconds(20);
  Peer a(options);
  options.dead_after = milliseconds(60'000);
  options.join = {a.address()};
  Peer b(std::move(options));
  ASSERT_TRUE(eventually([&] { return a.connected() == 1 && b.connected() == 1; }));
  // b ticks on while a stands still for at least twice its patience.
  a.node->post([&] {
    const auto until = b.replica.now().monotonic + milliseconds(600);
    EXPECT_TRUE(eventually([&] { return b.replica.now().monotonic >= until; }));
  });
  std::promise<void> awake;
  a.node->post([&] { awake.set_value(); });
  awake.get_future().wait();
  const auto before = a.node->traffic().frames_in;
  EXPECT_TRUE(eventually([&] { return a.node->traffic().frames_in > before + 20; }));
  EXPECT_EQ(a.log.count(LogLevel::info, "peer lost"), 0U);
  EXPECT_EQ(b.log.count(LogLevel::info, "peer lost"), 0U);
  EXPECT_EQ(a.connected(), 1U);
}

}  // namespace
}  // namespace syncline
