// What tests of store/ share: replicas on a clock of the test's own, a wire
// between two links, and a store of records that fails when told.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/store.h"

namespace syncline {

using namespace std::chrono_literals;

// A clock that moves when told, by one thread; any may read it.
class TestClock {
 public:
  std::function<Time()> reader() const {
    return [passed = passed_] {
      const std::chrono::milliseconds since(passed->load());
      return Time{1h + since, std::chrono::hours(24 * 365 * 50) + since};
    };
  }
  void advance(std::chrono::milliseconds by) { *passed_ += by.count(); }

 private:
  using Count = std::atomic<std::chrono::milliseconds::rep>;
  std::shared_ptr<Count> passed_ = std::make_shared<Count>(0);
};

// A replica in memory whose ids come from `seed`.
inline Replica open_replica(const TestClock& clock, std::uint64_t seed, ReplicaOptions options = {}) {
  options.engine.entropy = {seed, seed + 1, seed + 2, seed + 3};
  options.clock = clock.reader();
  auto replica = Replica::open(std::move(options));
  EXPECT_TRUE(replica) << to_string(replica.error());
  return std::move(*replica);
}

// Two replicas that have a keyspace in common.
class TwoReplicas : public ::testing::Test {
 protected:
  TestClock clock;
  Replica ada = open_replica(clock, 1);
  Replica bob = open_replica(clock, 2);
  Keyspace adas = ada.keyspace("shop");
  Keyspace bobs = bob.keyspace("shop");
};

// Two links and the cable between them.
class Wire {
 public:
  Wire(TestClock& clock, Replica& a, Replica& b, const SessionOptions& options = {})
      : clock_(clock), a_(a.connect(options, nullptr)), b_(b.connect(options, nullptr)) {}

  Replica::Link& a() { return *a_; }
  Replica::Link& b() { return *b_; }

  // Carries what both want to say now. False once a link was beyond use.
  bool drain() {
    for (bool busy = true; busy;) {
      busy = false;
      if (!carry(*a_, *b_, busy) || !carry(*b_, *a_, busy)) return false;
    }
    return true;
  }

  // Lets time pass and frames travel until both are in sync, for at most `limit`.
  bool sync(std::chrono::milliseconds limit = 30s) {
    for (auto passed = 0ms; passed < limit; passed += 10ms) {
      if (!drain()) return false;
      if (a_->in_sync() && b_->in_sync()) return true;
      clock_.advance(10ms);
      a_->run();
      b_->run();
    }
    return false;
  }

 private:
  static bool carry(Replica::Link& from, Replica::Link& to, bool& busy) {
    while (const auto frame = from.send()) {
      busy = true;
      if (!to.receive(*frame)) return false;
    }
    return true;
  }

  TestClock& clock_;
  std::unique_ptr<Replica::Link> a_;
  std::unique_ptr<Replica::Link> b_;
};

// Keeps records in maps. Outlives a replica, as a disk would.
class MapStore : public RecordStore {
 public:
  Result<Head> load() override { return head_; }
  Result<void> commit(const Record& record) override {
    if (failures_ > 0) {
      --failures_;
      return failure(Errc::storage, "no space left");
    }
    for (const KeyspaceRecord& part : record.keyspaces) {
      auto& leaves = leaves_[part.name];
      if (part.dropped) leaves.clear();
      for (const auto& [leaf, value] : part.leaves) {
        if (value.empty()) {
          leaves.erase(leaf);
        } else {
          leaves[leaf] = value;
        }
      }
    }
    apply(record, head_);
    return {};
  }
  Result<std::optional<std::string_view>> find(std::string_view keyspace, std::string_view leaf) override {
    const auto& leaves = leaves_[std::string(keyspace)];
    const auto found = leaves.find(leaf);
    if (found == leaves.end()) return std::nullopt;
    return std::string_view(found->second);
  }
  Result<void> scan(std::string_view keyspace, std::string_view from,
                    absl::FunctionRef<bool(std::string_view leaf, std::string_view value)> visit) override {
    const auto& leaves = leaves_[std::string(keyspace)];
    for (auto it = leaves.lower_bound(from); it != leaves.end() && visit(it->first, it->second); ++it) {
    }
    return {};
  }

  void fail_next(int commits) { failures_ = commits; }

 private:
  std::map<std::string, std::map<std::string, std::string, std::less<>>> leaves_;
  Head head_;
  int failures_ = 0;
};

// The value of a read that must succeed.
template <class T>
T must(Result<T> result) {
  EXPECT_TRUE(result) << to_string(result.error());
  return result ? std::move(*result) : T{};
}
inline void must(Result<void> result) { EXPECT_TRUE(result) << to_string(result.error()); }

// Why a call that must fail failed.
template <class T>
std::string code_of(const Result<T>& result) {
  return result ? "no error" : name(result.error().code);
}

}  // namespace syncline
