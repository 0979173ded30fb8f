// Engines and sessions driven by hand: each frame moves when the test says so.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crdt/leaf_key.h"
#include "sync/engine.h"
#include "sync/session.h"
#include "tests/sim/disk.h"
#include "tests/sync/frame_surgery.h"

namespace syncline {

// Time as all of a test's replicas have it.
struct TestClock {
  Time now{std::chrono::milliseconds(0), std::chrono::milliseconds(1'735'689'600'000)};

  void pass(std::chrono::milliseconds by) {
    now.monotonic += by;
    now.wall += by;
  }
};

// Live dots of all leaves.
using Content = std::map<std::string, Leaf>;

// One replica with one keyspace, "shop". With a disk, records wait until
// persist(); without one, everything is persisted at once.
class Peer {
 public:
  explicit Peer(std::uint64_t seed, EngineOptions options = {}, bool with_disk = false)
      : options_(options), seed_(seed) {
    if (with_disk) disk = std::make_unique<sim::Disk>();
    start();
  }

  // The process ends; what no disk has is lost.
  void restart() {
    engine.reset();
    seed_ += 1'000;
    start();
  }

  // Commits all that the engine offers.
  void persist() {
    if (!disk) return;
    while (auto record = engine->poll_record()) {
      disk->commit(*record);
      engine->handle_persisted(record->sequence);
    }
  }

  // One change that puts `text` at each of the leaves. Its first dot.
  Dot put(const TestClock& clock, const std::vector<std::string>& leaves, std::string_view text = "x") {
    Transaction tx = engine->begin(*shop, clock.now);
    for (const std::string& leaf : leaves) tx.put(tx.open(leaf), 0, text);
    return commit(std::move(tx), leaves.size());
  }
  // One change that removes all that is seen at the leaves.
  Dot remove(const TestClock& clock, const std::vector<std::string>& leaves) {
    Transaction tx = engine->begin(*shop, clock.now);
    for (const std::string& leaf : leaves) EXPECT_TRUE(tx.remove(tx.open(leaf)));
    return commit(std::move(tx), leaves.size());
  }

  Version version() const { return engine->version(*shop); }
  Content content() const {
    Content all;
    const auto read = engine->scan(*shop, {}, [&](std::string_view leaf, std::string_view value) {
      engine->for_each_live(*shop, value, [&](const LiveDotView& dot) {
        all[std::string(leaf)].push_back(LiveDot{dot.dot, Payload{dot.stamp, std::string(dot.bytes)}});
      });
      return true;
    });
    EXPECT_TRUE(read.has_value());
    return all;
  }
  std::vector<Dot> live(const std::string& leaf) const {
    std::vector<Dot> dots;
    const Content all = content();
    if (const auto it = all.find(leaf); it != all.end())
      for (const LiveDot& dot : it->second) dots.push_back(dot.dot);
    return dots;
  }
  // Notices since the last call; changes of leaves are passed over.
  std::vector<Notice::Kind> notices() {
    std::vector<Notice::Kind> kinds;
    while (auto event = engine->poll_event())
      if (const auto* notice = std::get_if<Notice>(&*event)) kinds.push_back(notice->kind);
    return kinds;
  }

  std::unique_ptr<sim::Disk> disk;
  bool disk_works = true;  // While false, links don't persist() for it.
  std::unique_ptr<Engine> engine;
  KeyspaceState* shop = nullptr;
  std::array<std::uint8_t, 16> node{};

 private:
  void start() {
    options_.entropy = {seed_, 2, 3, seed_};
    node[0] = static_cast<std::uint8_t>(seed_);
    node[1] = static_cast<std::uint8_t>(seed_ >> 8);
    engine = disk ? *Engine::restore(options_, *disk, disk->head()) : std::make_unique<Engine>(options_);
    shop = *engine->open_keyspace("shop");
  }
  Dot commit(Transaction tx, std::size_t rows) {
    const ActorId self = tx.self();
    const auto token = engine->commit(std::move(tx));
    EXPECT_TRUE(token.has_value());
    return Dot{self, token ? token->counter(self) + 1 - rows : 0};
  }

  EngineOptions options_;
  std::uint64_t seed_;
};

inline std::string leaf(std::string_view element) { return leaf_key("k", Type::or_set, element); }

// A connection whose frames wait in two queues until they are moved.
class Link {
 public:
  Link(TestClock& clock, Peer& a, Peer& b, SessionOptions options = {}) : clock_(clock), ends_{&a, &b} {
    for (std::size_t i = 0; i < 2; ++i) {
      options.node = ends_[i]->node;
      sessions_[i] = std::make_unique<Session>(*ends_[i]->engine, options, clock.now);
    }
  }

  Session& session(std::size_t end) { return *sessions_[end]; }
  // Frames on their way from an end.
  std::deque<std::string>& frames(std::size_t from) { return queues_[from]; }

  // From now on messages of an end go on as `alter` leaves them; where it
  // returns false, they don't. Before the first frame was collected.
  void operate_on(std::size_t from, std::function<bool(Message&)> alter) {
    surgeons_[from] = std::make_unique<FrameSurgeon>();
    alter_[from] = std::move(alter);
  }

  // Lets an end say all that it has to say, or so many frames.
  void collect(std::size_t from, std::size_t frames_max = 100'000) {
    if (ends_[from]->disk_works) ends_[from]->persist();
    for (std::size_t count = 0; count < frames_max; ++count) {
      auto frame = sessions_[from]->poll_frame(clock_.now);
      if (!frame) return;
      if (surgeons_[from] == nullptr) {
        queues_[from].push_back(std::move(*frame));
      } else {
        for (std::string& altered : surgeons_[from]->operate(*frame, alter_[from]))
          queues_[from].push_back(std::move(altered));
      }
    }
  }
  // Moves the oldest frame from an end to the other. False if there is none.
  bool deliver(std::size_t from) {
    if (queues_[from].empty()) return false;
    const std::string frame = std::move(queues_[from].front());
    queues_[from].pop_front();
    const auto taken = sessions_[1 - from]->handle_frame(clock_.now, frame);
    EXPECT_TRUE(taken.has_value()) << (taken ? "" : to_string(taken.error()));
    if (ends_[1 - from]->disk_works) ends_[1 - from]->persist();
    return true;
  }
  // Everything moves until nobody has anything to say. Returns how many frames moved.
  std::size_t settle(std::size_t frames_max = 100'000) {
    std::size_t moved = 0;
    for (bool any = true; any && moved < frames_max;) {
      any = false;
      for (const std::size_t from : {0U, 1U}) {
        collect(from);
        if (moved < frames_max && deliver(from)) any = true, ++moved;
      }
    }
    return moved;
  }
  // Lets time pass in steps, everything moving meanwhile.
  void run(std::chrono::milliseconds time) {
    constexpr std::chrono::milliseconds step(50);
    settle();
    for (auto passed = step; passed <= time; passed += step) {
      clock_.pass(step);
      for (const auto& session : sessions_) session->handle_timeout(clock_.now);
      settle();
    }
  }

 private:
  TestClock& clock_;
  std::array<Peer*, 2> ends_;
  std::array<std::unique_ptr<Session>, 2> sessions_;
  std::array<std::deque<std::string>, 2> queues_;
  std::array<std::unique_ptr<FrameSurgeon>, 2> surgeons_;
  std::array<std::function<bool(Message&)>, 2> alter_;
};

inline bool contains(const std::vector<Notice::Kind>& kinds, Notice::Kind kind) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

// Both hold the same, and know it.
inline void expect_equal(const Peer& a, const Peer& b) {
  EXPECT_EQ(a.version(), b.version());
  EXPECT_EQ(a.content(), b.content());
  EXPECT_EQ(a.engine->digests(*a.shop), b.engine->digests(*b.shop));
  EXPECT_EQ(a.engine->digests(*a.shop), *a.engine->recompute_digests(*a.shop));
}

}  // namespace syncline
