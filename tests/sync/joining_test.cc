// A full pass that is staged in place: into an empty keyspace, leaf by leaf.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sync/keyspace_state.h"
#include "tests/sync/peers.h"

namespace syncline {
namespace {

using std::chrono::milliseconds;

constexpr EngineOptions in_place{.join_in_place = true};
const SessionOptions leaf_by_leaf{.chunk_bytes = 1};

std::string numbered(int i) { return leaf("e" + std::to_string(1'000 + i)); }

void fill(Peer& peer, const TestClock& clock, int leaves) {
  for (int i = 0; i < leaves; ++i) peer.put(clock, {numbered(i)}, "v" + std::to_string(i));
}

// Moves frames until `end` took in a chunk with leaves, or nothing moves any more. Whether one came.
bool take_chunk(Link& link, std::size_t end = 1) {
  const std::uint64_t before = link.session(end).metrics().leaves_in;
  for (bool moved = true; moved && link.session(end).metrics().leaves_in == before;) {
    link.collect(1 - end, 1);
    moved = link.deliver(1 - end);
    link.collect(end);
    while (link.deliver(end)) moved = true;
  }
  return link.session(end).metrics().leaves_in != before;
}

// Reads and writes are refused, and nobody is told anything.
void expect_joining(Peer& peer, const TestClock& clock) {
  Engine& engine = *peer.engine;
  ASSERT_TRUE(engine.joining(*peer.shop).has_value());
  const auto read = engine.find(*peer.shop, numbered(0));
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, Errc::joining);
  EXPECT_FALSE(engine.scan(*peer.shop, {}, [](std::string_view, std::string_view) { return true; }));
  EXPECT_FALSE(engine.touched_since(*peer.shop, {}).has_value());
  Transaction tx = engine.begin(*peer.shop, clock.now);
  tx.put(tx.open(numbered(0)), 0, "mine");
  const auto written = engine.commit(std::move(tx));
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().code, Errc::joining);
  EXPECT_TRUE(engine.version(*peer.shop).empty());
  EXPECT_TRUE(engine.persisted_version(*peer.shop).empty());
  EXPECT_EQ(engine.digests(*peer.shop), DigestPair{});
  EXPECT_EQ(engine.persisted_digests(*peer.shop), DigestPair{});
}

// With a disk and without.
class JoiningInPlace : public testing::TestWithParam<bool> {
 protected:
  TestClock clock;
  Peer a{1}, c{3};
  Peer b{2, in_place, GetParam()};
};

TEST_P(JoiningInPlace, ShowsNothingUntilAllIsHere) {
  fill(a, clock, 20);
  Link link(clock, a, b, leaf_by_leaf);
  std::uint64_t leaves = 0;
  while (take_chunk(link) && b.shop->is_joining()) {
    expect_joining(b, clock);
    EXPECT_EQ(b.engine->joining(*b.shop)->leaves, ++leaves);
    EXPECT_FALSE(link.session(1).in_sync());
  }
  EXPECT_EQ(leaves, 19U);  // The last one came with the closing chunk.
  link.run(milliseconds(3'000));
  expect_equal(a, b);
  EXPECT_TRUE(link.session(0).in_sync());
  EXPECT_TRUE(link.session(1).in_sync());
  EXPECT_TRUE(contains(b.notices(), Notice::Kind::joined));
  EXPECT_EQ(link.session(1).metrics().full_passes_in, 1U);
  b.put(clock, {numbered(3)}, "mine");
  link.settle();
  expect_equal(a, b);
}

TEST_P(JoiningInPlace, GoesOnAfterACutAtEveryChunk) {
  fill(a, clock, 20);
  std::uint64_t leaves = 0;
  int links = 0;
  for (; b.version().empty() && links < 100; ++links) {
    Link link(clock, a, b, leaf_by_leaf);
    EXPECT_TRUE(take_chunk(link));
    leaves += link.session(1).metrics().leaves_in;
  }
  EXPECT_EQ(links, 20);
  EXPECT_EQ(leaves, 20U);  // None came twice.
  b.persist();
  expect_equal(a, b);
}

// The last chunks wait for a slow disk: what is on it is no state that could be compared with anybody's. To
// take it for a damaged one began a repair, which removes nothing, not even what had to go.
TEST_P(JoiningInPlace, AsksForNothingUntilWhatItJoinedIsOnDisk) {
  Peer forgetful(1, {.log_bytes_max = 0});
  fill(forgetful, clock, 100);
  Link link(clock, forgetful, b, leaf_by_leaf);
  for (int chunk = 0; chunk < 50; ++chunk) ASSERT_TRUE(take_chunk(link));
  b.disk_works = false;
  link.run(milliseconds(500));
  EXPECT_FALSE(b.version().empty());
  forgetful.remove(clock, {numbered(3)});
  link.run(milliseconds(3'000));
  const bool is_there = b.disk == nullptr;  // In memory it always is, and goes on.
  EXPECT_EQ(link.session(1).metrics().passes_in, is_there ? 2U : 1U);
  b.disk_works = true;
  link.run(milliseconds(3'000));
  expect_equal(forgetful, b);
  EXPECT_EQ(link.session(1).metrics().passes_in, 2U);
  EXPECT_EQ(link.session(1).metrics().full_passes_in, 1U);
}

TEST_P(JoiningInPlace, TakesInWhatIsWrittenMeanwhile) {
  fill(a, clock, 12);
  Link link(clock, a, b, leaf_by_leaf);
  for (int chunk = 0; chunk < 60 && b.version().empty(); ++chunk) {
    ASSERT_TRUE(take_chunk(link)) << chunk;
    if (chunk >= 15) continue;  // Behind the cursor, ahead of it, and twice the same.
    a.put(clock, {numbered(chunk / 2), numbered(40 + chunk)}, "again");
    if (chunk % 3 == 0) a.remove(clock, {numbered(chunk / 2)});
    if (chunk % 4 == 0) a.remove(clock, {numbered(40 + chunk)});
  }
  link.settle();
  EXPECT_EQ(link.session(1).metrics().full_passes_in, 1U);
  expect_equal(a, b);
}

TEST_P(JoiningInPlace, AnswersNobodyMeanwhile) {
  fill(a, clock, 10);
  Link link(clock, a, b, leaf_by_leaf);
  for (int chunk = 0; chunk < 5; ++chunk) ASSERT_TRUE(take_chunk(link));
  {
    Link other(clock, b, c);
    other.run(milliseconds(2'500));
    EXPECT_TRUE(other.session(1).peer_version("shop").empty());
    EXPECT_EQ(other.session(1).metrics().passes_in, 0U);
    EXPECT_FALSE(other.session(0).in_sync());
    EXPECT_TRUE(c.content().empty());
    EXPECT_TRUE(b.shop->is_joining());
  }
  link.run(milliseconds(300));
  expect_equal(a, b);
}

// What another peer pushes might be covered by a later chunk, or removed by it.
TEST_P(JoiningInPlace, KeepsWhatIsPushedForLater) {
  fill(a, clock, 10);
  Link link(clock, a, b, leaf_by_leaf);
  Link other(clock, c, b);
  other.run(milliseconds(100));
  for (int chunk = 0; chunk < 5; ++chunk) ASSERT_TRUE(take_chunk(link));
  c.put(clock, {numbered(2), numbered(50)}, "pushed");
  other.settle();
  expect_joining(b, clock);
  link.run(milliseconds(300));
  EXPECT_EQ(b.content().at(numbered(50)).front().payload.bytes, "pushed");
  EXPECT_EQ(b.live(numbered(2)).size(), 2U);  // a's and c's, concurrent.
}

TEST_P(JoiningInPlace, BeginsAnewIfItDoesNotAddUp_R_AE_1) {
  fill(a, clock, 10);
  {
    Link link(clock, a, b, leaf_by_leaf);
    link.operate_on(0, [](Message& message) {
      auto* chunk = std::get_if<Chunk>(&message);
      if (chunk != nullptr && chunk->number == 4) chunk->leaves.clear();
      return true;
    });
    bool refused = false;
    for (int turn = 0; turn < 200 && !refused; ++turn) {
      link.collect(0, 1);
      link.collect(1);
      while (link.deliver(1)) {
      }
      while (!link.frames(0).empty()) {
        const auto taken = link.session(1).handle_frame(clock.now, link.frames(0).front());
        link.frames(0).pop_front();
        if (taken) continue;
        refused = true;
        EXPECT_EQ(taken.error().code, Errc::malformed);
        break;
      }
      b.persist();
    }
    EXPECT_TRUE(refused);
  }
  EXPECT_FALSE(b.shop->is_joining());
  EXPECT_TRUE(b.content().empty());
  EXPECT_EQ(b.engine->digests(*b.shop), DigestPair{});
  Link link(clock, a, b, leaf_by_leaf);
  link.settle();
  expect_equal(a, b);
}

TEST_P(JoiningInPlace, GoesOnAtAnyPeerThatHasAllOfIt) {
  fill(a, clock, 10);
  {
    Link link(clock, a, c);
    link.settle();
  }
  {
    Link link(clock, a, b, leaf_by_leaf);
    for (int chunk = 0; chunk < 6; ++chunk) ASSERT_TRUE(take_chunk(link));
  }
  Link link(clock, c, b, leaf_by_leaf);
  link.run(milliseconds(300));
  EXPECT_EQ(link.session(1).metrics().leaves_in, 4U);
  expect_equal(c, b);
}

TEST_P(JoiningInPlace, BeginsAnewWhereNobodyHasAllOfIt) {
  fill(a, clock, 10);
  {
    Link link(clock, a, c);
    link.settle();
  }
  a.put(clock, {numbered(0)}, "c lacks this");
  {
    Link link(clock, a, b, leaf_by_leaf);
    for (int chunk = 0; chunk < 6; ++chunk) ASSERT_TRUE(take_chunk(link));
  }
  Link link(clock, c, b, leaf_by_leaf);
  link.run(milliseconds(50'000));
  EXPECT_TRUE(b.shop->is_joining());  // It may yet come back.
  EXPECT_EQ(link.session(1).metrics().leaves_in, 0U);
  link.run(milliseconds(15'000));
  EXPECT_EQ(link.session(1).metrics().leaves_in, 10U);
  expect_equal(c, b);
}

TEST_P(JoiningInPlace, BeginsAnewWhenTheLogWasCut) {
  fill(a, clock, 10);
  {
    Link link(clock, a, b, leaf_by_leaf);
    for (int chunk = 0; chunk < 6; ++chunk) ASSERT_TRUE(take_chunk(link));
  }
  a.put(clock, {numbered(0)}, "new");
  a.engine->cut_log(*a.shop, 0);
  Link link(clock, a, b, leaf_by_leaf);
  link.run(milliseconds(65'000));
  expect_equal(a, b);
}

// Who had the rest is gone, and this one has nothing.
TEST_P(JoiningInPlace, IsGivenUpWhereNobodyHasAnything) {
  fill(a, clock, 10);
  {
    Link link(clock, a, b, leaf_by_leaf);
    for (int chunk = 0; chunk < 6; ++chunk) ASSERT_TRUE(take_chunk(link));
  }
  Link link(clock, c, b, leaf_by_leaf);
  link.run(milliseconds(50'000));
  EXPECT_TRUE(b.shop->is_joining());
  link.run(milliseconds(15'000));
  EXPECT_FALSE(b.shop->is_joining());
  b.put(clock, {numbered(70)}, "mine");
  link.run(milliseconds(300));
  EXPECT_EQ(b.content().size(), 1U);
  expect_equal(c, b);
}

TEST_P(JoiningInPlace, LeavesAloneWhatIsNotEmpty) {
  fill(a, clock, 10);
  b.put(clock, {numbered(5), numbered(70)}, "mine");
  Link link(clock, a, b, leaf_by_leaf);
  for (int chunk = 0; chunk < 5; ++chunk) {
    ASSERT_TRUE(take_chunk(link));
    EXPECT_FALSE(b.shop->is_joining());
  }
  link.run(milliseconds(300));
  expect_equal(a, b);
  EXPECT_EQ(b.live(numbered(5)).size(), 2U);
}

// Asked for while it was empty; then something was written, before the first chunk came.
TEST_P(JoiningInPlace, IsGivenUpForAWriteThatCameFirst) {
  fill(a, clock, 10);
  Link link(clock, a, b, leaf_by_leaf);
  while (b.shop->inbound == nullptr) {
    for (const std::size_t from : {0U, 1U}) {
      link.collect(from);
      link.deliver(from);
    }
  }
  ASSERT_TRUE(b.shop->inbound->in_place);
  b.put(clock, {numbered(5)}, "mine");
  link.run(milliseconds(300));
  expect_equal(a, b);
  EXPECT_EQ(b.live(numbered(5)).size(), 2U);
}

// Without the option a fresh replica writes at once.
TEST_P(JoiningInPlace, IsTheCallersChoice) {
  fill(a, clock, 10);
  Peer d(4, {}, GetParam());
  Link link(clock, a, d, leaf_by_leaf);
  for (int chunk = 0; chunk < 5; ++chunk) ASSERT_TRUE(take_chunk(link));
  EXPECT_FALSE(d.shop->is_joining());
  d.put(clock, {numbered(5)}, "mine");
  link.run(milliseconds(300));
  expect_equal(a, d);
}

INSTANTIATE_TEST_SUITE_P(Stores, JoiningInPlace, testing::Bool(),
                         [](const auto& disk) { return disk.param ? "OnDisk" : "InMemory"; });

// ---- with a disk alone ----

TEST(JoiningOnDisk, GoesOnAfterARestartAtEveryChunk) {
  TestClock clock;
  Peer a(1), b(2, in_place, true);
  fill(a, clock, 20);
  std::uint64_t leaves = 0;
  int starts = 0;
  for (; b.version().empty() && starts < 100; ++starts) {
    {
      Link link(clock, a, b, leaf_by_leaf);
      EXPECT_TRUE(take_chunk(link));
      leaves += link.session(1).metrics().leaves_in;
      if (starts % 5 == 4) a.put(clock, {numbered(starts / 2)}, "meanwhile");
    }
    b.restart();
    if (b.version().empty()) expect_joining(b, clock);
  }
  EXPECT_LE(leaves, 20U + 4U);  // What was written meanwhile came again.
  expect_equal(a, b);
}

// The disk is slow: chunks come while the record of the one before is on its way, and the process
// may end between any two.
TEST(JoiningOnDisk, GoesOnFromWhatReachedTheDisk) {
  for (int lost = 0; lost < 4; ++lost) {
    TestClock clock;
    Peer a(1), b(2, in_place, true);
    fill(a, clock, 12);
    for (int start = 0; start < 40 && b.version().empty(); ++start) {
      {
        Link link(clock, a, b, leaf_by_leaf);
        link.settle(6);
        b.disk_works = false;
        std::vector<Record> records;
        for (int chunk = 0; chunk < lost && take_chunk(link); ++chunk)
          if (auto record = b.engine->poll_record()) records.push_back(std::move(*record));
        if (!records.empty()) {  // The first reaches the disk, but nobody hears of it.
          ASSERT_TRUE(b.disk->commit(records.front()).has_value());
        }
      }
      b.disk_works = true;
      b.restart();
    }
    Link link(clock, a, b);
    link.run(milliseconds(300));
    expect_equal(a, b);
  }
}

TEST(JoiningOnDisk, AFailedCommitTakesItBackToWhatIsThere) {
  TestClock clock;
  Peer a(1), b(2, in_place, true);
  fill(a, clock, 12);
  {
    Link link(clock, a, b, leaf_by_leaf);
    for (int chunk = 0; chunk < 5; ++chunk) ASSERT_TRUE(take_chunk(link));
    b.disk_works = false;
    for (int chunk = 0; chunk < 3; ++chunk) ASSERT_TRUE(take_chunk(link));
    ASSERT_TRUE(b.engine->poll_record().has_value());
    EXPECT_EQ(b.engine->joining(*b.shop)->leaves, 8U);
    b.engine->handle_failed(Error{Errc::disk_full, "no room"});
  }
  EXPECT_EQ(b.engine->joining(*b.shop)->leaves, 5U);
  b.disk_works = true;
  Link link(clock, a, b, leaf_by_leaf);
  link.run(milliseconds(300));
  EXPECT_EQ(link.session(1).metrics().leaves_in, 7U);
  expect_equal(a, b);
}

// Begun anew: the leaves of before are gone from the disk, too, also if the process ends just then.
TEST(JoiningOnDisk, NothingOfAnEarlierPassIsLeft) {
  for (const bool restarts : {false, true}) {
    TestClock clock;
    Peer a(1), c(3), b(2, in_place, true);
    fill(a, clock, 10);
    c.put(clock, {numbered(80)}, "c's");
    {
      Link link(clock, a, b, leaf_by_leaf);
      for (int chunk = 0; chunk < 6; ++chunk) ASSERT_TRUE(take_chunk(link));
    }
    {
      Link link(clock, c, b, leaf_by_leaf);
      link.run(milliseconds(65'000));
      expect_equal(c, b);
    }
    if (restarts) {
      b.restart();
      expect_equal(c, b);
    }
  }
}

TEST(JoiningOnDisk, AStoredOneIsReadBackOrRefused_R_DUR_6) {
  Joining joining;
  joining.peer[3] = 7;
  joining.start.raise(0, 5);
  joining.version.raise(0, 5);
  joining.version.raise(2, 9);
  joining.cursor = numbered(3);
  joining.bytes = 12'345;
  joining.state = {~std::uint64_t{0}, 1};
  const std::string bytes = joining.to_bytes();
  ASSERT_TRUE(Joining::is_one(bytes));
  const auto back = Joining::from_bytes(bytes, 3);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->to_bytes(), bytes);
  EXPECT_FALSE(Joining::from_bytes(bytes, 2).has_value());  // An actor that isn't there.
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(Joining::from_bytes(bytes.substr(0, size), 3).has_value()) << size;
  EXPECT_FALSE(Joining::from_bytes(bytes + '\0', 3).has_value());
}

}  // namespace
}  // namespace syncline
