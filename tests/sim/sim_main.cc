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

using syncline::sim::Fault;
using syncline::sim::Mark;
using syncline::sim::Sim;
using syncline::sim::SimCounts;
using syncline::sim::SimOptions;

constexpr const char* usage =
    "usage: sim_run [--seed S] [--events N] [--operations N] [--without FAULT]... [--seconds N]\n"
    "               [--defect NAME] [--marks yes] [--soak N]\n"
    "  --seed S         the first seed (1)\n"
    "  --events N       frames, operations and faults of chaos a seed (20000)\n"
    "  --operations N   of the operations only the first so many are carried out\n"
    "  --without FAULT  leave out a kind of fault\n"
    "  --seconds N      go on with the seeds that follow for so long; without it one seed runs\n"
    "  --defect NAME    plant a defect\n"
    "  --marks yes      print how often each fault struck and each mark was reached\n"
    "  --soak N         the N-th of several at once: seconds, seed and marks as `make soak` says by\n"
    "                   SYNCLINE_SOAK_MINUTES and SYNCLINE_SOAK_SEED\n";

struct Command {
  SimOptions options;
  double seconds = 0;
  bool marks = false;
};

// Sets what the flag says. False if there is no such flag or value.
bool take(Command& command, std::string_view flag, const char* value) {
  if (flag == "--seed") {
    command.options.seed = std::strtoull(value, nullptr, 10);
  } else if (flag == "--events") {
    command.options.events = std::strtoull(value, nullptr, 10);
  } else if (flag == "--operations") {
    command.options.operations = std::strtoull(value, nullptr, 10);
  } else if (flag == "--seconds") {
    command.seconds = std::strtod(value, nullptr);
  } else if (flag == "--marks") {
    command.marks = std::string_view(value) == "yes";
  } else if (flag == "--soak") {
    const char* const minutes = std::getenv("SYNCLINE_SOAK_MINUTES");
    const char* const seed = std::getenv("SYNCLINE_SOAK_SEED");
    command.seconds = minutes == nullptr ? 60 : std::strtod(minutes, nullptr) * 60;
    command.options.seed = seed == nullptr ? 1'000'000 : std::strtoull(seed, nullptr, 10);
    command.options.seed += std::strtoull(value, nullptr, 10) * 100'000'000;
    command.marks = true;
  } else if (flag == "--without") {
    const auto fault = syncline::sim::fault_of(value);
    if (!fault) return false;
    command.options.without.push_back(*fault);
  } else if (flag == "--defect") {
    const auto defect = syncline::sim::defect_of(value);
    if (!defect) return false;
    command.options.defect = *defect;
  } else {
    return false;
  }
  return true;
}

void print(const SimCounts& counts, std::uint64_t seeds, double seconds, bool marks) {
  const auto n = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf("%llu seeds: %llu frames, %llu operations, %llu faults in %.2f s of one core: %.0f a second\n",
              n(seeds), n(counts.frames), n(counts.operations), n(counts.faults), seconds,
              static_cast<double>(counts.events()) / seconds);
  std::printf("%llu rows, %llu full checks, calm after %llu ticks at most\n", n(counts.rows),
              n(counts.full_checks), n(counts.calm_ticks));
  if (!marks) return;
  for (const Fault fault : syncline::sim::all_faults())
    std::printf("%-20s %10llu\n", name(fault), n(counts.struck[static_cast<std::size_t>(fault)]));
  for (std::size_t i = 0; i < syncline::sim::mark_count; ++i)
    std::printf("%-20s %10llu\n", name(static_cast<Mark>(i)), n(counts.marks.counts[i]));
}

// Runs until a seed fails, or time is over. Whether all held.
bool run(Command command) {
  using Clock = std::chrono::steady_clock;
  const auto began = Clock::now();
  const auto elapsed = [&began] { return std::chrono::duration<double>(Clock::now() - began).count(); };
  const auto spent = [] { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; };
  SimCounts total;
  std::uint64_t seeds = 0;
  SimOptions& options = command.options;
  for (; seeds == 0 || elapsed() < command.seconds; ++options.seed) {
    ++seeds;
    Sim sim(options);
    const bool held = sim.run();
    total.add(sim.counts());
    if (command.seconds == 0)
      std::printf("seed %llu, trace %016llx\n", static_cast<unsigned long long>(options.seed),
                  static_cast<unsigned long long>(sim.trace_hash()));
    if (held) continue;
    std::printf("FAILED: %s\n  %s\n", replay(options).c_str(), sim.violation()->c_str());
    const SimOptions smallest = shrink(options);
    Sim again(smallest);
    again.run();
    std::printf("smaller: %s\n  %s\n", replay(smallest).c_str(), again.violation()->c_str());
    print(total, seeds, spent(), command.marks);
    return false;
  }
  print(total, seeds, spent(), command.marks);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Command command;
  for (int i = 1; i < argc; ++i) {
    const char* const flag = argv[i];
    if (i + 1 < argc && take(command, flag, argv[++i])) continue;
    std::fputs(usage, stderr);
    return 2;
  }
  return run(std::move(command)) ? 0 : 1;
}
