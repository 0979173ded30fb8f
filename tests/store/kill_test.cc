// A process that writes and is killed, again and again: what it acknowledged is
// there when the store is opened the next time, no dot names two things, and
// peers agree.
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "tests/store/harness.h"
#include "tests/support/folder.h"
#include "tests/support/random.h"
#include "tests/support/scale.h"

namespace syncline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// What the child tells over its pipe once an update is acknowledged.
struct Acknowledged {
  std::int64_t value = 0;
  ActorId actor;
  std::uint64_t counter = 0;
};

// A process of its own that runs `work(pipe)` and ends with its answer.
class Child {
 public:
  explicit Child(const std::function<int(int pipe)>& work) {
    int ends[2] = {-1, -1};
    if (::pipe(ends) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      ::_exit(work(ends[1]));
    }
    ::close(ends[1]);
    pipe_ = ends[0];
  }
  ~Child() {
    if (running_) end(SIGKILL);
    ::close(pipe_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  // The next whole thing off the pipe; false when it was closed.
  bool read(Acknowledged& told) const {
    std::size_t got = 0;
    while (got < sizeof told) {
      const auto size = ::read(pipe_, reinterpret_cast<char*>(&told) + got, sizeof told - got);
      if (size <= 0) return false;
      got += static_cast<std::size_t>(size);
    }
    return true;
  }
  void signal(int number) const { ::kill(pid_, number); }
  void end(int number) {
    signal(number);
    wait();
  }
  // Its answer, -1 if it was killed.
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    running_ = false;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
  int pipe_ = -1;
  bool running_ = true;
};

// Writes a value and tells of it; what the process is to answer, 0 if all went well.
int write_and_tell(Keyspace& shop, std::int64_t value, int pipe) {
  const auto written = shop.update([&](auto& tx) {
    tx.set("s").insert(value);
    tx.counter("c").add(1);
  });
  if (!written) return 1;
  const Acknowledged told{value, *shop.actor(), shop.version().counter(*shop.actor())};
  return ::write(pipe, &told, sizeof told) == sizeof told ? 0 : 1;
}

class KillTest : public ::testing::Test {
 protected:
  Replica open(std::uint64_t seed) { return open_replica(clock, seed, {.path = path}); }

  // Writes values from `first` on, `count` of them or for ever, and tells of each.
  int write(int pipe, std::uint64_t seed, std::int64_t first, std::int64_t count) {
    Replica replica = open(seed);
    Keyspace shop = replica.keyspace("shop");
    for (std::int64_t value = first; value != first + count; ++value)
      if (const int answer = write_and_tell(shop, value, pipe); answer != 0) return answer;
    return 0;
  }

  // Opens the store, holds it against what was told, and lets it meet the peer.
  void check(std::uint64_t seed) {
    Replica replica = open(seed);
    Keyspace shop = replica.keyspace("shop");
    if (!put_back) {
      for (const std::int64_t value : acknowledged)
        ASSERT_TRUE(must(shop.set("s").contains(value))) << value << " was acknowledged";
    }
    Wire wire(clock, replica, peer);
    ASSERT_TRUE(wire.sync());
    ASSERT_EQ(shop.digests(), theirs.digests());
    for (const std::int64_t value : acknowledged)
      ASSERT_TRUE(must(theirs.set("s").contains(value))) << value << " was acknowledged";
    ASSERT_EQ(must(theirs.counter("c").total()), static_cast<std::int64_t>(must(theirs.set("s").size())));
    for (Replica* const each : {&replica, &peer})
      for (const Notice& notice : each->notices()) ADD_FAILURE() << notice.detail;
  }

  void learn(const Acknowledged& told) {
    const auto [it, fresh] = dots.emplace(std::pair(told.actor, told.counter), told.value);
    ASSERT_TRUE(fresh || it->second == told.value) << "a dot was used twice";
    acknowledged.insert(told.value);
  }

  void copy_store(const std::string& from, const std::string& to) {
    for (const char* end : {"", "-wal", "-id"}) {
      std::filesystem::remove(to + end);
      if (std::filesystem::exists(from + end)) std::filesystem::copy_file(from + end, to + end);
    }
  }

  // Begins with an empty store and an empty peer. What was kept of the last ones goes, too: put back, it
  // would add its rounds to a counter whose set has the same values once (seed 3, cycle 24).
  void start_over() {
    for (const char* end : {"", "-wal", "-id"})
      for (const std::string& store : {path, folder / "kept.db"}) std::filesystem::remove(store + end);
    peer = open_replica(clock, 1'000'000);
    theirs = peer.keyspace("shop");
    acknowledged.clear();
    dots.clear();
  }

  // Until so many processes were killed; about a third as many close instead.
  void run_cycles(std::uint64_t seed, std::uint64_t kills);

  // A kill takes nothing from the system's memory, so that will do for a disk.
  Folder folder{std::filesystem::exists("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path()};
  std::string path = folder / "shop.db";
  TestClock clock;
  Replica peer = open_replica(clock, 1'000'000);
  Keyspace theirs = peer.keyspace("shop");
  std::set<std::int64_t> acknowledged;
  std::map<std::pair<ActorId, std::uint64_t>, std::int64_t> dots;
  bool put_back = false;
};

void KillTest::run_cycles(std::uint64_t seed, std::uint64_t kills) {
  Random random(seed);
  std::int64_t next = 1;
  std::uint64_t killed = 0;
  for (std::uint64_t cycle = 1; killed < kills; ++cycle) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", cycle " + std::to_string(cycle));
    const bool cleanly = random.chance(1, 4);
    const auto updates = static_cast<std::int64_t>(random.below(12));
    // Sometimes the store of some cycles ago is put back, with all its files.
    put_back = cycle > 20 && random.chance(1, 20);
    if (put_back) copy_store(folder / "kept.db", path);
    if (random.chance(1, 10)) copy_store(path, folder / "kept.db");
    Child child([&](int pipe) { return write(pipe, seed * 1'000 + cycle, next, cleanly ? updates : -1); });
    Acknowledged told;
    for (std::int64_t i = 0; i < updates && child.read(told); ++i) learn(told);
    if (cleanly) {
      ASSERT_EQ(child.wait(), 0);
    } else {
      child.end(SIGKILL);
      ++killed;
    }
    while (child.read(told)) learn(told);
    next += 1'000'000;
    check(500'000'000 + seed * 1'000 + cycle);
    if (HasFailure()) return;
  }
}

TEST_F(KillTest, WhatWasAcknowledgedIsThereAndNoDotIsUsedTwice_R_DUR_1_R_ID_1) {
  const std::uint64_t rounds = test_scale() == Scale::soak ? 60 : test_scale() == Scale::deep ? 10 : 1;
  for (std::uint64_t round = 1; round <= rounds && !HasFailure(); ++round) {
    start_over();
    run_cycles(round, test_scale() == Scale::small ? 20 : 500);
  }
}

TEST_F(KillTest, TwoProcessesThatWantOneStoreTakeTurns_R_DUR_7) {
  // Opens, writes one and closes, until so many are written; who comes second tries again.
  const auto work = [&](int pipe, std::uint64_t number) {
    for (std::uint64_t turn = 1; turn <= 40;) {
      auto opened =
          Replica::open({.path = path, .engine = {.entropy = {number, turn, 3, 4}}, .clock = clock.reader()});
      if (!opened && opened.error().code != Errc::storage) return 2;
      if (!opened) continue;
      Keyspace shop = opened->keyspace("shop");
      const auto value = static_cast<std::int64_t>(number * 1'000 + turn++);
      if (const int answer = write_and_tell(shop, value, pipe); answer != 0) return answer;
    }
    return 0;
  };
  Child one([&](int pipe) { return work(pipe, 1); });
  Child other([&](int pipe) { return work(pipe, 2); });
  Child third([&](int pipe) { return work(pipe, 3); });
  Acknowledged told;
  for (int i = 0; i < 5 && third.read(told); ++i) learn(told);
  third.end(SIGKILL);  // Perhaps while it has the store.
  for (const Child* child : {&one, &other, &third})
    while (child->read(told)) learn(told);
  EXPECT_EQ(one.wait(), 0);
  EXPECT_EQ(other.wait(), 0);
  EXPECT_GE(acknowledged.size(), 85U);
  check(4);
}

TEST_F(KillTest, AStoppedProcessKeepsItsStoreAndGoesOn_R_DUR_7) {
  Child child([&](int pipe) { return write(pipe, 1, 1, -1); });
  Acknowledged told;
  ASSERT_TRUE(child.read(told));
  child.signal(SIGSTOP);
  const auto second = Replica::open({.path = path});
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().detail, HasSubstr("open by process " + std::to_string(child.pid()) + " on "));
  child.signal(SIGCONT);
  for (int i = 0; i < 200; ++i) {
    learn(told);
    ASSERT_TRUE(child.read(told));
  }
  child.end(SIGKILL);
  check(2);
}

// On a disk of two mebibytes, filled to the brim and relieved: 0 if all went as
// it should, 77 where nothing can be mounted, else the step that didn't.
int fill_a_small_disk(const std::string& place) {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("small", place.c_str(), "tmpfs", 0, "size=2m") != 0)
    return 77;
  TestClock clock;
  const std::string ballast = place + "/ballast";
  std::ofstream(ballast) << std::string(512 * 1024, 'x');
  std::int64_t written = 0;
  {
    Replica replica = open_replica(clock, 1, {.path = place + "/shop.db"});
    Keyspace shop = replica.keyspace("shop");
    const auto insert = [&](auto& tx) {
      tx.map("m").set(std::to_string(written), std::string(10'000, 'v'));
      tx.set("s").insert(written);
    };
    while (shop.update(insert)) ++written;
    if (written < 10) return 1;
    if (code_of(shop.update(insert)) != "disk_full") return 2;
    if (must(shop.set("s").size()) != static_cast<std::size_t>(written)) return 3;
    std::filesystem::remove(ballast);
    clock.advance(2s);
    for (int i = 0; i < 5; ++i, ++written)
      if (!shop.update(insert)) return 4;
  }
  Replica replica = open_replica(clock, 2, {.path = place + "/shop.db"});
  Keyspace shop = replica.keyspace("shop");
  if (must(shop.set("s").size()) != static_cast<std::size_t>(written)) return 5;
  return must(shop.map("m").size()) == static_cast<std::size_t>(written) ? 0 : 6;
}

TEST_F(KillTest, ASmallDiskThatFillsUpRefusesAndResumes_R_DUR_4) {
  const std::string place = folder / "small";
  std::filesystem::create_directory(place);
  Child child([&](int) { return fill_a_small_disk(place); });
  const int answer = child.wait();
  if (answer == 77) GTEST_SKIP() << "this process may not mount a file system";
  EXPECT_EQ(answer, 0);
}

}  // namespace
}  // namespace syncline
