// W3: two replicas with n entries in common and a thousand private ones each, synced.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "bench/links.h"
#include "bench/w2_maps.h"
#include "bench/workloads.h"

namespace syncline::bench {
namespace {

constexpr std::size_t private_count = 1'000;
constexpr const char* keyspace_name = "w3";

class Pair {
 public:
  explicit Pair(std::size_t n)
      : n_(n),
        a_(open_replica(clock_)),
        b_(open_replica(clock_)),
        values_(KeyspaceMap::values(W2Data(n).raw)) {
    a_.keyspace(keyspace_name);
    b_.keyspace(keyspace_name);
    const W2Data data(n);
    KeyspaceMap map(a_.keyspace(keyspace_name));
    for (std::size_t at = 0; at < n; at += batch) {
      map.transact([&](auto& target) {
        for (std::size_t i = at; i < std::min(at + batch, n); ++i) target.set(data.keys[i], values_[i]);
      });
      clock_.advance(std::chrono::milliseconds(1));
    }
    LinkPair(a_, b_, clock_).exchange();
  }

  void connect() { links_.emplace(a_, b_, clock_); }
  void exchange() { links_->exchange(); }

  // Private entries on both sides, `per_transaction` a transaction; nothing travels yet.
  void write_private(std::size_t per_transaction) {
    for (Replica* replica : {&a_, &b_}) {
      KeyspaceMap map(replica->keyspace(keyspace_name));
      const auto keys = strings(private_count, key_chars, seed_++);
      for (std::size_t at = 0; at < private_count; at += per_transaction) {
        map.transact([&](auto& target) {
          for (std::size_t i = at; i < at + per_transaction; ++i) target.set(keys[i], values_[i]);
        });
        clock_.advance(std::chrono::milliseconds(1));
      }
    }
    written_ += 2 * private_count;
  }

  // Syncs, by push or by pass, and reports.
  void sync(const char* phase, std::size_t per_transaction, const char* how) {
    const std::uint64_t bytes = links_->bytes();
    const std::uint64_t frames = links_->frames();
    const Stopwatch watch;
    links_->sync();
    const Elapsed time = watch.elapsed();
    Record("syncline", "w3", "LwwMap", n_, phase)
        .took(time)
        .ops(phase == std::string("resync") ? 0 : 2 * private_count)
        .bytes(static_cast<double>(links_->bytes() - bytes))
        .number("msgs", static_cast<double>(links_->frames() - frames))
        .number("batch", static_cast<double>(per_transaction))
        .text("tag", how)
        .print();
    check();
  }

  // The first contact of a new connection, greeting included.
  void sync_anew(std::size_t per_transaction) {
    const Stopwatch watch;
    connect();
    links_->exchange();
    const Elapsed time = watch.elapsed();
    Record("syncline", "w3", "LwwMap", n_, "sync_connect")
        .took(time)
        .ops(2 * private_count)
        .bytes(static_cast<double>(links_->bytes()))
        .number("msgs", static_cast<double>(links_->frames()))
        .number("batch", static_cast<double>(per_transaction))
        .text("tag", "a new connection")
        .print();
    check();
  }

 private:
  void check() {
    require(a_.keyspace(keyspace_name).digests() == b_.keyspace(keyspace_name).digests(), "both are equal");
    require(KeyspaceMap(a_.keyspace(keyspace_name)).read_all() == n_ + written_, "nothing is missing");
  }

  std::size_t n_;
  ManualClock clock_;
  Replica a_;
  Replica b_;
  std::vector<Value> values_;
  std::optional<LinkPair> links_;
  std::uint32_t seed_ = 101;
  std::size_t written_ = 0;
};

}  // namespace

void run_w3(std::size_t n) {
  Pair pair(n);
  pair.connect();
  pair.exchange();
  for (const std::size_t per_transaction : {std::size_t{1}, private_count}) {
    const char* phase = "sync";
    for (int round = 0; round < 4; ++round) {
      pair.write_private(per_transaction);
      pair.sync(phase, per_transaction, "kept connection");
      phase = "sync_next";
    }
    pair.sync("resync", per_transaction, "kept connection");
    for (int round = 0; round < 3; ++round) {
      pair.write_private(per_transaction);
      pair.sync_anew(per_transaction);
    }
  }
}

}  // namespace syncline::bench
