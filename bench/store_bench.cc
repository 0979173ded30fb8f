// A replica in a file against raw SQLite: one WITHOUT ROWID table of the same
// keys and values, with the same settings, in the same run.
//
//   store_bench FOLDER [ENTRIES]
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/data.h"
#include "bench/record.h"
#include "store/store.h"

namespace syncline::bench {
namespace {

constexpr int repetitions = 5;
constexpr std::size_t commits = 300;
constexpr std::size_t reads = 100'000;

// Raw SQLite with the settings of a store.
class Floor {
 public:
  Floor(const std::string& path, std::size_t cache_bytes) {
    require(sqlite3_open(path.c_str(), &db_) == SQLITE_OK, "the floor opens");
    execute(
        fmt::format("PRAGMA locking_mode=EXCLUSIVE; PRAGMA mmap_size=0; PRAGMA cache_size=-{};"
                    "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=4096; PRAGMA synchronous=FULL;"
                    "CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID",
                    cache_bytes / 1024));
    prepare("INSERT OR REPLACE INTO entries VALUES (?, ?)", put_);
    prepare("SELECT value FROM entries WHERE key = ?", get_);
  }
  ~Floor() {
    sqlite3_finalize(put_);
    sqlite3_finalize(get_);
    sqlite3_close(db_);
  }
  Floor(const Floor&) = delete;
  Floor& operator=(const Floor&) = delete;

  void write(std::span<const std::string> keys, std::span<const std::string> values) {
    execute("BEGIN IMMEDIATE");
    for (std::size_t i = 0; i < keys.size(); ++i) {
      bind(put_, 1, keys[i]);
      bind(put_, 2, values[i]);
      require(sqlite3_step(put_) == SQLITE_DONE, "the floor writes");
      sqlite3_reset(put_);
    }
    execute("COMMIT");
  }
  std::size_t read(const std::string& key) {
    bind(get_, 1, key);
    require(sqlite3_step(get_) == SQLITE_ROW, "the floor reads");
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(get_, 0));
    sqlite3_reset(get_);
    return size;
  }

 private:
  void execute(const std::string& sql) {
    require(sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK, sql);
  }
  void prepare(const char* sql, sqlite3_stmt*& statement) {
    require(sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr) == SQLITE_OK, sql);
  }
  static void bind(sqlite3_stmt* statement, int place, const std::string& bytes) {
    sqlite3_bind_blob(statement, place, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC);
  }

  sqlite3* db_ = nullptr;
  sqlite3_stmt* put_ = nullptr;
  sqlite3_stmt* get_ = nullptr;
};

// Ours: registers, one for each key.
class Ours {
 public:
  explicit Ours(ReplicaOptions options) {
    auto opened = Replica::open(std::move(options));
    require(opened.has_value(), opened ? "" : to_string(opened.error()));
    replica_.emplace(std::move(*opened));
    keyspace_.emplace(replica_->keyspace("k"));
  }
  void write(std::span<const std::string> keys, std::span<const std::string> values) {
    const auto written = keyspace_->update([&](Update& tx) {
      for (std::size_t i = 0; i < keys.size(); ++i) tx.reg(keys[i]).set(Blob{values[i]});
    });
    require(written.has_value(), "ours writes");
  }
  std::size_t read(const std::string& key) {
    const auto value = keyspace_->reg(key).get();
    require(value.has_value() && value->has_value(), "ours reads");
    return value_bytes;
  }

 private:
  std::optional<Replica> replica_;
  std::optional<Keyspace> keyspace_;
};

void print(std::string_view what, double ours, double floor, std::string_view unit, double ratio,
           std::string_view target) {
  fmt::print("| {} | {:.4g} {} | {:.4g} {} | {:.2f} | {} |\n", what, ours, unit, floor, unit, ratio, target);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Data {
  std::vector<std::string> keys;
  std::vector<std::string> values;
};

template <class Store>
void fill(Store& store, const Data& data) {
  constexpr std::size_t batch = 10'000;
  for (std::size_t at = 0; at < data.keys.size(); at += batch) {
    const std::size_t count = std::min(batch, data.keys.size() - at);
    store.write({data.keys.data() + at, count}, {data.values.data() + at, count});
  }
}

template <class Store>
double commits_per_second(Store& store, const Data& data, std::size_t from, std::size_t size) {
  const Stopwatch watch;
  for (std::size_t i = 0; i < commits; ++i)
    store.write({data.keys.data() + from + i * size, size}, {data.values.data() + from + i * size, size});
  return static_cast<double>(commits) / watch.elapsed().wall_ms * 1000;
}

void measure_commits(const std::string& folder, std::string_view what, bool ordered, std::size_t size,
                     std::string_view target) {
  Data data{strings(repetitions * commits * size, key_chars, 1),
            blobs(repetitions * commits * size, value_bytes, 2)};
  if (ordered) std::sort(data.keys.begin(), data.keys.end());
  Floor floor(folder + "/floor.db", std::size_t{256} << 20);
  Ours ours({.path = folder + "/ours.db"});
  std::vector<double> ratios, ours_rates, floor_rates;
  for (std::size_t i = 0; i < repetitions; ++i) {
    floor_rates.push_back(commits_per_second(floor, data, i * commits * size, size));
    ours_rates.push_back(commits_per_second(ours, data, i * commits * size, size));
    ratios.push_back(ours_rates.back() / floor_rates.back());
  }
  print(what, median(ours_rates), median(floor_rates), "/s", median(ratios), target);
}

template <class Store>
double read_ns(Store& store, const Data& data) {
  Mulberry32 random(7);
  std::size_t bytes = 0;
  const Stopwatch watch;
  for (std::size_t i = 0; i < reads; ++i) bytes += store.read(data.keys[random.next() % data.keys.size()]);
  const double ns = watch.elapsed().wall_ms * 1e6 / static_cast<double>(reads);
  require(bytes == reads * value_bytes, "all is there");
  return ns;
}

template <class A, class B>
void measure_reads(std::string_view what, A& ours, B& other, const Data& data, std::string_view target) {
  std::vector<double> ratios, ours_ns, other_ns;
  for (int i = 0; i < repetitions; ++i) {
    other_ns.push_back(read_ns(other, data));
    ours_ns.push_back(read_ns(ours, data));
    ratios.push_back(ours_ns.back() / other_ns.back());
  }
  print(what, median(ours_ns), median(other_ns), "ns", median(ratios), target);
}

double file_bytes(const std::string& path) { return static_cast<double>(std::filesystem::file_size(path)); }

void measure_large(const std::string& folder, std::size_t entries) {
  const Data data{strings(entries, key_chars, 1), blobs(entries, value_bytes, 2)};
  const std::string floor_path = folder + "/floor-large.db";
  const std::string path = folder + "/ours-large.db";
  const std::string cut_path = folder + "/ours-cut.db";
  const EngineOptions whole_log{.log_bytes_max = std::size_t{1} << 40};
  const EngineOptions no_log{.log_bytes_max = 0};
  const auto count = static_cast<double>(entries);
  {
    Floor floor(floor_path, std::size_t{256} << 20);
    fill(floor, data);
    Ours ours({.path = path, .engine = whole_log});
    fill(ours, data);
    Ours cut({.path = cut_path, .engine = no_log});
    fill(cut, data);
  }
  const double floor_bytes = file_bytes(floor_path) / count;
  print("bytes per entry, log cut", file_bytes(cut_path) / count, floor_bytes, "B",
        file_bytes(cut_path) / count / floor_bytes, "at most 1.5");
  print("bytes per entry, with log", file_bytes(path) / count, floor_bytes, "B",
        file_bytes(path) / count / floor_bytes, "at most 2.5");
  for (const auto& [what, at] :
       {std::pair("open to first read, ms", cut_path), {"the same, with the log of all", path}}) {
    std::vector<double> opened, written;
    for (int i = 0; i < repetitions; ++i) {
      const Stopwatch opening;
      Ours ours({.path = at, .engine = whole_log});
      ours.read(data.keys[0]);
      opened.push_back(opening.elapsed().wall_ms);
      const Stopwatch writing;  // Reads the log first.
      ours.write({data.keys.data(), 1}, {data.values.data(), 1});
      written.push_back(writing.elapsed().wall_ms);
    }
    fmt::print("| {} | {:.3g} | | | at most 100 |\n", what, median(opened));
    fmt::print("| its first write then, ms | {:.3g} | | | |\n", median(written));
  }
  Ours memory(ReplicaOptions{});
  fill(memory, data);
  Ours cached({.path = cut_path, .engine = no_log});
  read_ns(cached, data);
  measure_reads("read of a cached entry, against memory", cached, memory, data, "at most 1.5");
  constexpr std::size_t small_cache = 1 << 20;
  // Of a replica's memory eleven sixteenths are for what was read.
  Ours uncached({.path = path, .memory_bytes = small_cache * 16 / 11, .engine = whole_log});
  Floor floor(floor_path, small_cache);
  measure_reads("read of an uncached entry, against raw SQLite", uncached, floor, data, "at most 1.5");
}

int run(int argc, char** argv) {
  std::size_t entries = 1'000'000;
  const bool told = argc == 3;
  if (told) {
    const char* const end = argv[2] + std::strlen(argv[2]);
    if (std::from_chars(argv[2], end, entries).ptr != end || entries == 0) argc = 0;
  }
  if (argc < 2 || argc > 3) {
    fmt::print(stderr, "usage: store_bench FOLDER [ENTRIES]\n");
    return 2;
  }
  auto fresh = [n = 0, base = std::string(argv[1])]() mutable {
    const std::string made = fmt::format("{}/{}-{}", base, ::getpid(), ++n);
    std::filesystem::create_directories(made);
    return made;
  };
  fmt::print("| what | ours | floor | ratio | target |\n|---|---|---|---|---|\n");
  measure_commits(fresh(), "durable commits of 100 operations, ordered", true, 100, "at least 0.5");
  measure_commits(fresh(), "durable commits of 100 operations, random", false, 100, "at least 0.5");
  measure_commits(fresh(), "durable commits of one operation", false, 1, "at least 0.7");
  measure_large(fresh(), entries);
  return 0;
}

}  // namespace
}  // namespace syncline::bench

int main(int argc, char** argv) { return syncline::bench::run(argc, argv); }
