// Nodes among friends: they meet, agree, part and come back.
#include "net/node.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "tests/net/fixture.h"
#include "tests/net/raw_peer.h"

namespace syncline {
namespace {

using namespace test;

TEST(Node, TwoMeetAndAgree) {
  Peer a(quick());
  a.put("from a", "1");
  Peer b(quick({a.address()}));
  b.put("from b", "2");
  EXPECT_TRUE(eventually([&] { return agree(a, b); }));
  EXPECT_EQ(b.get("from a"), Value("1"));
  EXPECT_EQ(a.get("from b"), Value("2"));

  ASSERT_TRUE(a.node->wait_until_synced(patience));
  ASSERT_TRUE(b.node->wait_until_synced(patience));
  EXPECT_TRUE(eventually([&] { return b.peers(State::connected)[0].last_synced.count() >= 0; }));
  const auto seen = b.peers(State::connected);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].address, a.address());
  EXPECT_TRUE(seen[0].outbound);
  EXPECT_LE(seen[0].last_synced, b.replica.now().monotonic);
  EXPECT_EQ(seen[0].last_error, "");
  EXPECT_GT(b.node->traffic().bytes_in, 0U);
}

TEST(Node, ChangesArePushedWhileConnected) {
  Peer a(quick());
  Peer b(quick({a.address()}));
  ASSERT_TRUE(eventually([&] { return a.connected() == 1 && b.connected() == 1; }));
  ASSERT_TRUE(a.node->wait_until_synced(patience));
  ASSERT_TRUE(b.node->wait_until_synced(patience));
  for (int i = 0; i < 100; ++i) a.put(std::to_string(i), "x");
  EXPECT_TRUE(b.shop.wait_for(a.shop.version(), patience));
  EXPECT_EQ(b.node->traffic().changes_in, 100U);
  EXPECT_EQ(b.node->traffic().full_passes_in, 0U);
}

TEST(Node, AMegabyteOfHistoryFitsThroughASmallQueue) {
  Peer a;
  for (int i = 0; i < 200; ++i)
    a.put(std::to_string(i), std::string(10'000, static_cast<char>('a' + i % 26)));
  auto options = quick();
  options.write_queue_bytes_max = 4096;
  a.start(std::move(options));
  Peer b(quick({a.address()}));
  EXPECT_TRUE(eventually([&] { return agree(a, b); }));
}

TEST(Node, MeetsOverIpv6) {
  const int probe = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 loopback{};
  loopback.sin6_family = AF_INET6;
  loopback.sin6_addr = in6addr_loopback;
  const bool available = ::bind(probe, reinterpret_cast<const sockaddr*>(&loopback), sizeof loopback) == 0;
  ::close(probe);
  if (!available) GTEST_SKIP() << "this machine has no ::1";

  auto options = quick();
  options.listen = "[::1]:0";
  Peer a(std::move(options));
  EXPECT_TRUE(a.address().starts_with("[::1]:"));
  Peer b(quick({a.address()}));
  a.put("k", "v");
  EXPECT_TRUE(eventually([&] { return agree(a, b) && b.get("k") == Value("v"); }));
}

TEST(Node, MeetsByName) {
  Peer a(quick());
  Peer b(quick({"localhost:" + std::to_string(a.node->port())}));
  ASSERT_TRUE(eventually([&] { return b.connected() == 1; }));
  // Shown as the peer tells it; the name leads to a peer that is there already.
  EXPECT_EQ(b.peers(State::connected)[0].address, a.address());
  EXPECT_EQ(b.node->peers().size(), 1U);
}

TEST(Node, ComesBackWhenThePeerDoesOnTheSamePort) {
  Peer a(quick());
  Peer b(quick({a.address()}));
  ASSERT_TRUE(eventually([&] { return b.connected() == 1; }));
  const std::string address = a.address();
  a.node.reset();
  ASSERT_TRUE(eventually([&] { return b.connected() == 0; }));
  EXPECT_TRUE(eventually([&] { return !b.node->peers().empty() && b.node->peers()[0].last_error != ""; }));
  b.put("meanwhile", "1");
  auto options = quick();
  options.listen = address;
  a.start(std::move(options));
  ASSERT_EQ(a.address(), address);
  EXPECT_TRUE(eventually([&] { return agree(a, b) && a.get("meanwhile") == Value("1"); }));
}

TEST(Node, StoppingDeliversWhatWasJustWritten) {
  Peer a(quick());
  Peer b(quick({a.address()}));
  ASSERT_TRUE(eventually([&] { return a.connected() == 1; }));
  ASSERT_TRUE(a.node->wait_until_synced(patience));
  Version last;
  for (int i = 0; i < 1'000; ++i) last = a.put(std::to_string(i), "written in the last moment");
  a.node->stop();
  EXPECT_TRUE(b.shop.wait_for(last, patience));
  EXPECT_TRUE(a.node->peers().empty());
}

TEST(Node, AStoppedNodeAnswersButDoesNothing) {
  Peer a(quick());
  const auto port = a.node->port();
  a.node->stop();
  a.node->stop();
  EXPECT_EQ(a.node->port(), port);
  const auto joined = a.node->join("127.0.0.1:1");
  ASSERT_FALSE(joined);
  EXPECT_EQ(joined.error().code, Errc::closed);
  const auto waited = a.node->wait_until_synced(patience);
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code, Errc::closed);
  a.node->pause();
  a.node->sync_now();
  a.node->post([] { ADD_FAILURE(); });
}

TEST(Node, StoppingEndsAWait) {
  Peer a(quick());
  std::thread stopper([&] { a.node->stop(); });
  const auto waited = a.node->wait_until_synced(patience);
  stopper.join();
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code, Errc::closed);
}

TEST(Node, WaitingAloneTimesOut) {
  Peer a(quick());
  const auto waited = a.node->wait_until_synced(milliseconds(1));
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code, Errc::timeout);
}

TEST(Node, PausesAndResumes) {
  Peer a(quick());
  Peer b(quick({a.address()}));
  ASSERT_TRUE(eventually([&] { return a.connected() == 1 && b.connected() == 1; }));
  b.node->pause();
  ASSERT_TRUE(eventually([&] { return a.connected() == 0 && b.connected() == 0; }));
  // Turned away in both directions.
  a.put("k", "v");
  ASSERT_TRUE(a.node->join(b.address()));
  ASSERT_TRUE(eventually([&] { return a.error(State::waiting) != ""; }));
  EXPECT_EQ(b.get("k"), std::nullopt);
  b.node->resume();
  EXPECT_TRUE(eventually([&] { return agree(a, b); }));
}

TEST(Node, TellsOfPeersThatComeAndGo) {
  struct Events {
    std::mutex mutex;
    std::vector<PeerState> all;
    std::size_t size() {
      const std::lock_guard lock(mutex);
      return all.size();
    }
  } events;
  auto options = quick();
  options.on_peer = [&](const PeerState& peer) {
    const std::lock_guard lock(events.mutex);
    events.all.push_back(peer);
  };
  Peer a(std::move(options));
  Peer b(quick({a.address()}));
  ASSERT_TRUE(eventually([&] { return events.size() == 1; }));
  b.node->stop();
  ASSERT_TRUE(eventually([&] { return events.size() == 2; }));
  EXPECT_EQ(events.all[0].state, State::connected);
  EXPECT_EQ(events.all[0].address, b.address());
  EXPECT_FALSE(events.all[0].outbound);
  EXPECT_EQ(events.all[1].state, State::waiting);
  EXPECT_EQ(events.all[1].address, b.address());
  EXPECT_NE(events.all[1].last_error.find("closed by the peer"), std::string::npos);
  EXPECT_GT(events.all[1].traffic.bytes_in, 0U);
  EXPECT_EQ(a.log.count(LogLevel::info, "peer connected"), 1U);
  EXPECT_EQ(a.log.count(LogLevel::info, "peer lost"), 1U);
}

TEST(Node, PostRunsOnItsThreadInOrder) {
  Peer a(quick());
  std::vector<int> order;
  std::promise<std::thread::id> id;
  for (int i = 0; i < 3; ++i) a.node->post([&order, i] { order.push_back(i); });
  a.node->post([&] {
    const auto waited = a.node->wait_until_synced(patience);
    EXPECT_EQ(waited.error().code, Errc::invalid_argument);  // It would wait for itself.
    id.set_value(std::this_thread::get_id());
  });
  EXPECT_NE(id.get_future().get(), std::this_thread::get_id());
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
}

TEST(Node, SyncNowComparesAtOnce) {
  auto options = quick();
  options.tick_interval = milliseconds(20'000);
  Peer a(options);
  options.join = {a.address()};
  Peer b(std::move(options));
  ASSERT_TRUE(a.node->wait_until_synced(patience));
  ASSERT_TRUE(b.node->wait_until_synced(patience));
  const auto before = a.node->traffic().ticks_equal;
  b.node->sync_now();
  EXPECT_TRUE(eventually([&] { return a.node->traffic().ticks_equal > before; }));
}

TEST(Node, TrafficOutlivesLinks) {
  Peer a(quick());
  {
    Peer b(quick({a.address()}));
    b.put("k", "v");
    ASSERT_TRUE(eventually([&] { return agree(a, b); }));
  }
  ASSERT_TRUE(eventually([&] { return a.connected() == 0; }));
  EXPECT_GE(a.node->traffic().leaves_in + a.node->traffic().changes_in, 1U);
  const auto bytes = a.node->traffic().bytes_in;
  a.node->stop();
  EXPECT_EQ(a.node->traffic().bytes_in, bytes);
}

TEST(Node, SaysWhenThePortIsTaken) {
  Peer a(quick());
  Peer b;
  auto options = quick();
  options.listen = a.address();
  const auto started = Node::start(b.replica, std::move(options));
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, Errc::network);
  EXPECT_NE(started.error().detail.find(a.address()), std::string::npos);
  EXPECT_NE(started.error().detail.find("in use"), std::string::npos);
  EXPECT_NE(started.error().detail.find("another port"), std::string::npos);
  // And the replica is still free for any cluster.
  EXPECT_TRUE(b.replica.bind_cluster("another"));
}

TEST(Node, RefusesOptionsThatCannotWork) {
  const std::vector<std::pair<std::string, std::function<void(NodeOptions&)>>> faults = {
      {"cluster", [](NodeOptions& o) { o.cluster = ""; }},
      {"cluster", [](NodeOptions& o) { o.cluster = std::string(256, 'c'); }},
      {"host:port", [](NodeOptions& o) { o.listen = "7946"; }},
      {"listen", [](NodeOptions& o) { o.listen = "example.com:1"; }},
      {"IPv6", [](NodeOptions& o) { o.listen = "::1:7946"; }},
      {"port", [](NodeOptions& o) { o.listen = "127.0.0.1:70000"; }},
      {"port", [](NodeOptions& o) { o.join = {"127.0.0.1:0"}; }},
      {"253", [](NodeOptions& o) { o.join = {std::string(254, 'h') + ":1"}; }},
      {"advertise", [](NodeOptions& o) { o.advertise = "example.com:0"; }},
      {"tick_interval", [](NodeOptions& o) { o.tick_interval = milliseconds(0); }},
      {"dead_after", [](NodeOptions& o) { o.dead_after = o.tick_interval; }},
      {"backoff_max", [](NodeOptions& o) { o.backoff_max = milliseconds(1); }},
      {"write_queue", [](NodeOptions& o) { o.write_queue_bytes_max = 0; }},
      {"peers_max", [](NodeOptions& o) { o.peers_max = 0; }},
  };
  Peer a;
  for (const auto& [word, plant] : faults) {
    auto options = quick();
    plant(options);
    const auto started = Node::start(a.replica, std::move(options));
    ASSERT_FALSE(started) << word;
    EXPECT_EQ(started.error().code, Errc::invalid_argument);
    EXPECT_NE(started.error().detail.find(word), std::string::npos) << started.error().detail;
  }
}

TEST(Node, PlaintextOffThisMachineNeedsTheSwitch_R_SEC_1) {
  Peer a;
  for (const bool listening : {true, false}) {
    auto options = quick();
    if (listening) {
      options.listen = "0.0.0.0:0";
    } else {
      options.join = {"192.0.2.1:7946"};
    }
    const auto started = Node::start(a.replica, std::move(options));
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, Errc::invalid_argument);
    EXPECT_NE(started.error().detail.find("set insecure_plaintext"), std::string::npos);
  }
  a.start(quick());
  const auto joined = a.node->join("192.0.2.1:7946");
  ASSERT_FALSE(joined);
  EXPECT_NE(joined.error().detail.find("set insecure_plaintext"), std::string::npos);
  EXPECT_EQ(a.log.count(LogLevel::warning, "plaintext"), 0U);

  auto options = quick();
  options.listen = "0.0.0.0:0";
  options.insecure_plaintext = true;
  a.start(std::move(options));
  EXPECT_TRUE(eventually([&] { return a.log.count(LogLevel::warning, "plaintext") == 1; }));
}

TEST(Node, AStoreBelongsToOneCluster) {
  Peer a(quick());
  a.node.reset();
  auto options = quick();
  options.cluster = "another";
  const auto started = Node::start(a.replica, std::move(options));
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, Errc::wrong_cluster);
}

TEST(Node, ServesOnlyWhatItIsTold) {
  auto options = quick();
  options.keyspaces = {"shop"};
  Peer a(std::move(options));
  Peer b(quick({a.address()}));
  auto secret = a.replica.keyspace("secret");
  auto theirs = b.replica.keyspace("secret");
  ASSERT_TRUE(secret.update([](Update& tx) { tx.counter("c").add(1); }));
  a.put("k", "v");
  ASSERT_TRUE(eventually([&] { return agree(a, b); }));
  ASSERT_TRUE(b.node->wait_until_synced(patience));
  EXPECT_TRUE(theirs.version().empty());
}

TEST(Node, SocketsAreClosedOnExec) {
  Peer a(quick());
  Peer b(quick({a.address()}));
  ASSERT_TRUE(eventually([&] { return a.connected() == 1; }));
  std::size_t sockets = 0;
  for (int fd = 3; fd < 1024; ++fd) {
    int type = 0;
    socklen_t size = sizeof type;
    if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) continue;
    ++sockets;
    EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  }
  EXPECT_GE(sockets, 4U);  // Two listeners, two ends.
}

TEST(Node, StopsWhileDialling) {
  const DeadPort dead;
  for (int i = 0; i < 10; ++i) {
    Peer a(quick({dead.address(), "no-such-name.invalid:1", "localhost:" + std::to_string(dead.port())}));
    if (i % 2 == 0) {
      EXPECT_TRUE(eventually([&] { return a.error(State::waiting) != ""; }));
    }
  }
}

TEST(Node, StartsAndStopsManyTimes) {
  Peer a(quick());
  Peer b;
  Peer c;
  for (int i = 0; i < 30; ++i) {
    b.start(quick({a.address()}));
    c.start(quick({b.address()}));
    const Version written = b.put("round", std::to_string(i));
    if (i % 3 == 0) {
      EXPECT_TRUE(eventually([&] { return a.has(written) && c.has(written); }));
    }
    b.node.reset();
    if (i % 2 == 0) c.node.reset();
  }
}

TEST(Node, MovesLikeAnyValue) {
  Peer a(quick());
  Peer b(quick());
  Node moved = std::move(*a.node);
  EXPECT_TRUE(moved.join(b.address()));
  EXPECT_TRUE(eventually([&] { return b.connected() == 1; }));
  moved = std::move(*b.node);  // Stops the one that was here.
  EXPECT_TRUE(
      eventually([&] { return moved.peers().empty() || moved.peers()[0].state != State::connected; }));
  EXPECT_GT(moved.port(), 0);
  a.node.reset();
  b.node.reset();
}

}  // namespace
}  // namespace syncline
