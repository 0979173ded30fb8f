// The types used alone, by example.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crdt/crdt.h"
#include "crdt/key_logic.h"
#include "tests/crdt/encode_state.h"
#include "tests/support/actor.h"
#include "tests/support/random.h"

namespace syncline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const ActorId a = actor(1);
const ActorId b = actor(2);
const ActorId c = actor(3);

// --- Sets ----------------------------------------------------------------------

TEST(OrSet, ConcurrentAddSurvivesRemove) {
  OrSet<std::string> ada, bob;
  bob.merge(ada.insert(a, "milk"));
  const auto gone = ada.erase(a, "milk");
  const auto back = bob.insert(b, "milk");
  ada.merge(back), bob.merge(gone);
  EXPECT_THAT(ada.elements(), ElementsAre("milk"));
  EXPECT_EQ(ada, bob);
}

TEST(OrSet, RemoveTakesAwayWhatItSaw) {
  OrSet<std::string> ada, bob;
  bob.merge(ada.insert(a, "milk"));
  ada.merge(bob.erase(b, "milk"));
  EXPECT_TRUE(ada.empty());
  ada.merge(bob);
  EXPECT_FALSE(ada.contains("milk"));
  EXPECT_EQ(ada, bob);
}

TEST(OrSet, NothingToEraseMakesNoDot) {
  OrSet<std::string> ada;
  EXPECT_EQ(ada.erase(a, "milk"), OrSet<std::string>());
  EXPECT_EQ(ada.clear(a), OrSet<std::string>());
  EXPECT_EQ(ada, OrSet<std::string>());
}

TEST(OrSet, ClearEmptiesWhatIsSeen) {
  OrSet<std::int64_t> ada, bob;
  for (const std::int64_t n : {3, 1, 2}) bob.merge(ada.insert(a, n));
  EXPECT_THAT(ada.elements(), ElementsAre(1, 2, 3));
  const auto cleared = ada.clear(a);
  const auto more = bob.insert(b, 2);
  ada.merge(more), bob.merge(cleared);
  EXPECT_THAT(ada.elements(), ElementsAre(2));
  EXPECT_EQ(ada, bob);
}

TEST(OrSet, RemovedElementsLeaveNothingBehind) {
  OrSet<std::int64_t> set;
  for (std::int64_t n = 0; n < 1000; ++n) set.insert(a, n);
  const std::size_t full = set.to_bytes().size();
  for (std::int64_t n = 0; n < 1000; ++n) set.erase(a, n);
  EXPECT_GT(full, 10'000U);
  EXPECT_LT(set.to_bytes().size(), 32U);
}

TEST(OrSet, ADeltaIsSmallHoweverBigTheSet) {
  OrSet<std::int64_t> set;
  for (std::int64_t n = 0; n < 1000; ++n) set.insert(a, n);
  EXPECT_LT(set.insert(a, 7).to_bytes().size(), 48U);
  EXPECT_LT(set.erase(a, 7).to_bytes().size(), 32U);
}

TEST(OrSet, ElementsAreTheSameWhenTheirBytesAre_R_CRDT_6) {
  OrSet<Value> set;
  for (const Value& value :
       {Value(0.0), Value(-0.0), Value(0), Value(""), Value(Blob{""}), Value(std::string_view("\0", 1))})
    set.insert(a, value);
  EXPECT_EQ(set.size(), 6U);
  set.erase(a, Value(-0.0));
  EXPECT_TRUE(set.contains(Value(0.0)));
  EXPECT_FALSE(set.contains(Value(-0.0)));
}

// --- Registers and maps --------------------------------------------------------

TEST(LwwRegister, GreatestTimestampWinsThenActor) {
  LwwRegister<std::string> ada, bob;
  const auto red = ada.set(a, 5, "red");
  const auto blue = bob.set(b, 6, "blue");
  ada.merge(blue), bob.merge(red);
  EXPECT_EQ(ada.value(), "blue");
  EXPECT_EQ(ada, bob);

  LwwRegister<std::string> carl, dora;
  const auto first = carl.set(a, 7, "first");
  const auto second = dora.set(b, 7, "second");
  carl.merge(second), dora.merge(first);
  EXPECT_EQ(carl.value(), "second");
  EXPECT_EQ(carl, dora);
}

TEST(LwwRegister, AWriteBeatsWhatItSawThoughItsClockIsBehind_R_TIME_1) {
  LwwRegister<std::string> ada, bob;
  bob.merge(ada.set(a, 1'000, "old"));
  ada.merge(bob.set(b, 3, "new"));
  EXPECT_EQ(ada.value(), "new");
  EXPECT_EQ(ada.state().leaves().begin()->second.front().payload.stamp, 1'001U);
}

TEST(LwwRegister, ALoserShowsOnceTheWinnerIsCleared) {
  LwwRegister<std::string> ada, bob;
  const auto red = ada.set(a, 5, "red");
  bob.set(b, 6, "blue");
  const auto cleared = bob.clear(b);
  EXPECT_EQ(bob.value(), std::nullopt);
  bob.merge(red), ada.merge(bob);
  EXPECT_EQ(ada.value(), "red");
  EXPECT_EQ(ada, bob);
}

TEST(LwwRegister, ACallersTimestampMustBeAboveWhatIsSeen) {
  LwwRegister<std::string> ada;
  EXPECT_TRUE(ada.set_at(a, 10, "ten").has_value());
  const auto before = ada;
  for (const std::uint64_t late : {0U, 9U, 10U}) {
    const auto nothing = ada.set_at(a, late, "late");
    ASSERT_TRUE(nothing.has_value());
    EXPECT_EQ(*nothing, LwwRegister<std::string>());
    EXPECT_EQ(ada, before);
  }
  ASSERT_TRUE(ada.set_at(a, 11, "eleven").has_value());
  EXPECT_EQ(ada.value(), "eleven");
}

TEST(LwwRegister, ATimestampOf2To62IsRefused) {
  LwwRegister<std::string> ada;
  EXPECT_TRUE(ada.set_at(a, (std::uint64_t{1} << 62) - 1, "just").has_value());
  const auto before = ada;
  const auto refused = ada.set_at(a, std::uint64_t{1} << 62, "too far");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::invalid_argument);
  EXPECT_EQ(ada, before);
  ada.set(a, 5, "plain");
  EXPECT_EQ(ada.value(), "plain");
}

TEST(LwwRegister, AForeignStampAtTheEndOfTimeIsStillOverwritten) {
  CausalContext context;
  context.insert(Dot{b, 1});
  const Leaf leaf{{Dot{b, 1}, Payload{~std::uint64_t{0}, Value("last").to_bytes()}}};
  auto ada = *LwwRegister<std::string>::from_bytes(
      encode_state(Type::lww_register, context, {{leaf_key({}, Type::lww_register, {}), leaf}}));
  EXPECT_EQ(ada.value(), "last");
  ada.set(a, 5, "next");
  EXPECT_EQ(ada.value(), "next");
}

TEST(LwwMap, AWriteSurvivesAConcurrentErase) {
  LwwMap<std::string> ada, bob;
  bob.merge(ada.set(a, 1, "name", "Ada"));
  const auto erased = ada.erase(a, "name");
  const auto written = bob.set(b, 1, "name", "Ada L.");
  ada.merge(written), bob.merge(erased);
  EXPECT_EQ(ada.find("name"), "Ada L.");
  EXPECT_EQ(ada, bob);
}

TEST(LwwMap, FieldsAreBytesInOrder) {
  LwwMap<std::int64_t> map;
  const std::string zero("\0", 1);
  for (const std::string& field : {std::string("b"), zero, zero + "\xff", std::string(), std::string("a")})
    map.set(a, 1, field, static_cast<std::int64_t>(field.size()));
  std::vector<std::string> fields;
  map.for_each([&](std::string_view field, std::int64_t size) {
    EXPECT_EQ(size, static_cast<std::int64_t>(field.size()));
    fields.emplace_back(field);
    return fields.size() < 4;
  });
  EXPECT_THAT(fields, ElementsAre("", zero, zero + "\xff", "a"));
  EXPECT_EQ(map.size(), 5U);
  EXPECT_EQ(map.find(zero), 1);
  EXPECT_EQ(map.find("c"), std::nullopt);
}

// --- Counters ------------------------------------------------------------------

TEST(PnCounter, AResetTakesAwayWhatItSaw) {
  PnCounter ada, bob;
  bob.merge(*ada.add(a, 5));
  const auto reset = ada.reset(a);
  const auto more = *bob.add(b, 2);
  ada.merge(more), bob.merge(reset);
  EXPECT_EQ(ada.total(), 2);
  EXPECT_EQ(ada, bob);
}

TEST(PnCounter, AResetByAnotherLeavesWhatItHadNotSeen) {
  PnCounter ada, bob;
  bob.merge(*ada.add(a, 5));
  const auto reset = bob.reset(b);
  EXPECT_EQ(bob.total(), 0);
  EXPECT_FALSE(bob.exists());
  const auto more = *ada.add(a, -2);
  ada.merge(reset), bob.merge(more);
  EXPECT_EQ(ada.total(), -2);
  EXPECT_TRUE(ada.exists());
  EXPECT_EQ(ada, bob);
}

// A floor that covers its share goes with it, by the owner's next write.
TEST(PnCounter, FloorsGoOnceTheirOwnerHasSeenThem) {
  PnCounter ada, bob;
  for (int round = 0; round < 100; ++round) {
    bob.merge(*ada.add(a, 1));
    ada.merge(bob.reset(b));
    EXPECT_EQ(ada.state().leaves().size(), 2U);  // The share, its floor.
    EXPECT_EQ(ada.total(), 0);
  }
  bob.merge(*ada.add(a, 3));
  EXPECT_EQ(bob.state().leaves().size(), 1U);
  EXPECT_EQ(bob.total(), 3);
  ada.merge(bob.reset(b));
  EXPECT_EQ(ada.state().leaves().size(), 2U);
  bob.merge(ada.reset(a));  // A reset by the owner is a write too.
  EXPECT_THAT(bob.state().leaves(), IsEmpty());
  EXPECT_EQ(ada, bob);
}

TEST(PnCounter, AFloorOlderThanTheBaseDoesNotCount) {
  PnCounter ada, bob, carl;
  const auto five = *ada.add(a, 5);
  bob.merge(five), carl.merge(five);
  const auto late = carl.reset(c);
  ada.merge(bob.reset(b));
  const auto seven = *ada.add(a, 7);  // A new base, above both floors.
  ada.merge(late), bob.merge(seven), bob.merge(late);
  EXPECT_EQ(ada.total(), 7);
  EXPECT_EQ(ada, bob);
  bob.merge(*ada.add(a, 1));  // Its owner drops what turned up late.
  EXPECT_EQ(bob.state().leaves().size(), 1U);
  EXPECT_EQ(bob.total(), 8);
}

TEST(PnCounter, TotalsAreClampedNeverWrapped_R_CRDT_9) {
  constexpr std::int64_t max = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t min = std::numeric_limits<std::int64_t>::min();
  PnCounter up, down;
  for (const ActorId& who : {a, b}) {
    ASSERT_TRUE(up.add(who, max).has_value());
    ASSERT_TRUE(down.add(who, min).has_value());
  }
  EXPECT_EQ(up.total(), max);
  EXPECT_EQ(down.total(), min);
  PnCounter both;
  ASSERT_TRUE(both.add(a, max).has_value());
  ASSERT_TRUE(both.add(a, max).has_value());
  ASSERT_TRUE(both.add(b, min).has_value());
  ASSERT_TRUE(both.add(b, min + 1).has_value());
  EXPECT_EQ(both.total(), -1);
}

TEST(PnCounter, ATotalBeyond64BitsIsRefusedAndChangesNothing_R_CRDT_9) {
  constexpr std::int64_t max = std::numeric_limits<std::int64_t>::max();
  PnCounter counter;
  ASSERT_TRUE(counter.add(a, max).has_value());
  ASSERT_TRUE(counter.add(a, max).has_value());
  ASSERT_TRUE(counter.add(a, 1).has_value());  // 2^64 - 1.
  const PnCounter before = counter;
  const auto refused = counter.add(a, 1);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::overflow);
  EXPECT_EQ(counter, before);
  EXPECT_TRUE(counter.add(a, -1).has_value());
  EXPECT_TRUE(counter.add(b, 1).has_value());
}

TEST(GCounter, NeverCountsDown) {
  GCounter counter;
  const auto refused = counter.add(a, -1);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::invalid_argument);
  EXPECT_EQ(counter, GCounter());
  EXPECT_EQ(*counter.add(a, 0), GCounter());
  EXPECT_FALSE(counter.exists());
  ASSERT_TRUE(counter.add(a, 3).has_value());
  EXPECT_EQ(counter.total(), 3);
}

// --- Reused dots (I5) ----------------------------------------------------------

OrSet<std::string> set_with(const Dot& dot, std::initializer_list<const char*> elements) {
  CausalContext context;
  context.insert(dot);
  LeafMap::Leaves leaves;
  for (const char* element : elements)
    leaves[leaf_key({}, Type::or_set, Value(element).to_bytes())] = Leaf{{dot, Payload{}}};
  return *OrSet<std::string>::from_bytes(encode_state(Type::or_set, context, leaves));
}

TEST(ReusedDot, AtTwoLeavesBothStay_R_CRDT_7) {
  const Dot dot{a, 1};
  OrSet<std::string> ada = set_with(dot, {"eggs"});
  OrSet<std::string> bob = set_with(dot, {"milk"});
  const OrSet<std::string> before = ada;
  ada.merge(bob), bob.merge(before);
  EXPECT_THAT(ada.elements(), ElementsAre("eggs", "milk"));
  EXPECT_EQ(ada, bob);
  bob.merge(ada.erase(a, "milk"));  // A removal names the dot, wherever it is.
  EXPECT_EQ(ada, bob);
  EXPECT_TRUE(ada.empty());
}

TEST(ReusedDot, WithTwoPayloadsTheGreaterStays_R_CRDT_7) {
  LwwRegister<std::string> ada, bob;
  ada.set(a, 1, "x"), bob.set(a, 1, "y");
  const auto before = ada;
  ada.merge(bob), bob.merge(before);
  EXPECT_EQ(ada.value(), "y");
  EXPECT_EQ(ada, bob);
}

// --- Bytes ---------------------------------------------------------------------

PnCounter some_counter() {
  PnCounter ada, bob;
  bob.merge(*ada.add(a, 5));
  EXPECT_TRUE(ada.add(a, 500).has_value());
  EXPECT_TRUE(bob.add(b, -7).has_value());
  bob.reset(b);
  bob.merge(*bob.add(b, 1));
  ada.merge(bob);
  return ada;
}

TEST(Bytes, EveryTruncationAndTypeIsRefused) {
  OrSet<std::string> set;
  set.insert(a, "milk"), set.insert(b, std::string("\0\0", 2));
  for (const std::string& whole : {set.to_bytes(), some_counter().to_bytes()}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const std::string_view cut = std::string_view(whole).substr(0, size);
      EXPECT_FALSE(OrSet<std::string>::from_bytes(cut).has_value()) << size;
      EXPECT_FALSE(PnCounter::from_bytes(cut).has_value()) << size;
    }
    EXPECT_FALSE(OrSet<std::string>::from_bytes(whole + '\0').has_value());
    EXPECT_FALSE(LwwMap<Value>::from_bytes(whole).has_value());
    EXPECT_FALSE(GCounter::from_bytes(whole).has_value());
  }
  EXPECT_FALSE(OrSet<std::int64_t>::from_bytes(set.to_bytes()).has_value());
}

TEST(Bytes, WhateverDecodesIsCanonicalAndMerges_R_CRDT_8) {
  const PnCounter counter = some_counter();
  const std::string bytes = counter.to_bytes();
  Random random(4);
  std::size_t decoded = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string changed = bytes;
    for (std::size_t flips = 1 + random.below(2); flips > 0; --flips)
      changed[random.below(changed.size())] ^= static_cast<char>(1U << random.below(8));
    auto other = PnCounter::from_bytes(changed);
    if (!other) continue;
    ++decoded;
    ASSERT_EQ(other->to_bytes(), changed);
    other->merge(counter);
    static_cast<void>(other->total());
  }
  EXPECT_GT(decoded, 1'000U);
}

TEST(Bytes, WhatCannotBeIsRefused) {
  CausalContext context;
  for (const std::uint64_t counter : {1U, 2U, 5U}) context.insert(Dot{a, counter});
  const std::string milk = leaf_key({}, Type::or_set, Value("milk").to_bytes());
  const Leaf live{{Dot{a, 2}, Payload{}}};
  const auto set_from = [&](const LeafMap::Leaves& leaves) {
    return OrSet<std::string>::from_bytes(encode_state(Type::or_set, context, leaves));
  };
  ASSERT_TRUE(set_from({{milk, live}}).has_value());
  EXPECT_FALSE(set_from({{milk, Leaf{}}}).has_value());
  EXPECT_FALSE(set_from({{milk, Leaf{{Dot{a, 3}, Payload{}}}}}).has_value());           // Not in the context.
  EXPECT_FALSE(set_from({{milk, Leaf{{Dot{b, 1}, Payload{}}}}}).has_value());           // No such actor.
  EXPECT_FALSE(set_from({{milk, Leaf{{Dot{a, 2}, Payload{1, ""}}}}}).has_value());      // A stamp.
  EXPECT_FALSE(set_from({{milk, Leaf{{Dot{a, 2}, Payload{0, "x"}}}}}).has_value());     // Bytes.
  EXPECT_FALSE(set_from({{milk, Leaf{live[0], live[0]}}}).has_value());                 // One dot twice.
  EXPECT_FALSE(set_from({{leaf_key({}, Type::or_set, "milk"), live}}).has_value());     // No value.
  EXPECT_FALSE(set_from({{leaf_key({}, Type::lww_map, "milk"), live}}).has_value());    // Another type's.
  EXPECT_FALSE(set_from({{leaf_key("key", Type::or_set, "milk"), live}}).has_value());  // A keyspace's.
  EXPECT_FALSE(set_from({{milk.substr(0, milk.size() - 1), live}}).has_value());

  const auto counter_from = [&](const std::string& element, std::initializer_list<std::uint64_t> numbers) {
    Payload payload;
    for (const std::uint64_t number : numbers) put_varint(payload.bytes, number);
    return GCounter::from_bytes(encode_state(
        Type::g_counter, context, {{leaf_key({}, Type::g_counter, element), Leaf{{Dot{a, 5}, payload}}}}));
  };
  const std::string share = "s" + std::string(a.view());
  const std::string floor = "f" + std::string(b.view());
  ASSERT_TRUE(counter_from(share, {4, 1, 0}).has_value());
  ASSERT_TRUE(counter_from(floor, {9, 1, 0}).has_value());
  EXPECT_FALSE(counter_from(share, {5, 1, 0}).has_value());  // The dot itself is written as 0.
  EXPECT_FALSE(counter_from(share, {4, 1, 1}).has_value());  // Counted down.
  EXPECT_FALSE(counter_from(share, {4, 1}).has_value());     //
  EXPECT_FALSE(counter_from(share, {4, 1, 0, 0}).has_value());
  EXPECT_FALSE(counter_from(floor, {0, 1, 0}).has_value());                        // A floor below all dots.
  EXPECT_FALSE(counter_from("s" + std::string(b.view()), {4, 1, 0}).has_value());  // Not by its owner.
  EXPECT_FALSE(counter_from("x" + std::string(a.view()), {4, 1, 0}).has_value());
  EXPECT_FALSE(counter_from("s", {4, 1, 0}).has_value());
}

// --- Keys with many types under them ---------------------------------------------

TEST(EraseKey, TakesAwayEveryTypeUnderAKeyAndNothingElse) {
  LeafMap mine, theirs;
  LeafEdit write(theirs, b);
  counter_add(write, Type::pn_counter, "key", 5);
  set_insert(write, Type::or_set, "key", Value("x").to_bytes());
  set_insert(write, Type::or_set, "key2", Value("x").to_bytes());
  map_set(write, "key", "field", Value(1));
  register_set(write, "key", Value(2));
  mine.merge(theirs);
  LeafEdit erase(mine, a);
  EXPECT_TRUE(erase_place(erase, "key"));
  EXPECT_EQ(erase.error(), std::nullopt);
  EXPECT_FALSE(counter_total(mine, Type::pn_counter, "key").exists);
  EXPECT_FALSE(set_contains(mine, Type::or_set, "key", Value("x").to_bytes()));
  EXPECT_TRUE(set_contains(mine, Type::or_set, "key2", Value("x").to_bytes()));
  EXPECT_EQ(map_get(mine, "key", "field"), std::nullopt);
  EXPECT_EQ(register_get(mine, "key"), std::nullopt);

  LeafEdit more(theirs, b);
  counter_add(more, Type::pn_counter, "key", 2);  // Concurrent: only this stays.
  mine.merge(theirs), theirs.merge(mine);
  EXPECT_EQ(counter_total(mine, Type::pn_counter, "key").total, 2);
  EXPECT_EQ(mine, theirs);

  LeafEdit again(mine, a);
  EXPECT_TRUE(erase_place(again, "key"));
  LeafEdit nothing(mine, a);
  EXPECT_FALSE(erase_place(nothing, "key"));
}

TEST(EraseKey, AnUnknownTypeUnderTheKeyIsLeftAlone) {
  for (const std::string& leaf :
       {leaf_key("key", Type{200}, "x"),
        leaf_key(LeafPath{"key", {{Type::or_set, "x"}, {Type::or_set, "y"}}})}) {  // A shape from the future.
    LeafMap map;
    LeafEdit write(map, a);
    set_insert(write, Type::or_set, "key", Value("x").to_bytes());
    write.put(write.open(leaf), 0, "opaque");
    const LeafMap before = map;
    LeafEdit erase(map, a);
    EXPECT_FALSE(erase_place(erase, "key"));
    ASSERT_TRUE(erase.error().has_value());
    EXPECT_EQ(erase.error()->code, Errc::unknown_type);
    EXPECT_EQ(map, before);
  }
}

// Payloads that no sound writer makes are passed over, whoever wrote them.
TEST(Reading, MakesNothingOfForeignNonsense) {
  LeafMap map;
  LeafEdit write(map, a);
  const std::string share = "s" + std::string(a.view());
  write.put(write.open(leaf_key("k", Type::pn_counter, share)), 0, "\xff");
  write.put(write.open(leaf_key("k", Type::pn_counter, "s")), 0, "");
  write.put(write.open(leaf_key("k", Type::lww_map, "f")), 0, "\xff");
  write.put(write.open(leaf_key(LeafPath{"k", {{Type::or_set, "x"}, {Type::or_set, "y"}}})), 0, "");
  EXPECT_FALSE(counter_total(map, Type::pn_counter, "k").exists);
  EXPECT_EQ(map_get(map, "k", "f"), std::nullopt);
  map_for_each(map, "k", {}, [](std::string_view, const Value&) {
    ADD_FAILURE();
    return true;
  });
  set_for_each(map, Type::or_set, "k", [](std::string_view) {
    ADD_FAILURE();
    return true;
  });
  EXPECT_TRUE(counter_add(write, Type::pn_counter, "k", 3));
  EXPECT_EQ(counter_total(map, Type::pn_counter, "k").total, 3);
}

}  // namespace
}  // namespace syncline
