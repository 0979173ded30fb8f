#include "store/replica_state.h"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace syncline {
namespace {

// What may wait for its commit.
constexpr std::size_t uncommitted_bytes_max = std::size_t{4} << 20;
// Between two questions whether a disk that was full still is.
constexpr std::chrono::milliseconds retry_interval = std::chrono::seconds(1);

LogLevel level_of(Notice::Kind kind) {
  switch (kind) {
    case Notice::Kind::divergence_detected:
    case Notice::Kind::dot_reused:
    case Notice::Kind::store_copied:
    case Notice::Kind::commit_failed:
      return LogLevel::error;
    case Notice::Kind::repair_kept:
    case Notice::Kind::amnesia:
    case Notice::Kind::clock_drift:
    case Notice::Kind::leaf_lost:
      return LogLevel::warning;
    case Notice::Kind::leaf_mended:
    case Notice::Kind::early_dropped:
    case Notice::Kind::joined:
      break;
  }
  return LogLevel::info;
}

const char* text_of(Notice::Kind kind) {
  switch (kind) {
    case Notice::Kind::divergence_detected:
      return "equal versions with unequal states: repairing";
    case Notice::Kind::repair_kept:
      return "a repair kept what one side lacked";
    case Notice::Kind::dot_reused:
      return "two changes under one dot: a store was copied or restored";
    case Notice::Kind::amnesia:
      return "a peer knows more of our changes than we do: writing under a fresh actor";
    case Notice::Kind::clock_drift:
      return "a timestamp is too far ahead of our clock";
    case Notice::Kind::store_copied:
      return "a peer runs a copy of this very store";
    case Notice::Kind::commit_failed:
      return "the store failed: what wasn't on disk was undone";
    case Notice::Kind::leaf_lost:
      return "what is stored of a leaf can't be read: it waits for a peer that has it";
    case Notice::Kind::leaf_mended:
      return "leaves that couldn't be read are whole again";
    case Notice::Kind::joined:
      return "the keyspace has joined: all of a peer's state is here";
    case Notice::Kind::early_dropped:
      break;
  }
  return "a change that came too early was dropped; it will be fetched";
}

}  // namespace

KeyspaceState* ReplicaState::find(KeyspaceSlot& slot) const {
  if (slot.keyspace == nullptr && engine) {
    slot.keyspace = engine->find_keyspace(slot.name);
    if (slot.keyspace != nullptr && !slot.watchers.empty()) engine->watch(*slot.keyspace, true);
  }
  return slot.keyspace;
}

KeyspaceSlot& ReplicaState::slot(std::string_view name) {
  const auto found = slots.find(name);
  if (found != slots.end()) return found->second;
  KeyspaceSlot& made = slots[std::string(name)];
  made.name = name;
  made.incarnation = ++incarnations;
  return made;
}

// Commits what there is, or sees to it that it will be.
Result<void> ReplicaState::commit_when(Commit commit) {
  if (!store || refused) return {};
  const bool due = commit == Commit::now || commit_window.count() == 0;
  if (due || uncommitted_bytes >= uncommitted_bytes_max) return commit_records();
  gather();
  return {};
}

Result<void> ReplicaState::pump(Commit commit) {
  const Result<void> outcome = commit_when(commit);
  tend_members();
  tell_damage();
  if (engine->generation() != generation) {  // The engine failed to read.
    end_sessions(Error{Errc::storage, "the store failed: what wasn't on disk was undone"});
    generation = engine->generation();
  }
  std::vector<LeavesChanged> changes;
  std::vector<Asked> requests;
  while (auto event = engine->poll_event()) {
    if (auto* notice = std::get_if<Notice>(&*event)) {
      take(std::move(*notice));
    } else if (auto* asked = std::get_if<Asked>(&*event)) {
      requests.push_back(std::move(*asked));
    } else {
      changes.push_back(std::move(std::get<LeavesChanged>(*event)));
    }
  }
  if (!changes.empty()) queue_changes(std::move(changes));
  bool answered = false;
  for (const Asked& asked : requests) answered = answer(asked) || answered;
  if (!answered) return outcome;
  wake_all = true;
  const Result<void> stored = pump(commit);  // What was answered, like any change.
  return outcome ? stored : outcome;
}

Result<void> ReplicaState::commit_records() {
  commit_at.reset();
  uncommitted_bytes = 0;
  while (auto record = engine->poll_record()) {
    record->tokens = new_tokens;
    if (auto committed = store->commit(*record); !committed) {
      fail_commit(committed.error());
      return committed;
    }
    new_tokens.clear();
    engine->handle_persisted(record->sequence);
    note_log(*record);
  }
  if (new_tokens.empty()) return {};
  Record record;  // Of updates that wrote nothing.
  record.tokens = new_tokens;
  auto committed = store->commit(record);
  if (committed) {
    new_tokens.clear();
  } else {
    fail_commit(committed.error());
  }
  return committed;
}

void ReplicaState::note_log(const Record& record) {
  constexpr std::size_t entry_bytes = 96;  // Beside what an entry says.
  for (const KeyspaceRecord& part : record.keyspaces)
    for (const LogRecord& entry : part.log) logs_grown += entry.bytes.size() + entry_bytes;
  if (logs_grown > logs_bytes_max / 16) bound_logs();
}

Result<void> ReplicaState::need_logs() {
  if (has_logs || !store) return {};
  auto logs = store->load_logs();
  auto restored = logs ? engine->restore_logs(std::move(*logs)) : tl::unexpected(logs.error());
  tell_damage();
  // Not `damaged`: no peer gives a log back.
  if (!restored) return failure(Errc::storage, "the log can't be read: " + restored.error().detail);
  has_logs = true;
  bound_logs();
  return {};
}

void ReplicaState::bound_logs() {
  logs_grown = 0;
  if (logs_bytes_max == 0) return;
  std::size_t total = 0;
  std::vector<std::pair<std::size_t, KeyspaceState*>> logs;
  for (const std::string& name : engine->keyspace_names()) {
    KeyspaceState* const keyspace = engine->find_keyspace(name);
    logs.emplace_back(engine->log_memory_bytes(*keyspace), keyspace);
    total += logs.back().first;
  }
  if (total <= logs_bytes_max) return;
  std::sort(logs.begin(), logs.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  for (const auto& [bytes, keyspace] : logs) {
    if (total <= logs_bytes_max) return;
    const std::size_t excess = std::min(bytes, total - logs_bytes_max);
    engine->cut_log(*keyspace, bytes - excess);
    total -= bytes - engine->log_memory_bytes(*keyspace);
  }
}

void ReplicaState::fail_commit(const Error& error) {
  end_sessions(error);
  forget_tokens(std::exchange(new_tokens, {}));
  engine->handle_failed(error);
  generation = engine->generation();
  if (commit_window.count() > 0)
    for (auto& [name, slot] : slots) slot.undone = error;
  refused = error;
  retry_at = {};
  static_cast<void>(refusal());  // One that can go on at once does.
}

std::optional<Error> ReplicaState::refusal() {
  if (refused && now().monotonic >= retry_at) {
    retry_at = now().monotonic + retry_interval;
    if (store->ready()) refused.reset();
    engine->set_read_only(refused.has_value());
    wake_all = true;
  }
  if (refused) return refused;
  const auto logs = need_logs();
  return logs ? std::nullopt : std::optional(logs.error());
}

// ---- commits that are gathered ----

void ReplicaState::gather() {
  if (commit_at) return;
  commit_at = std::chrono::steady_clock::now() + commit_window;
  keeper_wanted.notify_all();
}

void ReplicaState::take(Notice notice) {
  if (log) {
    log_lines.push_back({level_of(notice.kind),
                         text_of(notice.kind),
                         {{"keyspace", notice.keyspace}, {"detail", notice.detail}}});
  }
  if (notices.size() == Replica::notices_max) notices.pop_front();
  notices.push_back(std::move(notice));
}

void ReplicaState::end_sessions(const Error& error) {
  for (const auto& link : links) end_session(*link, error);
  wake_all = true;
}

void ReplicaState::end_session(LinkState& link, Error error) {
  if (link.session) {
    if (engine->generation() == generation) note_acknowledged(link);
    link.last_metrics = link.session->metrics();
    link.session.reset();
  }
  if (!link.error) link.error = std::move(error);
}

void ReplicaState::note_acknowledged(const LinkState& link) {
  for (auto& [name, slot] : slots) {
    if (slot.keyspace == nullptr) continue;
    const auto own = engine->own_actor(*slot.keyspace);
    if (!own) continue;
    if (slot.acknowledged_actor != *own) slot.acknowledged = 0;
    slot.acknowledged_actor = *own;
    slot.acknowledged = std::max(slot.acknowledged, link.session->peer_version(name).counter(*own));
  }
}

void ReplicaState::close(Lock& lock) {
  const Error why{Errc::closed, "the replica was closed"};
  end_sessions(why);
  close_store();
  closed = true;
  keeper_wanted.notify_all();
  for (auto& [name, slot] : slots) {
    slot.keyspace = nullptr;
    slot.problem = why;
    for (const auto& watcher : slot.watchers) watcher->ended = true;
    slot.watchers.clear();
  }
  deliveries.clear();
  undelivered = 0;
  engine.reset();
  store.reset();
  file.reset();
  changed.notify_all();
  idle.wait(lock, [this] { return !delivering || deliverer == std::this_thread::get_id(); });
}

void ReplicaState::close_store() {
  if (!store) return;
  Result<void> done = pump(Commit::now);
  if (done && refused) done = tl::unexpected(*refused);
  if (done) done = store->close();
  if (done || !log) return;
  log_lines.push_back(
      {LogLevel::error, "the store couldn't be closed whole", {{"detail", to_string(done.error())}}});
}

bool ReplicaState::knows_token(const KeyspaceSlot& slot, std::string_view token) const {
  return tokens.contains({slot.incarnation, std::string(token)});
}

void ReplicaState::remember_token(const KeyspaceSlot& slot, std::string_view token) {
  const auto [at, fresh] = tokens.emplace(slot.incarnation, token);
  if (!fresh) return;
  tokens_in_order.push_back(at);
  if (tokens.size() <= Record::tokens_max) return;
  tokens.erase(tokens_in_order.front());
  tokens_in_order.pop_front();
}

void ReplicaState::forget_tokens(const std::vector<TokenRecord>& lost) {
  for (const TokenRecord& one : lost) {
    const auto at = tokens.find({slot(one.keyspace).incarnation, one.token});
    if (at == tokens.end()) continue;
    std::erase(tokens_in_order, Tokens::const_iterator(at));
    tokens.erase(at);
  }
}

// ---- watchers ----

void ReplicaState::queue_changes(std::vector<LeavesChanged> changes) {
  std::stable_sort(changes.begin(), changes.end(),
                   [](const LeavesChanged& a, const LeavesChanged& b) { return a.keyspace < b.keyspace; });
  for (auto begin = changes.begin(); begin != changes.end();) {
    const auto end = std::find_if(begin, changes.end(), [&](const LeavesChanged& change) {
      return change.keyspace != begin->keyspace;
    });
    const auto found = slots.find(begin->keyspace);
    if (found != slots.end() && !found->second.watchers.empty() && find(found->second) != nullptr) {
      for (TypedChange& change : typed_changes(*engine, *found->second.keyspace, {begin, end}))
        queue_change(found->second, std::make_shared<const TypedChange>(std::move(change)));
    }
    begin = end;
  }
}

void ReplicaState::queue_change(const KeyspaceSlot& slot, std::shared_ptr<const TypedChange> change) {
  for (const auto& watcher : slot.watchers) {
    // Events are in the order of their keys: what begins with a prefix lies together.
    const auto heard = std::find_if(change->events.begin(), change->events.end(), [&](const Event& event) {
      return event.key.starts_with(watcher->prefix);
    });
    const auto end = std::find_if_not(heard, change->events.end(), [&](const Event& event) {
      return event.key.starts_with(watcher->prefix);
    });
    if (heard == end) continue;
    deliveries.push_back({watcher, change, {heard, end}});
    undelivered += deliveries.back().events.size();
  }
}

// Calls watchers until nothing waits, or leaves that to the thread that does so already.
void ReplicaState::deliver(Lock& lock) {
  const auto me = std::this_thread::get_id();
  while (!deliveries.empty()) {
    if (delivering) {
      if (deliverer == me || undelivered <= events_max) return;
      idle.wait(lock, [this] { return !delivering || undelivered <= events_max; });
      continue;
    }
    delivering = true;
    deliverer = me;
    while (!deliveries.empty()) {
      const Delivery next = std::move(deliveries.front());
      deliveries.pop_front();
      undelivered -= next.events.size();
      idle.notify_all();  // There may be room again.
      if (next.watcher->ended) continue;
      notified = next.watcher.get();
      lock.unlock();
      const EventBatch batch{next.change->origin, next.change->time, next.change->local, next.events};
      const auto thrown = guarded([&] { next.watcher->notify(batch); });
      lock.lock();
      if (thrown && log) log_lines.push_back({LogLevel::error, "a watcher threw", {{"what", *thrown}}});
      notified = nullptr;
      if (next.watcher->ended) idle.notify_all();
    }
    delivering = false;
    idle.notify_all();
  }
}

// ---- after the lock ----

void ReplicaState::tell_log(Lock& lock) {
  while (!log_lines.empty()) {
    const auto lines = std::exchange(log_lines, {});
    lock.unlock();
    for (const LogLine& line : lines) guarded([&] { log(line.level, line.text, line.fields); });
    lock.lock();
  }
}

void ReplicaState::call_wake(Lock& lock, LinkState& link) {
  if (link.ended) return;
  if (link.waking) {
    link.wake_again = true;  // Whoever calls it now, this thread perhaps, calls it once more.
    return;
  }
  link.waking = true;
  link.waker = std::this_thread::get_id();
  do {
    link.wake_again = false;
    lock.unlock();
    const auto thrown = guarded(link.wake);
    lock.lock();
    if (thrown && log) log_lines.push_back({LogLevel::error, "a link's wake threw", {{"what", *thrown}}});
  } while (link.wake_again && !link.ended);
  link.waking = false;
  idle.notify_all();
}

void ReplicaState::release(Lock& lock, const LinkState* caller) {
  if (waiting > 0) changed.notify_all();
  std::vector<std::shared_ptr<LinkState>> to_wake;
  if (std::exchange(wake_all, false)) {
    for (const auto& link : links) {
      if (link.get() == caller || link->woken || !link->wake) continue;
      link->woken = true;
      to_wake.push_back(link);
    }
  }
  tell_log(lock);
  for (const auto& link : to_wake) call_wake(lock, *link);
  deliver(lock);
  tell_log(lock);
  lock.unlock();
}

}  // namespace syncline
