// W6: what it costs to be equal, and to name and fill a gap. Bytes, the same on every machine.
#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "bench/data.h"
#include "bench/home.h"
#include "bench/links.h"
#include "bench/record.h"
#include "bench/workloads.h"

namespace syncline::bench {
namespace {

constexpr const char* keyspace_name = "w6";
constexpr std::size_t writers = 100;
constexpr std::size_t run_length = 50;
constexpr std::size_t fresh_changes = 1'000;

// As frames have it, docs/protocol.md.
enum FrameType : std::size_t { status = 4, want = 6, chunk = 7 };

class Cluster {
 public:
  Cluster() : hub_(open_replica(clock_)), reader_(open_replica(clock_)) {
    hub_.keyspace(keyspace_name);
    reader_.keyspace(keyspace_name);
    for (std::size_t i = 0; i < writers; ++i) writers_.push_back(open_replica(clock_));
    write_all(1);
    link_.emplace(hub_, reader_, clock_);
    link_->sync();
  }

  // So many changes by each writer come to the hub over a connection of their own: the reader can't be sent
  // them as they were made.
  void write_all(std::size_t changes) {
    for (Replica& writer : writers_) {
      Keyspace keyspace = writer.keyspace(keyspace_name);
      for (std::size_t i = 0; i < changes; ++i) {
        const std::string key = "key" + std::to_string(next_++);
        require(keyspace.update([&](Update& tx) { tx.counter(key).add(1); }).has_value(), "a change is made");
      }
      LinkPair(writer, hub_, clock_).exchange();
    }
  }

  // What naming these took until leaves were sent, by the connection to the reader or a new one.
  void name_runs(const char* phase, bool anew) {
    write_all(run_length);
    if (anew) link_.emplace(hub_, reader_, clock_);
    const std::uint64_t passes = link_->passes();
    const auto named = [&] { return link_->bytes_of_type(status) + link_->bytes_of_type(want); };
    const std::uint64_t before = named();
    link_->exchange();
    std::uint64_t naming = named() - before;
    if (link_->passes() == passes) {                   // At first contact it is asked for at once.
      clock_.advance(std::chrono::milliseconds(250));  // What pushes may bring isn't asked for earlier.
      link_->b().run();
      const std::uint64_t wants = link_->bytes_of_type(want);
      link_->exchange();
      naming += link_->bytes_of_type(want) - wants;
    }
    require(link_->passes() > passes, "a pass brings them");
    link_->sync();
    Record("syncline", "w6", "PnCounter", writers * run_length, phase)
        .ops(writers * run_length)
        .bytes(static_cast<double>(naming))
        .print();
  }

  // With everything that there is by now, and many more keyspaces.
  void be_idle() {
    constexpr std::size_t keyspaces = 64, ticks = 20;
    for (std::size_t i = 0; i < keyspaces; ++i) {
      const std::string name = "w6-" + std::to_string(i);
      require(hub_.keyspace(name).update([](Update& tx) { tx.counter("c").add(1); }).has_value(),
              "a change is made");
      reader_.keyspace(name);
    }
    link_->sync();
    const std::uint64_t before = link_->to_b().bytes;
    for (std::size_t i = 0; i < ticks; ++i) {
      clock_.advance(std::chrono::seconds(1));
      link_->a().run();
      link_->b().run();
      link_->exchange();
    }
    Record("syncline", "w6", "64 keyspaces", keyspaces, "idle")
        .ops(ticks)
        .bytes(static_cast<double>(link_->to_b().bytes - before))
        .print();
  }

 private:
  ManualClock clock_;
  Replica hub_, reader_;
  std::vector<Replica> writers_;
  std::optional<LinkPair> link_;
  std::size_t next_ = 0;
};

// A thousand changes of one entry each, asked for by who was away.
void run_fresh_pass() {
  Home home(keyspace_name);
  Replica reader = open_replica(home.clock());
  reader.keyspace(keyspace_name);
  home.write(1, [](Update& tx, std::size_t) { tx.map("m").set("first", true); });
  LinkPair(home.replica(), reader, home.clock()).sync();
  const auto keys = strings(fresh_changes, key_chars, 1);
  const auto values = blobs(fresh_changes, value_bytes, 2);
  for (std::size_t i = 0; i < fresh_changes; ++i)
    home.write(1, [&](Update& tx, std::size_t) { tx.map("m").set(keys[i], Blob{values[i]}); });
  LinkPair link(home.replica(), reader, home.clock());
  link.exchange();
  const auto bytes = static_cast<double>(link.bytes_of_type(chunk));
  constexpr double raw = fresh_changes * (key_chars + value_bytes);
  Record("syncline", "w6", "LwwMap", fresh_changes, "fresh_pass")
      .ops(fresh_changes)
      .bytes(bytes)
      .number("over_raw_ratio", bytes / raw)
      .print();
}

// What is left when one element was added and removed again so often.
void run_pairs(std::size_t n) {
  ManualClock clock;
  EngineOptions engine;
  engine.log_bytes_max = 0;
  Replica replica = open_replica(clock, engine);
  Keyspace keyspace = replica.keyspace(keyspace_name);
  const auto pair = [&] {
    const bool done = keyspace.update([](Update& tx) { tx.set("s").insert("e"); }) &&
                      keyspace.update([](Update& tx) { tx.set("s").erase("e"); });
    require(done, "a pair is written");
  };
  for (int i = 0; i < 10; ++i) pair();
  const double before = allocated_bytes();
  for (std::size_t i = 0; i < n; ++i) pair();
  const double left = allocated_bytes() - before;
  Record("syncline", "w6", "OrSet", n, "pairs")
      .number("ops", static_cast<double>(n))
      .number("bytes", left)
      .print();
}

}  // namespace

void run_w6(std::size_t n) {
  Cluster cluster;
  cluster.name_runs("name_runs", false);
  cluster.name_runs("name_runs_connect", true);
  cluster.be_idle();
  run_fresh_pass();
  run_pairs(n);
}

}  // namespace syncline::bench
