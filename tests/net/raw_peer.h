// A stranger with a plain socket: says and reads exactly what a test wants.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "store/replica.h"

namespace syncline::test {

class RawPeer {
 public:
  // Connects to 127.0.0.1. `receive_bytes` asks for so small a receive buffer.
  explicit RawPeer(std::uint16_t port, int receive_bytes = 0);
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;
  ~RawPeer();

  // False once the other end is gone.
  bool send(std::string_view bytes);
  // What comes next, waiting a while; empty at the end of the stream or if nothing came.
  std::string receive();
  // Whether the other end closed, reading away what came before. Waits a long while.
  bool closed_by_peer();
  // Ends the connection with a reset: the other end's next write fails.
  void reset();

  // Greets as a node of `cluster` would, and takes the answer in. Afterwards link() can be used.
  bool greet(Replica& replica, const std::string& cluster, const std::string& address = {});
  Replica::Link& link() { return *link_; }
  // Sends what the link has to say.
  void flush();

 private:
  int socket_ = -1;
  std::unique_ptr<Replica::Link> link_;
};

// A port of 127.0.0.1 at which nobody listens: bound, so that nobody will, until this goes.
class DeadPort {
 public:
  DeadPort();
  DeadPort(const DeadPort&) = delete;
  DeadPort& operator=(const DeadPort&) = delete;
  ~DeadPort();
  std::uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  int socket_;
  std::uint16_t port_ = 0;
};

}  // namespace syncline::test
