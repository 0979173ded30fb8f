// The catalogue's further types used alone, by example: registers, flags, sets,
// bounded counters, maps that nest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crdt/crdt.h"
#include "tests/support/actor.h"

namespace syncline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

const ActorId a = actor(1);
const ActorId b = actor(2);
const ActorId c = actor(3);

// --- Registers -------------------------------------------------------------------

TEST(MvRegister, ShowsAllThatWasWrittenAtOnceUntilSomebodyDecides) {
  MvRegister<std::string> ada, bob;
  const auto red = ada.set(a, "red");
  const auto blue = bob.set(b, "blue");
  ada.merge(blue), bob.merge(red);
  EXPECT_THAT(ada.values(), ElementsAre("blue", "red"));
  bob.merge(ada.set(a, "purple"));
  EXPECT_THAT(bob.values(), ElementsAre("purple"));
  EXPECT_EQ(ada, bob);
}

TEST(MvRegister, OneValueWrittenTwiceIsOneAndAClearLeavesWhatItHadNotSeen) {
  MvRegister<std::int64_t> ada, bob;
  const auto hers = ada.set(a, 7);
  bob.merge(bob.set(b, 7)), bob.merge(hers);
  EXPECT_THAT(bob.values(), ElementsAre(7));
  const auto cleared = ada.clear(a);
  bob.merge(cleared);
  EXPECT_THAT(bob.values(), ElementsAre(7));
  EXPECT_THAT(bob.clear(b).values(), IsEmpty());
  EXPECT_THAT(bob.values(), IsEmpty());
}

TEST(MaxRegister, KeepsTheGreatest) {
  MaxRegister<std::int64_t> ada, bob;
  const auto seven = ada.set(a, -7);
  const auto nine = bob.set(b, 9);
  ada.merge(nine), bob.merge(seven);
  EXPECT_EQ(ada.value(), 9);
  EXPECT_EQ(ada.set(a, 8), MaxRegister<std::int64_t>());
  EXPECT_EQ(ada, bob);
}

TEST(MinRegister, KeepsTheLeast) {
  MinRegister<std::string> ada, bob;
  bob.merge(ada.set(a, "b"));
  ada.merge(bob.set(b, "a"));
  EXPECT_EQ(ada.value(), "a");
  EXPECT_EQ(ada.set(a, "ab"), MinRegister<std::string>());
  ada.clear(a);
  EXPECT_EQ(ada.value(), std::nullopt);
}

// --- Flags -----------------------------------------------------------------------

template <class Flag>
bool enabled_while_disabled() {
  Flag ada, bob;
  EXPECT_FALSE(ada.enabled());
  bob.merge(ada.enable(a));
  const auto off = ada.disable(a);
  EXPECT_FALSE(ada.enabled());
  const auto on = bob.enable(b);
  ada.merge(on), bob.merge(off);
  EXPECT_EQ(ada, bob);
  return ada.enabled();
}

TEST(EwFlag, EnableWins) { EXPECT_TRUE(enabled_while_disabled<EwFlag>()); }
TEST(DwFlag, DisableWins) { EXPECT_FALSE(enabled_while_disabled<DwFlag>()); }

TEST(DwFlag, WhoSeesTheDisableEnablesAgain) {
  DwFlag ada, bob;
  bob.merge(ada.disable(a));
  bob.enable(b);
  EXPECT_TRUE(bob.enabled());
}

// --- Sets ------------------------------------------------------------------------

TEST(GSet, OnlyGrowsAndWritesNothingTwice) {
  GSet<std::string> ada, bob;
  const auto milk = ada.insert(a, "milk");
  const auto eggs = bob.insert(b, "eggs");
  ada.merge(eggs), bob.merge(milk);
  EXPECT_THAT(ada.elements(), ElementsAre("eggs", "milk"));
  EXPECT_EQ(ada.insert(a, "eggs"), GSet<std::string>());
  EXPECT_EQ(ada, bob);
}

TEST(RwSet, AnErasureBeatsTheInsertBesideIt) {
  RwSet<std::string> ada, bob;
  bob.merge(ada.insert(a, "carl"));
  const auto gone = ada.erase(a, "carl");
  const auto back = bob.insert(b, "carl");
  ada.merge(back), bob.merge(gone);
  EXPECT_THAT(ada.elements(), IsEmpty());
  EXPECT_EQ(ada, bob);
  ada.merge(bob.insert(b, "carl"));  // Bob has seen the erasure.
  EXPECT_TRUE(ada.contains("carl"));
}

TEST(RwSet, AnErasureOfWhatIsNotThereCountsToo) {
  RwSet<std::string> ada, bob;
  const auto gone = ada.erase(a, "carl");
  const auto there = bob.insert(b, "carl");
  ada.merge(there), bob.merge(gone);
  EXPECT_FALSE(ada.contains("carl"));
  EXPECT_EQ(ada, bob);
}

TEST(RwSet, MarkersAreCollectedOnceStableByAnOrdinaryDelta) {
  RwSet<std::string> ada, bob;
  for (const char* name : {"ann", "bob", "carl"}) bob.merge(ada.insert(a, name));
  for (const char* name : {"ann", "bob"}) bob.merge(ada.erase(a, name));
  EXPECT_EQ(ada.state().leaves().size(), 3U);
  EXPECT_EQ(ada.collect(a, Version()), RwSet<std::string>());  // Nothing is stable.
  Version stable;
  stable.raise(a, 5);
  EXPECT_EQ(bob.collect(b, stable), RwSet<std::string>());  // Not his markers.
  bob.merge(ada.collect(a, stable));
  EXPECT_EQ(ada.state().leaves().size(), 1U);
  EXPECT_THAT(bob.elements(), ElementsAre("carl"));
  EXPECT_EQ(ada, bob);
}

// What docs/types/rw_set.md says of who comes late.
TEST(RwSet, ALatecomersInsertFromBeforeACollectedErasureCounts) {
  RwSet<std::string> ada, late;
  const auto insert = late.insert(c, "carl");  // Nobody hears of it...
  ada.erase(a, "carl");
  Version stable;
  stable.raise(a, 1);
  ada.merge(RwSet<std::string>(ada.collect(a, stable)));
  ada.merge(insert);  // ...until the erasure is forgotten.
  EXPECT_TRUE(ada.contains("carl"));
}

// --- BoundedCounter --------------------------------------------------------------

TEST(BoundedCounter, TwoTillsCutOffSellWhatTheyHoldAndNoMore) {
  BoundedCounter warehouse, one, two;
  for (const auto& delta : {*warehouse.add(a, 10), *warehouse.give(a, b, 5), *warehouse.give(a, c, 5)})
    one.merge(delta), two.merge(delta);
  for (int i = 0; i < 5; ++i) {
    warehouse.merge(*one.spend(b, 1));
    warehouse.merge(*two.spend(c, 1));
  }
  const auto refused = one.spend(b, 1);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::no_rights);
  EXPECT_EQ(warehouse.total(), 0);
  EXPECT_THAT(warehouse.holdings(), IsEmpty());
  EXPECT_EQ(one.total(), 5);  // It hasn't heard of the other's sales.
}

TEST(BoundedCounter, ARefusalSaysWhoHoldsWhatIsLackingAndChangesNothing) {
  BoundedCounter counter;
  ASSERT_TRUE(counter.add(a, 7).has_value());
  ASSERT_TRUE(counter.give(a, c, 2).has_value());
  const BoundedCounter before = counter;
  const auto refused = counter.spend(b, 3);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().detail,
            "spend from bounded_counter: 3 asked for, 0 held here, 5 by " + to_string(a) + ", 2 by " + to_string(c));
  EXPECT_FALSE(counter.give(c, b, 3).has_value());
  EXPECT_EQ(counter, before);
  EXPECT_THAT(counter.holdings(), ElementsAre(Holding{a, 5}, Holding{c, 2}));
}

TEST(BoundedCounter, AmountsBelowZeroAreRefusedAndZeroWritesNothing) {
  BoundedCounter counter;
  EXPECT_EQ(counter.add(a, -1).error().code, Errc::invalid_argument);
  EXPECT_EQ(counter.spend(a, -1).error().code, Errc::invalid_argument);
  EXPECT_EQ(*counter.spend(a, 0), BoundedCounter());
  EXPECT_EQ(*counter.give(a, b, 0), BoundedCounter());
  EXPECT_EQ(counter, BoundedCounter());
}

TEST(BoundedCounter, TotalsBeyond64BitsAreRefused_R_CRDT_9) {
  constexpr std::int64_t max = std::numeric_limits<std::int64_t>::max();
  BoundedCounter counter;
  ASSERT_TRUE(counter.add(a, max).has_value());
  ASSERT_TRUE(counter.add(a, max).has_value());
  ASSERT_TRUE(counter.add(a, 1).has_value());
  EXPECT_EQ(counter.add(a, 1).error().code, Errc::overflow);
  EXPECT_EQ(counter.total(), max);  // Clamped.
  ASSERT_TRUE(counter.spend(a, max).has_value());
  ASSERT_TRUE(counter.spend(a, max).has_value());
  EXPECT_EQ(counter.total(), 1);
}

TEST(BoundedCounter, RightsOfALostActorAreStrandedUntilTheyAreTakenOver) {
  BoundedCounter counter;
  ASSERT_TRUE(counter.add(a, 7).has_value());
  ASSERT_TRUE(counter.spend(a, 3).has_value());
  EXPECT_FALSE(counter.spend(b, 1).has_value());
  EXPECT_THAT(counter.holdings(), ElementsAre(Holding{a, 4}));
  counter.take_over(b, a);
  EXPECT_EQ(counter.available(b), 4);
  EXPECT_EQ(counter.available(a), 0);
  EXPECT_EQ(counter.take_over(b, a), BoundedCounter());  // There is no more.
  EXPECT_FALSE(counter.spend(a, 1).has_value());         // Should it live after all, it knows now.
  EXPECT_TRUE(counter.spend(b, 4).has_value());
  EXPECT_EQ(counter.total(), 0);
}

// --- Maps that nest --------------------------------------------------------------

TEST(OrMap, AConcurrentUpdateBelowAnErasedNameSurvives) {
  OrMap ada, bob;
  bob.merge(*ada.update(a, 1, [](auto& map) {
    map.template at<OrMap>("address").template at<LwwRegister<std::string>>("city").set("Ghent");
  }));
  const OrMap erased = *ada.update(a, 2, [](auto& map) { EXPECT_TRUE(map.erase("address")); });
  const OrMap street = *bob.update(b, 2, [](auto& map) {
    map.template at<OrMap>("address").template at<LwwRegister<std::string>>("street").set("Veldstraat");
  });
  ada.merge(street), bob.merge(erased);
  EXPECT_THAT(ada.at<OrMap>("address").children(), ElementsAre(Pair("street", Type::lww_register)));
  EXPECT_EQ(ada, bob);
}

TEST(OrMap, ReadsItsOwnWritesAndFailsWhole) {
  OrMap map;
  ASSERT_TRUE(map.update(a, 1, [](auto& root) { root.template at<GCounter>("n").add(1); }).has_value());
  const OrMap before = map;
  const auto failed = map.update(a, 2, [](auto& root) {
    auto n = root.template at<GCounter>("n");
    n.add(2);
    EXPECT_EQ(n.total(), 3);
    EXPECT_TRUE(root.erase("n"));
    EXPECT_FALSE(root.contains("n"));
    root.template at<OrSet<std::string>>("s").insert("x");
    EXPECT_THAT(root.children(), ElementsAre(Pair("s", Type::or_set)));
    n.add(-1);
  });
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, Errc::invalid_argument);
  EXPECT_EQ(map, before);
  EXPECT_EQ(map.to_bytes(), before.to_bytes());
  ASSERT_TRUE(map.update(a, 3, [](auto& root) { root.erase("n"); }).has_value());
  EXPECT_THAT(map.children(), IsEmpty());
}

TEST(OrMap, NestsThirtyTwoDeepAndNoDeeper) {
  const auto put = [](std::size_t depth) {
    OrMap map;
    return map.update(a, 1, [depth](auto& root) {
      auto inner = root;
      const auto down = [&](const auto& self, auto at, std::size_t left) -> void {
        if (left == 0) return static_cast<void>(at.template at<EwFlag>("flag").enable());
        self(self, at.template at<OrMap>("m"), left - 1);
      };
      down(down, inner, depth - 1);  // The root is one.
    });
  };
  const auto deepest = put(32);
  ASSERT_TRUE(deepest.has_value());
  EXPECT_TRUE(OrMap::from_bytes(deepest->to_bytes()).has_value());
  const auto refused = put(33);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::too_large);
  EXPECT_THAT(refused.error().detail, HasSubstr("32 deep"));
}

TEST(OrMap, NamesAreBytesInOrderAndEveryTypeMayHaveOne) {
  OrMap map;
  const std::string zero("a\0b", 3);
  ASSERT_TRUE(map.update(a, 1,
                         [&](auto& root) {
                           root.template at<BoundedCounter>("bounded").add(1);
                           root.template at<DwFlag>("dw").enable();
                           root.template at<EwFlag>(zero).enable();
                           root.template at<GMap>("g").template at<GSet<std::int64_t>>("").insert(1);
                           root.template at<LwwMap<std::int64_t>>("lww").set("f", 1);
                           root.template at<MaxRegister<std::int64_t>>("max").set(1);
                           root.template at<MinRegister<std::int64_t>>("min").set(1);
                           root.template at<MvRegister<std::int64_t>>("mv").set(1);
                           root.template at<RwSet<std::int64_t>>("rw").insert(1);
                           root.template at<RwSet<std::int64_t>>("rw gone").erase(1);
                           root.template at<DwFlag>("dw off").disable();
                         })
                  .has_value());
  EXPECT_THAT(map.children(),
              ElementsAre(Pair(zero, Type::ew_flag), Pair("bounded", Type::bounded_counter),
                          Pair("dw", Type::dw_flag), Pair("g", Type::g_map), Pair("lww", Type::lww_map),
                          Pair("max", Type::max_register), Pair("min", Type::min_register),
                          Pair("mv", Type::mv_register), Pair("rw", Type::rw_set)));
  EXPECT_TRUE(map.contains(zero));
  EXPECT_FALSE(map.contains("rw gone"));
  EXPECT_TRUE(map.at<GMap>("g").at<GSet<std::int64_t>>("").contains(1));
}

TEST(OrMap, ErasingAboveWhatOnlyNewerCodeKnowsIsRefused) {
  OrMap map;
  ASSERT_TRUE(map.update(a, 1,
                         [](auto& root) {
                           root.template at<EwFlag>("flag").enable();
                           root.template at<MvRegister<std::int64_t>>("m").set(1);
                         })
                  .has_value());
  // The same with a type from the future in place of the register.
  std::string bytes = map.to_bytes();
  const std::string known = child_path(Place(), Type::or_map, "m") + static_cast<char>(Type::mv_register);
  const std::size_t at = bytes.find(known);
  ASSERT_NE(at, std::string::npos);
  bytes[at + known.size() - 1] = '\x4d';
  auto newer = OrMap::from_bytes(bytes);
  ASSERT_TRUE(newer.has_value());
  EXPECT_THAT(newer->children(), ElementsAre(Pair("flag", Type::ew_flag), Pair("m", Type{77})));
  const auto refused = newer->update(a, 2, [](auto& root) { root.erase("m"); });
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::unknown_type);
  EXPECT_TRUE(newer->update(a, 3, [](auto& root) { root.erase("flag"); }).has_value());
}

TEST(Standalone, BytesOfOneTypeAreNoOthers) {
  RwSet<std::string> set;
  set.erase(a, "x");
  DwFlag flag;
  flag.disable(a);
  EXPECT_FALSE(OrSet<std::string>::from_bytes(set.to_bytes()).has_value());
  EXPECT_FALSE(EwFlag::from_bytes(flag.to_bytes()).has_value());
  EXPECT_TRUE(DwFlag::from_bytes(flag.to_bytes()).has_value());
  OrMap map;
  ASSERT_TRUE(map.update(a, 1, [](auto& root) { root.template at<EwFlag>("x").enable(); }).has_value());
  EXPECT_FALSE(GMap::from_bytes(map.to_bytes()).has_value());
  for (std::size_t size = 0; size < map.to_bytes().size(); ++size)
    EXPECT_FALSE(OrMap::from_bytes(map.to_bytes().substr(0, size)).has_value());
}

}  // namespace
}  // namespace syncline
