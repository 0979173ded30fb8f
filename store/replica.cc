#include "store/replica.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "store/replica_state.h"
#include "store/sqlite_backup.h"

namespace syncline {
namespace {

constexpr std::size_t cluster_bytes_max = 255;

Time system_time() {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  return Time{
      .monotonic = duration_cast<milliseconds>(std::chrono::steady_clock::now().time_since_epoch()),
      .wall = duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()),
  };
}

// Fills an array of integers with the system's random bits.
template <class Bits>
bool draw(Bits& bits) {
  return getentropy(bits.data(), sizeof bits) == 0;
}

// Begins with what the store holds.
Result<void> load(ReplicaState& state, ReplicaOptions& options) {
  auto head = options.store->load();
  if (!head) return tl::unexpected(head.error());
  state.cluster = std::move(head->cluster);
  state.commit_window = options.commit_window;
  for (const TokenRecord& one : head->tokens) state.remember_token(state.slot(one.keyspace), one.token);
  if (head->store_id != 0) std::memcpy(state.node.data(), &head->store_id, sizeof head->store_id);
  auto engine = Engine::restore(options.engine, *options.store, std::move(*head));
  if (!engine) return tl::unexpected(engine.error());
  state.engine = std::move(*engine);
  state.store = std::move(options.store);
  state.tell_damage();
  if (const KeyspaceState* list = state.engine->find_keyspace(members_keyspace))
    state.listed_as = state.engine->own_actor(*list);
  return {};
}

}  // namespace

Result<Replica> Replica::open(ReplicaOptions options) {
  if (!options.path.empty() && options.store)
    return failure(Errc::invalid_argument, "a replica has one store: a path or one of the caller's own");
  auto state = std::make_shared<ReplicaState>();
  if (options.engine.entropy == EngineOptions{}.entropy && !draw(options.engine.entropy)) {
    return failure(Errc::unsupported, "the system has no random bits to give");
  }
  if (!draw(state->node)) return failure(Errc::unsupported, "the system has no random bits to give");
  state->clock = options.clock ? std::move(options.clock) : system_time;
  state->log = std::move(options.log);
  state->events_max = options.events_max;
  state->give_rights = std::move(options.give_rights);
  state->collect_leaves = options.collect_leaves;
  if (!options.path.empty()) {
    const std::size_t sixteenth = options.memory_bytes / 16;  // The last one is for malloc's waste.
    state->logs_bytes_max = 4 * sixteenth;
    auto store = SqliteStore::open({.path = options.path,
                                    .page_cache_bytes = 5 * sixteenth,
                                    .leaf_cache_bytes = 6 * sixteenth,
                                    .relaxed = options.durability == Durability::relaxed});
    if (!store) return tl::unexpected(store.error());
    state->file = std::move(*store);
    options.store = state->file;
  }
  if (options.store) {
    if (auto loaded = load(*state, options); !loaded) return tl::unexpected(loaded.error());
  } else {
    state->engine = std::make_unique<Engine>(options.engine);
  }
  {
    Turn turn(state);  // Who is a member says under which id it goes on.
    if (auto done = turn->pump(ReplicaState::Commit::now); !done) return tl::unexpected(done.error());
  }
  if (state->file && options.scrub_period.count() > 0) {
    state->scrub_period = options.scrub_period;
    state->scrub_later();
  }
  if (state->commit_window.count() > 0 || state->scrub_at)
    state->keeper = std::thread(ReplicaState::keep_time, state);
  return Replica(std::move(state));
}

Replica::Replica(std::shared_ptr<ReplicaState> state) : state_(std::move(state)) {}
Replica::Replica(Replica&&) noexcept = default;

Replica& Replica::operator=(Replica&& other) noexcept {
  if (this != &other) {
    const Replica closes(std::move(*this));
    state_ = std::move(other.state_);
  }
  return *this;
}

Replica::~Replica() {
  if (!state_) return;
  {
    Turn turn(state_);
    turn->close(turn.lock());
  }
  std::thread& keeper = state_->keeper;
  if (keeper.get_id() == std::this_thread::get_id()) {
    keeper.detach();  // A watcher on it destroys the replica: it ends by itself.
  } else if (keeper.joinable()) {
    keeper.join();
  }
}

Keyspace Replica::keyspace(std::string_view name) {
  Turn turn(state_);
  KeyspaceSlot& slot = turn->slot(name);
  if (turn->find(slot) == nullptr) {
    if (auto opened = turn->engine->open_keyspace(name)) {
      turn->wake_all = true;
      turn->find(slot);
    } else {
      slot.problem = std::move(opened.error());
    }
    // A store that failed says so in slot.problem, and in each later call.
    static_cast<void>(turn->pump());
  }
  return Keyspace(state_, slot);
}

std::vector<std::string> Replica::keyspaces() const {
  const ReplicaState::Lock lock = Turn::acquire(*state_);
  std::vector<std::string> names = state_->engine->keyspace_names();
  std::erase(names, members_keyspace);
  return names;
}

Result<void> Replica::drop_keyspace(std::string_view name) {
  if (is_inside(*state_)) return tl::unexpected(inside_error());
  if (name == members_keyspace) return tl::unexpected(system_error());
  Turn turn(state_);
  if (const auto refused = turn->refusal()) return tl::unexpected(*refused);
  const Error why{Errc::closed, "the keyspace was dropped"};
  if (turn->engine->find_keyspace(name) != nullptr) turn->end_sessions(why);  // They hold on to it.
  if (auto dropped = turn->engine->drop_keyspace(name); !dropped) return dropped;
  turn->generation = turn->engine->generation();
  if (const auto found = turn->slots.find(name); found != turn->slots.end()) {
    KeyspaceSlot& slot = found->second;
    slot.keyspace = nullptr;
    slot.problem = why;
    slot.incarnation = ++turn->incarnations;
    std::erase_if(turn->new_tokens, [&](const TokenRecord& one) { return one.keyspace == name; });
    slot.acknowledged = 0;
    slot.collecting = {};
  }
  return turn->pump(ReplicaState::Commit::now);
}

EngineMetrics Replica::metrics() const {
  const ReplicaState::Lock lock = Turn::acquire(*state_);
  return state_->engine->metrics();
}

std::vector<Notice> Replica::notices() {
  const ReplicaState::Lock lock = Turn::acquire(*state_);
  const auto taken = std::exchange(state_->notices, {});
  return {taken.begin(), taken.end()};
}

FileHealth Replica::health() const {
  const ReplicaState::Lock lock = Turn::acquire(*state_);
  return state_->file ? state_->file->health() : FileHealth{};
}

Result<FileHealth> Replica::scrub() {
  if (is_inside(*state_)) return tl::unexpected(inside_error());
  for (bool begun = false;; begun = true) {
    Turn turn(state_);
    if (turn->closed) return failure(Errc::closed, "the replica was closed");
    if (!turn->file) return failure(Errc::unsupported, "this replica isn't in a file");
    if (!begun) turn->file->scrub_from_start();
    const auto more = turn->scrub();
    if (!more) return tl::unexpected(more.error());
    if (!*more) return turn->file->health();
  }
}

Result<void> Replica::backup(const std::string& path) {
  if (is_inside(*state_)) return tl::unexpected(inside_error());
  std::unique_ptr<SqliteBackup> backup;
  for (bool more = true; more;) {
    Turn turn(state_);
    if (turn->closed) return failure(Errc::closed, "the replica was closed");
    if (!turn->file) return failure(Errc::unsupported, "this replica isn't in a file");
    if (!backup) {
      if (auto done = turn->pump(ReplicaState::Commit::now); !done) return done;
      auto begun = SqliteBackup::begin(turn->file, path);
      if (!begun) return tl::unexpected(begun.error());
      backup = std::move(*begun);
    }
    const auto stepped = backup->step();
    if (!stepped) return tl::unexpected(stepped.error());
    more = *stepped;
  }
  return backup->finish();
}

Result<void> Replica::bind_cluster(std::string_view cluster) {
  if (is_inside(*state_)) return tl::unexpected(inside_error());
  if (cluster.empty() || cluster.size() > cluster_bytes_max) {
    return failure(Errc::invalid_argument, "the name of a cluster has 1 to 255 bytes");
  }
  const ReplicaState::Lock lock = Turn::acquire(*state_);
  if (!state_->cluster) {
    Record record;
    record.cluster = cluster;
    if (state_->store)
      if (auto bound = state_->store->commit(record); !bound) return bound;
    state_->cluster = cluster;
  }
  if (*state_->cluster == cluster) return {};
  return failure(Errc::wrong_cluster, "this store belongs to cluster \"" + *state_->cluster + "\"");
}

Time Replica::now() const {
  const ReplicaState::Lock lock = Turn::acquire(*state_);
  return state_->now();
}

void Replica::log(LogLevel level, std::string_view text,
                  const std::vector<std::pair<std::string, std::string>>& fields) const {
  if (!state_->log) return;
  try {
    state_->log(level, text, fields);
  } catch (...) {
    // A line of the log isn't worth a thread that knows nothing of exceptions.
  }
}

// ---- links ----

namespace {

// Links other than the one that is called have something to look for when its
// call changed what they may tell.
class WakeOthers {
 public:
  explicit WakeOthers(ReplicaState& state) : state_(state), before_(merged()) {}
  ~WakeOthers() {
    if (merged() != before_) state_.wake_all = true;
  }
  WakeOthers(const WakeOthers&) = delete;
  WakeOthers& operator=(const WakeOthers&) = delete;

 private:
  std::uint64_t merged() const {
    const EngineMetrics& counts = state_.engine->metrics();
    return counts.changes_remote + counts.passes_merged + counts.acknowledgements;
  }

  ReplicaState& state_;
  std::uint64_t before_;
};

}  // namespace

struct Replica::Link::Impl {
  std::shared_ptr<ReplicaState> state;
  std::shared_ptr<LinkState> link;

  // Whole frames go to the session, the rest waits.
  Result<void> handle(std::string_view bytes, Time now) const {
    link->splitter.feed(bytes);
    for (;;) {
      const auto frame = link->splitter.next();
      if (!frame) return tl::unexpected(frame.error());
      if (!*frame) return {};
      if (auto handled = link->session->handle_frame(now, **frame); !handled) return handled;
    }
  }
  // What fn(const Session&) answers, or `otherwise` once the session is gone.
  template <class Answer, class Fn>
  Answer ask(Answer otherwise, Fn&& fn) const {
    const ReplicaState::Lock lock = Turn::acquire(*state);
    return link->session ? Answer(fn(*link->session)) : otherwise;
  }
};

std::unique_ptr<Replica::Link> Replica::connect(SessionOptions options, std::function<void()> wake) {
  Turn turn(state_);
  auto link = std::make_shared<LinkState>();
  link->splitter = FrameSplitter(options.limits);
  link->wake = std::move(wake);
  if (turn->cluster && *turn->cluster != options.cluster) {
    link->error = Error{Errc::wrong_cluster, "this store belongs to cluster \"" + *turn->cluster + "\""};
  } else {
    static_cast<void>(turn->need_logs());  // Without them more is sent than need be, no more than that.
    if (options.node == SessionOptions{}.node) options.node = turn->node;
    link->session.emplace(*turn->engine, std::move(options), turn->now());
  }
  turn->links.push_back(link);
  return std::unique_ptr<Link>(new Link(std::make_unique<Link::Impl>(Link::Impl{state_, std::move(link)})));
}

Replica::Link::Link(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Replica::Link::~Link() {
  Turn turn(impl_->state, impl_->link.get());
  LinkState& link = *impl_->link;
  link.ended = true;
  std::erase(turn->links, impl_->link);
  if (link.session) {
    turn->end_session(link, Error{Errc::closed, "the link was closed"});
    turn->wake_all = true;  // Others may ask for what this one was about to bring.
  }
  turn->idle.wait(turn.lock(), [&] { return !link.waking || link.waker == std::this_thread::get_id(); });
}

Result<void> Replica::Link::receive(std::string_view bytes) {
  if (is_inside(*impl_->state)) return tl::unexpected(inside_error());
  LinkState& link = *impl_->link;
  Turn turn(impl_->state, &link);
  if (link.error) return tl::unexpected(*link.error);
  const WakeOthers wakes(*turn);
  turn->uncommitted_bytes += bytes.size();
  const Result<void> handled = impl_->handle(bytes, turn->now());
  // One commit for all that came. The session may still say what was wrong; the
  // store comes first, for it can end all sessions.
  const Result<void> stored = turn->pump();
  if (!stored) return stored;
  if (!handled) link.error = handled.error();
  return handled;
}

std::optional<std::string> Replica::Link::send() {
  LinkState& link = *impl_->link;
  Turn turn(impl_->state, &link);
  std::optional<std::string> frame;
  if (link.session) frame = link.session->poll_frame(turn->now());
  if (!frame) link.woken = false;
  return frame;
}

void Replica::Link::run() {
  LinkState& link = *impl_->link;
  Turn turn(impl_->state, &link);
  if (!link.session || link.error) return;
  const WakeOthers wakes(*turn);
  static_cast<void>(turn->refusal());  // Looks whether there is room again.
  link.session->handle_timeout(turn->now());
  turn->collect_in_time();
  // On error the store ended this session like all others: error() tells.
  static_cast<void>(turn->pump());
}

std::chrono::milliseconds Replica::Link::deadline() const {
  constexpr auto never = std::chrono::milliseconds::max();
  return impl_->ask(never, [&](const Session& s) { return impl_->link->error ? never : s.poll_deadline(); });
}

std::optional<Error> Replica::Link::error() const {
  const ReplicaState::Lock lock = Turn::acquire(*impl_->state);
  return impl_->link->error;
}

std::optional<SessionEvent> Replica::Link::poll_event() {
  const ReplicaState::Lock lock = Turn::acquire(*impl_->state);
  return impl_->link->session ? impl_->link->session->poll_event() : std::nullopt;
}

void Replica::Link::send_addresses(std::vector<std::string> addresses) {
  const ReplicaState::Lock lock = Turn::acquire(*impl_->state);
  if (impl_->link->session) impl_->link->session->send_addresses(std::move(addresses));
}

void Replica::Link::tick_now() {
  const ReplicaState::Lock lock = Turn::acquire(*impl_->state);
  if (impl_->link->session) impl_->link->session->tick_now(impl_->state->now());
}

bool Replica::Link::established() const {
  return impl_->ask(false, [](const Session& s) { return s.established(); });
}
bool Replica::Link::in_sync() const {
  return impl_->ask(false, [](const Session& s) { return s.in_sync(); });
}
Version Replica::Link::peer_version(std::string_view keyspace) const {
  return impl_->ask(Version{}, [&](const Session& s) { return s.peer_version(keyspace); });
}
SessionMetrics Replica::Link::metrics() const {
  const ReplicaState::Lock lock = Turn::acquire(*impl_->state);
  return impl_->link->session ? impl_->link->session->metrics() : impl_->link->last_metrics;
}

}  // namespace syncline
