// Traces that broke other people's maps and counters in maps. Each is run on a
// map with the defect, where it must go wrong, and on ours.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/crdt/flawed_types.h"
#include "tests/regress/flawed_maps.h"
#include "tests/regress/flawed_sets.h"
#include "tests/support/actor.h"

namespace syncline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using Elements = std::vector<std::string>;

const ActorId a = actor(1);
const ActorId b = actor(2);

// Ours: a map of sets, of one name.
class SetMap {
 public:
  OrMap add(const ActorId& who, const std::string& element) {
    return *map_.update(who, 1, [&](auto& map) { map.template at<OrSet<std::string>>("m").insert(element); });
  }
  OrMap remove(const ActorId& who) {
    return *map_.update(who, 1, [](auto& map) { map.erase("m"); });
  }
  void merge(const OrMap& delta) { map_.merge(delta); }
  Elements elements() const { return map_.at<OrSet<std::string>>("m").elements(); }
  const OrMap& map() const { return map_; }

 private:
  OrMap map_;
};

// --- riak_dt #92, #93: a name that is removed takes away what was under it -------------------

template <class Map>
Elements riak_93() {
  Map one, two;
  two.merge(one.add(a, "bob")), two.merge(one.add(a, "joe"));
  const OrMap removed = one.remove(a);
  const OrMap added = two.add(b, "sue");
  one.merge(added), two.merge(removed);
  EXPECT_EQ(one.elements(), two.elements());
  return one.elements();
}

TEST(RiakDt93_R_CRDT_5, WhatComesBackIsOnlyWhatTheRemoverHadNotSeen) {
  EXPECT_THAT(riak_93<NameHidingMap>(), ElementsAre("bob", "joe", "sue"));
  EXPECT_THAT(riak_93<SetMap>(), ElementsAre("sue"));
}

TEST(RiakDt93_R_CRDT_5, AMapWithoutChildrenIsAbsent) {
  SetMap map;
  map.add(a, "bob");
  EXPECT_TRUE(map.map().contains("m"));
  map.remove(a);
  EXPECT_FALSE(map.map().contains("m"));
  EXPECT_THAT(map.map().children(), IsEmpty());
}

// --- riak_dt #98: counters below a name that is removed -------------------------------------

struct Erased {
  template <class Writer>
  static void erase(Writer& map) {
    map.erase("m");
  }
};
struct ErasedRaw {
  template <class Writer>
  static void erase(Writer& map) {
    map.template at<RawLeaves>("m").erase();
  }
};

// Counts below "m", at some depth.
OrMap count(OrMap& map, const ActorId& who, std::int64_t by) {
  return *map.update(who, 1, [by](auto& root) {
    root.template at<OrMap>("m").template at<OrMap>("deep").template at<PnCounter>("n").add(by);
  });
}
std::int64_t counted(const OrMap& map) {
  return map.at<OrMap>("m").at<OrMap>("deep").at<PnCounter>("n").total();
}

template <class Erase>
std::int64_t riak_98() {
  OrMap one, two;
  two.merge(count(one, a, 1));
  const OrMap more = count(one, a, 1);
  const OrMap erased = *two.update(b, 1, [](auto& root) { Erase::erase(root); });
  one.merge(erased), two.merge(more);
  EXPECT_EQ(one, two);
  return counted(one);
}

TEST(RiakDt98_R_CRDT_5, ACounterBelowKeepsExactlyWhatTheRemoverHadNotSeen) {
  EXPECT_EQ(riak_98<ErasedRaw>(), 2);
  EXPECT_EQ(riak_98<Erased>(), 1);
}

// --- riak_dt #99: a removal that comes before what it removes -------------------------------

template <class Set, class Delta = Set>
Elements riak_99() {
  Set one, two, late;
  const Delta bob(one->insert(a, "bob"));
  two.merge(bob);
  const Delta removed(two->erase(b, "bob"));
  const Delta other(two->insert(b, "ann"));
  const Delta other_removed(two->erase(b, "ann"));
  late.merge(removed);  // It has nothing to remove yet...
  late.merge(other), late.merge(other_removed);
  late.merge(bob);  // ...now it has.
  return late->elements();
}

TEST(RiakDt99_R_CRDT_5, ARemovalThatComesFirstIsNotForgotten) {
  EXPECT_THAT(riak_99<ForgetfulSet>(), ElementsAre("bob"));

  SetMap one, two, late;
  const OrMap bob = one.add(a, "bob");
  two.merge(bob);
  const OrMap removed = two.remove(b);
  const OrMap other = two.add(b, "ann");
  const OrMap other_removed = two.remove(b);
  late.merge(removed), late.merge(other), late.merge(other_removed), late.merge(bob);
  EXPECT_THAT(late.elements(), IsEmpty());
  EXPECT_EQ(late.map(), two.map());
}

// --- topgun #54: a removal that overwrites adds that ran beside it --------------------------

Elements topgun_54_flawed() {
  FlawedSet<SetFlaw::removal_by_name> one, two;
  one.add(1, "x");
  two.merge(one);
  const auto removed = two.remove(2, "x");
  one.add(1, "x");
  one.merge(removed);
  return one.elements();
}

TEST(Topgun54_R_CRDT_5, ARemovalLeavesAddsThatItHadNotSeen) {
  EXPECT_THAT(topgun_54_flawed(), IsEmpty());
  SetMap one, two;
  two.merge(one.add(a, "x"));
  const OrMap removed = two.remove(b);
  const OrMap again = one.add(a, "x");
  one.merge(removed), two.merge(again);
  EXPECT_THAT(one.elements(), ElementsAre("x"));
  EXPECT_EQ(one.map(), two.map());
}

// --- Two people create a child of one name --------------------------------------------------

TEST(ChildrenCreatedAtOnce, AreOneWhereOthersLoseOne) {
  PointingMap one, two;
  const OrMap city = one.create(a, "child 1", "city");
  const OrMap street = two.create(b, "child 2", "street");
  one.merge(street), two.merge(city);
  EXPECT_THAT(one.fields(), ElementsAre("street"));  // Ada's city is out of sight.

  OrMap ada, bob;
  const auto put = [](OrMap& map, const ActorId& who, const char* field) {
    return *map.update(who, 1, [field](auto& root) {
      root.template at<OrMap>("address").template at<LwwRegister<std::int64_t>>(field).set(1);
    });
  };
  const OrMap hers = put(ada, a, "city");
  const OrMap his = put(bob, b, "street");
  ada.merge(his), bob.merge(hers);
  EXPECT_THAT(ada.at<OrMap>("address").children(),
              ElementsAre(Pair("city", Type::lww_register), Pair("street", Type::lww_register)));
  EXPECT_EQ(ada, bob);
}

TEST(TwoTypesAtOnePath, AreBothKeptAndComeInTheOrderOfTypes) {
  OrMap ada, bob;
  const OrMap number = *ada.update(a, 1, [](auto& map) { map.template at<PnCounter>("x").add(3); });
  const OrMap text =
      *bob.update(b, 9, [](auto& map) { map.template at<LwwRegister<std::string>>("x").set("three"); });
  ada.merge(text), bob.merge(number);
  EXPECT_EQ(ada, bob);
  EXPECT_THAT(ada.children(), ElementsAre(Pair("x", Type::pn_counter), Pair("x", Type::lww_register)));
  EXPECT_EQ(ada.at<PnCounter>("x").total(), 3);
  EXPECT_EQ(ada.at<LwwRegister<std::string>>("x").get(), "three");
}

// --- Escrow: rights that are removed while they are spent -----------------------------------

template <class Erase>
std::pair<std::int64_t, std::optional<Error>> escrow_removed() {
  OrMap one, two;
  const auto stock = [](auto& map) { return map.template at<OrMap>("m").template at<BoundedCounter>("n"); };
  two.merge(*one.update(a, 1, [&](auto& map) {
    stock(map).add(10);
    stock(map).give(b, 5);
  }));
  const auto erased = one.update(a, 1, [](auto& map) { Erase::erase(map); });
  const OrMap spent = *two.update(b, 1, [&](auto& map) { stock(map).spend(5); });
  if (erased) two.merge(*erased);
  one.merge(spent);
  EXPECT_EQ(one, two);
  return {one.at<OrMap>("m").at<BoundedCounter>("n").total(),
          erased ? std::nullopt : std::optional(erased.error())};
}

TEST(Escrow, RightsCannotBeRemovedWithTheMapAboveThem) {
  EXPECT_EQ(escrow_removed<ErasedRaw>().first, -5);
  const auto ours = escrow_removed<Erased>();
  EXPECT_EQ(ours.first, 5);
  ASSERT_TRUE(ours.second.has_value());
  EXPECT_EQ(ours.second->code, Errc::wrong_type);
}

}  // namespace
}  // namespace syncline
