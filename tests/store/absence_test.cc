// Back after 400 days, by whatever way: nothing of one's own is lost, nothing of others' comes back that was
// removed, and nobody has to do anything about it.
#include <filesystem>
#include <tuple>
#include <vector>

#include "tests/store/harness.h"
#include "tests/support/folder.h"

namespace syncline {
namespace {

enum class Back { as_it_was, from_an_older_snapshot, as_two_copies };

constexpr std::int64_t old_elements = 20;  // 0 and so on: removed while Bob is away.
constexpr std::int64_t before_snapshot = 100, after_snapshot = 101, back = 102, back_as_copy = 103;

// Ada stays, Bob goes: which of the ways he comes back, and whether he is struck off the list meanwhile.
class Absence : public testing::TestWithParam<std::tuple<Back, bool>> {
 protected:
  Replica open(std::uint64_t seed, const std::string& file = {}) {
    ReplicaOptions options;
    options.path = file;
    options.engine.log_bytes_max = 2'000;
    options.log = [this](LogLevel level, std::string_view line, const auto&) {
      if (level == LogLevel::error) errors.emplace_back(line);
    };
    return open_replica(clock, seed, std::move(options));
  }
  static void insert(Replica& replica, std::int64_t element) {
    must(replica.keyspace("shop").update([&](Update& tx) { tx.set("s").insert(element); }));
  }
  static std::vector<Value> elements(Replica& replica) {
    return must(replica.keyspace("shop").set("s").elements());
  }
  static void copy(const std::string& from, const std::string& to) {
    std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing);
  }

  // What Bob writes alone, some of it after the snapshot: that is told, if the snapshot is to come back.
  void leave(Replica& ada, bool tells) {
    {
      Replica bob = open(2, path);
      bob.keyspace("shop");
      must(ada.add_member(ada.member_id()));
      must(ada.add_member(bob.member_id()));
      bob_id = bob.member_id();
      Wire wire(clock, ada, bob);
      ASSERT_TRUE(wire.sync());
      ASSERT_EQ(elements(bob).size(), static_cast<std::size_t>(old_elements));
      insert(bob, before_snapshot);
    }
    copy(path, snapshot);
    Replica bob = open(3, path);
    insert(bob, after_snapshot);
    if (!tells) return;
    ASSERT_TRUE(Wire(clock, ada, bob).sync());
  }
  void live_on(Replica& ada, bool strikes_off) {
    must(ada.keyspace("shop").update([](Update& tx) {
      for (std::int64_t i = 0; i < old_elements; ++i) tx.set("s").erase(i);
    }));
    for (int day = 0; day < 400; ++day) {
      clock.advance(24h);
      if (day == 200 && strikes_off) must(ada.remove_member(bob_id));
      must(ada.keyspace("shop").update([&](Update& tx) { tx.counter("days").add(1); }));
    }
  }

  TestClock clock;
  Folder folder;
  std::string path = folder / "bob.db";
  std::string snapshot = folder / "snapshot.db";
  std::string bob_id;
  std::vector<std::string> errors;
};

TEST_P(Absence, EndsWithNothingLostAndNothingResurrected_R_GC_1_R_ID_3_R_ID_4) {
  const auto [how, strikes_off] = GetParam();
  Replica ada = open(1);
  ada.keyspace("shop");
  for (std::int64_t i = 0; i < old_elements; ++i) insert(ada, i);
  leave(ada, how == Back::from_an_older_snapshot);
  live_on(ada, strikes_off);

  if (how == Back::from_an_older_snapshot) copy(snapshot, path);
  std::vector<Replica> bobs;
  bobs.push_back(open(4, path));
  if (how == Back::as_two_copies) bobs.push_back(open(5, snapshot));
  std::vector<Value> expected{Value(before_snapshot), Value(after_snapshot)};
  for (std::size_t i = 0; i < bobs.size(); ++i) {
    expected.emplace_back(i == 0 ? back : back_as_copy);
    insert(bobs[i], i == 0 ? back : back_as_copy);  // Before anybody was heard.
  }
  for (int turn = 0; turn < 2; ++turn)
    for (Replica& bob : bobs) ASSERT_TRUE(Wire(clock, ada, bob).sync());

  EXPECT_EQ(elements(ada), expected);
  EXPECT_EQ(must(ada.keyspace("shop").counter("days").total()), 400);
  for (Replica& bob : bobs) {
    EXPECT_EQ(elements(bob), expected);
    EXPECT_EQ(bob.keyspace("shop").digests(), ada.keyspace("shop").digests());
  }
  EXPECT_EQ(must(ada.members()).size(), strikes_off ? 1U : 2U);
  EXPECT_EQ(errors, std::vector<std::string>());  // No dot was used twice, for one.
}

INSTANTIATE_TEST_SUITE_P(Ways, Absence,
                         testing::Combine(testing::Values(Back::as_it_was, Back::from_an_older_snapshot,
                                                          Back::as_two_copies),
                                          testing::Bool()));

}  // namespace
}  // namespace syncline
