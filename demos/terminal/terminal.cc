#include "demos/terminal/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <array>

namespace terminal {
namespace {

// Written by the signal handler, read by the loop: no signal is ever missed.
std::array<int, 2> signal_pipe{-1, -1};

}  // namespace

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

Terminal::Terminal() : interactive_(::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1) {}

void Terminal::print(const std::string& line) {
  const std::lock_guard lock(mutex_);
  fmt::print("{}{}\n", prompted_ ? "\n" : "", line);
  if (prompted_) fmt::print("> ");
  ::fflush(stdout);
}

void Terminal::prompt(bool on) {
  const std::lock_guard lock(mutex_);
  prompted_ = on && interactive_;
  if (prompted_) fmt::print("> ");
  ::fflush(stdout);
}

bool Terminal::serve(const std::function<bool(std::string_view)>& run) {
  std::string input;
  for (;;) {
    prompt(true);
    std::array<pollfd, 2> fds{{{STDIN_FILENO, POLLIN, 0}, {signal_pipe[0], POLLIN, 0}}};
    if (::poll(fds.data(), fds.size(), -1) < 0) continue;
    std::array<char, 4096> buffer;
    const bool interrupted = fds[1].revents != 0;
    const auto got = interrupted ? 0 : ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    prompt(false);
    if (got <= 0 && interactive_) print({});  // The shell's prompt gets a line of its own.
    if (interrupted) return false;
    const bool over = got <= 0;
    if (!over) input.append(buffer.data(), static_cast<std::size_t>(got));
    if (over && !input.empty()) input += '\n';  // A last line without an end.
    for (auto end = input.find('\n'); end != std::string::npos; end = input.find('\n')) {
      const std::string line = input.substr(0, end);
      input.erase(0, end + 1);
      if (!run(line)) return true;
    }
    if (over) return true;
  }
}

}  // namespace terminal
