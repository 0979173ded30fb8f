// Digest passes: two engines that hold the same items but for a few, whose logs
// name none of them, and one conversation in memory.
//
//   bench/digest_bench [items]        1,000,000 unless told; docs/performance.md has 10,000,000
//
// Prints what the digests of ranges add to a row, and what the naming took, apart from the leaves
// themselves: processor time of both sides, which share a thread, and of each.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "bench/record.h"
#include "crdt/leaf_key.h"
#include "sync/engine.h"
#include "sync/keyspace_state.h"
#include "sync/session.h"

namespace syncline::bench {
namespace {

using std::chrono::milliseconds;

// As frames have it, docs/protocol.md.
enum FrameType : unsigned { want = 6, chunk = 7, ranges = 12, sketch = 13, more_symbols = 14 };

struct Side {
  // Equal seeds make equal actors, so that both hold the very same items without being sent them.
  explicit Side(std::uint8_t node_byte) {
    EngineOptions options;
    options.entropy = {1, 2, 3, 4};
    options.log_bytes_max = 1 << 20;
    engine = std::make_unique<Engine>(options);
    shop = *engine->open_keyspace("shop");
    node.fill(node_byte);
  }

  void put(std::size_t begin, std::size_t end, std::string_view text) {
    constexpr std::size_t rows = 1'000;
    while (begin < end) {
      Transaction tx = engine->begin(*shop, now);
      for (const std::size_t stop = std::min(end, begin + rows); begin < stop; ++begin)
        tx.put(tx.open(leaf_key("items", Type::or_set, fmt::format("{:016x}", begin * 0x9e3779b97f4a7c15))),
               0, text);
      require(engine->commit(std::move(tx)).has_value(), "a change is made");
    }
  }

  std::unique_ptr<Engine> engine;
  KeyspaceState* shop = nullptr;
  std::array<std::uint8_t, 16> node{};
  Time now{milliseconds(0), milliseconds(1'767'225'600'000)};
};

// One session each, until the pass is through.
struct Conversation {
  Conversation(Side& a, Side& b) : sides{&a, &b} {
    for (std::size_t i = 0; i < 2; ++i) {
      SessionOptions options;
      options.node = sides[i]->node;
      sessions[i] = std::make_unique<Session>(*sides[i]->engine, options, sides[i]->now);
    }
    settle();
  }
  void settle() {
    for (bool going = true; going;) {
      going = false;
      for (std::size_t from = 0; from < 2; ++from) going = move(from) || going;
    }
  }
  void run_for(milliseconds time) {
    constexpr milliseconds step(100);
    for (milliseconds passed{0}; passed < time; passed += step) {
      for (std::size_t i = 0; i < 2; ++i) {
        sides[i]->now.monotonic += step;
        sessions[i]->handle_timeout(sides[i]->now);
      }
      settle();
    }
  }

  bool move(std::size_t from) {
    const Stopwatch watch;
    const auto frame = sessions[from]->poll_frame(sides[from]->now);
    if (!frame) return false;
    const Elapsed polling = watch.elapsed();
    const auto type = static_cast<unsigned char>((*frame)[3]) & 127U;
    require(sessions[1 - from]->handle_frame(sides[1 - from]->now, *frame).has_value(), "a frame is taken");
    bytes[type] += frame->size();
    if (type == want || type >= ranges || (type == chunk && bytes[chunk] == frame->size())) {
      spent += watch.elapsed();
      cpu_ms[from] += polling.cpu_ms;
      cpu_ms[1 - from] += watch.elapsed().cpu_ms - polling.cpu_ms;
      half_turns += last_speaker != from || half_turns == 0 ? 1 : 0;
      last_speaker = from;
    }
    return true;
  }

  std::array<Side*, 2> sides;
  std::array<std::unique_ptr<Session>, 2> sessions;
  std::array<std::size_t, 128> bytes{};
  Elapsed spent;
  std::array<double, 2> cpu_ms{};  // Of it, each side's.
  std::size_t half_turns = 0;
  std::size_t last_speaker = 2;
};

void measure(Side& a, Side& b, std::size_t items, std::size_t differing, std::string_view variant) {
  a.engine->cut_log(*a.shop, 0);
  b.engine->cut_log(*b.shop, 0);
  const Conversation talk(a, b);  // At first contact all is asked for at once.
  require(a.engine->digests(*a.shop) == b.engine->digests(*b.shop), "both end equal");
  require(talk.sessions[1]->metrics().digest_passes_in == 1, "a digest pass did it");
  const auto naming = static_cast<double>(talk.bytes[want] + talk.bytes[ranges] + talk.bytes[sketch] +
                                          talk.bytes[more_symbols]);
  const std::size_t round_trips = (talk.half_turns + 1) / 2;
  Record("syncline", "l3", variant, items, "name")
      .took(talk.spent)
      .ops(differing)
      .bytes(naming)
      .number("leaf_bytes", static_cast<double>(talk.bytes[chunk]))
      .number("giver_cpu_ms", talk.cpu_ms[0])
      .number("asker_cpu_ms", talk.cpu_ms[1])
      .number("round_trips", static_cast<double>(round_trips))
      .number("total_bytes", naming + static_cast<double>(talk.bytes[chunk]))
      .rss()
      .print();
}

// The median of what rows take longer on one side than on the other: both in turn, so that what else the
// machine does falls on both. Processor time, ns a row; `one_ns` is told what a row takes at all.
double median_difference(Side& one, Side& other, std::size_t items, double& one_ns) {
  constexpr std::size_t rows = 20'000;
  constexpr std::size_t turns = 101;
  std::vector<double> times, differences;
  for (std::size_t turn = 0; turn < turns; ++turn) {
    const std::size_t begin = turn * rows % items;
    const auto rewrite = [&](Side& side) {
      const Stopwatch watch;
      side.put(begin, std::min(begin + rows, items), "value of an item, also 32 bytes.");
      return watch.elapsed().cpu_ms * 1e6 / static_cast<double>(rows);
    };
    const double first = turn % 2 == 0 ? rewrite(one) : rewrite(other);
    const double second = turn % 2 == 0 ? rewrite(other) : rewrite(one);
    times.push_back(turn % 2 == 0 ? first : second);
    differences.push_back(turn % 2 == 0 ? first - second : second - first);
  }
  const auto median = [](std::vector<double>& values) {
    std::nth_element(values.begin(), values.begin() + turns / 2, values.end());
    return values[turns / 2];
  };
  one_ns = median(times);
  return median(differences);
}

// What digests of ranges that are kept add to a row: of two replicas that do the same, one keeps them. How
// they differ anyhow is measured before.
void measure_rows(std::size_t items) {
  items = std::min<std::size_t>(items, 1'000'000);
  Side keeping(1), other(2);
  keeping.put(0, items, "value of an item, 32 bytes long.");
  other.put(0, items, "value of an item, 32 bytes long.");
  double row_ns = 0;
  const double before = median_difference(keeping, other, items, row_ns);
  require(keeping.shop->persisted_ranges().has_value(), "ranges are built");
  const double with = median_difference(keeping, other, items, row_ns);
  Record("syncline", "l3", "digests kept", items, "row")
      .number("row_ns", row_ns)
      .number("difference_before_ns", before)
      .number("difference_ns", with)
      .number("added_ns", with - before)
      .print();
}

int run(std::size_t items) {
  measure_rows(items);
  Side a(1), b(2);
  const Stopwatch loading;
  a.put(0, items, "value of an item, 32 bytes long.");
  b.put(0, items, "value of an item, 32 bytes long.");
  Record("syncline", "l3", "both", items, "load").took(loading.elapsed()).ops(2 * items).print();

  std::size_t next = items;
  const auto add = [&](std::size_t count) {
    a.put(next, next + count, "added");
    next += count;
    return count;
  };
  measure(a, b, items, add(1'000), "1000 added, digests built");
  measure(a, b, items, add(1'000), "1000 added, digests kept");
  measure(a, b, items, add(10), "10 added, digests kept");
  for (std::size_t i = 0; i < 1'000; ++i) a.put(i * (items / 1'000), i * (items / 1'000) + 1, "changed");
  measure(a, b, items, 1'000, "1000 changed, digests kept");
  constexpr std::size_t many = 100'000;
  if (items < 10 * many) return 0;  // All leaves would be sent.
  a.put(0, many, "changed again");
  measure(a, b, items, many, "100000 changed, digests kept");
  return 0;
}

}  // namespace
}  // namespace syncline::bench

int main(int argc, char** argv) {
  return syncline::bench::run(argc > 1 ? static_cast<std::size_t>(std::strtoull(argv[1], nullptr, 10))
                                       : 1'000'000);
}
