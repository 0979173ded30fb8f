// What engines and sessions know of what all members have on disk.
#include "sync/stability.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/support/actor.h"
#include "tests/sync/peers.h"

namespace syncline {
namespace {

using std::chrono::milliseconds;

const std::string k = leaf("k");
const std::string m = leaf("m");

EngineOptions no_stable_log() {
  EngineOptions options;
  options.log_stable_bytes = 0;
  return options;
}

// Peers in a row, each linked to the next: who isn't linked hears by gossip.
class Row {
 public:
  explicit Row(std::size_t count, EngineOptions options = no_stable_log(), bool with_disks = false) {
    for (std::size_t i = 0; i < count; ++i)
      peers_.push_back(std::make_unique<Peer>(i + 1, options, with_disks));
    for (std::size_t i = 0; i + 1 < count; ++i) connect(i, i + 1);
  }

  Peer& operator[](std::size_t i) { return *peers_[i]; }
  Link& link(std::size_t i) { return *links_[i]; }
  void connect(std::size_t a, std::size_t b) {
    links_.push_back(std::make_unique<Link>(clock, *peers_[a], *peers_[b]));
  }
  void cut_links() { links_.clear(); }

  // From now on these peers, by their places, are the members that a peer knows of.
  void tell(std::size_t who, const std::vector<std::size_t>& members) {
    std::vector<ActorId> ids;
    for (const std::size_t each : members) ids.push_back(id(each));
    peers_[who]->engine->set_members(MemberList(ids, id(who)));
  }
  void tell_all(const std::vector<std::size_t>& members) {
    for (std::size_t i = 0; i < peers_.size(); ++i) tell(i, members);
  }

  void run(milliseconds time) {
    settle();
    for (milliseconds passed(0); passed < time; passed += milliseconds(50)) {
      clock.pass(milliseconds(50));
      for (const auto& each : links_)
        for (const std::size_t end : {0U, 1U}) each->session(end).handle_timeout(clock.now);
      settle();
    }
  }
  void settle() {
    for (bool any = true; any;) {
      any = false;
      for (const auto& each : links_) any = each->settle() > 0 || any;
    }
  }

  Version stable(std::size_t who) { return peers_[who]->engine->stable_version(*peers_[who]->shop); }
  std::size_t log_bytes(std::size_t who) { return peers_[who]->engine->log_memory_bytes(*peers_[who]->shop); }

  TestClock clock;

 private:
  static ActorId id(std::size_t who) { return actor(static_cast<std::uint8_t>(0x40 + who)); }

  std::vector<std::unique_ptr<Peer>> peers_;
  std::vector<std::unique_ptr<Link>> links_;
};

TEST(Stability, WhatAllMembersHaveIsKnownToAllWhoGossip) {
  Row row(4);  // The last is no member, and only the first two are linked to each other directly.
  row.tell_all({0, 1, 2});
  row[0].put(row.clock, {k});
  row[2].put(row.clock, {m});
  row.run(milliseconds(5'000));
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(row.stable(i), row[0].version()) << i;
    EXPECT_TRUE(row[i].engine->is_stable(*row[i].shop, row[0].version()));
    EXPECT_EQ(row[i].engine->stability_age(*row[i].shop, row.clock.now), milliseconds(0));
  }
  EXPECT_EQ(row[3].engine->collectable_version(*row[3].shop), row[0].version());
}

TEST(Stability, WithoutMembersNothingIsKnown) {
  Row row(2);
  row[0].put(row.clock, {k});
  row.run(milliseconds(5'000));
  EXPECT_TRUE(row.stable(0).empty());
  EXPECT_FALSE(row[0].engine->is_stable(*row[0].shop, {}));
  EXPECT_FALSE(row[0].engine->stability_age(*row[0].shop, row.clock.now));
}

TEST(Stability, WaitsForEachMember) {
  Row row(3);
  row.tell_all({0, 1, 2});
  row.run(milliseconds(3'000));
  row.cut_links();
  row.connect(0, 1);  // The third is away.
  row[0].put(row.clock, {k});
  row.run(milliseconds(5'000));
  EXPECT_TRUE(row.stable(0).empty());
  EXPECT_EQ(row[0].engine->unacknowledged(*row[0].shop).size(), 1U);
  EXPECT_GT(row[0].engine->stability_age(*row[0].shop, row.clock.now), milliseconds(4'000));
  row.connect(1, 2);
  row.run(milliseconds(5'000));
  EXPECT_EQ(row.stable(0), row[0].version());
}

// I4: what only memory holds isn't acknowledged.
TEST(Stability, OnlyWhatIsOnDiskIsAcknowledged_R_DUR_1) {
  Row row(2, no_stable_log(), true);
  row.tell_all({0, 1});
  row.run(milliseconds(3'000));
  row[1].disk_works = false;
  row[0].put(row.clock, {k});
  row.run(milliseconds(5'000));
  EXPECT_EQ(row[1].version(), row[0].version());  // It has been applied.
  EXPECT_TRUE(row.stable(0).empty());
  EXPECT_TRUE(row.stable(1).empty());
  row[1].disk_works = true;
  row.run(milliseconds(5'000));
  EXPECT_EQ(row.stable(0), row[0].version());
}

TEST(Stability, AJoinerIsWaitedForAndALeaverIsNot) {
  Row row(3);
  row.tell_all({0, 1});
  row[0].put(row.clock, {k});
  row.run(milliseconds(5'000));
  const Version both = row.stable(0);
  EXPECT_EQ(both, row[0].version());
  row.cut_links();
  row.connect(0, 1);
  row.tell_all({0, 1, 2});  // It joined and went away.
  EXPECT_TRUE(row.stable(0).empty());
  row[0].put(row.clock, {m});
  row.run(milliseconds(5'000));
  EXPECT_TRUE(row.stable(0).empty());
  row.tell_all({0, 1});
  row.run(milliseconds(5'000));
  EXPECT_EQ(row.stable(0), row[0].version());
}

TEST(Stability, AcknowledgementsOfAnotherListCountOnceTheListsAgree) {
  Row row(2);
  row.tell(0, {0, 1});
  row.tell(1, {1, 2});  // As if it had not heard of the changes of the list yet.
  row[0].put(row.clock, {k});
  row.run(milliseconds(5'000));
  EXPECT_TRUE(row.stable(0).empty());
  EXPECT_TRUE(row.stable(1).empty());
  row.tell(1, {0, 1});
  row.run(milliseconds(200));  // What was told meanwhile was kept.
  EXPECT_EQ(row.stable(1), row[0].version());
}

// Its list was another one for a moment: what it had heard before counts again.
TEST(Stability, AListThatChangesBackFindsWhatItKnew) {
  Row row(2);
  row.tell_all({0, 1});
  row[0].put(row.clock, {k});
  row.run(milliseconds(5'000));
  row.tell(1, {0, 1, 2});
  row.run(milliseconds(200));
  EXPECT_TRUE(row.stable(1).empty());
  row.tell(1, {0, 1});
  row.run(milliseconds(200));
  EXPECT_EQ(row.stable(1), row[0].version());
}

TEST(Stability, AcknowledgementsThatNoListCanHaveAreLeftAlone_R_SEC_4) {
  for (const std::string& by : {std::string(), std::string("\x03"), std::string(3, '\x01')}) {
    Row row(2);
    row.tell_all({0, 1, 2, 3, 4, 5, 6, 7, 8});  // Two bytes of acknowledgements.
    row.cut_links();
    row.connect(0, 1);
    row.link(0).operate_on(0, [&](Message& message) {
      if (auto* cut = std::get_if<Cut>(&message)) {
        cut->acknowledged = by;
        cut->epoch = epoch_max;
        cut->met.clear();
        cut->heard.clear();
      }
      return true;
    });
    row[0].put(row.clock, {k});
    row.run(milliseconds(5'000));
    expect_equal(row[0], row[1]);
    EXPECT_TRUE(row.stable(1).empty());
    EXPECT_EQ(row.link(0).session(1).established(), true);
  }
}

TEST(Stability, CutsTheLogAtItsFloorAndKeepsWhatItIsToldToKeep) {
  EngineOptions keeps;
  keeps.log_stable_bytes = 2'000;
  for (const EngineOptions& options : {no_stable_log(), keeps}) {
    Row row(2, options);
    row.tell_all({0, 1});
    for (int i = 0; i < 100; ++i) row[0].put(row.clock, {k}, std::string(100, 'x'));
    row.run(milliseconds(5'000));
    EXPECT_EQ(row.stable(1), row[0].version());
    EXPECT_LE(row.log_bytes(0), options.log_stable_bytes);
    EXPECT_LE(row.log_bytes(1), options.log_stable_bytes);
    EXPECT_EQ(row.log_bytes(0) == 0, options.log_stable_bytes == 0);
    EXPECT_GT(row[0].engine->metrics().log_cut_stable, 50U);
    EXPECT_EQ(row[0].engine->metrics().log_cut, 0U);
  }
}

// Nothing that must be safe hangs on stability: a peer lies that everybody has everything, and all logs are
// cut before a third replica has any of it.
TEST(Stability, AWrongFloorCostsBytesNeverData_R_GC_1) {
  Row row(3);
  row.tell_all({0, 1, 2});
  row.cut_links();
  for (int i = 0; i < 20; ++i) row[0].put(row.clock, {leaf(std::to_string(i)), k}, std::to_string(i));
  row[0].remove(row.clock, {leaf("7")});
  row[2].put(row.clock, {m});
  row.connect(0, 1);
  // The second's acknowledgements say that all have all, in an epoch that is closed.
  row.link(0).operate_on(1, [&](Message& message) {
    auto* cut = std::get_if<Cut>(&message);
    if (cut == nullptr) return true;
    cut->epoch += 10;
    cut->acknowledged.clear();
    cut->floor = cut->met;
    cut->met.clear();
    cut->heard.clear();
    return true;
  });
  row.run(milliseconds(5'000));
  EXPECT_FALSE(row[2].version().includes(row.stable(0)));  // The floor is wrong.
  EXPECT_FALSE(row.stable(0).empty());
  EXPECT_EQ(row.log_bytes(0), 0U);
  row.connect(0, 2);
  row.run(milliseconds(5'000));
  EXPECT_GT(row.link(1).session(1).metrics().full_passes_in, 0U);  // It cost bytes.
  expect_equal(row[0], row[2]);
  expect_equal(row[0], row[1]);
  EXPECT_TRUE(row[2].live(leaf("7")).empty());
  EXPECT_EQ(row[0].live(m).size(), 1U);
}

TEST(Stability, IdleLinksSayNoMoreForIt) {
  std::uint64_t said[2] = {};
  for (const bool members : {false, true}) {
    Row row(2);
    if (members) row.tell_all({0, 1});
    row[0].put(row.clock, {k});
    row.run(milliseconds(5'000));
    const std::uint64_t before = row.link(0).session(0).metrics().bytes_out;
    row.run(milliseconds(60'000));
    said[members ? 1 : 0] = row.link(0).session(0).metrics().bytes_out - before;
  }
  EXPECT_EQ(said[0], said[1]);
}

// They crowded narrow links when they went out as often as acknowledgements of pushes.
TEST(Stability, NewsOfItAreToldOnceATick_R_AE_3) {
  const milliseconds tick = SessionOptions{}.tick_interval;
  Row row(3);
  row.tell_all({0, 1, 2});
  int cuts = 0;
  row.link(0).operate_on(1, [&](Message& message) {  // What the middle one hears from both sides, and passes on.
    cuts += std::holds_alternative<Cut>(message) ? 1 : 0;
    return true;
  });
  constexpr int ticks = 10;
  for (milliseconds passed(0); passed < ticks * tick; passed += milliseconds(50)) {
    row[0].put(row.clock, {k});
    row[2].put(row.clock, {m});
    row.run(milliseconds(50));
  }
  EXPECT_GT(cuts, 0);
  EXPECT_LE(cuts, ticks + 1);
}

// A failed commit may take back actors whose numbers acknowledgements name.
TEST(Stability, AFailedCommitForgetsWhatWasHeard) {
  Row row(2, no_stable_log(), true);
  row.tell_all({0, 1});
  row[0].put(row.clock, {k});
  row.run(milliseconds(5'000));
  ASSERT_FALSE(row.stable(1).empty());
  row.cut_links();
  row[1].engine->handle_failed(Error{Errc::storage, "test"});
  EXPECT_TRUE(row.stable(1).empty());
  row.connect(0, 1);
  row.run(milliseconds(5'000));
  EXPECT_EQ(row.stable(1), row[0].version());
}

}  // namespace
}  // namespace syncline
