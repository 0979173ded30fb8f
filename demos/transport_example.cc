// Sessions over a transport of your own: here two processes and a socket pair.
//
// syncline::Node brings TCP. Where you have a connection of your own (a serial
// line, a WebSocket, a queue between threads), a Replica::Link is all you need:
// it takes bytes in, gives frames out, and tells when it wants to be called.
// This loop is the whole of a transport's duty, and what Replica::Link asks for:
//
//   - send what send() yields, while the connection has room;
//   - hand what arrives to receive(), in order, in pieces of any size;
//   - call run() when deadline() has come;
//   - after an error, send what is left, close, and connect anew with a new Link.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <syncline/store.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

using syncline::Replica;
using namespace std::chrono_literals;

namespace {

// Bytes that the kernel didn't take yet. Nothing more is asked of the link
// before they are gone: its frames are made when asked for, so no queue grows.
class Connection {
 public:
  explicit Connection(int fd) : fd_(fd) { ::fcntl(fd_, F_SETFL, O_NONBLOCK); }
  ~Connection() { ::close(fd_); }
  Connection(const Connection&) = delete;

  // False once the other end is gone.
  bool write(Replica::Link& link) {
    for (;;) {
      if (out_.empty()) {
        auto frame = link.send();
        if (!frame) return true;
        out_ = std::move(*frame);
      }
      const auto sent = ::send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN || errno == EINTR;
      out_.erase(0, static_cast<std::size_t>(sent));
    }
  }

  // Waits up to `timeout` and hands over what arrives. False once the other end is gone or talks nonsense.
  bool read(Replica::Link& link, std::chrono::milliseconds timeout) {
    pollfd ready{fd_, static_cast<short>(out_.empty() ? POLLIN : POLLIN | POLLOUT), 0};
    if (::poll(&ready, 1, static_cast<int>(timeout.count())) <= 0) return true;
    std::array<char, 16 * 1024> buffer;
    const auto got = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    return got > 0 && link.receive({buffer.data(), static_cast<std::size_t>(got)}).has_value();
  }

 private:
  int fd_;
  std::string out_;
};

// Talks until the other end hangs up or, with `until_synced`, until both are equal.
bool talk(Replica& replica, int fd, bool until_synced) {
  Connection connection(fd);
  // One thread does all here, so there is nobody to wake.
  const auto link = replica.connect({.cluster = "example", .tick_interval = 50ms}, {});
  bool alive = true;
  while (alive && !(until_synced && link->in_sync())) {
    link->run();
    alive = connection.write(*link);
    const auto due = std::clamp(link->deadline() - replica.now().monotonic, 0ms, 1'000ms);
    if (alive) alive = connection.read(*link, due);
  }
  return alive || !until_synced;
}

// Counts `visits` at this replica, then talks. True if `expected` is what it has in the end.
bool run(const char* who, int fd, std::int64_t visits, bool until_synced, std::int64_t expected) {
  auto replica = Replica::open();
  if (!replica) return false;
  auto shop = replica->keyspace("shop");
  const auto counted = shop.update([&](syncline::Update& update) { update.counter("visits").add(visits); });
  if (!counted || !talk(*replica, fd, until_synced)) return false;
  const auto total = shop.counter("visits").total();
  if (!total) return false;
  std::printf("%s: %lld visits\n", who, static_cast<long long>(*total));
  std::fflush(stdout);
  return *total == expected;
}

}  // namespace

int main() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) return 1;
  const auto child = ::fork();  // Before any replica: they don't survive a fork.
  if (child < 0) return 1;
  if (child == 0) {
    ::close(ends[0]);
    // The child talks until the parent, which knows when both are equal, hangs up.
    ::_exit(run("child", ends[1], 3, false, 7) ? 0 : 1);
  }
  ::close(ends[1]);
  const bool well = run("parent", ends[0], 4, true, 7);
  int status = 1;
  ::waitpid(child, &status, 0);
  return well && status == 0 ? 0 : 1;
}
