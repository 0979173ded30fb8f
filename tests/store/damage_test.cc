// A store's file that rots: what is put right, what is kept aside, what is found by whom.
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <set>

#include "store/checked_files.h"
#include "store/leaf_page.h"
#include "sync/digest.h"
#include "tests/store/harness.h"
#include "tests/support/folder.h"
#include "tests/support/random.h"

namespace syncline {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::size_t page_bytes = 4'096;

class DamageTest : public ::testing::Test {
 protected:
  Replica open(ReplicaOptions options = {}) {
    options.path = path;
    options.log = [this](LogLevel level, std::string_view text, const auto&) {
      if (level >= LogLevel::warning) log.emplace_back(text);
    };
    return open_replica(clock, ++seed, std::move(options));
  }

  static std::string key(int number) { return "item-" + std::to_string(1'000 + number); }
  static std::string text(int number) { return "the text of item " + std::to_string(number) + "."; }
  // A store of so many registers, closed.
  void fill(int items) {
    Replica replica = open();
    must(replica.keyspace("shop").update([&](auto& tx) {
      for (int i = 0; i < items; ++i) tx.reg(key(i)).set(text(i));
    }));
  }

  std::string bytes() const {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::string& bytes) const { std::ofstream(path, std::ios::binary) << bytes; }

  // Where on a page of the lowest level of the leaves an item's key and text stand.
  struct Place {
    std::size_t key = 0;
    std::size_t text = 0;
  };
  static Place find(const std::string& file, int item) {
    for (std::size_t at = 0; at < file.size(); at += page_bytes) {
      const std::string_view page(file.data() + at, page_bytes);
      const auto leaves = leaves_on_page(page, page_bytes - CheckedFiles::checksum_bytes);
      if (!leaves) continue;
      for (const StoredLeaf& leaf : *leaves)
        if (leaf.leaf.starts_with(key(item)))
          return {static_cast<std::size_t>(leaf.leaf.data() - file.data()),
                  static_cast<std::size_t>(leaf.value.data() - file.data()) + leaf.value.find("text of")};
    }
    ADD_FAILURE() << "item " << item << " isn't on such a page";
    return {};
  }
  // As if that had happened in memory, before the page was written.
  static void sign(std::string& file, std::size_t at) {
    const std::size_t page = at / page_bytes * page_bytes;
    const std::string_view covered(file.data() + page, page_bytes - CheckedFiles::checksum_bytes);
    const std::uint64_t sum = hash_bytes(covered, page);
    std::memcpy(file.data() + page + covered.size(), &sum, sizeof sum);
  }
  enum class Rot { on_the_disk, in_memory };
  void damage(int item, Rot rot) {
    std::string file = bytes();
    const std::size_t at = find(file, item).text;
    file.replace(at, 7, "garbage");
    if (rot == Rot::in_memory) sign(file, at);
    write(file);
  }
  void damage_key_of_70() {
    std::string file = bytes();
    const Place place = find(file, 70);
    // A key between its neighbours that nobody has: item-106: comes after item-1069.
    file.replace(place.key + key(70).size() - 2, 2, "6:");
    file.replace(place.text, 7, "garbage");
    write(file);
  }
  void expect_only_damaged(Keyspace& shop, int item, int items) {
    for (int i = 0; i < items; ++i) {
      if (i == item) continue;
      EXPECT_EQ(must(shop.reg(key(i)).get()), Value(text(i)));
    }
    const auto found = shop.reg(key(item)).get();
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Errc::damaged);
    EXPECT_THAT(found.error().detail, HasSubstr(key(item)));
  }

  static std::vector<std::string> keys(const FileHealth& health) {
    std::vector<std::string> keys;
    for (const QuarantinedLeaf& leaf : health.quarantined) keys.push_back(leaf.keyspace + "/" + leaf.key);
    return keys;
  }

  Folder folder;
  std::string path = folder / "shop.db";
  TestClock clock;
  std::uint64_t seed = 0;
  std::vector<std::string> log;
};

TEST_F(DamageTest, AFlippedBitOfAnyPageIsPutRight_R_DUR_6) {
  fill(200);
  const std::string whole = bytes();
  Random random(1);
  for (std::size_t page = 0; page < whole.size(); page += page_bytes) {
    for (const std::size_t most : {page_bytes, std::size_t{100}}) {
      std::string rotten = whole;
      // But for the first hundred bytes of all: SQLite looks at those before it reads pages.
      const std::size_t least = page == 0 ? 100 : 0;
      rotten[page + least + random.below(most - least + 1) % (page_bytes - least)] ^=
          static_cast<char>(1U << random.below(8));
      write(rotten);
      std::filesystem::remove(path + "-id");
      {
        Replica replica = open();
        const FileHealth health = must(replica.scrub());
        EXPECT_LE(health.mended_pages, 1U);
        EXPECT_EQ(health.damaged_pages, 0U);
        EXPECT_THAT(health.quarantined, IsEmpty());
        Keyspace shop = replica.keyspace("shop");
        for (int i = 0; i < 200; i += 37) EXPECT_EQ(must(shop.reg(key(i)).get()), Value(text(i)));
      }
      Replica again = open();
      EXPECT_EQ(must(again.scrub()).mended_pages, 0U) << "on the disk, too";
    }
  }
  EXPECT_THAT(log, Each(HasSubstr("flipped bits")));
  EXPECT_GE(log.size(), whole.size() / page_bytes);
}

class DamagedLeaf : public DamageTest, public ::testing::WithParamInterface<int> {
 protected:
  Rot rot() const { return GetParam() == 0 ? Rot::on_the_disk : Rot::in_memory; }
};
INSTANTIATE_TEST_SUITE_P(Rot, DamagedLeaf, ::testing::Values(0, 1));

TEST_P(DamagedLeaf, IsKeptAsideAndTheRestGoesOn_R_DUR_6) {
  fill(200);
  damage(70, rot());
  {
    Replica replica = open();
    Keyspace shop = replica.keyspace("shop");
    expect_only_damaged(shop, 70, 200);
    EXPECT_THAT(keys(replica.health()), ElementsAre("shop/" + key(70)));
    // All others can be written, old and new.
    must(shop.update([&](auto& tx) {
      tx.reg(key(69)).set("changed");
      tx.reg(key(200)).set("new");
    }));
    EXPECT_THAT(log, ElementsAre(HasSubstr("can't be read: it waits for a peer")));
    const auto over = shop.update([&](auto& tx) { tx.reg(key(70)).set("changed"); });
    EXPECT_EQ(code_of(over), "damaged") << "what that would remove can't be told";
    EXPECT_EQ(must(replica.scrub()).damaged_pages, 0U);
  }
  log.clear();
  Replica replica = open();
  EXPECT_THAT(keys(replica.health()), ElementsAre("shop/" + key(70))) << "known before it is read";
  Keyspace shop = replica.keyspace("shop");
  EXPECT_EQ(must(shop.reg(key(69)).get()), Value("changed"));
  EXPECT_EQ(must(shop.reg(key(200)).get()), Value("new"));
  EXPECT_EQ(code_of(shop.reg(key(70)).get()), "damaged");
}

TEST_P(DamagedLeaf, IsFoundByAScrubThoughNobodyReadsIt_R_DUR_6) {
  fill(2'000);
  damage(1'234, rot());
  Replica replica = open();
  EXPECT_THAT(replica.health().quarantined, IsEmpty());
  const FileHealth health = must(replica.scrub());
  EXPECT_THAT(keys(health), ElementsAre("shop/" + key(1'234)));
  EXPECT_EQ(health.pages_checked, health.pages);
  EXPECT_EQ(health.scrubs, 1U);
  Keyspace shop = replica.keyspace("shop");
  expect_only_damaged(shop, 1'234, 2'000);
}

TEST_P(DamagedLeaf, IsFoundInTheBackgroundToo_R_DUR_6) {
  fill(2'000);
  damage(1'234, rot());
  std::promise<void> told;
  ReplicaOptions options{.path = path, .scrub_period = 1ms};
  options.log = [&](LogLevel level, std::string_view text, const auto& fields) {
    if (level == LogLevel::warning && text.find("waits for a peer") != std::string_view::npos &&
        fields[1].second.find(key(1'234)) != std::string::npos)
      told.set_value();
  };
  Replica replica = open_replica(clock, ++seed, std::move(options));
  EXPECT_EQ(told.get_future().wait_for(60s), std::future_status::ready);
}

TEST_P(DamagedLeaf, IsStillOneInABackup_R_DUR_6_R_DUR_8) {
  fill(200);
  damage(70, rot());
  {
    Replica replica = open();
    EXPECT_EQ(code_of(replica.keyspace("shop").reg(key(70)).get()), "damaged");
    must(replica.backup(folder / "copy.db"));
  }
  path = folder / "copy.db";
  Replica copy = open();
  EXPECT_THAT(keys(copy.health()), ElementsAre("shop/" + key(70)));
}

TEST_P(DamagedLeaf, IsForgottenWithItsKeyspace) {
  fill(200);
  damage(70, rot());
  Replica replica = open();
  EXPECT_THAT(keys(must(replica.scrub())), ElementsAre("shop/" + key(70)));
  must(replica.drop_keyspace("shop"));
  EXPECT_THAT(must(replica.scrub()).quarantined, IsEmpty());
  must(replica.keyspace("shop").update([&](auto& tx) { tx.reg(key(70)).set("new"); }));
}

// The damaged bytes may be those of the key: then it isn't under its own name that it is found.
TEST_F(DamageTest, ALeafWhoseKeyIsDamagedIsNotTakenForAbsent_R_DUR_6) {
  fill(200);
  damage_key_of_70();
  Replica replica = open();
  Keyspace shop = replica.keyspace("shop");
  EXPECT_EQ(code_of(shop.reg(key(70)).get()), "damaged");
  EXPECT_EQ(must(shop.reg(key(69)).get()), Value(text(69)));
  EXPECT_EQ(must(shop.reg(key(71)).get()), Value(text(71)));
  EXPECT_EQ(must(shop.reg("item-9").get()), std::nullopt) << "far from it";
}

TEST_F(DamageTest, APageThatCantBeKnownStopsWritingAndIsTold_R_DUR_6) {
  fill(200);
  std::string file = bytes();
  const std::size_t page = find(file, 70).text / page_bytes * page_bytes;
  std::fill_n(file.begin() + static_cast<std::ptrdiff_t>(page), page_bytes, '\0');
  write(file);
  Replica replica = open();
  EXPECT_EQ(must(replica.scrub()).damaged_pages, 1U);
  EXPECT_THAT(log, ElementsAre(HasSubstr("a page of the store is damaged")));
  Keyspace shop = replica.keyspace("shop");
  EXPECT_EQ(code_of(shop.reg(key(70)).get()), "storage");
  EXPECT_EQ(code_of(shop.update([](auto& tx) { tx.reg(key(70)).set(1); })), "storage");
}

// ---- mended by peers ----

TEST_P(DamagedLeaf, IsMendedByAPeerThatAScrubMadeUsAsk_R_DUR_6) {
  fill(200);
  Replica peer = open_replica(clock, 1'000);
  static_cast<void>(peer.keyspace("shop"));
  Replica third = open_replica(clock, 1'001);
  static_cast<void>(third.keyspace("shop"));
  {
    Replica replica = open();
    for (Replica* other : {&peer, &third}) ASSERT_TRUE(Wire(clock, replica, *other).sync());
  }
  const std::string whole = must(peer.keyspace("shop").to_json());
  damage(70, rot());
  {
    Replica replica = open();
    EXPECT_THAT(keys(must(replica.scrub())), ElementsAre("shop/" + key(70)));
    Keyspace shop = replica.keyspace("shop");
    // Meanwhile it tells nobody that the leaf is gone, and takes in what others write elsewhere.
    must(peer.keyspace("shop").update([](auto& tx) { tx.reg(key(71)).set("news"); }));
    ASSERT_TRUE(Wire(clock, replica, peer).sync());
    EXPECT_EQ(must(shop.reg(key(70)).get()), Value(text(70)));
    EXPECT_EQ(must(shop.reg(key(71)).get()), Value("news"));
    EXPECT_EQ(shop.digests(), peer.keyspace("shop").digests());
    ASSERT_TRUE(Wire(clock, replica, third).sync());
    EXPECT_EQ(must(third.keyspace("shop").to_json()), must(peer.keyspace("shop").to_json()));
    EXPECT_EQ(must(third.keyspace("shop").reg(key(70)).get()), Value(text(70))) << "removed nowhere";
    EXPECT_THAT(replica.health().quarantined, IsEmpty());
    EXPECT_EQ(replica.health().mended_leaves, 1U);
  }
  Replica again = open();
  const FileHealth health = must(again.scrub());
  EXPECT_THAT(health.quarantined, IsEmpty());
  EXPECT_EQ(health.damaged_pages + health.mended_pages, 0U) << "its checksum is good";
  EXPECT_EQ(must(again.keyspace("shop").to_json()), must(peer.keyspace("shop").to_json()));
  EXPECT_EQ(again.keyspace("shop").digests(), peer.keyspace("shop").digests());
}

// Under the damaged key peers have nothing; the digests then tell that another is missing.
TEST_F(DamageTest, ALeafWhoseKeyWasDamagedComesBackUnderItsOwn_R_DUR_6) {
  fill(200);
  Replica peer = open_replica(clock, 1'000);
  static_cast<void>(peer.keyspace("shop"));
  {
    Replica replica = open();
    ASSERT_TRUE(Wire(clock, replica, peer).sync());
  }
  damage_key_of_70();
  Replica replica = open();
  must(replica.scrub());
  ASSERT_TRUE(Wire(clock, replica, peer).sync());
  Keyspace shop = replica.keyspace("shop");
  EXPECT_EQ(must(shop.reg(key(70)).get()), Value(text(70)));
  EXPECT_EQ(must(shop.to_json()), must(peer.keyspace("shop").to_json()));
  EXPECT_THAT(replica.health().quarantined, IsEmpty());
}

// What SQLite doesn't use, or what a newer version of waits in the write-ahead log, is nobody's loss.
TEST_F(DamageTest, AScrubSeesWhatIsUsed_R_DUR_6) {
  fill(2'000);
  {
    Replica replica = open();
    must(replica.keyspace("other").update([](auto& tx) { tx.reg("r").set(1); }));
    must(replica.drop_keyspace("shop"));
  }
  std::string file = bytes();
  std::size_t damaged = 0;
  for (std::size_t at = 10 * page_bytes; at + page_bytes <= file.size(); at += page_bytes) {
    // Of leaves that are gone: a careful SQLite has put zeros there.
    if (file.find_first_not_of('\0', at) < at + page_bytes - 8 && file[at] != '\x0a') continue;
    std::fill_n(file.begin() + static_cast<std::ptrdiff_t>(at), page_bytes, '\xee');
    ++damaged;
  }
  ASSERT_GT(damaged, 10U);
  write(file);
  Replica replica = open();
  const FileHealth health = must(replica.scrub());
  EXPECT_EQ(health.damaged_pages, 0U);
  EXPECT_THAT(health.quarantined, IsEmpty());
  EXPECT_EQ(must(replica.keyspace("other").reg("r").get()), Value(1));
}

// leaves_on_page() accounts for each byte of every page that SQLite makes.
TEST_F(DamageTest, AllThatSqliteMakesOfLeavesIsUnderstood) {
  Replica replica = open();
  Keyspace shop = replica.keyspace("shop");
  Random random(7);
  for (int round = 0; round < 60; ++round) {
    must(shop.update([&](auto& tx) {
      for (int i = 0; i < 100; ++i) {
        const std::string name = "item-" + std::to_string(random.below(3'000));
        if (random.chance(1, 3)) {
          tx.reg(name).clear();
        } else {
          tx.reg(name).set(std::string(random.below(random.chance(1, 20) ? 5'000 : 90), 'x'));
        }
      }
    }));
  }
  must(replica.backup(folder / "copy.db"));  // Its file has all, and no log beside it.
  path = folder / "copy.db";
  const std::string file = bytes();
  std::size_t lowest = 0, understood = 0, leaves = 0;
  for (std::size_t at = 0; at < file.size(); at += page_bytes) {
    const std::string_view page(file.data() + at, page_bytes);
    if (page[0] == '\x0a') ++lowest;
    const auto found = leaves_on_page(page, page_bytes - CheckedFiles::checksum_bytes);
    if (!found) continue;
    ++understood;
    leaves += found->size();
  }
  EXPECT_GE(understood + 4, lowest) << "but for the other tables";
  EXPECT_GT(leaves, 1'000U);
}

}  // namespace
}  // namespace syncline
