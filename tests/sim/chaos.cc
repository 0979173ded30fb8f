// What the machines' people and their bad luck do.
#include <algorithm>
#include <iterator>
#include <utility>

#include "tests/sim/sim_impl.h"

namespace syncline::sim {
namespace {

constexpr Micros minute = 60 * second;
constexpr Micros day = 24 * 60 * minute;

}  // namespace

// One beat: somebody writes, something breaks, or both.
void Sim::Impl::operate() {
  if (!chaos || violation) return;
  schedule.after(rng.below(2 * shape.operation_gap) + 1, [this] { operate(); });
  const auto r = static_cast<std::uint32_t>(rng.below(shape.replicas));
  ++counts.operations;
  network.disturb();
  disturb_clock(r);
  disturb_life(r);
  const Machine& machine = machines[r];
  const bool awake = machine.engine && machine.paused_until <= schedule.now() && !is_full(machine);
  if (awake && counts.operations <= options.operations) write(r);
}

void Sim::Impl::write(std::uint32_t r) {
  Machine& machine = machines[r];
  Rng own(mix(options.seed, counts.operations));  // So that leaving one out changes no other.
  auto at = machine.keyspaces.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(own.below(machine.keyspaces.size())));
  const auto& [name, keyspace] = *at;
  if (is_joining(r, name)) {
    const auto written = machine.engine->commit(machine.engine->begin(*keyspace, time_of(r)));
    if (written || written.error().code != Errc::joining)
      found("a keyspace can be written while it is joining");
    return counts.marks.reach(Mark::joining_refused);
  }
  if (has_rot() && !machine.engine->lost_leaves(*keyspace).empty()) return;
  if (machine.disk && dice.strikes(Fault::read_error)) machine.disk->fail_read(own.between(1, 4));
  read_slowly(r);
  Oracle::View& view = machine.views[name];
  const std::uint64_t failed_before = machine.disk ? machine.disk->reads_failed() : 0;
  Finding finding = sim::operate(*machine.engine, *keyspace, time_of(r), r, shape.operations,
                                 machine.disk.get(), own, oracles.find(name)->second, view, shape.is_loose());
  found(std::move(finding));
  if (machine.disk && machine.disk->reads_failed() != failed_before)
    counts.marks.reach(Mark::transaction_failed);
  if (const auto actor = machine.engine->own_actor(*keyspace)) {
    const auto [known, first] = machine.wrote_as.try_emplace(name, *actor);
    if (!first && std::exchange(known->second, *actor) != *actor) counts.marks.reach(Mark::actor_rotated);
  }
  if (cloned && r + 1 == shape.replicas) counts.marks.reach(Mark::clone_wrote);
  settle(r);
}

void Sim::Impl::disturb_clock(std::uint32_t r) {
  Clock& clock = machines[r].clock;
  if (dice.strikes(Fault::drift)) {
    const auto ppm = static_cast<std::int64_t>(dice.rng(Fault::drift).below(100'001)) - 50'000;
    clock.drift(ppm, schedule.now());
  }
  if (dice.strikes(Fault::step)) {
    Rng& random = dice.rng(Fault::step);
    const auto off = std::chrono::milliseconds(draw_length(random, second, 3'650 * day) / millisecond);
    clock.step(random.one_in(2) ? off : -off);
  }
  if (dice.strikes(Fault::freeze)) clock.freeze(!clock.frozen(), schedule.now());
}

void Sim::Impl::disturb_life(std::uint32_t r) {
  Machine& machine = machines[r];
  if (dice.strikes(Fault::night)) network.jump(draw_length(dice.rng(Fault::night), minute, 400 * day));
  if (!machine.engine) return;
  if (dice.strikes(Fault::pause)) pause(r, draw_length(dice.rng(Fault::pause), second, day));
  if (!machine.disk) return;
  const Micros rest = rng.between(1, 3'000) * millisecond;
  // Joining is soon over: while a machine does, its dice are thrown more often.
  bool joins = false;
  for (const auto& [name, keyspace] : machine.keyspaces) joins = joins || machine.engine->joining(*keyspace);
  for (int throws = joins ? 50 : 1; throws != 0; --throws)
    if (dice.strikes(Fault::crash)) return crash(r, rest);
  if (dice.strikes(Fault::restart)) return restart(r);
  if (dice.strikes(Fault::amnesia)) return fall_back(r, Disk());
  if (!machine.snapshots.empty() && dice.strikes(Fault::restore)) {
    const std::uint64_t which = dice.rng(Fault::restore).below(machine.snapshots.size());
    return fall_back(r, Disk(machine.snapshots[which]));
  }
  if (!machine.memories.empty() && dice.strikes(Fault::resume)) return resume(r);
  if (dice.strikes(Fault::rot)) rot(r);
  const bool is_copy = shape.has_clone && r + 1 == shape.replicas;
  if (shape.has_clone && !cloned && !is_copy && dice.strikes(Fault::clone)) clone(r);
}

void Sim::Impl::pause(std::uint32_t r, Micros length) {
  Micros& until = machines[r].paused_until;
  until = std::max(until, schedule.now() + length);
  network.hold(r, length);
}

// Whoever reads waits for the disk, and all else on the machine with it.
void Sim::Impl::read_slowly(std::uint32_t r) {
  if (machines[r].disk && dice.strikes(Fault::slow_read)) pause(r, draw_slowness(dice.rng(Fault::slow_read)));
}

// Everything is written, then the process ends and a new one starts.
void Sim::Impl::restart(std::uint32_t r) {
  Machine& machine = machines[r];
  network.drop(r);
  collect_records(r);
  while (!machine.writing.empty() && store(machine, machine.writing.front())) machine.writing.pop_front();
  machine.proven = machine.writing.empty();
  fall(r, machine.proven ? Comeback::in_order : Comeback::crashed);
  restart_later(r, 1);
}

// The machine comes back with another disk than it had.
void Sim::Impl::fall_back(std::uint32_t r, Disk older) {
  Machine& machine = machines[r];
  *machine.disk = std::move(older);
  machine.old_disk = true;
  fall(r, Comeback::older);
  restart_later(r, dice.rng(Fault::restore).between(1, 3'000) * millisecond);
}

// The machine goes on as it was when it had stored something: memory and disk. What it draws from now on is
// what whoever goes on from there draws, too.
void Sim::Impl::resume(std::uint32_t r) {
  Machine& machine = machines[r];
  Memory& memory = machine.memories[dice.rng(Fault::resume).below(machine.memories.size())];
  counts.marks.reach(Mark::resumed);
  if (std::exchange(memory.used, true)) counts.marks.reach(Mark::resumed_twice);
  *machine.disk = memory.disk;
  for (std::size_t i = 0; i < machine.entropy.size(); ++i) machine.entropy[i] = mix(memory.entropy[i], i + 1);
  machine.node = memory.node;
  machine.resumes = machine.proven = machine.old_disk = true;
  fall(r, Comeback::older);
  restart_later(r, 1);
}

// A leaf on the machine's disk isn't what was written; a read finds out at once. One at a time, and only
// while another machine has on disk all that this one has: what nobody else has is gone for good.
void Sim::Impl::rot(std::uint32_t r) {
  Disk& disk = *machines[r].disk;
  const KeyspaceState& shop = *machines[r].keyspaces.at("shop");
  if (machines[r].engine->joining(shop)) return;
  if (rotten && machines[rotten->first].disk->is_rotten("shop", rotten->second)) return;
  for (const Machine& machine : machines)
    if (machine.engine && !machine.engine->lost_leaves(*machine.keyspaces.at("shop")).empty()) return;
  bool held = false;
  for (std::uint32_t other = 0; other < shape.replicas; ++other)
    held = held || (other != r && machines[other].disk && machines[other].engine &&
                    machines[other].disk->version("shop").includes(machines[r].engine->version(shop)));
  if (!held) return;
  std::vector<std::string> leaves;
  (void)disk.scan("shop", {}, [&leaves](std::string_view leaf, std::string_view) {
    leaves.emplace_back(leaf);
    return true;
  });
  if (leaves.empty()) return;
  rotten.emplace(r, leaves[dice.rng(Fault::rot).below(leaves.size())]);
  disk.rot("shop", rotten->second);
  (void)machines[r].engine->find(shop, rotten->second);
}

void Sim::Impl::clone(std::uint32_t r) {
  cloned = true;
  const std::uint32_t copy = shape.replicas - 1;
  shape.keyspaces[copy] = shape.keyspaces[r];
  machines[copy].disk = std::make_unique<Disk>(*machines[r].disk);
  start(copy);
  settle(copy);
}

}  // namespace syncline::sim
