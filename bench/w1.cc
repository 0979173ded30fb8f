// W1: increments of one counter.
#include "bench/links.h"
#include "bench/record.h"
#include "bench/workloads.h"

namespace syncline::bench {
namespace {

constexpr std::size_t batch = 1'000;
constexpr std::size_t delta_count = 1'000;
constexpr const char* key = "counter";

void count(Keyspace& keyspace, std::size_t times) {
  const auto written = keyspace.update([times](Update& tx) {
    CounterWriter counter = tx.counter(key);
    for (std::size_t i = 0; i < times; ++i) counter.add(1);
  });
  require(written.has_value(), "an increment is written");
}

}  // namespace

void run_w1_floor(std::size_t n) {
  volatile std::uint64_t counter = 0;
  const Stopwatch watch;
  for (std::size_t i = 0; i < n; ++i) counter = counter + 1;
  Record("floor", "w1", "volatile uint64", n, "inc").took(watch.elapsed()).ops(n).print();
}

void run_w1(std::size_t n) {
  ManualClock clock;
  Replica replica = open_replica(clock);
  Keyspace keyspace = replica.keyspace("w1");
  const Stopwatch counting;
  for (std::size_t i = 0; i < n; i += batch) count(keyspace, std::min(batch, n - i));
  Record("syncline", "w1", "PnCounter", n, "inc")
      .took(counting.elapsed())
      .ops(n)
      .number("batch", batch)
      .rss()
      .print();
  require(keyspace.counter(key).total() == static_cast<std::int64_t>(n), "all increments were counted");

  // Each in its own change, as it leaves for a peer that has all before it.
  Replica peer = open_replica(clock);
  Keyspace copy = peer.keyspace("w1");
  LinkPair links(replica, peer, clock);
  links.exchange();
  require(copy.counter(key).total() == static_cast<std::int64_t>(n), "the peer has the counter");
  Traffic traffic;
  const Stopwatch delta;
  for (std::size_t i = 0; i < delta_count; ++i) {
    count(keyspace, 1);
    while (pass_frame(links.a(), links.b(), traffic)) {
    }
    clock.advance(std::chrono::milliseconds(1));
  }
  Record("syncline", "w1", "PnCounter", n, "delta")
      .took(delta.elapsed())
      .ops(delta_count)
      .bytes(static_cast<double>(traffic.bytes - traffic.frames * frame_overhead_bytes))
      .number("frame_bytes_op", static_cast<double>(traffic.bytes) / delta_count)
      .print();
  require(copy.counter(key).total() == static_cast<std::int64_t>(n + delta_count), "the deltas arrived");
}

}  // namespace syncline::bench
