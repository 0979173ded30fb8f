#include "store/keyspace.h"

#include <algorithm>
#include <type_traits>

#include "crdt/reading.h"
#include "store/leaf_group.h"
#include "store/replica_state.h"

namespace syncline {
namespace {

// steady_clock's range would overflow above; nobody waits that long.
constexpr std::chrono::milliseconds longest_wait = std::chrono::hours(24 * 365);

Result<void> need_logs(ReplicaState& state) {
  if (is_inside(state)) return tl::unexpected(inside_error());
  const ReplicaState::Lock lock = Turn::acquire(state);
  return state.need_logs();
}

// Ends a watch; see Subscription.
void end_watch(ReplicaState& state, KeyspaceSlot& slot, const std::shared_ptr<Watcher>& watcher) {
  ReplicaState::Lock lock = Turn::acquire(state);
  watcher->ended = true;
  std::erase(slot.watchers, watcher);
  if (slot.watchers.empty() && slot.keyspace != nullptr) state.engine->watch(*slot.keyspace, false);
  state.idle.wait(
      lock, [&] { return state.notified != watcher.get() || state.deliverer == std::this_thread::get_id(); });
}

}  // namespace

Keyspace::Keyspace(std::shared_ptr<ReplicaState> state, KeyspaceSlot& slot)
    : state_(std::move(state)), slot_(&slot) {}

const std::string& Keyspace::name() const { return slot_->name; }

// ---- writing ----

Result<Version> Keyspace::update(absl::FunctionRef<void(Update&)> write) {
  return this->write(nullptr, write);
}
Result<Version> Keyspace::update(std::string_view token, absl::FunctionRef<void(Update&)> write) {
  if (token.empty() || token.size() > token_bytes_max) {
    return failure(Errc::invalid_argument, "a token has 1 to 256 bytes");
  }
  return this->write(&token, write);
}

Result<Version> Keyspace::write(const std::string_view* token, absl::FunctionRef<void(Update&)> write) {
  if (is_inside(*state_)) return tl::unexpected(inside_error());
  if (name() == members_keyspace) return tl::unexpected(system_error());
  Turn turn(state_);
  KeyspaceState* keyspace = turn->find(*slot_);
  if (keyspace == nullptr) return tl::unexpected(slot_->problem);
  if (token != nullptr && turn->knows_token(*slot_, *token)) return turn->engine->version(*keyspace);
  if (const auto refused = turn->refusal()) return tl::unexpected(*refused);
  if (const auto joined = turn->engine->check_joined(*keyspace); !joined)
    return tl::unexpected(joined.error());

  Transaction transaction = turn->engine->begin(*keyspace, turn->now());
  {
    const Inside inside(*turn);
    Update update(transaction);
    write(update);
  }
  const std::size_t before = turn->engine->leaf_memory_bytes(*keyspace);
  Result<Version> written = turn->engine->commit(std::move(transaction));
  if (written && token != nullptr) {
    turn->remember_token(*slot_, *token);
    if (turn->store) turn->new_tokens.push_back({slot_->name, std::string(*token)});
  }
  turn->uncommitted_bytes += std::max(turn->engine->leaf_memory_bytes(*keyspace), before) - before;
  const Result<void> stored = turn->pump();
  turn->wake_all = true;
  if (!written) return written;
  if (!stored) return tl::unexpected(stored.error());
  return written;
}

// ---- reads ----

// What fn(Reader&) answers of this moment, or why it can't be told.
template <class Fn>
auto Keyspace::look(Fn&& fn) const {
  using Answer = std::invoke_result_t<Fn, Reader&>;
  if (is_inside(*state_)) return Result<Answer>(tl::unexpected(inside_error()));
  const ReplicaState::Lock lock = Turn::acquire(*state_);
  KeyspaceState* keyspace = state_->find(*slot_);
  if (keyspace == nullptr) return Result<Answer>(tl::unexpected(slot_->problem));
  Reader reader(*state_->engine, *keyspace);
  const auto see_to_damage = [&] {
    if (reader.error() && reader.error()->code == Errc::damaged) state_->scrub_soon();
  };
  if constexpr (std::is_void_v<Answer>) {
    fn(reader);
    see_to_damage();
    return reader.error() ? Result<void>(tl::unexpected(*reader.error())) : Result<void>();
  } else {
    Result<Answer> answer = fn(reader);
    see_to_damage();
    if (reader.error()) answer = tl::unexpected(*reader.error());
    return answer;
  }
}

Result<void> Keyspace::read(absl::FunctionRef<void(Reader&)> look_at) const {
  return look([&](Reader& reader) {
    const Inside inside(*state_);
    look_at(reader);
  });
}

Result<void> Keyspace::for_each_key(std::string_view prefix,
                                    absl::FunctionRef<bool(std::string_view key, Type type)> visit) const {
  return look([&](Reader& reader) {
    const Inside inside(*state_);
    for_each_group(reader, prefix, [&](const LeafGroup& group) {
      return !object_exists(reader, group.key, group.type) || visit(group.key, group.type);
    });
  });
}

Result<std::string> Keyspace::to_json(std::string_view prefix, JsonTypes types) const {
  return look([&](Reader& reader) { return syncline::to_json(reader, prefix, types); });
}

Result<std::vector<LiveWrite>> Keyspace::describe(std::string_view key) const {
  if (auto logs = need_logs(*state_); !logs) return tl::unexpected(logs.error());
  return look([&](Reader& reader) {
    std::vector<LiveWrite> all;
    std::string buffer;
    reader.scan(Place(key).path(), [&](std::string_view leaf, std::span<const LiveDotView> live) {
      const auto object = object_leaf(leaf);
      std::string_view element;
      if (!object || !flat_element(leaf, object->prefix_size(), buffer, element)) return true;
      LiveWrite write;
      for (auto& [map, name] : path_names(object->place).names) write.path.push_back(std::move(name));
      write.type = object->type;
      write.element = element;
      for (const LiveDotView& dot : live) {
        write.dot = dot.dot;
        const auto made = state_->engine->made_at(*slot_->keyspace, dot.dot);
        const std::uint64_t hlc = made.value_or(dot.stamp);
        write.time = hlc == 0 ? std::nullopt : std::optional(Hlc::to_wall(hlc));
        all.push_back(write);
      }
      return true;
    });
    return all;
  });
}

// ---- watching and waiting ----

Subscription Keyspace::watch(std::string_view prefix, std::function<void(const EventBatch&)> notify) {
  auto watcher = std::make_shared<Watcher>();
  watcher->prefix = prefix;
  watcher->notify = std::move(notify);
  const ReplicaState::Lock lock = Turn::acquire(*state_);
  if (state_->closed) return {};
  slot_->watchers.push_back(watcher);
  if (KeyspaceState* keyspace = state_->find(*slot_)) state_->engine->watch(*keyspace, true);
  return Subscription(std::shared_ptr<void>(
      watcher.get(), [state = state_, slot = slot_, watcher](void*) { end_watch(*state, *slot, watcher); }));
}

Result<void> Keyspace::wait_for(const Version& version, std::chrono::milliseconds timeout) const {
  return wait(timeout, [&](const KeyspaceState* keyspace) -> std::optional<Error> {
    if (state_->engine->version(*keyspace).includes(version)) return std::nullopt;
    return Error{Errc::timeout, "the version didn't arrive in time"};
  });
}

Result<void> Keyspace::wait_joined(std::chrono::milliseconds timeout) const {
  return wait(timeout, [&](const KeyspaceState* keyspace) -> std::optional<Error> {
    const auto joining = state_->engine->joining(*keyspace);
    if (joining)
      return Error{Errc::timeout, "still joining: " + std::to_string(joining->leaves) + " leaves so far"};
    if (state_->engine->version(*keyspace).empty()) return Error{Errc::timeout, "nothing came from a peer"};
    return std::nullopt;
  });
}

std::optional<JoinProgress> Keyspace::joining() const {
  const ReplicaState::Lock lock = Turn::acquire(*state_);
  const KeyspaceState* keyspace = state_->find(*slot_);
  return keyspace == nullptr ? std::nullopt : state_->engine->joining(*keyspace);
}

// Until `why_not` has no reason any more; the last one it had, if that takes too long.
Result<void> Keyspace::wait(std::chrono::milliseconds timeout,
                            absl::FunctionRef<std::optional<Error>(const KeyspaceState*)> why_not) const {
  if (is_inside(*state_)) return tl::unexpected(inside_error());
  const auto deadline = std::chrono::steady_clock::now() + std::min(timeout, longest_wait);
  ReplicaState::Lock lock = Turn::acquire(*state_);
  ++state_->waiting;
  Result<void> outcome;
  for (bool late = false;;) {
    KeyspaceState* keyspace = state_->find(*slot_);
    if (keyspace == nullptr) {
      outcome = tl::unexpected(slot_->problem);
      break;
    }
    auto reason = why_not(keyspace);
    if (!reason) break;
    if (late) {
      outcome = tl::unexpected(std::move(*reason));
      break;
    }
    late = state_->changed.wait_until(lock, deadline) == std::cv_status::timeout;
  }
  --state_->waiting;
  return outcome;
}

Result<void> Keyspace::wait_until(absl::FunctionRef<bool(Reader&)> enough,
                                  std::chrono::milliseconds timeout) const {
  return wait(timeout, [&](const KeyspaceState* keyspace) -> std::optional<Error> {
    Reader reader(*state_->engine, *keyspace);
    const Inside inside(*state_);
    const bool done = enough(reader);
    if (reader.error()) return reader.error();
    if (done) return std::nullopt;
    return Error{Errc::timeout, "it didn't come about in time"};
  });
}

Result<std::vector<std::string>> Keyspace::changes_since(const Version& version) const {
  if (auto logs = need_logs(*state_); !logs) return tl::unexpected(logs.error());
  auto answer = look([&](Reader&) { return state_->engine->touched_since(*slot_->keyspace, version); });
  if (!answer) return tl::unexpected(std::move(answer.error()));
  if (!*answer) return tl::unexpected(std::move(answer->error()));
  std::vector<std::string> keys;
  LeafGroup group;
  for (const std::string& leaf : **answer) {  // Sorted, and so are their keys.
    if (parse_group(leaf, group) != 0 && (keys.empty() || keys.back() != group.key))
      keys.push_back(group.key);
  }
  return keys;
}

Version Keyspace::version() const {
  const ReplicaState::Lock lock = Turn::acquire(*state_);
  const KeyspaceState* keyspace = state_->find(*slot_);
  return keyspace == nullptr ? Version{} : state_->engine->version(*keyspace);
}

DigestPair Keyspace::digests() const {
  const ReplicaState::Lock lock = Turn::acquire(*state_);
  const KeyspaceState* keyspace = state_->find(*slot_);
  return keyspace == nullptr ? DigestPair{} : state_->engine->digests(*keyspace);
}

std::optional<ActorId> Keyspace::actor() const {
  const ReplicaState::Lock lock = Turn::acquire(*state_);
  const KeyspaceState* keyspace = state_->find(*slot_);
  return keyspace == nullptr ? std::nullopt : state_->engine->own_actor(*keyspace);
}

std::uint64_t Keyspace::pending() const {
  const ReplicaState::Lock lock = Turn::acquire(*state_);
  const KeyspaceState* keyspace = state_->find(*slot_);
  if (keyspace == nullptr) return 0;
  const auto own = state_->engine->own_actor(*keyspace);
  if (!own) return 0;
  std::uint64_t acknowledged = slot_->acknowledged_actor == *own ? slot_->acknowledged : 0;
  for (const auto& link : state_->links) {
    if (!link->session) continue;
    acknowledged = std::max(acknowledged, link->session->peer_version(slot_->name).counter(*own));
  }
  const std::uint64_t written = state_->engine->version(*keyspace).counter(*own);
  return written - std::min(written, acknowledged);
}

Result<void> Keyspace::flush() {
  if (is_inside(*state_)) return tl::unexpected(inside_error());
  Turn turn(state_);
  if (turn->find(*slot_) == nullptr) return tl::unexpected(slot_->problem);
  if (auto done = turn->pump(ReplicaState::Commit::now); !done) return done;
  if (const auto undone = std::exchange(slot_->undone, std::nullopt)) return tl::unexpected(*undone);
  return {};
}

bool Keyspace::durable(const Version& version) const {
  const ReplicaState::Lock lock = Turn::acquire(*state_);
  const KeyspaceState* keyspace = state_->find(*slot_);
  return keyspace != nullptr && state_->engine->persisted_version(*keyspace).includes(version);
}

}  // namespace syncline
