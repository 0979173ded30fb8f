// A fresh peer over loopback: from connecting to equal digests.
//
//   join_bench [ENTRIES [REPETITIONS [FRAMES_FILE]]]
//
// Two nodes in one process, each with a loop and a thread, in memory: one has
// ENTRIES fields of an LwwMap, written 1,000 a change, the other nothing. Random
// data (16 characters, 32 bytes, as in the workloads), text as people write it, and
// orders in JSON; staged beside the state, in place, and in place without compression.
// Time on the wall, for it is time on the way. `grown_mb` is what malloc handed out at most while it went on,
// sampled, less what the two had before and what the fresh one has in the end. With
// FRAMES_FILE the frames of the pass with text are written there: something to try compressors on.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bench/data.h"
#include "bench/record.h"
#include "net/node.h"
#include "store/replica.h"

namespace syncline::bench {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t batch = 1'000;
constexpr const char* keyspace_name = "bench";

// Samples what malloc has handed out, beside the work.
class Peak {
 public:
  Peak() : thread_([this] { watch(); }) {}
  ~Peak() { stop(); }
  Peak(const Peak&) = delete;
  Peak& operator=(const Peak&) = delete;

  double stop() {
    done_ = true;
    if (thread_.joinable()) thread_.join();
    return most_;
  }

 private:
  void watch() {
    while (!done_) {
      most_ = std::max(most_, allocated_bytes());
      std::this_thread::sleep_for(milliseconds(5));
    }
  }

  double most_ = 0;
  std::atomic<bool> done_{false};
  std::thread thread_;
};

struct Entries {
  std::vector<std::string> keys;
  std::vector<Value> values;
};

Entries random_entries(std::size_t count) {
  Entries entries{strings(count, key_chars, 1), {}};
  for (std::string& bytes : blobs(count, value_bytes, 2)) entries.values.emplace_back(Blob{std::move(bytes)});
  return entries;
}

// Orders of a shop: keys that share much, values of a few words each.
Entries text_entries(std::size_t count) {
  constexpr const char* words[] = {"order",  "apples", "pears",  "delivered", "waiting", "to",
                                   "Vienna", "Graz",   "before", "noon",      "paid",    "in",
                                   "cash",   "card",   "gift",   "box",       "two",     "three",
                                   "pounds", "of",     "ripe",   "red",       "green",   "please"};
  Mulberry32 random(3);
  Entries entries;
  for (std::size_t i = 0; i < count; ++i) {
    entries.keys.push_back(
        fmt::format("customer-{:06}/order-{:04}", random.next() % 50'000, i % 10'000 + i / 10'000));
    std::string text;
    for (int word = 0; word < 8; ++word) {
      if (word > 0) text += ' ';
      text += words[random.next() % std::size(words)];
    }
    entries.values.emplace_back(std::move(text));
  }
  return entries;
}

// The same as programs write them, some 145 bytes each.
Entries json_entries(std::size_t count) {
  constexpr const char* states[] = {"open", "paid", "packed", "delivered", "returned"};
  Mulberry32 random(4);
  Entries entries;
  for (std::size_t i = 0; i < count; ++i) {
    entries.keys.push_back(fmt::format("order/{:08x}{:06}", random.next(), i % 1'000'000));
    entries.values.emplace_back(fmt::format(
        R"({{"customer":{},"state":"{}","at":"2026-11-{:02}T{:02}:{:02}:{:02}Z","lines":[{{"sku":"A-{:05}","n":{},"cents":{}}},)"
        R"({{"sku":"B-{:05}","n":{},"cents":{}}}]}})",
        random.next() % 50'000, states[random.next() % std::size(states)], 1 + random.next() % 30,
        random.next() % 24, random.next() % 60, random.next() % 60, random.next() % 5'000,
        1 + random.next() % 9, random.next() % 10'000, random.next() % 5'000, 1 + random.next() % 9,
        random.next() % 10'000));
  }
  return entries;
}

Entries entries_of(std::string_view variant, std::size_t count) {
  return variant == "random" ? random_entries(count)
         : variant == "text" ? text_entries(count)
                             : json_entries(count);
}

void fill(Replica& replica, const Entries& entries) {
  Keyspace keyspace = replica.keyspace(keyspace_name);
  for (std::size_t at = 0; at < entries.keys.size(); at += batch) {
    const auto written = keyspace.update([&](Update& tx) {
      auto map = tx.map("m");
      for (std::size_t i = at; i < std::min(at + batch, entries.keys.size()); ++i)
        map.set(entries.keys[i], entries.values[i]);
    });
    require(written.has_value(), "an update failed");
  }
}

enum class Way { beside, in_place, in_place_plain };

void measure(Replica& source, const char* variant, Way way, std::size_t entries) {
  ReplicaOptions options;
  options.engine.join_in_place = way != Way::beside;
  auto fresh = Replica::open(std::move(options));
  require(fresh.has_value(), "no replica");
  const Keyspace there = source.keyspace(keyspace_name);
  const Keyspace here = fresh->keyspace(keyspace_name);
  NodeOptions giver{.cluster = "bench", .listen = "127.0.0.1:0"};
  giver.session.compress = way != Way::in_place_plain;
  auto a = Node::start(source, giver);
  require(a.has_value(), "no node");
  const double before = allocated_bytes();
  Peak peak;
  const Stopwatch watch;
  auto b = Node::start(*fresh, {.cluster = "bench", .join = {a->address()}});
  require(b.has_value(), "no node");
  require(here.wait_for(there.version(), std::chrono::minutes(10)).has_value(), "it didn't arrive");
  require(here.digests() == there.digests(), "the digests differ");
  const Elapsed time = watch.elapsed();
  const double grown = peak.stop() - allocated_bytes();
  const SessionMetrics traffic = b->traffic();
  Record("syncline", "join", variant, entries,
         way == Way::beside     ? "beside"
         : way == Way::in_place ? "in_place"
                                : "in_place_plain")
      .took(time)
      .ops(entries)
      .bytes(static_cast<double>(traffic.bytes_in + traffic.bytes_out))
      .number("state_mb", (allocated_bytes() - before) / 1e6)
      .number("grown_mb", grown / 1e6)
      .print();
}

// The frames of a pass as they leave, without a network.
void write_frames(Replica& full, const char* path) {
  auto fresh = Replica::open();
  require(fresh.has_value(), "no replica");
  fresh->keyspace(keyspace_name);
  auto from = full.connect({.cluster = "bench", .compress = false}, nullptr);
  auto to = fresh->connect({.cluster = "bench"}, nullptr);
  std::ofstream file(path, std::ios::binary);
  for (bool moved = true; moved;) {
    moved = false;
    while (const auto frame = from->send()) {
      file << *frame;
      moved = to->receive(*frame).has_value();
    }
    while (const auto frame = to->send()) moved = from->receive(*frame).has_value();
  }
}

int run(int argc, char** argv) {
  const std::size_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  const std::size_t repetitions = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 3;
  require(count > 0 && repetitions > 0, "usage: join_bench [ENTRIES [REPETITIONS [FRAMES_FILE]]]");
  for (const char* variant : {"random", "text", "json"}) {
    auto full = Replica::open();
    require(full.has_value(), "no replica");
    fill(*full, entries_of(variant, count));
    for (std::size_t rep = 0; rep < repetitions; ++rep)
      for (const Way way : {Way::beside, Way::in_place, Way::in_place_plain})
        measure(*full, variant, way, count);
    if (variant == std::string_view("text") && argc > 3) write_frames(*full, argv[3]);
  }
  return 0;
}

}  // namespace
}  // namespace syncline::bench

int main(int argc, char** argv) { return syncline::bench::run(argc, argv); }
