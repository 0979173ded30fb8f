// A small app's own invariants under faults: the example of docs/simulation.md.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "tests/sim/world.h"
#include "tests/support/scale.h"

namespace syncline {
namespace {

// A till books an order and counts it, in one change.
Result<Version> book(Replica& replica, const std::string& order) {
  return replica.keyspace("till").update([&](Update& update) {
    update.set("orders").insert(order);
    update.counter("booked").add(1);
  });
}

// What must hold at every replica, at every moment: so many orders as were counted.
std::string orders_add_up(std::uint32_t, Replica& replica) {
  const Keyspace till = replica.keyspace("till");
  const auto orders = till.set("orders").size();
  const auto booked = till.counter("booked").total();
  if (!orders || !booked) return {};  // The disk can't be read just now.
  if (static_cast<std::int64_t>(*orders) == *booked) return {};
  return std::to_string(*orders) + " orders, " + std::to_string(*booked) + " counted";
}

TEST(Till, OrdersAddUpUnderFaults) {
  const std::uint64_t seeds = test_scale() == Scale::small ? 3 : scaled(20);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    sim::World world({.seed = seed, .replicas = 3});
    world.check(orders_add_up);
    std::uint64_t booked = 0;
    world.play(300, [&booked](std::uint32_t, Replica& replica, sim::Rng&) {
      if (book(replica, "order " + std::to_string(booked))) ++booked;
    });
    EXPECT_TRUE(world.heal()) << world.describe();
  }
}

// The same app with the count in a change of its own: what peers see in between tells.
TEST(Till, TwoChangesInPlaceOfOneAreCaught) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SessionOptions session;
    session.push_bytes = 1;  // Each change travels alone.
    sim::World world({.seed = seed, .faults = sim::Faults(), .session = session});
    world.check(orders_add_up);
    std::uint64_t booked = 0;
    world.play(300, [&booked](std::uint32_t, Replica& replica, sim::Rng&) {
      Keyspace till = replica.keyspace("till");
      const std::string order = "order " + std::to_string(booked++);
      EXPECT_TRUE(till.update([&](Update& update) { update.set("orders").insert(order); }));
      EXPECT_TRUE(till.update([](Update& update) { update.counter("booked").add(1); }));
    });
    EXPECT_TRUE(world.violation()) << world.describe();
  }
}

TEST(World, EqualSeedsGiveEqualRuns) {
  const auto run = [](std::uint64_t seed) {
    sim::World world({.seed = seed});
    std::uint64_t booked = 0;
    world.play(200, [&booked](std::uint32_t, Replica& replica, sim::Rng&) {
      if (book(replica, "order " + std::to_string(booked))) ++booked;
    });
    world.heal();
    return world.trace_hash();
  };
  EXPECT_EQ(run(4), run(4));
  EXPECT_NE(run(4), run(5));
}

// What was written survives what its promise says it survives.
TEST(World, AllComesBackAfterCrashesAndRestarts) {
  const sim::Faults faults = sim::Faults().set(sim::Fault::crash, 20).set(sim::Fault::restart, 20);
  sim::World world({.seed = 1, .faults = faults});
  std::uint64_t booked = 0;
  ASSERT_TRUE(world.play(400, [&booked](std::uint32_t, Replica& replica, sim::Rng&) {
    ASSERT_TRUE(book(replica, "order " + std::to_string(booked)));
    ++booked;
  }));
  ASSERT_TRUE(world.heal()) << world.describe();
  EXPECT_GT(world.struck(sim::Fault::crash), 0U);
  EXPECT_GT(world.struck(sim::Fault::restart), 0U);
  for (std::uint32_t i = 0; i < world.size(); ++i) {
    ASSERT_NE(world.replica(i), nullptr);
    EXPECT_EQ(world.replica(i)->keyspace("till").counter("booked").total(),
              static_cast<std::int64_t>(booked));
  }
}

}  // namespace
}  // namespace syncline
