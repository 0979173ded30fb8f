// The leaf table beside the maps that could stand in its place: a million
// entries, 22-byte leaf keys of one map's fields, 47-byte values. Every pass of
// a benchmark touches all entries, or a share that its name says; the table of
// ratios at the end compares medians. Run it alone on the machine.
#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sync/leaf_table.h"

namespace {

using syncline::LeafTable;

constexpr std::size_t entry_count = 1'000'000;
constexpr std::size_t batch = 1'000;
constexpr std::ptrdiff_t batch_step = batch;
constexpr std::size_t scan_length = 100;
constexpr std::size_t scan_count = 20'000;

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }

 private:
  std::uint64_t state_;
};

struct Data {
  std::vector<std::string> keys;      // As they come.
  std::vector<std::string> shuffled;  // The same in another order.
  std::vector<std::string> sorted;
  std::vector<std::string> fresh;  // A fifth as many others, sorted in each batch.
  std::vector<std::string> known;  // A fifth of the keys, sorted in each batch.
  std::string value = std::string(47, 'v');
  std::string other = std::string(47, 'w');
};

std::string random_key(Random& random) {
  static constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string key("m\0\1\5", 4);
  for (int half = 0; half < 2; ++half) {
    std::uint64_t bits = random.next();
    for (int i = 0; i < 8; ++i, bits >>= 6) key.push_back(alphabet[bits & 63]);
  }
  return key + std::string("\0\1", 2);
}

const Data& data() {
  static const Data made = [] {
    Data out;
    std::vector<std::vector<std::string>> scattered;
    Random random(1);
    for (std::size_t i = 0; i < entry_count; ++i) out.keys.push_back(random_key(random));
    out.shuffled = out.keys;
    for (std::size_t i = entry_count; i > 1; --i)
      std::swap(out.shuffled[i - 1], out.shuffled[random.next() % i]);
    out.sorted = out.keys;
    std::sort(out.sorted.begin(), out.sorted.end());
    for (std::size_t i = 0; i < entry_count / 5; ++i) out.fresh.push_back(random_key(random));
    out.known.assign(out.shuffled.begin(), out.shuffled.begin() + entry_count / 5);
    for (auto* batches : {&out.fresh, &out.known}) {
      for (auto at = batches->begin(); at != batches->end(); at += batch_step) std::sort(at, at + batch_step);
    }
    // Copies lie in memory in their order, so that reading the keys costs every map the same little.
    for (auto* list : {&out.shuffled, &out.sorted, &out.fresh, &out.known}) {
      std::vector<std::string> copy(*list);
      scattered.push_back(std::exchange(*list, std::move(copy)));
    }
    return out;
  }();
  return made;
}

struct Ours {
  static constexpr const char* name = "leaf_table";
  LeafTable table;

  bool put(const std::string& key, const std::string& value) { return table.put(key, value); }
  bool has(const std::string& key) const { return table.find(key).has_value(); }
  bool erase(const std::string& key) { return table.erase(key); }
  std::size_t scan(const std::string& key) const {
    std::size_t bytes = 0;
    LeafTable::Cursor cursor = table.lower_bound(key);
    for (std::size_t i = 0; i < scan_length && cursor.valid(); ++i, cursor.next())
      bytes +=
          cursor.key().size() + cursor.value().size() + static_cast<unsigned char>(cursor.value().front());
    return bytes;
  }
};

template <class Map>
struct Theirs {
  Map table;

  bool put(const std::string& key, const std::string& value) {
    return table.insert_or_assign(key, value).second;
  }
  bool has(const std::string& key) const { return table.find(key) != table.end(); }
  bool erase(const std::string& key) { return table.erase(key) == 1; }
};

struct Btree : Theirs<absl::btree_map<std::string, std::string>> {
  static constexpr const char* name = "btree_map";

  std::size_t scan(const std::string& key) const {
    std::size_t bytes = 0;
    auto at = table.lower_bound(key);
    for (std::size_t i = 0; i < scan_length && at != table.end(); ++i, ++at)
      bytes += at->first.size() + at->second.size() + static_cast<unsigned char>(at->second.front());
    return bytes;
  }
};

struct Hash : Theirs<absl::flat_hash_map<std::string, std::string>> {
  static constexpr const char* name = "flat_hash_map";
  Hash() { table.reserve(entry_count); }
};

std::size_t allocated() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

template <class Map>
std::unique_ptr<Map> filled(const std::vector<std::string>& keys) {
  auto map = std::make_unique<Map>();
  for (const std::string& key : keys) map->put(key, data().value);
  return map;
}

// One for all benchmarks that leave the keys as they are.
template <class Map>
Map& full() {
  static const std::unique_ptr<Map> map = filled<Map>(data().keys);
  return *map;
}

void count_items(benchmark::State& state, std::size_t per_pass) {
  state.SetItemsProcessed(static_cast<std::int64_t>(per_pass) * state.iterations());
}

template <class Map>
void insert(benchmark::State& state, const std::vector<std::string>& keys) {
  for (auto pass : state) {
    state.PauseTiming();  // Asking malloc takes a while.
    const std::size_t before = allocated();
    state.ResumeTiming();
    auto map = filled<Map>(keys);
    benchmark::DoNotOptimize(map);
    state.PauseTiming();
    state.counters["bytes_per_entry"] = static_cast<double>(allocated() - before) / entry_count;
    map.reset();
    state.ResumeTiming();
  }
  count_items(state, entry_count);
}

template <class Map>
void overwrite(benchmark::State& state) {
  Map& map = full<Map>();
  for (auto pass : state) {
    for (const std::string& key : data().shuffled) map.put(key, data().other);
  }
  count_items(state, entry_count);
}

template <class Map>
void find(benchmark::State& state) {
  const Map& map = full<Map>();
  for (auto pass : state) {
    std::size_t found = 0;
    for (const std::string& key : data().shuffled) found += map.has(key) ? 1U : 0U;
    if (found != entry_count) state.SkipWithError("an entry is missing");
  }
  count_items(state, entry_count);
}

template <class Map>
void scan(benchmark::State& state) {
  const Map& map = full<Map>();
  for (auto pass : state) {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < scan_count; ++i) bytes += map.scan(data().shuffled[i]);
    benchmark::DoNotOptimize(bytes);
  }
  count_items(state, scan_count * scan_length);
}

template <class Map>
void erase(benchmark::State& state) {
  for (auto pass : state) {
    state.PauseTiming();
    auto map = filled<Map>(data().keys);
    state.ResumeTiming();
    for (const std::string& key : data().shuffled) map->erase(key);
    benchmark::DoNotOptimize(map);
  }
  count_items(state, entry_count);
}

// Transactions: look up a batch of keys, then put all of it in order.
template <class Map>
void transact(benchmark::State& state, const std::vector<std::string>& keys) {
  for (auto pass : state) {
    state.PauseTiming();
    auto map = filled<Map>(data().keys);
    state.ResumeTiming();
    for (std::size_t start = 0; start < keys.size(); start += batch) {
      std::size_t found = 0;
      for (std::size_t i = start; i < start + batch; ++i) found += map->has(keys[i]) ? 1U : 0U;
      benchmark::DoNotOptimize(found);
      for (std::size_t i = start; i < start + batch; ++i) map->put(keys[i], data().other);
    }
    state.PauseTiming();
    map.reset();
    state.ResumeTiming();
  }
  count_items(state, entry_count / 5);
}

// The same with positions instead of a second look-up.
void transact_positions(benchmark::State& state, const std::vector<std::string>& keys) {
  for (auto pass : state) {
    state.PauseTiming();
    auto map = filled<Ours>(data().keys);
    std::vector<LeafTable::Position> positions(batch);
    state.ResumeTiming();
    for (std::size_t start = 0; start < keys.size(); start += batch) {
      std::size_t found = 0;
      for (std::size_t i = 0; i < batch; ++i) {
        positions[i] = map->table.find_position(keys[start + i]);
        found += map->table.value(positions[i]).has_value() ? 1U : 0U;
      }
      benchmark::DoNotOptimize(found);
      for (std::size_t i = 0; i < batch; ++i) map->table.put_at(positions[i], keys[start + i], data().other);
    }
    state.PauseTiming();
    map.reset();
    state.ResumeTiming();
  }
  count_items(state, entry_count / 5);
}

// Shows each run, and remembers the medians for the table of ratios.
class RatioReporter : public benchmark::ConsoleReporter {
 public:
  RatioReporter() : ConsoleReporter(OO_Tabular) {}

  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration || run.error_occurred) continue;
      const std::string& name = run.run_name.function_name;
      const std::size_t slash = name.find('/');
      rates_[name.substr(0, slash)][name.substr(slash + 1)].push_back(run.counters.at("items_per_second"));
      const auto bytes = run.counters.find("bytes_per_entry");
      if (bytes != run.counters.end()) bytes_[name].push_back(bytes->second);
    }
  }

  void Finalize() override {
    std::printf("\n%-22s %14s %12s %14s\n", "million a second", "leaf_table", "of btree", "of hash map");
    for (auto& [operation, rates] : rates_) {
      if (rates.count("leaf_table") == 0) continue;
      const double ours = median(rates["leaf_table"]);
      std::printf("%-22s %14.2f %12s %14s\n", operation.c_str(), ours / 1e6,
                  ratio(ours, rates, operation, "btree_map").c_str(),
                  ratio(ours, rates, operation, "flat_hash_map").c_str());
    }
    std::printf("\n%-36s %s\n", "bytes an entry", "from malloc");
    for (auto& [name, bytes] : bytes_) std::printf("%-36s %.1f\n", name.c_str(), median(bytes));
  }

 private:
  using Rates = std::map<std::string, std::vector<double>>;

  static double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                     values.end());
    return values[values.size() / 2];
  }

  // A transaction with positions compares with the other map's plain one.
  std::string ratio(double ours, Rates& rates, const std::string& operation, const std::string& other) {
    constexpr std::string_view with = "_positions";
    const bool plain =
        operation.size() < with.size() || operation.substr(operation.size() - with.size()) != with;
    Rates& from = plain ? rates : rates_[operation.substr(0, operation.size() - with.size())];
    const auto at = from.find(other);
    if (at == from.end()) return "-";
    char text[32];
    std::snprintf(text, sizeof text, "%.2f", ours / median(at->second));
    return text;
  }

  std::map<std::string, Rates> rates_;
  std::map<std::string, std::vector<double>> bytes_;
};

template <class Run>
void add(const std::string& operation, const char* map, Run run) {
  benchmark::RegisterBenchmark((operation + "/" + map).c_str(), run)
      ->Unit(benchmark::kMillisecond)
      ->Iterations(1)
      ->Repetitions(5);
}

template <class Map>
void add_all() {
  add("insert_random", Map::name, [](benchmark::State& state) { insert<Map>(state, data().keys); });
  add("insert_ascending", Map::name, [](benchmark::State& state) { insert<Map>(state, data().sorted); });
  add("overwrite", Map::name, overwrite<Map>);
  add("find", Map::name, find<Map>);
  add("erase", Map::name, erase<Map>);
  add("transact_fresh", Map::name, [](benchmark::State& state) { transact<Map>(state, data().fresh); });
  add("transact_known", Map::name, [](benchmark::State& state) { transact<Map>(state, data().known); });
}

}  // namespace

int main(int argc, char** argv) {
  add_all<Ours>();
  add("scan", Ours::name, scan<Ours>);
  add("transact_fresh_positions", Ours::name,
      [](benchmark::State& state) { transact_positions(state, data().fresh); });
  add("transact_known_positions", Ours::name,
      [](benchmark::State& state) { transact_positions(state, data().known); });
  add_all<Btree>();
  add("scan", Btree::name, scan<Btree>);
  add_all<Hash>();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  data();
  RatioReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  benchmark::Shutdown();
  return 0;
}
