#include "tests/sim/sim.h"

#include <algorithm>
#include <utility>

#include "tests/sim/sim_impl.h"

namespace syncline::sim {
namespace {

constexpr std::uint64_t full_check_every = 1'000;

// What is drawn apart doesn't change when something else draws more or less.
enum class Stream : std::uint64_t { shape, disk, entropy, defect, dice, network, liar };
std::uint64_t seed_of(const SimOptions& options, Stream stream) {
  return mix(options.seed + 1, static_cast<std::uint64_t>(stream) + 1);
}

Faults leave_out(Faults faults, const std::vector<Fault>& without) {
  for (const Fault fault : without) faults.set(fault, 0);
  return faults;
}

}  // namespace

void SimCounts::add(const SimCounts& other) {
  frames += other.frames;
  frames_sent += other.frames_sent;
  bytes_sent += other.bytes_sent;
  frames_due += other.frames_due;
  bytes_due += other.bytes_due;
  operations += other.operations;
  faults += other.faults;
  rows += other.rows;
  full_checks += other.full_checks;
  calm_ticks = std::max(calm_ticks, other.calm_ticks);
  loose_ticks = std::max(loose_ticks, other.loose_ticks);
  for (std::size_t i = 0; i < fault_count; ++i) struck[i] += other.struck[i];
  marks.add(other.marks);
}

Sim::Impl::Impl(SimOptions given)
    : options(std::move(given)),
      rng(seed_of(options, Stream::shape)),
      shape(draw_shape(rng, options)),
      disk_rng(seed_of(options, Stream::disk)),
      entropy_rng(seed_of(options, Stream::entropy)),
      defect_rng(seed_of(options, Stream::defect)),
      liar_rng(seed_of(options, Stream::liar)),
      dice(leave_out(shape.faults, options.without), seed_of(options, Stream::dice)),
      network(schedule, dice, *this, seed_of(options, Stream::network), shape.link),
      machines(shape.replicas + (shape.faults[Fault::lie] != 0 ? 1 : 0)) {
  oracles["shop"];
  oracles["till"];
  for (std::uint32_t r = 0; r < shape.replicas; ++r) {
    Machine& machine = machines[r];
    machine.clock.step(std::chrono::milliseconds(static_cast<std::int64_t>(rng.below(10'000)) - 5'000));
    if (shape.has_clone && r + 1 == shape.replicas) continue;  // The place of a copy.
    if (!shape.in_memory[r]) machine.disk = std::make_unique<Disk>();
    if (machine.disk) machine.disk->hide_errors(options.defect == Defect::reads_nothing_on_error);
    start(r);
  }
  for (const auto& [a, b] : shape.links) network.add_link(a, b);
  for (std::uint32_t r = 0; has_liar() && r < shape.replicas; ++r) network.add_link(r, shape.replicas);
  schedule.after(shape.operation_gap, [this] { operate(); });
}

Sim::Impl::~Impl() { network.close(); }  // Before the engines.

void Sim::Impl::found(Finding finding) {
  if (finding.empty() || violation) return;
  violation = "event " + std::to_string(events()) + ", " + std::to_string(schedule.now() / millisecond) +
              " ms: " + finding;
}

void Sim::Impl::run_chaos() {
  std::uint64_t next_check = full_check_every;
  while (!violation && events() < options.events && schedule.step()) {
    if (events() < next_check) continue;
    next_check += full_check_every;
    check_all();
  }
}

// Adds up what happened.
void Sim::Impl::finish() {
  network.close();
  for (Machine& machine : machines) {
    for (const auto& [name, keyspace] : machine.keyspaces)
      if (machine.engine) machine.left_with[name] = machine.engine->digests(*keyspace);
    if (machine.disk) counts.marks.reach(Mark::read_failed, machine.disk->reads_failed());
    retire(machine);
  }
  for (const auto& [name, oracle] : oracles) {
    counts.rows += oracle.row_count();
    std::uint64_t holders = 0;
    for (const Machine& machine : machines) holders += machine.keyspaces.contains(name) ? 1U : 0U;
    counts.frames_due += oracle.changes_made() * (holders - 1);
    counts.bytes_due += oracle.bytes_made() * (holders - 1);
  }
  counts.frames = network.frames();
  counts.frames_sent = network.frames_sent();
  counts.bytes_sent = network.bytes_sent();
  counts.faults = dice.total();
  counts.struck = dice.struck();
  Marks& marks = counts.marks;
  marks.reach(Mark::push_sent, wire.pushes);
  marks.reach(Mark::pass_resumed, wire.resumed);
  marks.reach(Mark::pass_refused, wire.refused);
  marks.reach(Mark::another_round, wire.new_rounds);
  marks.reach(Mark::dead_row_named, wire.dead_rows);
  marks.reach(Mark::message_continued, wire.continued);
  marks.reach(Mark::link_fell_silent, network.silenced());
  marks.reach(Mark::two_connections, counts.struck[static_cast<std::size_t>(Fault::twin)]);
  trace = mix(network.trace_hash(), counts.operations);
  for (const std::uint64_t times : counts.struck) trace = mix(trace, times);
  for (const Machine& machine : machines)
    for (const auto& [name, digests] : machine.left_with)
      trace = mix(trace, digests.context.low ^ digests.state.high);
}

Sim::Sim(SimOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Sim::~Sim() = default;

bool Sim::run() {
  impl_->run_chaos();
  impl_->run_calm();
  impl_->finish();
  return !impl_->violation;
}

const std::optional<std::string>& Sim::violation() const { return impl_->violation; }
const SimCounts& Sim::counts() const { return impl_->counts; }
std::uint64_t Sim::trace_hash() const { return impl_->trace; }

std::string replay(const SimOptions& options) {
  std::string command =
      "sim_run --seed " + std::to_string(options.seed) + " --events " + std::to_string(options.events);
  if (options.operations != SimOptions{}.operations)
    command += " --operations " + std::to_string(options.operations);
  for (const Fault fault : options.without) command += std::string(" --without ") + name(fault);
  for (const auto& [fault, once_in] : options.with)
    command += std::string(" --with ") + name(fault) + "=" + std::to_string(once_in);
  if (options.replicas != 0) command += " --replicas " + std::to_string(options.replicas);
  if (options.defect != Defect::none) command += std::string(" --defect ") + name(options.defect);
  return command;
}

}  // namespace syncline::sim
