// What a store gives back is checked before the engine goes on with it: damage
// is an error that says what, and never the end of the process.
#include "crdt/bytes.h"
#include "tests/support/random.h"
#include "tests/support/scale.h"
#include "tests/sync/peers.h"

namespace syncline {
namespace {

using std::chrono::milliseconds;

// Lets two engines talk for two seconds, or until one refuses what the other says; why.
std::string talk(TestClock& clock, Peer& a, Peer& b) {
  std::array<Peer*, 2> peers{&a, &b};
  std::array<Session, 2> sessions{Session(*a.engine, {.node = a.node}, clock.now),
                                  Session(*b.engine, {.node = b.node}, clock.now)};
  for (int turn = 0; turn < 40; ++turn) {
    for (const std::size_t from : {0U, 1U}) {
      peers[from]->persist();
      while (const auto frame = sessions[from].poll_frame(clock.now)) {
        if (auto taken = sessions[1 - from].handle_frame(clock.now, *frame); !taken)
          return to_string(taken.error());
        peers[1 - from]->persist();
      }
    }
    clock.pass(milliseconds(50));
    for (Session& session : sessions) session.handle_timeout(clock.now);
  }
  return {};
}

// A disk with all that a head can hold: changes of its own and of others, names
// that a pass brought, and the chunks of another pass that was cut.
class EngineRestore : public ::testing::Test {
 protected:
  EngineRestore() {
    stored_.put(clock_, {leaf("own"), leaf("gone")}, "x");
    stored_.remove(clock_, {leaf("gone")});
    peer_.put(clock_, {leaf("passed"), leaf("fell")}, "y");
    peer_.remove(clock_, {leaf("fell")});
    {
      Link link(clock_, peer_, stored_);
      link.run(milliseconds(300));
      peer_.put(clock_, {leaf("pushed"), leaf("own")}, "z");
      link.run(milliseconds(300));
    }
    for (int i = 0; i < 8; ++i) peer_.put(clock_, {leaf("more" + std::to_string(i)), leaf("own")}, "w");
    peer_.remove(clock_, {leaf("more7")});
    Link cut(clock_, peer_, stored_, SessionOptions{.chunk_bytes = 1});
    while (head().staged.size() < 4 && cut.settle(1) > 0) {
    }
    stored_.put(clock_, {leaf("last")}, "x");
    stored_.persist();
  }

  const KeyspaceHead& head() const { return *stored_.disk->keyspace("shop"); }
  // What restoring says of a head with this done to it.
  std::string restored(const std::function<void(Head&)>& damage) {
    Head head = stored_.disk->head();
    damage(head);
    const auto engine = Engine::restore({}, *stored_.disk, head);
    const std::string answer = engine ? "restored" : to_string(engine.error());
    EXPECT_EQ(restored_later(std::move(head)), answer) << "the log comes later";
    return answer;
  }
  // The same with the logs by themselves.
  std::string restored_later(Head head) {
    std::vector<KeyspaceLog> logs = take_logs(head);
    const auto engine = Engine::restore({}, *stored_.disk, std::move(head));
    if (!engine) return to_string(engine.error());
    const auto restored = (*engine)->restore_logs(std::move(logs));
    return restored ? "restored" : to_string(restored.error());
  }
  static std::vector<KeyspaceLog> take_logs(Head& head) {
    std::vector<KeyspaceLog> logs;
    for (KeyspaceHead& keyspace : head.keyspaces) {
      keyspace.log_later_max = keyspace.log.size() + 7;
      logs.push_back({keyspace.name, std::exchange(keyspace.log, {})});
    }
    return logs;
  }
  std::string restored_shop(const std::function<void(KeyspaceHead&)>& damage) {
    return restored([&](Head& head) { damage(head.keyspaces.at(0)); });
  }
  // The number of the first whole entry of the log, and of the first of names only.
  std::size_t entry(bool whole) const {
    for (std::size_t i = 0; i < head().log.size(); ++i)
      if (((head().log[i].bytes.at(0) & 1) != 0) == whole) return i;
    ADD_FAILURE() << "no such entry";
    return 0;
  }

  TestClock clock_;
  Peer stored_{1, {}, true}, peer_{2};
};

TEST_F(EngineRestore, TakesWhatItWrote) {
  EXPECT_GE(head().staged.size(), 4U);
  EXPECT_GE(head().actors.size(), 2U);
  entry(true), entry(false);
  EXPECT_EQ(restored([](const Head&) {}), "restored");
}

TEST_F(EngineRestore, ALogThatComesLaterGoesBeforeWhatWasWrittenSince) {
  Head head = stored_.disk->head();
  std::vector<KeyspaceLog> logs = take_logs(head);
  Peer again{3, {}, true};
  again.engine = *Engine::restore({.entropy = {3, 3, 3, 3}}, *stored_.disk, std::move(head));
  again.shop = again.engine->find_keyspace("shop");
  again.put(clock_, {leaf("new")}, "n");
  KeyspaceState& shop = *again.shop;
  const Version before = stored_.engine->version(*stored_.engine->find_keyspace("shop"));
  const Version start;
  EXPECT_EQ(again.engine->touched_since(shop, before)->size(), 1U);
  EXPECT_FALSE(again.engine->touched_since(shop, start)) << "as if it had been cut";
  again.engine->cut_log(shop, 0);
  EXPECT_EQ(again.engine->touched_since(shop, before)->size(), 1U) << "what goes first isn't here yet";

  // Not more than was told, and nothing above what was written since.
  std::vector<KeyspaceLog> many = logs;
  many[0].log.insert(many[0].log.end(), 8, logs[0].log.at(0));
  EXPECT_FALSE(again.engine->restore_logs(many));
  std::vector<KeyspaceLog> twice = logs;
  twice[0].log.push_back(again.engine->poll_record()->keyspaces.at(0).log.at(0));
  EXPECT_EQ(to_string(again.engine->restore_logs(twice).error()),
            "damaged: keyspace \"shop\": a log entry of dots out of turn");

  ASSERT_TRUE(again.engine->restore_logs(logs));
  auto leaves = *stored_.engine->touched_since(*stored_.engine->find_keyspace("shop"), start);
  leaves.push_back(leaf("new"));
  std::sort(leaves.begin(), leaves.end());
  EXPECT_EQ(*again.engine->touched_since(shop, start), leaves);
  ASSERT_TRUE(again.engine->restore_logs(logs)) << "once is enough";
  EXPECT_EQ(*again.engine->touched_since(shop, start), leaves);
  again.engine->cut_log(shop, 0);
  EXPECT_FALSE(again.engine->touched_since(shop, before));
}

TEST_F(EngineRestore, ADamagedClockOrNameIsAnError_R_DUR_6) {
  EXPECT_EQ(restored([](Head& head) { head.hlc = ~std::uint64_t{0}; }),
            "damaged: a timestamp that no clock shows");
  const char* name = "damaged: a keyspace's name is stored twice, or none can be like it";
  EXPECT_EQ(restored([](Head& head) { head.keyspaces.push_back(head.keyspaces.at(0)); }), name);
  EXPECT_EQ(restored_shop([](KeyspaceHead& shop) { shop.name.clear(); }), name);
  EXPECT_EQ(restored_shop([](KeyspaceHead& shop) { shop.name.assign(2'000, 'n'); }), name);
}

TEST_F(EngineRestore, ADamagedVersionIsAnError_R_DUR_6) {
  EXPECT_EQ(restored_shop([](KeyspaceHead& shop) { shop.actors.at(1) = shop.actors.at(0); }),
            "damaged: keyspace \"shop\": an actor is stored twice");
  const std::string version = "damaged: keyspace \"shop\": a version that can't be";
  EXPECT_EQ(restored_shop([](KeyspaceHead& shop) { shop.version.at(0).actor = 4'000'000'000; }), version);
  EXPECT_EQ(restored_shop([](KeyspaceHead& shop) { shop.version.push_back(shop.version.at(0)); }), version);
  EXPECT_EQ(restored_shop([](KeyspaceHead& shop) { shop.version.at(0).counter = 0; }), version);
  EXPECT_EQ(restored_shop([](KeyspaceHead& shop) { shop.version.at(0).counter = ~std::uint64_t{0}; }),
            version);
  const std::string digest = "damaged: keyspace \"shop\": a version that isn't its digest's";
  EXPECT_EQ(restored_shop([](KeyspaceHead& shop) { ++shop.version.at(0).counter; }), digest);
  EXPECT_EQ(restored_shop([](KeyspaceHead& shop) { shop.actors.at(0).bytes.at(3) ^= 1; }), digest);
  EXPECT_EQ(restored_shop([](KeyspaceHead& shop) { ++shop.digests.context.high; }), digest);
}

TEST_F(EngineRestore, ADamagedLogIsAnError_R_DUR_6) {
  const std::string unreadable = "damaged: keyspace \"shop\": a log entry can't be read";
  for (const bool whole : {true, false}) {
    const std::size_t at = entry(whole);
    const std::size_t size = head().log.at(at).bytes.size();
    for (std::size_t length = 0; length < size; ++length)
      EXPECT_EQ(restored_shop([&](KeyspaceHead& shop) { shop.log.at(at).bytes.resize(length); }), unreadable);
    EXPECT_EQ(restored_shop([&](KeyspaceHead& shop) { shop.log.at(at).bytes.push_back('\1'); }), unreadable);
    EXPECT_EQ(restored_shop([&](KeyspaceHead& shop) { shop.log.at(at).bytes.at(0) ^= 1; }), unreadable);
    EXPECT_EQ(restored_shop([&](KeyspaceHead& shop) { shop.log.at(at).bytes.at(0) = 4; }), unreadable);
    EXPECT_EQ(restored_shop([&](KeyspaceHead& shop) { ++shop.log.at(at).bytes.at(1); }), unreadable);
  }
  const std::string impossible = "damaged: keyspace \"shop\": a log entry of dots that can't be";
  EXPECT_EQ(restored_shop([](KeyspaceHead& shop) { shop.log.at(0).actor = 4'000'000'000; }), impossible);
  EXPECT_EQ(restored_shop([](KeyspaceHead& shop) { shop.log.at(0).first = 0; }), impossible);
  EXPECT_EQ(restored_shop([](KeyspaceHead& shop) { shop.log.at(0).first = ~std::uint64_t{0}; }), impossible);
  const std::string turn = "damaged: keyspace \"shop\": a log entry of dots out of turn";
  EXPECT_EQ(restored_shop([](KeyspaceHead& shop) { shop.log.push_back(shop.log.at(0)); }), turn);
  EXPECT_EQ(restored_shop([](KeyspaceHead& shop) { shop.log.at(0).first += 100; }), turn);
}

// A change that names an actor whom the keyspace doesn't have.
TEST_F(EngineRestore, ALogThatNamesNoActorIsAnError_R_DUR_6) {
  EXPECT_EQ(restored_shop([](KeyspaceHead& shop) {
              std::string bytes = "\1\1\1\1\1";  // Whole, one row, hash, clock, one dependency:
              put_varint(bytes, shop.actors.size());
              put_varint(bytes, 1);
              shop.log.at(0).bytes = bytes + "\7k\1\1\1x" + std::string(1, '\0');
            }),
            "damaged: keyspace \"shop\": a log entry can't be read");
}

TEST_F(EngineRestore, ADamagedStagedPassIsAnError_R_DUR_6) {
  const std::string unreadable = "damaged: keyspace \"shop\": a staged pass can't be read";
  for (std::size_t i = 0; i < head().staged.size(); ++i) {
    for (std::size_t length = 0; length < head().staged[i].size(); ++length)
      EXPECT_EQ(restored_shop([&](KeyspaceHead& shop) { shop.staged.at(i).resize(length); }), unreadable);
    EXPECT_EQ(restored_shop([&](KeyspaceHead& shop) { shop.staged.at(i).push_back('\1'); }), unreadable);
  }
  EXPECT_EQ(restored_shop([](KeyspaceHead& shop) { shop.staged.erase(shop.staged.begin()); }), unreadable);
  EXPECT_EQ(restored_shop([](KeyspaceHead& shop) { shop.staged.erase(shop.staged.begin() + 1); }),
            unreadable);
  EXPECT_EQ(restored_shop([](KeyspaceHead& shop) {
              shop.staged.at(1) = std::string(1, '\1');  // A new round, of a version with one counter...
              put_varint(shop.staged.at(1), 1);
              put_varint(shop.staged.at(1), 4'000'000'000);  // ...of an actor whom nobody knows.
              put_varint(shop.staged.at(1), 1);
              shop.staged.at(1) += std::string(2, '\0');
            }),
            unreadable);
}

// Only reading all leaves would tell that a state digest lies. Peers tell by
// comparing; they take in nothing that doesn't add up, and say so.
TEST_F(EngineRestore, AStateDigestThatLiesIsFoundByComparing_R_AE_1) {
  DigestPair lie = head().digests;
  ++lie.state.low;
  stored_.disk->set_digests("shop", lie);
  stored_.restart();
  EXPECT_EQ(talk(clock_, peer_, stored_), "malformed: a full pass that doesn't add up to its digest");
  EXPECT_TRUE(contains(peer_.notices(), Notice::Kind::divergence_detected));
  EXPECT_EQ(peer_.engine->digests(*peer_.shop), *peer_.engine->recompute_digests(*peer_.shop));
}

// ---- random damage ---------------------------------------------------------------------------

void flip(Random& random, std::string& bytes) {
  if (bytes.empty()) return;
  char& byte = bytes[random.below(bytes.size())];
  byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1U << random.below(8)));
}

// Flipped bits are refused, or harm nobody: a peer that was there before, an
// empty one, and the log's own readers meet what passed for a head.
TEST_F(EngineRestore, FlippedBitsNeverEndTheProcess_R_DUR_6) {
  Random random(1);
  std::size_t refused = 0, taken = 0;
  for (std::size_t run = 0; run < scaled(10'000); ++run) {
    SCOPED_TRACE(run);
    Head damaged = stored_.disk->head();
    KeyspaceHead& shop = damaged.keyspaces.at(0);
    for (std::size_t n = 1 + random.below(3); n > 0; --n) {
      const bool in_log = random.chance(1, 2);
      flip(random, in_log ? shop.log[random.below(shop.log.size())].bytes
                          : shop.staged[random.below(shop.staged.size())]);
    }
    Peer victim(7, {}, true), fresh(8);
    *victim.disk = sim::Disk(*stored_.disk);
    auto engine = Engine::restore({.entropy = {7, 7, 7, run}}, *victim.disk, damaged);
    if (!engine) {
      EXPECT_EQ(engine.error().code, Errc::damaged);
      ++refused;
      continue;
    }
    ++taken;
    victim.engine = std::move(*engine);
    victim.shop = victim.engine->find_keyspace("shop");
    static_cast<void>(victim.engine->touched_since(*victim.shop, {}));
    static_cast<void>(talk(clock_, victim, fresh));
    if (random.chance(1, 16)) static_cast<void>(talk(clock_, victim, peer_));
  }
  EXPECT_GT(refused, scaled(10'000) / 4);
  EXPECT_GT(taken, scaled(10'000) / 20);
}

}  // namespace
}  // namespace syncline
