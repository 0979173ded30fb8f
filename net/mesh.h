// All links of a node: whom to dial, whom to take in, whom to drop.
//
// Belongs to the loop's thread, apart from opening, which may happen before the
// loop runs. Shows itself to other threads by a Board; hears them by a Mailbox.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "net/address_book.h"
#include "net/board.h"
#include "net/dial.h"
#include "net/link.h"
#include "net/mailbox.h"
#include "net/node.h"

namespace syncline {

class Mesh final : private PeerLink::Owner {
 public:
  // Listens. `options` are as checked() returned them. `replica` and `loop` must outlive the mesh.
  static Result<std::unique_ptr<Mesh>> open(Replica& replica, NodeOptions options, uv_loop_t* loop,
                                            std::shared_ptr<Board> board);
  ~Mesh();

  std::uint16_t port() const { return port_; }
  const std::string& address() const { return address_; }
  const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }

  // Begins to dial.
  void start();
  void join(const std::string& address);
  void sync_now();
  void pause();
  void resume();
  void block(std::set<std::string> addresses);

  // Stops listening and dialling, and ends each link when it has said all, or after `limit`.
  void drain(std::chrono::milliseconds limit);
  // All links are gone after drain().
  bool drained() const { return draining_ && links_.empty(); }
  // drain() without waiting: what fits into the queues is flushed by the loop later, without the replica.
  void drain_now(std::chrono::milliseconds limit);

 private:
  using Milliseconds = std::chrono::milliseconds;

  struct Try {
    std::string address;
    std::unique_ptr<Dial> dial;  // Null when done.
  };

  Mesh(Replica& replica, NodeOptions options, uv_loop_t* loop, std::shared_ptr<Board> board);
  Result<void> listen();
  void answer_mailbox();

  // What links report.
  void handle_greeted(PeerLink& link) override;
  void handle_learned(PeerLink& link, const std::vector<std::string>& addresses) override;
  void handle_verdict(PeerLink& link) override;
  void handle_ended(PeerLink& link, const Error& reason) override;
  void settle() override;
  std::span<char> shared_read_buffer() override { return read_buffer_; }

  // Adds to the book; null if it is full.
  AddressBook::Entry* remember(const std::string& address, bool joined);
  void accept();
  bool has_room_for(const sockaddr_storage& remote) const;
  void add_link(Handle<uv_tcp_t> handle, const sockaddr_storage& remote, const std::string& dialled);
  // Ends a link for reasons of our own: no failure of the peer.
  void dismiss(PeerLink& link, Errc code, const std::string& reason);
  // Of two links between the same two nodes one goes. False if it is `link`.
  bool settle_duplicates(PeerLink& link);
  void tell_addresses(PeerLink& link);
  void note_failure(const std::string& address, const PeerLink& link, const Error& reason);
  void log_refusals();
  bool is_blocked(const PeerLink& link) const;
  // Whether some link already leads where the address does.
  bool is_covered(const std::string& address, const AddressBook::Entry& entry) const;
  std::size_t greeted_count() const;

  void dial_due();
  void begin_dial(const std::string& address, AddressBook::Entry& entry);
  void handle_dialled(const std::string& address, Result<Connected> connected);
  void cancel_dials();
  void check_links();

  PeerRow row_of(const PeerLink& link);
  void post_board();
  void log(LogLevel level, std::string_view text, const std::string& peer, const std::string& reason = {});
  Milliseconds now() const { return Milliseconds(uv_now(loop_)); }

  Replica& replica_;
  const NodeOptions options_;
  uv_loop_t* loop_;
  const std::shared_ptr<Board> board_;
  const NodeId node_;  // Of this run: fresh random bits.
  std::mt19937_64 random_;
  std::shared_ptr<Mailbox> mailbox_;
  std::uint16_t port_ = 0;
  std::string address_;
  bool paused_ = false;
  bool draining_ = false;
  bool dismissing_ = false;
  bool dirty_ = false;  // Something for settle() to do.

  AddressBook book_;
  std::set<std::string> blocked_;
  std::vector<Try> tries_;
  std::vector<std::unique_ptr<PeerLink>> links_;
  std::deque<PeerState> refused_;
  std::size_t refusals_ = 0;       // Since the last check.
  std::vector<PeerState> events_;  // For on_peer.
  SessionMetrics closed_traffic_;  // Since the last post_board().
  const std::shared_ptr<std::size_t> lingering_ = std::make_shared<std::size_t>(0);

  Handle<uv_tcp_t> listener_;
  Handle<uv_timer_t> dial_timer_;
  Handle<uv_timer_t> watch_timer_;
  Handle<uv_timer_t> drain_timer_;
  Milliseconds watch_interval_{0};
  Milliseconds last_watch_{0};
  std::vector<char> read_buffer_ = std::vector<char>(std::size_t{64} * 1024);
};

}  // namespace syncline
