// W2: a map of n entries, written and read at full speed; and the memory it takes.
#include <algorithm>
#include <memory>
#include <numeric>

#include "bench/w2_maps.h"
#include "bench/workloads.h"

namespace syncline::bench {
namespace {

struct Names {
  const char* peer;
  const char* variant;
};
Names names_of(W2Peer peer) {
  switch (peer) {
    case W2Peer::btree:
      return {"floor", "absl::btree_map"};
    case W2Peer::hash:
      return {"floor", "absl::flat_hash_map"};
    case W2Peer::syncline:
      break;
  }
  return {"syncline", "LwwMap"};
}

// The indices from `first` on, ten apart.
std::vector<std::size_t> tenth(std::size_t n, std::size_t first) {
  std::vector<std::size_t> indices;
  for (std::size_t i = first; i < n; i += 10) indices.push_back(i);
  return indices;
}

// All indices, so that neighbours in the order of insertion lie far apart.
std::vector<std::size_t> scattered(std::size_t n) {
  std::vector<std::size_t> indices(n);
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  Mulberry32 random(3);
  for (std::size_t i = n; i > 1; --i) std::swap(indices[i - 1], indices[random.next() % i]);
  return indices;
}

template <class Map>
void run(const Names& names, Map& map, std::size_t n) {
  const W2Data data(n);
  const auto values = Map::values(data.raw);
  const auto report = [&](const char* phase, const Stopwatch& watch, std::size_t ops) {
    const Elapsed time = watch.elapsed();
    Record(names.peer, "w2", names.variant, n, phase)
        .took(time)
        .ops(ops)
        .number("batch", batch)
        .rss()
        .print();
  };
  // fn(target, index) for each index, `batch` of them a transaction, then a scan from the last key.
  const auto write = [&](const char* phase, const std::vector<std::size_t>& indices, auto&& fn) {
    const Stopwatch watch;
    for (std::size_t at = 0; at < indices.size(); at += batch) {
      const std::size_t end = std::min(at + batch, indices.size());
      map.transact([&](auto& target) {
        for (std::size_t i = at; i < end; ++i) fn(target, indices[i]);
      });
      map.scan(data.keys[indices[end - 1]], scan_length);
    }
    report(phase, watch, indices.size());
  };
  std::vector<std::size_t> all(n);
  std::iota(all.begin(), all.end(), std::size_t{0});
  const auto order = scattered(n);

  write("insert", all, [&](auto& target, std::size_t i) { target.set(data.keys[i], values[i]); });
  write("overwrite", tenth(n, 0),
        [&](auto& target, std::size_t i) { target.set(data.keys[i], values[n - 1 - i]); });
  write("delete", tenth(n, 5), [&](auto& target, std::size_t i) { target.erase(data.keys[i]); });
  const std::size_t live = n - tenth(n, 5).size();

  const Stopwatch looking;
  std::size_t bytes = 0;
  for (std::size_t at = 0; at < n; at += batch) {
    const std::size_t end = std::min(at + batch, n);
    for (std::size_t i = at; i < end; ++i) bytes += map.look_up(data.keys[order[i]]);
    map.scan(data.keys[order[end - 1]], scan_length);
  }
  report("look_up", looking, n);
  require(bytes == live * value_bytes, "what was written is found, and nothing else");

  const Stopwatch iterating;
  require(map.read_all() == live, "all entries are read");
  report("iterate", iterating, live);
  require(map.touched() != 0, "entries were read");
}

Result<Replica> open_with_log(std::size_t bytes) {
  ReplicaOptions options;
  options.engine.log_bytes_max = bytes;
  return Replica::open(std::move(options));
}

// Bytes per entry that `make` leaves allocated.
template <class Make>
double measure_memory(Make&& make, std::size_t n) {
  const double before = allocated_bytes();
  const auto kept = make();
  return (allocated_bytes() - before) / static_cast<double>(n);
}

template <class Map>
void fill(Map& map, const W2Data& data, const std::vector<typename Map::Entry>& values) {
  for (std::size_t at = 0; at < data.keys.size(); at += batch) {
    map.transact([&](auto& target) {
      for (std::size_t i = at; i < std::min(at + batch, data.keys.size()); ++i)
        target.set(data.keys[i], values[i]);
    });
  }
}

}  // namespace

void run_w2(W2Peer peer, std::size_t n) {
  const Names names = names_of(peer);
  if (peer == W2Peer::btree) {
    BtreeMap map;
    return run(names, map, n);
  }
  if (peer == W2Peer::hash) {
    HashMap map(n);
    return run(names, map, n);
  }
  auto replica = Replica::open();
  require(replica.has_value(), "a replica in memory opens");
  KeyspaceMap map(replica->keyspace("w2"));
  run(names, map, n);
}

void run_w2_memory(W2Peer peer, std::size_t n) {
  const Names names = names_of(peer);
  const W2Data data(n);
  const auto report = [&](const char* phase, double bytes) {
    Record(names.peer, "w2", names.variant, n, phase).ops(n).bytes(bytes * static_cast<double>(n)).print();
  };
  if (peer == W2Peer::btree) {
    report("memory", measure_memory(
                         [&] {
                           auto map = std::make_unique<BtreeMap>();
                           fill(*map, data, data.raw);
                           return map;
                         },
                         n));
    return;
  }
  if (peer == W2Peer::hash) {
    report("memory", measure_memory(
                         [&] {
                           auto map = std::make_unique<HashMap>(n);
                           fill(*map, data, data.raw);
                           return map;
                         },
                         n));
    return;
  }
  const auto values = KeyspaceMap::values(data.raw);
  const auto filled = [&](std::size_t log_bytes) {
    auto replica = open_with_log(log_bytes);
    require(replica.has_value(), "a replica in memory opens");
    KeyspaceMap map(replica->keyspace("w2"));
    fill(map, data, values);
    return replica;
  };
  const double cut = measure_memory([&] { return filled(0); }, n);
  const double kept = measure_memory([&] { return filled(~std::size_t{0}); }, n);
  report("memory", cut);
  report("memory_log", kept - cut);
}

}  // namespace syncline::bench
