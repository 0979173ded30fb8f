#include "crdt/causal_context.h"

#include <gtest/gtest.h>

#include <set>

#include "crdt/bytes.h"
#include "tests/support/random.h"

namespace syncline {
namespace {

using Interval = IntervalSet::Interval;
using Intervals = std::vector<Interval>;

ActorId actor(std::uint8_t number) {
  ActorId id;
  id.bytes[15] = number;
  return id;
}

TEST(IntervalSet, JoinsWhatTouches) {
  IntervalSet set;
  set.insert(1, 1);
  set.insert(2, 2);
  EXPECT_EQ(set.intervals(), (Intervals{{1, 2}}));
  set.insert(5, 6);
  set.insert(9, 9);
  EXPECT_EQ(set.intervals(), (Intervals{{1, 2}, {5, 6}, {9, 9}}));
  set.insert(3, 4);
  EXPECT_EQ(set.intervals(), (Intervals{{1, 6}, {9, 9}}));
  set.insert(2, 20);
  EXPECT_EQ(set.intervals(), (Intervals{{1, 20}}));
  set.insert(7, 3);
  EXPECT_EQ(set.intervals(), (Intervals{{1, 20}}));
}

TEST(IntervalSet, EraseCutsAndSplits) {
  IntervalSet set;
  set.insert(1, 10);
  set.erase(4, 5);
  EXPECT_EQ(set.intervals(), (Intervals{{1, 3}, {6, 10}}));
  set.erase(3, 6);
  EXPECT_EQ(set.intervals(), (Intervals{{1, 2}, {7, 10}}));
  set.erase(9, 30);
  EXPECT_EQ(set.intervals(), (Intervals{{1, 2}, {7, 8}}));
  set.erase(5, 4);
  set.erase(3, 6);
  EXPECT_EQ(set.intervals(), (Intervals{{1, 2}, {7, 8}}));
  set.erase(0, 8);
  EXPECT_TRUE(set.empty());
  EXPECT_EQ(set.last(), 0U);
}

TEST(IntervalSet, HoldsTheGreatestCounters) {
  constexpr std::uint64_t greatest = ~std::uint64_t{0};
  IntervalSet set;
  set.insert(greatest, greatest);
  set.insert(greatest - 1, greatest - 1);
  set.insert(greatest, greatest);
  EXPECT_EQ(set.intervals(), (Intervals{{greatest - 1, greatest}}));
  EXPECT_TRUE(set.contains(greatest - 1, greatest));
  set.erase(greatest, greatest);
  EXPECT_EQ(set.last(), greatest - 1);
}

TEST(IntervalSet, IsASetOfNumbers) {
  Random random(2);
  for (int run = 0; run < 2'000; ++run) {
    IntervalSet set, other;
    std::set<std::uint64_t> model, other_model;
    for (int step = 0; step < 30; ++step) {
      const std::uint64_t first = 1 + random.below(40);
      const std::uint64_t last = first + random.below(6) - 1;
      const auto each = [&](auto&& fn) {
        for (std::uint64_t c = first; c <= last; ++c) fn(c);
      };
      switch (random.below(4)) {
        case 0:
        case 1:
          set.insert(first, last), each([&](std::uint64_t c) { model.insert(c); });
          break;
        case 2:
          set.erase(first, last), each([&](std::uint64_t c) { model.erase(c); });
          break;
        default:
          other.insert(first, last), each([&](std::uint64_t c) { other_model.insert(c); });
      }
      bool whole = true;
      each([&](std::uint64_t c) { whole = whole && model.contains(c); });
      ASSERT_EQ(set.contains(first, last), whole);
    }
    set.merge(other);
    model.merge(other_model);
    for (std::uint64_t c = 0; c < 60; ++c) ASSERT_EQ(set.contains(c), model.contains(c)) << c;
    const Intervals& intervals = set.intervals();
    for (std::size_t i = 0; i < intervals.size(); ++i) {
      ASSERT_LE(intervals[i].first, intervals[i].last);
      if (i > 0) {
        ASSERT_GT(intervals[i].first, intervals[i - 1].last + 1);
      }
    }
    IntervalSet itself = set;
    itself.merge(itself);
    ASSERT_EQ(itself, set);
  }
}

CausalContext some_context() {
  CausalContext context;
  for (const std::uint64_t counter : {1U, 2U, 3U, 7U, 300U}) context.insert(Dot{actor(1), counter});
  for (const std::uint64_t counter : {5U, 6U}) context.insert(Dot{actor(9), counter});
  return context;
}

TEST(CausalContext, SeesDotsAndCountsOn) {
  const CausalContext context = some_context();
  EXPECT_TRUE(context.contains(Dot{actor(1), 7}));
  EXPECT_FALSE(context.contains(Dot{actor(1), 4}));
  EXPECT_FALSE(context.contains(Dot{actor(2), 1}));
  EXPECT_EQ(context.next_counter(actor(1)), 301U);
  EXPECT_EQ(context.next_counter(actor(2)), 1U);
}

TEST(CausalContext, MergeIsUnion) {
  CausalContext mine = some_context();
  CausalContext theirs;
  theirs.insert(Dot{actor(1), 4});
  theirs.insert(Dot{actor(4), 2});
  CausalContext other_way = theirs;
  other_way.merge(mine);
  mine.merge(theirs);
  EXPECT_EQ(mine, other_way);
  EXPECT_EQ(mine.actors().at(actor(1)).intervals(), (Intervals{{1, 4}, {7, 7}, {300, 300}}));
  EXPECT_TRUE(mine.contains(Dot{actor(4), 2}));
}

TEST(CausalContext, ComesBackFromItsBytes_R_CRDT_8) {
  std::string bytes;
  some_context().append_bytes(bytes);
  const std::size_t size = bytes.size();
  bytes += "rest";
  std::string_view view = bytes;
  const auto back = CausalContext::take(view);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(*back, some_context());
  EXPECT_EQ(view, "rest");
  for (std::size_t cut = 0; cut < size; ++cut) {
    std::string_view truncated = std::string_view(bytes).substr(0, cut);
    EXPECT_FALSE(CausalContext::take(truncated).has_value()) << cut;
  }
}

TEST(CausalContext, RefusesWhatIsNotCanonical) {
  const auto refused = [](auto&& build) {
    std::string bytes;
    build(bytes);
    std::string_view view = bytes;
    const auto context = CausalContext::take(view);
    return !context && context.error().code == Errc::malformed;
  };
  const auto put = [](std::string& out, std::initializer_list<std::uint64_t> numbers) {
    for (const std::uint64_t number : numbers) put_varint(out, number);
  };
  EXPECT_TRUE(refused([&](std::string& out) {  // An actor without intervals.
    put(out, {1}), out += actor(1).view(), put(out, {0, 0, 0});
  }));
  EXPECT_TRUE(refused([&](std::string& out) {  // Actors out of order.
    put(out, {2});
    for (const ActorId& id : {actor(2), actor(1)}) out += id.view(), put(out, {1, 0, 0});
  }));
  EXPECT_TRUE(refused([&](std::string& out) {  // One actor twice.
    put(out, {2});
    for (int i = 0; i < 2; ++i) out += actor(1).view(), put(out, {1, 0, 0});
  }));
  for (const std::uint64_t far : {std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    EXPECT_TRUE(refused([&](std::string& out) {
      put(out, {1}), out += actor(1).view(), put(out, {1, far, 0});
    }));
    EXPECT_TRUE(refused([&](std::string& out) {
      put(out, {1}), out += actor(1).view(), put(out, {1, 0, far});
    }));
  }
  EXPECT_TRUE(refused([&](std::string& out) {  // Just too far, in steps.
    const std::uint64_t half = std::uint64_t{1} << 62;
    put(out, {1}), out += actor(1).view(), put(out, {2, half, 0, half, 0});
  }));
}

// A count from outside costs no memory before the bytes are there.
TEST(CausalContext, HugeCountsAreRefusedAtOnce_I8) {
  for (const std::uint64_t count : {std::uint64_t{1} << 20, ~std::uint64_t{0}}) {
    std::string bytes;
    put_varint(bytes, count);
    bytes.append(64, '\x01');
    std::string_view view = bytes;
    EXPECT_FALSE(CausalContext::take(view).has_value());
    bytes.clear();
    put_varint(bytes, 1);
    bytes += actor(1).view();
    put_varint(bytes, count);
    bytes.append(64, '\x01');
    view = bytes;
    EXPECT_FALSE(CausalContext::take(view).has_value());
  }
}

TEST(CausalContext, WhateverDecodesIsCanonical_R_CRDT_8) {
  std::string bytes;
  some_context().append_bytes(bytes);
  Random random(3);
  std::size_t decoded = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string changed = bytes;
    for (std::size_t flips = 1 + random.below(3); flips > 0; --flips)
      changed[random.below(changed.size())] ^= static_cast<char>(1 << random.below(8));
    std::string_view view = changed;
    const auto context = CausalContext::take(view);
    if (!context) continue;
    ++decoded;
    std::string again;
    context->append_bytes(again);
    ASSERT_EQ(again + std::string(view), changed);
  }
  EXPECT_GT(decoded, 1'000U);
}

}  // namespace
}  // namespace syncline
