// One connected TCP socket on a loop: bytes in, frames out, a clean end.
//
// Belongs to the loop's thread. libuv opens sockets close-on-exec; small frames
// don't wait (TCP_NODELAY). On Linux libuv's writes may raise SIGPIPE: whoever
// runs the loop blocks that signal in its thread (see Loop).
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crdt/error.h"
#include "net/handle.h"

namespace syncline {

class Socket {
 public:
  // Who is told. In each call the user may destroy the socket and itself.
  class User {
   public:
    // Where bytes may be read to; used only until the next handle_bytes().
    virtual std::span<char> read_buffer() = 0;
    virtual void handle_bytes(std::string_view bytes) = 0;
    // One or more writes came through: the queue has shrunk.
    virtual void handle_written() = 0;
    // Nothing more will come: `closed` if the peer ended it in order, else `network`.
    virtual void handle_end(const Error& reason) = 0;

   protected:
    ~User() = default;
  };

  // Takes over a connected handle.
  explicit Socket(Handle<uv_tcp_t> handle) : handle_(std::move(handle)) {}
  ~Socket();
  Socket(Socket&&) noexcept = default;
  Socket& operator=(Socket&&) noexcept = delete;

  // Begins to read. From here on `user` is told, until the socket goes.
  Result<void> start(User& user);
  // Queues frames for the peer, in order.
  Result<void> write(std::vector<std::string> frames);
  // What the kernel hasn't taken yet.
  std::size_t queue_bytes() const;

  // Ends the connection without losing what is queued: flushes, says that no
  // more will come, and drops what arrives until the peer ends it too, or
  // `limit` is over. (Closing at once, with unread bytes, would make the kernel
  // reset the connection and the peer lose what it hasn't read.) `lingering`
  // counts the sockets that are at it.
  static void linger(Socket socket, std::chrono::milliseconds limit, std::shared_ptr<std::size_t> lingering);

 private:
  Handle<uv_tcp_t> handle_;
};

}  // namespace syncline
