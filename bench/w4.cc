// W4: eight replicas add and remove elements of one set, meet in random pairs, and converge at last.
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/data.h"
#include "bench/links.h"
#include "bench/workloads.h"

namespace syncline::bench {
namespace {

constexpr std::size_t replica_count = 8;
constexpr std::size_t step = 100;  // Operations of a replica between syncs.
constexpr const char* key = "s";
constexpr const char* keyspace_name = "w4";

class Group {
 public:
  Group() {
    for (std::size_t i = 0; i < replica_count; ++i) {
      replicas_.push_back(open_replica(clock_));
      keyspaces_.push_back(replicas_.back().keyspace(keyspace_name));
    }
    for (std::size_t i = 0; i < replica_count; ++i) {
      for (std::size_t j = i + 1; j < replica_count; ++j) {
        auto& links = links_[{i, j}];
        links = std::make_unique<LinkPair>(replicas_[i], replicas_[j], clock_);
        links->exchange();
      }
    }
  }

  template <class Fn>
  void transact(std::size_t replica, Fn&& fn) {
    const auto written = keyspaces_[replica].update([&fn](Update& tx) {
      SetWriter set = tx.set(key);
      fn(set);
    });
    require(written.has_value(), "a transaction is written");
    clock_.advance(std::chrono::milliseconds(1));
  }

  // A pair meets over its connection, which was made before anything was written.
  void sync(std::size_t i, std::size_t j) {
    links_[std::minmax(i, j)]->sync();
    require(keyspaces_[i].digests() == keyspaces_[j].digests(), "who met is equal");
    ++syncs_;
  }

  // Elements of the one set that all have.
  std::size_t converged_size() {
    for (Keyspace& keyspace : keyspaces_)
      require(keyspace.digests() == keyspaces_.front().digests(), "all replicas are equal");
    return *keyspaces_.front().set(key).size();
  }
  std::size_t syncs() const { return syncs_; }
  std::uint64_t bytes() const {
    std::uint64_t bytes = 0;
    for (const auto& [pair, links] : links_) bytes += links->bytes();
    return bytes;
  }
  // Of state, where pushes alone didn't bring everything.
  std::uint64_t passes() const {
    std::uint64_t passes = 0;
    for (const auto& [pair, links] : links_) passes += links->passes();
    return passes;
  }

 private:
  ManualClock clock_;
  std::vector<Replica> replicas_;
  std::vector<Keyspace> keyspaces_;
  std::map<std::pair<std::size_t, std::size_t>, std::unique_ptr<LinkPair>> links_;
  std::size_t syncs_ = 0;
};

}  // namespace

void run_w4(std::size_t ops) {
  std::vector<Value> elements;
  for (std::string& text : strings(ops, key_chars, 5)) elements.emplace_back(std::move(text));
  Mulberry32 random(4);
  Group group;
  Elapsed writing_time;
  const Stopwatch total;
  for (std::size_t done = 0; done < ops; done += step) {
    const Stopwatch writing;
    for (std::size_t replica = 0; replica < replica_count; ++replica) {
      group.transact(replica, [&](SetWriter& set) {
        for (std::size_t i = 0; i < step; ++i) {
          const Value& element = elements[random.next() % ops];
          const bool coin = (random.next() & 1U) != 0;
          if (set.contains(element) && coin) {
            set.erase(element);
          } else {
            set.insert(element);
          }
        }
      });
    }
    writing_time += writing.elapsed();
    for (std::size_t i = 0; i < replica_count; ++i) {
      const std::size_t a = random.next() % replica_count;
      const std::size_t b = (a + 1 + random.next() % (replica_count - 1)) % replica_count;
      group.sync(a, b);
    }
  }
  // The first round gathers everything at one replica, the second tells the others.
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 1; i < replica_count; ++i) group.sync(0, i);
  }
  const Elapsed time = total.elapsed();
  Record("syncline", "w4", "OrSet", ops, "total")
      .took(time)
      .ops(replica_count * ops)
      .bytes(static_cast<double>(group.bytes()))
      .number("ms_ops", writing_time.wall_ms)
      .number("ms_sync", (time - writing_time).wall_ms)
      .number("merges", static_cast<double>(group.syncs()))
      .number("passes", static_cast<double>(group.passes()))
      .number("size", static_cast<double>(group.converged_size()))
      .rss()
      .print();
}

}  // namespace syncline::bench
