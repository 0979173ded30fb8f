// The store in a file against a disk that fails. Whatever happens, opening it
// again gives exactly the first so many committed batches, all acknowledged ones
// among them, and never half of one.
#include <algorithm>
#include <iterator>

#include "store/sqlite_store.h"
#include "tests/store/faulty_disk.h"
#include "tests/store/harness.h"
#include "tests/support/scale.h"

namespace syncline {
namespace {

constexpr const char* path = "replica.db";

SqliteStoreOptions options_on(const FaultyDisk& disk, bool relaxed = false) {
  // So few pages that checkpoints happen within a workload.
  return {.path = path, .relaxed = relaxed, .checkpoint_pages = 12, .vfs = disk.vfs(), .side_file = false};
}

void append(std::string& text, std::string_view bytes) {
  text += std::to_string(bytes.size()) + ":";
  text += bytes;
}

// Everything that a store shows, as text.
Result<std::string> contents(RecordStore& store) {
  auto head = store.load();
  if (!head) return tl::unexpected(head.error());
  auto logs = store.load_logs();
  if (!logs) return tl::unexpected(logs.error());
  for (KeyspaceLog& each : *logs)
    for (KeyspaceHead& keyspace : head->keyspaces)
      if (keyspace.name == each.name) keyspace.log = std::move(each.log);
  std::map<std::string, std::string> keyspaces;
  for (const KeyspaceHead& keyspace : head->keyspaces) {
    std::string& text = keyspaces[keyspace.name];
    text = std::to_string(keyspace.leaf_count) + " " + std::to_string(keyspace.digests.context.low);
    for (const ActorId& actor : keyspace.actors) append(text, actor.view());
    auto version = keyspace.version;
    std::sort(version.begin(), version.end());
    for (const IndexedDot& entry : version)
      text += " " + std::to_string(entry.actor) + "@" + std::to_string(entry.counter);
    for (const LogRecord& entry : keyspace.log) append(text, entry.bytes);
    for (const std::string& chunk : keyspace.staged) append(text, chunk);
    const auto scanned = store.scan(keyspace.name, {}, [&](std::string_view leaf, std::string_view value) {
      append(text, leaf);
      append(text, value);
      return true;
    });
    if (!scanned) return tl::unexpected(scanned.error());
  }
  std::string all;
  for (const auto& [name, text] : keyspaces) append(all, name + "=" + text);
  return all;
}

// Batches that touch every table: new keyspaces and actors, leaves large and
// small, put, overwritten and erased, a log that is appended and cut, chunks
// staged and cleared, a keyspace dropped.
class Workload {
 public:
  Workload(std::uint64_t seed, std::size_t batches) : random_(seed) {
    MapStore twin;
    states_.push_back(*contents(twin));
    for (std::size_t i = 0; i < batches; ++i) {
      records_.push_back(make(i));
      EXPECT_TRUE(twin.commit(records_.back()));
      states_.push_back(*contents(twin));
    }
    for (std::size_t i = 1; i < states_.size(); ++i) EXPECT_NE(states_[i], states_[i - 1]);
  }

  const std::vector<Record>& records() const { return records_; }
  // What is there after the first `count` batches.
  const std::string& state(std::size_t count) const { return states_[count]; }

 private:
  struct Keyspace {
    std::vector<std::string> leaves;
    std::uint32_t actors = 0;
    std::vector<std::pair<std::uint32_t, std::uint64_t>> log;
  };

  std::string bytes(std::size_t size) {
    std::string made(size, '\0');
    for (char& byte : made) byte = static_cast<char>(random_.next());
    return made;
  }

  Record make(std::size_t number) {
    Record record;
    record.sequence = number + 1;
    record.hlc = number * 10;
    if (number % 7 == 5 && !keyspaces_["b"].leaves.empty()) {
      KeyspaceRecord drop;
      drop.name = "b";
      drop.dropped = true;
      record.keyspaces.push_back(drop);
      keyspaces_.erase("b");
    }
    record.keyspaces.push_back(make_part("a", number));
    if (number % 2 == 1) record.keyspaces.push_back(make_part("b", number));
    return record;
  }

  KeyspaceRecord make_part(const std::string& name, std::size_t number) {
    Keyspace& keyspace = keyspaces_[name];
    KeyspaceRecord part;
    part.name = name;
    if (keyspace.actors == 0 || random_.chance(1, 3)) {
      ActorId actor;
      for (auto& byte : actor.bytes) byte = static_cast<std::uint8_t>(random_.next());
      part.actors.push_back(actor);
      ++keyspace.actors;
    }
    const auto actor = static_cast<std::uint32_t>(random_.below(keyspace.actors));
    part.version = {{actor, ++counter_}};
    part.digests.context.low = random_.next();
    part.self = actor;
    std::map<std::string, std::string> leaves;
    for (std::size_t i = random_.below(12) + 1; i-- > 0;) {
      const bool known = !keyspace.leaves.empty() && random_.chance(1, 2);
      const std::string leaf =
          known ? keyspace.leaves[random_.below(keyspace.leaves.size())] : bytes(8 + random_.below(20));
      if (!known) keyspace.leaves.push_back(leaf);
      leaves[leaf] = known && random_.chance(1, 2) ? "" : bytes(random_.chance(1, 8) ? 6'000 : 40);
    }
    part.leaves.assign(leaves.begin(), leaves.end());
    part.leaf_count = number;
    part.log = {{actor, counter_, bytes(random_.below(300) + 1)}};
    if (keyspace.log.size() > 2) {
      part.log_cut.push_back(keyspace.log.front());
      keyspace.log.erase(keyspace.log.begin());
    }
    keyspace.log.emplace_back(actor, counter_);
    part.staged_cleared = random_.chance(1, 4);
    if (random_.chance(1, 2)) part.staged.push_back(bytes(500));
    return part;
  }

  Random random_;
  std::uint64_t counter_ = 0;
  std::map<std::string, Keyspace> keyspaces_;
  std::vector<Record> records_;
  std::vector<std::string> states_;
};

// An opened store without data, so that runs don't all make the tables.
FaultyDisk::Image empty_store(FaultyDisk& disk) {
  disk.set({});
  {
    const auto store = SqliteStore::open(options_on(disk));
    EXPECT_TRUE(store);
    EXPECT_TRUE((*store)->load());
    EXPECT_TRUE((*store)->close());
  }
  return disk.files();
}

struct Ran {
  std::size_t acknowledged = 0;
  std::size_t tried = 0;
};

bool cuts_log(const Record& record) {
  return std::any_of(record.keyspaces.begin(), record.keyspaces.end(),
                     [](const KeyspaceRecord& part) { return !part.log_cut.empty(); });
}

// Commits batches until one fails.
Ran run(SqliteStore& store, const Workload& work) {
  Ran ran;
  if (!store.load()) return ran;
  bool has_logs = false;  // As late as may be.
  for (const Record& record : work.records()) {
    if (!has_logs && cuts_log(record) && !store.load_logs()) break;
    has_logs = has_logs || cuts_log(record);
    ++ran.tried;
    if (!store.commit(record)) break;
    ++ran.acknowledged;
  }
  return ran;
}
Ran run(const FaultyDisk& disk, const Workload& work, bool relaxed = false) {
  const auto store = SqliteStore::open(options_on(disk, relaxed));
  return store ? run(**store, work) : Ran{};
}

class DiskFaults : public ::testing::Test {
 protected:
  // The store on this disk must hold a prefix of the batches, from `least` to `most`.
  ::testing::AssertionResult holds_prefix(const Workload& work, std::size_t least, std::size_t most) {
    const auto store = SqliteStore::open(options_on(disk));
    if (!store) return ::testing::AssertionFailure() << to_string(store.error());
    const auto found = contents(**store);
    if (!found) return ::testing::AssertionFailure() << to_string(found.error());
    for (std::size_t count = least; count <= most; ++count)
      if (*found == work.state(count)) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "not the first " << least << " to " << most << " batches";
  }

  void TearDown() override { RecordProperty("runs", static_cast<int>(runs)); }

  FaultyDisk disk;
  FaultyDisk::Image empty = empty_store(disk);
  std::size_t runs = 0;
};

// Without faults: how many calls the workload makes.
std::size_t calls_of(FaultyDisk& disk, const FaultyDisk::Image& empty, const Workload& work) {
  disk.set(empty);
  const Ran ran = run(disk, work);
  EXPECT_EQ(ran.acknowledged, work.records().size());
  return disk.calls();
}

// Runs are spread over their range: all of them, or every 50th under sanitizers.
std::size_t stride() { return std::max<std::size_t>(1, 50 / std::max<std::size_t>(1, scaled(50))); }
std::size_t workloads() { return std::max<std::size_t>(1, scaled(100) / 20); }

TEST_F(DiskFaults, APowerCutAtAnyCallLeavesAPrefix_R_DUR_5) {
  for (std::uint64_t seed = 1; seed <= workloads(); ++seed) {
    const Workload work(seed, 10);
    const std::size_t calls = calls_of(disk, empty, work);
    for (std::size_t at = 1; at <= calls; at += stride()) {
      disk.set(empty);
      disk.fail(at, Fault::crash, true);
      const Ran ran = run(disk, work);
      Random random(seed * 100'000 + at);
      std::vector<FaultyDisk::Image> found;
      for (int damage = 0; damage < damages; ++damage)
        found.push_back(disk.after_power_cut(static_cast<Damage>(damage), random));
      for (int damage = 0; damage < damages; ++damage) {
        disk.set(found[static_cast<std::size_t>(damage)]);
        ++runs;
        ASSERT_TRUE(holds_prefix(work, ran.acknowledged, ran.tried))
            << "seed " << seed << ", call " << at << ", damage " << damage;
      }
    }
  }
}

TEST_F(DiskFaults, ASecondPowerCutDuringRecoveryDoesTheSame_R_DUR_5) {
  for (std::uint64_t seed = 1; seed <= workloads(); ++seed) {
    const Workload work(seed, 10);
    const std::size_t calls = calls_of(disk, empty, work);
    for (std::size_t at = 1; at <= calls; at += 7 * stride()) {
      disk.set(empty);
      disk.fail(at, Fault::crash, true);
      const Ran ran = run(disk, work);
      Random random(seed * 100'000 + at);
      const auto first = disk.after_power_cut(static_cast<Damage>(random.below(damages)), random);
      for (std::size_t later = 1;; later += 3) {
        disk.set(first);
        disk.fail(later, Fault::crash, true);
        // Recovers, folds the log in, writes on: whatever it gets to.
        static_cast<void>(run(disk, Workload(1, 0)));
        if (!disk.crashed()) break;
        disk.set(disk.after_power_cut(static_cast<Damage>(random.below(damages)), random));
        ++runs;
        ASSERT_TRUE(holds_prefix(work, ran.acknowledged, ran.tried))
            << "seed " << seed << ", calls " << at << " and " << later;
      }
    }
  }
}

TEST_F(DiskFaults, ARelaxedStoreLosesTheLastBatchesAtMost_R_DUR_2) {
  std::size_t lost = 0;
  for (std::uint64_t seed = 1; seed <= workloads(); ++seed) {
    const Workload work(seed, 10);
    const std::size_t calls = calls_of(disk, empty, work);
    for (std::size_t at = 1; at <= calls; at += 3 * stride()) {
      disk.set(empty);
      disk.fail(at, Fault::crash, true);
      const Ran ran = run(disk, work, true);
      Random random(seed * 100'000 + at);
      for (const Damage damage : {Damage::dropped, Damage::cut, Damage::some, Damage::torn}) {
        const auto now = disk.files();
        const auto found = disk.after_power_cut(damage, random);
        FaultyDisk other;
        other.set(found);
        ++runs;
        const auto store = SqliteStore::open(options_on(other));
        ASSERT_TRUE(store);
        const auto held = contents(**store);
        ASSERT_TRUE(held) << to_string(held.error());
        std::size_t count = 0;
        while (count <= ran.tried && *held != work.state(count)) ++count;
        ASSERT_LE(count, ran.tried) << "seed " << seed << ", call " << at;
        if (count < ran.acknowledged) ++lost;
      }
    }
  }
  EXPECT_GT(lost, 0U) << "or the disk forgets nothing, and the tests of durable stores show nothing";
}

// After any failure but a full disk nothing is written before a reopening: what
// a failed sync left behind nobody knows, and a second one would say it is fine.
TEST_F(DiskFaults, AfterAFailedCallTheStoreStopsAndKeepsWhatItAcknowledged_R_DUR_3) {
  for (std::uint64_t seed = 1; seed <= workloads(); ++seed) {
    const Workload work(seed, 10);
    const std::size_t calls = calls_of(disk, empty, work);
    for (std::size_t at = 1; at <= calls; at += stride()) {
      for (const bool sticky : {false, true}) {
        disk.set(empty);
        disk.fail(at, Fault::io, sticky);
        Ran ran;
        if (const auto store = SqliteStore::open(options_on(disk))) {
          ran = run(**store, work);
          disk.heal();
          if (ran.tried > ran.acknowledged) {
            const std::size_t before = disk.calls();
            EXPECT_FALSE((*store)->commit(work.records()[ran.acknowledged]));
            EXPECT_FALSE((*store)->ready());
            EXPECT_FALSE((*store)->close());
            EXPECT_EQ(disk.calls(), before) << "it touches the disk no more";
          }
        }
        disk.heal();
        ++runs;
        ASSERT_TRUE(holds_prefix(work, ran.acknowledged, ran.tried))
            << "seed " << seed << ", call " << at << (sticky ? ", and all later" : "");
      }
    }
  }
}

TEST_F(DiskFaults, AFullDiskTakesNothingAndLaterEverything_R_DUR_4) {
  std::size_t refused = 0;
  for (std::uint64_t seed = 1; seed <= workloads(); ++seed) {
    const Workload work(seed, 10);
    const std::size_t calls = calls_of(disk, empty, work);
    for (std::size_t at = 1; at <= calls; at += 2 * stride()) {
      for (const Fault fault : {Fault::full, Fault::short_write}) {
        for (const bool sticky : {false, true}) {
          disk.set(empty);
          auto store = SqliteStore::open(options_on(disk));
          ASSERT_TRUE(store);
          disk.fail(disk.calls() + at, fault, sticky);
          Ran ran = run(**store, work);
          if (ran.acknowledged < ran.tried) {
            ++refused;
            const auto again = (*store)->commit(work.records()[ran.acknowledged]);
            ASSERT_EQ(code_of(again), sticky ? "disk_full" : "no error");
            if (again) ++ran.acknowledged;
          }
          disk.heal();
          ASSERT_TRUE((*store)->ready());
          for (std::size_t i = ran.acknowledged; i < work.records().size(); ++i)
            ASSERT_TRUE((*store)->commit(work.records()[i])) << "seed " << seed << ", call " << at;
          ASSERT_TRUE((*store)->close());
          store->reset();
          ++runs;
          ASSERT_TRUE(holds_prefix(work, work.records().size(), work.records().size()))
              << "seed " << seed << ", call " << at;
        }
      }
    }
  }
  EXPECT_GT(refused, 0U);
}

// What a damaged store may answer: what was written, or an error.
::testing::AssertionResult tells_no_lies(RecordStore& store, MapStore& twin, std::size_t& right) {
  const auto head = store.load();
  if (!head) return ::testing::AssertionSuccess();
  const Head truth = *twin.load();
  if (head->keyspaces.size() != truth.keyspaces.size())
    return ::testing::AssertionFailure() << "a keyspace is gone";
  for (const KeyspaceHead& keyspace : truth.keyspaces) {
    std::vector<std::pair<std::string, std::string>> leaves;
    static_cast<void>(twin.scan(keyspace.name, {}, [&](std::string_view leaf, std::string_view value) {
      leaves.emplace_back(leaf, value);
      return true;
    }));
    for (const auto& [leaf, value] : leaves) {
      const auto found = store.find(keyspace.name, leaf);
      if (found && !*found) return ::testing::AssertionFailure() << "a leaf is taken for absent";
      if (found && **found != value) return ::testing::AssertionFailure() << "a leaf has another value";
      if (found) ++right;
      const auto beside = store.find(keyspace.name, leaf + "x");
      if (beside && *beside) return ::testing::AssertionFailure() << "a leaf that never was";
    }
    std::size_t seen = 0;
    const auto scanned = store.scan(keyspace.name, {}, [&](std::string_view leaf, std::string_view value) {
      return seen < leaves.size() && leaves[seen].first == leaf && leaves[seen++].second == value;
    });
    if (scanned && seen != leaves.size()) return ::testing::AssertionFailure() << "a scan missed leaves";
  }
  return ::testing::AssertionSuccess();
}

TEST_F(DiskFaults, RotInAnyPageIsAnErrorAndNeverAnotherAnswer_R_DUR_6) {
  constexpr std::size_t page = 4'096;
  std::size_t right = 0;
  for (std::uint64_t seed = 1; seed <= workloads(); ++seed) {
    const Workload work(seed, 30);
    MapStore twin;
    for (const Record& record : work.records()) must(twin.commit(record));
    disk.set(empty);
    {
      auto store = SqliteStore::open(options_on(disk));
      ASSERT_TRUE(store);
      ASSERT_EQ(run(**store, work).acknowledged, work.records().size());
      ASSERT_TRUE((*store)->close());
    }
    const auto whole = disk.files();
    Random random(seed);
    for (std::size_t at = 0; at < whole.at(path).size(); at += page) {
      for (std::size_t flip = 0; flip < std::max<std::size_t>(24 / stride(), 1); ++flip) {
        auto rotten = whole;
        std::string& bytes = rotten[path];
        const std::size_t place = random.below(page);
        if (flip == 0) {
          std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), page, '\0');
        } else {
          // Half of them in a page's head, which is small and says what is where. One bit, which is
          // put right, or several bytes, which aren't.
          const std::size_t from = at + std::min(flip % 2 == 0 ? place : place % 100, page - 8);
          bytes[from] ^= static_cast<char>(1U << random.below(8));
          for (std::size_t i = 1; flip % 4 < 2 && i < 8; ++i)
            bytes[from + i] = static_cast<char>(random.next());
        }
        disk.set(rotten);
        ++runs;
        const auto store = SqliteStore::open(options_on(disk));
        if (!store) continue;
        ASSERT_TRUE(tells_no_lies(**store, twin, right))
            << "seed " << seed << ", page " << at / page << ", flip " << flip << " at " << place;
      }
    }
  }
  EXPECT_GT(right, 10 * runs) << "records that are whole are still read";
}

}  // namespace
}  // namespace syncline
