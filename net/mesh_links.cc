// Mesh: taking links in, and what they report.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "net/mesh.h"

namespace syncline {
namespace {

constexpr std::size_t refused_max = 16;
// Lines of the log on them between two checks, or whoever can connect could fill a disk with it.
constexpr std::size_t refusals_logged_max = 16;

// Trying again soon can't help: people must mend something first.
bool is_hopeless(const Error& error) {
  return error.code == Errc::wrong_cluster || error.code == Errc::unsupported ||
         error.code == Errc::invalid_argument;
}

std::string host_of(const sockaddr_storage& address) {
  const std::string text = to_string(address);
  return text.substr(0, text.rfind(':'));
}

}  // namespace

void Mesh::accept() {
  auto handle = make_tcp(loop_);
  if (uv_accept(as_stream(listener_.get()), as_stream(handle.get())) != 0) return;
  sockaddr_storage remote{};
  int size = sizeof remote;
  if (uv_tcp_getpeername(handle.get(), reinterpret_cast<sockaddr*>(&remote), &size) != 0) return;
  if (paused_ || !has_room_for(remote)) return;
  add_link(std::move(handle), remote, {});
  dirty_ = true;
  settle();
}

bool Mesh::has_room_for(const sockaddr_storage& remote) const {
  const std::string host = host_of(remote);
  std::size_t all = *lingering_;  // A closed link may hold its socket a little longer.
  std::size_t same_host = 0;
  for (const auto& link : links_) {
    if (link->ended() || link->outbound() || link->greeting()) continue;
    ++all;
    if (host_of(link->remote()) == host) ++same_host;
  }
  return all < options_.handshakes_max && same_host < (options_.handshakes_max + 1) / 2;
}

void Mesh::add_link(Handle<uv_tcp_t> handle, const sockaddr_storage& remote, const std::string& dialled) {
  SessionOptions session = options_.session;
  session.cluster = options_.cluster;
  session.node = node_;
  session.address = address_;
  session.keyspaces = options_.keyspaces;
  session.relay = options_.relay;
  // Four to six fifths, so that the links of a node, and nodes, don't tick in step.
  const auto fifth = static_cast<std::uint64_t>(options_.tick_interval.count()) / 5;
  session.tick_interval =
      options_.tick_interval - Milliseconds(fifth) + Milliseconds(random_() % (2 * fifth + 1));

  PeerLink::Owner& owner = *this;
  links_.push_back(std::make_unique<PeerLink>(
      owner, replica_, mailbox_, loop_, Socket(std::move(handle)), std::move(session),
      PeerLink::Options{.dialled = dialled,
                        .remote = remote,
                        .write_queue_bytes_max = options_.write_queue_bytes_max,
                        .dead_after = options_.dead_after,
                        .handshake_timeout = options_.handshake_timeout,
                        .lingering = lingering_}));
  links_.back()->start();
}

void Mesh::handle_greeted(PeerLink& link) {
  dirty_ = true;
  const NodeId& peer = link.greeting()->node;
  if (peer == node_) {
    if (auto* entry = book_.find(link.dialled())) entry->self = true;
    return dismiss(link, Errc::closed, "that is this node itself");
  }
  for (const std::string& address : {link.dialled(), link.address()}) {
    if (address.empty()) continue;
    if (auto* entry = remember(address, false)) entry->node = peer;
  }
  if (is_blocked(link)) return dismiss(link, Errc::closed, "blocked");
  if (!settle_duplicates(link)) return;
  if (greeted_count() > options_.peers_max) return link.end(Error{Errc::limit, "too many peers"});
  link.admit();
  tell_addresses(link);
  log(LogLevel::info, "peer connected", link.address().empty() ? to_string(link.remote()) : link.address());
  if (options_.on_peer) events_.push_back(current(row_of(link)));
}

bool Mesh::settle_duplicates(PeerLink& link) {
  for (const auto& other : links_) {
    if (other.get() == &link || other->ended() || !other->greeting()) continue;
    if (other->greeting()->node != link.greeting()->node) continue;
    // Dialled both ways: both nodes keep the one that the lesser node dialled. Dialled twice by us: the
    // older. Dialled twice by the peer: that is for the peer to decide.
    if (link.outbound() != other->outbound()) {
      const bool keep_outbound = node_ < link.greeting()->node;
      PeerLink& loser = link.outbound() == keep_outbound ? *other : link;
      dismiss(loser, Errc::closed, "a second link to the same peer");
      if (&loser == &link) return false;
    } else if (link.outbound()) {
      dismiss(link, Errc::closed, "a second link to the same peer");
      return false;
    }
  }
  return true;
}

void Mesh::tell_addresses(PeerLink& link) {
  std::set<std::string> known;
  for (const auto& other : links_) {
    if (other.get() == &link || other->ended() || !other->admitted()) continue;
    if (!other->address().empty()) known.insert(other->address());
  }
  if (!known.empty()) link.replication().send_addresses({known.begin(), known.end()});
}

void Mesh::handle_learned(PeerLink& link, const std::vector<std::string>& addresses) {
  if (!link.greeting()) return;
  std::size_t left = options_.peers_max;
  for (const std::string& address : addresses) {
    if (left-- == 0) break;
    const auto parsed = parse_address(address);
    if (!parsed || parsed->port == 0) continue;
    remember(to_string(*parsed), false);
  }
}

void Mesh::handle_verdict(PeerLink&) { board_->notify(); }

void Mesh::dismiss(PeerLink& link, Errc code, const std::string& reason) {
  dismissing_ = true;
  link.end(Error{code, reason});
  dismissing_ = false;
}

void Mesh::handle_ended(PeerLink& link, const Error& reason) {
  dirty_ = true;
  add(closed_traffic_, link.replication().metrics());
  if (dismissing_ || draining_) {
    log(LogLevel::debug, "link closed", to_string(link.remote()), reason.detail);
  } else if (link.admitted()) {
    log(LogLevel::info, "peer lost", link.address().empty() ? to_string(link.remote()) : link.address(),
        to_string(reason));
  } else if (link.outbound()) {
    log(LogLevel::warning, "peer refused", link.dialled(), to_string(reason));
  } else if (++refusals_ <= refusals_logged_max) {
    log(LogLevel::warning, "stranger refused", to_string(link.remote()), to_string(reason));
  }
  if (options_.on_peer && link.admitted()) {
    PeerState state = row_of(link).state;
    state.state = PeerState::State::waiting;
    state.last_error = to_string(reason);
    state.traffic = link.replication().metrics();
    events_.push_back(std::move(state));
  }
  if (dismissing_ || draining_) return;
  if (!link.outbound() && !link.greeting()) {
    refused_.push_back({.address = to_string(link.remote()),
                        .state = PeerState::State::refused,
                        .last_error = to_string(reason)});
    if (refused_.size() > refused_max) refused_.pop_front();
  }
  if (link.outbound()) note_failure(link.dialled(), link, reason);
  if (!link.address().empty() && link.address() != link.dialled()) note_failure(link.address(), link, reason);
}

void Mesh::note_failure(const std::string& address, const PeerLink& link, const Error& reason) {
  auto* entry = book_.find(address);
  if (entry == nullptr || is_covered(address, *entry)) return;
  // A link that held for as long as the longest rest was a good one; others keep adding up, or a peer
  // that greets and then hangs up would be dialled without end.
  if (link.age() >= options_.backoff_max) {
    book_.handle_lost(*entry, to_string(reason), now());
  } else {
    book_.handle_failure(address, to_string(reason), is_hopeless(reason), now());
  }
}

void Mesh::log_refusals() {
  const std::size_t refusals = std::exchange(refusals_, 0);
  if (refusals <= refusals_logged_max) return;
  log(LogLevel::warning, fmt::format("{} more strangers refused", refusals - refusals_logged_max), {});
}

bool Mesh::is_blocked(const PeerLink& link) const {
  return blocked_.contains(link.address()) || blocked_.contains(link.dialled());
}

bool Mesh::is_covered(const std::string& address, const AddressBook::Entry& entry) const {
  return std::any_of(links_.begin(), links_.end(), [&](const auto& link) {
    if (link->ended()) return false;
    return link->dialled() == address || link->address() == address ||
           (entry.node && link->greeting() && link->greeting()->node == *entry.node);
  });
}

std::size_t Mesh::greeted_count() const {
  return static_cast<std::size_t>(std::count_if(
      links_.begin(), links_.end(), [](const auto& link) { return !link->ended() && link->greeting(); }));
}

PeerRow Mesh::row_of(const PeerLink& link) {
  PeerRow row{.link = link.shared_replication(), .gauges = link.gauges()};
  row.state.address = link.address().empty() ? link.dialled() : link.address();
  row.state.state = link.greeting() ? PeerState::State::connected : PeerState::State::handshaking;
  row.state.outbound = link.outbound();
  if (const auto* entry = book_.find(row.state.address)) row.state.last_error = entry->last_error;
  return row;
}

void Mesh::post_board() {
  std::vector<PeerRow> rows;
  for (const auto& link : links_) {
    if (!link->ended()) rows.push_back(row_of(*link));
  }
  for (const auto& [address, entry] : book_.entries()) {
    if (entry.self || is_covered(address, entry)) continue;
    PeerRow row;
    row.state.address = address;
    row.state.outbound = true;
    row.state.last_error = entry.last_error;
    row.state.state = blocked_.contains(address) ? PeerState::State::blocked
                      : entry.dialling           ? PeerState::State::dialling
                                                 : PeerState::State::waiting;
    rows.push_back(std::move(row));
  }
  for (const PeerState& state : refused_) rows.push_back({.state = state});
  board_->post(std::move(rows), std::exchange(closed_traffic_, {}));
}

}  // namespace syncline
