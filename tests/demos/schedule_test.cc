#include "demos/gossip/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace gossip {
namespace {

using syncline::ActorId;
using syncline::Version;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const ActorId ada{{1}};
const ActorId bob{{2}};

Version upto(const ActorId& actor, std::uint64_t counter) {
  Version version;
  version.raise(actor, counter);
  return version;
}

// A plan of two peers: who makes each change, and after which.
Plan plan_of(std::vector<std::pair<std::size_t, std::vector<std::size_t>>> changes) {
  Plan plan;
  plan.peers = 2;
  for (auto& [peer, after] : changes)
    plan.changes.push_back({.peer = peer, .operations = {}, .after = after});
  return plan;
}

std::vector<std::size_t> take_all(Schedule& schedule) {
  std::vector<std::size_t> all;
  while (const auto position = schedule.take()) all.push_back(*position);
  return all;
}

void make(Schedule& schedule, std::size_t position, const ActorId& actor, std::uint64_t counter) {
  schedule.handle_began(position);
  schedule.handle_done(position, actor, counter, upto(actor, counter));
}

TEST(Schedule, LetsAWindowOfChangesGoAtATime) {
  const auto plan = plan_of({{0, {}}, {1, {}}, {0, {}}});
  Schedule schedule(plan, 2);
  schedule.advance(3);
  EXPECT_THAT(take_all(schedule), ElementsAre(0, 1));
  make(schedule, 0, ada, 1);
  schedule.advance(2);
  EXPECT_THAT(take_all(schedule), IsEmpty()) << "The limit holds too.";
  schedule.advance(3);
  EXPECT_THAT(take_all(schedule), ElementsAre(2));
}

TEST(Schedule, WhoReturnsWithItsDiskIsSentOnlyWhatItWasDoing) {
  const auto plan = plan_of({{0, {}}, {0, {}}, {0, {1}}, {1, {}}});
  Schedule schedule(plan, 8);
  schedule.advance(4);
  EXPECT_THAT(take_all(schedule), ElementsAre(0, 1, 3));
  make(schedule, 0, ada, 1);
  schedule.handle_began(1);
  schedule.handle_return(0);
  EXPECT_EQ(schedule.done(), 1U);
  EXPECT_EQ(schedule.done_by(0), 1U);
  EXPECT_THAT(take_all(schedule), ElementsAre(1)) << "Not 0, which is made; not 2, whose turn hasn't come.";
  make(schedule, 1, bob, 1);
  EXPECT_THAT(take_all(schedule), ElementsAre(2));
}

TEST(Schedule, WhatFollowsWaitsAndLaterOnesPassIt) {
  const auto plan = plan_of({{0, {}}, {1, {0}}, {1, {}}});
  Schedule schedule(plan, 2);
  schedule.advance(3);
  EXPECT_THAT(take_all(schedule), ElementsAre(0, 2));
  EXPECT_EQ(schedule.waited(), 1U);
  make(schedule, 0, ada, 5);
  EXPECT_THAT(take_all(schedule), ElementsAre(1));
  EXPECT_THAT(schedule.tokens(1), ElementsAre(upto(ada, 5)));
  schedule.handle_waiting(1);
  EXPECT_EQ(schedule.waited(), 1U) << "Counted once.";
  EXPECT_THAT(schedule.waiting_at_peers(), ElementsAre(1));
  make(schedule, 2, bob, 1);
  EXPECT_TRUE(schedule.only_waiting());
  make(schedule, 1, bob, 2);
  EXPECT_EQ(schedule.done(), schedule.total());
  EXPECT_EQ(schedule.done_by(1), 2U);
}

TEST(Schedule, KnownCountsTheChangesWithinAVersion) {
  const auto plan = plan_of({{0, {}}, {0, {}}, {1, {}}});
  Schedule schedule(plan, 9);
  schedule.advance(3);
  take_all(schedule);
  make(schedule, 0, ada, 3);
  make(schedule, 1, ada, 7);
  make(schedule, 2, bob, 2);
  EXPECT_EQ(schedule.known({}), 0U);
  EXPECT_EQ(schedule.known(upto(ada, 6)), 1U);
  auto all = upto(ada, 7);
  all.merge(upto(bob, 2));
  EXPECT_EQ(schedule.known(all), 3U);
}

TEST(Schedule, WhatOnlyTheDeadKnewIsMadeAgain) {
  const auto plan = plan_of({{0, {}}, {0, {}}, {1, {1}}, {0, {}}});
  Schedule schedule(plan, 9);
  schedule.advance(4);
  take_all(schedule);
  make(schedule, 0, ada, 1);
  make(schedule, 1, ada, 2);
  EXPECT_THAT(take_all(schedule), ElementsAre(2));
  schedule.handle_waiting(2);  // For what only the dead one has.
  EXPECT_EQ(schedule.handle_death(0, ada, 1), 1U);
  EXPECT_EQ(schedule.done(), 1U);
  EXPECT_THAT(take_all(schedule), ElementsAre(1, 3)) << "The lost one, and the one that was on its way.";
  const ActorId replacement{{3}};
  make(schedule, 1, replacement, 1);
  EXPECT_THAT(take_all(schedule), ElementsAre(2)) << "Sent once more, with the new token.";
  EXPECT_THAT(schedule.tokens(2), ElementsAre(upto(replacement, 1)));
  make(schedule, 3, replacement, 2);
  make(schedule, 2, bob, 1);
  EXPECT_EQ(schedule.done(), schedule.total());
  EXPECT_EQ(schedule.known(upto(ada, 9)), 1U) << "The lost one isn't counted under the dead actor.";
}

TEST(Schedule, WhatTheDeadMadeAndCouldNotTellIsNotMadeAgain) {
  const auto plan = plan_of({{0, {}}, {0, {}}, {1, {1}}});
  Schedule schedule(plan, 9);
  schedule.advance(3);
  take_all(schedule);
  make(schedule, 0, ada, 1);
  schedule.handle_began(1);
  EXPECT_EQ(schedule.handle_death(0, ada, 4), 0U);
  EXPECT_EQ(schedule.done(), 2U);
  EXPECT_THAT(take_all(schedule), ElementsAre(2));
  EXPECT_THAT(schedule.tokens(2), ElementsAre(upto(ada, 4)));
}

TEST(Schedule, ChainsOfLostChangesAreMadeAgainInOrder) {
  const auto plan = plan_of({{0, {}}, {0, {0}}, {0, {1}}});
  Schedule schedule(plan, 9);
  schedule.advance(3);
  take_all(schedule);
  for (std::size_t i = 0; i < 3; ++i) {
    make(schedule, i, ada, i + 1);
    take_all(schedule);
  }
  EXPECT_EQ(schedule.done(), schedule.total());
  EXPECT_EQ(schedule.handle_death(0, ada, 0), 3U);
  EXPECT_EQ(schedule.done(), 0U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_THAT(take_all(schedule), ElementsAre(i));
    make(schedule, i, bob, i + 1);
  }
  EXPECT_EQ(schedule.done(), schedule.total());
}

}  // namespace
}  // namespace gossip
