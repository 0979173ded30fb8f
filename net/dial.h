// One try to reach an address: resolves it and connects to what it finds, in turn.
//
// Names are resolved on libuv's worker threads. Belongs to the loop's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

#include "net/address.h"
#include "net/handle.h"

namespace syncline {

struct Connected {
  Handle<uv_tcp_t> handle;
  sockaddr_storage remote;
};

class Dial {
 public:
  // Calls `done` once, on the loop's thread and never from in here; not after destruction. Each
  // address that a name has gets `timeout`, and so has the resolver.
  Dial(uv_loop_t* loop, const Address& address, std::chrono::milliseconds timeout, bool insecure_plaintext,
       std::function<void(Result<Connected>)> done);
  ~Dial();
  Dial(const Dial&) = delete;
  Dial& operator=(const Dial&) = delete;

 private:
  struct Resolve;

  void resolve(const Address& address);
  void handle_resolved(int status, const addrinfo* found);
  // Connects to the next candidate, or fails with the last error.
  void connect_next();
  Result<void> connect(const sockaddr_storage& remote);
  void handle_connected(int status);
  void handle_timeout();
  void fail(Error error);
  void abandon_resolve();

  uv_loop_t* loop_;
  const std::chrono::milliseconds timeout_;
  const bool insecure_plaintext_;
  std::function<void(Result<Connected>)> done_;
  Handle<uv_timer_t> timer_;
  Resolve* resolve_ = nullptr;  // Under way; owns itself, for the resolver can't be stopped.
  std::vector<sockaddr_storage> candidates_;
  std::size_t next_ = 0;
  Handle<uv_tcp_t> handle_;  // Connecting to candidates_[next_ - 1].
  Error error_;              // Of the last candidate.
};

}  // namespace syncline
