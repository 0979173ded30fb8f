#include "demos/gossip/orchestrator.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <numeric>

namespace gossip {
namespace {

using namespace std::chrono_literals;
using syncline::Errc;
using syncline::failure;
using syncline::Result;
using syncline::Version;

constexpr auto cut_patience = 1s;      // For what the dead one left, before the cut is healed early.
constexpr auto repair_patience = 10s;  // For digests that differ though versions are equal.
constexpr std::size_t differences_max = 20;
constexpr std::size_t window_per_peer = 16;

}  // namespace

Orchestrator::Orchestrator(const Plan& plan, const Options& options, std::uint64_t seed, Screen& screen,
                           std::function<bool()> interrupted)
    : plan_(plan),
      options_(options),
      seed_(seed),
      screen_(screen),
      interrupted_(std::move(interrupted)),
      schedule_(plan, window_per_peer * plan.peers),
      cluster_(fmt::format("gossip-{:016x}", seed)),
      side_(plan.peers, 0) {}

Result<Report> Orchestrator::run() {
  const auto total = schedule_.total();
  const bool cuts = options_.partition != Options::Partition::none;
  Status ok = start_peers();
  if (ok) ok = replay_until(total / 3);
  if (ok && cuts) ok = cut();
  if (ok) ok = replay_until(total / 2);
  if (ok && options_.kill) ok = kill_one();
  if (ok) ok = replay_until(total * 2 / 3);
  if (ok && cut_) ok = heal();
  if (ok) ok = replay_until(total);
  if (ok) ok = settle();
  if (ok) ok = prove();
  if (!ok) return tl::unexpected(ok.error());
  fleet_.stop();
  return std::move(report_);
}

// ---- the acts ----

Orchestrator::Status Orchestrator::start_peers() {
  for (std::size_t i = 0; i < plan_.peers; ++i) {
    const auto peer = spawn(i, false);
    if (!peer) return tl::unexpected(peer.error());
  }
  for (auto* peer : fleet_.running()) {
    auto ok = await(*peer);
    if (!ok) return ok;
  }
  // Each knows one that was there before it. The rest it hears by gossip.
  for (std::size_t i = 1; i < plan_.peers; ++i) {
    const auto& other = *fleet_.find(pick(i, fmt::format("join {}", i)));
    fleet_.find(i)->channel.send(MessageWriter(MessageKind::join).text(other.address).take());
  }
  auto ok = wait_until("the peers to meet", [this] {
    ask_all();
    const auto all = fleet_.running();
    return std::all_of(all.begin(), all.end(),
                       [&](const Peer* p) { return p->status.connected.size() + 1 >= all.size(); });
  });
  if (ok) event(fmt::format("{} peers have met; each was told of one other", plan_.peers));
  return ok;
}

Orchestrator::Status Orchestrator::replay_until(std::size_t done) {
  if (!replay_began_) replay_began_ = Clock::now();
  while (schedule_.done() < done) {
    auto ok = pump();
    if (!ok) return ok;
    if (!cut_ || !schedule_.only_waiting()) continue;
    const auto before = schedule_.done();
    ok = fresh_statuses();
    if (!ok) return ok;
    if (schedule_.done() == before && schedule_.only_waiting() && !waiting_can_go_on()) {
      event(fmt::format("nothing more can run: {} changes wait for the other side",
                        grouped(schedule_.total() - schedule_.done())));
      return {};
    }
  }
  return {};
}

Orchestrator::Status Orchestrator::cut() {
  std::vector<std::size_t> order(plan_.peers);
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
    return pick(SIZE_MAX, fmt::format("side {}", a)) < pick(SIZE_MAX, fmt::format("side {}", b));
  });
  const auto apart = options_.partition == Options::Partition::isolate ? 1 : plan_.peers / 2;
  for (std::size_t i = 0; i < apart; ++i) side_[order[i]] = 1;
  cut_ = true;
  paused_ = true;  // Until it is in force: then the sides really part here.
  auto ok = apply_cuts();
  if (!ok) return ok;
  paused_ = false;
  std::vector<std::string> sides[2];
  for (const auto* peer : fleet_.running()) sides[side_[peer->number]].push_back(peer->name());
  state_ = fmt::format("cut {} | {}", fmt::join(sides[0], " "), fmt::join(sides[1], " "));
  event(fmt::format("CUT: peers {} | {}", fmt::join(sides[0], " "), fmt::join(sides[1], " ")));
  return {};
}

Orchestrator::Status Orchestrator::kill_one() {
  std::vector<std::size_t> writers;
  for (const auto* peer : fleet_.running()) {
    if (peer->actor) writers.push_back(peer->number);
  }
  if (writers.empty()) return {};
  auto ok = fresh_statuses();  // Its counts go down with it.
  if (!ok) return ok;
  Peer& victim = *fleet_.find(writers[pick(writers.size(), "victim")]);
  count_traffic(victim);
  if (options_.data.empty()) count_received(victim);  // Else it comes back with that.
  const auto number = victim.number;
  const auto address = victim.address;
  auto actor = victim.actor;
  event(fmt::format("KILL: peer {} (process {}) with SIGKILL", victim.name(), victim.pid));
  report_.killed = victim.name();
  fleet_.kill(victim, [&](Peer& peer, Message message) {
    handle(peer, std::move(message));
    actor = peer.actor;
  });
  state_ += fmt::format("{}peer {} killed", state_.empty() ? "" : ", ", number + 1);

  if (!options_.data.empty()) {
    report_.own_store = true;
    schedule_.handle_return(number);
    return replace(number);
  }
  const auto known = ask_survivors(address, *actor);
  if (!known) return tl::unexpected(known.error());
  report_.redone = schedule_.handle_death(number, actor, *known);
  return replace(number);
}

// How far the survivors know `actor`, once nothing of it can come to them any
// more. A survivor tells when no link to the dead one is open and no change
// waits at it for what that depends on. What such a change waits for may lie on
// the other side of the cut: then it is healed early. What still waits when the
// survivors have all that there is waits for what died, and never comes.
Result<std::uint64_t> Orchestrator::ask_survivors(const std::string& address,
                                                  const syncline::ActorId& actor) {
  std::map<const Peer*, std::uint64_t> silent;  // And the reports that were asked for while it lived.
  for (const auto* peer : fleet_.running()) silent[peer] = peer->asked;
  std::uint64_t known = 0;
  const auto told = [&] {
    ask_all();
    const auto all = fleet_.running();
    bool heard = true;  // From everyone since, and no link to the dead one is left.
    for (const auto* peer : all) {
      const auto waits = silent.find(peer);
      if (waits == silent.end()) continue;
      const auto& connected = peer->status.connected;
      const bool open = std::find(connected.begin(), connected.end(), address) != connected.end();
      if (open || peer->answered <= waits->second) {
        heard = false;
      } else if (peer->status.early == 0) {
        known = std::max(known, peer->status.version.counter(actor));
        silent.erase(waits);
      }
    }
    if (silent.empty()) return true;
    if (cut_ || !heard || !all_equal()) return false;
    known = all.front()->status.version.counter(actor);
    return true;
  };
  paused_ = true;  // So that nothing waits on account of new changes.
  const auto patience = Clock::now() + cut_patience;
  auto ok = wait_until("the survivors to tell how far they know the dead one",
                       [&] { return told() || (cut_ && Clock::now() > patience); });
  if (ok && !told()) {
    event("what the dead one left waits for the other side of the cut");
    ok = heal();
    if (ok) ok = wait_until("the survivors to tell how far they know the dead one", told);
  }
  paused_ = false;
  if (!ok) return tl::unexpected(ok.error());
  return known;
}

Orchestrator::Status Orchestrator::replace(std::size_t number) {
  const auto peer = spawn(number, true);
  if (!peer) return tl::unexpected(peer.error());
  auto ok = await(**peer);
  if (ok) ok = apply_cuts();
  if (!ok) return ok;
  // Any one address will do; one of its own side answers at once.
  std::vector<const Peer*> others;
  for (const auto* other : fleet_.running()) {
    if (other->number != number && side_[other->number] == side_[number]) others.push_back(other);
  }
  if (others.empty()) {
    for (const auto* other : fleet_.running()) {
      if (other->number != number) others.push_back(other);
    }
  }
  const auto& other = *others[pick(others.size(), "join again")];
  (*peer)->channel.send(MessageWriter(MessageKind::join).text(other.address).take());
  event(report_.own_store
            ? fmt::format("peer {} is back with its own store and is told of peer {}", (*peer)->name(),
                          other.name())
            : fmt::format("peer {} takes its place and is told of peer {}; {} lost changes are made again",
                          (*peer)->name(), other.name(), report_.redone));
  return {};
}

Orchestrator::Status Orchestrator::heal() {
  auto ok = fresh_statuses();
  if (!ok) return ok;
  const Version all = union_of([](const Peer&) { return true; });
  cut_ = false;
  const auto healed = Clock::now();
  for (auto* peer : fleet_.running()) send_cut(*peer);
  state_ = "healed";
  event("HEAL: the sides see each other again");
  ok = reach_all(all, "the healed peers to have each other's changes");
  if (!ok) return ok;
  report_.heal_seconds = std::chrono::duration<double>(Clock::now() - healed).count();
  event(fmt::format("each peer has all from before the heal, {:.0f} ms after it",
                    *report_.heal_seconds * 1000));
  return {};
}

Orchestrator::Status Orchestrator::settle() {
  report_.replay_seconds = std::chrono::duration<double>(last_done_ - *replay_began_).count();
  auto ok = fresh_statuses();
  if (ok) ok = reach_all(union_of([](const Peer&) { return true; }), "all peers to have all changes");
  if (!ok) return ok;
  report_.settle_seconds = std::chrono::duration<double>(Clock::now() - last_done_).count();
  state_ = "settled";
  // Equal versions are equal states; should they not be, the peers find out and mend it.
  const auto deadline = Clock::now() + repair_patience;
  do {
    ok = fresh_statuses();
  } while (ok && !all_equal() && Clock::now() < deadline);
  if (ok) event(all_equal() ? "all digests are equal" : "THE DIGESTS DIFFER");
  return ok;
}

Orchestrator::Status Orchestrator::prove() {
  const auto all = fleet_.running();
  report_.digests_equal = all_equal();
  report_.digest = all.front()->status.digest;
  std::map<std::vector<std::string>, std::vector<std::string>> found;  // Differences, and whose they are.
  for (auto* peer : all) {
    contents_.reset();
    peer->channel.send(MessageWriter(MessageKind::dump).take());
    auto ok = wait_until("a peer to tell what it holds", [this] { return contents_.has_value(); });
    if (!ok) return ok;
    found[differences(plan_.expected, *contents_, differences_max)].push_back(peer->name());
    count_traffic(*peer);
    count_received(*peer);
  }
  for (const auto& [lines, names] : found) {
    for (const auto& line : lines) {
      report_.differences.push_back(names.size() == all.size()
                                        ? fmt::format("every peer: {}", line)
                                        : fmt::format("peer {}: {}", fmt::join(names, " "), line));
    }
  }
  if (!report_.digests_equal) {
    for (const auto* peer : all) {
      report_.differences.push_back(
          fmt::format("peer {} has the digest {}", peer->name(), short_digest(peer->status.digest)));
    }
  } else {
    report_.checks.push_back(
        fmt::format("the digest pairs of {} peers: {}...", all.size(), short_digest(report_.digest)));
  }
  if (report_.differences.empty())
    report_.checks.insert(report_.checks.end(), plan_.claims.begin(), plan_.claims.end());
  finish_report();
  return {};
}

void Orchestrator::finish_report() {
  report_.source = plan_.source;
  report_.seed = seed_;
  report_.peers = plan_.peers;
  report_.changes = schedule_.total();
  report_.waited = schedule_.waited();
  report_.bytes_own = own_bytes(plan_);
  report_.by_pass = received_ - std::min(received_, report_.pushed);
  const View last = view();
  screen_.show(last);
  report_.peer_views = last.peers;
}

}  // namespace gossip
