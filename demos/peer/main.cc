// peer: an interactive peer to play with. Start a few, each in its terminal:
//
//   peer --listen 7001
//   peer --listen 7002 --join 7001
//
// and type help. docs/demo.md has a session to follow. It keeps its data in
// memory: what no other peer has is gone when it ends.
#include <fmt/format.h>
#include <stdio.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "demos/peer/shell.h"
#include "demos/terminal/terminal.h"

namespace peer {
namespace {

using namespace std::chrono_literals;

constexpr auto farewell_patience = 3s;  // For others to take what only we have.

constexpr const char* help_text = R"(peer: an interactive peer of a Syncline cluster, kept in memory.

usage: peer [--listen ADDRESS] [--join ADDRESS]... [--cluster NAME] [--insecure-plaintext]

  --listen ADDRESS      where others dial: host:port, or a port of this machine
                        (default: 127.0.0.1 and a free port, which it prints)
  --join ADDRESS        a peer to dial; one is enough to meet all
  --cluster NAME        only peers of the same name talk to each other (default: play)
  --insecure-plaintext  allows addresses off this machine, without encryption

Commands come from standard input; help lists them.
)";

struct Options {
  syncline::NodeOptions node{.cluster = "play", .listen = "127.0.0.1:0"};
  bool help = false;
};

// A bare port means this machine.
std::string address_of(const std::string& text) {
  return text.find(':') == std::string::npos ? "127.0.0.1:" + text : text;
}

syncline::Result<Options> parse(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto& name = arguments[i];
    const bool takes_value = name == "--listen" || name == "--join" || name == "--cluster";
    if (name == "--help" || name == "-h") {
      options.help = true;
    } else if (name == "--insecure-plaintext") {
      options.node.insecure_plaintext = true;
    } else if (!takes_value) {
      return syncline::failure(syncline::Errc::invalid_argument,
                               name + ": no such option; --help lists them");
    } else if (i + 1 == arguments.size() || arguments[i + 1].empty()) {
      return syncline::failure(syncline::Errc::invalid_argument, name + " takes a value");
    } else if (const auto& value = arguments[++i]; name == "--listen") {
      options.node.listen = address_of(value);
    } else if (name == "--join") {
      options.node.join.push_back(address_of(value));
    } else {
      options.node.cluster = value;
    }
  }
  return options;
}

int complain(const std::string& what, int status) {
  fmt::print(stderr, "peer: {}\n", what);
  return status;
}

// Gives others the time to take what only we have, if there is anyone.
void say_goodbye(const syncline::Keyspace& keyspace, syncline::Node& node, const Options& options,
                 bool wait) {
  const bool hopes = !options.node.join.empty() || !node.peers().empty();
  if (wait && hopes && keyspace.pending() > 0) {
    const auto synced = node.wait_until_synced(farewell_patience);
    static_cast<void>(synced);  // What counts is what is pending then.
  }
  if (const auto pending = keyspace.pending(); pending > 0) {
    fmt::print("{} changed places are known to nobody else and end with this peer\n", pending);
  }
}

int run(const Options& options) {
  terminal::Terminal terminal;
  if (!terminal::catch_signals()) return complain("no pipe for signals", 1);
  syncline::ReplicaOptions replica_options;
  replica_options.log = [&terminal](syncline::LogLevel level, std::string_view text, const auto&) {
    if (level >= syncline::LogLevel::warning) terminal.print(fmt::format("! {}", text));
  };
  auto replica = syncline::Replica::open(std::move(replica_options));
  if (!replica) return complain(syncline::to_string(replica.error()), 1);
  auto keyspace = replica->keyspace("play");
  auto node = syncline::Node::start(*replica, options.node);
  if (!node) return complain(syncline::to_string(node.error()), 1);
  fmt::print("peer of cluster {}, listening on {}{}\n", options.node.cluster, node->address(),
             terminal.interactive() ? "; type help" : "");
  ::fflush(stdout);
  bool orderly = false;
  {
    Shell shell(keyspace, *node, [&terminal](const std::string& line) { terminal.print(line); });
    orderly = terminal.serve([&shell](std::string_view line) { return shell.run(line); });
  }
  say_goodbye(keyspace, *node, options, orderly);
  return 0;
}

}  // namespace
}  // namespace peer

int main(int argc, char** argv) {
  const auto options = peer::parse({argv + (argc > 0 ? 1 : 0), argv + argc});
  if (!options) return peer::complain(options.error().detail, 2);
  if (options->help) {
    fmt::print("{}", peer::help_text);
    return 0;
  }
  return peer::run(*options);
}
