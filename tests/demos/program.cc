#include "tests/demos/program.h"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace gossip {
namespace {

struct Ends {
  int ours_in, ours_out, its_in, its_out;
};

Ends open_pipes() {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  EXPECT_EQ(::pipe2(in.data(), O_CLOEXEC), 0);
  EXPECT_EQ(::pipe2(out.data(), O_CLOEXEC), 0);
  return {in[1], out[0], in[0], out[1]};
}

Ends open_terminal(const TerminalSize& size) {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  EXPECT_GE(master, 0);
  EXPECT_EQ(::grantpt(master), 0);
  EXPECT_EQ(::unlockpt(master), 0);
  const int slave = ::open(::ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  winsize window{};
  window.ws_row = size.rows;
  window.ws_col = size.columns;
  EXPECT_EQ(::ioctl(slave, TIOCSWINSZ, &window), 0);
  return {::fcntl(master, F_DUPFD_CLOEXEC, 0), master, slave, ::fcntl(slave, F_DUPFD_CLOEXEC, 0)};
}

[[noreturn]] void become(const std::vector<std::string>& arguments, const Ends& ends, bool terminal) {
  ::setsid();
  ::dup2(ends.its_in, STDIN_FILENO);
  ::dup2(ends.its_out, STDOUT_FILENO);
  ::dup2(ends.its_out, STDERR_FILENO);
  if (terminal) ::ioctl(STDIN_FILENO, TIOCSCTTY, 0);
  ::setenv("TERM", "xterm-256color", 1);
  ::unsetenv("NO_COLOR");
  std::vector<char*> argv;
  for (const auto& argument : arguments)
    argv.push_back(const_cast<char*>(argument.c_str()));  // execv's type.
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  ::_exit(127);
}

}  // namespace

Program::Program(const std::vector<std::string>& arguments, std::optional<TerminalSize> terminal) {
  const Ends ends = terminal ? open_terminal(*terminal) : open_pipes();
  ::signal(SIGPIPE, SIG_IGN);  // A program may end before it has read all.
  pid_ = ::fork();
  if (pid_ == 0) become(arguments, ends, terminal.has_value());
  ::close(ends.its_in);
  ::close(ends.its_out);
  in_ = ends.ours_in;
  out_ = ends.ours_out;
}

Program::~Program() {
  if (!waited_) {
    ::kill(-pid_, SIGKILL);
    wait();
  }
  close_input();
  ::close(out_);
}

void Program::write(const std::string& text) {
  std::size_t sent = 0;
  while (sent < text.size()) {
    const auto n = ::write(in_, text.data() + sent, text.size() - sent);
    if (n < 0) break;
    sent += static_cast<std::size_t>(n);
  }
}

void Program::close_input() {
  if (in_ >= 0) ::close(in_);
  in_ = -1;
}

bool Program::read_more() {
  std::array<char, 4096> buffer;
  const auto n = ::read(out_, buffer.data(), buffer.size());
  if (n > 0) output_.append(buffer.data(), static_cast<std::size_t>(n));
  return n > 0;  // A terminal whose last user has gone gives an error.
}

std::string Program::read_until(const std::string& text) {
  while (output_.find(text) == std::string::npos) {
    if (!read_more()) return {};
  }
  return output_;
}

std::string Program::read_all() {
  while (read_more()) {
  }
  return output_;
}

int Program::wait() {
  if (!waited_) {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    waited_ = true;
    status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  return status_;
}

Outcome run(const std::vector<std::string>& arguments, const std::string& input) {
  Program program(arguments);
  program.write(input);
  program.close_input();
  Outcome outcome;
  outcome.output = program.read_all();
  outcome.status = program.wait();
  return outcome;
}

Folder::Folder() {
  std::string pattern = ::testing::TempDir() + "syncline-XXXXXX";
  EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
  path_ = pattern;
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string Folder::read(const std::string& name) const {
  std::ifstream file(path(name), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace gossip
