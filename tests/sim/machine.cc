// How machines start, stop and store, and what is checked after each event.
#include <algorithm>
#include <utility>

#include "tests/sim/damage.h"
#include "tests/sim/liar.h"
#include "tests/sim/session_end.h"
#include "tests/sim/sim_impl.h"

namespace syncline::sim {
namespace {

constexpr std::size_t snapshots_max = 3;
// Before what couldn't be written is tried again.
constexpr Micros rest_after_failure = 100 * millisecond;

// Whether actors are stored by it that weren't before.
bool names_actors(const Record& record) {
  return std::any_of(record.keyspaces.begin(), record.keyspaces.end(),
                     [](const KeyspaceRecord& part) { return !part.actors.empty(); });
}

}  // namespace

// ---- connections ----

SessionOptions Sim::Impl::session_options(std::uint32_t r) const {
  SessionOptions session;
  session.cluster = "sim";
  session.node = machines[r].node;
  session.relay = shape.relay;
  session.chunk_bytes = shape.chunk_bytes;
  session.push_bytes = shape.push_bytes;
  session.actors_named = shape.actors_named;
  session.limits.frame_bytes_max = shape.frame_bytes;
  session.join_patience = std::chrono::milliseconds(2 * tick / millisecond);
  session.address = "replica-" + std::to_string(r);
  return session;
}

std::unique_ptr<End> Sim::Impl::connect(std::uint32_t host, std::uint32_t peer) {
  if (is_liar(host)) return std::make_unique<Liar>(*this, host, liar_rng.next());
  auto end = std::make_unique<SessionEnd>(*this, host, peer);
  if (dice.strikes(Fault::replay)) replay_history(host, peer);
  return end;
}

// Plays the frames of an earlier conversation into a session of its own,
// beside the real one: it is refused, or it does no harm.
void Sim::Impl::replay_history(std::uint32_t r, std::uint32_t peer) {
  const std::vector<std::string> frames = machines[peer].history[r];
  if (frames.empty()) return;
  Session session(*machines[r].engine, session_options(r), time_of(r));
  for (const std::string& frame : frames) {
    const bool taken = session.handle_frame(time_of(r), frame).has_value();
    while (session.poll_frame(time_of(r))) {
    }
    check(r, false);
    if (!taken) break;
  }
  counts.marks.reach(Mark::replay_taken);
}

void Sim::Impl::refused(std::uint32_t host, std::uint32_t peer, const Error& error, bool damaged) {
  if (damaged) return counts.marks.reach(Mark::damage_refused);
  if (is_liar(peer)) return counts.marks.reach(Mark::lie_refused);
  if (shape.is_loose()) return;  // A lie may have been believed and told on. In the end all must agree.
  const bool read_failed = error.code == Errc::storage && shape.faults[Fault::read_error] != 0;
  if (read_failed) return;
  found("machine " + std::to_string(host) + " refused an honest frame: " + to_string(error));
}

// ---- lives ----

void Sim::Impl::start(std::uint32_t r) {
  Machine& machine = machines[r];
  const bool resumed = std::exchange(machine.resumes, false);
  const bool reuse = resumed || (options.defect == Defect::restores_a_backup && machine.life != 0);
  if (!reuse)
    for (std::uint64_t& word : machine.entropy) word = entropy_rng.next();
  if (options.defect == Defect::clones_an_identity) machine.entropy = {1, 2, 3, machine.life};
  for (std::uint8_t& byte : machine.node)
    if (!resumed) byte = static_cast<std::uint8_t>(entropy_rng.next());
  const EngineOptions engine_options{.entropy = machine.entropy,
                                     .log_bytes_max = shape.log_bytes,
                                     .log_stable_bytes = shape.log_bytes / 4,
                                     .early_bytes_max = shape.early_bytes,
                                     .join_in_place = shape.join_in_place};
  if (machine.disk) {
    const bool trusts = std::exchange(machine.proven, false) || options.defect == Defect::trusts_any_disk;
    if (!trusts && options.defect != Defect::keeps_old_writers) machine.disk->forget_writers();
    auto restored = Engine::restore(engine_options, *machine.disk,
                                    trusts ? machine.disk->proven_head() : machine.disk->head());
    if (!restored) return found("a machine can't start from its disk: " + to_string(restored.error()));
    machine.engine = std::move(*restored);
    for (const KeyspaceHead& head : machine.disk->head().keyspaces)
      if (!head.staged.empty()) counts.marks.reach(Mark::pass_restaged);
  } else {
    machine.engine = std::make_unique<Engine>(engine_options);
  }
  ++machine.life;
  machine.commit_at = 0;
  machine.keyspaces.clear();
  for (const std::string& name : shape.keyspaces[r]) {
    const auto opened = machine.engine->open_keyspace(name);
    SYNCLINE_ASSERT(opened.has_value());
    machine.keyspaces[name] = *opened;
    machine.watched = r % 2 == 0;
    machine.engine->watch(**opened, machine.watched);
    machine.views[name] = {};
    if (machine.engine->joining(**opened)) counts.marks.reach(Mark::joining_restored);
  }
  if (rotten && rotten->first == r && machine.disk->is_rotten("shop", rotten->second))
    (void)machine.engine->distrust(*machine.keyspaces.at("shop"), rotten->second);  // Its store knows.
  list_members(r);
  check(r, true);
}

// The process dies. The disk may have got further than it said.
void Sim::Impl::crash(std::uint32_t r, Micros rest) {
  Machine& machine = machines[r];
  if (options.defect == Defect::loses_the_tail && !machine.snapshots.empty())
    *machine.disk = machine.snapshots.back();
  for (std::uint64_t n = disk_rng.below(machine.writing.size() + 1); n != 0; --n) {
    if (!store(machine, machine.writing.front())) break;
    machine.writing.pop_front();
  }
  if (!machine.writing.empty()) counts.marks.reach(Mark::writes_lost);
  for (const auto& [name, keyspace] : machine.keyspaces) {
    if (!machine.disk->version(name).includes(machine.engine->persisted_version(*keyspace)))
      found("a write that the disk acknowledged is gone");
  }
  fall(r, Comeback::crashed);
  restart_later(r, rest);
}

void Sim::Impl::restart_later(std::uint32_t r, Micros rest) {
  Machine& machine = machines[r];
  retire(machine);
  reckon();
  ++machine.life;
  schedule.after(rest, [this, r, life = machine.life] {
    if (machines[r].life != life || machines[r].engine) return;
    start(r);
    settle(r);
  });
}

// Its engine goes; what it counted stays.
void Sim::Impl::retire(Machine& machine) {
  if (!machine.engine) return;
  const EngineMetrics& metrics = machine.engine->metrics();
  counts.marks.reach(Mark::duplicate_change, metrics.changes_duplicate);
  counts.marks.reach(Mark::early_dropped, metrics.early_dropped);
  counts.marks.reach(Mark::log_cut, metrics.log_cut);
  counts.marks.reach(Mark::log_cut_stable, metrics.log_cut_stable);
  counts.marks.reach(Mark::digest_pass, metrics.digest_passes);
  counts.marks.reach(Mark::leaf_mended, metrics.leaves_mended);
  machine.engine.reset();
}

// The machine is back at what its disk has: connections end, and what was in
// memory alone never was.
void Sim::Impl::fall(std::uint32_t r, Comeback how) {
  Machine& machine = machines[r];
  machine.writing.clear();
  machine.commit_at = 0;
  machine.announceable.clear();
  network.drop(r);
  for (const auto& [name, keyspace] : machine.keyspaces) {
    std::vector<const Oracle::View*> others;
    for (std::uint32_t other = 0; other < shape.replicas; ++other) {
      const auto view = machines[other].views.find(name);
      if (other != r && machines[other].engine && view != machines[other].views.end())
        others.push_back(&view->second);
    }
    if (options.defect != Defect::restores_a_backup)
      found(oracles.find(name)->second.restart(r, machine.disk->version(name), how, others));
    machine.views[name] = {};
  }
}

// Tells the oracles what exists at all: in running engines and on the disks of the others.
void Sim::Impl::reckon() {
  for (auto& [name, oracle] : oracles) {
    std::vector<Version> holders;
    for (const Machine& machine : machines) {
      const auto keyspace = machine.keyspaces.find(name);
      if (machine.disk) holders.push_back(machine.disk->version(name));
      if (machine.engine && keyspace != machine.keyspaces.end())
        holders.push_back(machine.engine->version(*keyspace->second));
    }
    oracle.reckon(holders);
  }
}

// ---- disks ----

// One transaction. False if the disk refused it.
bool Sim::Impl::store(Machine& machine, const Record& record) {
  const bool keep = shape.faults[Fault::restore] != 0 || options.defect == Defect::restores_a_backup;
  if (options.defect == Defect::loses_the_tail || (keep && disk_rng.one_in(50))) {
    machine.snapshots.push_back(*machine.disk);
    if (machine.snapshots.size() > snapshots_max) machine.snapshots.pop_front();
  }
  if (shape.faults[Fault::resume] != 0 && disk_rng.one_in(50)) {
    machine.memories.push_back({*machine.disk, machine.entropy, machine.node});
    if (machine.memories.size() > snapshots_max) machine.memories.pop_front();
  }
  // What is rarely in a record at all is damaged more often.
  const bool rare = options.defect == Defect::keeps_staged_chunks ||
                    options.defect == Defect::loses_a_staged_chunk ||
                    options.defect == Defect::mixes_up_actors;
  const bool strikes = chaos && defect_rng.one_in(rare ? 3 : 50);
  if (strikes && options.defect == Defect::skips_a_record) return true;
  const bool damages = strikes && options.defect != Defect::none;
  const auto committed = damages ? machine.disk->commit(damage_record(record, options.defect, *machine.disk))
                                 : machine.disk->commit(record);
  if (!committed) {
    if (committed.error().code == Errc::damaged) found("a record doesn't fit its disk");
    return false;
  }
  for (const KeyspaceRecord& part : record.keyspaces) {
    Mirror& mirror = machine.views[part.name].mirror;
    if (part.dropped) mirror.forget();
    for (const auto& leaf : part.leaves) {
      mirror.touch(leaf.first);
      if (machine.watched) machine.announceable.emplace(part.name, leaf.first);
    }
  }
  return true;
}

void Sim::Impl::collect_records(std::uint32_t r) {
  Machine& machine = machines[r];
  while (auto record = machine.engine->poll_record()) {
    const std::uint64_t sequence = record->sequence;
    machine.writing.push_back(std::move(*record));
    if (options.defect == Defect::acknowledges_before_storing) machine.engine->handle_persisted(sequence);
  }
  if (machine.writing.empty() || machine.commit_at != 0) return;
  Micros wait = machine.commit_failed ? rest_after_failure : 0;
  if (dice.strikes(Fault::slow_write)) wait += draw_slowness(dice.rng(Fault::slow_write));
  commit_later(r, wait + disk_rng.below(shape.commit_max + 1));
}

void Sim::Impl::commit_later(std::uint32_t r, Micros wait) {
  Machine& machine = machines[r];
  const Micros at = schedule.now() + wait;
  machine.commit_at = at;
  schedule.after(wait, [this, r, at, life = machine.life] {
    if (machines[r].life == life && machines[r].commit_at == at) commit(r);
  });
}

void Sim::Impl::commit(std::uint32_t r) {
  Machine& machine = machines[r];
  const Micros not_before = std::max(machine.paused_until, machine.commit_failed ? machine.full_until : 0);
  if (not_before > schedule.now()) return commit_later(r, not_before - schedule.now());
  machine.commit_at = 0;
  if (dice.strikes(Fault::full))
    machine.full_until = schedule.now() + dice.rng(Fault::full).between(10, 10'000) * millisecond;
  machine.disk->set_full(is_full(machine));
  const bool fails = dice.strikes(Fault::write_error);
  if (fails && options.defect == Defect::keeps_failed_writes && !names_actors(machine.writing.front()))
    store(machine, machine.writing.front());
  for (std::uint64_t n = fails ? 0 : disk_rng.between(1, machine.writing.size()); n != 0; --n) {
    const std::uint64_t sequence = machine.writing.front().sequence;
    if (!store(machine, machine.writing.front())) break;
    machine.writing.pop_front();
    if (options.defect == Defect::acknowledges_before_storing) continue;
    machine.engine->handle_persisted(sequence);
  }
  machine.commit_failed = fails || (!machine.writing.empty() && is_full(machine));
  if (machine.commit_failed) fail_writes(r);
  settle(r);
}

void Sim::Impl::fail_writes(std::uint32_t r) {
  Machine& machine = machines[r];
  counts.marks.reach(Mark::commit_failed);
  machine.engine->handle_failed(Error{Errc::storage, "the simulated disk failed"});
  ++machine.life;
  fall(r, Comeback::undone);
  reckon();
  check(r, true);
  if (!is_full(machine)) return;
  // Until there is room again it only reads.
  machine.engine->set_read_only(true);
  schedule.after(machine.full_until - schedule.now(), [this, r] { end_full(r); });
}

void Sim::Impl::end_full(std::uint32_t r) {
  Machine& machine = machines[r];
  if (!machine.engine || is_full(machine)) return;
  machine.engine->set_read_only(false);
  counts.marks.reach(Mark::room_again);
  settle(r);
}

// ---- after each event ----

// Gives the machine's work to disk and links, and checks what became of it.
void Sim::Impl::settle(std::uint32_t r) {
  Machine& machine = machines[r];
  if (is_liar(r)) return network.pump(r);
  if (!machine.engine || violation) return;
  check(r, false);
  collect_records(r);
  network.pump(r);
  collect_records(r);
  while (auto event = machine.engine->poll_event()) take(r, *event);
  machine.announceable.clear();
}

void Sim::Impl::take(std::uint32_t r, const EngineEvent& event) {
  Machine& machine = machines[r];
  if (const auto* changed = std::get_if<LeavesChanged>(&event)) {
    for (const LeavesChanged::Leaf& leaf : changed->leaves)
      if (machine.disk && !machine.announceable.contains({changed->keyspace, leaf.leaf}))
        found("a watcher heard of a leaf that didn't reach the disk just now");
    return;
  }
  if (std::holds_alternative<Asked>(event)) return;
  const Notice& notice = std::get<Notice>(event);
  using Kind = Notice::Kind;
  if (notice.kind == Kind::joined) counts.marks.reach(Mark::joined);
  if (notice.kind == Kind::amnesia) counts.marks.reach(Mark::amnesia_noticed);
  if (notice.kind == Kind::dot_reused) counts.marks.reach(Mark::dot_reuse_noticed);
  if (notice.kind == Kind::divergence_detected) counts.marks.reach(Mark::divergence_repaired);
  if (shape.is_loose() || has_rot()) return;
  const bool clocks_lie = shape.faults[Fault::step] != 0 || shape.faults[Fault::drift] != 0 ||
                          shape.faults[Fault::freeze] != 0 || shape.faults[Fault::night] != 0;
  if (notice.kind == Kind::clock_drift && clocks_lie) return counts.marks.reach(Mark::clock_drift_noticed);
  if (notice.kind == Kind::divergence_detected || notice.kind == Kind::repair_kept ||
      notice.kind == Kind::dot_reused || notice.kind == Kind::amnesia || notice.kind == Kind::clock_drift)
    found("a false alarm: " + notice.detail);
}

// Whether the keyspace is joining: then it has no version, and no leaf of it can be read.
bool Sim::Impl::is_joining(std::uint32_t r, const std::string& name) {
  const Machine& machine = machines[r];
  const KeyspaceState& keyspace = *machine.keyspaces.at(name);
  if (!machine.engine->joining(keyspace)) return false;
  const auto read =
      machine.engine->scan(keyspace, {}, [](std::string_view, std::string_view) { return true; });
  if (read || read.error().code != Errc::joining) found("a keyspace can be read while it is joining");
  if (!machine.engine->version(keyspace).empty()) found("a keyspace has a version while it is joining");
  return true;
}

void Sim::Impl::check(std::uint32_t r, bool thorough) {
  Machine& machine = machines[r];
  if (!shape.is_loose()) check_stable(r);
  for (const auto& [name, keyspace] : machine.keyspaces)
    if (!violation && !is_joining(r, name))
      found(oracles.find(name)->second.check(machine.views[name], *machine.engine, *keyspace, thorough,
                                             shape.is_loose()));
}

void Sim::Impl::check_all() {
  ++counts.full_checks;
  for (std::uint32_t r = 0; r < shape.replicas; ++r) {
    Machine& machine = machines[r];
    if (!machine.engine) continue;
    check_caps(r);
    check(r, true);
    for (const auto& [name, keyspace] : machine.keyspaces) {
      if (!machine.disk) continue;
      if (machine.engine->persisted_version(*keyspace) != machine.disk->version(name))
        found("the persisted version isn't the disk's");
      const KeyspaceHead* head = machine.disk->keyspace(name);
      if (head != nullptr && machine.engine->persisted_digests(*keyspace) != head->digests)
        found("the persisted digests aren't the disk's");
    }
  }
}

// What is bounded stays within its bounds (I8).
void Sim::Impl::check_caps(std::uint32_t r) {
  const Machine& machine = machines[r];
  for (const auto& [name, keyspace] : machine.keyspaces) {
    // What isn't on disk yet can't be cut.
    if (machine.writing.empty() && machine.engine->log_memory_bytes(*keyspace) > shape.log_bytes)
      found("the recent log is larger than its budget");
  }
  if (shape.early_bytes == 0 && machine.engine->metrics().changes_waiting != 0)
    found("changes wait where there is no room for any");
}

}  // namespace syncline::sim
