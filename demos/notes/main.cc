// notes: a notebook that needs no network. Two copies, each in its terminal:
//
//   notes paper.db --listen 7001
//   notes phone.db
//
// write in both, then type `sync 7001` in the second. docs/demo.md has more.
#include <fmt/format.h>
#include <stdio.h>

#include <string>
#include <string_view>
#include <vector>

#include "demos/notes/notebook.h"
#include "demos/terminal/terminal.h"

namespace notes {
namespace {

constexpr const char* help_text =
    R"(notes: a notebook in a file, which works offline and meets its copies when told.

usage: notes FILE [--listen PORT]

  FILE           where the notes are kept; made if it isn't there
  --listen PORT  where other copies on this machine may meet this one; 0 for any

Commands come from standard input; help lists them.
)";

int complain(const std::string& what, int status) {
  fmt::print(stderr, "notes: {}\n", what);
  return status;
}

int run(const std::string& file, const std::string& listen) {
  terminal::Terminal terminal;
  if (!terminal::catch_signals()) return complain("no pipe for signals", 1);
  const auto print = [&terminal](const std::string& line) { terminal.print(line); };
  syncline::ReplicaOptions options;
  options.path = file;
  options.log = [&](syncline::LogLevel level, std::string_view text, const auto&) {
    if (level >= syncline::LogLevel::warning) print(fmt::format("! {}", text));
  };
  auto replica = syncline::Replica::open(std::move(options));
  if (!replica) return complain(syncline::to_string(replica.error()), 1);
  auto node = syncline::Node::start(*replica, {.cluster = "notes", .listen = listen});
  if (!node) return complain(syncline::to_string(node.error()), 1);
  if (!listen.empty()) print("listening on " + node->address());
  Notebook notebook(*replica, *node, print);
  terminal.serve([&notebook](std::string_view line) { return notebook.run(line); });
  return 0;
}

}  // namespace
}  // namespace notes

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  if (arguments.size() == 1 && arguments[0] == "--help") {
    fmt::print("{}", notes::help_text);
    return 0;
  }
  const bool listens = arguments.size() == 3 && arguments[1] == "--listen";
  if (!listens && arguments.size() != 1) {
    fmt::print(stderr, "{}", notes::help_text);
    return 2;
  }
  return notes::run(arguments[0], listens ? "127.0.0.1:" + arguments[2] : "");
}
