// The examples of docs/types/: two people at once, as the pages tell it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crdt/crdt.h"
#include "tests/support/actor.h"

namespace syncline {
namespace {

using testing::ElementsAre;
using testing::Pair;

const ActorId a = actor(1);
const ActorId b = actor(2);

TEST(TypePages, Counter) {
  PnCounter ada, bob;
  bob.merge(*ada.add(a, 5));
  const auto reset = ada.reset(a);   // Ada sees 5...
  const auto more = *bob.add(b, 2);  // ...and not Bob's 2.
  ada.merge(more), bob.merge(reset);
  EXPECT_EQ(ada.total(), 2);
  EXPECT_EQ(bob.total(), 2);
}

TEST(TypePages, BoundedCounter) {
  BoundedCounter ada, bob;
  bob.merge(*ada.add(a, 3)), bob.merge(*ada.give(a, b, 1));
  EXPECT_TRUE(ada.spend(a, 2).has_value());
  EXPECT_TRUE(bob.spend(b, 1).has_value());
  EXPECT_EQ(bob.total(), 2);                                 // He hasn't heard of Ada's two,
  EXPECT_EQ(bob.spend(b, 1).error().code, Errc::no_rights);  // and yet may not sell them.
}

TEST(TypePages, GSet) {
  GSet<std::string> ada, bob;
  const auto milk = ada.insert(a, "milk");
  const auto eggs = bob.insert(b, "eggs");
  ada.merge(eggs), bob.merge(milk);
  EXPECT_THAT(bob.elements(), ElementsAre("eggs", "milk"));
}

TEST(TypePages, OrSet) {
  OrSet<std::string> ada, bob;
  bob.merge(ada.insert(a, "milk"));
  const auto gone = ada.erase(a, "milk");
  const auto back = bob.insert(b, "milk");  // Ada never saw this one.
  ada.merge(back), bob.merge(gone);
  EXPECT_THAT(ada.elements(), ElementsAre("milk"));
}

TEST(TypePages, RwSet) {
  RwSet<std::string> ada, bob;
  bob.merge(ada.insert(a, "carl"));
  const auto gone = ada.erase(a, "carl");
  const auto back = bob.insert(b, "carl");  // At once: it loses.
  ada.merge(back), bob.merge(gone);
  EXPECT_FALSE(ada.contains("carl"));
  ada.merge(bob.insert(b, "carl"));  // Bob has seen the erasure: it counts.
  EXPECT_TRUE(ada.contains("carl"));
}

TEST(TypePages, LwwRegister) {
  LwwRegister<std::string> ada, bob;
  const auto red = ada.set(a, 5, "red");
  const auto blue = bob.set(b, 6, "blue");
  ada.merge(blue), bob.merge(red);
  EXPECT_EQ(ada.value(), "blue");
  EXPECT_EQ(bob.value(), "blue");
}

TEST(TypePages, LwwMap) {
  LwwMap<std::string> ada, bob;
  bob.merge(ada.set(a, 1, "name", "Ada"));
  const auto erased = ada.erase(a, "name");
  const auto written = bob.set(b, 1, "name", "Ada L.");
  ada.merge(written), bob.merge(erased);
  EXPECT_EQ(ada.find("name"), "Ada L.");
}

TEST(TypePages, MvRegister) {
  MvRegister<std::string> ada, bob;
  const auto red = ada.set(a, "red");
  const auto blue = bob.set(b, "blue");
  ada.merge(blue), bob.merge(red);
  EXPECT_THAT(ada.values(), ElementsAre("blue", "red"));
  bob.merge(ada.set(a, "purple"));
  EXPECT_THAT(bob.values(), ElementsAre("purple"));
}

TEST(TypePages, MaxRegister) {
  MaxRegister<std::int64_t> ada, bob;
  const auto seven = ada.set(a, 7);
  const auto nine = bob.set(b, 9);
  ada.merge(nine), bob.merge(seven);
  EXPECT_EQ(ada.value(), 9);
  EXPECT_EQ(ada.set(a, 8), MaxRegister<std::int64_t>());  // An empty delta.
}

TEST(TypePages, Flags) {
  EwFlag ada, bob;
  bob.merge(ada.enable(a));
  const auto off = ada.disable(a);
  const auto on = bob.enable(b);
  ada.merge(on), bob.merge(off);
  EXPECT_TRUE(ada.enabled());  // A DwFlag would be off.
}

TEST(TypePages, OrMap) {
  OrMap ada, bob;
  const auto put = [](OrMap& map, const ActorId& who, const char* field) {
    return *map.update(who, 1, [field](auto& root) {
      root.template at<OrMap>("address").template at<EwFlag>(field).enable();
    });
  };
  bob.merge(put(ada, a, "city"));
  const auto erased = *ada.update(a, 2, [](auto& root) { root.erase("address"); });
  const auto street = put(bob, b, "street");
  ada.merge(street), bob.merge(erased);
  EXPECT_THAT(ada.at<OrMap>("address").children(), ElementsAre(Pair("street", Type::ew_flag)));
  EXPECT_EQ(ada, bob);
}

}  // namespace
}  // namespace syncline
