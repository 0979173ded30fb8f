// report FILE...: reads the records that `bench/run` gathered and prints the
// table of docs/performance.md: what was measured, the targets, and which were met.
//
// Times are processor time: the workloads never wait, so on an idle machine it
// is the time on the wall, and on a busy one what comes closest to it.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace syncline::bench {
namespace {

// Which records: by workload, phase, peer, and perhaps more.
struct Query {
  const char* workload;
  const char* phase;
  const char* peer = "syncline";
  const char* variant = nullptr;
  std::optional<double> batch = std::nullopt;
};

using Measure = std::function<double(const nlohmann::json& record)>;

double field(const nlohmann::json& record, const char* name) {
  const auto found = record.find(name);
  return found != record.end() && found->is_number() ? found->get<double>() : std::nan("");
}
Measure of(const char* name) {
  return [name](const nlohmann::json& record) { return field(record, name); };
}
double rate(const nlohmann::json& record) { return field(record, "ops") / field(record, "cpu_ms") * 1000; }

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

class Records {
 public:
  bool read(const char* path) {
    std::ifstream in(path);
    if (!in) return false;
    for (std::string line; std::getline(in, line);) {
      auto record = nlohmann::json::parse(line, nullptr, false);
      if (record.is_object() && record.contains("wl") && record.contains("phase"))
        records_.push_back(std::move(record));
    }
    return true;
  }

  // The median over all repetitions.
  std::optional<double> measure(const Query& query, const Measure& what) const {
    std::vector<double> values;
    for (const auto& [rep, each] : by_repetition(query, what)) values.push_back(each);
    if (values.empty()) return std::nullopt;
    return median(std::move(values));
  }

  // The median of the ratios of what was measured in the same repetition, when the machine was the same.
  std::optional<double> ratio(const Query& a, const Query& b, const Measure& what) const {
    const auto above = by_repetition(a, what);
    const auto below = by_repetition(b, what);
    std::vector<double> ratios;
    for (const auto& [rep, value] : above) {
      const auto other = below.find(rep);
      if (other != below.end()) ratios.push_back(value / other->second);
    }
    if (ratios.empty()) return std::nullopt;
    return median(std::move(ratios));
  }

 private:
  static bool matches(const nlohmann::json& record, const Query& query) {
    return record.value("peer", "") == query.peer && record.value("wl", "") == query.workload &&
           record.value("phase", "") == query.phase &&
           (query.variant == nullptr || record.value("variant", "") == query.variant) &&
           (!query.batch || field(record, "batch") == *query.batch);
  }
  std::map<double, double> by_repetition(const Query& query, const Measure& what) const {
    std::map<double, std::vector<double>> values;
    for (const nlohmann::json& record : records_) {
      if (!matches(record, query)) continue;
      const double value = what(record);
      if (std::isfinite(value)) values[record.value("rep", 0.0)].push_back(value);
    }
    std::map<double, double> medians;
    for (auto& [rep, each] : values) medians[rep] = median(std::move(each));
    return medians;
  }

  std::vector<nlohmann::json> records_;
};

enum class Better { higher, lower, equal };

// The lines of the table.
class Table {
 public:
  explicit Table(const Records& records) : records_(records) {
    fmt::print("| what | measured | target | |\n|---|---|---|---|\n");
  }

  // `shown` says what is printed for the value that is held against the target.
  void row(std::string_view what, std::optional<double> value, std::string_view shown, double target,
           Better better) {
    if (!value) return;
    const char* bound = better == Better::higher ? "at least " : better == Better::lower ? "at most " : "";
    const bool met = better == Better::higher  ? *value >= target
                     : better == Better::lower ? *value <= target
                                               : *value == target;
    fmt::print("| {} | {} | {}{:g} | {} |\n", what, shown, bound, target,
               met ? std::string("met") : fmt::format("**missed**, {:.2f} of it", *value / target));
    (met ? met_ : missed_) += 1;
  }
  void plain(std::string_view what, std::string_view shown) {
    fmt::print("| {} | {} | - | |\n", what, shown);
  }
  void summary() const { fmt::print("\n{} targets met, {} missed.\n", met_, missed_); }

  // Our rate against the floor's, and the hash map's for comparison.
  void rates(const char* what, const char* phase) {
    const Query ours{"w2", phase};
    const Query btree{"w2", phase, "floor", "absl::btree_map"};
    const Query hash{"w2", phase, "floor", "absl::flat_hash_map"};
    const auto rate_of = [&](const Query& query) { return records_.measure(query, rate).value_or(0) / 1e6; };
    const auto of_floor = records_.ratio(ours, btree, rate);
    if (!of_floor) return;
    row(fmt::format("W2: {}, of the floor's rate", what), of_floor,
        fmt::format("{:.2f} ({:.2f} M/s; floor {:.2f}, hash map {:.2f}: {:.2f} of it)", *of_floor,
                    rate_of(ours), rate_of(btree), rate_of(hash),
                    records_.ratio(ours, hash, rate).value_or(0)),
        0.9, Better::higher);
  }
  void value(std::string_view what, const Query& query, const Measure& measure, double target, Better better,
             const char* format = "{:.2f}") {
    const auto measured = records_.measure(query, measure);
    if (measured) row(what, measured, fmt::format(fmt::runtime(format), *measured), target, better);
  }

 private:
  const Records& records_;
  int met_ = 0;
  int missed_ = 0;
};

void print_w2(const Records& records, Table& table) {
  table.rates("insert 1 M", "insert");
  table.rates("overwrite", "overwrite");
  table.rates("remove", "delete");
  table.rates("look-up", "look_up");

  const Measure over_raw = of("over_raw_ratio");
  table.value("W2: encoded state over raw, transactions of 1,000", {"w2", "state_encode"}, over_raw, 1.06,
              Better::lower, "{:.3f}");
  table.value("W2: the same, of one operation", {"w2", "state_singles_encode"}, over_raw, 1.15, Better::lower,
              "{:.3f}");
  table.value("W2: the same, after overwriting half", {"w2", "state_overwritten_encode"}, over_raw, 1.15,
              Better::lower, "{:.3f}");
  const Query insert{"w2", "insert", "floor", "absl::btree_map"};
  const Query decode{"w2", "state_decode_iterate"};
  if (const auto of_floor = records.ratio(decode, insert, rate)) {
    table.row("W2: decode and read all, of the floor's insert rate", of_floor,
              fmt::format("{:.2f} ({:.2f} M/s)", *of_floor, records.measure(decode, rate).value_or(0) / 1e6),
              0.9, Better::higher);
  }
  if (const auto encode = records.measure({"w2", "state_encode"}, rate))
    table.plain("W2: encode", fmt::format("{:.2f} M/s", *encode / 1e6));

  const Measure over = of("over_raw");
  table.value("W2: bytes of a delta over raw, frame included, single insert", {"w2", "delta_insert"}, over,
              44, Better::lower, "{:.1f}");
  table.value("W2: the same, single overwrite", {"w2", "delta_overwrite"}, over, 48, Better::lower, "{:.1f}");
  table.value("W2: the same, an entry of a batch of 1,000 inserts", {"w2", "delta_batch_insert"}, over, 3,
              Better::lower, "{:.1f}");
  table.value("W2: the same, of 1,000 overwrites", {"w2", "delta_batch_overwrite"}, over, 8, Better::lower,
              "{:.1f}");
  table.value("W2: the same, of 1,000 single inserts by 8 writers in turn", {"w2", "delta_writers"}, over, 12,
              Better::lower, "{:.1f}");
  table.value("W2: the same, of 1,000 overwrites of what 8 writers made",
              {"w2", "delta_batch_overwrite_writers"}, over, 12, Better::lower, "{:.1f}");

  const auto memory_of = [&](const Query& query) { return records.measure(query, of("bytes_op")); };
  if (const auto memory = memory_of({"w2", "memory"})) {
    table.row("W2: memory per entry, log cut, B", memory,
              fmt::format("{:.0f} (btree_map {:.0f}, flat_hash_map {:.0f})", *memory,
                          memory_of({"w2", "memory", "floor", "absl::btree_map"}).value_or(0),
                          memory_of({"w2", "memory", "floor", "absl::flat_hash_map"}).value_or(0)),
              172.8, Better::lower);
  }
  if (const auto log = memory_of({"w2", "memory_log"}))
    table.plain("W2: memory of the log, per entry, B", fmt::format("{:.0f}", *log));
}

// The further types against what does the same job without replication.
void print_w5(const Records& records, Table& table) {
  const auto against = [&](const char* what, const char* phase, double target) {
    const Query ours{"w5", phase};
    const Query floor{"w5", phase, "floor"};
    const auto of_floor = records.ratio(ours, floor, rate);
    if (!of_floor) return;
    table.row(fmt::format("W5: {}", what), of_floor,
              fmt::format("{:.2f} ({:.2f} M/s; floor {:.2f})", *of_floor,
                          records.measure(ours, rate).value_or(0) / 1e6,
                          records.measure(floor, rate).value_or(0) / 1e6),
              target, Better::higher);
  };
  against("nested maps, 1 M fields at depth 4, of btree_map's insert rate", "nested_insert", 0.6);
  against("OrSet, 1 M elements: add, of btree_set's rate", "set_add", 0.9);
  against("the same: remove", "set_remove", 0.9);
  against("the same: contains", "set_contains", 0.9);
  against("MvRegister, 1 M writes to 1,000 keys, of assigning into a btree_map", "register_mv", 0.5);
  against("LwwRegister, the same", "register_lww", 0.5);
  against("BoundedCounter: spend, of a PnCounter's add", "bounded_spend", 0.5);
  table.value("W5: memory of an OrSet of 16-byte elements, each, log cut, B", {"w5", "set_memory"},
              of("bytes_op"), 194.4, Better::lower, "{:.0f}");
}

// Anti-entropy.
void print_w6(const Records& records, Table& table) {
  table.value("W6: a tick between equal peers, each way, B", {"w6", "idle"}, of("bytes_op"), 48,
              Better::lower, "{:.1f}");
  table.value("W6: naming a missing change, runs of 50 by 100 writers, B", {"w6", "name_runs"},
              of("bytes_op"), 0.1, Better::lower, "{:.3f}");
  if (const auto anew = records.measure({"w6", "name_runs_connect"}, of("bytes_op")))
    table.plain("W6: the same over a new connection", fmt::format("{:.3f}", *anew));
  table.value("W6: a pass of 1,000 fresh changes, over raw", {"w6", "fresh_pass"}, of("over_raw_ratio"), 1.06,
              Better::lower, "{:.3f}");
  table.value("W6: left by a million pairs of add and remove, B", {"w6", "pairs"}, of("bytes"), 1'024,
              Better::lower, "{:.0f}");
}

void print_table(const Records& records) {
  Table table(records);
  const auto in_millions = [](const nlohmann::json& record) { return rate(record) / 1e6; };
  table.value("W1: increments, M/s", {"w1", "inc"}, in_millions, 8, Better::higher, "{:.1f}");
  table.value("W1: a delta, without its frame, B", {"w1", "delta"}, of("bytes_op"), 20, Better::lower,
              "{:.1f}");
  if (const auto frame = records.measure({"w1", "delta"}, of("frame_bytes_op")))
    table.plain("W1: a delta with its frame, B", fmt::format("{:.1f}", *frame));
  print_w2(records, table);

  const Query first{"w3", "sync", "syncline", nullptr, 1};
  const Query next{"w3", "sync_next", "syncline", nullptr, 1};
  const Query anew{"w3", "sync_connect", "syncline", nullptr, 1};
  table.value("W3: sync, the first time, ms", first, of("cpu_ms"), 4, Better::lower);
  table.value("W3: sync, rounds 2 to 4, ms", next, of("cpu_ms"), 4, Better::lower);
  table.value("W3: sync over a new connection, ms", anew, of("cpu_ms"), 4, Better::lower);
  table.value("W3: bytes of a sync", next, of("bytes"), 101'000, Better::lower, "{:.0f}");
  table.value("W3: bytes of a sync over a new connection", anew, of("bytes"), 101'000, Better::lower,
              "{:.0f}");
  table.value("W3: bytes when equal", {"w3", "resync"}, of("bytes"), 64, Better::lower, "{:.0f}");

  const Query total{"w4", "total"};
  table.value(
      "W4: 8 x 10,000, s", total, [](const nlohmann::json& record) { return field(record, "cpu_ms") / 1e3; },
      0.4, Better::lower);
  table.value("W4: elements at the end", total, of("size"), 6'712, Better::equal, "{:.0f}");
  table.value(
      "W4: MB sent", total, [](const nlohmann::json& record) { return field(record, "bytes") / 1e6; }, 5.59,
      Better::lower);
  print_w5(records, table);
  print_w6(records, table);
  table.value("Two nodes over loopback, of a raw echo's rate", {"net", "ratio"}, of("ratio"), 0.2,
              Better::higher);
  table.summary();
}

int run(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: report FILE...\n");
    return 2;
  }
  Records records;
  for (int i = 1; i < argc; ++i) {
    if (records.read(argv[i])) continue;
    fmt::print(stderr, "report: can't read {}\n", argv[i]);
    return 1;
  }
  print_table(records);
  return 0;
}

}  // namespace
}  // namespace syncline::bench

int main(int argc, char** argv) { return syncline::bench::run(argc, argv); }
