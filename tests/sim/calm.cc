// When all faults have ended: who must agree, and by when (R-AE-3).
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/session_end.h"
#include "tests/sim/sim_impl.h"

namespace syncline::sim {
namespace {

constexpr Micros look_every = 50 * millisecond;
constexpr Micros agreement_within = 10 * tick;  // R-AE-3.
// Where lies were believed, or dots used twice: repairs are asked for with growing pauses.
constexpr Micros loose_agreement_within = 120 * tick;

// Whether those who aren't away reach each other over themselves.
bool is_connected(const Shape& shape, const std::vector<bool>& away) {
  std::vector<bool> reached(shape.replicas);
  std::uint32_t count = 0;
  for (std::uint32_t r = 0; r < shape.replicas && count == 0; ++r)
    if (!away[r]) reached[r] = true, count = 1;
  for (bool grown = true; grown;) {
    grown = false;
    for (const auto& [a, b] : shape.links) {
      if (away[a] || away[b] || reached[a] == reached[b]) continue;
      reached[a] = reached[b] = grown = true;
      ++count;
    }
  }
  std::uint32_t there = 0;
  for (std::uint32_t r = 0; r < shape.replicas; ++r) there += away[r] ? 0U : 1U;
  return count == there && there > 1;
}

}  // namespace

// Some machines that stay away while the others agree; often none.
std::vector<bool> Sim::Impl::draw_away() {
  std::vector<bool> away(shape.replicas);
  for (std::uint32_t r = 0; r < shape.replicas; ++r) away[r] = rng.one_in(3) || !machines[r].engine;
  // Who could mend a leaf must be there.
  return is_connected(shape, away) && !has_rot() ? away : std::vector<bool>(shape.replicas);
}

void Sim::Impl::heal(const std::vector<bool>& away) {
  chaos = false;
  dice.rest();
  network.heal();
  for (std::uint32_t r = 0; r < shape.replicas; ++r) {
    Machine& machine = machines[r];
    machine.clock.drift(0, schedule.now());
    machine.paused_until = 0;
    machine.full_until = 0;
    if (machine.disk) machine.disk->set_full(false);
    if (machine.engine) machine.engine->set_read_only(false);
    if (machine.commit_at != 0) commit_later(r, shape.commit_max);
    const bool is_copy = shape.has_clone && r + 1 == shape.replicas;
    if (away[r]) {
      network.cut_off(r);
    } else if (!machine.engine && (cloned || !is_copy)) {
      start(r);
    }
  }
  if (has_liar()) network.cut_off(shape.replicas);  // And nobody lies any more.
  network.dial_all();
  for (std::uint32_t r = 0; r < shape.replicas; ++r) settle(r);
}

bool Sim::Impl::agree(const std::vector<bool>& away, bool everything) {
  for (const auto& [name, oracle] : oracles) {
    const Version all = oracle.everything();
    std::optional<Version> one;
    for (std::uint32_t r = 0; r < shape.replicas; ++r) {
      const auto keyspace = machines[r].keyspaces.find(name);
      if (away[r] || !machines[r].engine || keyspace == machines[r].keyspaces.end()) continue;
      const Version has = machines[r].engine->persisted_version(*keyspace->second);
      if (everything && !(has.includes(all) && has.includes(kept[name]))) return false;
      if (one && *one != has) return false;
      one = has;
      if (has_rot() && !machines[r].engine->lost_leaves(*keyspace->second).empty()) return false;
    }
  }
  for (const auto& [a, b] : shape.links) {
    const bool concerned = !away[a] && !away[b] && machines[a].engine && machines[b].engine;
    if (concerned && network.lacks_connection(a, b)) return false;
  }
  bool in_sync = true;
  network.for_each_end([&](std::uint32_t host, std::uint32_t peer, End& end) {
    if (is_liar(host) || is_liar(peer)) return;
    const Session& session = static_cast<SessionEnd&>(end).session();
    in_sync = in_sync && session.established() && session.in_sync();
  });
  return in_sync;
}

std::string Sim::Impl::describe_disagreement(const std::vector<bool>& away) {
  std::string detail;
  for (std::uint32_t r = 0; r < shape.replicas; ++r) {
    if (away[r] || !machines[r].engine) continue;
    for (const auto& [name, keyspace] : machines[r].keyspaces)
      detail += "; " + std::to_string(r) + " has " +
                std::to_string(machines[r].engine->persisted_version(*keyspace).size()) + " of " +
                std::to_string(oracles.find(name)->second.everything().size()) + " dots of " + name;
  }
  for (const auto& [a, b] : shape.links)
    if (!away[a] && !away[b] && network.lacks_connection(a, b))
      detail += "; " + std::to_string(a) + " and " + std::to_string(b) + " aren't connected";
  network.for_each_end([&](std::uint32_t host, std::uint32_t peer, End& end) {
    if (is_liar(host) || is_liar(peer)) return;
    if (!static_cast<SessionEnd&>(end).session().in_sync())
      detail += "; " + std::to_string(host) + " isn't in sync with " + std::to_string(peer);
  });
  return detail;
}

bool Sim::Impl::wait_for_agreement(const std::vector<bool>& away, bool everything) {
  const Micros began = schedule.now();
  const Micros within = shape.is_loose() ? loose_agreement_within : agreement_within;
  Micros look = began;
  while (!violation && schedule.now() < began + within && schedule.step()) {
    if (schedule.now() < look) continue;
    look = schedule.now() + look_every;
    if (agree(away, everything)) break;
  }
  std::uint64_t& ticks = shape.is_loose() ? counts.loose_ticks : counts.calm_ticks;
  ticks = std::max(ticks, (schedule.now() - began) / tick + 1);
  if (violation) return false;
  if (agree(away, everything)) return true;
  found("no agreement after " + std::to_string(within / tick) + " tick intervals of calm" +
        describe_disagreement(away));
  return false;
}

// What is on a disk that will be there is lost no more, whatever was believed (I7).
void Sim::Impl::note_kept() {
  for (const auto& [name, oracle] : oracles) {
    for (const Machine& machine : machines) {
      const auto keyspace = machine.keyspaces.find(name);
      if (machine.engine && keyspace != machine.keyspaces.end())
        kept[name].merge(machine.engine->persisted_version(*keyspace->second));
    }
  }
}

// Who agrees on versions and digests has the same leaves, too.
void Sim::Impl::check_equal() {
  for (const auto& [name, oracle] : oracles) {
    std::optional<std::uint64_t> one;
    for (std::uint32_t r = 0; r < shape.replicas; ++r) {
      if (!machines[r].engine || !machines[r].keyspaces.contains(name)) continue;
      const std::uint64_t has = machines[r].views[name].mirror.hash();
      if (one && *one != has) found("machines that say they agree have other live dots of " + name);
      if (!one && shape.is_loose() && !has_liar())
        found(oracle.check_made(*machines[r].engine, *machines[r].keyspaces.at(name)));
      one = has;
    }
  }
}

void Sim::Impl::run_calm() {
  if (violation) return;
  const std::vector<bool> nobody(shape.replicas);
  if (const std::vector<bool> away = draw_away(); away != nobody) {
    heal(away);
    if (!wait_for_agreement(away, false)) return;
    counts.marks.reach(Mark::core_agreed);
  }
  heal(nobody);
  note_kept();
  if (!wait_for_agreement(nobody, true)) return;
  check_all();
  check_equal();
  for (const Machine& machine : machines)
    if (machine.old_disk) counts.marks.reach(Mark::old_disk_caught_up);
}

}  // namespace syncline::sim
