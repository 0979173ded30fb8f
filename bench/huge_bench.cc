// A replica in a file far larger than its memory: how long it takes to open, and
// what it holds of memory while it is read, written, checked and synced.
//
//   huge_bench FOLDER [ENTRIES]      20,000,000 unless told; three times 100 bytes of disk for each
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>

#include "bench/data.h"
#include "bench/record.h"
#include "store/store.h"

namespace syncline::bench {
namespace {

constexpr std::size_t batch = 10'000;
constexpr std::size_t reads = 200'000;
constexpr std::size_t writes = 100'000;
constexpr std::size_t scanned = 1'000'000;

// Sixteen characters, in order of their numbers.
std::string key(std::size_t number) { return fmt::format("{:016}", number); }

Replica open(const std::string& path, std::size_t memory_bytes) {
  auto opened = Replica::open({.path = path, .memory_bytes = memory_bytes});
  require(opened.has_value(), opened ? "" : to_string(opened.error()));
  return std::move(*opened);
}

void write(Keyspace& keyspace, std::size_t count, const std::function<std::size_t()>& next,
           const std::string& value) {
  const auto written = keyspace.update([&](Update& tx) {
    for (std::size_t i = 0; i < count; ++i) tx.reg(key(next())).set(Blob{value});
  });
  require(written.has_value(), written ? "" : to_string(written.error()));
}

double mebibytes(std::string_view field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(field)) return std::strtod(line.c_str() + field.size(), nullptr) / 1024;
  return 0;
}

// Runs a step and prints what it took, with the peak of memory meanwhile.
void step(std::string_view what, std::size_t times, const std::function<void()>& run) {
  std::ofstream("/proc/self/clear_refs") << "5";  // The peak begins anew.
  const Stopwatch watch;
  run();
  const Elapsed took = watch.elapsed();
  fmt::print("| {} | {:.0f} ms | {:.2f} us | {:.0f} MiB | {:.0f} MiB |\n", what, took.wall_ms,
             took.wall_ms * 1000 / static_cast<double>(times), mebibytes("VmRSS:"), mebibytes("VmHWM:"));
  std::fflush(stdout);
}

void carry(Replica::Link& from, Replica::Link& to) {
  while (const auto frame = from.send()) require(to.receive(*frame).has_value(), "frames are taken");
}

void sync(Replica& a, Replica& b) {
  const auto one = a.connect({}, nullptr);
  const auto other = b.connect({}, nullptr);
  while (!one->in_sync() || !other->in_sync()) {
    carry(*one, *other);
    carry(*other, *one);
    one->run();
    other->run();
  }
}

int run(const std::string& folder, std::size_t entries) {
  const std::string path = folder + "/huge.db";
  const std::string copy = folder + "/copy.db";
  constexpr std::size_t memory = std::size_t{256} << 20;
  const std::string value = blobs(1, value_bytes, 1).front();
  fmt::print("| what | time | each | resident | peak |\n|---|---|---|---|---|\n");
  step("fill, in order", entries, [&] {
    Replica replica = open(path, memory);
    Keyspace keyspace = replica.keyspace("k");
    std::size_t at = 0;
    while (at < entries)
      write(
          keyspace, std::min(batch, entries - at), [&] { return at++; }, value);
  });
  Mulberry32 random(7);
  const auto any = [&] { return random.next() % entries; };
  std::optional<Replica> replica;
  std::optional<Keyspace> keyspace;
  step("open to first read", 1, [&] {
    replica.emplace(open(path, memory));
    keyspace.emplace(replica->keyspace("k"));
    require(keyspace->reg(key(entries / 2)).get()->has_value(), "it is there");
  });
  step(fmt::format("read {} at random", reads), reads, [&] {
    for (std::size_t i = 0; i < reads; ++i)
      require(keyspace->reg(key(any())).get()->has_value(), "all are there");
  });
  step(fmt::format("iterate over {}", std::min(scanned, entries)), std::min(scanned, entries), [&] {
    std::size_t seen = 0;
    static_cast<void>(keyspace->for_each_key("", [&](std::string_view, Type) { return ++seen < scanned; }));
    require(seen == std::min(scanned, entries), "all are seen");
  });
  step("back up", entries, [&] { require(replica->backup(copy).has_value(), "it is copied"); });
  step(fmt::format("overwrite {} at random, 100 a change", writes), writes, [&] {
    for (std::size_t i = 0; i < writes / 100; ++i) write(*keyspace, 100, any, std::string(value_bytes, 'x'));
  });
  step("sync these with the backup, opened in 16 MiB", writes, [&] {
    Replica other = open(copy, std::size_t{16} << 20);
    static_cast<void>(other.keyspace("k"));
    sync(*replica, other);
  });
  step("check the whole file", entries, [&] {
    const auto health = replica->scrub();
    require(health.has_value() && health->damaged_pages + health->quarantined.size() == 0,
            "nothing is damaged");
  });
  return 0;
}

int run(int argc, char** argv) {
  std::size_t entries = 20'000'000;
  if (argc == 3) {
    const char* const end = argv[2] + std::strlen(argv[2]);
    if (std::from_chars(argv[2], end, entries).ptr != end || entries == 0) argc = 0;
  }
  if (argc < 2 || argc > 3) {
    fmt::print(stderr, "usage: huge_bench FOLDER [ENTRIES]\n");
    return 2;
  }
  const std::string folder = fmt::format("{}/huge-{}", argv[1], ::getpid());
  std::filesystem::create_directories(folder);
  const int answer = run(folder, entries);
  std::filesystem::remove_all(folder);
  return answer;
}

}  // namespace
}  // namespace syncline::bench

int main(int argc, char** argv) { return syncline::bench::run(argc, argv); }
