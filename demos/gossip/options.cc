#include "demos/gossip/options.h"

#include <fmt/format.h>

#include <charconv>
#include <functional>
#include <map>

#include "demos/gossip/trace.h"

namespace gossip {
namespace {

using syncline::Errc;
using syncline::failure;
using syncline::Result;

template <typename T>
std::optional<T> number(const std::string& text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

std::optional<std::size_t> count(const std::string& text, std::size_t least, std::size_t most) {
  const auto value = number<std::size_t>(text);
  return value && *value >= least && *value <= most ? value : std::nullopt;
}

// Takes an option's value; false if it isn't one.
using Take = std::function<bool(Options&, const std::string&)>;

struct Option {
  Take take;
  std::string allowed;
};

bool take_assign(Options& o, const std::string& v) {
  o.assign = v == "author" ? Assign::by_author : Assign::by_commit;
  return v == "author" || v == "commit";
}

bool take_partition(Options& o, const std::string& v) {
  using enum Options::Partition;
  o.partition = v == "halves" ? halves : v == "isolate" ? isolate : none;
  return o.partition != none || v == "none";
}

bool take_kill(Options& o, const std::string& v) {
  o.kill = v == "one";
  return o.kill || v == "none";
}

bool take_speed(Options& o, const std::string& v) {
  const auto value = number<double>(v);
  o.speed = value.value_or(0);
  return value && *value >= 0 && *value <= 1e9;
}

const std::map<std::string, Option>& options_by_name() {
  constexpr std::size_t any = SIZE_MAX;
  static const std::map<std::string, Option> table{
      {"--peers",
       {[](Options& o, const std::string& v) { return (o.peers = count(v, 2, peers_max)).has_value(); },
        fmt::format("a number from 2 to {}", peers_max)}},
      {"--commits",
       {[](Options& o, const std::string& v) { return (o.commits = count(v, 1, any)).has_value(); },
        "a number from 1"}},
      {"--git", {[](Options& o, const std::string& v) { return !(o.git = v).empty(); }, "a path"}},
      {"--by", {take_assign, "commit or author"}},
      {"--trace", {[](Options& o, const std::string& v) { return !(o.trace = v).empty(); }, "a file or -"}},
      {"--partition", {take_partition, "none, halves or isolate"}},
      {"--kill", {take_kill, "none or one"}},
      {"--speed", {take_speed, "changes a second, 0 for no limit"}},
      {"--seed",
       {[](Options& o, const std::string& v) { return (o.seed = number<std::uint64_t>(v)).has_value(); },
        "a number"}},
      {"--skip",
       {[](Options& o, const std::string& v) { return (o.skip = count(v, 1, any)).has_value(); },
        "the number of a change, from 1"}},
      {"--json", {[](Options& o, const std::string& v) { return !(o.json = v).empty(); }, "a file"}},
      {"--keep", {[](Options& o, const std::string& v) { return !(o.keep = v).empty(); }, "a folder"}},
      {"--data", {[](Options& o, const std::string& v) { return !(o.data = v).empty(); }, "a folder"}},
  };
  return table;
}

// As a shell reads it back.
std::string quoted(const std::string& text) {
  static constexpr const char* plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,+@%=";
  if (!text.empty() && text.find_first_not_of(plain) == std::string::npos) return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace

Result<Options> parse_options(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string name = arguments[i];
    if (name == "--help" || name == "-h") {
      options.help = true;
      return options;
    }
    std::optional<std::string> value;
    if (const auto equals = name.find('='); equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    }
    const auto option = options_by_name().find(name);
    if (option == options_by_name().end()) {
      return failure(Errc::invalid_argument, fmt::format("{}: no such option; --help lists them", name));
    }
    if (!value && i + 1 < arguments.size()) value = arguments[++i];
    if (!value || !option->second.take(options, *value)) {
      return failure(Errc::invalid_argument, fmt::format("{} takes {}", name, option->second.allowed));
    }
  }
  return options;
}

std::string help_text() {
  return R"(gossip: peers, each its own process, replay a history, lose each other, and prove that they agree.

usage: gossip [options]

what is replayed
  --git PATH        the git repository whose history is replayed (default: here)
  --commits N       only its first N commits
  --by commit|author
                    what decides which peer makes a change (default: the commit's id)
  --trace FILE      operations as JSON lines instead; - reads them from standard input
                    (without a repository, or with fewer than 200 commits and no
                    --commits, it is the trace that comes with the program)
who, and what happens to them
  --peers N         2 to 64 (default: 8, or as many as the trace names)
  --partition none|halves|isolate
                    the cut at a third: none, two halves (default), or one peer alone;
                    healed at two thirds or when nothing more can run
  --kill none|one   whether a peer is killed and replaced at half way (default: one)
  --speed N         changes a second, all peers together; 0 for no limit (default: 300)
  --seed N          who makes what and who is hit (default: drawn, and printed)
  --skip N          leaves change N out, to see that the proof can fail
what is kept
  --json FILE       the report
  --keep DIR        a log of each peer, and of the run
  --data DIR        the peers' stores: who is killed comes back with its own, and a
                    run that was interrupted goes on where it was

exit status: 0 proven, 1 differences or a peer that failed, 2 wrong usage, 130 interrupted
)";
}

std::string rerun_line(const std::string& program, const Options& options, std::uint64_t seed) {
  std::string line = quoted(program);
  if (!options.trace.empty()) line += " --trace " + quoted(options.trace);
  if (options.git != ".") line += " --git " + quoted(options.git);
  if (options.peers) line += fmt::format(" --peers {}", *options.peers);
  if (options.commits) line += fmt::format(" --commits {}", *options.commits);
  if (options.assign == Assign::by_author) line += " --by author";
  if (options.partition == Options::Partition::none) line += " --partition none";
  if (options.partition == Options::Partition::isolate) line += " --partition isolate";
  if (!options.kill) line += " --kill none";
  if (options.speed != Options{}.speed) line += fmt::format(" --speed {}", options.speed);
  if (options.skip) line += fmt::format(" --skip {}", *options.skip);
  return line + fmt::format(" --seed {}", seed);
}

}  // namespace gossip
