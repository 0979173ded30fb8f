// Members and what they have: in every other run all machines are on the list,
// each under its present incarnation, which all hear of at once.
#include <cstring>
#include <utility>

#include "tests/sim/sim_impl.h"

namespace syncline::sim {
namespace {

ActorId incarnation(std::uint32_t r, std::uint64_t number) {
  ActorId id;
  std::memcpy(id.bytes.data(), &number, sizeof number);
  id.bytes[8] = static_cast<std::uint8_t>(r + 1);
  return id;
}

}  // namespace

// A start proves nothing about the disk, so it is another incarnation's.
void Sim::Impl::list_members(std::uint32_t started) {
  if (options.seed % 2 == 0) return;
  ++machines[started].incarnation;
  std::vector<ActorId> all;
  for (std::uint32_t r = 0; r < shape.replicas; ++r) all.push_back(incarnation(r, machines[r].incarnation));
  for (std::uint32_t r = 0; r < shape.replicas; ++r)
    if (machines[r].engine) machines[r].engine->set_members(MemberList(all, all[r]));
}

// What a machine takes for stable is on the disk of each that runs; those that don't have yet to say under
// which incarnation they come back.
void Sim::Impl::check_stable(std::uint32_t r) {
  Machine& machine = machines[r];
  const std::uint64_t heard = machine.engine->metrics().acknowledgements;
  if (std::exchange(machine.acknowledgements, heard) == heard) return;
  for (const auto& [name, keyspace] : machine.keyspaces) {
    const Version stable = machine.engine->stable_version(*keyspace);
    if (!stable.empty()) counts.marks.reach(Mark::stable);
    for (const Machine& other : machines) {
      const auto held = other.keyspaces.find(name);
      if (!other.engine || held == other.keyspaces.end()) continue;
      if (!(other.disk ? other.disk->version(name) : other.engine->version(*held->second)).includes(stable))
        found("a machine takes for stable what another one doesn't have on disk");
    }
  }
}

}  // namespace syncline::sim
