#include "net/link.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace syncline {
namespace {

// A greeting and its frame are far below this. It is all that a stranger makes us keep.
constexpr std::size_t greeting_bytes_max = 4096;
// Before the greeting, bytes are taken in steps too small for another frame of data to slip in with it: who
// isn't to be spoken to is turned away before anything it sent was merged.
constexpr std::size_t greeting_step_bytes = 16;
// Frames for one write and one turn: other links get theirs in between.
constexpr std::size_t turn_bytes = 256 * 1024;

}  // namespace

PeerLink::PeerLink(Owner& owner, Replica& replica, const std::shared_ptr<Mailbox>& mailbox, uv_loop_t* loop,
                   Socket socket, SessionOptions session, Options options)
    : owner_(owner),
      replica_(replica),
      options_(std::move(options)),
      loop_(loop),
      socket_(std::move(socket)),
      timer_(make_timer(loop, this)),
      woken_(std::make_shared<std::atomic<bool>>(false)),
      gauges_(std::make_shared<LinkGauges>()),
      opened_(now()),
      last_received_(opened_),
      last_progress_(opened_) {
  link_ = replica.connect(std::move(session), [woken = woken_, mailbox] {
    // One ring until the loop comes round, however much is written meanwhile.
    if (!woken->exchange(true)) mailbox->ring();
  });
}

PeerLink::~PeerLink() = default;

PeerLink::Milliseconds PeerLink::now() const { return Milliseconds(uv_now(loop_)); }

PeerLink::Milliseconds PeerLink::age() const { return greeting_ ? now() - greeted_ : Milliseconds(0); }

void PeerLink::start() {
  if (const auto started = socket_->start(*this); !started) {
    end(started.error());
  } else {
    pump();
  }
}

void PeerLink::handle_wake() {
  if (woken_->exchange(false)) pump();
}

void PeerLink::handle_bytes(std::string_view bytes) {
  last_received_ = now();
  if (!greeting_) receive_greeting(bytes);
  if (!ended() && (bytes.empty() || receive(bytes))) pump();
  owner_.settle();
}

void PeerLink::receive_greeting(std::string_view& bytes) {
  while (!ended() && !greeting_ && !bytes.empty()) {
    if (greeting_bytes_ >= greeting_bytes_max) {
      return end(Error{Errc::limit, fmt::format("no greeting within {} bytes", greeting_bytes_max)});
    }
    const std::string_view step = bytes.substr(0, greeting_step_bytes);
    bytes.remove_prefix(step.size());
    greeting_bytes_ += step.size();
    receive(step);
  }
}

bool PeerLink::receive(std::string_view bytes) {
  const auto received = link_->receive(bytes);
  drain_events();
  if (ended()) return false;
  if (link_->in_sync()) gauges_->last_synced_ms = replica_.now().monotonic.count();
  if (!received) {
    send_what_fits();  // The reason, for the peer.
    if (!ended()) end(received.error());
    return false;
  }
  return true;
}

void PeerLink::handle_written() {
  pump();
  owner_.settle();
}

void PeerLink::handle_end(const Error& reason) {
  end(reason, Milliseconds(0));
  owner_.settle();
}

void PeerLink::pump() {
  if (ended()) return;
  drain_events();
  if (ended()) return;
  const bool full = send_what_fits();
  if (ended()) return;
  if (const auto error = link_->error()) return end(*error);
  if (finish_until_ && !full) {
    return end(Error{Errc::closed, "stopped"}, std::max(*finish_until_ - now(), Milliseconds(0)));
  }
  if (const bool equal = link_->in_sync(); equal != in_sync_) {
    in_sync_ = equal;
    owner_.handle_verdict(*this);
    if (ended()) return;
  }
  arm_timer();
}

void PeerLink::drain_events() {
  while (!ended()) {
    const auto event = link_->poll_event();
    if (!event) return;
    if (const auto* greeted = std::get_if<PeerGreeted>(&*event)) {
      if (greeting_) continue;
      greeting_ = *greeted;
      greeted_ = now();
      const auto told = parse_address(greeted->address);
      if (told && told->port != 0) address_ = to_string(reachable(*told, options_.remote));
      owner_.handle_greeted(*this);
    } else if (const auto* learned = std::get_if<PeersLearned>(&*event)) {
      owner_.handle_learned(*this, learned->addresses);
    } else {
      owner_.handle_verdict(*this);
    }
  }
}

bool PeerLink::send_what_fits() {
  std::vector<std::string> frames;
  std::size_t bytes = 0;
  const std::size_t queued = socket_->queue_bytes();
  bool full = true;
  while (bytes < turn_bytes && queued + bytes < options_.write_queue_bytes_max) {
    auto frame = link_->send();
    if (!frame) {
      full = false;
      break;
    }
    bytes += frame->size();
    frames.push_back(std::move(*frame));
  }
  if (!frames.empty()) {
    written_bytes_ += bytes;
    if (const auto written = socket_->write(std::move(frames)); !written) {
      end(written.error(), Milliseconds(0));
      return false;
    }
  }
  gauges_->write_queue_bytes = socket_->queue_bytes();
  return full;
}

void PeerLink::arm_timer() {
  if (!greeting_) return;  // check() watches over strangers; sessions do nothing for them.
  const Milliseconds due = link_->deadline();
  const Milliseconds wait =
      std::clamp(due - replica_.now().monotonic, Milliseconds(1), Milliseconds(3'600'000));
  uv_timer_start(
      timer_.get(),
      [](uv_timer_t* timer) noexcept {
        auto* self = static_cast<PeerLink*>(timer->data);
        self->link_->run();
        self->pump();
        self->owner_.settle();
      },
      static_cast<std::uint64_t>(wait.count()), 0);
}

void PeerLink::check(std::chrono::milliseconds stalled) {
  opened_ += stalled;
  last_received_ += stalled;
  last_progress_ += stalled;
  const std::size_t queued = socket_->queue_bytes();
  gauges_->write_queue_bytes = queued;
  const std::uint64_t flushed = written_bytes_ - queued;
  if (queued == 0 || flushed != flushed_bytes_) {
    flushed_bytes_ = flushed;
    last_progress_ = now();
  }
  const auto over = [this](Milliseconds since, Milliseconds limit) { return now() - since >= limit; };
  if (!greeting_ && over(opened_, options_.handshake_timeout)) {
    end(Error{Errc::timeout, fmt::format("no greeting within {} ms", options_.handshake_timeout.count())});
  } else if (over(last_received_, options_.dead_after)) {
    end(Error{Errc::timeout, fmt::format("silent for {} ms", options_.dead_after.count())}, Milliseconds(0));
  } else if (over(last_progress_, options_.dead_after)) {
    end(Error{Errc::timeout, fmt::format("didn't read for {} ms", options_.dead_after.count())},
        Milliseconds(0));
  }
}

void PeerLink::finish(std::chrono::milliseconds until) {
  finish_until_ = until;
  pump();
}

void PeerLink::end(const Error& reason, std::chrono::milliseconds linger) {
  if (ended()) return;
  Socket socket = std::move(*socket_);
  socket_.reset();
  timer_.reset();
  gauges_->write_queue_bytes = 0;
  if (linger.count() > 0) Socket::linger(std::move(socket), linger, options_.lingering);
  owner_.handle_ended(*this, reason);
}

}  // namespace syncline
