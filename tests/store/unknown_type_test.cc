// A type that only newer code knows: kept, listed, forwarded, never interpreted.
#include "tests/store/harness.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

constexpr Type newer{77};

// What newer code would write: leaves two elements deep.
struct Newer {
  template <LeafAccess A>
  class Writer {
   public:
    Writer(A& access, Place place) : access_(access), place_(place) {}
    void put(const std::string& element) {
      const std::string above = child_path(place_, newer, element);
      access_.put(access_.open(leaf_key(Place::at(above), Type::or_set, "inner")), 0, "payload");
    }

   private:
    A& access_;
    Place place_;
  };
};

TEST(UnknownType, IsKeptListedAndForwardedButNotErased) {
  TestClock clock;
  Replica ada = open_replica(clock, 1);
  Replica bob = open_replica(clock, 2);
  Keyspace adas = ada.keyspace("k");
  Keyspace bobs = bob.keyspace("k");
  std::vector<Event> events;
  const auto sub = bobs.watch("", [&](const EventBatch& batch) {
    EXPECT_FALSE(batch.local);
    events.insert(events.end(), batch.events.begin(), batch.events.end());
  });
  must(adas.update([](Update& tx) {
    tx.at<Newer>("new").put("a");
    tx.at<Newer>("new").put("b");
    tx.reg("old").set(1);
  }));
  Wire wire(clock, ada, bob);
  ASSERT_TRUE(wire.sync());

  const std::string json = R"({"new":{"$types":{"type_77":{"$leaves":2}}},"old":1})";
  EXPECT_EQ(must(adas.to_json()), json);
  EXPECT_EQ(must(bobs.to_json()), json);
  std::vector<std::pair<std::string, Type>> keys;
  must(bobs.for_each_key("", [&](std::string_view key, Type type) {
    keys.emplace_back(key, type);
    return true;
  }));
  EXPECT_THAT(keys, ElementsAre(Pair("new", newer), Pair("old", Type::lww_register)));
  EXPECT_THAT(must(bobs.changes_since({})), ElementsAre("new", "old"));

  ASSERT_EQ(events.size(), 2U) << "one for all leaves of the type under the key";
  EXPECT_EQ(events[0].key, "new");
  EXPECT_EQ(events[0].type, newer);
  EXPECT_FALSE(events[0].before || events[0].after);

  EXPECT_EQ(code_of(bobs.update([](auto& tx) {
              tx.erase("old");
              tx.erase("new");
            })),
            "unknown_type");
  EXPECT_EQ(must(bobs.to_json()), json);
}

}  // namespace
}  // namespace syncline
