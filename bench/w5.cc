// W5: the further types, each beside what can do the same job without replication.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "bench/data.h"
#include "bench/home.h"
#include "bench/record.h"
#include "bench/workloads.h"

namespace syncline::bench {
namespace {

constexpr std::size_t batch = Home::batch;
constexpr std::size_t register_keys = 1'000;
constexpr std::size_t fan_out = 100;  // Children of a map, at each of three depths above the fields.

// Times `run` and prints it as a record.
template <class Run>
void measure(const char* peer, const char* variant, const char* phase, std::size_t n, Run&& run) {
  const Stopwatch watch;
  run();
  Record(peer, "w5", variant, n, phase).took(watch.elapsed()).ops(n).number("batch", batch).print();
}

// Paths four deep: "u17", "43", "8" and a field. Sorted by nothing: as the numbers come.
struct Path {
  std::string key, first, second, field;
};
std::vector<Path> paths(std::size_t n) {
  const std::vector<std::string> fields = strings(n, key_chars, 1);
  std::vector<Path> all;
  all.reserve(n);
  Mulberry32 random(5);
  for (std::size_t i = 0; i < n; ++i) {
    all.push_back({"u" + std::to_string(random.next() % fan_out), std::to_string(random.next() % fan_out),
                   std::to_string(random.next() % fan_out), fields[i]});
  }
  return all;
}

void run_nested(std::size_t n) {
  const std::vector<Path> all = paths(n);
  const std::string value(value_bytes, 'v');
  measure("floor", "absl::btree_map", "nested_insert", n, [&] {
    absl::btree_map<std::string, std::string> map;
    for (const Path& path : all)
      map.insert_or_assign(path.key + '/' + path.first + '/' + path.second + '/' + path.field, value);
    require(map.size() == n, "all fields are there");
  });
  Home home("w5");
  const Value blob(Blob{value});
  measure("syncline", "OrMap", "nested_insert", n, [&] {
    home.write(n, [&](Update& tx, std::size_t i) {
      const Path& path = all[i];
      tx.at<OrMap>(path.key)
          .at<OrMap>(path.first)
          .at<OrMap>(path.second)
          .at<LwwRegister<Value>>(path.field)
          .set(blob);
    });
  });
}

void run_set(std::size_t n) {
  const std::vector<std::string> all = strings(n, key_chars, 1);
  std::vector<Value> values(all.begin(), all.end());
  absl::btree_set<std::string> floor;
  Home home("w5");
  const auto each = [&](const char* phase, auto&& on_floor, auto&& ours) {
    measure("floor", "absl::btree_set", phase, n, [&] {
      for (const std::string& element : all) on_floor(element);
    });
    measure("syncline", "OrSet", phase, n, ours);
  };
  each(
      "set_add", [&](const std::string& element) { floor.insert(element); },
      [&] { home.write(n, [&](Update& tx, std::size_t i) { tx.set("s").insert(values[i]); }); });
  std::size_t found = 0;
  const SetView view = home.keyspace().set("s");
  each(
      "set_contains", [&](const std::string& element) { found += floor.contains(element) ? 1U : 0U; },
      [&] {
        for (const Value& value : values) found += view.contains(value).value_or(false) ? 1U : 0U;
      });
  require(found == 2 * n, "all elements are there");
  each(
      "set_remove", [&](const std::string& element) { floor.erase(element); },
      [&] { home.write(n, [&](Update& tx, std::size_t i) { tx.set("s").erase(values[i]); }); });
}

template <class Register>
void run_registers(const char* variant, const char* phase, std::size_t n) {
  const std::vector<std::string> keys = strings(register_keys, key_chars, 1);
  const std::string value(value_bytes, 'v');
  measure("floor", "absl::btree_map", phase, n, [&] {
    absl::btree_map<std::string, std::string> map;
    for (std::size_t i = 0; i < n; ++i) map.insert_or_assign(keys[i % register_keys], value);
    require(map.size() == register_keys, "all keys are there");
  });
  Home home("w5");
  const Value blob(Blob{value});
  measure("syncline", variant, phase, n, [&] {
    home.write(n, [&](Update& tx, std::size_t i) { tx.at<Register>(keys[i % register_keys]).set(blob); });
  });
}

void run_bounded(std::size_t n) {
  Home home("w5");
  home.write(1,
             [n](Update& tx, std::size_t) { tx.at<BoundedCounter>("b").add(static_cast<std::int64_t>(n)); });
  measure("floor", "PnCounter", "bounded_spend", n,
          [&] { home.write(n, [](Update& tx, std::size_t) { tx.counter("c").add(1); }); });
  measure("syncline", "BoundedCounter", "bounded_spend", n,
          [&] { home.write(n, [](Update& tx, std::size_t) { tx.at<BoundedCounter>("b").spend(1); }); });
  require(home.keyspace().at<BoundedCounter>("b").total().value_or(-1) == 0, "all was spent");
}

}  // namespace

void run_w5(std::size_t n) {
  run_nested(n);
  run_set(n);
  run_w5_registers(n);
  run_bounded(n);
}

void run_w5_registers(std::size_t n) {
  run_registers<MvRegister<Value>>("MvRegister", "register_mv", n);
  run_registers<LwwRegister<Value>>("LwwRegister", "register_lww", n);
}

void run_w5_memory(std::size_t n) {
  const std::vector<std::string> all = strings(n, key_chars, 1);
  const double before = allocated_bytes();
  ManualClock clock;
  EngineOptions engine;
  engine.log_bytes_max = 0;
  Replica replica = open_replica(clock, engine);
  Keyspace keyspace = replica.keyspace("w5");
  for (std::size_t at = 0; at < n; at += batch) {
    const auto written = keyspace.update([&](Update& tx) {
      for (std::size_t i = at; i < std::min(at + batch, n); ++i) tx.set("s").insert(all[i]);
    });
    require(written.has_value(), "a transaction is written");
  }
  Record("syncline", "w5", "OrSet", n, "set_memory").ops(n).bytes(allocated_bytes() - before).print();
}

}  // namespace syncline::bench
