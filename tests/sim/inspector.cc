#include "tests/sim/inspector.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "sync/digest.h"

namespace syncline::sim {
namespace {

// The dot that a dictionary index means, or nothing.
std::optional<Dot> resolve(const std::vector<ActorId>& actors, const IndexedDot& dot) {
  if (dot.actor >= actors.size()) return std::nullopt;
  return Dot{actors[dot.actor], dot.counter};
}

// The entries of those that were named; or of all others.
Version part_of(const Version& version, const std::set<ActorId>& named, bool of_named) {
  Version part;
  for (const auto& [actor, counter] : version.entries())
    if (named.contains(actor) == of_named) part.raise(actor, counter);
  return part;
}

}  // namespace

Finding FrameInspector::inspect(std::string_view frame, const Engine& engine, const Disk* disk,
                                std::map<std::string, Oracle, std::less<>>& oracles, WireCounts& counts,
                                bool strict) {
  ++counts.frames;
  auto decoded = decoder_.decode(frame);
  if (!decoded) return "a frame doesn't decode: " + to_string(decoded.error());
  if (!*decoded) {
    ++counts.continued;
    mid_message_ = true;
    return {};
  }
  const bool just_made = !std::exchange(mid_message_, false);
  const Message& message = (**decoded).message;
  if (const auto* list = std::get_if<Keyspaces>(&message))
    names_.insert(names_.end(), list->names.begin(), list->names.end());

  const auto with = [&](std::uint32_t index, const std::vector<ActorId>& definitions, auto&& fn) -> Finding {
    if (index >= names_.size()) return "a message names a keyspace that wasn't listed";
    Keyspace& keyspace = keyspaces_[index];
    keyspace.actors.insert(keyspace.actors.end(), definitions.begin(), definitions.end());
    for (const ActorId& actor : definitions) {
      if (!keyspace.named.insert(actor).second) return "an actor is named twice";
      const std::uint64_t told = keyspace.rest ? keyspace.rest->counter(actor) : 0;  // By the sum.
      if (told > 0) keyspace.status.raise(actor, told);
    }
    const auto oracle = oracles.find(names_[index]);
    if (oracle == oracles.end()) return "a message about an unknown keyspace";
    const auto* state = const_cast<Engine&>(engine).find_keyspace(names_[index]);  // Only to read.
    if (state == nullptr) return "a message about a keyspace that the sender hasn't";
    const Version in_memory = disk != nullptr ? Version() : engine.persisted_version(*state);
    const Sender sender{engine,
                        disk,
                        names_[index],
                        strict ? &oracle->second : nullptr,
                        disk != nullptr ? disk->version(names_[index]) : in_memory,
                        just_made};
    return fn(keyspace, sender);
  };

  if (const auto* status = std::get_if<Status>(&message)) {
    return with(status->keyspace, status->definitions, [&](Keyspace& keyspace, const Sender& sender) {
      return inspect_status(*status, keyspace, sender);
    });
  }
  if (const auto* push = std::get_if<Push>(&message)) {
    ++counts.pushes;
    return with(push->keyspace, push->definitions, [&](Keyspace& keyspace, const Sender& sender) {
      return inspect_push(*push, keyspace, sender);
    });
  }
  if (const auto* want = std::get_if<Want>(&message)) {
    ++counts.wants;
    if (want->has_resume) ++counts.resumed;
    return with(want->keyspace, want->definitions, [&](Keyspace& keyspace, const Sender& sender) {
      return inspect_version(want->version, keyspace, sender, keyspace.status);
    });
  }
  if (const auto* chunk = std::get_if<Chunk>(&message)) {
    ++counts.chunks;
    if (chunk->closing) ++counts.closing;
    if (chunk->full) ++counts.full_chunks;
    if (chunk->new_round && chunk->number != 0) ++counts.new_rounds;
    counts.dead_rows += chunk->dead.size();
    return with(chunk->keyspace, chunk->definitions, [&](Keyspace& keyspace, const Sender& sender) {
      return inspect_chunk(*chunk, keyspace, sender);
    });
  }
  if (const auto* cut = std::get_if<Cut>(&message)) {
    // Others' disks it speaks of, too: Sim::Impl::check_stable() looks at what comes of it.
    return with(cut->keyspace, cut->definitions, [&](Keyspace& keyspace, const Sender&) -> Finding {
      for (const auto* version : {&cut->floor, &cut->floor_heard, &cut->met, &cut->heard})
        for (const IndexedDot& entry : *version)
          if (!resolve(keyspace.actors, entry)) return "a cut uses an actor that wasn't defined";
      return {};
    });
  }
  if (std::holds_alternative<Refuse>(message)) ++counts.refused;
  return {};
}

Finding FrameInspector::inspect_version(const std::vector<IndexedDot>& entries, const Keyspace& keyspace,
                                        const Sender& sender, Version& version) const {
  for (const IndexedDot& entry : entries) {
    const auto dot = resolve(keyspace.actors, entry);
    if (!dot) return "a version uses an actor that wasn't defined";
    version.raise(dot->actor, dot->counter);
    if (!sender.persisted.contains(*dot)) return "a version leaves before its disk has " + to_string(*dot);
  }
  return {};
}

Finding FrameInspector::inspect_status(const Status& status, Keyspace& keyspace, const Sender& sender) const {
  if (Finding finding = inspect_version(status.version, keyspace, sender, keyspace.status); !finding.empty())
    return finding;
  if (!status.has_digests) return {};
  if (status.rest)
    if (Finding finding = inspect_rest(*status.rest, keyspace, sender); !finding.empty()) return finding;
  const bool blind = keyspace.statement != 0 && !keyspace.rest;  // It took several frames.
  if (!sender.just_made || blind) return {};
  if (keyspace.status != part_of(sender.persisted, keyspace.named, true))
    return "digests of another version than the disk's";
  const Version others = part_of(sender.persisted, keyspace.named, false);
  if (keyspace.statement == 0 && !others.empty()) return "nothing tells of actors that have no name";
  if (keyspace.statement != 0 && part_of(*keyspace.rest, keyspace.named, false) != others)
    return "actors without a name have news";
  return inspect_digests(status.digests, sender);
}

Finding FrameInspector::inspect_rest(const Rest& rest, Keyspace& keyspace, const Sender& sender) const {
  const bool fresh = std::exchange(keyspace.statement, rest.statement) != rest.statement;
  if (fresh) keyspace.rest.reset();
  if (!sender.just_made) return {};
  const Version others = part_of(sender.persisted, keyspace.named, false);
  if (fresh) keyspace.rest = others;
  Digest sum;
  for (const auto& [actor, counter] : others.entries()) sum += hash_entry(actor, counter);
  return sum == rest.sum ? Finding() : "a rest that isn't the sum over those without a name";
}

Finding FrameInspector::inspect_digests(const DigestPair& digests, const Sender& sender) const {
  if (!sender.just_made || sender.disk == nullptr) return {};
  const KeyspaceHead* head = sender.disk->keyspace(sender.name);
  const DigestPair stored = head != nullptr ? head->digests : DigestPair{};
  return digests == stored ? Finding() : "digests that aren't those of the disk";
}

Finding FrameInspector::inspect_push(const Push& push, const Keyspace& keyspace, const Sender& sender) const {
  for (const ChangeView& change : push.changes) {
    for (std::size_t i = 0; i < change.rows.size(); ++i) {
      const RowView& row = change.rows[i];
      const auto dot = resolve(keyspace.actors, IndexedDot{change.actor, change.first + i});
      if (!dot) return "a change of an actor that wasn't defined";
      if (!sender.persisted.contains(*dot))
        return "change " + to_string(*dot) + " leaves before it is on disk";
      if (sender.oracle == nullptr) continue;
      std::vector<Dot> removed;
      for (const IndexedDot& gone : row.removed) {
        const auto resolved = resolve(keyspace.actors, gone);
        if (!resolved) return "a removed dot of an actor that wasn't defined";
        removed.push_back(*resolved);
      }
      if (Finding finding =
              sender.oracle->check_row(*dot, row.leaf, removed, row.has_payload, row.stamp, row.payload);
          !finding.empty())
        return finding;
    }
  }
  return {};
}

Finding FrameInspector::inspect_chunk(const Chunk& chunk, Keyspace& keyspace, const Sender& sender) const {
  if (chunk.number == 0) {
    keyspace.chunk = Version();
    keyspace.chunk_named = keyspace.named;
  }
  if (Finding finding = inspect_version(chunk.version, keyspace, sender, keyspace.chunk); !finding.empty())
    return finding;
  for (const auto& [actor, counter] : keyspace.chunk.entries()) keyspace.chunk_named.insert(actor);
  // The digests at the close hold the rest against what it should be.
  if (sender.just_made && keyspace.chunk != part_of(sender.persisted, keyspace.chunk_named, true))
    return "a chunk's version isn't that of the state it was read from";
  const auto* state = const_cast<Engine&>(sender.engine).find_keyspace(sender.name);  // Only to read.
  for (const LeafView& leaf : chunk.leaves) {
    Leaf sent;
    for (const IndexedLiveDot& live : leaf.dots) {
      const auto dot = resolve(keyspace.actors, live.dot);
      if (!dot) return "a live dot of an actor that wasn't defined";
      sent.push_back(LiveDot{*dot, Payload{live.stamp, std::string(live.payload)}});
    }
    for (const LiveDot& live : sent) {
      if (!sender.persisted.contains(live.dot)) return to_string(live.dot) + " leaves before it is on disk";
    }
    if (!sender.just_made) continue;
    Leaf stored;
    std::optional<std::string_view> value;
    if (sender.disk != nullptr) {
      value = sender.disk->leaf(sender.name, leaf.leaf);
    } else if (const auto found = sender.engine.find(*state, leaf.leaf)) {
      value = *found;
    }
    if (value) {
      sender.engine.for_each_live(*state, *value, [&](const LiveDotView& dot) {
        stored.push_back(LiveDot{dot.dot, Payload{dot.stamp, std::string(dot.bytes)}});
      });
    }
    const auto by_dot = [](const LiveDot& a, const LiveDot& b) { return a.dot < b.dot; };
    std::sort(sent.begin(), sent.end(), by_dot);
    std::sort(stored.begin(), stored.end(), by_dot);
    if (sent != stored) return "a chunk shows a leaf that isn't the disk's";
  }
  for (const RowName& name : chunk.dead) {
    const auto dot = resolve(keyspace.actors, name.dot);
    if (!dot) return "a dead row of an actor that wasn't defined";
    if (!sender.persisted.contains(*dot)) return "row " + to_string(*dot) + " leaves before it is on disk";
    if (sender.oracle == nullptr) continue;
    if (Finding finding = sender.oracle->check_row_name(*dot, name.leaf); !finding.empty()) return finding;
  }
  return chunk.closing ? inspect_digests(chunk.digests, sender) : Finding();
}

}  // namespace syncline::sim
