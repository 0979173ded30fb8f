// One peer's connection: moves bytes between a socket and a Replica::Link.
//
// Frames are made only while the socket has room, so what waits for a slow peer
// waits in the log, not here. Belongs to the loop's thread.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/address.h"
#include "net/mailbox.h"
#include "net/socket.h"
#include "store/replica.h"

namespace syncline {

// Of a link, for readers on other threads.
struct LinkGauges {
  std::atomic<std::size_t> write_queue_bytes{0};
  std::atomic<std::int64_t> last_synced_ms{-1};  // As PeerState has it.
};

class PeerLink final : private Socket::User {
 public:
  // Who decides. Calls come on the loop's thread; the link may be ended in any
  // of them, and destroyed in settle().
  class Owner {
   public:
    // The peer said who it is: link.greeting() is there.
    virtual void handle_greeted(PeerLink& link) = 0;
    virtual void handle_learned(PeerLink& link, const std::vector<std::string>& addresses) = 0;
    // It was found equal, or is no longer.
    virtual void handle_verdict(PeerLink& link) = 0;
    virtual void handle_ended(PeerLink& link, const Error& reason) = 0;
    // The last call of each event: time to put things in order.
    virtual void settle() = 0;
    virtual std::span<char> shared_read_buffer() = 0;

   protected:
    ~Owner() = default;
  };

  struct Options {
    std::string dialled;        // The address as it was dialled; empty for a link from outside.
    sockaddr_storage remote{};  // The other end.
    std::size_t write_queue_bytes_max = 0;
    std::chrono::milliseconds dead_after{0};
    std::chrono::milliseconds handshake_timeout{0};
    std::shared_ptr<std::size_t> lingering;  // See Socket::linger().
  };

  // `replica` and `owner` must outlive the link.
  PeerLink(Owner& owner, Replica& replica, const std::shared_ptr<Mailbox>& mailbox, uv_loop_t* loop,
           Socket socket, SessionOptions session, Options options);
  ~PeerLink();
  PeerLink(const PeerLink&) = delete;
  PeerLink& operator=(const PeerLink&) = delete;

  // Begins to talk. May end the link at once.
  void start();
  // pump(), if another thread rang for this link.
  void handle_wake();
  // Says what there is to say, as far as the socket has room and for one turn.
  void pump();
  // The owner takes the greeted peer in.
  void admit() { admitted_ = true; }
  // Ends the link if the peer is dead: silent, not reading, or not greeting. `stalled` is how long
  // the loop itself stood still since the last check; nobody is blamed for that.
  void check(std::chrono::milliseconds stalled);
  // Ends once everything there is to say was said, and leaves the kernel time for it until `until`.
  void finish(std::chrono::milliseconds until);
  // Ends now: what is queued is still flushed, for at most `linger`.
  void end(const Error& reason, std::chrono::milliseconds linger = linger_max);

  bool outbound() const { return !options_.dialled.empty(); }
  const std::string& dialled() const { return options_.dialled; }
  const sockaddr_storage& remote() const { return options_.remote; }
  // Who the peer says it is; nothing before its greeting.
  const std::optional<PeerGreeted>& greeting() const { return greeting_; }
  bool admitted() const { return admitted_; }
  // Where it can be dialled, as it says; empty before the greeting and if nowhere.
  const std::string& address() const { return address_; }
  bool ended() const { return !socket_; }
  // How long ago it was greeted; zero if it wasn't.
  std::chrono::milliseconds age() const;

  Replica::Link& replication() { return *link_; }
  const std::shared_ptr<Replica::Link>& shared_replication() const { return link_; }
  const std::shared_ptr<LinkGauges>& gauges() const { return gauges_; }

  static constexpr std::chrono::milliseconds linger_max{1'000};

 private:
  using Milliseconds = std::chrono::milliseconds;

  std::span<char> read_buffer() override { return owner_.shared_read_buffer(); }
  void handle_bytes(std::string_view bytes) override;
  void handle_written() override;
  void handle_end(const Error& reason) override;

  bool receive(std::string_view bytes);
  void receive_greeting(std::string_view& bytes);
  void drain_events();
  // False once the session has nothing more to say, true if the socket has no room.
  bool send_what_fits();
  void arm_timer();
  Milliseconds now() const;

  Owner& owner_;
  Replica& replica_;
  const Options options_;
  uv_loop_t* loop_;
  std::optional<Socket> socket_;  // Nothing once ended.
  Handle<uv_timer_t> timer_;      // When the session wants to run.
  const std::shared_ptr<std::atomic<bool>> woken_;
  const std::shared_ptr<LinkGauges> gauges_;
  std::shared_ptr<Replica::Link> link_;
  std::optional<PeerGreeted> greeting_;
  std::string address_;
  bool admitted_ = false;
  std::size_t greeting_bytes_ = 0;  // Taken in before the greeting was complete.
  bool in_sync_ = false;
  // In the loop's monotonic time.
  std::optional<Milliseconds> finish_until_;
  Milliseconds opened_;
  Milliseconds greeted_{0};
  Milliseconds last_received_;
  Milliseconds last_progress_;       // When the peer last took something, or nothing was queued.
  std::uint64_t written_bytes_ = 0;  // Given to the socket so far...
  std::uint64_t flushed_bytes_ = 0;  // ...and what of it the kernel had taken at last_progress_.
};

}  // namespace syncline
