// The peers' processes and the lines to them.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "demos/gossip/messages.h"

namespace gossip {

// One peer's process, as the orchestrator knows it.
struct Peer {
  explicit Peer(int fd) : channel(fd) {}

  std::size_t number = 0;  // 0, 1, 2...; a replacement has that of the one it replaces.
  bool replacement = false;
  pid_t pid = 0;
  Channel channel;
  std::string address;                     // Empty until it is ready.
  std::optional<syncline::ActorId> actor;  // What it writes under, once it wrote.
  PeerStatus status;
  std::uint64_t asked = 0, answered = 0;  // Reports.
  std::uint64_t cuts = 0, cuts_done = 0;  // Lists of whom to refuse: sent, in force.

  // For people, from 1 on; a replacement has a mark.
  std::string name() const { return std::to_string(number + 1) + (replacement ? "*" : ""); }
};

class Fleet {
 public:
  Fleet() = default;
  Fleet(const Fleet&) = delete;
  // Ends all processes that are left.
  ~Fleet();

  // Starts a process for the peer of that number, in place of the one before.
  syncline::Result<Peer*> spawn(std::size_t number);
  // Ends a peer at once, with SIGKILL, and takes all that it had said.
  void kill(Peer& peer, const std::function<void(Peer&, Message)>& handle);
  // Waits up to `timeout` and hands over what peers said. An error if a process ended by itself.
  syncline::Result<void> poll(std::chrono::milliseconds timeout,
                              const std::function<void(Peer&, Message)>& handle);
  // Asks all to end and waits for them.
  void stop();

  // The peer of that number, or nullptr while none runs.
  Peer* find(std::size_t number) { return peers_[number].get(); }
  // Those that run now, by number.
  std::vector<Peer*> running();

 private:
  std::vector<std::unique_ptr<Peer>> peers_;  // By number; empty where none runs.
};

}  // namespace gossip
