// Runs the simulator by hand: one seed again, or new ones for as long as wanted.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "tests/sim/sim.h"

namespace {

using syncline::sim::Defect;
using syncline::sim::Sim;
using syncline::sim::SimCounts;
using syncline::sim::SimOptions;

constexpr const char* usage =
    "usage: sim_run [--seed S] [--events N] [--seconds N] [--defect NAME]\n"
    "  --seed S       the first seed (1)\n"
    "  --events N     frames, operations and faults of chaos a seed (20000)\n"
    "  --seconds N    go on with the seeds that follow for so long; without it one seed runs\n"
    "  --defect NAME  plant a defect\n";

void print(const SimCounts& counts, double seconds) {
  const auto n = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf("%llu frames, %llu operations, %llu faults in %.2f s of one core: %.0f a second\n",
              n(counts.frames), n(counts.operations), n(counts.faults), seconds,
              static_cast<double>(counts.events()) / seconds);
  std::printf("rows %llu, cuts %llu, crashes %llu, failed commits %llu, replays %llu (%llu refused)\n",
              n(counts.rows), n(counts.cuts), n(counts.crashes), n(counts.commits_failed), n(counts.replays),
              n(counts.replays_refused));
  std::printf(
      "duplicates %llu, early dropped %llu, log entries cut %llu, full checks %llu, calm after %llu ticks\n",
      n(counts.duplicates), n(counts.early), n(counts.log_cut), n(counts.full_checks), n(counts.calm_ticks));
  std::printf(
      "passes %llu (%llu full), wants %llu (%llu resumed, %llu refused), pushes %llu, chunks %llu (%llu "
      "closing), rounds %llu, dead rows %llu, continued frames %llu\n",
      n(counts.passes), n(counts.full_passes), n(counts.wire.wants), n(counts.wire.resumed),
      n(counts.wire.refused), n(counts.wire.pushes), n(counts.wire.chunks), n(counts.wire.closing),
      n(counts.wire.new_rounds), n(counts.wire.dead_rows), n(counts.wire.continued));
}

}  // namespace

int main(int argc, char** argv) {
  SimOptions options;
  double seconds = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    const char* value = i + 1 < argc ? argv[++i] : nullptr;
    bool known = value != nullptr;
    if (known && flag == "--seed") {
      options.seed = std::strtoull(value, nullptr, 10);
    } else if (known && flag == "--events") {
      options.events = std::strtoull(value, nullptr, 10);
    } else if (known && flag == "--seconds") {
      seconds = std::strtod(value, nullptr);
    } else if (known && flag == "--defect") {
      known = false;
      for (const Defect defect : syncline::sim::all_defects) {
        if (std::string_view(name(defect)) != value) continue;
        options.defect = defect;
        known = true;
      }
    } else {
      known = false;
    }
    if (!known) {
      std::fputs(usage, stderr);
      return 2;
    }
  }
  using Clock = std::chrono::steady_clock;
  const auto began = Clock::now();
  const auto elapsed = [&began] { return std::chrono::duration<double>(Clock::now() - began).count(); };
  const auto spent = [] { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; };
  SimCounts total;
  for (bool first = true; first || elapsed() < seconds; first = false, ++options.seed) {
    Sim sim(options);
    const bool held = sim.run();
    total.add(sim.counts());
    if (seconds == 0)
      std::printf("seed %llu, trace %016llx\n", static_cast<unsigned long long>(options.seed),
                  static_cast<unsigned long long>(sim.trace_hash()));
    if (held) continue;
    std::printf("FAILED: %s\n  %s\n", sim.replay().c_str(), sim.violation()->c_str());
    print(total, spent());
    return 1;
  }
  print(total, spent());
  return 0;
}
