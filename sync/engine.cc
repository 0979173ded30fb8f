#include "sync/engine.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "crdt/leaf_key.h"
#include "crdt/operation.h"
#include "fmt/format.h"
#include "sync/engine_impl.h"
#include "sync/key_head.h"
#include "sync/live_views.h"

namespace syncline {
namespace {

// Keeps changes_waiting right over what may fill or drain a keyspace's early buffer.
class CountWaiting {
 public:
  CountWaiting(EngineMetrics& metrics, const KeyspaceState& keyspace)
      : metrics_(metrics), keyspace_(keyspace) {
    metrics_.changes_waiting -= keyspace_.early_count();
  }
  ~CountWaiting() { metrics_.changes_waiting += keyspace_.early_count(); }
  CountWaiting(const CountWaiting&) = delete;
  CountWaiting& operator=(const CountWaiting&) = delete;

 private:
  EngineMetrics& metrics_;
  const KeyspaceState& keyspace_;
};

bool is_keyspace_name(std::string_view name) { return !name.empty() && name.size() <= 1024; }

Version to_version(const KeyspaceState& keyspace, const Counters& counters) {
  std::vector<Version::Entry> entries;
  for (const std::uint32_t actor : keyspace.actors.in_order())
    if (counters[actor] != 0) entries.emplace_back(keyspace.actors[actor], counters[actor]);
  return Version::of(std::move(entries));
}

}  // namespace

Engine::Impl::Impl(EngineOptions options_, LeafSource* source_)
    : options(std::move(options_)),
      source(source_),
      clock(options.drift_max),
      next_pass(static_cast<std::uint32_t>(options.entropy[3])) {}

ActorId Engine::Impl::draw() {
  char bytes[sizeof options.entropy + sizeof drawn];
  ++drawn;
  std::memcpy(bytes, options.entropy.data(), sizeof options.entropy);
  std::memcpy(bytes + sizeof options.entropy, &drawn, sizeof drawn);
  ActorId id;
  const std::uint64_t halves[] = {hash_bytes({bytes, sizeof bytes}, 1), hash_bytes({bytes, sizeof bytes}, 2)};
  static_assert(sizeof halves == ActorId::size_bytes);
  std::memcpy(id.bytes.data(), halves, sizeof halves);
  return id;
}

std::uint32_t Engine::Impl::writer(KeyspaceState& keyspace) {
  if (keyspace.self == ActorTable::none) keyspace.self = keyspace.actors.intern(draw());
  return keyspace.self;
}

bool Engine::Impl::take_ask(Asked asked) {
  constexpr std::size_t asks_max = 256;
  if (asks >= asks_max) return false;
  ++asks;
  events.emplace_back(std::move(asked));
  return true;
}

void Engine::Impl::notice(Notice::Kind kind, const KeyspaceState& keyspace, std::string detail) {
  if (notices >= options.events_max) return;
  ++notices;
  events.emplace_back(Notice{kind, keyspace.name, std::move(detail)});
}

void Engine::Impl::notice_copy(const std::string& address) {
  if (notices >= options.events_max) return;
  ++notices;
  events.emplace_back(Notice{
      Notice::Kind::store_copied, {}, address.empty() ? "at an address it doesn't tell" : "at " + address});
}

void Engine::Impl::report_lost(const KeyspaceState& keyspace) {
  for (const std::string& leaf : keyspace.take_lost()) {
    ++metrics.leaves_lost;
    notice(Notice::Kind::leaf_lost, keyspace, describe_leaf(leaf));
  }
}

void Engine::Impl::settle(KeyspaceState& keyspace) {
  report_lost(keyspace);
  if (keyspace.watched) {
    for (LeavesChanged& touched : keyspace.take_touched())
      if (!touched.leaves.empty()) events.emplace_back(std::move(touched));
  }
  metrics.log_cut += keyspace.cut_log(options.log_bytes_max);
}

void Engine::Impl::fail_commit(const Error& error) {
  ++metrics.commits_failed;
  ++generation;
  for (auto& [name, keyspace] : keyspaces) {
    const CountWaiting counts(metrics, *keyspace);
    keyspace->undo();
    notice(Notice::Kind::commit_failed, *keyspace, to_string(error));
  }
}

Result<Applied> Engine::Impl::take(KeyspaceState& keyspace, const ChangeView& change, Time now) {
  if (read_only) return Applied::dropped;
  if (change.actor == keyspace.self) {
    Counters made;
    made.raise(change.actor, change.first + change.rows.size() - 1);
    check_amnesia(keyspace, made);
  }
  const CountWaiting counts(metrics, keyspace);
  const auto applied = keyspace.take(change);
  if (!applied) return applied;
  switch (*applied) {
    case Applied::duplicate:
      ++metrics.changes_duplicate;
      return applied;
    case Applied::reused:
      ++metrics.dots_reused;
      notice(Notice::Kind::dot_reused, keyspace,
             "two changes as " + to_string(Dot{keyspace.actors[change.actor], change.first}));
      return applied;
    case Applied::dropped:
      ++metrics.early_dropped;
      if (keyspace.is_joining()) return applied;  // It may be long, and brings them all.
      notice(Notice::Kind::early_dropped, keyspace,
             to_string(Dot{keyspace.actors[change.actor], change.first}) +
                 " waits for others, and the buffer is full");
      return applied;
    case Applied::waits:
    case Applied::now:
      break;
  }
  if (!clock.observe(change.hlc, now.wall)) {
    ++metrics.clock_drift;
    notice(Notice::Kind::clock_drift, keyspace,
           fmt::format("{} is {} ms ahead of this clock",
                       to_string(Dot{keyspace.actors[change.actor], change.first}),
                       (Hlc::to_wall(change.hlc) - now.wall).count()));
  }
  if (*applied == Applied::waits) return applied;
  ++metrics.changes_remote;
  if (keyspace.early_count() > 0) {
    const auto drained = keyspace.drain_early();
    if (!drained) return tl::unexpected(drained.error());
    metrics.changes_remote += *drained;
  }
  settle(keyspace);
  return applied;
}

Result<bool> Engine::Impl::merge_pass(KeyspaceState& keyspace, const StagedPass& pass, Time now) {
  check_amnesia(keyspace, pass.version());
  const CountWaiting counts(metrics, keyspace);
  const auto merged = keyspace.merge_pass(pass);
  if (!merged) return tl::unexpected(merged.error());
  if (merged->disagrees) {
    ++metrics.digest_misses;
    return false;
  }
  ++metrics.passes_merged;
  if (pass.basis != nullptr) ++metrics.digest_passes;
  metrics.repair_kept += merged->kept;
  if (merged->kept > 0)
    notice(Notice::Kind::repair_kept, keyspace,
           fmt::format("{} dots that one side lacked stay", merged->kept));
  metrics.dots_reused += merged->reused;
  if (merged->reused > 0)
    notice(Notice::Kind::dot_reused, keyspace, "one dot lives at two leaves; both stay");
  metrics.leaves_mended += merged->mended;
  if (merged->mended > 0)
    notice(Notice::Kind::leaf_mended, keyspace,
           fmt::format("{} leaves came back from a peer", merged->mended));
  if (!merged->resurrected.empty())
    if (const auto done = remove_again(keyspace, merged->resurrected, now); !done)
      return tl::unexpected(done.error());
  if (const auto drained = drain(keyspace); !drained) return tl::unexpected(drained.error());
  return true;
}

Result<void> Engine::Impl::close_joining(KeyspaceState& keyspace, const DigestPair& digests,
                                         const std::vector<std::uint32_t>& frontier) {
  const CountWaiting counts(metrics, keyspace);
  if (const auto closed = keyspace.close_joining(digests, frontier); !closed) return closed;
  ++metrics.passes_merged;
  notice(Notice::Kind::joined, keyspace, fmt::format("{} leaves", keyspace.leaf_count()));
  return drain(keyspace);
}

// Applies what waited for a pass.
Result<void> Engine::Impl::drain(KeyspaceState& keyspace) {
  const auto drained = keyspace.drain_early();
  if (!drained) return tl::unexpected(drained.error());
  metrics.changes_remote += *drained;
  settle(keyspace);
  return {};
}

// A repair brought back what our log says was removed. Dropping it here alone
// would leave the other side with it, so it is removed by an ordinary change.
Result<void> Engine::Impl::remove_again(KeyspaceState& keyspace,
                                        std::vector<std::pair<std::string, IndexedDot>> dots, Time now) {
  std::sort(dots.begin(), dots.end());
  std::vector<IndexedDot> gone;
  gone.reserve(dots.size());
  for (const auto& [leaf, dot] : dots) gone.push_back(dot);
  std::vector<RowView> again;
  for (std::size_t i = 0; i < dots.size();) {
    std::size_t end = i;
    while (end < dots.size() && dots[end].first == dots[i].first) ++end;
    again.push_back({dots[i].first, {gone.data() + i, end - i}, false, 0, {}});
    i = end;
  }
  const std::uint32_t self = writer(keyspace);
  const std::vector<IndexedDot> dependencies = keyspace.dependencies();
  ++metrics.changes_local;
  return keyspace.apply({self, keyspace.version[self] + 1, clock.next(now.wall), dependencies, again}, true);
}

void Engine::Impl::check_amnesia(KeyspaceState& keyspace, const Counters& peer) {
  if (keyspace.self == ActorTable::none || peer[keyspace.self] == 0) return;
  if (peer[keyspace.self] <= keyspace.version[keyspace.self]) return;
  notice(Notice::Kind::amnesia, keyspace,
         "a peer knows " + to_string(Dot{keyspace.actors[keyspace.self], peer[keyspace.self]}) +
             " of our own actor, which this store never wrote: writing goes on under a fresh actor");
  keyspace.forget_self();
}

Result<void> Engine::Impl::restore(Head head) {
  if (head.hlc >= Hlc::stamp_max) return failure(Errc::damaged, "a timestamp that no clock shows");
  clock = Hlc(options.drift_max, head.hlc);
  for (KeyspaceHead& stored : head.keyspaces) {
    if (!is_keyspace_name(stored.name) || keyspaces.contains(stored.name))
      return failure(Errc::damaged, "a keyspace's name is stored twice, or none can be like it");
    auto keyspace = std::make_unique<KeyspaceState>(stored.name, options, source);
    if (const auto restored = keyspace->restore(stored); !restored)
      return failure(restored.error().code,
                     fmt::format("keyspace \"{}\": {}", stored.name, restored.error().detail));
    keyspaces.emplace(stored.name, std::move(keyspace));
    ++keyspaces_opened;
  }
  return {};
}

Engine::Engine(EngineOptions options) : Engine(std::make_unique<Impl>(std::move(options), nullptr)) {}
Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Engine>> Engine::restore(EngineOptions options, LeafSource& source, Head head) {
  auto impl = std::make_unique<Impl>(std::move(options), &source);
  if (const auto restored = impl->restore(std::move(head)); !restored)
    return tl::unexpected(restored.error());
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

Result<void> Engine::restore_logs(std::vector<KeyspaceLog> logs) {
  for (KeyspaceLog& stored : logs) {
    KeyspaceState* const keyspace = find_keyspace(stored.name);
    if (keyspace == nullptr || !keyspace->log.expects_older()) continue;
    if (const auto restored = keyspace->restore_log(stored.log); !restored)
      return failure(restored.error().code,
                     fmt::format("keyspace \"{}\": {}", stored.name, restored.error().detail));
  }
  for (const auto& [name, keyspace] : impl_->keyspaces)
    if (keyspace->log.expects_older()) keyspace->log.prepend({});
  return {};
}

Engine::~Engine() = default;

Result<KeyspaceState*> Engine::open_keyspace(std::string_view name) {
  if (KeyspaceState* known = find_keyspace(name)) return known;
  if (!is_keyspace_name(name))
    return failure(Errc::invalid_argument, "a keyspace's name has 1 to 1024 bytes");
  if (impl_->keyspaces.size() >= impl_->options.keyspaces_max)
    return failure(Errc::limit, "too many keyspaces");
  auto keyspace = std::make_unique<KeyspaceState>(std::string(name), impl_->options, impl_->source);
  keyspace->stability.follow({}, impl_->members);
  KeyspaceState* const opened = keyspace.get();
  impl_->keyspaces.emplace(std::string(name), std::move(keyspace));
  ++impl_->keyspaces_opened;
  return opened;
}

KeyspaceState* Engine::find_keyspace(std::string_view name) {
  const auto it = impl_->keyspaces.find(name);
  return it == impl_->keyspaces.end() ? nullptr : it->second.get();
}

std::vector<std::string> Engine::keyspace_names() const {
  std::vector<std::string> names;
  names.reserve(impl_->keyspaces.size());
  for (const auto& [name, keyspace] : impl_->keyspaces) names.push_back(name);
  return names;
}

Result<void> Engine::drop_keyspace(std::string_view name) {
  const auto it = impl_->keyspaces.find(name);
  if (it == impl_->keyspaces.end()) return failure(Errc::invalid_argument, "no keyspace of that name");
  if (impl_->source != nullptr) impl_->dropped.push_back(it->first);
  impl_->metrics.changes_waiting -= it->second->early_count();
  impl_->keyspaces.erase(it);
  // What was acknowledged of it isn't here any more: whoever acknowledges from now on is another member.
  if (KeyspaceState* list = find_keyspace(members_keyspace)) list->forget_self();
  ++impl_->generation;  // Sessions hold on to keyspaces: they must begin anew.
  return {};
}

Transaction Engine::begin(KeyspaceState& keyspace, Time now) {
  const ActorId self = keyspace.actors[impl_->writer(keyspace)];
  return Transaction(keyspace, impl_->scratch, self, impl_->clock.next(now.wall));
}

namespace {

using Op = TransactionScratch::Op;

tl::unexpected<Error> too_large(const Op& op, std::string_view why) {
  return tl::unexpected<Error>(
      refused_write(Errc::too_large, op.leaf, op.write == TransactionScratch::Write::put, op.payload, why));
}

Result<void> check_leaf(const Op& op, const EngineOptions& options) {
  if (op.leaf.size() > options.key_bytes_max)
    return too_large(op, fmt::format("a key of {} bytes; at most {}", op.leaf.size(), options.key_bytes_max));
  if (op.write == TransactionScratch::Write::put && op.payload.size() > options.value_bytes_max)
    return too_large(
        op, fmt::format("a value of {} bytes; at most {}", op.payload.size(), options.value_bytes_max));
  if (options.path_depth_max + 1 < leaf_depth_max) {
    const auto object = object_leaf(op.leaf);
    if (object && object->depth > options.path_depth_max + 1)
      return too_large(
          op, fmt::format("a path of {} maps; at most {}", object->depth - 1, options.path_depth_max));
  }
  return {};
}

// The ops that write, in the order of their leaves, into `order`.
void order_by_leaf(const TransactionScratch& scratch, std::vector<OrderedOp>& order) {
  order.clear();
  std::size_t shared = 0;
  for (std::uint32_t i = 0; i < scratch.ops.size(); ++i) {
    const Op& op = scratch.ops[i];
    if (op.write == TransactionScratch::Write::none) continue;
    if (order.empty()) shared = op.leaf.size();
    order.push_back({0, i, 0});
    shared = common_prefix(scratch.ops[order.front().op].leaf.substr(0, shared), op.leaf);
  }
  for (OrderedOp& each : order) each.head = head_of(scratch.ops[each.op].leaf, shared);
  std::sort(order.begin(), order.end(), [&](const OrderedOp& a, const OrderedOp& b) {
    return a.head != b.head ? a.head < b.head : scratch.ops[a.op].leaf < scratch.ops[b.op].leaf;
  });
}

Result<void> check_limits(const TransactionScratch& scratch, const EngineOptions& options) {
  if (scratch.error) return tl::unexpected(*scratch.error);
  std::size_t rows = 0;
  std::size_t bytes = 0;
  for (const Op& op : scratch.ops) {
    if (op.write == TransactionScratch::Write::none) continue;
    if (auto checked = check_leaf(op, options); !checked) return checked;
    bytes += op.leaf.size() + (op.write == TransactionScratch::Write::put ? op.payload.size() : 0);
    if (++rows > options.change_rows_max)
      return too_large(op, fmt::format("a change of more than {} rows", options.change_rows_max));
    if (bytes > options.change_bytes_max)
      return too_large(op, fmt::format("a change of more than {} bytes", options.change_bytes_max));
  }
  return {};
}

}  // namespace

Result<Version> Engine::commit(Transaction&& transaction) {
  const Transaction open = std::move(transaction);  // Clears the scratch when done.
  Impl& impl = *impl_;
  KeyspaceState& keyspace = *open.keyspace_;
  const TransactionScratch& scratch = *open.scratch_;
  if (auto joined = check_joined(keyspace); !joined) return tl::unexpected(joined.error());
  if (const auto checked = check_limits(scratch, impl.options); !checked)
    return tl::unexpected(checked.error());

  order_by_leaf(scratch, impl.order);
  const std::uint32_t self = impl.writer(keyspace);
  Version token;
  if (impl.order.empty()) {
    token.raise(keyspace.actors[self], keyspace.version[self]);
    return token;
  }
  impl.rows.clear();
  impl.known.clear();
  impl.removed.clear();
  for (OrderedOp& each : impl.order) {
    for_each_live_in(scratch.ops[each.op].known.value, [&](const IndexedLive& live) {
      impl.removed.push_back(live.dot);
      ++each.removed;
    });
  }
  std::size_t at = 0;
  for (const OrderedOp& each : impl.order) {
    const Op& op = scratch.ops[each.op];
    const bool put = op.write == TransactionScratch::Write::put;
    impl.rows.push_back({op.leaf,
                         {impl.removed.data() + at, each.removed},
                         put,
                         put ? op.stamp : 0,
                         put ? op.payload : std::string_view()});
    at += each.removed;
    impl.known.push_back(&op.known);
  }
  const std::vector<IndexedDot> dependencies = keyspace.dependencies();
  const ChangeView change{self, keyspace.version[self] + 1, open.hlc_, dependencies, impl.rows};
  if (const auto applied = keyspace.apply(change, true, impl.known); !applied)
    return tl::unexpected(applied.error());
  ++impl.metrics.changes_local;
  impl.settle(keyspace);
  token.raise(keyspace.actors[self], keyspace.version[self]);
  return token;
}

Result<std::optional<std::string_view>> Engine::find(const KeyspaceState& keyspace,
                                                     std::string_view leaf) const {
  auto found = keyspace.find(leaf);
  if (!found) impl_->report_lost(keyspace);
  return found;
}

Result<void> Engine::scan(const KeyspaceState& keyspace, std::string_view from,
                          absl::FunctionRef<bool(std::string_view, std::string_view)> visit) const {
  auto scanned = keyspace.scan(from, visit);
  if (!scanned) impl_->report_lost(keyspace);
  return scanned;
}

void Engine::for_each_live(const KeyspaceState& keyspace, std::string_view value,
                           absl::FunctionRef<void(const LiveDotView&)> fn) const {
  with_views(value, keyspace.actors, [&](std::span<const LiveDotView> views) {
    for (const LiveDotView& view : views) fn(view);
  });
}

Version Engine::version(const KeyspaceState& keyspace) const {
  return to_version(keyspace, keyspace.version);
}
Version Engine::persisted_version(const KeyspaceState& keyspace) const {
  return to_version(keyspace, keyspace.persisted_version());
}
DigestPair Engine::digests(const KeyspaceState& keyspace) const {
  return keyspace.is_joining() ? DigestPair{} : keyspace.digests;
}
DigestPair Engine::persisted_digests(const KeyspaceState& keyspace) const {
  return keyspace.persisted_digests();
}

std::optional<JoinProgress> Engine::joining(const KeyspaceState& keyspace) const {
  if (!keyspace.is_joining()) return std::nullopt;
  return JoinProgress{keyspace.leaf_count(), keyspace.joining()->bytes};
}

Result<void> Engine::check_joined(const KeyspaceState& keyspace) const {
  if (!keyspace.is_joining()) return {};
  return tl::unexpected(keyspace.joining_error());
}

std::optional<ActorId> Engine::own_actor(const KeyspaceState& keyspace) const {
  if (keyspace.self == ActorTable::none) return std::nullopt;
  return keyspace.actors[keyspace.self];
}

std::optional<std::uint64_t> Engine::made_at(const KeyspaceState& keyspace, const Dot& dot) const {
  const std::uint32_t actor = keyspace.actors.find(dot.actor);
  const LogEntry* const entry = actor == ActorTable::none ? nullptr : keyspace.log.find(actor, dot.counter);
  if (entry == nullptr || !entry->whole) return std::nullopt;
  ChangeReader reader;
  return reader.read(*entry).hlc;
}

Result<std::vector<std::string>> Engine::touched_since(const KeyspaceState& keyspace,
                                                       const Version& since) const {
  if (auto joined = check_joined(keyspace); !joined) return tl::unexpected(joined.error());
  std::vector<std::string> leaves;
  for (std::uint32_t actor = 0; actor < keyspace.actors.size(); ++actor) {
    const std::uint64_t from = since.counter(keyspace.actors[actor]);
    if (!keyspace.log.covers(actor, from + 1, keyspace.version[actor]))
      return failure(Errc::version_too_old, "the log doesn't reach back so far: iterate anew");
    keyspace.log.for_each_name(actor, from + 1, keyspace.version[actor],
                               [&](std::uint64_t, std::string_view leaf) { leaves.emplace_back(leaf); });
  }
  std::sort(leaves.begin(), leaves.end());
  leaves.erase(std::unique(leaves.begin(), leaves.end()), leaves.end());
  return leaves;
}

Result<DigestPair> Engine::recompute_digests(const KeyspaceState& keyspace) const {
  DigestPair pair;
  for (const IndexedDot& entry : keyspace.version.since({}))
    pair.context += hash_entry(keyspace.actors[entry.actor], entry.counter);
  const auto scanned = keyspace.scan({}, [&](std::string_view leaf, std::string_view value) {
    for_each_live_in(value, [&](const IndexedLive& live) {
      pair.state += hash_live(leaf, keyspace.actors[live.dot.actor], live.dot.counter, live.payload.stamp,
                              live.payload.bytes);
    });
    return true;
  });
  if (!scanned) return tl::unexpected(scanned.error());
  return pair;
}

std::size_t Engine::leaf_count(const KeyspaceState& keyspace) const { return keyspace.leaf_count(); }
std::size_t Engine::leaf_memory_bytes(const KeyspaceState& keyspace) const {
  return keyspace.leaf_memory_bytes();
}
std::size_t Engine::log_memory_bytes(const KeyspaceState& keyspace) const {
  return keyspace.log.memory_bytes();
}
void Engine::cut_log(KeyspaceState& keyspace, std::size_t bytes) {
  impl_->metrics.log_cut += keyspace.cut_log(bytes);
}
void Engine::watch(KeyspaceState& keyspace, bool on) { keyspace.watched = on; }

Result<bool> Engine::distrust(KeyspaceState& keyspace, std::string_view leaf) {
  if (!is_leaf_key(leaf)) return failure(Errc::invalid_argument, "not a leaf key");
  const bool lost = keyspace.lose(leaf);
  impl_->report_lost(keyspace);
  return lost;
}

Result<ScrubProgress> Engine::scrub(KeyspaceState& keyspace, std::size_t leaves_max) {
  const auto scrubbed = keyspace.scrub(leaves_max);
  impl_->report_lost(keyspace);
  if (!scrubbed) return tl::unexpected(scrubbed.error());
  impl_->metrics.leaves_scrubbed += scrubbed->leaves;
  if (scrubbed->unsound) {
    ++impl_->metrics.divergence_detected;
    impl_->notice(Notice::Kind::divergence_detected, keyspace,
                  "leaves aren't what was written, and it isn't known which: repairing");
  }
  return ScrubProgress{scrubbed->leaves, scrubbed->finished, !scrubbed->unsound};
}

std::vector<std::string> Engine::lost_leaves(const KeyspaceState& keyspace) const {
  return keyspace.lost().list();
}

std::optional<Record> Engine::poll_record() {
  Impl& impl = *impl_;
  const bool anything =
      !impl.dropped.empty() || std::any_of(impl.keyspaces.begin(), impl.keyspaces.end(),
                                           [](const auto& each) { return each.second->has_record(); });
  if (!anything) return std::nullopt;  // Asked after each event.
  Record record;
  record.sequence = impl.sequence + 1;
  record.hlc = impl.clock.last();
  const auto drop = [&record](const std::string& name) {
    KeyspaceRecord& dropped = record.keyspaces.emplace_back();
    dropped.name = name;
    dropped.dropped = true;
  };
  for (const std::string& name : impl.dropped) drop(name);
  impl.dropped.clear();
  for (auto& [name, keyspace] : impl.keyspaces) {
    const bool emptied = keyspace->is_emptied();
    auto part = keyspace->take_record(record.sequence);
    if (!part) continue;
    if (emptied) drop(name);
    record.keyspaces.push_back(std::move(*part));
  }
  ++impl.sequence;
  return record;
}

void Engine::handle_persisted(std::uint64_t sequence) {
  for (auto& [name, keyspace] : impl_->keyspaces) {
    keyspace->handle_persisted(sequence);
    impl_->settle(*keyspace);
  }
}

void Engine::handle_failed(const Error& error) { impl_->fail_commit(error); }
void Engine::set_read_only(bool on) { impl_->read_only = on; }
std::uint64_t Engine::generation() const { return impl_->generation; }

std::optional<EngineEvent> Engine::poll_event() {
  if (impl_->events.empty()) return std::nullopt;
  EngineEvent event = std::move(impl_->events.front());
  impl_->events.pop_front();
  if (std::holds_alternative<Notice>(event)) --impl_->notices;
  if (std::holds_alternative<Asked>(event)) --impl_->asks;
  return event;
}

const EngineMetrics& Engine::metrics() const { return impl_->metrics; }

const EngineOptions& Engine::options() const { return impl_->options; }

}  // namespace syncline
