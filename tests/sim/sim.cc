#include "tests/sim/sim.h"

#include <algorithm>
#include <utility>

#include "tests/sim/sim_impl.h"

namespace syncline::sim {
namespace {

constexpr std::uint64_t full_check_every = 1'000;

// What is drawn apart doesn't change when something else draws more or less.
enum class Stream : std::uint64_t { shape, disk, entropy, defect, dice, network };
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
  operations += other.operations;
  faults += other.faults;
  rows += other.rows;
  full_checks += other.full_checks;
  calm_ticks = std::max(calm_ticks, other.calm_ticks);
  for (std::size_t i = 0; i < fault_count; ++i) struck[i] += other.struck[i];
  marks.add(other.marks);
}

Sim::Impl::Impl(SimOptions given)
    : options(std::move(given)),
      rng(seed_of(options, Stream::shape)),
      shape(draw_shape(rng, options.defect)),
      disk_rng(seed_of(options, Stream::disk)),
      entropy_rng(seed_of(options, Stream::entropy)),
      defect_rng(seed_of(options, Stream::defect)),
      dice(leave_out(shape.faults, options.without), seed_of(options, Stream::dice)),
      network(schedule, dice, *this, seed_of(options, Stream::network), shape.link),
      machines(shape.replicas) {
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
    if (machine.disk) counts.marks.reach(Mark::read_failed, machine.disk->reads_failed());
    retire(machine);
  }
  for (const auto& [name, oracle] : oracles) counts.rows += oracle.row_count();
  counts.frames = network.frames();
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
std::uint64_t Sim::trace_hash() const { return impl_->network.trace_hash(); }

std::string replay(const SimOptions& options) {
  std::string command =
      "sim_run --seed " + std::to_string(options.seed) + " --events " + std::to_string(options.events);
  if (options.operations != SimOptions{}.operations)
    command += " --operations " + std::to_string(options.operations);
  for (const Fault fault : options.without) command += std::string(" --without ") + name(fault);
  if (options.defect != Defect::none) command += std::string(" --defect ") + name(options.defect);
  return command;
}

}  // namespace syncline::sim
