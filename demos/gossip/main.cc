// gossip: peers, each its own process, replay a history, are cut apart, killed
// and healed, and prove that they agree. docs/demo.md tells the whole story.
#include <errno.h>
#include <fmt/format.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <system_error>
#include <vector>

#include "demos/gossip/git_history.h"
#include "demos/gossip/options.h"
#include "demos/gossip/orchestrator.h"
#include "demos/gossip/trace.h"
#include "demos/gossip/worker.h"

namespace gossip {
namespace {

using syncline::Errc;
using syncline::failure;
using syncline::Result;

constexpr int worker_fd = 3;  // As the fleet hands it over.
constexpr std::size_t peers_default = 8;
constexpr std::size_t commits_min = 200;  // A shorter history shows too little.

constexpr int status_proven = 0;
constexpr int status_failed = 1;
constexpr int status_usage = 2;
constexpr int status_interrupted = 130;

volatile sig_atomic_t interrupted = 0;

void catch_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &action, nullptr);
}

Result<std::string> read_text(const std::string& path) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file.is_open() || file.bad()) {
    return failure(Errc::invalid_argument, fmt::format("{}: {}", path, ::strerror(errno)));
  }
  return text;
}

Result<Plan> bundled_plan(const Options& options, const std::string& why) {
  fmt::print("{}; replaying the trace that comes with this program\n", why);
  return parse_trace(sample_trace(), "the bundled trace", options.peers);
}

Result<Plan> make_plan(const Options& options, std::uint64_t seed) {
  if (!options.trace.empty()) {
    const auto text = read_text(options.trace);
    if (!text) return tl::unexpected(text.error());
    return parse_trace(*text, options.trace == "-" ? "standard input" : options.trace, options.peers);
  }
  const auto history = read_history(options.git, options.commits);
  if (!history) return bundled_plan(options, fmt::format("{}: {}", options.git, history.error().detail));
  const auto commits = history->commits.size();
  if (commits < commits_min && !options.commits) {
    return bundled_plan(options, fmt::format("{}: only {} commits here", options.git, commits));
  }
  Plan plan = plan_of(*history, options.peers.value_or(peers_default), seed, options.assign);
  std::error_code ignored;  // The name is only shown.
  const auto path = std::filesystem::canonical(options.git, ignored);
  plan.source = path.empty() ? options.git : path.filename().string();
  return plan;
}

Result<void> write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text << std::flush;
  if (!file) return failure(Errc::invalid_argument, fmt::format("{}: {}", path, ::strerror(errno)));
  return {};
}

Result<void> write_report(const Options& options, const Report& report) {
  Result<void> ok;
  if (!options.json.empty()) ok = write_file(options.json, to_json(report));
  if (ok && !options.keep.empty()) ok = write_file(options.keep + "/report.json", to_json(report));
  return ok;
}

// What is run, as the folder of the stores tells it: only the very same goes on there.
std::string identity_of(const Options& options, const Plan& plan, std::uint64_t seed) {
  std::uint64_t changes = seed;
  for (const Change& change : plan.changes) {
    changes = hash_of(fmt::format("{}", change.peer), changes);
    for (const auto& one : change.operations)
      changes = hash_of(
          fmt::format("{} {}{}{}", one.key, one.field.value_or(""), one.by, one.value.to_bytes()), changes);
  }
  return fmt::format("{}\n{} changes by {} peers, {:016x}\n", rerun_line("gossip", options, seed),
                     plan.changes.size(), plan.peers, changes);
}

// The seed of the run whose stores are in the folder, if there was one.
std::optional<std::uint64_t> seed_in(const std::string& data) {
  std::ifstream file(data + "/run");
  std::string line;
  std::getline(file, line);
  const auto at = line.rfind(" --seed ");
  if (at == std::string::npos) return std::nullopt;
  const auto options = parse_options({"--seed", line.substr(at + 8)});
  return options ? options->seed : std::nullopt;
}

// Makes the folder of the stores this run's, unless it is another one's.
Result<void> claim_data(const Options& options, const std::string& identity) {
  const std::string path = options.data + "/run";
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) return write_file(path, identity);
  const std::string there(std::istreambuf_iterator<char>(file), {});
  if (there == identity) return {};
  return failure(
      Errc::invalid_argument,
      fmt::format("{} holds the stores of another run, or the history has grown since:\n{}give what it "
                  "says, or another folder",
                  options.data, there));
}

int complain(const std::string& what, int status) {
  fmt::print(stderr, "gossip: {}\n", what);
  return status;
}

int replay(const Options& options, const Plan& plan, std::uint64_t seed, const std::string& program) {
  catch_signals();
  Result<Report> report = failure(Errc::closed, "not run");
  {
    Screen screen;
    Orchestrator orchestrator(plan, options, seed, screen, [] { return interrupted != 0; });
    report = orchestrator.run();
  }  // Here every process has ended and the screen is as it was.
  if (interrupted != 0) return complain("interrupted; all peers have been ended", status_interrupted);
  if (!report) return complain(report.error().detail, status_failed);
  report->rerun = rerun_line(program, options, seed);
  fmt::print("{}", to_text(*report));
  const auto written = write_report(options, *report);
  if (!written) return complain(written.error().detail, status_failed);
  return report->proven() ? status_proven : status_failed;
}

int run(const std::string& program, const std::vector<std::string>& arguments) {
  const auto options = parse_options(arguments);
  if (!options) return complain(options.error().detail, status_usage);
  if (options->help) {
    fmt::print("{}", help_text());
    return status_proven;
  }
  for (const std::string& folder : {options->keep, options->data}) {
    std::error_code error;
    if (!folder.empty()) std::filesystem::create_directories(folder, error);
    if (error) return complain(fmt::format("{}: {}", folder, error.message()), status_usage);
  }
  std::optional<std::uint64_t> seed = options->seed;
  if (!seed && !options->data.empty()) seed = seed_in(options->data);
  if (!seed) seed = std::random_device{}();
  const auto plan = make_plan(*options, *seed);
  if (!plan) return complain(plan.error().detail, status_usage);
  if (options->skip && *options->skip > plan->changes.size()) {
    return complain(fmt::format("--skip: there are only {} changes", plan->changes.size()), status_usage);
  }
  if (!options->data.empty()) {
    const auto claimed = claim_data(*options, identity_of(*options, *plan, *seed));
    if (!claimed) return complain(claimed.error().detail, status_usage);
  }
  return replay(*options, *plan, *seed, program);
}

}  // namespace
}  // namespace gossip

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  if (arguments == std::vector<std::string>{"peer-worker"}) return gossip::run_worker(gossip::worker_fd);
  return gossip::run(argc > 0 ? argv[0] : "gossip", arguments);
}
