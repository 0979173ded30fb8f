// What the codec promises about size: bytes over the raw keys and values.
// docs/performance.md has the figures for whole keyspaces.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "crdt/hlc.h"
#include "crdt/leaf_key.h"
#include "tests/wire/messages.h"
#include "wire/codec.h"

namespace syncline {
namespace {

using test::decode_all;
using test::describe;
using test::MessageBox;
using test::Random;

constexpr std::size_t key_bytes = 16;
constexpr std::size_t value_bytes = 32;
constexpr std::size_t raw_bytes = key_bytes + value_bytes;
constexpr std::uint64_t start_hlc = std::uint64_t{1'767'225'600'000} << 16;
constexpr std::uint64_t millisecond = std::uint64_t{1} << 16;  // Of an HLC.

// Map entries as benchmark workload W2 has them: 16 random characters to 32 random bytes.
std::string random_key(Random& random) {
  static constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string key;
  for (std::size_t i = 0; i < key_bytes; ++i) key.push_back(alphabet[random.below(64)]);
  return key;
}

std::string random_leaf(Random& random) { return leaf_key("map", Type::lww_map, random_key(random)); }

std::string random_value(Random& random) { return "\x05" + random.bytes(value_bytes); }

std::size_t total_bytes(const std::vector<std::string>& frames) {
  std::size_t bytes = 0;
  for (const std::string& frame : frames) bytes += frame.size();
  return bytes;
}

// Writers whose changes go out over one connection.
class Writers {
 public:
  explicit Writers(std::size_t count) : counters_(count), seen_(count, std::vector<std::uint64_t>(count)) {
    Push first{.definitions = std::vector<ActorId>(count)};
    for (std::size_t i = 0; i < count; ++i) {
      first.definitions[i].bytes[0] = static_cast<std::uint8_t>(i);
      first.changes.push_back(change(static_cast<std::uint32_t>(i), random_leaf(random_)));
    }
    push(first);
  }

  // A change of one row. `depends` says whether its writer has taken in all that came before.
  ChangeView change(std::uint32_t actor, const std::string& leaf, std::vector<IndexedDot> removed = {},
                    std::uint64_t hlc_step = 1, bool depends = false) {
    hlc_ += hlc_step;
    std::vector<IndexedDot> dependencies;
    for (std::uint32_t other = 0; depends && other < counters_.size(); ++other) {
      if (other == actor || counters_[other] == seen_[actor][other]) continue;
      seen_[actor][other] = counters_[other];
      dependencies.push_back({other, counters_[other]});
    }
    const RowView row{.leaf = box_.keep(leaf),
                      .removed = box_.keep(std::move(removed)),
                      .has_payload = true,
                      .stamp = hlc_,
                      .payload = box_.keep(random_value(random_))};
    return {.actor = actor,
            .first = ++counters_[actor],
            .hlc = hlc_,
            .dependencies = box_.keep(std::move(dependencies)),
            .rows = box_.keep(std::vector{row})};
  }

  // Pushes; yields the bytes of the frames.
  std::size_t push(const Push& push) { return total_bytes(encoder_.encode(push)); }

  std::uint64_t counter(std::uint32_t actor) const { return counters_[actor]; }
  void skip(std::uint32_t actor, std::uint64_t count) { counters_[actor] += count; }
  Random& random() { return random_; }

 private:
  Random random_{1};
  MessageBox box_;
  Encoder encoder_;
  std::uint64_t hlc_ = start_hlc;
  std::vector<std::uint64_t> counters_;
  std::vector<std::vector<std::uint64_t>> seen_;  // By writer, of whom.
};

TEST(Bytes, SingleInsertCostsAtMost44OverRaw) {
  Writers writers(1);
  for (int i = 0; i < 100; ++i) {
    const Push push{.changes = {writers.change(0, random_leaf(writers.random()), {}, millisecond)}};
    const std::size_t bytes = writers.push(push);
    RecordProperty("over_raw", static_cast<int>(bytes - raw_bytes));
    ASSERT_LE(bytes, raw_bytes + 44);
  }
}

TEST(Bytes, SingleOverwriteCostsAtMost48OverRaw) {
  Writers writers(1);
  writers.push({.changes = {writers.change(0, random_leaf(writers.random()))}});
  writers.skip(0, 1'000'000);
  for (int i = 0; i < 100; ++i) {
    const IndexedDot old{0, 1 + writers.random().below(1'000'000)};
    const Push push{.changes = {writers.change(0, random_leaf(writers.random()), {old}, millisecond)}};
    const std::size_t bytes = writers.push(push);
    if (i == 0) continue;  // Jumps over the counters that were skipped.
    RecordProperty("over_raw", static_cast<int>(bytes - raw_bytes));
    ASSERT_LE(bytes, raw_bytes + 48);
  }
}

// A tag on the value is part of what is over raw.
double batch_over_raw(Writers& writers, const Push& push) {
  return static_cast<double>(writers.push(push)) / static_cast<double>(push.changes.size()) - raw_bytes;
}

TEST(Bytes, BatchOfFreshInsertsCostsAtMost3OverRawEach) {
  Writers writers(1);
  Push push;
  for (int i = 0; i < 1000; ++i) push.changes.push_back(writers.change(0, random_leaf(writers.random())));
  const double over = batch_over_raw(writers, push);
  RecordProperty("over_raw", std::to_string(over));
  EXPECT_LE(over, 3);
}

TEST(Bytes, BatchOfOverwritesCostsAtMost8OverRawEach) {
  Writers writers(1);
  writers.skip(0, 1'000'000);
  Push push;
  for (int i = 0; i < 1000; ++i) {
    const IndexedDot old{0, 1 + writers.random().below(1'000'000)};
    const std::uint64_t step = i % 3 == 0 ? millisecond : 1;
    push.changes.push_back(writers.change(0, random_leaf(writers.random()), {old}, step));
  }
  const double over = batch_over_raw(writers, push);
  RecordProperty("over_raw", std::to_string(over));
  EXPECT_LE(over, 8);
}

TEST(Bytes, EightWritersInterleavedCostAtMost12OverRawEach) {
  for (const bool depends : {false, true}) {
    for (const bool overwrites : {false, true}) {
      Writers writers(8);
      for (std::uint32_t actor = 0; actor < 8; ++actor) writers.skip(actor, 100'000);
      Push push;
      for (int i = 0; i < 1000; ++i) {
        const auto actor = static_cast<std::uint32_t>(writers.random().below(8));
        std::vector<IndexedDot> removed;
        if (overwrites) {
          removed.push_back(
              {static_cast<std::uint32_t>(writers.random().below(8)), 1 + writers.random().below(100'000)});
        }
        push.changes.push_back(writers.change(actor, random_leaf(writers.random()), removed,
                                              writers.random().below(3) * millisecond + 1, depends));
      }
      const double over = batch_over_raw(writers, push);
      RecordProperty(std::string(depends ? "depending" : "apart") + (overwrites ? "_overwrites" : "_inserts"),
                     std::to_string(over));
      EXPECT_LE(over, 12) << depends << overwrites;
    }
  }
}

TEST(Bytes, CounterIncrementTakesAtMost20BytesOfBody) {
  MessageBox box;
  Encoder encoder;
  const std::string leaf = leaf_key("likes", Type::pn_counter, "0123456789abcdef");
  std::size_t bytes = 0;
  for (std::uint64_t counter = 1; counter <= 10; ++counter) {
    std::vector<IndexedDot> removed;
    if (counter > 1) removed.push_back({0, counter - 1});
    const RowView row{.leaf = leaf,
                      .removed = box.keep(std::move(removed)),
                      .has_payload = true,
                      .payload = "\x01\x02\x03\x04\x05\x06"};
    Push push{.changes = {{.actor = 0,
                           .first = counter,
                           .hlc = start_hlc + counter * millisecond,
                           .rows = box.keep(std::vector{row})}}};
    if (counter == 1) push.definitions.emplace_back();
    bytes = total_bytes(encoder.encode(push));
  }
  constexpr std::size_t header_and_pointers = 24;
  RecordProperty("body", static_cast<int>(bytes - header_and_pointers));
  EXPECT_LE(bytes - header_and_pointers, 20U);
}

TEST(Bytes, TickTakesAtMost32) {
  Encoder encoder;
  EXPECT_LE(total_bytes(encoder.encode(Tick{{~std::uint64_t{0}, ~std::uint64_t{0}}})), 32U);
}

// A million entries, as the targets say; fewer are enough to exercise the code under sanitizers.
std::size_t entries() {
  const char* const scale = std::getenv("SYNCLINE_TEST_SCALE");
  return scale != nullptr && std::string_view(scale) == "small" ? 50'000 : 1'000'000;
}

// The whole of a keyspace that one writer filled by transactions of
// `rows_per_change`, read back in key order in chunks of a frame: bytes of all
// frames over those of the raw keys and values.
double state_over_raw(std::size_t entries, std::size_t rows_per_change, bool half_overwritten) {
  Random random(7);
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < entries; ++i) keys.push_back(random_leaf(random));
  struct Written {
    std::string_view leaf;
    IndexedLiveDot live;
  };
  std::vector<Written> written(entries);
  std::uint64_t counter = 0;
  std::uint64_t hlc = start_hlc;
  const auto write = [&](std::size_t begin, std::size_t end) {
    std::sort(keys.begin() + static_cast<std::ptrdiff_t>(begin),
              keys.begin() + static_cast<std::ptrdiff_t>(end));
    hlc += millisecond;
    for (std::size_t i = begin; i < end; ++i) written[i] = {keys[i], {{0, ++counter}, hlc, {}}};
  };
  for (std::size_t i = 0; i < entries; i += rows_per_change) write(i, std::min(entries, i + rows_per_change));
  if (half_overwritten) {
    for (std::size_t i = 0; i < entries / 2; i += rows_per_change) {
      write(i, std::min(entries / 2, i + rows_per_change));
    }
  }
  std::sort(written.begin(), written.end(),
            [](const Written& a, const Written& b) { return a.leaf < b.leaf; });
  const std::string value = random_value(random);
  Encoder encoder;
  Chunk chunk;
  std::size_t estimate = 0;
  std::size_t bytes = 0;
  const auto flush = [&] {
    bytes += total_bytes(encoder.encode(chunk));
    ++chunk.number;
    chunk.leaves.clear();
    estimate = 0;
  };
  for (Written& entry : written) {
    entry.live.payload = value;
    chunk.leaves.push_back({entry.leaf, {&entry.live, 1}});
    estimate += encoded_bytes_estimate(chunk.leaves.back());
    if (estimate > 200 * 1024) flush();
  }
  flush();
  return static_cast<double>(bytes) / static_cast<double>(entries * raw_bytes);
}

// Pushes and chunks are cut by these estimates, so they must hold for any content.
TEST(Bytes, EstimatesAreFromAbove) {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    Random random(seed);
    MessageBox box;
    const std::size_t size = 1 + random.below(seed % 100 == 0 ? 2000 : 20);
    const Message pushed = test::random_message(random, box, 4, size);
    const Message read = test::random_message(random, box, 6, size);
    const auto& push = std::get<Push>(pushed);
    const auto& chunk = std::get<Chunk>(read);
    std::size_t push_bytes = 256 + push.definitions.size() * ActorId::size_bytes;
    for (const ChangeView& change : push.changes) push_bytes += encoded_bytes_estimate(change);
    EXPECT_LE(total_bytes(Encoder().encode(push)), push_bytes) << seed;
    std::size_t chunk_bytes =
        256 + chunk.definitions.size() * ActorId::size_bytes + chunk.version.size() * 15;
    for (const LeafView& leaf : chunk.leaves) chunk_bytes += encoded_bytes_estimate(leaf);
    for (const RowName& row : chunk.dead) chunk_bytes += encoded_bytes_estimate(row);
    EXPECT_LE(total_bytes(Encoder().encode(chunk)), chunk_bytes) << seed;
  }
}

TEST(Bytes, StateOfBatchesCostsAtMost6PercentOverRaw) {
  const double over = state_over_raw(entries(), 1000, false);
  RecordProperty("over_raw", std::to_string(over));
  EXPECT_LE(over, 1.06);
}

TEST(Bytes, StateOfSingleWritesCostsAtMost15PercentOverRaw) {
  const double over = state_over_raw(entries(), 1, false);
  RecordProperty("over_raw", std::to_string(over));
  EXPECT_LE(over, 1.15);
}

TEST(Bytes, StateAfterOverwritingHalfCostsAtMost15PercentOverRaw) {
  const double over = state_over_raw(entries(), 1000, true);
  RecordProperty("over_raw", std::to_string(over));
  EXPECT_LE(over, 1.15);
}

}  // namespace
}  // namespace syncline
