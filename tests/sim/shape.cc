#include "tests/sim/shape.h"

#include <array>

namespace syncline::sim {
namespace {

void draw_topology(Shape& shape, Rng& rng, const SimOptions& options) {
  const bool may_be_in_memory = options.defect == Defect::none;
  shape.replicas = static_cast<std::uint32_t>(rng.between(3, 5));
  if (options.replicas != 0) shape.replicas = options.replicas;
  if (shape.has_clone) ++shape.replicas;
  const std::uint64_t topology = rng.below(4);  // Half of the runs are a full mesh.
  for (std::uint32_t a = 0; a < shape.replicas; ++a) {
    for (std::uint32_t b = a + 1; b < shape.replicas; ++b) {
      const bool line = b == a + 1;
      if (topology <= 1 || (topology == 2 && line) || (topology == 3 && a == 0))
        shape.links.emplace_back(a, b);
    }
  }
  const bool second_keyspace = topology <= 1 && rng.one_in(3);
  for (std::uint32_t r = 0; r < shape.replicas; ++r) {
    shape.keyspaces.push_back({"shop"});
    if (second_keyspace && (r < 2 || rng.one_in(2))) shape.keyspaces.back().push_back("till");
    shape.in_memory.push_back(rng.one_in(5) && may_be_in_memory);
  }
  if (shape.has_clone) shape.in_memory.back() = false;
  shape.relay = topology > 1 || rng.one_in(2);
}

// A defect needs its occasion.
void provide_for(Defect defect, Shape& shape) {
  Faults& faults = shape.faults;
  switch (defect) {
    case Defect::acknowledges_before_storing:
    case Defect::restores_a_backup:
    case Defect::trusts_any_disk:
    case Defect::loses_the_tail:
    case Defect::skips_a_record:
    case Defect::forgets_the_version:
    case Defect::forgets_the_digests:
      faults.set(Fault::crash, 100);
      shape.commit_max = 100 * millisecond;
      break;
    case Defect::strips_dependencies:  // Something must overtake something.
      faults.set(Fault::loss, 5).set(Fault::cut, 0).set(Fault::partition, 0);
      shape.relay = true;
      shape.push_bytes = 100;
      shape.operation_gap = 50 * millisecond;
      break;
    case Defect::keeps_failed_writes:
      faults.set(Fault::write_error, 100);
      break;
    case Defect::keeps_old_writers:
      faults.set(Fault::crash, 50).set(Fault::restart, 20);
      break;
    case Defect::reads_nothing_on_error:
      faults.set(Fault::read_error, 20);
      break;
    case Defect::mixes_up_actors:
    case Defect::keeps_staged_chunks:
    case Defect::loses_a_staged_chunk:
    case Defect::resumes_too_far:
      faults.set(Fault::crash, 100).set(Fault::cut, 20);
      shape.chunk_bytes = 1;
      shape.log_bytes = 0;
      break;
    case Defect::misnames_dead_rows:
      faults.set(Fault::cut, 20);
      shape.log_bytes = 64 << 20;
      break;
    case Defect::strips_a_leaf:
    case Defect::strips_a_live_dot:
    case Defect::closes_early:
    case Defect::raises_a_chunk:
    case Defect::asks_for_less:
    case Defect::drops_closings:
      faults.set(Fault::cut, 50);
      break;
    default:
      break;
  }
}

// Each in a few runs, for less can be said beside them. Drawn apart: other runs aren't others for them.
void draw_apart(Faults& faults, std::uint64_t seed) {
  Rng rng(mix(seed + 1, 0x6c6965));
  const bool lies = rng.one_in(12);
  const bool resumes = rng.one_in(12);
  const std::uint64_t lie = rng.pick(std::array<std::uint64_t, 3>{1, 3, 30});
  const std::uint64_t resume = rng.pick(std::array<std::uint64_t, 3>{100, 300, 1'000});
  if (lies) faults.set(Fault::lie, lie);
  if (resumes) faults.set(Fault::resume, resume);
}

}  // namespace

Shape draw_shape(Rng& rng, const SimOptions& options) {
  const Defect defect = options.defect;
  Shape shape{};
  shape.faults = Faults::draw(rng);
  shape.has_clone = shape.faults[Fault::clone] != 0;
  draw_topology(shape, rng, options);
  shape.operations.keys = rng.between(1, 4);
  shape.operations.value_bytes_max = rng.pick(std::array<std::size_t, 3>{4, 40, 3'000});
  shape.log_bytes = rng.pick(std::array<std::size_t, 4>{0, 1'000, 8'000, 64 << 20});
  shape.early_bytes = rng.pick(std::array<std::size_t, 3>{0, 1'000, 4 << 20});
  shape.chunk_bytes = rng.pick(std::array<std::size_t, 3>{1, 200, 128 * 1024});
  shape.push_bytes = rng.pick(std::array<std::size_t, 2>{100, 64 * 1024});
  shape.frame_bytes = rng.pick(std::array<std::size_t, 2>{1'024, 256 * 1024});
  shape.operation_gap = rng.pick(std::array<Micros, 3>{5, 15, 50}) * millisecond;
  shape.commit_max = rng.pick(std::array<Micros, 3>{0, 5, 100}) * millisecond;
  shape.link.latency_max = rng.pick(std::array<Micros, 3>{2, 30, 200}) * millisecond;
  shape.link.window = rng.pick(std::array<std::size_t, 4>{2, 6, 6, 64});
  shape.link.bytes_per_second = rng.pick(std::array<std::uint64_t, 4>{0, 0, 20'000, 1'000'000});
  shape.join_in_place = rng.one_in(2) && defect == Defect::none;  // Defects need passes beside the state.
  shape.actors_named = rng.pick(std::array<std::size_t, 4>{1, 2, 5, 256});
  provide_for(defect, shape);
  if (defect == Defect::none) draw_apart(shape.faults, options.seed);
  for (const auto& [fault, once_in] : options.with) shape.faults.set(fault, once_in);
  for (const Fault fault : options.without)
    if (is_apart(fault)) shape.faults.set(fault, 0);
  // A rotten leaf is mended from another's disk, which must not be lost meanwhile.
  if (shape.faults[Fault::rot] != 0) shape.faults.set(Fault::amnesia, 0).set(Fault::restore, 0);
  return shape;
}

}  // namespace syncline::sim
