// How a pass is merged into a keyspace: each leaf against the version at which it was read, absence
// where all leaves were, and what a repair may not remove (I6).
#include "sync/merging.h"

#include <algorithm>

#include "sync/keyspace_state.h"
#include "sync/pass_basis.h"

namespace syncline {

bool KeyspaceState::names_all_since(const Counters& base) const {
  const auto missing = persisted_version().since(base);
  return std::all_of(missing.begin(), missing.end(), [&](const IndexedDot& last) {
    return log.covers(last.actor, base[last.actor] + 1, last.counter);
  });
}

// Whether some change in our log removed the dot: only that undoes what a repair keeps.
bool KeyspaceState::was_removed_by_log(Merging& merging, IndexedDot dot) const {
  if (!merging.removed_by_log) {
    merging.removed_by_log.emplace();
    ChangeReader reader;
    for (std::uint64_t number = log.begin(); number < log.end(); ++number) {
      if (!log[number].whole) continue;
      for (const RowView& row : reader.read(log[number]).rows)
        for (const IndexedDot& removed : row.removed)
          merging.removed_by_log->emplace(removed.actor, removed.counter);
    }
  }
  return merging.removed_by_log->contains(Merging::Key{dot.actor, dot.counter});
}

// Whether our log has the dot's row at another leaf: a dot used twice (I5).
bool KeyspaceState::is_named_elsewhere(std::string_view leaf, IndexedDot dot) const {
  bool elsewhere = false;
  log.for_each_name(dot.actor, dot.counter, dot.counter,
                    [&](std::uint64_t, std::string_view named) { elsewhere = named != leaf; });
  return elsewhere;
}

// Whether the sender has the dot alive at another leaf. The same.
bool KeyspaceState::is_live_elsewhere(Merging& merging, std::string_view leaf, IndexedDot dot) const {
  if (!merging.staged_live) {
    merging.staged_live.emplace();
    for (const StagedChunk& chunk : merging.pass.chunks)
      for (const auto& [key, value] : chunk.leaves)
        for_each_live_in(value, [&, at = std::string_view(key)](const IndexedLive& live) {
          merging.staged_live->insert_or_assign(Merging::Key{live.dot.actor, live.dot.counter}, at);
        });
  }
  const auto it = merging.staged_live->find(Merging::Key{dot.actor, dot.counter});
  return it != merging.staged_live->end() && it->second != leaf;
}

Result<void> KeyspaceState::merge_leaf(Merging& merging, std::string_view leaf, std::string_view theirs,
                                       const Counters& theirs_version) {
  if (lost_.waits(leaf)) return {};  // Left to mend().
  const auto found = find_known(leaf);
  if (!found) return tl::unexpected(found.error());
  const std::string_view mine = found->value;
  if (mine == theirs) return {};
  parse_leaf(mine, merging.mine);
  parse_leaf(theirs, merging.theirs);
  Merged& outcome = merging.outcome;
  const bool repair = merging.pass.repair;
  const auto mine_covers = [&](const IndexedDot& dot) {
    if (!version.contains(dot)) return false;
    const bool reused = is_named_elsewhere(leaf, dot);
    if (reused) ++outcome.reused;
    if (repair && !reused) {
      ++outcome.kept;
      if (was_removed_by_log(merging, dot)) outcome.resurrected.emplace_back(std::string(leaf), dot);
    }
    return !repair && !reused;
  };
  const auto theirs_covers = [&](const IndexedDot& dot) {
    if (!theirs_version.contains(dot)) return false;
    const bool reused = is_live_elsewhere(merging, leaf, dot);
    if (reused) ++outcome.reused;
    if (repair && !reused) ++outcome.kept;
    return !repair && !reused;
  };
  merging.merged.clear();
  merge_into(merging.merged, merging.mine, mine_covers, merging.theirs, theirs_covers);
  value_.clear();
  for (const IndexedLive& live : merging.merged) append_live(value_, live);
  if (value_ == mine) return {};
  merging.changed = true;
  if (in_memory()) {
    write_merged(leaf, *found, value_);
  } else {
    merging.edits.push_back({std::string(leaf), std::string(mine), value_});
  }
  return {};
}

void KeyspaceState::write_merged(std::string_view leaf, const KnownLeaf& known, std::string_view merged) {
  const LeafHash hash(leaf);
  Digest change = hash_value(hash, merged);
  change -= hash_value(hash, known.value);
  count_digest(hash, change);
  put_leaf(leaf, known, merged);
}

// A full pass also speaks of the leaves between those that it has: the sender
// didn't have them. Each is judged by the chunk of the first round in whose
// stretch it lies; one that turns up in a later round is left to that.
Result<void> KeyspaceState::merge_absent(Merging& merging) {
  std::vector<std::pair<std::string, const StagedChunk*>> absent;
  const auto newest = newest_of(merging.pass);
  const auto& chunks = merging.pass.chunks;
  std::size_t end = 1;
  while (end < chunks.size() && !chunks[end].new_round) ++end;  // Chunks of the first round.
  std::size_t at = 0;
  std::size_t leaf_at = 0;
  const auto scanned = scan_all({}, Lost::left_out, [&](std::string_view leaf, std::string_view) {
    for (;;) {
      const auto& leaves = chunks[at].leaves;
      while (leaf_at < leaves.size() && leaves[leaf_at].first < leaf) ++leaf_at;
      if (leaf_at < leaves.size() || at + 1 == end) break;
      ++at;
      leaf_at = 0;
    }
    const auto& leaves = chunks[at].leaves;
    const bool here = leaf_at < leaves.size() && leaves[leaf_at].first == leaf;
    if (!here && !(newest && newest->contains(leaf))) absent.emplace_back(leaf, &chunks[at]);
    return true;
  });
  if (!scanned) return scanned;
  for (const auto& [leaf, chunk] : absent)
    if (const auto merged = merge_leaf(merging, leaf, {}, chunk->version); !merged) return merged;
  return {};
}

Result<void> KeyspaceState::check_digests(const StagedPass& pass) const {
  Digest context = digests.context;  // Ours, but for what differs.
  for (const auto& [from, to] :
       {std::pair(&version, &pass.version()), std::pair(&pass.version(), &version)}) {
    for (const auto& [actor, counter] : to->since(*from)) {
      const Digest greater = hash_entry(actors[actor], counter);
      const Digest less = (*from)[actor] > 0 ? hash_entry(actors[actor], (*from)[actor]) : Digest{};
      to == &version ? (context -= greater) += less : (context += greater) -= less;
    }
  }
  if (context != pass.digests.context)
    return failure(Errc::malformed, "a pass whose version isn't its digest's");
  if (!pass.full) return {};
  Digest state;
  for_each_staged(pass, [&](const StagedChunk&, std::string_view leaf, std::string_view value) {
    state += hash_value(LeafHash(leaf), value);
    return true;
  });
  if (state != pass.digests.state)
    return failure(Errc::malformed, "a full pass that doesn't add up to its digest");
  return {};
}

Result<KeyspaceState::Merged> KeyspaceState::merge_pass(const StagedPass& pass) {
  if (const auto checked = check_digests(pass); !checked) return tl::unexpected(checked.error());
  Merging merging(pass);
  const Counters before = version;
  if (pass.basis != nullptr) {
    const auto agrees = basis_agrees(pass);
    if (!agrees) return tl::unexpected(agrees.error());
    if (!*agrees) {
      merging.outcome.disagrees = true;
      return std::move(merging.outcome);
    }
  }
  const bool restores = distrusted && pass.repair;
  if (restores && !missing_)
    if (const auto counted = recount(); !counted) return tl::unexpected(counted.error());
  const Digest state_before = digests.state;
  if (const auto prepared = prepare_mending(merging); !prepared) return tl::unexpected(prepared.error());
  begin_touched({}, 0, false);
  Result<void> merged;
  if (pass.full && !(in_memory() && leaf_count_ == 0)) merged = merge_absent(merging);
  if (!merged) return tl::unexpected(merged.error());
  for_each_staged(pass, [&](const StagedChunk& chunk, std::string_view leaf, std::string_view value) {
    merged = merge_leaf(merging, leaf, value, chunk.version);
    return merged.has_value();
  });
  if (merged && pass.basis != nullptr) merged = merge_touched(merging);
  if (!merged) return tl::unexpected(merged.error());
  for (const Merging::Edit& edit : merging.edits) write_merged(edit.leaf, {edit.before, {}}, edit.merged);
  mend(merging);
  if (restores) note_restored(state_before, pass.version().includes(before));
  log_pass(pass, before);
  take_version(pass.version(), pass.frontier);
  if (pass.repair && merging.changed) ++repairs;
  ++passes_;
  dirty_ = true;
  if (in_memory()) {
    remember_pair();
    touched_durable_ = touched_.size();
  }
  return std::move(merging.outcome);
}

void KeyspaceState::log_pass(const StagedPass& pass, const Counters& before) {
  // Names of a whole large keyspace would fill the log, and whoever needs them
  // is a full pass away from anyone.
  constexpr std::size_t names_of_full_max = 65'536;
  std::vector<RowName> names;
  for (const StagedChunk& chunk : pass.chunks) {
    for (const auto& [leaf, value] : chunk.leaves)
      for_each_live_in(value, [&, key = std::string_view(leaf)](const IndexedLive& live) {
        if (!before.contains(live.dot)) names.push_back({live.dot, key});
      });
    for (const auto& [dot, leaf] : chunk.dead)
      if (!before.contains(dot)) names.push_back({dot, leaf});
    if (pass.full && names.size() > names_of_full_max) return;
  }
  std::sort(names.begin(), names.end(), [](const RowName& a, const RowName& b) { return a.dot < b.dot; });
  names.erase(std::unique(names.begin(), names.end(),
                          [](const RowName& a, const RowName& b) { return a.dot == b.dot; }),
              names.end());
  for (LogEntry& entry : make_name_entries(names)) log.append(std::move(entry));
}

}  // namespace syncline
