#include "tests/sim/session_end.h"

#include <utility>

namespace syncline::sim {
namespace {

constexpr std::size_t history_max = 64;  // Frames kept to be played again.

// While it lives a read of the machine's disk may fail.
class UnreliableReads {
 public:
  UnreliableReads(Sim::Impl& sim, std::uint32_t r) : disk_(sim.machines[r].disk.get()) {
    if (disk_ != nullptr && sim.dice.strikes(Fault::read_error))
      disk_->fail_read(sim.dice.rng(Fault::read_error).between(1, 4));
  }
  ~UnreliableReads() {
    if (disk_ != nullptr) disk_->fail_read(0);
  }
  UnreliableReads(const UnreliableReads&) = delete;
  UnreliableReads& operator=(const UnreliableReads&) = delete;

 private:
  Disk* disk_;
};

}  // namespace

WireLimits limits_of(const Shape& shape) {
  WireLimits limits;
  limits.frame_bytes_max = shape.frame_bytes;
  return limits;
}

SessionEnd::SessionEnd(Sim::Impl& sim, std::uint32_t host, std::uint32_t peer)
    : sim_(sim),
      host_(host),
      peer_(peer),
      peer_life_(sim.machines[peer].life),
      session_(*sim.machines[host].engine, sim.session_options(host), sim.time_of(host)),
      splitter_(limits_of(sim.shape)),
      inspector_(limits_of(sim.shape)) {
  if (Tamper::is_for(sim.options.defect))
    tamper_ = std::make_unique<Tamper>(sim.options.defect, limits_of(sim.shape));
}

SessionEnd::~SessionEnd() {
  sim_.machines[host_].history[peer_] = std::move(history_);
  const SessionMetrics& metrics = session_.metrics();
  sim_.counts.marks.reach(Mark::dot_pass, metrics.passes_in - metrics.full_passes_in);
  sim_.counts.marks.reach(Mark::full_pass, metrics.full_passes_in);
  sim_.counts.marks.reach(Mark::tick_equal, metrics.ticks_equal);
}

Result<void> SessionEnd::receive(std::string_view bytes) {
  splitter_.feed(bytes);
  for (;;) {
    auto frame = splitter_.next();
    if (!frame) return tl::unexpected(std::move(frame.error()));
    if (!*frame) return {};
    const UnreliableReads unreliable(sim_, host_);
    sim_.read_slowly(host_);
    const Engine& engine = *sim_.machines[host_].engine;
    const std::uint64_t waiting = engine.metrics().changes_waiting;
    if (auto handled = session_.handle_frame(sim_.time_of(host_), **frame); !handled) return handled;
    if (engine.metrics().changes_waiting > waiting) sim_.counts.marks.reach(Mark::gap_buffered);
    if (sim_.machines[host_].commit_at > sim_.schedule.now() + second)
      sim_.counts.marks.reach(Mark::commit_lagged);
    if (++taken_ % 16 == 0) check_acknowledged();
  }
}

std::optional<std::string> SessionEnd::make_frame() {
  Machine& machine = sim_.machines[host_];
  const UnreliableReads unreliable(sim_, host_);
  auto frame = session_.poll_frame(sim_.time_of(host_));
  if (machine.disk) machine.disk->fail_read(0);
  if (!frame) return frame;
  sim_.found(inspector_.inspect(*frame, *machine.engine, machine.disk.get(), sim_.oracles, sim_.wire,
                                !sim_.shape.is_loose()));
  if (history_.size() < history_max) history_.push_back(*frame);
  return frame;
}

std::optional<std::string> SessionEnd::send() {
  std::optional<std::string> frame;
  do {
    if (!altered_.empty()) {
      frame = std::move(altered_.front());
      altered_.erase(altered_.begin());
      break;
    }
    frame = make_frame();
    if (frame && tamper_)
      altered_ =
          tamper_->pass(*std::exchange(frame, std::string()), sim_.chaos && sim_.defect_rng.one_in(20));
  } while (frame && tamper_);
  take_events();
  return frame;
}

void SessionEnd::take_events() {
  while (auto event = session_.poll_event()) {
    const auto* compared = std::get_if<KeyspaceCompared>(&*event);
    const bool allowed = sim_.shape.is_loose() || sim_.has_rot();  // News of a lost leaf spoils a digest.
    if (compared != nullptr && !compared->equal && !allowed)
      sim_.found("equal versions were found with unequal digests");
  }
}

void SessionEnd::run() {
  const UnreliableReads unreliable(sim_, host_);
  session_.handle_timeout(sim_.time_of(host_));
}

std::chrono::milliseconds SessionEnd::deadline() const {
  if (sim_.options.defect == Defect::sleeps_through) return std::chrono::milliseconds::max();
  return session_.poll_deadline();
}

void SessionEnd::check_acknowledged() const {
  if (sim_.shape.is_loose()) return;  // Peers may have said what isn't so.
  const Machine& peer = sim_.machines[peer_];
  if (peer.life != peer_life_ || !peer.engine) return;  // It is another now, and this end wasn't told.
  for (const auto& [name, keyspace] : peer.keyspaces) {
    const Version in_memory = peer.disk ? Version() : peer.engine->persisted_version(*keyspace);
    if (!(peer.disk ? peer.disk->version(name) : in_memory).includes(session_.peer_version(name)))
      sim_.found("a peer is said to have on disk what it hasn't");
  }
}

}  // namespace syncline::sim
