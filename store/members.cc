// Members: the list in its keyspace, what this store says of itself there, what
// is stable, and what is collected once it is.
//
// A member is an entry under the store's id: an LwwRegister with the label, which
// makes it one, and an OrSet with the ids under which the store writes to the list. The
// engine draws such an id at the first write and takes it up again only where the
// store proves that it goes on as it was; so an acknowledgement is never
// counted for a store that may have lost what was acknowledged.
#include <algorithm>

#include "crdt/collecting.h"
#include "store/leaf_group.h"
#include "store/replica_state.h"

namespace syncline {
namespace {

constexpr std::size_t id_digits = 16;
constexpr std::size_t label_bytes_max = 256;
constexpr std::chrono::milliseconds collect_interval = std::chrono::seconds(1);

bool is_member_id(std::string_view id) {
  return id.size() == id_digits && id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Value as_value(const ActorId& id) { return Blob{std::string(id.view())}; }

std::vector<ActorId> incarnations_of(Reader& reader, const std::string& id) {
  std::vector<ActorId> incarnations;
  set_for_each(reader, Type::or_set, Place(id), [&](std::string_view element) {
    const auto value = Value::from_bytes(element);
    const Blob* blob = value ? value->blob() : nullptr;
    const auto actor = blob != nullptr ? ActorId::from(blob->bytes) : std::nullopt;
    if (actor) incarnations.push_back(*actor);
    return true;
  });
  return incarnations;
}

// Nobody writes under it: stands for a member that hasn't been heard from.
ActorId awaited(const std::string& id) { return *ActorId::from(id); }

}  // namespace

std::string ReplicaState::member_id() const {
  static constexpr char digits[] = "0123456789abcdef";
  std::string id;
  for (std::size_t i = 0; i < id_digits / 2; ++i) {
    id.push_back(digits[node[i] >> 4]);
    id.push_back(digits[node[i] & 15]);
  }
  return id;
}

Result<std::vector<Member>> ReplicaState::read_members() const {
  std::vector<Member> all;
  const KeyspaceState* list = engine->find_keyspace(members_keyspace);
  if (list == nullptr) return all;
  Reader reader(*engine, *list);
  std::vector<std::string> ids;
  for_each_group(reader, {}, [&](const LeafGroup& group) {
    if (group.type == Type::lww_register && is_member_id(group.key)) ids.push_back(group.key);
    return true;
  });
  for (std::string& id : ids) {
    const auto label = register_get(reader, Place(id));
    if (!label) continue;
    Member member{
        .id = id, .label = {}, .incarnations = incarnations_of(reader, id), .self = id == member_id()};
    if (const auto* text = label->text()) member.label = *text;
    all.push_back(std::move(member));
  }
  if (reader.error()) return tl::unexpected(*reader.error());
  return all;
}

// Takes in the list when it changed on disk, and sees to it that this store is in it as what it is.
void ReplicaState::tend_members() {
  KeyspaceState* const list = engine->find_keyspace(members_keyspace);
  if (list == nullptr) return;
  const DigestPair on_disk = engine->persisted_digests(*list);
  if (engine->digests(*list) != on_disk) return;  // Comes again once it is there.
  auto own = engine->own_actor(*list);
  if (members_seen == on_disk && (own || !listed_as)) return;
  for (int looks = 0; looks < 2; ++looks) {  // Once more if it wrote.
    auto read = read_members();
    if (!read) return;
    members = std::move(*read);
    const auto self =
        std::find_if(members.begin(), members.end(), [](const Member& each) { return each.self; });
    if (self == members.end()) {
      listed_as.reset();
      break;
    }
    own = engine->own_actor(*list);
    const auto& listed = self->incarnations;
    if (own && std::find(listed.begin(), listed.end(), *own) != listed.end()) {
      listed_as = own;
      break;
    }
    if (refused) return;
    announce_member(*list, *self);
  }
  if (engine->digests(*list) != engine->persisted_digests(*list)) return;
  members_seen = engine->persisted_digests(*list);
  std::vector<ActorId> ids;
  for (const Member& member : members) {
    ids.insert(ids.end(), member.incarnations.begin(), member.incarnations.end());
    if (member.incarnations.empty()) ids.push_back(awaited(member.id));
  }
  engine->set_members(MemberList(std::move(ids), engine->own_actor(*list)));
  wake_all = true;
}

// Says under which id this store writes from now on: in place of the one it had in this run; or, after an
// opening that proved nothing, of all that it was known by. A live copy of the store that finds its own gone
// says it again.
void ReplicaState::announce_member(KeyspaceState& list, const Member& self) {
  Transaction transaction = engine->begin(list, now());
  Update update(transaction);
  SetWriter known = update.set(self.id);
  for (const ActorId& each : self.incarnations)
    if (!listed_as || each == *listed_as) known.erase(as_value(each));
  known.insert(as_value(transaction.self()));
  if (!engine->commit(std::move(transaction))) return;
  static_cast<void>(commit_when(Commit::now));  // On error all was undone; the next call tries again.
}

Result<void> ReplicaState::write_members(absl::FunctionRef<void(Update&)> write) {
  if (const auto why = refusal()) return tl::unexpected(*why);
  auto list = engine->open_keyspace(members_keyspace);
  if (!list) return tl::unexpected(list.error());
  Transaction transaction = engine->begin(**list, now());
  Update update(transaction);
  write(update);
  const auto written = engine->commit(std::move(transaction));
  auto stored = pump(Commit::now);
  wake_all = true;
  if (!written) return tl::unexpected(written.error());
  return stored;
}

std::string Replica::member_id() const {
  const ReplicaState::Lock lock = Turn::acquire(*state_);
  return state_->member_id();
}

Result<void> Replica::add_member(std::string_view id, std::string_view label) {
  if (is_inside(*state_)) return tl::unexpected(inside_error());
  if (!is_member_id(id))
    return failure(Errc::invalid_argument,
                   "a member's id has 16 hexadecimal digits: what member_id() of that replica says");
  if (label.size() > label_bytes_max) return failure(Errc::invalid_argument, "a label has at most 256 bytes");
  Turn turn(state_);
  return turn->write_members([&](Update& tx) { tx.reg(id).set(Value(label)); });
}

Result<void> Replica::remove_member(std::string_view id) {
  if (is_inside(*state_)) return tl::unexpected(inside_error());
  Turn turn(state_);
  const auto listed = turn->read_members();
  if (!listed) return tl::unexpected(listed.error());
  if (std::none_of(listed->begin(), listed->end(), [&](const Member& each) { return each.id == id; }))
    return failure(Errc::invalid_argument, "no member of that id is listed: members() tells who is");
  return turn->write_members([&](Update& tx) { tx.erase(id); });
}

Result<std::vector<Member>> Replica::members() const {
  if (is_inside(*state_)) return tl::unexpected(inside_error());
  const ReplicaState::Lock lock = Turn::acquire(*state_);
  return state_->read_members();
}

// ---- stability ----

Version Keyspace::stable_version() const {
  const ReplicaState::Lock lock = Turn::acquire(*state_);
  KeyspaceState* keyspace = state_->find(*slot_);
  if (keyspace == nullptr) return {};
  state_->engine->acknowledge(*keyspace, state_->now());
  return state_->engine->stable_version(*keyspace);
}

StabilityReport ReplicaState::stability_of(const KeyspaceState& keyspace) const {
  StabilityReport report;
  report.members = members.size();
  report.age = engine->stability_age(keyspace, now());
  const std::vector<std::size_t> places = engine->unacknowledged(keyspace);
  for (const Member& member : members) {
    const auto& known = member.incarnations;
    const auto is_missing = [&](std::size_t place) {
      const ActorId& missing = engine->members().incarnations()[place];
      return missing == awaited(member.id) || std::find(known.begin(), known.end(), missing) != known.end();
    };
    if (std::any_of(places.begin(), places.end(), is_missing)) report.waiting_for.push_back(member.id);
  }
  return report;
}

StabilityReport Keyspace::stability() const {
  const ReplicaState::Lock lock = Turn::acquire(*state_);
  const KeyspaceState* keyspace = state_->find(*slot_);
  return keyspace == nullptr ? StabilityReport{} : state_->stability_of(*keyspace);
}

Result<void> Keyspace::wait_stable(const Version& version, std::chrono::milliseconds timeout) const {
  if (is_inside(*state_)) return tl::unexpected(inside_error());
  {
    const ReplicaState::Lock lock = Turn::acquire(*state_);
    if (state_->find(*slot_) != nullptr && state_->engine->members().empty())
      return failure(Errc::invalid_argument, "no member is listed: Replica::add_member() lists one");
  }
  return wait(timeout, [&](const KeyspaceState* keyspace) -> std::optional<Error> {
    state_->engine->acknowledge(*slot_->keyspace, state_->now());
    if (state_->engine->is_stable(*keyspace, version)) return std::nullopt;
    std::string detail = "not all members are known to have the version";
    const char* before = "; waiting for ";
    for (const std::string& id : state_->stability_of(*keyspace).waiting_for)
      detail += std::exchange(before, ", ") + id;
    return Error{Errc::timeout, std::move(detail)};
  });
}

// ---- collecting ----

Result<Collected> Keyspace::collect(std::size_t leaves_max) {
  if (is_inside(*state_)) return tl::unexpected(inside_error());
  Turn turn(state_);
  if (turn->find(*slot_) == nullptr) return tl::unexpected(slot_->problem);
  return turn->collect(*slot_, leaves_max);
}

void ReplicaState::collect_in_time() {
  if (collect_leaves == 0 || engine->members().empty() || now().monotonic < collect_at) return;
  collect_at = now().monotonic + collect_interval;
  auto next = slots.upper_bound(collected_last);
  if (next == slots.end()) next = slots.begin();
  if (next == slots.end()) return;
  collected_last = next->first;
  // On error the disk failed; the walk goes on when it works again.
  if (find(next->second) != nullptr) static_cast<void>(collect(next->second, collect_leaves));
}

Result<Collected> ReplicaState::collect(KeyspaceSlot& slot, std::size_t leaves_max) {
  if (const auto why = refusal()) return tl::unexpected(*why);
  KeyspaceState& keyspace = *slot.keyspace;
  auto& walk = slot.collecting;
  if (!walk.walking) {
    Version stable = engine->collectable_version(keyspace);
    if (stable.empty() || (stable == walk.stable && walk.stable == walk.before)) return Collected{0, true};
    walk.before = std::exchange(walk.stable, std::move(stable));
    walk.from.clear();
    walk.walking = true;
  }
  const auto own = engine->own_actor(keyspace);
  const bool first = engine->members().own() == std::size_t{0};
  const auto collects = [&](const Dot& marker) {
    return marker.actor == own || (first && walk.before.contains(marker));
  };
  std::vector<std::string> due;
  std::size_t seen = 0;
  std::string next;
  Reader reader(*engine, keyspace);
  reader.scan_from({}, walk.from, [&](std::string_view leaf, std::span<const LiveDotView> live) {
    if (seen == leaves_max) next = leaf;
    if (seen++ == leaves_max) return false;
    if (is_collectable(leaf, live, walk.stable, collects)) due.emplace_back(leaf);
    return true;
  });
  if (reader.error()) return tl::unexpected(*reader.error());
  walk.walking = !next.empty();
  walk.from = std::move(next);
  if (due.empty()) return Collected{0, !walk.walking};
  Transaction transaction = engine->begin(keyspace, now());
  for (const std::string& leaf : due) transaction.remove(transaction.open(leaf));
  if (const auto written = engine->commit(std::move(transaction)); !written)
    return tl::unexpected(written.error());
  const Result<void> stored = pump();
  wake_all = true;
  if (!stored) return tl::unexpected(stored.error());
  return Collected{due.size(), !walk.walking};
}

}  // namespace syncline
