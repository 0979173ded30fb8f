// Traces that broke other people's types, or the obvious designs of ours. Each
// is run on a type with the defect, where it must go wrong, and on ours.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crdt/crdt.h"
#include "crdt/key_logic.h"
#include "tests/crdt/flawed_counter.h"
#include "tests/crdt/flawed_types.h"
#include "tests/regress/flawed_sets.h"
#include "tests/support/actor.h"

namespace syncline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Elements = std::vector<std::string>;

const ActorId a = actor(1);
const ActorId b = actor(2);

// Ours, as the traces speak of them: something is put under a name, and removed.
class Set : public OrSet<std::string> {
 public:
  using Delta = OrSet<std::string>;
  Delta add(std::uint8_t who, const std::string& name) { return insert(actor(who), name); }
  Delta remove(std::uint8_t who, const std::string& name) { return erase(actor(who), name); }
};

class Map : public LwwMap<std::string> {
 public:
  using Delta = LwwMap<std::string>;
  Delta add(std::uint8_t who, const std::string& name) { return set(actor(who), 1, name, "value"); }
  Delta remove(std::uint8_t who, const std::string& name) { return erase(actor(who), name); }
  Elements elements() const {
    Elements names;
    for_each([&names](std::string_view name, const std::string&) {
      names.emplace_back(name);
      return true;
    });
    return names;
  }
};

// One register; good for traces of one name.
class Register : public LwwRegister<std::string> {
 public:
  using Delta = LwwRegister<std::string>;
  Delta add(std::uint8_t who, const std::string& name) { return set(actor(who), 1, name); }
  Delta remove(std::uint8_t who, const std::string&) { return clear(actor(who)); }
  Elements elements() const {
    const auto name = value();
    return name ? Elements{*name} : Elements{};
  }
};

// --- riak_dt #78: "if one clock descends the other, take its side" -------------------

template <class T>
Elements riak_78() {
  T one, two;
  one.add(1, "x");
  two.merge(one);
  two.remove(2, "x");
  one.add(1, "y");  // Has seen more adds than two, but not the removal.
  one.merge(two);
  return one.elements();
}

TEST(RiakDt78_R_CRDT_5, WhoHasSeenMoreStillLearnsOfRemovals) {
  EXPECT_THAT(riak_78<FlawedSet<SetFlaw::newer_clock_wins>>(), ElementsAre("x", "y"));
  EXPECT_THAT(riak_78<FlawedSet<SetFlaw::none>>(), ElementsAre("y"));
  EXPECT_THAT(riak_78<Set>(), ElementsAre("y"));
  EXPECT_THAT(riak_78<Map>(), ElementsAre("y"));
}

// --- riak_dt #82: "on both sides, so it is there" ------------------------------------

template <class T>
Elements riak_82() {
  T one, two, three;
  one.add(1, "x");
  two.add(2, "x");
  three.merge(one);
  one.remove(1, "x");
  one.merge(two);
  two.remove(2, "x");
  one.merge(three);
  two.merge(one);
  return two.elements();
}

TEST(RiakDt82_R_CRDT_5, WhatBothSidesHaveMayStillBeRemoved) {
  EXPECT_THAT(riak_82<FlawedSet<SetFlaw::kept_when_on_both_sides>>(), ElementsAre("x"));
  EXPECT_THAT(riak_82<FlawedSet<SetFlaw::none>>(), IsEmpty());
  EXPECT_THAT(riak_82<Set>(), IsEmpty());
  EXPECT_THAT(riak_82<Map>(), IsEmpty());
  EXPECT_THAT(riak_82<Register>(), IsEmpty());
}

// --- akka #22631: the delta of a removal, at a replica that has seen more --------------

template <class T>
std::pair<Elements, Elements> akka_22631() {
  T one, two, three;
  using Delta = typename T::Delta;
  const std::vector<Delta> first{one.add(1, "q"), one.remove(1, "q")};
  const std::vector<Delta> second{one.add(1, "z"), one.remove(1, "z")};
  for (const Delta& delta : first) two.merge(delta), three.merge(delta);
  three.merge(two.add(2, "x"));
  for (const Delta& delta : second) three.merge(delta);  // These never reach two.
  const std::vector<Delta> last{two.add(2, "a"), two.remove(2, "a")};
  T by_state = three;
  by_state.merge(two);
  for (const Delta& delta : last) three.merge(delta);
  return {by_state.elements(), three.elements()};
}

TEST(Akka22631_R_CRDT_5, DeltasAndStatesLeadToTheSameEnd) {
  using Ends = std::pair<Elements, Elements>;
  const Ends right{{"x"}, {"x"}};
  const Ends flawed = akka_22631<FlawedSet<SetFlaw::removal_needs_newer_clock>>();
  EXPECT_NE(flawed.first, flawed.second);
  EXPECT_EQ(akka_22631<FlawedSet<SetFlaw::none>>(), right);
  EXPECT_EQ(akka_22631<Set>(), right);
  EXPECT_EQ(akka_22631<Map>(), right);
}

// --- akka #22648: a removed key, and an update the remover had not seen ----------------

template <class T>
Elements akka_22648() {
  T one, two;
  one.add(1, "b");
  const auto added = two.add(2, "b");
  const auto removed = two.remove(2, "b");
  one.merge(added), one.merge(removed);
  return one.elements();
}

Elements set_under(const LeafMap& map, std::string_view key) {
  Elements all;
  set_for_each(map, Type::or_set, key, [&all](std::string_view element) {
    all.emplace_back(element);
    return true;
  });
  return all;
}

TEST(Akka22648_R_CRDT_5, RemovingAKeyLeavesWhatTheRemoverHadNotSeen) {
  EXPECT_THAT(akka_22648<FlawedSet<SetFlaw::removal_by_name>>(), IsEmpty());
  EXPECT_THAT(akka_22648<FlawedSet<SetFlaw::none>>(), ElementsAre("b"));
  EXPECT_THAT(akka_22648<Set>(), ElementsAre("b"));
  EXPECT_THAT(akka_22648<Map>(), ElementsAre("b"));
  EXPECT_THAT(akka_22648<Register>(), ElementsAre("b"));

  LeafMap one, two, one_delta, two_delta;
  LeafEdit write(one, a);
  set_insert(write, Type::or_set, "b", "B1");
  one_delta = write.take_delta();
  LeafEdit first(two, b);
  set_insert(first, Type::or_set, "b", "B2");
  two_delta = first.take_delta();
  LeafEdit second(two, b);
  erase_place(second, "b");
  two_delta.merge(second.take_delta());
  for (const LeafMap* theirs : {&two, &two_delta}) {
    LeafMap merged = one;
    merged.merge(*theirs);
    EXPECT_THAT(set_under(merged, "b"), ElementsAre("B1"));
  }
  for (const LeafMap* theirs : {&one, &one_delta}) {
    LeafMap merged = two;
    merged.merge(*theirs);
    EXPECT_THAT(set_under(merged, "b"), ElementsAre("B1"));
  }
}

// --- rust-crdt #35: a key removed and written anew beside the old one -------------------

template <bool flawed>
std::pair<Elements, Elements> rust_crdt_35() {
  FlawedEntry<flawed> one, two;
  one.add(1, "x");
  two.merge(one);
  one.remove();
  one.add(1, "z");
  const FlawedEntry<flawed> before = one;
  one.merge(two), two.merge(before);
  return {one.elements(), two.elements()};
}

TEST(RustCrdt35_R_CRDT_5, ARemovedKeyComesBackWithNothingThatWasSeen) {
  const std::pair<Elements, Elements> right{{"z"}, {"z"}};
  EXPECT_EQ(rust_crdt_35<true>(), (std::pair<Elements, Elements>{{"x", "z"}, {"z"}}));
  EXPECT_EQ(rust_crdt_35<false>(), right);

  LeafMap one, two;
  LeafEdit write(one, a);
  set_insert(write, Type::or_set, "k", "x");
  counter_add(write, Type::g_counter, "k", 5);
  two.merge(one);
  erase_place(write, "k");
  set_insert(write, Type::or_set, "k", "z");
  counter_add(write, Type::g_counter, "k", 2);
  const LeafMap before = one;
  one.merge(two), two.merge(before);
  EXPECT_EQ(one, two);
  EXPECT_THAT(set_under(one, "k"), ElementsAre("z"));
  EXPECT_EQ(counter_total(one, Type::g_counter, "k").total, 2);
}

// --- delta_crdt_ex #65: part of a state that claims all its sender has seen ---------------

template <class T>
Elements delta_crdt_ex_65() {
  T one, two;
  one->insert(a, "y");
  const T part(one->insert(a, "z"));
  two.merge(part);
  one.merge(two);
  return one->elements();
}

struct Nothing {
  static void change(CausalContext&, LeafMap::Leaves&) {}
};

TEST(DeltaCrdtEx65_R_CRDT_5, APartClaimsOnlyItsOwnDots) {
  EXPECT_THAT(delta_crdt_ex_65<LastSeenSet>(), ElementsAre("z"));
  EXPECT_THAT((delta_crdt_ex_65<Flawed<OrSet<std::string>, Nothing>>()), ElementsAre("y", "z"));
}

// --- The register's loser ------------------------------------------------------------

template <class T>
std::pair<std::optional<Value>, std::optional<Value>> lww_loser() {
  T ada, bob;
  const T written(ada->set(a, 1, Value("a1")));
  const T winner(bob->set(b, 2, Value("b1")));
  const T removed(bob->clear(b));
  T early, late;
  early.merge(written), early.merge(winner), early.merge(removed);
  late.merge(winner), late.merge(removed), late.merge(written);
  return {early->value(), late->value()};
}

TEST(LwwLoser, IsKeptSoThatTheOrderOfArrivalDoesNotShow) {
  const auto flawed = lww_loser<LoserDroppingRegister>();
  EXPECT_NE(flawed.first, flawed.second);
  const auto sound = lww_loser<Flawed<LwwRegister<Value>, Nothing>>();
  EXPECT_EQ(sound.first, Value("a1"));
  EXPECT_EQ(sound.second, Value("a1"));
}

// --- corrosion #352: two delete one row at once, and nothing breaks the tie -----------------

// A row as it was there: the greater version wins, and on a tie who has it keeps its own.
class TiedRow {
 public:
  TiedRow add(std::uint8_t who, const std::string&) { return write(who, true); }
  TiedRow remove(std::uint8_t who, const std::string&) { return write(who, false); }
  void merge(const TiedRow& other) {
    if (other.version_ > version_) *this = other;
  }
  friend bool operator==(const TiedRow&, const TiedRow&) = default;

 private:
  TiedRow write(std::uint8_t who, bool there) {
    ++version_, writer_ = who, there_ = there;
    return *this;
  }
  int version_ = 0, writer_ = 0;
  bool there_ = false;
};

// Whether two replicas come to the same after both removed, or both wrote, at once.
template <class T>
bool ties_converge(bool removal) {
  T one, two;
  two.merge(one.add(1, "row"));
  const auto at_one = removal ? one.remove(1, "row") : one.add(1, "row");
  const auto at_two = removal ? two.remove(2, "row") : two.add(2, "row");
  one.merge(at_two), two.merge(at_one);
  return one == two;
}

TEST(Corrosion352_R_CRDT_5, TwoWhoRemoveOrWriteAtOnceAgree) {
  for (const bool removal : {true, false}) {
    EXPECT_FALSE(ties_converge<TiedRow>(removal));
    EXPECT_TRUE(ties_converge<Set>(removal));
    EXPECT_TRUE(ties_converge<Map>(removal));
    EXPECT_TRUE(ties_converge<Register>(removal));
  }
}

// --- Seen is not applied ---------------------------------------------------------------

// A merge that skips what adds no dot to those seen.
void merge_unseen(OrSet<std::string>& set, const OrSet<std::string>& delta) {
  CausalContext both = set.state().context();
  both.merge(delta.state().context());
  if (both != set.state().context()) set.merge(delta);
}
void merge_always(OrSet<std::string>& set, const OrSet<std::string>& delta) { set.merge(delta); }

template <class Merge>
bool converges_when_a_removal_comes_late(const Merge& merge) {
  OrSet<std::string> one, two, three;
  merge(two, one.insert(a, "milk"));
  const auto again = two.insert(b, "milk");  // Removes the first dot.
  merge(three, again);
  const auto third = three.insert(actor(3), "milk");  // Removes the second.
  merge(one, third), merge(one, again);
  merge(two, third);
  return one == two;
}

TEST(SeenIsNotApplied, ADeltaWhoseDotsAreKnownStillRemoves) {
  EXPECT_FALSE(converges_when_a_removal_comes_late(merge_unseen));
  EXPECT_TRUE(converges_when_a_removal_comes_late(merge_always));
}

// --- Counters: the traces at which the obvious restarts go wrong --------------------------

// Ours, with the interface of the flawed ones.
class Counter : public PnCounter {
 public:
  void add(const ActorId& self, std::uint64_t amount, bool) {
    EXPECT_TRUE(PnCounter::add(self, static_cast<std::int64_t>(amount)).has_value());
  }
};

template <class T>
std::int64_t reset_trace_5() {
  T one, two;
  one.add(a, 1, false);
  two.merge(one);
  one.add(a, 1, false);
  two.reset(b);
  one.merge(two);
  return one.total();
}

TEST(CounterReset, TakesAwayOnlyWhatItSaw_Depth5) {
  EXPECT_EQ(reset_trace_5<FlawedCounter<CounterFlaw::reset_removes>>(), 2);
  EXPECT_EQ(reset_trace_5<FlawedCounter<CounterFlaw::restarts_at_sight>>(), 1);
  EXPECT_EQ(reset_trace_5<Counter>(), 1);
}

template <class T>
std::int64_t restart_trace_9() {
  T one, two;
  one.add(a, 1, false);
  two.merge(one);
  one.add(a, 1, false);
  two.reset(b);
  one.merge(two), two.merge(one);
  one.add(a, 1, true);  // The owner sees the floor.
  two.reset(b);         // This floor reaches the share from before the restart.
  one.merge(two);
  return one.total();
}

TEST(CounterRestart, NotAtSightOfAFloor_Depth9) {
  EXPECT_EQ(restart_trace_9<FlawedCounter<CounterFlaw::restarts_at_sight>>(), 2);
  EXPECT_EQ(restart_trace_9<Counter>(), 1);
}

template <class T>
std::int64_t restart_trace_10() {
  T one, two, three;
  one.add(a, 1, true);
  two.merge(one);
  one.add(a, 1, false);
  two.reset(b);
  one.merge(two), two.merge(one);
  two.reset(b);
  three.merge(one);
  one.add(a, 1, true);  // All know share and floor; two's second reset, not yet.
  one.merge(two);
  return one.total();
}

TEST(CounterRestart, NotOnceShareAndFloorAreStable_Depth10) {
  EXPECT_EQ(restart_trace_10<FlawedCounter<CounterFlaw::restarts_when_stable>>(), 2);
  EXPECT_EQ(restart_trace_10<Counter>(), 1);
}

}  // namespace
}  // namespace syncline
