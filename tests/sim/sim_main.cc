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
    "usage: sim_run [--seed S] [--events N] [--operations N] [--without FAULT]... [--with FAULT=N]...\n"
    "               [--replicas N] [--seconds N] [--defect NAME] [--marks yes] [--soak N]\n"
    "  --seed S         the first seed (1)\n"
    "  --events N       frames, operations and faults of chaos a seed (20000)\n"
    "  --operations N   of the operations only the first so many are carried out\n"
    "  --without FAULT  leave out a kind of fault\n"
    "  --with FAULT=N   put one in, once in N occasions; rot comes in no other way\n"
    "  --replicas N     so many machines, 2 to 6, whatever the seed says\n"
    "  --seconds N      go on with the seeds that follow for so long; without it one seed runs\n"
    "  --seeds N        run so many seeds\n"
    "  --defect NAME    plant a defect\n"
    "  --marks yes      print how often each fault struck and each mark was reached\n"
    "  --soak N         the N-th of several at once: seconds, seed and marks as `make soak` says by\n"
    "                   SYNCLINE_SOAK_MINUTES and SYNCLINE_SOAK_SEED; the first plants all defects, too\n";

struct Command {
  SimOptions options;
  double seconds = 0;
  std::uint64_t seeds = 1;
  bool marks = false;
  std::uint64_t soak = 0;
};

unsigned long long n(std::uint64_t value) { return value; }
double seconds_spent() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

bool take_with(SimOptions& options, std::string_view value) {
  const std::size_t equals = value.find('=');
  const auto fault = syncline::sim::fault_of(value.substr(0, equals));
  if (!fault || equals == std::string_view::npos) return false;
  const std::uint64_t once_in = std::strtoull(value.data() + equals + 1, nullptr, 10);
  options.with.emplace_back(*fault, once_in);
  return once_in != 0;
}

void take_soak(Command& command, std::uint64_t which) {
  const char* const minutes = std::getenv("SYNCLINE_SOAK_MINUTES");
  const char* const seed = std::getenv("SYNCLINE_SOAK_SEED");
  command.seconds = minutes == nullptr ? 3'600 : std::strtod(minutes, nullptr) * 60;
  command.options.seed = seed == nullptr ? 1'000'000 : std::strtoull(seed, nullptr, 10);
  command.options.seed += which * 100'000'000;
  command.marks = true;
  command.soak = which;
}

// Sets what the flag says. False if there is no such flag or value.
bool take(Command& command, std::string_view flag, const char* value) {
  SimOptions& options = command.options;
  const std::uint64_t number = std::strtoull(value, nullptr, 10);
  if (flag == "--seed") {
    options.seed = number;
  } else if (flag == "--events") {
    options.events = number;
  } else if (flag == "--operations") {
    options.operations = number;
  } else if (flag == "--replicas") {
    options.replicas = static_cast<std::uint32_t>(number);
    return number >= 2 && number <= 6;
  } else if (flag == "--seconds") {
    command.seconds = std::strtod(value, nullptr);
  } else if (flag == "--seeds") {
    command.seeds = number;
  } else if (flag == "--marks") {
    command.marks = std::string_view(value) == "yes";
  } else if (flag == "--soak") {
    take_soak(command, number);
  } else if (flag == "--with") {
    return take_with(options, value);
  } else if (flag == "--without") {
    const auto fault = syncline::sim::fault_of(value);
    if (!fault) return false;
    options.without.push_back(*fault);
  } else if (flag == "--defect") {
    const auto defect = syncline::sim::defect_of(value);
    if (!defect) return false;
    options.defect = *defect;
  } else {
    return false;
  }
  return true;
}

// Where a soak is, once a minute.
void tell_progress(const SimCounts& counts, std::uint64_t seeds, double elapsed, double of) {
  std::printf("%.0f of %.0f minutes: %llu seeds, %llu frames, operations and faults, all checks held\n",
              elapsed / 60, of / 60, n(seeds), n(counts.events()));
  std::fflush(stdout);
}

// What came of the run: the events and, if wanted, how often what.
void print(const SimCounts& counts, std::uint64_t seeds, bool marks) {
  const double seconds = seconds_spent();
  std::printf("%llu seeds: %llu frames, %llu operations, %llu faults in %.2f s of one core: %.0f a second\n",
              n(seeds), n(counts.frames), n(counts.operations), n(counts.faults), seconds,
              static_cast<double>(counts.events()) / seconds);
  std::printf("%llu rows, %llu full checks, calm after %llu ticks at most\n", n(counts.rows),
              n(counts.full_checks), n(counts.calm_ticks));
  if (counts.loose_ticks != 0)
    std::printf("with lies or dots used twice: calm after %llu ticks at most\n", n(counts.loose_ticks));
  if (counts.frames_due != 0)
    std::printf(
        "sent: %llu frames, %llu bytes; each change once to each other machine: %llu, %llu of keys and "
        "values; "
        "%.2f and %.2f times that\n",
        n(counts.frames_sent), n(counts.bytes_sent), n(counts.frames_due), n(counts.bytes_due),
        static_cast<double>(counts.frames_sent) / static_cast<double>(counts.frames_due),
        static_cast<double>(counts.bytes_sent) / static_cast<double>(counts.bytes_due));
  if (!marks) return;
  for (const Fault fault : syncline::sim::all_faults())
    std::printf("%-20s %10llu\n", name(fault), n(counts.struck[static_cast<std::size_t>(fault)]));
  for (std::size_t i = 0; i < syncline::sim::mark_count; ++i)
    std::printf("%-20s %10llu\n", name(static_cast<Mark>(i)), n(counts.marks.counts[i]));
}

// Whether each planted defect is caught, within twenty seeds from this on.
bool catch_defects(std::uint64_t first_seed) {
  std::uint64_t caught = 0, events = 0;
  const auto defects = syncline::sim::all_defects();
  for (const syncline::sim::Defect defect : defects) {
    bool found = false;
    for (std::uint64_t seed = first_seed; !found && seed < first_seed + 20; ++seed) {
      Sim sim({.seed = seed, .events = 5'000, .defect = defect});
      found = !sim.run();
      events += sim.counts().events();
    }
    if (found) ++caught;
    if (!found) std::printf("NOT CAUGHT: %s\n", name(defect));
  }
  std::printf("%llu of %llu planted defects caught, after %llu frames, operations and faults in all\n",
              n(caught), n(defects.size()), n(events));
  std::fflush(stdout);
  return caught == defects.size();
}

void tell_failure(const SimOptions& options, const Sim& sim) {
  std::printf("FAILED: %s\n  %s\n", replay(options).c_str(), sim.violation()->c_str());
  std::fflush(stdout);
  const SimOptions smallest = shrink(options);
  Sim again(smallest);
  again.run();
  std::printf("smaller: %s\n  %s\n", replay(smallest).c_str(), again.violation()->c_str());
}

// Runs until a seed fails, or time is over, or all seeds ran. Whether all held.
bool run(Command command) {
  using Clock = std::chrono::steady_clock;
  const auto began = Clock::now();
  const auto elapsed = [&began] { return std::chrono::duration<double>(Clock::now() - began).count(); };
  SimCounts total;
  std::uint64_t seeds = 0;
  SimOptions& options = command.options;
  if (command.soak == 1 && !catch_defects(options.seed)) return false;
  double told = elapsed();
  for (; seeds < command.seeds || elapsed() < command.seconds; ++options.seed) {
    ++seeds;
    Sim sim(options);
    const bool held = sim.run();
    total.add(sim.counts());
    if (command.seconds == 0) std::printf("seed %llu, trace %016llx\n", n(options.seed), n(sim.trace_hash()));
    if (!held) {
      tell_failure(options, sim);
      print(total, seeds, command.marks);
      return false;
    }
    if (command.soak == 0 || elapsed() - told < 60) continue;
    told = elapsed();
    tell_progress(total, seeds, told, command.seconds);
  }
  print(total, seeds, command.marks);
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
