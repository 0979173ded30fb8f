#include "demos/gossip/subprocess.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <optional>

extern char** environ;

namespace gossip {
namespace {

using syncline::Errc;
using syncline::failure;

// A file descriptor that closes itself.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { close(); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

struct Pipe {
  Fd read, write;
};

std::optional<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

syncline::Result<pid_t> spawn(const std::vector<std::string>& arguments, const Fd& out, const Fd& err) {
  std::vector<char*> argv;
  for (const auto& argument : arguments)
    argv.push_back(const_cast<char*>(argument.c_str()));  // execve's type.
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err.get(), STDERR_FILENO);
  pid_t pid = 0;
  const int failed = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    return failure(Errc::invalid_argument, fmt::format("{}: {}", arguments.front(), ::strerror(failed)));
  }
  return pid;
}

// One read: false at the end of the stream.
template <typename Take>
bool read_some(const Fd& fd, Take take) {
  std::array<char, 64 * 1024> buffer;
  const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
  if (got < 0) return errno == EINTR;
  if (got > 0) take(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
  return got > 0;
}

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1);  // npos + 1 is 0.
}

}  // namespace

syncline::Result<void> read_output(const std::vector<std::string>& arguments,
                                   const std::function<bool(std::string_view)>& take) {
  auto out = make_pipe();
  auto err = make_pipe();
  if (!out || !err) return failure(Errc::invalid_argument, fmt::format("pipe: {}", ::strerror(errno)));
  const auto pid = spawn(arguments, out->write, err->write);
  if (!pid) return tl::unexpected(pid.error());
  out->write.close();
  err->write.close();

  std::string complaint;
  bool wanted = true;
  bool out_open = true;
  bool err_open = true;
  while (wanted && (out_open || err_open)) {
    std::array<pollfd, 2> fds{
        {{out_open ? out->read.get() : -1, POLLIN, 0}, {err_open ? err->read.get() : -1, POLLIN, 0}}};
    if (::poll(fds.data(), fds.size(), -1) < 0) continue;  // A signal: whoever set its handler acts later.
    if (fds[0].revents != 0) {
      out_open = read_some(out->read, [&](std::string_view bytes) { wanted = take(bytes); });
    }
    if (fds[1].revents != 0) {
      err_open = read_some(err->read, [&](std::string_view bytes) { complaint += bytes.substr(0, 4096); });
    }
  }
  if (!wanted) ::kill(*pid, SIGTERM);
  int status = 0;
  while (::waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (wanted && status != 0) {
    return failure(Errc::invalid_argument,
                   complaint.empty() ? arguments.front() + " failed" : last_line(complaint));
  }
  return {};
}

}  // namespace gossip
