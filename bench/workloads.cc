// workloads COMMAND [N]: runs one workload once and prints its records. `bench/run` runs them all.
#include "bench/workloads.h"

#include <charconv>
#include <cstring>
#include <iterator>
#include <string_view>

#include "bench/data.h"
#include "bench/record.h"

namespace syncline::bench {
namespace {

struct Command {
  const char* name;
  std::size_t n;  // Unless told.
  void (*run)(std::size_t n);
};

// What other generators of the same data print: the hashes must be equal.
void run_check(std::size_t n) {
  std::uint32_t text = fnv1a({});
  for (const std::string& each : strings(n, key_chars, 1)) text = fnv1a(each, text);
  std::uint32_t bytes = fnv1a({});
  for (const std::string& each : blobs(n, value_bytes, 2)) bytes = fnv1a(each, bytes);
  fmt::print("strings({0},16,1) fnv1a {1:08x}, first {2}; blobs({0},32,2) fnv1a {3:08x}\n", n, text,
             strings(1, key_chars, 1).front(), bytes);
}

constexpr Command commands[] = {
    {"check", 1'000, run_check},
    {"w1", 1'000'000, run_w1},
    {"w1-floor", 1'000'000, run_w1_floor},
    {"w2", 1'000'000, [](std::size_t n) { run_w2(W2Peer::syncline, n); }},
    {"w2-btree", 1'000'000, [](std::size_t n) { run_w2(W2Peer::btree, n); }},
    {"w2-hash", 1'000'000, [](std::size_t n) { run_w2(W2Peer::hash, n); }},
    {"w2-memory", 1'000'000, [](std::size_t n) { run_w2_memory(W2Peer::syncline, n); }},
    {"w2-memory-btree", 1'000'000, [](std::size_t n) { run_w2_memory(W2Peer::btree, n); }},
    {"w2-memory-hash", 1'000'000, [](std::size_t n) { run_w2_memory(W2Peer::hash, n); }},
    {"w2-state", 1'000'000, [](std::size_t n) { run_w2_state(History::transactions, n); }},
    {"w2-state-singles", 1'000'000, [](std::size_t n) { run_w2_state(History::singles, n); }},
    {"w2-state-overwritten", 1'000'000, [](std::size_t n) { run_w2_state(History::half_overwritten, n); }},
    {"w2-deltas", 100'000, run_w2_deltas},
    {"w3", 100'000, run_w3},
    {"w4", 10'000, run_w4},
    {"w5", 1'000'000, run_w5},
    {"w5-registers", 1'000'000, run_w5_registers},
    {"w5-memory", 1'000'000, run_w5_memory},
    {"w6", 1'000'000, run_w6},
};

int usage() {
  fmt::print(stderr, "usage: workloads COMMAND [N], with one of these commands:\n");
  for (const Command& command : commands) fmt::print(stderr, "  {} (N is {})\n", command.name, command.n);
  return 2;
}

int run(int argc, char** argv) {
  if (argc < 2 || argc > 3) return usage();
  for (const Command& command : commands) {
    if (std::string_view(argv[1]) != command.name) continue;
    std::size_t n = command.n;
    if (argc == 3) {
      const char* const end = argv[2] + std::strlen(argv[2]);
      const auto parsed = std::from_chars(argv[2], end, n);
      if (parsed.ec != std::errc() || parsed.ptr != end || n == 0) return usage();
    }
    command.run(n);
    return 0;
  }
  return usage();
}

}  // namespace
}  // namespace syncline::bench

int main(int argc, char** argv) { return syncline::bench::run(argc, argv); }
