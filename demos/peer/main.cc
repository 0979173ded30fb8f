// peer: an interactive peer to play with. Start a few, each in its terminal:
//
//   peer --listen 7001
//   peer --listen 7002 --join 7001
//
// and type help. docs/demo.md has a session to follow. It keeps its data in
// memory: what no other peer has is gone when it ends.
#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "demos/peer/shell.h"

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

// Written by the signal handler, read by the loop: no signal is ever missed.
std::array<int, 2> signal_pipe{-1, -1};

bool catch_signals() {
  if (::pipe2(signal_pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0) return false;
  struct sigaction action {};
  action.sa_handler = [](int) {
    const int saved = errno;
    const auto written = ::write(signal_pipe[1], "x", 1);
    static_cast<void>(written);  // Full: then there is something to read already.
    errno = saved;
  };
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &action, nullptr);
  return true;
}

// Standard output, shared by the commands and what others do meanwhile.
class Terminal {
 public:
  void print(const std::string& line) {
    const std::lock_guard lock(mutex_);
    // What comes while the person types goes on a line of its own; what was typed still counts.
    fmt::print("{}{}\n", prompted_ ? "\n" : "", line);
    if (prompted_) fmt::print("> ");
    ::fflush(stdout);
  }
  void prompt(bool on) {
    const std::lock_guard lock(mutex_);
    prompted_ = on && interactive_;
    if (prompted_) fmt::print("> ");
    ::fflush(stdout);
  }
  bool interactive() const { return interactive_; }

 private:
  std::mutex mutex_;
  bool interactive_ = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
  bool prompted_ = false;
};

// Runs lines until quit or the end of the input. False if a signal ended it.
bool serve(Shell& shell, Terminal& terminal) {
  std::string input;
  for (;;) {
    terminal.prompt(true);
    std::array<pollfd, 2> fds{{{STDIN_FILENO, POLLIN, 0}, {signal_pipe[0], POLLIN, 0}}};
    if (::poll(fds.data(), fds.size(), -1) < 0) continue;
    if (fds[1].revents != 0) return false;
    std::array<char, 4096> buffer;
    const auto got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    terminal.prompt(false);
    const bool over = got <= 0;
    if (!over) input.append(buffer.data(), static_cast<std::size_t>(got));
    if (over && !input.empty()) input += '\n';  // A last line without an end.
    for (auto end = input.find('\n'); end != std::string::npos; end = input.find('\n')) {
      const std::string line = input.substr(0, end);
      input.erase(0, end + 1);
      if (!shell.run(line)) return true;
    }
    if (over) return true;
  }
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
  Terminal terminal;
  if (!catch_signals()) return complain("no pipe for signals", 1);
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
    orderly = serve(shell, terminal);
  }
  terminal.prompt(false);
  if (terminal.interactive()) fmt::print("\n");
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
