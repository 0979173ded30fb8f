// Who links with whom.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/net/fixture.h"
#include "tests/net/raw_peer.h"

namespace syncline {
namespace {

using namespace test;

TEST(Mesh, JoiningOneIsEnoughToMeetAll) {
  Peer a(quick());
  Peer b(quick({a.address()}));
  Peer c(quick({a.address()}));
  Peer d(quick({c.address()}));
  const std::vector<Peer*> all = {&a, &b, &c, &d};
  ASSERT_TRUE(eventually([&] {
    return std::all_of(all.begin(), all.end(), [](Peer* peer) { return peer->connected() == 3; });
  }));
  for (Peer* peer : all) peer->put(peer->address(), "was here");
  EXPECT_TRUE(eventually([&] { return agree(a, b) && agree(a, c) && agree(a, d); }));
  for (Peer* peer : all) EXPECT_EQ(peer->node->peers().size(), 3U);
}

TEST(Mesh, AWildcardListenerIsDialledWhereItIsSeen) {
  auto options = quick();
  options.listen = "0.0.0.0:0";
  options.insecure_plaintext = true;
  Peer a(options);
  Peer b(quick({"127.0.0.1:" + std::to_string(a.node->port())}));
  Peer c(quick({b.address()}));
  ASSERT_TRUE(eventually([&] { return a.connected() == 2; }));
  for (const PeerState& peer : c.peers(State::connected)) EXPECT_TRUE(peer.address.starts_with("127.0.0.1:"));
}

TEST(Mesh, TwoThatDialEachOtherKeepOneLink) {
  for (int round = 0; round < 20; ++round) {
    Peer a(quick());
    Peer b(quick());
    ASSERT_TRUE(a.node->join(b.address()));
    ASSERT_TRUE(b.node->join(a.address()));
    a.put("round", std::to_string(round));
    ASSERT_TRUE(eventually([&] {
      const auto at_a = a.node->peers();
      const auto at_b = b.node->peers();
      return at_a.size() == 1 && at_b.size() == 1 && at_a[0].state == State::connected &&
             at_b[0].state == State::connected && at_a[0].outbound != at_b[0].outbound;
    }));
    ASSERT_TRUE(eventually([&] { return agree(a, b); }));
    EXPECT_EQ(a.node->peers().size(), 1U);
  }
}

TEST(Mesh, TwoNamesOfOnePeerMakeOneLink) {
  Peer a(quick());
  const std::string port = std::to_string(a.node->port());
  Peer b(quick({"127.0.0.1:" + port, "localhost:" + port, "LOCALHOST:" + port}));
  ASSERT_TRUE(eventually([&] { return b.connected() == 1 && b.node->peers().size() == 1; }));
  EXPECT_TRUE(eventually([&] { return a.connected() == 1; }));
}

TEST(Mesh, ANodeDoesNotLinkWithItself) {
  Peer a(quick());
  const std::string port = std::to_string(a.node->port());
  ASSERT_TRUE(a.node->join(a.address()));
  ASSERT_TRUE(a.node->join("localhost:" + port));
  EXPECT_TRUE(eventually([&] { return a.log.count(LogLevel::debug, "this node itself") > 0; }));
  EXPECT_TRUE(eventually([&] { return a.node->peers().empty(); }));
  EXPECT_EQ(a.node->traffic().changes_in, 0U);
}

TEST(Mesh, ADialOnlyNodeCannotBeDialledButAgrees) {
  Peer hub(quick());
  auto options = quick({hub.address()});
  options.listen = "";
  Peer b(options);
  Peer c(options);
  EXPECT_EQ(b.node->port(), 0);
  EXPECT_EQ(b.address(), "");
  ASSERT_TRUE(eventually([&] { return hub.connected() == 2; }));
  EXPECT_EQ(hub.peers(State::connected)[0].address, "");
  b.put("k", "v");  // By anti-entropy through the hub, which doesn't push what isn't its own.
  EXPECT_TRUE(eventually([&] { return agree(b, c); }));
}

TEST(Mesh, ARelayPushesOnWhatOthersMade) {
  auto options = quick();
  options.relay = true;
  options.tick_interval = milliseconds(20'000);
  Peer hub(options);
  options.join = {hub.address()};
  options.listen = "";
  Peer b(options);
  Peer c(options);
  ASSERT_TRUE(eventually([&] { return hub.connected() == 2; }));
  ASSERT_TRUE(hub.node->wait_until_synced(patience));
  ASSERT_TRUE(b.node->wait_until_synced(patience));
  ASSERT_TRUE(c.node->wait_until_synced(patience));
  b.put("k", "v");
  EXPECT_TRUE(c.shop.wait_for(b.shop.version(), patience));
  EXPECT_EQ(c.node->traffic().changes_in, 1U);
}

TEST(Mesh, ACutCableIsRoutedAroundAndHeals) {
  Peer a(quick());
  Peer b(quick({a.address()}));
  Peer c(quick({a.address()}));
  ASSERT_TRUE(eventually([&] { return a.connected() == 2 && b.connected() == 2 && c.connected() == 2; }));
  a.node->block({b.address()});
  ASSERT_TRUE(eventually([&] { return a.connected() == 1 && b.connected() == 1; }));
  ASSERT_TRUE(eventually([&] { return a.peers(State::blocked).size() == 1; }));
  EXPECT_EQ(a.peers(State::blocked)[0].address, b.address());
  const Version written = a.put("k", "around");
  EXPECT_TRUE(b.shop.wait_for(written, patience));  // By way of c.
  EXPECT_EQ(a.connected(), 1U);
  a.node->block({});
  EXPECT_TRUE(eventually([&] { return a.connected() == 2 && b.connected() == 2; }));
}

TEST(Mesh, HalvesDoNotMixUntilHealed) {
  Peer a(quick());
  Peer b(quick({a.address()}));
  ASSERT_TRUE(eventually([&] { return a.connected() == 1 && b.connected() == 1; }));
  a.node->block({b.address()});
  b.node->block({a.address()});
  ASSERT_TRUE(
      eventually([&] { return a.peers(State::blocked).size() == 1 && b.peers(State::blocked).size() == 1; }));
  a.put("k", "a");
  b.put("k", "b");
  const auto before = b.node->traffic();
  EXPECT_FALSE(agree(a, b));
  b.node->block({});
  EXPECT_TRUE(eventually([&] { return a.log.count(LogLevel::debug, "blocked") > 1; }));  // b tried.
  EXPECT_FALSE(agree(a, b));
  EXPECT_EQ(b.node->traffic().changes_in, before.changes_in);
  EXPECT_EQ(b.node->traffic().leaves_in, before.leaves_in);
  a.node->block({});
  EXPECT_TRUE(eventually([&] { return agree(a, b); }));
}

TEST(Mesh, TakesInOnlySoManyPeers_R_RES_1) {
  auto options = quick();
  options.peers_max = 2;
  Peer hub(options);
  options = quick({hub.address()});
  options.listen = "";
  Peer b(options);
  Peer c(options);
  ASSERT_TRUE(eventually([&] { return hub.connected() == 2; }));
  Peer d(options);
  ASSERT_TRUE(eventually([&] { return hub.log.count(LogLevel::warning, "too many peers") > 0; }));
  EXPECT_EQ(hub.connected(), 2U);
  b.node->stop();
  EXPECT_TRUE(eventually([&] { return d.connected() == 1; }));  // There is room again.
}

TEST(Mesh, ForgetsLearnedAddressesThatStayDead) {
  auto options = quick();
  options.failures_max = 3;
  Peer a(options);
  const DeadPort learned;
  const DeadPort joined;
  ASSERT_TRUE(a.node->join(joined.address()));
  auto liar_replica = Replica::open();
  RawPeer liar(a.node->port());
  ASSERT_TRUE(liar.greet(*liar_replica, "test"));
  liar.link().send_addresses({learned.address(), "nonsense", "127.0.0.1:0", a.address()});
  liar.flush();
  const auto shows = [&](const std::string& address) {
    const auto peers = a.node->peers();
    return std::any_of(peers.begin(), peers.end(),
                       [&](const PeerState& peer) { return peer.address == address; });
  };
  ASSERT_TRUE(eventually([&] { return a.log.count(LogLevel::debug, learned.address()) >= 3; }));
  EXPECT_TRUE(eventually([&] { return !shows(learned.address()); }));
  EXPECT_TRUE(eventually([&] { return a.log.count(LogLevel::debug, joined.address()) > 6; }));
  EXPECT_TRUE(shows(joined.address()));
}

TEST(Mesh, AnotherClusterIsRefusedOnBothSidesBeforeAnyData_R_MEM_1) {
  Peer a(quick());
  a.put("mine", "secret");
  Peer b;
  b.put("theirs", "secret");
  auto options = quick({a.address()});
  options.cluster = "another";
  options.backoff_max = milliseconds(3'600'000);
  b.start(std::move(options));
  ASSERT_TRUE(eventually([&] { return b.error(State::waiting) != "" && a.error(State::refused) != ""; }));
  for (const std::string& reason : {a.error(State::refused), b.error(State::waiting)}) {
    EXPECT_NE(reason.find("wrong_cluster"), std::string::npos) << reason;
    EXPECT_NE(reason.find("test"), std::string::npos) << reason;
    EXPECT_NE(reason.find("another"), std::string::npos) << reason;
  }
  EXPECT_GE(a.log.count(LogLevel::warning, "wrong_cluster"), 1U);
  EXPECT_GE(b.log.count(LogLevel::warning, "wrong_cluster"), 1U);
  for (const Peer* peer : {&a, &b}) {
    const auto traffic = peer->node->traffic();
    EXPECT_EQ(traffic.changes_in + traffic.changes_out + traffic.leaves_in + traffic.leaves_out, 0U);
    EXPECT_LE(traffic.frames_in, 2U);  // A greeting, a reason.
    EXPECT_LE(traffic.bytes_out, 512U);
  }
  EXPECT_EQ(a.get("theirs"), std::nullopt);
  EXPECT_EQ(b.get("mine"), std::nullopt);
}

// The address of a friend is taken by a stranger.
TEST(Mesh, AnAddressThatChangedClustersExchangesNothing_R_MEM_1) {
  Peer a(quick());
  Peer b(quick({a.address()}));
  ASSERT_TRUE(eventually([&] { return b.connected() == 1; }));
  auto options = quick();
  options.listen = a.address();
  options.cluster = "another";
  a.node.reset();
  Peer stranger;
  stranger.put("k", "v");
  stranger.start(std::move(options));
  ASSERT_TRUE(eventually([&] { return b.error(State::waiting).find("wrong_cluster") != std::string::npos; }));
  EXPECT_EQ(b.get("k"), std::nullopt);
  EXPECT_TRUE(eventually([&] { return stranger.error(State::refused) != ""; }));
}

// Acknowledgements are gossip: who is linked to one member only hears of them all.
TEST(Mesh, ThreeMembersKnowWhatAllOfThemHave) {
  Peer a(quick());
  Peer b(quick({a.address()}));
  Peer c(quick({a.address()}));
  for (const Peer* each : {&a, &b, &c}) ASSERT_TRUE(a.replica.add_member(each->replica.member_id()));
  const Version written = b.put("x", "1");
  for (const Peer* each : {&a, &b, &c}) {
    const auto waited = each->shop.wait_stable(written, patience);
    EXPECT_TRUE(waited) << to_string(waited.error());
    EXPECT_EQ(each->shop.stability().members, 3U);
  }
  c.node.reset();
  const Version later = a.put("x", "2");
  ASSERT_TRUE(eventually([&] { return b.has(later); }));
  const std::vector only_c{c.replica.member_id()};
  ASSERT_TRUE(eventually([&] { return a.shop.stability().waiting_for == only_c; }));
  EXPECT_FALSE(a.shop.stable_version().includes(later));
  ASSERT_TRUE(b.replica.remove_member(c.replica.member_id()));  // It is not coming back.
  EXPECT_TRUE(a.shop.wait_stable(later, patience));
}

}  // namespace
}  // namespace syncline
