// Calls from many threads at once. Most telling under the thread sanitizer.
#include <atomic>
#include <thread>

#include "tests/store/harness.h"

namespace syncline {
namespace {

TEST(Threads, MayUpdateReadWatchAndSyncAtOnce) {
  constexpr int threads = 4;
  constexpr int rounds = 200;
  auto opened = Replica::open();
  auto other = Replica::open();
  ASSERT_TRUE(opened && other);
  Keyspace shop = opened->keyspace("shop");
  Keyspace theirs = other->keyspace("shop");

  // Told one at a time and in order: each before is the last after.
  std::optional<Value> last;
  int told = 0;
  const auto sub = shop.watch("all", [&](const EventBatch& batch) {
    EXPECT_EQ(batch.events.size(), 1U);
    EXPECT_EQ(batch.events[0].before, last);
    last = batch.events[0].after;
    ++told;
  });

  // A transport thread carries frames when woken.
  std::atomic<int> woken = 1;
  const auto wake = [&woken] {
    ++woken;
    woken.notify_one();
  };
  auto near = opened->connect({}, wake);
  auto far = other->connect({}, wake);
  std::atomic<bool> stop = false;
  std::thread transport([&] {
    for (int seen = 0; !stop; woken.wait(seen)) {
      seen = woken;
      for (bool busy = true; busy;) {
        busy = false;
        while (const auto frame = near->send()) busy = true, must(far->receive(*frame));
        while (const auto frame = far->send()) busy = true, must(near->receive(*frame));
      }
    }
  });

  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] {
      const std::string mine = "mine/" + std::to_string(t);
      for (int i = 1; i <= rounds; ++i) {
        const Version written = must(shop.update([&](auto& tx) {
          tx.counter("all").add(1);
          tx.map(mine).set("i", i);
        }));
        must(shop.wait_for(written, 0ms));
        EXPECT_EQ(must(shop.map(mine).get("i")), Value(i));
        EXPECT_GE(must(shop.counter("all").total()), i);
        if (i % 50 == 0) {
          const auto own = shop.watch(mine, [](const EventBatch&) {});
          must(shop.to_json("mine/"));
          must(theirs.wait_for(written, 1min));
          EXPECT_EQ(must(theirs.map(mine).get("i")), Value(i));
          static_cast<void>(shop.pending());
        }
      }
    });
  }
  for (auto& worker : workers) worker.join();
  stop = true;
  wake();
  transport.join();
  EXPECT_EQ(must(shop.counter("all").total()), threads * rounds);
  EXPECT_EQ(told, threads * rounds);
  EXPECT_EQ(last, Value(threads * rounds));
}

TEST(Threads, ClosingWhileOthersCallIsSafe) {
  for (int round = 0; round < 20; ++round) {
    auto opened = Replica::open();
    ASSERT_TRUE(opened);
    Keyspace shop = opened->keyspace("shop");
    auto link = opened->connect({}, [] {});
    std::atomic<int> written = 0;
    bool closed = false;  // Not atomic on purpose: no watcher runs once the replica is gone.
    auto sub = shop.watch("", [&](const EventBatch&) { EXPECT_FALSE(closed); });
    std::vector<std::thread> workers;
    for (int t = 0; t < 2; ++t) {
      workers.emplace_back([&] {
        while (shop.update([](auto& tx) { tx.counter("c").add(1); })) ++written;
      });
    }
    workers.emplace_back([&] {
      while (!link->error()) static_cast<void>(link->send());
    });
    while (written < 10) std::this_thread::yield();
    { const Replica closes(std::move(*opened)); }
    closed = true;
    for (auto& worker : workers) worker.join();
    EXPECT_EQ(code_of(shop.counter("c").total()), "closed");
  }
}

}  // namespace
}  // namespace syncline
