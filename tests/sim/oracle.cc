#include "tests/sim/oracle.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "sync/keyspace_state.h"
#include "tests/sim/rng.h"

namespace syncline::sim {
namespace {

std::uint64_t hash_live(std::uint64_t leaf_hash, const Dot& dot, std::uint64_t stamp,
                        std::string_view payload) {
  return mix(mix(mix(leaf_hash, hash_bytes(dot.actor.view())), mix(dot.counter, stamp)), hash_bytes(payload));
}

// Scrambled twice: products of small numbers with the same factors add up alike (seed 105005113 of the soak).
std::uint64_t hash_version(const std::vector<std::uint64_t>& counters) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < counters.size(); ++i)
    if (counters[i] != 0) sum += Rng(mix(i + 1, counters[i])).next();
  return sum;
}

std::string quoted(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out = "'";
  for (const char c : bytes) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += '\\';
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
  }
  return out + "'";
}

// `map[key]` is `value`, now and ever; false if it was another.
template <class Map, class Value>
bool is_function(Map& map, std::uint64_t key, const Value& value) {
  return map.try_emplace(key, value).first->second == value;
}

Leaf live_of(const Engine& engine, const KeyspaceState& keyspace, std::string_view value) {
  Leaf live;
  engine.for_each_live(keyspace, value, [&](const LiveDotView& dot) {
    live.push_back(LiveDot{dot.dot, Payload{dot.stamp, std::string(dot.bytes)}});
  });
  return live;
}

}  // namespace

// One reading of the engine, and what it came to.
struct Mirror::Refresh {
  Mirror& mirror;
  const Engine& engine;
  const KeyspaceState& keyspace;
  bool wanted;
  std::vector<LeafChange> changes;

  void note(std::string_view leaf, std::string_view before, std::string_view after) {
    ++mirror.changed_;
    if (!wanted) return;
    LeafChange& change = changes.emplace_back();
    change.leaf = leaf;
    if (!before.empty()) change.before = live_of(engine, keyspace, before);
    if (!after.empty()) change.after = live_of(engine, keyspace, after);
  }
  Entries::iterator drop(Entries::iterator at) {
    note(at->first, at->second.value, {});
    mirror.hash_ -= at->second.hash;
    return mirror.entries_.erase(at);
  }
  // `at` is the leaf's entry, or the first behind it. Returns the entry.
  Entries::iterator put(Entries::iterator at, std::string_view leaf, std::string_view value) {
    const bool known = at != mirror.entries_.end() && at->first == leaf;
    if (known && at->second.value == value) return at;
    std::uint64_t hash = 0;
    const std::uint64_t leaf_hash = hash_bytes(leaf);
    engine.for_each_live(keyspace, value, [&](const LiveDotView& dot) {
      hash += hash_live(leaf_hash, dot.dot, dot.stamp, dot.bytes);
    });
    if (!known) {
      note(leaf, {}, value);
      at = mirror.entries_.emplace_hint(at, leaf, Entry());
    } else if (at->second.hash != hash) {
      note(leaf, at->second.value, value);  // Else the same in another order.
    }
    mirror.hash_ += hash - at->second.hash;
    at->second.hash = hash;
    at->second.value = value;
    return at;
  }
  bool read_all() {
    auto at = mirror.entries_.begin();
    const auto read = engine.scan(keyspace, {}, [&](std::string_view leaf, std::string_view value) {
      while (at != mirror.entries_.end() && at->first < leaf) at = drop(at);
      at = put(at, leaf, value);
      ++at;
      return true;
    });
    if (!read) return false;
    while (at != mirror.entries_.end()) at = drop(at);
    return true;
  }
  bool read_touched() {
    for (const std::string& leaf : mirror.touched_) {
      const auto found = engine.find(keyspace, leaf);
      if (!found) return false;
      const auto at = mirror.entries_.lower_bound(leaf);
      if (*found) {
        put(at, leaf, **found);
      } else if (at != mirror.entries_.end() && at->first == leaf) {
        drop(at);
      }
    }
    return true;
  }
};

// Takes down what waits for its record, and touches what isn't as it was at the last reading, or doesn't wait
// any more. False if any leaf may be another.
bool Mirror::note_pending(const KeyspaceState& keyspace) {
  std::vector<Pending> now;
  now.reserve(pending_.size() + 8);
  auto old = pending_.begin();
  const bool known = keyspace.for_each_pending([&](std::string_view leaf, std::string_view kept) {
    for (; old != pending_.end() && old->leaf < leaf; ++old) touched_.push_back(std::move(old->leaf));
    if (old != pending_.end() && old->leaf == leaf) {
      Pending& same = now.emplace_back(std::move(*old++));
      if (same.kept == kept) return;
      same.kept = kept;
    } else {
      now.push_back({std::string(leaf), std::string(kept)});
    }
    touched_.emplace_back(leaf);
  });
  for (; old != pending_.end(); ++old) touched_.push_back(std::move(old->leaf));
  pending_ = std::move(now);
  return known;
}

std::vector<LeafChange> Mirror::refresh(const Engine& engine, const KeyspaceState& keyspace, bool wanted,
                                        bool all) {
  changed_ = 0;
  all_ = !note_pending(keyspace) || all_ || all;
  std::sort(touched_.begin(), touched_.end());
  touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
  Refresh refresh{*this, engine, keyspace, wanted, {}};
  readable_ = all_ ? refresh.read_all() : refresh.read_touched();
  all_ = !readable_;
  touched_.clear();
  return std::move(refresh.changes);
}

// The rows that a change made, told from what it did to the leaves.
Finding Oracle::rows_of(const ActorId& self, std::uint64_t first, const std::vector<LeafChange>& leaves,
                        std::vector<Row>& rows) const {
  for (const LeafChange& change : leaves) {
    Row row{.leaf = change.leaf};
    for (const LiveDot& dot : change.before) {
      if (std::find(change.after.begin(), change.after.end(), dot) != change.after.end())
        return "a write kept a dot beside its own at " + quoted(change.leaf);
      const auto removed = index_.find(dot.dot.actor);
      if (removed == index_.end()) return "a dot of nobody was live at " + quoted(change.leaf);
      row.removed.emplace_back(removed->second, dot.dot.counter);
    }
    if (change.after.size() > 1) return "a change put two dots at " + quoted(change.leaf);
    if (change.after.size() == 1) {
      const LiveDot& put = change.after.front();
      if (put.dot != Dot{self, first + rows.size()})
        return "row " + std::to_string(rows.size()) + " of the change from " + to_string(Dot{self, first}) +
               " is " + to_string(put.dot);
      row.has_payload = true;
      row.stamp = put.payload.stamp;
      row.payload = put.payload.bytes;
      row.hash = hash_live(hash_bytes(change.leaf), put.dot, row.stamp, row.payload);
    }
    rows.push_back(std::move(row));
  }
  return {};
}

Finding Oracle::add_change(std::uint32_t replica, const ActorId& self, const View& before,
                           const Version& after, const std::vector<LeafChange>& leaves) {
  const std::uint64_t first = before.version.counter(self) + 1;
  const std::uint64_t last = after.counter(self);
  std::vector<Row> rows;
  if (Finding finding = rows_of(self, first, leaves, rows); !finding.empty()) return finding;
  if (last + 1 - first != rows.size())
    return "a change that touched " + std::to_string(rows.size()) + " leaves took " +
           std::to_string(last + 1 - first) + " dots";
  Version grown = before.version;
  if (!rows.empty()) grown.raise(self, last);
  if (grown != after) return "a write changed the version beyond its own dots";
  if (rows.empty()) return {};

  const auto [it, fresh] = index_.try_emplace(self, static_cast<std::uint32_t>(actors_.size()));
  if (fresh) actors_.push_back(Actor{.id = self, .replica = replica});
  Actor& actor = actors_[it->second];
  if (actor.replica != replica) return "two replicas write under " + to_string(self);
  if (actor.closed) return "a replica that fell back to its disk goes on under " + to_string(self);
  if (actor.rows.size() + 1 != first)
    return "dot " + to_string(Dot{self, first}) + " where " + std::to_string(actor.rows.size()) +
           " were made";
  Change change{.first = first, .last = last};
  actor.past.resize(actors_.size());
  for (std::uint32_t i = 0; i < before.counters.size(); ++i) {
    const std::uint64_t counter = before.counters[i];
    if (actor.past[i] >= counter) continue;
    if (i != it->second) change.past.emplace_back(i, counter);
    actor.past[i] = counter;
  }
  ++changes_made_;
  for (Row& row : rows) {
    bytes_made_ += row.leaf.size() + row.payload.size();
    row.change = static_cast<std::uint32_t>(actor.changes.size());
    actor.rows.push_back(std::move(row));
    ++rows_;
  }
  actor.changes.push_back(std::move(change));
  return {};
}

void Oracle::note_made(const ActorId& self, const std::vector<LeafChange>& leaves) {
  for (const LeafChange& change : leaves)
    for (const auto& [dot, payload] : change.after)
      if (dot.actor == self)
        made_.insert(hash_live(hash_bytes(change.leaf), dot, payload.stamp, payload.bytes));
}

Finding Oracle::check_made(const Engine& engine, const KeyspaceState& keyspace) const {
  Finding finding;
  const auto scanned = engine.scan(keyspace, {}, [&](std::string_view leaf, std::string_view value) {
    engine.for_each_live(keyspace, value, [&](const LiveDotView& live) {
      if (!made_.contains(hash_live(hash_bytes(leaf), live.dot, live.stamp, live.bytes)))
        finding = to_string(live.dot) + " lives at " + quoted(leaf) + " as nobody put it there";
    });
    return finding.empty();
  });
  return scanned ? finding : "the leaves can't be read";
}

Finding Oracle::restart(std::uint32_t replica, const Version& disk, Comeback how,
                        const std::vector<const View*>& others) {
  for (std::uint32_t i = 0; i < actors_.size(); ++i) {
    Actor& actor = actors_[i];
    if (actor.replica != replica || (actor.closed && !actor.may_return)) continue;
    const std::uint64_t stored = disk.counter(actor.id);
    if (how == Comeback::in_order) {
      if (stored < actor.rows.size())
        return "an end in good order left rows of " + to_string(actor.id) + " behind";
      actor.closed = actor.may_return = false;
      continue;
    }
    actor.may_return = how == Comeback::undone;
    if (std::exchange(actor.closed, true)) continue;
    actor.kept = actor.rows.size();
    if (how == Comeback::older || stored >= actor.rows.size()) continue;
    for (const View* other : others) {
      if (other->counters.size() > i && other->counters[i] > stored)
        return "a peer knows " + to_string(Dot{actor.id, other->counters[i]}) + ", whose own disk ends at " +
               std::to_string(stored);
    }
    rows_ -= actor.rows.size() - stored;
    actor.rows.resize(stored);
    actor.kept = stored;
    while (!actor.changes.empty() && actor.changes.back().last > stored) actor.changes.pop_back();
  }
  return {};
}

void Oracle::reckon(const std::vector<Version>& holders) {
  for (Actor& actor : actors_) {
    if (!actor.closed) continue;
    actor.kept = 0;
    for (const Version& has : holders) actor.kept = std::max(actor.kept, has.counter(actor.id));
  }
}

const Oracle::Row* Oracle::find_row(const Dot& dot) const {
  const auto it = index_.find(dot.actor);
  if (it == index_.end() || dot.counter == 0 || dot.counter > actors_[it->second].rows.size()) return nullptr;
  return &actors_[it->second].rows[dot.counter - 1];
}

// Entries that are as they were cost a comparison each.
Finding Oracle::advance(View& view, const Version& to) {
  view.counters.resize(actors_.size());
  view.alive.resize(actors_.size());
  struct Grown {
    std::uint32_t actor;
    std::uint64_t from;
  };
  std::vector<Grown> grown;
  auto old = view.version.entries().begin();
  const auto end = view.version.entries().end();
  for (const auto& [id, counter] : to.entries()) {
    if (old != end && old->first < id) return "a version went back at " + to_string(old->first);
    const bool known = old != end && old->first == id;
    const std::uint64_t from = known ? (old++)->second : 0;
    if (from == counter) continue;
    if (from > counter) return "a version went back at " + to_string(id);
    const auto it = index_.find(id);
    if (it == index_.end()) return "a version names " + to_string(id) + ", who never wrote";
    Actor& actor = actors_[it->second];
    if (counter > actor.rows.size())
      return "a version covers " + to_string(Dot{id, counter}) + ", which was never made or is lost";
    grown.push_back({it->second, from});
    view.counters[it->second] = counter;
    actor.kept = std::max(actor.kept, counter);  // It may come out of somebody's buffer.
  }
  if (old != end) return "a version went back at " + to_string(old->first);
  for (const auto& [i, from] : grown) {
    for (std::uint64_t c = from; c < view.counters[i]; ++c) {
      const Row& row = actors_[i].rows[c];
      view.alive[i].push_back(row.has_payload);
      if (row.has_payload) view.expected += row.hash;
    }
  }
  for (const auto& [i, from] : grown) {
    for (std::uint64_t c = from; c < view.counters[i]; ++c)
      if (Finding finding = cover(view, i, c); !finding.empty()) return finding;
  }
  view.version = to;
  return {};
}

// What a row that became covered does to others, and what must be covered with it.
Finding Oracle::cover(View& view, std::size_t i, std::uint64_t c) const {
  const Actor& actor = actors_[i];
  const Row& row = actor.rows[c];
  for (const auto& [removed_actor, removed_counter] : row.removed) {
    if (removed_counter > view.counters[removed_actor])
      return to_string(Dot{actor.id, c + 1}) + " is covered without a dot that it removes";
    const auto alive = view.alive[removed_actor][removed_counter - 1];
    if (alive) view.expected -= actors_[removed_actor].rows[removed_counter - 1].hash;
    view.alive[removed_actor][removed_counter - 1] = false;
  }
  const Change& change = actor.changes[row.change];
  if (change.last > view.counters[i])
    return "a version covers a part of the change at " + to_string(Dot{actor.id, c + 1});
  if (c + 1 != change.last) return {};
  for (const auto& [past_actor, past_counter] : change.past) {
    if (past_counter > view.counters[past_actor])
      return to_string(Dot{actor.id, c + 1}) + " is covered without its past, " +
             to_string(Dot{actors_[past_actor].id, past_counter});
  }
  return {};
}

Finding Oracle::check_digests(const std::vector<std::uint64_t>& counters, std::uint64_t content,
                              const DigestPair& digests) {
  const std::uint64_t version = hash_version(counters);
  if (!is_function(digest_of_content_, content, digests.state))
    return "equal live dots, unequal state digests";
  if (!is_function(digest_of_version_, version, digests.context))
    return "equal versions, unequal context digests";
  if (!is_function(content_of_digest_, digests.state.low, content))
    return "equal state digests, unequal live dots";
  if (!is_function(version_of_digest_, digests.context.low, version))
    return "equal context digests, unequal versions";
  return {};
}

Finding Oracle::check(View& view, const Engine& engine, const KeyspaceState& keyspace, bool thorough,
                      bool loose) {
  const DigestPair digests = engine.digests(keyspace);
  if (digests == view.digests && !thorough)
    return {};  // Context digests tell versions apart: see check_digests().
  // After an own write all is as operate() left it.
  Version version = digests == view.mirrored_digests && !thorough ? view.mirrored : engine.version(keyspace);
  const bool grown = version != view.version;
  if (grown && loose) {
    if (!version.includes(view.version)) return "a version went back";
    view.version = version;
  } else if (grown) {
    if (Finding finding = advance(view, version); !finding.empty()) return finding;
  } else if (digests != view.digests && !view.version.empty() && !loose &&
             engine.metrics().leaves_lost == 0) {
    return "the digests changed and the version didn't";
  }
  // A leaf that can't be read: nothing is asked of any until it is mended.
  if (!engine.lost_leaves(keyspace).empty()) return view.mirror.forget(), Finding();
  view.digests = digests;
  // A repair may change leaves under an equal version.
  if (thorough || view.mirrored != version || digests != view.mirrored_digests)
    view.mirror.refresh(engine, keyspace, false, thorough);
  if (!view.mirror.readable()) return "the leaves can't be read";
  view.mirrored = std::move(version);
  view.mirrored_digests = digests;
  const std::uint64_t content = view.mirror.hash();
  if (content != view.expected && !loose)
    return "the live dots aren't those of the version" + describe_difference(view, engine, keyspace);
  if (thorough) {
    const auto recomputed = engine.recompute_digests(keyspace);
    if (!recomputed) return "digests can't be recomputed: " + to_string(recomputed.error());
    if (*recomputed != digests) return "the kept digests aren't those of the leaves";
  }
  if (loose) return {};
  return check_digests(view.counters, content, digests);
}

// Which dots are there though they shouldn't be, and which aren't though they should.
std::string Oracle::describe_difference(const View& view, const Engine& engine,
                                        const KeyspaceState& keyspace) const {
  std::string detail;
  for (const auto& [leaf, before, live] : Mirror().refresh(engine, keyspace, true, true)) {
    for (const LiveDot& dot : live) {
      const auto it = index_.find(dot.dot.actor);
      const bool due = it != index_.end() && it->second < view.alive.size() &&
                       dot.dot.counter <= view.alive[it->second].size() &&
                       view.alive[it->second][dot.dot.counter - 1];
      if (!due) detail += "; not due: " + to_string(dot.dot) + " at " + quoted(leaf);
    }
  }
  for (std::size_t i = 0; i < view.alive.size(); ++i) {
    for (std::uint64_t c = 0; c < view.alive[i].size(); ++c) {
      if (!view.alive[i][c]) continue;
      const Row& row = actors_[i].rows[c];
      const auto found = engine.find(keyspace, row.leaf);
      bool there = false;
      if (found && *found) {
        engine.for_each_live(keyspace, **found, [&](const LiveDotView& dot) {
          there = there || (dot.dot == Dot{actors_[i].id, c + 1} && dot.stamp == row.stamp &&
                            dot.bytes == row.payload);
        });
      }
      if (!there) detail += "; missing: " + to_string(Dot{actors_[i].id, c + 1}) + " at " + quoted(row.leaf);
    }
  }
  constexpr std::size_t detail_max = 600;
  if (detail.size() > detail_max) detail.replace(detail_max, std::string::npos, "...");
  return detail;
}

Finding Oracle::check_row(const Dot& dot, std::string_view leaf, const std::vector<Dot>& removed,
                          bool has_payload, std::uint64_t stamp, std::string_view payload) const {
  const Row* row = find_row(dot);
  if (row == nullptr) return "a row travels that was never made: " + to_string(dot);
  std::vector<Dot> made;
  for (const auto& [actor, counter] : row->removed) made.push_back(Dot{actors_[actor].id, counter});
  std::vector<Dot> sent = removed;
  std::sort(made.begin(), made.end());
  std::sort(sent.begin(), sent.end());
  if (row->leaf != leaf || made != sent || row->has_payload != has_payload ||
      (has_payload && (row->stamp != stamp || row->payload != payload)))
    return "row " + to_string(dot) + " travels altered";
  return {};
}

Finding Oracle::check_row_name(const Dot& dot, std::string_view leaf) const {
  const Row* row = find_row(dot);
  if (row == nullptr) return "a row is named that was never made: " + to_string(dot);
  return row->leaf == leaf ? Finding() : "row " + to_string(dot) + " is named at another leaf";
}

Version Oracle::everything() const {
  Version all;
  for (const Actor& actor : actors_) {
    const std::uint64_t due = actor.closed ? actor.kept : actor.rows.size();
    if (due != 0) all.raise(actor.id, due);
  }
  return all;
}

}  // namespace syncline::sim
