#include "demos/gossip/fleet.h"

#include <errno.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

extern char** environ;

namespace gossip {
namespace {

using syncline::Errc;
using syncline::failure;

// Where a worker finds its line.
constexpr int worker_fd = 3;
// How long peers may take to end when they are asked to.
constexpr std::chrono::seconds stop_patience{5};

int reap(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status))
    return fmt::format("was ended by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  return fmt::format("ended with status {}", WEXITSTATUS(status));
}

}  // namespace

Fleet::~Fleet() {
  for (auto* peer : running()) ::kill(peer->pid, SIGKILL);
  for (auto* peer : running()) reap(peer->pid);
}

std::vector<Peer*> Fleet::running() {
  std::vector<Peer*> all;
  for (const auto& peer : peers_) {
    if (peer) all.push_back(peer.get());
  }
  return all;
}

syncline::Result<Peer*> Fleet::spawn(std::size_t number) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return failure(Errc::invalid_argument, fmt::format("socketpair: {}", ::strerror(errno)));
  }
  auto peer = std::make_unique<Peer>(ends[0]);
  peer->number = number;
  // This very program once more: nothing of our memory goes along, no thread is copied.
  std::string program = "/proc/self/exe";
  std::string role = "peer-worker";
  std::array<char*, 3> argv{program.data(), role.data(), nullptr};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], worker_fd);
  const int failed = ::posix_spawn(&peer->pid, program.c_str(), &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (failed != 0) {
    return failure(Errc::invalid_argument, fmt::format("can't start a peer: {}", ::strerror(failed)));
  }
  if (peers_.size() <= number) peers_.resize(number + 1);
  peers_[number] = std::move(peer);
  return peers_[number].get();
}

void Fleet::kill(Peer& peer, const std::function<void(Peer&, Message)>& handle) {
  ::kill(peer.pid, SIGKILL);
  reap(peer.pid);
  peer.channel.receive();  // What it said before its end is still on the line.
  while (auto message = peer.channel.poll_message()) handle(peer, std::move(*message));
  peers_[peer.number].reset();
}

syncline::Result<void> Fleet::poll(std::chrono::milliseconds timeout,
                                   const std::function<void(Peer&, Message)>& handle) {
  const auto all = running();
  std::vector<pollfd> fds;
  for (const auto* peer : all) {
    fds.push_back({peer->channel.fd(),
                   static_cast<short>(peer->channel.wants_to_write() ? POLLIN | POLLOUT : POLLIN), 0});
  }
  if (::poll(fds.data(), fds.size(), static_cast<int>(timeout.count())) < 0) return {};  // A signal.
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (fds[i].revents == 0) continue;
    Peer& peer = *all[i];
    peer.channel.flush();
    const bool alive = peer.channel.receive();
    while (auto message = peer.channel.poll_message()) handle(peer, std::move(*message));
    if (!alive) {
      const std::string name = peer.name();
      const int status = reap(peer.pid);
      peers_[peer.number].reset();
      return failure(Errc::closed, fmt::format("peer {} {}", name, how_it_ended(status)));
    }
  }
  return {};
}

void Fleet::stop() {
  for (auto* peer : running()) peer->channel.send(MessageWriter(MessageKind::stop).take());
  const auto deadline = std::chrono::steady_clock::now() + stop_patience;
  for (auto* peer : running()) {
    while (peer->channel.receive() && std::chrono::steady_clock::now() < deadline) {
      peer->channel.flush();
      pollfd gone{peer->channel.fd(), POLLIN, 0};
      ::poll(&gone, 1, 100);
    }
    ::kill(peer->pid, SIGKILL);  // Does nothing to one that has ended.
    reap(peer->pid);
    peers_[peer->number].reset();
  }
}

}  // namespace gossip
