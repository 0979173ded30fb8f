// Encoding and decoding, by row and by leaf: time and bytes of each.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <vector>

#include "crdt/leaf_key.h"
#include "wire/codec.h"

namespace syncline {
namespace {

constexpr std::uint64_t start_hlc = std::uint64_t{1'767'225'600'000} << 16;
constexpr std::size_t raw_bytes = 48;  // Of a 16-byte key and its 32-byte value.

// SplitMix64 (Steele, Lea, Flood, 2014).
class Random {
 public:
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_ = 1;
};

std::vector<std::string> sorted_leaves(std::size_t count) {
  static constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  Random random;
  std::vector<std::string> leaves;
  for (std::size_t i = 0; i < count; ++i) {
    std::string key;
    for (int c = 0; c < 16; ++c) key.push_back(alphabet[random.next() & 63]);
    leaves.push_back(leaf_key("map", Type::lww_map, key));
  }
  std::sort(leaves.begin(), leaves.end());
  return leaves;
}

// A push of `changes` changes with `rows` rows each, of one writer, all overwrites.
struct PushSample {
  PushSample(std::size_t changes, std::size_t rows) : leaves(sorted_leaves(changes * rows)) {
    Random random;
    push.definitions.resize(1);
    removed.resize(leaves.size());
    all_rows.resize(leaves.size());
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      removed[i] = {0, 1 + random.next() % 1'000'000};
      all_rows[i] = {.leaf = leaves[i],
                     .removed = {&removed[i], 1},
                     .has_payload = true,
                     .stamp = start_hlc + i / rows,
                     .payload = value};
    }
    for (std::size_t i = 0; i < changes; ++i) {
      push.changes.push_back({.actor = 0,
                              .first = 1'000'001 + i * rows,
                              .hlc = start_hlc + i,
                              .rows = std::span(all_rows).subspan(i * rows, rows)});
    }
  }

  std::vector<std::string> leaves;
  std::string value = std::string(33, 'v');
  std::vector<IndexedDot> removed;
  std::vector<RowView> all_rows;
  Push push;
};

// A chunk of `count` leaves of one writer whose million entries came in any order.
struct ChunkSample {
  explicit ChunkSample(std::size_t count) : leaves(sorted_leaves(count)) {
    Random random;
    live.resize(count);
    chunk.definitions.resize(1);
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t counter = 1 + random.next() % 1'000'000;
      live[i] = {{0, counter}, start_hlc + (counter / 1000 << 16), value};
      chunk.leaves.push_back({leaves[i], {&live[i], 1}});
    }
  }

  std::vector<std::string> leaves;
  std::string value = std::string(33, 'v');
  std::vector<IndexedLiveDot> live;
  Chunk chunk;
};

void encode(benchmark::State& state, const Message& message, std::size_t rows) {
  std::size_t bytes = 0;
  for (auto _ : state) {
    Encoder encoder;
    const auto frames = encoder.encode(message);
    bytes = 0;
    for (const std::string& frame : frames) bytes += frame.size();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(rows));
  state.counters["bytes/row"] = static_cast<double>(bytes) / static_cast<double>(rows);
  state.counters["over_raw/row"] = static_cast<double>(bytes) / static_cast<double>(rows) - raw_bytes;
  state.counters["s/row"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * static_cast<double>(rows),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void decode(benchmark::State& state, const Message& message, std::size_t rows) {
  Encoder encoder;
  const auto frames = encoder.encode(message);
  for (auto _ : state) {
    Decoder decoder;
    decoder.accept_all();
    for (const std::string& frame : frames) {
      auto decoded = decoder.decode(frame);
      if (!decoded) state.SkipWithError("not decoded");
      benchmark::DoNotOptimize(decoded);
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(rows));
  state.counters["s/row"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * static_cast<double>(rows),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void encode_push(benchmark::State& state) {
  const PushSample sample(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)));
  encode(state, sample.push, sample.leaves.size());
}
void decode_push(benchmark::State& state) {
  const PushSample sample(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)));
  decode(state, sample.push, sample.leaves.size());
}
void encode_chunk(benchmark::State& state) {
  const ChunkSample sample(static_cast<std::size_t>(state.range(0)));
  encode(state, sample.chunk, sample.leaves.size());
}
void decode_chunk(benchmark::State& state) {
  const ChunkSample sample(static_cast<std::size_t>(state.range(0)));
  decode(state, sample.chunk, sample.leaves.size());
}

BENCHMARK(encode_push)->ArgNames({"changes", "rows"})->Args({1, 1})->Args({1000, 1})->Args({1, 1000});
BENCHMARK(decode_push)->ArgNames({"changes", "rows"})->Args({1, 1})->Args({1000, 1})->Args({1, 1000});
BENCHMARK(encode_chunk)->ArgName("leaves")->Arg(100)->Arg(4000);
BENCHMARK(decode_chunk)->ArgName("leaves")->Arg(100)->Arg(4000);

}  // namespace
}  // namespace syncline

BENCHMARK_MAIN();
