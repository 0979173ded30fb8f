// notes: a notebook that doesn't need a network. Two copies, each in its terminal:
//
//   notes ada.db --listen 7001
//   notes bob.db --join 7001
//
// Type help; notes --tour shows what becomes of edits made apart. docs/demo.md has more.
#include <fmt/format.h>
#include <stdio.h>

#include <chrono>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "demos/notes/shell.h"
#include "demos/notes/tour.h"
#include "demos/terminal/terminal.h"

namespace notes {
namespace {

constexpr const char* help_text = R"(notes: an offline-first notebook, kept in a file.

usage: notes FILE [--listen ADDRESS] [--join ADDRESS]... [--insecure-plaintext]
       notes --tour

  FILE                  where this copy keeps its notes; made if it isn't there
  --listen ADDRESS      where other copies dial: host:port, or a port of this machine
                        (default: 127.0.0.1 and a free port, which status prints)
  --join ADDRESS        another copy to dial; one is enough to meet all
  --insecure-plaintext  allows addresses off this machine, without encryption
  --tour                two copies edit apart, meet, and show what became of it

Commands come from standard input; help lists them.
)";

struct Options {
  std::string path;
  syncline::NodeOptions node{.cluster = "notes", .listen = "127.0.0.1:0"};
  bool tour = false;
  bool help = false;
};

// A bare port means this machine.
std::string address_of(const std::string& text) {
  return text.find(':') == std::string::npos ? "127.0.0.1:" + text : text;
}

syncline::Result<Options> parse(const std::vector<std::string>& arguments) {
  const auto wrong = [](std::string why) {
    return syncline::failure(syncline::Errc::invalid_argument, std::move(why) + "; --help tells more");
  };
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto& word = arguments[i];
    if (word == "--help" || word == "-h") {
      options.help = true;
    } else if (word == "--tour") {
      options.tour = true;
    } else if (word == "--insecure-plaintext") {
      options.node.insecure_plaintext = true;
    } else if (word == "--listen" || word == "--join") {
      if (i + 1 == arguments.size() || arguments[i + 1].empty()) return wrong(word + " takes an address");
      const auto address = address_of(arguments[++i]);
      if (word == "--join") {
        options.node.join.push_back(address);
      } else {
        options.node.listen = address;
      }
    } else if (word.starts_with("-")) {
      return wrong(word + ": no such option");
    } else if (!options.path.empty()) {
      return wrong("one FILE, not " + options.path + " and " + word);
    } else {
      options.path = word;
    }
  }
  if (options.path.empty() && !options.tour && !options.help) return wrong("which FILE?");
  return options;
}

int complain(const std::string& what, int status) {
  fmt::print(stderr, "notes: {}\n", what);
  return status;
}

std::uint64_t milliseconds_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

int run(const Options& options) {
  terminal::Terminal terminal;
  if (!terminal::catch_signals()) return complain("no pipe for signals", 1);
  const auto print = [&terminal](const std::string& line) { terminal.print(line); };
  if (options.tour) return run_tour(print);

  syncline::ReplicaOptions replica_options{.path = options.path};
  replica_options.log = [&print](syncline::LogLevel level, std::string_view text, const auto&) {
    if (level >= syncline::LogLevel::warning) print(fmt::format("! {}", text));
  };
  auto replica = syncline::Replica::open(std::move(replica_options));
  if (!replica) return complain(syncline::to_string(replica.error()), 1);
  std::random_device random;
  Notebook notebook(
      replica->keyspace("notes"), [&random] { return std::uint64_t{random()}; }, milliseconds_now);
  auto node = syncline::Node::start(*replica, options.node);
  if (!node) return complain(syncline::to_string(node.error()), 1);
  if (terminal.interactive())
    print(fmt::format("{}; listening on {}; type help", options.path, node->address()));
  Shell shell(notebook, *node, print);
  terminal.serve([&shell](std::string_view line) { return shell.run(line); });
  return 0;
}

}  // namespace
}  // namespace notes

int main(int argc, char** argv) {
  const auto options = notes::parse({argv + (argc > 0 ? 1 : 0), argv + argc});
  if (!options) return notes::complain(options.error().detail, 2);
  if (options->help) {
    fmt::print("{}", notes::help_text);
    return 0;
  }
  return notes::run(*options);
}
