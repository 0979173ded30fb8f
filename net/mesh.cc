#include "net/mesh.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace syncline {
namespace {

NodeId draw_node_id() {
  NodeId id{};
  // The system's generator; without one there is no telling nodes apart.
  const int status = uv_random(nullptr, nullptr, id.data(), id.size(), 0, nullptr);
  SYNCLINE_ASSERT(status == 0);
  return id;
}

Error refused_to_listen(int status, const std::string& address) {
  Error error = uv_failure(status, "listening on " + address);
  if (status == UV_EADDRINUSE) error.detail += "; choose another port, or 0 for any";
  return error;
}

}  // namespace

Mesh::Mesh(Replica& replica, NodeOptions options, uv_loop_t* loop, std::shared_ptr<Board> board)
    : replica_(replica),
      options_(std::move(options)),
      loop_(loop),
      board_(std::move(board)),
      node_(draw_node_id()),
      random_(options_.seed),
      book_({.backoff_min = options_.backoff_min,
             .backoff_max = options_.backoff_max,
             .entries_max = options_.peers_max,
             .failures_max = options_.failures_max,
             .seed = random_()}),
      dial_timer_(make_timer(loop, this)),
      watch_timer_(make_timer(loop, this)),
      drain_timer_(make_timer(loop, this)) {}

Mesh::~Mesh() {
  if (mailbox_) mailbox_->close();
  board_->post({}, closed_traffic_);
  board_->close();
}

Result<std::unique_ptr<Mesh>> Mesh::open(Replica& replica, NodeOptions options, uv_loop_t* loop,
                                         std::shared_ptr<Board> board) {
  std::unique_ptr<Mesh> mesh(new Mesh(replica, std::move(options), loop, std::move(board)));
  auto mailbox = Mailbox::open(loop, [self = mesh.get()] { self->answer_mailbox(); });
  if (!mailbox) return tl::unexpected(std::move(mailbox.error()));
  mesh->mailbox_ = std::move(*mailbox);
  if (auto listening = mesh->listen(); !listening) return tl::unexpected(std::move(listening.error()));
  return mesh;
}

Result<void> Mesh::listen() {
  if (!options_.advertise.empty()) address_ = to_string(*parse_address(options_.advertise));
  if (options_.listen.empty()) return {};
  Address wanted = *parse_address(options_.listen);
  if (wanted.host == "localhost") wanted.host = "127.0.0.1";
  sockaddr_storage bound = *numeric(wanted);

  listener_ = make_tcp(loop_);
  listener_->data = this;
  int status = uv_tcp_bind(listener_.get(), reinterpret_cast<const sockaddr*>(&bound), 0);
  if (status == 0) {
    status = uv_listen(as_stream(listener_.get()), 511, [](uv_stream_t* server, int accepted) noexcept {
      if (accepted == 0 && server->data != nullptr) static_cast<Mesh*>(server->data)->accept();
    });
  }
  int size = sizeof bound;
  if (status == 0) status = uv_tcp_getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&bound), &size);
  if (status != 0) return tl::unexpected(refused_to_listen(status, options_.listen));

  const Address here = *parse_address(to_string(bound));
  port_ = here.port;
  if (address_.empty()) address_ = to_string(here);
  return {};
}

void Mesh::start() {
  uv_update_time(loop_);
  if (options_.insecure_plaintext) {
    log(LogLevel::warning, "plaintext: what is sent off this machine can be read and changed on the way",
        address_);
  }
  if (listener_) log(LogLevel::info, "listening", address_);
  for (const std::string& address : options_.join) join(address);
  last_watch_ = now();
  watch_interval_ = std::clamp(std::min(options_.dead_after, options_.handshake_timeout) / 4, Milliseconds(5),
                               Milliseconds(1'000));
  const auto interval = static_cast<std::uint64_t>(watch_interval_.count());
  uv_timer_start(
      watch_timer_.get(), [](uv_timer_t* timer) noexcept { static_cast<Mesh*>(timer->data)->check_links(); },
      interval, interval);
  dirty_ = true;
  settle();
}

void Mesh::answer_mailbox() {
  for (const auto& work : mailbox_->take()) work();
  for (const auto& link : links_) link->handle_wake();
  settle();
}

void Mesh::join(const std::string& address) { remember(to_string(*parse_address(address)), true); }

AddressBook::Entry* Mesh::remember(const std::string& address, bool joined) {
  dirty_ = true;
  auto* entry = book_.add(address, joined, now());
  if (entry != nullptr && address == address_) entry->self = true;
  return entry;
}

void Mesh::sync_now() {
  for (const auto& link : links_) {
    if (!link->greeting() || link->ended()) continue;
    link->replication().tick_now();
    link->pump();
  }
}

void Mesh::pause() {
  paused_ = true;
  cancel_dials();
  for (const auto& link : links_) dismiss(*link, Errc::closed, "paused");
}

void Mesh::resume() {
  if (!std::exchange(paused_, false)) return;
  book_.retry_all(now());
  dirty_ = true;
}

void Mesh::block(std::set<std::string> addresses) {
  const bool healed = std::any_of(blocked_.begin(), blocked_.end(),
                                  [&](const std::string& address) { return !addresses.contains(address); });
  blocked_ = std::move(addresses);
  for (const auto& link : links_) {
    if (is_blocked(*link)) dismiss(*link, Errc::closed, "blocked");
  }
  for (Try& one : tries_) {
    if (!blocked_.contains(one.address)) continue;
    one.dial.reset();
    if (auto* entry = book_.find(one.address)) entry->dialling = false;
  }
  if (healed) book_.retry_all(now());
  dirty_ = true;
}

void Mesh::drain(std::chrono::milliseconds limit) {
  draining_ = true;
  listener_.reset();
  cancel_dials();
  const Milliseconds until = now() + limit;
  for (const auto& link : links_) {
    if (link->greeting()) {
      link->finish(until);
    } else {
      dismiss(*link, Errc::closed, "stopped");
    }
  }
  uv_timer_start(
      drain_timer_.get(),
      [](uv_timer_t* timer) noexcept {
        auto* self = static_cast<Mesh*>(timer->data);
        for (const auto& link : self->links_) link->end(Error{Errc::closed, "stopped"}, Milliseconds(0));
        self->settle();
      },
      static_cast<std::uint64_t>(limit.count()), 0);
  dirty_ = true;
  settle();
}

void Mesh::drain_now(std::chrono::milliseconds limit) {
  uv_update_time(loop_);
  drain(limit);
  for (const auto& link : links_) {
    // Each turn writes to the kernel what it takes at once.
    for (int turn = 0; turn < 64 && !link->ended(); ++turn) link->pump();
    link->end(Error{Errc::closed, "stopped"}, limit);
  }
  dirty_ = true;
  settle();
}

void Mesh::check_links() {
  // Who is late may only seem so because we stood still: the process was stopped, or a turn took long.
  const Milliseconds gap = now() - std::exchange(last_watch_, now());
  const Milliseconds stalled = gap > 2 * watch_interval_ ? gap - watch_interval_ : Milliseconds(0);
  for (const auto& link : links_) {
    if (!link->ended()) link->check(stalled);
  }
  log_refusals();
  settle();
}

void Mesh::settle() {
  if (!std::exchange(dirty_, false)) return;
  std::erase_if(links_, [](const auto& link) { return link->ended(); });
  std::erase_if(tries_, [](const Try& one) { return one.dial == nullptr; });
  dial_due();
  post_board();
  if (!options_.on_peer) return;
  for (const PeerState& event : std::exchange(events_, {})) options_.on_peer(event);
}

void Mesh::dial_due() {
  uv_timer_stop(dial_timer_.get());
  if (paused_ || draining_) return;
  std::optional<Milliseconds> next;
  for (auto& [address, entry] : book_.entries()) {
    if (entry.self || entry.dialling || blocked_.contains(address) || is_covered(address, entry)) continue;
    if (entry.due > now()) {
      next = next ? std::min(*next, entry.due) : entry.due;
    } else if (tries_.size() < options_.dials_max) {  // Else when one is done.
      begin_dial(address, entry);
    }
  }
  if (!next) return;
  uv_timer_start(
      dial_timer_.get(),
      [](uv_timer_t* timer) noexcept {
        auto* self = static_cast<Mesh*>(timer->data);
        self->dirty_ = true;
        self->settle();
      },
      static_cast<std::uint64_t>((*next - now()).count()), 0);
}

void Mesh::begin_dial(const std::string& address, AddressBook::Entry& entry) {
  entry.dialling = true;
  tries_.push_back({.address = address, .dial = nullptr});
  tries_.back().dial = std::make_unique<Dial>(
      loop_, entry.address, options_.handshake_timeout, options_.insecure_plaintext,
      [this, address](Result<Connected> connected) { handle_dialled(address, std::move(connected)); });
}

void Mesh::handle_dialled(const std::string& address, Result<Connected> connected) {
  const auto one = std::find_if(tries_.begin(), tries_.end(),
                                [&](const Try& each) { return each.dial && each.address == address; });
  one->dial.reset();
  dirty_ = true;
  if (auto* entry = book_.find(address)) entry->dialling = false;
  if (connected) {
    add_link(std::move(connected->handle), connected->remote, address);
  } else {
    const Error& error = connected.error();
    log(LogLevel::debug, "dialling failed", address, to_string(error));
    book_.handle_failure(address, to_string(error), error.code == Errc::invalid_argument, now());
  }
  settle();
}

void Mesh::cancel_dials() {
  for (const Try& one : tries_) {
    if (auto* entry = book_.find(one.address)) entry->dialling = false;
  }
  tries_.clear();
  dirty_ = true;
}

void Mesh::log(LogLevel level, std::string_view text, const std::string& peer, const std::string& reason) {
  std::vector<std::pair<std::string, std::string>> fields = {{"node", address_}};
  if (!peer.empty() && peer != address_) fields.emplace_back("peer", peer);
  if (!reason.empty()) fields.emplace_back("reason", reason);
  replica_.log(level, text, fields);
}

}  // namespace syncline
