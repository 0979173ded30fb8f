#include "sync/keyspace_state.h"

#include <algorithm>
#include <cstring>

#include "sync/engine.h"
#include "sync/merging.h"
#include "sync/pass_basis.h"
#include "sync/range_digests.h"

namespace syncline {
namespace {

constexpr std::size_t epoch_bytes = sizeof(std::uint64_t);

tl::unexpected<Error> lost_leaf(std::string_view leaf) {
  return failure(Errc::damaged,
                 describe_leaf(leaf) + ", whose record was lost, waits for a peer that has it");
}

std::uint64_t overlay_epoch(std::string_view entry) {
  std::uint64_t epoch = 0;
  std::memcpy(&epoch, entry.data(), epoch_bytes);
  return epoch;
}

// What an overlay entry says of its leaf: the value, or that it is erased.
std::optional<std::string_view> overlay_value(std::string_view entry) {
  entry.remove_prefix(epoch_bytes);
  return entry.empty() ? std::nullopt : std::optional(entry);
}

bool removes(const RowView& row, const IndexedDot& dot) {
  return std::find(row.removed.begin(), row.removed.end(), dot) != row.removed.end();
}

// Order counts: a change's content hash from its rows', one after the other.
std::uint64_t fold(std::uint64_t hash, std::uint64_t row) { return hash * 0x9e3779b97f4a7c15 + row; }

// A row's share of its change's content hash; canonical, for it speaks of actor ids and not of indices.
std::uint64_t row_hash(const RowView& row, std::uint64_t payload_hash, const ActorTable& actors) {
  std::uint64_t hash = row.has_payload ? payload_hash : hash_bytes(row.leaf, 0);
  for (const IndexedDot& dot : row.removed) hash += hash_entry(actors[dot.actor], dot.counter).low;
  return hash;
}

}  // namespace

KeyspaceState::KeyspaceState(std::string name_, const EngineOptions& options, LeafSource* source)
    : name(std::move(name_)), options_(options), source_(source) {}

KeyspaceState::~KeyspaceState() = default;

Result<void> KeyspaceState::restore(KeyspaceHead& head) {
  if (const auto restored = restore_version(head); !restored) return restored;
  log.expect_older(std::max<std::uint64_t>(head.log_later_max, head.log.size()));
  if (head.log_later_max == 0)
    if (const auto restored = restore_log(head.log); !restored) return restored;
  if (!head.staged.empty() && Joining::is_one(head.staged.front())) {
    if (const auto joining = restore_joining(head); !joining) return joining;
  } else if (!head.staged.empty()) {
    auto staged = StagedPass::from_bytes(head.staged, actors.size());
    if (!staged) return tl::unexpected(staged.error());
    if (!staged->chunks.empty()) parked = std::make_unique<StagedPass>(std::move(*staged));
  }
  recorded_ = persisted_ = snapshot();
  remember_pair();
  return {};
}

// Whether the state digest is that of the leaves would take reading them all:
// comparing with peers finds out (I6).
Result<void> KeyspaceState::restore_version(const KeyspaceHead& head) {
  for (const ActorId& id : head.actors) actors.intern(id);
  if (actors.size() != head.actors.size()) return failure(Errc::damaged, "an actor is stored twice");
  for (const IndexedDot& entry : head.version) {
    if (entry.actor >= actors.size() || version[entry.actor] != 0 || !is_counter(entry.counter))
      return failure(Errc::damaged, "a version that can't be");
    raise_version(entry.actor, entry.counter);
  }
  if (const auto restored = restore_frontier(head.frontier); !restored) return restored;
  if (digests.context != head.digests.context)
    return failure(Errc::damaged, "a version that isn't its digest's");
  digests = head.digests;
  leaf_count_ = static_cast<std::size_t>(head.leaf_count);
  dirty_ = false;
  return restore_self(head.self);
}

Result<void> KeyspaceState::restore_self(std::optional<std::uint32_t> stored) {
  if (!stored) return {};
  if (*stored >= actors.size()) return failure(Errc::damaged, "a store that writes under no actor");
  self = *stored;
  return {};
}

Result<void> KeyspaceState::restore_frontier(const std::vector<std::uint32_t>& stored) {
  frontier_ = {stored.begin(), stored.end()};
  for (const std::uint32_t actor : stored)
    if (version[actor] == 0) return failure(Errc::damaged, "a frontier beyond its version");
  if (stored.empty())
    for (const IndexedDot& entry : version.since({})) frontier_.insert(entry.actor);
  return {};
}

Result<void> KeyspaceState::restore_log(std::vector<LogRecord>& records) {
  std::vector<LogEntry> entries;
  entries.reserve(records.size());
  for (LogRecord& record : records) {
    auto entry = LogEntry::from_record(std::move(record), actors.size());
    if (!entry) return tl::unexpected(entry.error());
    if (entry->last() > version[entry->actor])
      return failure(Errc::damaged, "a log entry of dots out of turn");
    entries.push_back(std::move(*entry));
  }
  if (!log.is_older(entries)) return failure(Errc::damaged, "a log entry of dots out of turn");
  log.prepend(std::move(entries));
  return {};
}

// ---- leaves ----

// A store that reported a failed commit and kept it all the same holds leaves of actors that were undone.
Result<std::optional<std::string_view>> KeyspaceState::find_stored(std::string_view leaf) const {
  if (unpersisted_emptyings_ > 0) return std::nullopt;
  if (lost_.is_unreadable(leaf)) return lost_leaf(leaf);
  const auto found = source_->find(name, leaf);
  const bool sound =
      found ? !*found || is_leaf_value(**found, actors.size()) : found.error().code != Errc::damaged;
  if (sound) return found;
  note_lost(leaf);
  return lost_leaf(leaf);
}

Result<void> KeyspaceState::scan_stored(
    std::string_view from, Lost lost,
    absl::FunctionRef<bool(std::string_view, std::string_view)> visit) const {
  if (unpersisted_emptyings_ > 0) return {};
  const auto gap = lost == Lost::left_out       ? std::nullopt
                   : lost == Lost::waiting_fail ? lost_.first_waiting(from)
                                                : lost_.first_unreadable(from);
  std::optional<std::string> unsound;
  bool going = true;
  auto scanned = source_->scan(name, from, [&](std::string_view leaf, std::string_view value) {
    if (gap && *gap < leaf) return false;
    if (!lost_.empty() && lost_.is_unreadable(leaf)) return true;
    if (!is_leaf_value(value, actors.size())) {
      note_lost(leaf);
      if (lost != Lost::left_out) unsound = leaf;
      return !unsound;
    }
    return going = visit(leaf, value);
  });
  if (!scanned) return scanned;
  if (unsound) return lost_leaf(*unsound);
  return gap && going ? lost_leaf(*gap) : Result<void>();
}

Result<std::optional<std::string_view>> KeyspaceState::find(std::string_view leaf) const {
  if (is_joining()) return tl::unexpected(joining_error());
  return find_any(leaf);
}

Result<std::optional<std::string_view>> KeyspaceState::find_any(std::string_view leaf) const {
  const auto entry = table_.find(leaf);
  if (in_memory() && lost_.waits(leaf)) return lost_leaf(leaf);
  if (in_memory()) return entry;
  if (entry) return overlay_value(*entry);
  return find_stored(leaf);
}

Result<KnownLeaf> KeyspaceState::find_known(std::string_view leaf) const {
  if (in_memory()) {
    if (lost_.waits(leaf)) return lost_leaf(leaf);
    const LeafTable::Position position = table_.find_position(leaf);
    return KnownLeaf{table_.value(position).value_or(std::string_view()), position};
  }
  const auto found = find_any(leaf);
  if (!found) return tl::unexpected(found.error());
  return KnownLeaf{found->value_or(std::string_view()), {}};
}

Result<void> KeyspaceState::scan(std::string_view from,
                                 absl::FunctionRef<bool(std::string_view, std::string_view)> visit) const {
  if (is_joining()) return tl::unexpected(joining_error());
  return scan_all(from, Lost::waiting_fail, visit);
}

Result<void> KeyspaceState::scan_all(
    std::string_view from, Lost lost,
    absl::FunctionRef<bool(std::string_view, std::string_view)> visit) const {
  auto overlay = table_.lower_bound(from);
  if (in_memory()) {
    const auto gap = lost == Lost::left_out ? std::nullopt : lost_.first_waiting(from);
    for (; overlay.valid(); overlay.next()) {
      if (gap && *gap < overlay.key()) return lost_leaf(*gap);
      if (!visit(overlay.key(), overlay.value())) return {};
    }
    return gap ? lost_leaf(*gap) : Result<void>();
  }
  bool going = true;
  const auto visit_overlay = [&] {
    if (const auto value = overlay_value(overlay.value())) going = visit(overlay.key(), *value);
    overlay.next();
  };
  const auto scanned = scan_stored(from, lost, [&](std::string_view leaf, std::string_view value) {
    while (going && overlay.valid() && overlay.key() < leaf) visit_overlay();
    if (going && overlay.valid() && overlay.key() == leaf) {
      visit_overlay();
    } else if (going) {
      going = visit(leaf, value);
    }
    return going;
  });
  if (!scanned) return scanned;
  while (going && overlay.valid()) visit_overlay();
  return {};
}

bool KeyspaceState::for_each_pending(absl::FunctionRef<void(std::string_view, std::string_view)> fn) const {
  if (in_memory() || unpersisted_emptyings_ > 0) return false;
  for (auto at = table_.begin(); at.valid(); at.next()) fn(at.key(), at.value());
  return true;
}

Result<std::optional<std::string_view>> KeyspaceState::find_persisted(std::string_view leaf) const {
  return in_memory() ? find(leaf) : find_stored(leaf);
}

Result<void> KeyspaceState::scan_persisted(
    std::string_view from, absl::FunctionRef<bool(std::string_view, std::string_view)> visit) const {
  return in_memory() ? scan(from, visit) : scan_stored(from, Lost::unreadable_fail, visit);
}

void KeyspaceState::begin_touched(std::optional<ActorId> origin, std::uint64_t hlc, bool own) {
  if (watched) touched_.push_back({name, origin, hlc, own, {}});
}

void KeyspaceState::put_leaf(std::string_view leaf, const KnownLeaf& known, std::string_view value) {
  const std::string_view before = known.value;
  if (inbound != nullptr && inbound->basis != nullptr) inbound->basis->touch(leaf, before);
  if (scrub_ != nullptr) follow_scrub(leaf, before, value);
  if (before.empty() != value.empty()) value.empty() ? --leaf_count_ : ++leaf_count_;
  if (watched && !is_joining()) touched_.back().leaves.push_back({std::string(leaf), std::string(before)});
  if (!in_memory()) {
    std::string entry(reinterpret_cast<const char*>(&epoch_), epoch_bytes);  // Stamped, see overlay_epoch().
    entry.append(value);
    table_.put(leaf, entry);
    changed_leaves_.emplace_back(leaf);
    dirty_ = true;
  } else if (value.empty()) {
    if (!before.empty()) table_.erase_at(known.position, leaf);
  } else {
    table_.put_at(known.position, leaf, value);
  }
}

Digest KeyspaceState::hash_of(const LeafHash& leaf, const IndexedLive& live) const {
  return hash_live(leaf, actors[live.dot.actor], live.dot.counter, live.payload.stamp, live.payload.bytes);
}

// What a leaf's live dots add up to changed by so much.
void KeyspaceState::count_digest(const LeafHash& leaf, const Digest& change) {
  digests.state += change;
  count_range(leaf.hash, change);
}

void KeyspaceState::raise_version(std::uint32_t actor, std::uint64_t counter) {
  const std::uint64_t old = version[actor];
  if (counter <= old) return;
  if (old != 0) digests.context -= hash_entry(actors[actor], old);
  digests.context += hash_entry(actors[actor], counter);
  version.raise(actor, counter);
  if (actor >= raised_.size()) raised_.resize(actor + std::size_t{1});
  raised_[actor] = ++raises_;
  dirty_ = true;
}

// The change is the last of its actor: what it follows is no longer the end of anything.
void KeyspaceState::follow(const ChangeView& change, bool own) {
  if (own) frontier_.clear();
  for (const IndexedDot& dot : change.dependencies)
    if (version[dot.actor] <= dot.counter) frontier_.erase(dot.actor);
  frontier_.insert(change.actor);
}

// Of two histories, what ends in one of them and isn't followed in the other.
void KeyspaceState::take_version(const Counters& theirs, const std::vector<std::uint32_t>& their_frontier) {
  const Counters before = version;
  for (const IndexedDot& entry : theirs.since(before)) {
    raise_version(entry.actor, entry.counter);
    if (their_frontier.empty()) frontier_.insert(entry.actor);
  }
  if (their_frontier.empty()) return;
  const auto ends = [&](std::uint32_t actor) {
    return std::find(their_frontier.begin(), their_frontier.end(), actor) != their_frontier.end();
  };
  absl::erase_if(frontier_, [&](std::uint32_t actor) {
    return theirs[actor] > before[actor] || (theirs[actor] == before[actor] && !ends(actor));
  });
  for (const std::uint32_t actor : their_frontier)
    if (theirs[actor] > before[actor]) frontier_.insert(actor);
}

// ---- changes ----

std::vector<IndexedDot> KeyspaceState::dependencies() const {
  std::vector<IndexedDot> dots;
  dots.reserve(frontier_.size());
  for (const std::uint32_t actor : frontier_)
    if (actor != self) dots.push_back({actor, version[actor]});
  std::sort(dots.begin(), dots.end());
  return dots;
}

std::vector<std::uint32_t> KeyspaceState::frontier() const {
  constexpr std::size_t told_max = 1'024;
  if (frontier_.size() > told_max) return {};
  std::vector<std::uint32_t> ascending(frontier_.begin(), frontier_.end());
  std::sort(ascending.begin(), ascending.end());
  return ascending;
}

std::vector<std::uint32_t> KeyspaceState::persisted_frontier() const {
  return in_memory() ? frontier() : persisted_.frontier;
}

std::uint64_t KeyspaceState::content_hash(const ChangeView& change) const {
  std::uint64_t hash = 0;
  std::uint64_t counter = change.first;
  for (const RowView& row : change.rows) {
    const std::uint64_t payload =
        row.has_payload ? hash_live(row.leaf, actors[change.actor], counter, row.stamp, row.payload).low : 0;
    hash = fold(hash, row_hash(row, payload, actors));
    ++counter;
  }
  return hash;
}

std::uint64_t KeyspaceState::apply_row(const RowView& row, IndexedDot dot, const KnownLeaf& known) {
  const LeafHash leaf(row.leaf);
  std::uint64_t payload_hash = 0;
  Digest change;
  value_.clear();
  for_each_live_in(known.value, [&](const IndexedLive& live) {
    if (removes(row, live.dot)) {
      change -= hash_of(leaf, live);
    } else {
      append_live(value_, live);
    }
  });
  if (row.has_payload) {
    const IndexedLive live{dot, {row.stamp, row.payload}};
    const Digest hash = hash_of(leaf, live);
    change += hash;
    payload_hash = hash.low;
    append_live(value_, live);
  }
  count_digest(leaf, change);
  put_leaf(row.leaf, known, value_);
  return row_hash(row, payload_hash, actors);
}

Result<void> KeyspaceState::apply(const ChangeView& change, bool own,
                                  std::span<const KnownLeaf* const> known) {
  SYNCLINE_ASSERT(known.empty() || known.size() == change.rows.size());
  std::vector<std::string> befores;
  if (known.empty() && !in_memory()) {
    for (const RowView& row : change.rows) {
      const auto found = find_known(row.leaf);
      if (!found) return tl::unexpected(found.error());
      befores.emplace_back(found->value);
    }
  }
  begin_touched(actors[change.actor], change.hlc, own);
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < change.rows.size(); ++i) {
    const RowView& row = change.rows[i];
    KnownLeaf leaf;
    if (!known.empty()) {
      leaf = *known[i];
    } else if (in_memory()) {
      leaf = *find_known(row.leaf);  // Memory doesn't fail.
    } else {
      leaf.value = befores[i];
    }
    hash = fold(hash, apply_row(row, {change.actor, change.first + i}, leaf));
  }
  log.append(make_log_entry(change, hash, own));
  raise_version(change.actor, change.first + change.rows.size() - 1);
  follow(change, own);
  if (in_memory()) {
    remember_pair();
    touched_durable_ = touched_.size();
  }
  return {};
}

bool KeyspaceState::is_due(const ChangeView& change) const {
  return version[change.actor] + 1 == change.first &&
         std::all_of(change.dependencies.begin(), change.dependencies.end(),
                     [this](const IndexedDot& dot) { return version.contains(dot); });
}

Result<void> KeyspaceState::check_removed(const ChangeView& change) const {
  for (const RowView& row : change.rows)
    for (const IndexedDot& dot : row.removed)
      if (!version.contains(dot))
        return failure(Errc::malformed, "a change removes what it doesn't depend on");
  return {};
}

Result<Applied> KeyspaceState::take(const ChangeView& change) {
  const std::uint64_t last = change.first + change.rows.size() - 1;
  if (change.first <= version[change.actor]) {
    const LogEntry* known = log.find(change.actor, change.first);
    const bool other = known != nullptr && known->whole &&
                       (known->first != change.first || known->hash != content_hash(change));
    return other || last > version[change.actor] ? Applied::reused : Applied::duplicate;
  }
  if (touches_lost(change)) return Applied::dropped;
  // What comes while it joins waits for what it may depend on.
  const bool joins = is_joining() || (inbound != nullptr && inbound->in_place);
  if (!joins && is_due(change)) {
    if (const auto checked = check_removed(change); !checked) return tl::unexpected(checked.error());
    const auto applied = apply(change, false);
    if (!applied) return tl::unexpected(applied.error());
    return Applied::now;
  }
  const std::pair key{change.actor, change.first};
  if (early_.contains(key)) return Applied::duplicate;
  LogEntry entry = make_log_entry(change, content_hash(change), false);
  if (early_bytes_ + entry.bytes.size() > options_.early_bytes_max) return Applied::dropped;
  early_bytes_ += entry.bytes.size();
  early_.emplace(key, std::move(entry));
  return Applied::waits;
}

Result<std::size_t> KeyspaceState::drain_early() {
  std::size_t applied = 0;
  for (bool progress = true; progress;) {
    progress = false;
    for (auto it = early_.begin(); it != early_.end();) {
      // Only the first waiting change of each actor can be due.
      const std::uint32_t actor = it->first.first;
      const auto done = take_early(it);
      if (!done) return tl::unexpected(done.error());
      applied += *done;
      progress = progress || *done > 0;
      it = early_.upper_bound({actor, ~std::uint64_t{0}});
    }
  }
  return applied;
}

// Applies an actor's waiting changes from `it` on while they are due; drops known
// ones, and what no correct peer made: who told of it is long gone. Leaves `it` at
// the first that stays, of this actor or the next.
Result<std::size_t> KeyspaceState::take_early(EarlyChanges::iterator& it) {
  const std::uint32_t actor = it->first.first;
  std::size_t applied = 0;
  while (it != early_.end() && it->first.first == actor) {
    const LogEntry& entry = it->second;
    const bool known = entry.first <= version[actor];
    if (!known) {
      const ChangeView change = reader_.read(entry);
      if (!is_due(change) || touches_lost(change)) return applied;
      if (check_removed(change)) {
        if (const auto done = apply(change, false); !done) return tl::unexpected(done.error());
        ++applied;
      }
    }
    early_bytes_ -= entry.bytes.size();
    it = early_.erase(it);
  }
  return applied;
}

// ---- persistence ----

KeyspaceState::Snapshot KeyspaceState::snapshot() const {
  return {version,       digests,
          log.end(),     passes_,
          actors.size(), frontier(),
          leaf_count_,   joining_ ? std::make_shared<const Joining>(*joining_) : nullptr};
}

std::vector<std::uint32_t> KeyspaceState::latest_actors(std::size_t count) const {
  std::vector<std::uint32_t> actors_of;
  for (const IndexedDot& entry : persisted_version().since({})) actors_of.push_back(entry.actor);
  if (actors_of.size() <= count) return actors_of;
  const auto end = actors_of.begin() + static_cast<std::ptrdiff_t>(count);
  std::nth_element(actors_of.begin(), end, actors_of.end(),
                   [this](std::uint32_t a, std::uint32_t b) { return raised_[a] > raised_[b]; });
  actors_of.erase(end, actors_of.end());
  std::sort(actors_of.begin(), actors_of.end());
  return actors_of;
}

void KeyspaceState::remember_pair() { pairs_[pair_count_++ % pairs_.size()] = persisted_digests(); }

std::optional<DigestPair> KeyspaceState::persisted_pair_at(const Digest& context) const {
  if (persisted_digests().context == context) return persisted_digests();
  for (std::size_t i = pair_count_; i-- > 0 && pair_count_ - i <= pairs_.size();)
    if (const DigestPair& pair = pairs_[i % pairs_.size()]; pair.context == context) return pair;
  return std::nullopt;
}

std::vector<LeavesChanged> KeyspaceState::take_touched() {
  const auto end = touched_.begin() + static_cast<std::ptrdiff_t>(touched_durable_);
  std::vector<LeavesChanged> taken(std::make_move_iterator(touched_.begin()), std::make_move_iterator(end));
  touched_.erase(touched_.begin(), end);
  touched_durable_ = 0;
  return taken;
}

std::size_t KeyspaceState::cut_log(std::size_t bytes) {
  if (log.expects_older()) return 0;  // What goes first isn't here.
  std::size_t cut = 0;
  for (; log.memory_bytes() > bytes && log.begin() < log.end(); ++cut) cut_oldest();
  return cut;
}

std::size_t KeyspaceState::cut_log_within(const Counters& floor, std::size_t bytes) {
  if (log.expects_older()) return 0;
  std::size_t cut = 0;
  for (; log.memory_bytes() > bytes && log.begin() < persisted_log_end(); ++cut) {
    const LogEntry& oldest = log[log.begin()];
    if (!floor.contains({oldest.actor, oldest.last()})) break;
    cut_oldest();
  }
  return cut;
}

void KeyspaceState::cut_oldest() {
  const bool recorded = log.begin() < recorded_.log_end;
  const auto entry = log.pop_front();
  if (in_memory() || !recorded) return;
  log_cut_.push_back(entry);
  dirty_ = true;
}

void KeyspaceState::stage_for_record(std::string bytes, bool clear) {
  if (in_memory()) return;
  if (clear) {
    parked.reset();  // It couldn't go on: the store forgets its chunks, too.
    staged_.clear();
    staged_cleared_ = true;
  }
  if (!bytes.empty()) staged_.push_back(std::move(bytes));
  dirty_ = true;
}

std::optional<KeyspaceRecord> KeyspaceState::take_record(std::uint64_t sequence) {
  if (!has_record()) return std::nullopt;
  KeyspaceRecord record;
  record.name = name;
  std::sort(changed_leaves_.begin(), changed_leaves_.end());
  changed_leaves_.erase(std::unique(changed_leaves_.begin(), changed_leaves_.end()), changed_leaves_.end());
  for (const std::string& leaf : changed_leaves_) {
    const auto entry = table_.find(leaf);
    SYNCLINE_ASSERT(entry.has_value());
    record.leaves.emplace_back(leaf, overlay_value(*entry).value_or(std::string_view()));
  }
  for (std::uint32_t i = recorded_.actor_count; i < actors.size(); ++i) record.actors.push_back(actors[i]);
  record.version = version.since(recorded_.version);
  record.digests = joining_ != nullptr ? DigestPair{} : digests;
  if (self != ActorTable::none) record.self = self;
  record.frontier = frontier();
  record.leaf_count = leaf_count_;
  for (std::uint64_t number = std::max(log.begin(), recorded_.log_end); number < log.end(); ++number)
    record.log.push_back(log[number].to_record());
  record.log_cut = log_cut_;
  if (joining_ != nullptr) {
    staged_cleared_ = true;
    staged_ = {joining_->to_bytes()};
  }
  record.staged_cleared = std::exchange(staged_cleared_, false);
  record.staged = std::exchange(staged_, {});
  recorded_ = snapshot();
  std::size_t in_flight_touched = touched_durable_;
  for (const InFlight& flight : in_flight_) in_flight_touched += flight.touched;
  in_flight_.push_back({sequence, epoch_++, recorded_, std::exchange(changed_leaves_, {}),
                        std::exchange(log_cut_, {}), touched_.size() - in_flight_touched,
                        std::exchange(emptied_, false), std::exchange(range_deltas_, {})});
  dirty_ = false;
  return record;
}

void KeyspaceState::handle_persisted(std::uint64_t sequence) {
  if (in_flight_.empty() || in_flight_.front().sequence != sequence) return;
  InFlight flight = std::move(in_flight_.front());
  in_flight_.erase(in_flight_.begin());
  for (const std::string& leaf : flight.leaves) {
    const auto entry = table_.find(leaf);
    if (entry && overlay_epoch(*entry) <= flight.epoch) table_.erase(leaf);
  }
  lost_.handle_persisted(flight.epoch);
  count_ranges(flight.range_deltas);
  persisted_ = std::move(flight.snapshot);
  touched_durable_ += flight.touched;
  if (flight.emptied) --unpersisted_emptyings_;
  remember_pair();
}

void KeyspaceState::undo() {
  for (InFlight& flight : in_flight_)
    log_cut_.insert(log_cut_.begin(), flight.log_cut.begin(), flight.log_cut.end());
  in_flight_.clear();
  lost_.undo();
  range_deltas_.clear();
  scrub_.reset();
  missing_.reset();
  changed_leaves_.clear();
  staged_.clear();
  table_.clear();
  touched_.resize(touched_durable_);
  log.truncate(persisted_.log_end);
  actors.truncate(persisted_.actor_count);  // Nothing that is left names those that came later.
  version = persisted_.version;
  digests = persisted_.digests;
  leaf_count_ = persisted_.leaf_count;
  joining_ = persisted_.joining ? std::make_unique<Joining>(*persisted_.joining) : nullptr;
  emptied_ = false;
  unpersisted_emptyings_ = 0;
  persisted_.log_end = log.end();
  recorded_ = persisted_;
  early_.clear();
  early_bytes_ = 0;
  inbound.reset();
  parked.reset();
  self = ActorTable::none;
  stability.clear();
  staged_cleared_ = true;
  dirty_ = true;
  static_cast<void>(restore_frontier(persisted_.frontier));
}

}  // namespace syncline
