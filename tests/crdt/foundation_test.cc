// Dots, versions, leaf keys, the merge of a leaf, clocks: what all else stands on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "crdt/bytes.h"
#include "crdt/dot.h"
#include "crdt/error.h"
#include "crdt/hlc.h"
#include "crdt/leaf.h"
#include "crdt/leaf_access.h"
#include "crdt/leaf_key.h"
#include "crdt/version.h"
#include "tests/support/actor.h"
#include "tests/support/random.h"

namespace syncline {
namespace {

using testing::ElementsAre;
using namespace std::chrono_literals;

TEST(Varint, TakesBackWhatWasPut) {
  for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128},
                                     std::uint64_t{1} << 62, ~std::uint64_t{0}}) {
    std::string bytes;
    put_varint(bytes, number);
    for (std::size_t size = 0; size < bytes.size(); ++size)
      EXPECT_EQ(ByteReader(std::string_view(bytes).substr(0, size)).varint(), std::nullopt);
    ByteReader in(bytes);
    EXPECT_EQ(in.varint(), number);
    EXPECT_EQ(in.left(), 0U);
  }
}

TEST(Varint, RefusesLongerThanNeedBeAndBeyond64Bits) {
  EXPECT_EQ(ByteReader(std::string_view("\x80\x00", 2)).varint(), std::nullopt);
  EXPECT_EQ(ByteReader("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02").varint(), std::nullopt);
  EXPECT_EQ(ByteReader("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x01").varint(), std::nullopt);
}

TEST(Zigzag, EveryDifferenceHasOneNumber) {
  EXPECT_EQ(zigzag(0), 0U);
  EXPECT_EQ(zigzag(std::uint64_t{0} - 1), 1U);
  EXPECT_EQ(zigzag(1), 2U);
  for (const std::uint64_t difference : {std::uint64_t{5}, std::uint64_t{1} << 63, ~std::uint64_t{0} >> 1})
    EXPECT_EQ(unzigzag(zigzag(difference)), difference);
}

TEST(Dot, ReadsForPeople) {
  EXPECT_EQ(to_string(actor(0x3f)), "3f" + std::string(30, '0'));
  EXPECT_EQ(to_string(Dot{actor(0x3f), 17}), "3f000000:17");
  EXPECT_EQ(ActorId::from(actor(7).view()), actor(7));
  EXPECT_EQ(ActorId::from("short"), std::nullopt);
}

TEST(Error, SaysItsCodeAndWhy) {
  EXPECT_EQ(to_string(Error{Errc::malformed, "no tag"}), "malformed: no tag");
  EXPECT_EQ(to_string(Error{Errc::closed, ""}), "closed");
}

// --- Versions ------------------------------------------------------------------

Version version(std::initializer_list<Version::Entry> entries) {
  Version made;
  for (const auto& [id, counter] : entries) made.raise(id, counter);
  return made;
}

TEST(Version, CoversUpToItsCounters) {
  const Version one = version({{actor(2), 5}, {actor(1), 3}, {actor(2), 4}, {actor(3), 0}});
  EXPECT_THAT(one.entries(), ElementsAre(Version::Entry{actor(1), 3}, Version::Entry{actor(2), 5}));
  EXPECT_EQ(one.size(), 8U);
  EXPECT_TRUE(one.contains(Dot{actor(2), 5}));
  EXPECT_FALSE(one.contains(Dot{actor(2), 6}));
  EXPECT_FALSE(one.contains(Dot{actor(3), 1}));
}

TEST(Version, OfEntriesInAnyOrderIsWhatRaisingGives) {
  const std::vector<Version::Entry> entries{{actor(2), 4}, {actor(3), 0}, {actor(1), 3}, {actor(2), 5}};
  Version raised;
  for (const auto& [id, counter] : entries) raised.raise(id, counter);
  EXPECT_EQ(Version::of(entries), raised);
  EXPECT_EQ(Version::of({}), Version());
}

TEST(Version, MergeIsTheLeastThatIncludesBoth) {
  const Version one = version({{actor(1), 3}, {actor(2), 5}});
  const Version two = version({{actor(2), 2}, {actor(3), 1}});
  Version both = one, other_way = two;
  both.merge(two), other_way.merge(one);
  EXPECT_EQ(both, other_way);
  EXPECT_EQ(both, version({{actor(1), 3}, {actor(2), 5}, {actor(3), 1}}));
  EXPECT_TRUE(both.includes(one) && both.includes(two));
  EXPECT_FALSE(one.includes(two));
}

TEST(Version, ComesBackFromItsBytesAndFromNothingLess_R_CRDT_8) {
  const std::string bytes = version({{actor(1), 300}, {actor(2), 5}}).to_bytes();
  EXPECT_EQ(*Version::from_bytes(bytes), version({{actor(1), 300}, {actor(2), 5}}));
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(Version::from_bytes(std::string_view(bytes).substr(0, size)).has_value());
  EXPECT_FALSE(Version::from_bytes(bytes + '\0').has_value());
  std::string huge;
  put_varint(huge, ~std::uint64_t{0});
  EXPECT_FALSE(Version::from_bytes(huge + std::string(100, '\1')).has_value());
  const std::string twice = '\2' + std::string(actor(1).view()) + '\1' + std::string(actor(1).view()) + '\1';
  EXPECT_FALSE(Version::from_bytes(twice).has_value());
  EXPECT_FALSE(Version::from_bytes('\1' + std::string(actor(1).view()) + '\0').has_value());
}

// --- Leaf keys -----------------------------------------------------------------

std::string random_text(Random& random) {
  std::string text(random.below(4), '\0');
  for (char& byte : text) byte = "\x00\x01\x02\xfe\xff"[random.below(5)];
  return text;
}

TEST(LeafKey, OrdersAsItsParts) {
  Random random(5);
  for (int i = 0; i < 20'000; ++i) {
    const auto path = [&random] {
      LeafPath made{random_text(random), {}};
      for (std::size_t depth = 1 + random.below(2); depth > 0; --depth)
        made.elements.emplace_back(Type{static_cast<std::uint8_t>(1 + random.below(3))}, random_text(random));
      return made;
    };
    const LeafPath one = path(), two = path();
    ASSERT_EQ(leaf_key(one) < leaf_key(two),
              std::pair(one.key, one.elements) < std::pair(two.key, two.elements));
    ASSERT_EQ(*parse_leaf_key(leaf_key(one)), one);
    if (one.elements.size() == 1) {
      const auto& [type, element] = one.elements[0];
      std::string buffer;
      ASSERT_EQ(leaf_key(one.key, type, element), leaf_key(one));
      ASSERT_EQ(build_leaf_key(buffer, one.key, type, element), leaf_key(one));
      std::string_view found;
      const std::string whole = leaf_key(one);
      ASSERT_TRUE(flat_element(whole, leaf_prefix(one.key, type).size(), buffer, found));
      ASSERT_EQ(found, element);
    }
  }
}

// What is asked without memory is what parsing would answer, for damaged keys, too.
TEST(LeafKey, IsWhatParsingTakes) {
  const std::string deepest = leaf_key(LeafPath{"k", {leaf_depth_max, {Type::or_set, "x"}}});
  EXPECT_TRUE(is_leaf_key(deepest));
  EXPECT_FALSE(is_leaf_key(deepest + leaf_key("", Type::or_set, "").substr(2)));
  Random random(7);
  std::size_t taken = 0;
  for (std::size_t i = 0; i < 20'000; ++i) {
    std::string bytes =
        leaf_key(LeafPath{std::string("a\0b", 3), {{Type::lww_map, "f"}, {Type::or_set, ""}}});
    bytes.resize(bytes.size() - random.below(3));
    bytes[random.below(bytes.size())] = "\0\1\xff"[random.below(3)];
    ASSERT_EQ(is_leaf_key(bytes), parse_leaf_key(bytes).has_value());
    if (is_leaf_key(bytes)) ++taken;
  }
  EXPECT_GT(taken, 1'000U);
}

TEST(LeafKey, PrefixesCoverJustTheirKeys) {
  std::string prefix;
  append_escaped_prefix(prefix, std::string_view("a\0", 2));
  EXPECT_TRUE(leaf_key(std::string_view("a\0b", 3), Type::or_set, "x").starts_with(prefix));
  EXPECT_FALSE(leaf_key("a", Type::or_set, "x").starts_with(prefix));
  EXPECT_TRUE(leaf_key("a", Type::or_set, "x").starts_with(leaf_prefix("a", Type::or_set)));
  EXPECT_FALSE(leaf_key("ab", Type::or_set, "x").starts_with(leaf_prefix("a", Type::or_set)));
  EXPECT_EQ(prefix_end("ab"), "ac");
  EXPECT_EQ(prefix_end("a\xff\xff"), "b");
  EXPECT_EQ(prefix_end("\xff"), "");
}

TEST(LeafKey, OnlyItsOwnBytesAreTakenApart) {
  const std::string whole = leaf_key(LeafPath{"k", {{Type::or_set, std::string("\0", 1)}, {Type{99}, "e"}}});
  EXPECT_TRUE(parse_leaf_key(whole).has_value());
  std::size_t parsed = 0;
  for (std::size_t size = 0; size < whole.size(); ++size)
    parsed += parse_leaf_key(std::string_view(whole).substr(0, size)).has_value() ? 1U : 0U;
  EXPECT_EQ(parsed, 1U);  // Cut between the two elements it is another leaf's key.
  EXPECT_FALSE(parse_leaf_key(std::string_view("k\0\2", 3)).has_value());
  EXPECT_FALSE(parse_leaf_key(std::string_view("k\0\1\0e\0\1", 7)).has_value());  // Type zero.
  LeafPath deep{"k", {}};
  deep.elements.assign(leaf_depth_max, {Type::or_set, "e"});
  EXPECT_TRUE(parse_leaf_key(leaf_key(deep)).has_value());
  deep.elements.emplace_back(Type::or_set, "e");
  EXPECT_FALSE(parse_leaf_key(leaf_key(deep)).has_value());
}

// --- The merge of a leaf -------------------------------------------------------

TEST(LeafMerge, KeepsWhatTheOtherDoesNotKnowAndDropsWhatItRemoved) {
  const auto live = [](std::uint8_t who, std::uint64_t counter) {
    return LiveDot{Dot{actor(who), counter}, {}};
  };
  const Version mine = version({{actor(1), 2}, {actor(2), 1}});
  const Version theirs = version({{actor(1), 1}, {actor(2), 1}, {actor(3), 1}});
  const Leaf merged = merge(
      Leaf{live(1, 1), live(1, 2), live(2, 1)}, [&](const Dot& dot) { return mine.contains(dot); },
      Leaf{live(2, 1), live(3, 1)}, [&](const Dot& dot) { return theirs.contains(dot); });
  EXPECT_THAT(merged, ElementsAre(live(1, 2), live(2, 1), live(3, 1)));
}

TEST(LeafMerge, OfTwoPayloadsUnderOneDotTheGreaterStays_R_CRDT_7) {
  const auto leaf = [](std::uint64_t stamp, const char* bytes) {
    return Leaf{{Dot{actor(1), 1}, Payload{stamp, bytes}}};
  };
  const auto covered = [](const Dot&) { return true; };
  EXPECT_EQ(merge(leaf(1, "b"), covered, leaf(1, "c"), covered), leaf(1, "c"));
  EXPECT_EQ(merge(leaf(2, "a"), covered, leaf(1, "c"), covered), leaf(2, "a"));
}

// --- Clocks --------------------------------------------------------------------

TEST(Hlc, IsAboveAllItMadeAndSawThoughTheWallGoesBack) {
  Hlc clock;
  const std::uint64_t first = clock.next(1'000ms);
  EXPECT_EQ(Hlc::to_wall(first), 1'000ms);
  EXPECT_GT(clock.next(1'000ms), first);
  EXPECT_GT(clock.next(10ms), first);
  const std::uint64_t foreign = Hlc::from_wall(5'000ms);
  EXPECT_TRUE(clock.observe(foreign, 1'000ms));
  EXPECT_EQ(clock.next(1'001ms), foreign + 1);
  EXPECT_EQ(clock.last(), foreign + 1);
}

TEST(Hlc, DoesNotFollowAClockThatIsTooFarAhead) {
  Hlc clock(1'000ms, 7);
  EXPECT_TRUE(clock.observe(Hlc::from_wall(2'000ms), 1'000ms));
  EXPECT_FALSE(clock.observe(Hlc::from_wall(2'001ms), 1'000ms));
  EXPECT_EQ(clock.last(), Hlc::from_wall(2'000ms));
  EXPECT_EQ(Hlc(1'000ms, 7).next(Hlc::Millis(-5)), 8U);
}

}  // namespace
}  // namespace syncline
