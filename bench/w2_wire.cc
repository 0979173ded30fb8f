// W2 on the wire: the whole state into a fresh replica, and what single writes and batches take.
#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "bench/links.h"
#include "bench/w2_maps.h"
#include "bench/workloads.h"

namespace syncline::bench {
namespace {

constexpr const char* peer = "syncline";
constexpr const char* variant = "LwwMap";
constexpr const char* keyspace_name = "w2";
constexpr std::size_t single_count = 1'000;
constexpr std::size_t writer_count = 8;

const char* phase_of(History history) {
  switch (history) {
    case History::transactions:
      return "state";
    case History::singles:
      return "state_singles";
    case History::half_overwritten:
      break;
  }
  return "state_overwritten";
}

// Writes values[i] under keys[i] for the indices first, first + step, ...; time passes between transactions.
void write(KeyspaceMap& map, ManualClock& clock, const W2Data& data, const std::vector<Value>& values,
           std::size_t first, std::size_t step, std::size_t per_transaction) {
  for (std::size_t at = first; at < data.keys.size();) {
    map.transact([&](auto& target) {
      for (std::size_t i = 0; i < per_transaction && at < data.keys.size(); ++i, at += step)
        target.set(data.keys[at], values[at]);
    });
    clock.advance(std::chrono::milliseconds(1));
  }
}

// Two replicas that know each other; what the first writes goes to the second at once.
class Stream {
 public:
  Stream(Replica& from, Replica& to, ManualClock& clock) : links_(from, to, clock) { links_.exchange(); }

  // Bytes of the frames that the latest writes take.
  std::uint64_t drain() {
    Traffic traffic;
    while (pass_frame(links_.a(), links_.b(), traffic)) {
    }
    return traffic.bytes;
  }

 private:
  LinkPair links_;
};

void report_delta(const char* phase, std::size_t n, std::size_t ops, std::uint64_t bytes) {
  Record(peer, "w2", variant, n, phase)
      .ops(ops)
      .bytes(static_cast<double>(bytes))
      .number("over_raw", static_cast<double>(bytes) / static_cast<double>(ops) - entry_bytes)
      .print();
}

struct Writer {
  Writer(ManualClock& clock, Replica& hub)
      : replica(open_replica(clock)), map(replica.keyspace(keyspace_name)), to_hub(replica, hub, clock) {}

  Replica replica;
  KeyspaceMap map;
  Stream to_hub;
};

// Single writes of eight replicas, which meet at a hub in turn and don't see
// each other's meanwhile, as the hub passes them on: one batch.
void measure_writers(const W2Data& data, const std::vector<Value>& values) {
  ManualClock clock;
  Replica hub = open_replica(clock);
  Keyspace hub_keyspace = hub.keyspace(keyspace_name);
  Replica reader = open_replica(clock);
  reader.keyspace(keyspace_name);
  std::vector<std::unique_ptr<Writer>> writers;
  for (std::size_t i = 0; i < writer_count; ++i) writers.push_back(std::make_unique<Writer>(clock, hub));
  Stream stream(hub, reader, clock);
  for (std::size_t i = 0; i < 2 * batch; ++i) {
    Writer& writer = *writers[i % writer_count];
    writer.map.transact([&](auto& target) { target.set(data.keys[i], values[i]); });
    writer.to_hub.drain();
    clock.advance(std::chrono::milliseconds(1));
    if (i + 1 == batch) stream.drain();  // The first batch introduces the writers.
  }
  report_delta("delta_writers", data.keys.size(), batch, stream.drain());
  require(reader.keyspace(keyspace_name).version() == hub_keyspace.version(), "the reader has all of it");
}

// Overwrites in one transaction, of entries that eight writers made.
void measure_mixed_overwrites(const W2Data& data, const std::vector<Value>& values) {
  ManualClock clock;
  Replica hub = open_replica(clock);
  KeyspaceMap map(hub.keyspace(keyspace_name));
  Replica reader = open_replica(clock);
  reader.keyspace(keyspace_name);
  {
    std::vector<std::unique_ptr<Writer>> writers;
    for (std::size_t i = 0; i < writer_count; ++i) {
      writers.push_back(std::make_unique<Writer>(clock, hub));
      write(writers.back()->map, clock, data, values, i, writer_count, batch);
      writers.back()->to_hub.drain();
    }
  }
  Stream stream(hub, reader, clock);
  const auto overwrite = [&](std::size_t from) {
    const std::size_t apart = data.keys.size() / batch;
    map.transact([&](auto& target) {
      for (std::size_t i = 0; i < batch; ++i) target.set(data.keys[from + i * apart], values[i]);
    });
    return stream.drain();
  };
  overwrite(1);  // The first batch introduces the writers.
  report_delta("delta_batch_overwrite_writers", data.keys.size(), batch, overwrite(2));
}

}  // namespace

void run_w2_state(History history, std::size_t n) {
  ManualClock clock;
  Replica full = open_replica(clock);
  KeyspaceMap map(full.keyspace(keyspace_name));
  {
    const W2Data data(n);
    const auto values = KeyspaceMap::values(data.raw);
    write(map, clock, data, values, 0, 1, history == History::singles ? 1 : batch);
    if (history == History::half_overwritten) write(map, clock, data, values, 0, 2, batch);
  }
  Replica fresh = open_replica(clock);
  KeyspaceMap copy(fresh.keyspace(keyspace_name));
  LinkPair links(full, fresh, clock);
  links.exchange();
  const Stopwatch reading;
  require(copy.read_all() == n, "the fresh replica has all");
  const Elapsed read = reading.elapsed();
  require(full.keyspace(keyspace_name).digests() == fresh.keyspace(keyspace_name).digests(),
          "both are equal");

  const Traffic& traffic = links.to_b();
  const std::string phase = phase_of(history);
  Record(peer, "w2", variant, n, phase + "_encode")
      .took(traffic.sending)
      .ops(n)
      .bytes(static_cast<double>(traffic.bytes))
      .number("over_raw_ratio", static_cast<double>(traffic.bytes) / static_cast<double>(n * entry_bytes))
      .print();
  Record(peer, "w2", variant, n, phase + "_decode").took(traffic.receiving).ops(n).print();
  Record(peer, "w2", variant, n, phase + "_decode_iterate")
      .took(traffic.receiving + read)
      .ops(n)
      .rss()
      .print();
}

void run_w2_deltas(std::size_t n) {
  const W2Data data(n);
  const auto values = KeyspaceMap::values(data.raw);
  ManualClock clock;
  Replica writer = open_replica(clock);
  Replica reader = open_replica(clock);
  KeyspaceMap map(writer.keyspace(keyspace_name));
  KeyspaceMap copy(reader.keyspace(keyspace_name));
  write(map, clock, data, values, 0, 1, batch);
  Stream stream(writer, reader, clock);
  require(copy.read_all() == n, "the reader has all");

  const auto fresh = strings(2 * single_count, key_chars, 77);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < single_count; ++i) {
    map.transact([&](auto& target) { target.set(fresh[i], values[i]); });
    bytes += stream.drain();
    clock.advance(std::chrono::milliseconds(1));
  }
  report_delta("delta_insert", n, single_count, bytes);

  Mulberry32 random(7);
  bytes = 0;
  for (std::size_t i = 0; i < single_count; ++i) {
    map.transact([&](auto& target) { target.set(data.keys[random.next() % n], values[i]); });
    bytes += stream.drain();
    clock.advance(std::chrono::milliseconds(1));
  }
  report_delta("delta_overwrite", n, single_count, bytes);

  map.transact([&](auto& target) {
    for (std::size_t i = 0; i < batch; ++i) target.set(fresh[single_count + i], values[i]);
  });
  report_delta("delta_batch_insert", n, batch, stream.drain());
  map.transact([&](auto& target) {
    for (std::size_t i = 0; i < batch; ++i) target.set(data.keys[i * (n / batch)], values[i]);
  });
  report_delta("delta_batch_overwrite", n, batch, stream.drain());
  require(copy.read_all() == n + 2 * single_count, "the reader has all of it");

  measure_writers(data, values);
  measure_mixed_overwrites(data, values);
}

}  // namespace syncline::bench
