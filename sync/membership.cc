// Who counts, and what they are known to have: the engine's part in stability.
#include <algorithm>
#include <utility>

#include "sync/engine.h"
#include "sync/engine_impl.h"

namespace syncline {
namespace {

constexpr std::chrono::milliseconds epoch_rest_a_member(60);

}  // namespace

void Engine::Impl::acknowledge(KeyspaceState& keyspace, Time now) {
  const std::uint64_t revision = keyspace.stability.revision();
  const auto count = static_cast<std::int64_t>(members.size());
  const auto rest = count < 2 ? std::chrono::milliseconds(0)  // It asks nobody.
                              : std::max(options.epoch_rest, epoch_rest_a_member * count);
  keyspace.stability.advance(keyspace.persisted_version(), keyspace.persisted_digests().context, members,
                             now.monotonic, rest);
  cut_stable(keyspace, revision);
}

void Engine::Impl::merge_acknowledgements(KeyspaceState& keyspace, const Acknowledgements& theirs, Time now) {
  const std::uint64_t revision = keyspace.stability.revision();
  keyspace.stability.merge(theirs, members, now.monotonic);
  cut_stable(keyspace, revision);
}

// After what may have changed the floor since `revision`.
void Engine::Impl::cut_stable(KeyspaceState& keyspace, std::uint64_t revision) {
  if (keyspace.stability.revision() == revision) return;
  ++metrics.acknowledgements;
  metrics.log_cut_stable += keyspace.cut_log_within(keyspace.stability.floor(), options.log_stable_bytes);
}

void Engine::set_members(MemberList members) {
  if (members.hash() == impl_->members.hash() && members.own() == impl_->members.own()) return;
  const MemberList before = std::exchange(impl_->members, std::move(members));
  ++impl_->members_changed;
  for (auto& [name, keyspace] : impl_->keyspaces) keyspace->stability.follow(before, impl_->members);
}

const MemberList& Engine::members() const { return impl_->members; }

void Engine::acknowledge(KeyspaceState& keyspace, Time now) { impl_->acknowledge(keyspace, now); }

Version Engine::stable_version(const KeyspaceState& keyspace) const {
  Version version;
  for (const IndexedDot& entry : keyspace.stability.floor().since({}))
    version.raise(keyspace.actors[entry.actor], entry.counter);
  return version;
}

Version Engine::collectable_version(const KeyspaceState& keyspace) const {
  if (!keyspace.version.includes(keyspace.stability.known().floor_heard)) return {};
  return stable_version(keyspace);
}

bool Engine::is_stable(const KeyspaceState& keyspace, const Version& version) const {
  const Counters& floor = keyspace.stability.floor();
  if (impl_->members.empty()) return false;
  return std::all_of(version.entries().begin(), version.entries().end(), [&](const Version::Entry& entry) {
    const std::uint32_t actor = keyspace.actors.find(entry.first);
    return actor != ActorTable::none && floor[actor] >= entry.second;
  });
}

std::optional<std::chrono::milliseconds> Engine::stability_age(const KeyspaceState& keyspace,
                                                               Time now) const {
  if (!keyspace.stability.closed_at()) return std::nullopt;
  if (keyspace.stability.floor().includes(keyspace.persisted_version())) return std::chrono::milliseconds(0);
  return now.monotonic - *keyspace.stability.closed_at();
}

std::vector<std::size_t> Engine::unacknowledged(const KeyspaceState& keyspace) const {
  std::vector<std::size_t> places;
  const Acknowledgements& known = keyspace.stability.known();
  for (std::size_t place = 0; known.is_open() && place < impl_->members.size(); ++place)
    if (!known.has(place)) places.push_back(place);
  return places;
}

}  // namespace syncline
