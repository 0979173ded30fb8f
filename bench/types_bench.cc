// The pieces that every write and read goes through: the types in a keyspace
// and alone, the digest, and a frame's way there and back.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "bench/data.h"
#include "bench/home.h"
#include "bench/links.h"
#include "crdt/lww.h"
#include "crdt/or_set.h"
#include "sync/digest.h"

namespace syncline::bench {
namespace {

constexpr std::size_t element_count = 100'000;
constexpr std::size_t batch = Home::batch;
constexpr std::size_t scan_length = 100;
constexpr const char* key = "k";

const std::vector<Value>& elements() {
  static const std::vector<Value> all = [] {
    std::vector<Value> made;
    for (std::string& text : strings(element_count, key_chars, 1)) made.emplace_back(std::move(text));
    return made;
  }();
  return all;
}
const std::vector<std::string>& fields() {
  static const std::vector<std::string> all = strings(element_count, key_chars, 1);
  return all;
}
const Value& value() {
  static const Value only(Blob{std::string(value_bytes, 'v')});
  return only;
}

class TypesHome : public Home {
 public:
  TypesHome() : Home("types") {}

  void fill_set() {
    write(element_count, [](Update& tx, std::size_t i) { tx.set(key).insert(elements()[i]); });
  }
  void fill_map() {
    write(element_count, [](Update& tx, std::size_t i) { tx.map(key).set(fields()[i], value()); });
  }
};

void count(benchmark::State& state, std::size_t each) {
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(each));
}

// Measures `run` on a home that `prepare` made ready, anew for each pass.
template <class Prepare, class Run>
void measure_fresh(benchmark::State& state, Prepare&& prepare, Run&& run) {
  for (auto pass : state) {
    state.PauseTiming();
    auto home = std::make_unique<TypesHome>();
    prepare(*home);
    state.ResumeTiming();
    run(*home);
    state.PauseTiming();
    home.reset();
    state.ResumeTiming();
  }
  count(state, element_count);
}

void set_insert(benchmark::State& state) {
  measure_fresh(
      state, [](TypesHome&) {}, [](TypesHome& home) { home.fill_set(); });
}
void set_insert_again(benchmark::State& state) {
  measure_fresh(
      state, [](TypesHome& home) { home.fill_set(); }, [](TypesHome& home) { home.fill_set(); });
}
void set_erase(benchmark::State& state) {
  measure_fresh(
      state, [](TypesHome& home) { home.fill_set(); },
      [](TypesHome& home) {
        home.write(element_count, [](Update& tx, std::size_t i) { tx.set(key).erase(elements()[i]); });
      });
}
void set_contains(benchmark::State& state) {
  TypesHome home;
  home.fill_set();
  const SetView view = home.keyspace().set(key);
  for (auto pass : state) {
    std::size_t found = 0;
    for (const Value& element : elements()) found += *view.contains(element) ? 1U : 0U;
    if (found != element_count) state.SkipWithError("an element is missing");
  }
  count(state, element_count);
}

void map_insert(benchmark::State& state) {
  measure_fresh(
      state, [](TypesHome&) {}, [](TypesHome& home) { home.fill_map(); });
}
void map_overwrite(benchmark::State& state) {
  measure_fresh(
      state, [](TypesHome& home) { home.fill_map(); }, [](TypesHome& home) { home.fill_map(); });
}
void map_remove(benchmark::State& state) {
  measure_fresh(
      state, [](TypesHome& home) { home.fill_map(); },
      [](TypesHome& home) {
        home.write(element_count, [](Update& tx, std::size_t i) { tx.map(key).erase(fields()[i]); });
      });
}
void map_get(benchmark::State& state) {
  TypesHome home;
  home.fill_map();
  const MapView view = home.keyspace().map(key);
  for (auto pass : state) {
    for (const std::string& field : fields()) benchmark::DoNotOptimize(view.get(field));
  }
  count(state, element_count);
}
void map_scan(benchmark::State& state) {
  TypesHome home;
  home.fill_map();
  const MapView view = home.keyspace().map(key);
  std::size_t at = 0;
  for (auto pass : state) {
    std::size_t read = 0;
    const auto scanned = view.for_each(fields()[at], [&read](std::string_view, const Value& each) {
      benchmark::DoNotOptimize(each);
      return ++read < scan_length;
    });
    if (!scanned) state.SkipWithError("a map can't be read");
    at = (at + 1) % (element_count / 2);
  }
  count(state, scan_length);
}

void counter_add(benchmark::State& state) {
  TypesHome home;
  for (auto pass : state) home.write(batch, [](Update& tx, std::size_t) { tx.counter(key).add(1); });
  count(state, batch);
}
// A transaction an operation: what a call costs beside its writes.
void single_update(benchmark::State& state) {
  TypesHome home;
  std::size_t at = 0;
  for (auto pass : state) {
    const auto written = home.keyspace().update([&](Update& tx) { tx.map(key).set(fields()[at], value()); });
    if (!written) state.SkipWithError("nothing was written");
    at = (at + 1) % element_count;
  }
  count(state, 1);
}

// Types alone, without an engine.
void alone_set_insert(benchmark::State& state) {
  const ActorId actor{{1}};
  for (auto pass : state) {
    OrSet<Value> set;
    for (const Value& element : elements()) benchmark::DoNotOptimize(set.insert(actor, element));
  }
  count(state, element_count);
}

void digest_of_row(benchmark::State& state) {
  const ActorId actor{{1}};
  const std::string payload = value().to_bytes();
  Digest sum;
  std::uint64_t counter = 0;
  for (auto pass : state) {
    for (const std::string& leaf : fields()) {
      ++counter;
      sum += hash_live(LeafHash(leaf), actor, counter, counter, payload);
    }
  }
  benchmark::DoNotOptimize(sum);
  count(state, element_count);
}

// The whole state into a fresh replica; time of the side that is measured only.
template <Elapsed Traffic::*side>
void full_pass(benchmark::State& state) {
  TypesHome home;
  home.fill_map();
  std::uint64_t bytes = 0;
  for (auto pass : state) {
    TypesHome fresh;
    LinkPair links(home.replica(), fresh.replica(), home.clock());
    links.exchange();
    state.SetIterationTime((links.to_b().*side).cpu_ms / 1e3);
    bytes = links.to_b().bytes;
  }
  count(state, element_count);
  state.counters["bytes/entry"] = static_cast<double>(bytes) / element_count;
}

BENCHMARK(set_insert)->Unit(benchmark::kMillisecond);
BENCHMARK(set_insert_again)->Unit(benchmark::kMillisecond);
BENCHMARK(set_erase)->Unit(benchmark::kMillisecond);
BENCHMARK(set_contains)->Unit(benchmark::kMillisecond);
BENCHMARK(map_insert)->Unit(benchmark::kMillisecond);
BENCHMARK(map_overwrite)->Unit(benchmark::kMillisecond);
BENCHMARK(map_remove)->Unit(benchmark::kMillisecond);
BENCHMARK(map_get)->Unit(benchmark::kMillisecond);
BENCHMARK(map_scan)->Unit(benchmark::kMicrosecond);
BENCHMARK(counter_add)->Unit(benchmark::kMicrosecond);
BENCHMARK(single_update)->Unit(benchmark::kMicrosecond);
BENCHMARK(alone_set_insert)->Unit(benchmark::kMillisecond);
BENCHMARK(digest_of_row)->Unit(benchmark::kMillisecond);
BENCHMARK(full_pass<&Traffic::sending>)->Name("encode")->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(full_pass<&Traffic::receiving>)->Name("decode")->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace syncline::bench

BENCHMARK_MAIN();
