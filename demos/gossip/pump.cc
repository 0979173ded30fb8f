// The orchestrator's machinery: what goes on all the time, whatever the act.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "demos/gossip/orchestrator.h"

namespace gossip {
namespace {

using namespace std::chrono_literals;
using syncline::Errc;
using syncline::failure;
using syncline::Version;

constexpr auto pump_timeout = 10ms;  // Also how closely --speed is kept.
constexpr auto report_interval = 100ms;
constexpr auto patience = 60s;  // Without any progress; then something is broken.

}  // namespace

Orchestrator::Status Orchestrator::pump() {
  const auto now = Clock::now();
  if (now - last_asked_ >= report_interval) ask_all();
  dispatch();
  auto ok =
      fleet_.poll(pump_timeout, [this](Peer& peer, Message message) { handle(peer, std::move(message)); });
  if (interrupted_()) return failure(Errc::closed, "interrupted");
  if (!failure_.empty()) return failure(Errc::closed, failure_);
  if (!ok) return ok;
  dispatch();
  if (screen_.due(seconds())) screen_.show(view());
  if (now - last_progress_ > patience && (schedule_.under_way() || schedule_.only_waiting() || paused_)) {
    return failure(Errc::timeout, fmt::format("no progress for {} s with {} of {} changes made",
                                              patience.count(), schedule_.done(), schedule_.total()));
  }
  return {};
}

Orchestrator::Status Orchestrator::wait_until(const std::string& what, const std::function<bool()>& arrived) {
  const auto began = Clock::now();
  while (!arrived()) {
    auto ok = pump();
    if (!ok) return ok;
    if (Clock::now() - std::max(began, last_progress_) > patience) {
      return failure(Errc::timeout, fmt::format("waited {} s for {}", patience.count(), what));
    }
  }
  return {};
}

void Orchestrator::handle(Peer& peer, Message message) {
  MessageReader in(message.body);
  const auto kind = message.kind;
  if (kind == MessageKind::status) {
    auto status = decode_status(std::move(message.body));
    if (!status) {
      failure_ = status.error().detail;
      return;
    }
    ++peer.answered;
    if (status->version == peer.status.version) {
      peer.status = std::move(*status);
      return;
    }
    peer.status = std::move(*status);
  } else if (kind == MessageKind::contents) {
    auto contents = decode_contents(std::move(message.body));
    if (contents) contents_ = std::move(*contents);
    if (!contents) failure_ = contents.error().detail;
  } else if (kind == MessageKind::ready) {
    peer.address = in.text();
  } else if (kind == MessageKind::blocked) {
    ++peer.cuts_done;
  } else if (kind == MessageKind::waiting) {
    schedule_.handle_waiting(in.number());
  } else if (kind == MessageKind::began) {
    schedule_.handle_began(in.number());
  } else if (kind == MessageKind::done) {
    handle_done(peer, in);
  } else if (kind == MessageKind::reached) {
    if (in.number() == reach_id_) ++reached_;
  } else {
    failure_ = fmt::format("peer {} failed: {}", peer.name(), in.text());
  }
  last_progress_ = Clock::now();
}

void Orchestrator::handle_done(Peer& peer, MessageReader& in) {
  const auto position = in.number();
  const auto actor = syncline::ActorId::from(in.text());
  const auto counter = in.number();
  const auto version = Version::from_bytes(in.text());
  const bool made_now = in.number() != 0;
  if (!actor || !version || !in.complete() || position >= schedule_.total()) {
    failure_ = fmt::format("peer {} sent a broken message", peer.name());
    return;
  }
  if (counter > 0) peer.actor = *actor;  // Before its first write it has none.
  schedule_.handle_done(position, *actor, counter, *version);
  if (!made_now) ++report_.made_before;
  last_done_ = Clock::now();
}

void Orchestrator::dispatch() {
  if (!replay_began_) return;
  if (!paused_) {
    const double since = std::chrono::duration<double>(Clock::now() - *replay_began_).count();
    // What a run before this one made takes no time.
    const double limit =
        options_.speed > 0 ? std::floor(since * options_.speed) + 1 + static_cast<double>(report_.made_before)
                           : std::numeric_limits<double>::infinity();
    const auto total = schedule_.total();
    schedule_.advance(limit >= static_cast<double>(total) ? total : static_cast<std::size_t>(limit));
  }
  while (const auto position = schedule_.take()) {
    const Change& change = plan_.changes[*position];
    Peer* peer = fleet_.find(change.peer);
    if (peer == nullptr) continue;  // Dead: its replacement will get it.
    Task task{.position = *position, .tokens = schedule_.tokens(*position), .operations = {}};
    if (options_.skip != *position + 1) task.operations = change.operations;
    peer->channel.send(encode(task));
  }
}

void Orchestrator::ask_all() {
  last_asked_ = Clock::now();
  for (auto* peer : fleet_.running()) {
    if (peer->asked != peer->answered) continue;  // One question at a time.
    ++peer->asked;
    peer->channel.send(MessageWriter(MessageKind::report).take());
  }
}

Orchestrator::Status Orchestrator::fresh_statuses() {
  for (auto* peer : fleet_.running()) {
    ++peer->asked;
    peer->channel.send(MessageWriter(MessageKind::report).take());
  }
  return wait_until("the peers to report", [this] {
    const auto all = fleet_.running();
    return std::all_of(all.begin(), all.end(), [](const Peer* p) { return p->answered == p->asked; });
  });
}

Orchestrator::Status Orchestrator::apply_cuts() {
  for (auto* peer : fleet_.running()) send_cut(*peer);
  return wait_until("the cut to be in force", [this] {
    const auto all = fleet_.running();
    return std::all_of(all.begin(), all.end(), [](const Peer* p) { return p->cuts_done == p->cuts; });
  });
}

void Orchestrator::send_cut(Peer& peer) {
  std::vector<std::string> refused;
  for (const auto* other : fleet_.running()) {
    if (cut_ && side_[other->number] != side_[peer.number]) refused.push_back(other->address);
  }
  MessageWriter out(MessageKind::block);
  out.number(refused.size());
  for (const auto& address : refused) out.text(address);
  ++peer.cuts;
  peer.channel.send(out.take());
}

Orchestrator::Status Orchestrator::reach_all(const Version& version, const std::string& what) {
  ++reach_id_;
  reached_ = 0;
  const auto all = fleet_.running();
  for (auto* peer : all) peer->channel.send(encode_version(MessageKind::reach, reach_id_, version));
  return wait_until(what, [this, count = all.size()] { return reached_ == count; });
}

syncline::Result<Peer*> Orchestrator::spawn(std::size_t number, bool replacement) {
  auto peer = fleet_.spawn(number);
  if (!peer) return peer;
  (*peer)->replacement = replacement;
  std::string log;
  if (!options_.keep.empty()) {
    log = fmt::format("{}/peer-{}{}.log", options_.keep, number + 1, replacement ? "-replacement" : "");
  }
  std::string store;
  if (!options_.data.empty()) store = fmt::format("{}/peer-{}.db", options_.data, number + 1);
  (*peer)->channel.send(MessageWriter(MessageKind::start).text(cluster_).text(log).text(store).take());
  return peer;
}

Orchestrator::Status Orchestrator::await(const Peer& peer) {
  return wait_until("a peer to start", [&peer] { return !peer.address.empty(); });
}

std::size_t Orchestrator::pick(std::size_t below, std::string_view what) const {
  return hash_of(what, seed_) % below;
}

Version Orchestrator::union_of(const std::function<bool(const Peer&)>& among) {
  Version all;
  for (const auto* peer : fleet_.running()) {
    if (among(*peer)) all.merge(peer->status.version);
  }
  return all;
}

// Whether some change that waits at a peer waits only for what its side has.
bool Orchestrator::waiting_can_go_on() {
  const Version sides[2] = {union_of([this](const Peer& p) { return side_[p.number] == 0; }),
                            union_of([this](const Peer& p) { return side_[p.number] == 1; })};
  for (const auto position : schedule_.waiting_at_peers()) {
    const auto tokens = schedule_.tokens(position);
    const auto& here = sides[side_[plan_.changes[position].peer]];
    if (std::all_of(tokens.begin(), tokens.end(),
                    [&](const Version& token) { return here.includes(token); })) {
      return true;
    }
  }
  return false;
}

bool Orchestrator::all_equal() {
  const auto all = fleet_.running();
  return std::all_of(all.begin(), all.end(), [&](const Peer* p) {
    return p->status.digest == all.front()->status.digest && p->status.version == all.front()->status.version;
  });
}

void Orchestrator::count_traffic(const Peer& peer) {
  report_.bytes_sent += peer.status.bytes_out;
  report_.pushed += peer.status.pushed;
  report_.duplicates += peer.status.duplicates;
}

void Orchestrator::count_received(const Peer& peer) {
  const auto known = schedule_.known(peer.status.version);
  received_ += known - std::min(known, schedule_.done_by(peer.number) + report_.made_before);
}

double Orchestrator::seconds() const { return std::chrono::duration<double>(Clock::now() - began_).count(); }

void Orchestrator::event(const std::string& text) {
  report_.events.push_back(fmt::format("{:.2f} s {}", seconds(), text));
  screen_.event(seconds(), text);
}

View Orchestrator::view() {
  View view;
  view.title = fmt::format("gossip: {} peers replay {} changes of {}", plan_.peers,
                           grouped(schedule_.total()), printable(plan_.source));
  view.done = schedule_.done();
  view.total = schedule_.total();
  view.seconds = seconds();
  view.state = state_;
  for (const auto* peer : fleet_.running()) {
    const auto known = schedule_.known(peer->status.version);
    const auto made = schedule_.done_by(peer->number);
    view.peers.push_back({.name = peer->name(),
                          .port = peer->address.substr(peer->address.rfind(':') + 1),
                          .links = peer->status.connected.size(),
                          .made = made,
                          .received = known - std::min(known, made),
                          .behind = view.done - std::min(known, view.done),
                          .bytes_in = peer->status.bytes_in,
                          .bytes_out = peer->status.bytes_out,
                          .digest = peer->status.digest});
  }
  return view;
}

}  // namespace gossip
