// How a record becomes rows.
#include <set>
#include <utility>

#include "fmt/format.h"
#include "store/record_sums.h"
#include "store/sqlite_store.h"

namespace syncline {

Result<void> SqliteStore::write(const Record& record) {
  if (record.cluster)
    if (auto done = put_meta_.bind(Text{"cluster"}, Text{*record.cluster}).run(); !done) return done;
  std::int64_t log_number = next_log_;
  std::int64_t keyspace_number = next_keyspace_;
  std::set<std::string_view> dropped;  // And perhaps made anew, in the same record.
  for (const KeyspaceRecord& part : record.keyspaces) {
    const auto found = keyspaces_.find(part.name);
    const bool known = found != keyspaces_.end() && !dropped.contains(part.name);
    Result<void> done;
    if (part.dropped) {
      dropped.insert(part.name);
      if (known) done = drop(part.name, found->second.id, record.hlc);
    } else if (known) {
      done = write_part(part, found->second, false, record.hlc, log_number);
    } else {
      done = write_part(part, Known{keyspace_number++, {}, {}}, true, record.hlc, log_number);
    }
    if (!done) return done;
  }
  return write_tokens(record.tokens);
}

// What a committed record changed of what is kept in memory; in step with write().
void SqliteStore::note(const Record& record) {
  for (const KeyspaceRecord& part : record.keyspaces) {
    if (part.dropped) {
      if (const auto known = keyspaces_.find(part.name); known != keyspaces_.end()) {
        std::erase_if(quarantine_, [&](const auto& one) { return one.first.first == known->second.id; });
        keyspaces_.erase(known);
      }
      continue;
    }
    Known& known = keyspaces_[part.name];
    if (known.id == 0) known.id = next_keyspace_++;
    for (const auto& [leaf, value] : part.leaves) {
      leaves_.update(known.id, leaf, value);
      mended_leaves_ += quarantine_.erase({known.id, leaf});
      if (value.empty())
        for (auto& [place, gap] : quarantine_)
          if (gap) gap->absent.emplace(known.id, leaf);
    }
    known.actors.insert(known.actors.end(), part.actors.begin(), part.actors.end());
    known.log.erase(known.log.begin(), known.log.begin() + static_cast<std::ptrdiff_t>(part.log_cut.size()));
    for (std::size_t i = 0; i < part.log.size(); ++i) known.log.push_back(next_log_++);
  }
  next_token_ += static_cast<std::int64_t>(record.tokens.size());
}

Result<void> SqliteStore::write_part(const KeyspaceRecord& part, const Known& known, bool fresh,
                                     std::uint64_t hlc, std::int64_t& log_number) {
  if (auto done = write_head(known.id, fresh, part, hlc); !done) return done;
  if (auto done = write_actors(known, part); !done) return done;
  if (auto done = write_leaves(known.id, part); !done) return done;
  if (auto done = write_log(known, part, log_number); !done) return done;
  return write_staged(known.id, part);
}

Result<void> SqliteStore::write_head(std::int64_t id, bool fresh, const KeyspaceRecord& part,
                                     std::uint64_t hlc) {
  const std::string context = to_blob(part.digests.context);
  const std::string state = to_blob(part.digests.state);
  const std::optional<std::string> frontier_blob = to_blob(part.frontier);
  const auto frontier = frontier_blob ? std::optional<std::string_view>(*frontier_blob) : std::nullopt;
  const std::optional<std::int64_t> writer =
      part.self ? std::optional<std::int64_t>(*part.self) : std::nullopt;
  const std::int64_t stamp = signed_of(hlc);
  const std::int64_t leaves = signed_of(part.leaf_count);
  const std::int64_t checksum =
      head_checksum(id, stamp, writer.value_or(no_writer), leaves, part.name, context, state, frontier);
  const std::string_view context_view = context;
  const std::string_view state_view = state;
  if (fresh)
    return put_keyspace_
        .bind(stamp, writer, leaves, context_view, state_view, frontier, checksum, id, Text{part.name})
        .run();
  return update_keyspace_.bind(stamp, writer, leaves, context_view, state_view, frontier, checksum, id).run();
}

Result<void> SqliteStore::write_leaves(std::int64_t id, const KeyspaceRecord& part) {
  for (const auto& [leaf, value] : part.leaves) {
    const std::string_view key = leaf;
    const std::string_view dots = value;
    auto done = value.empty() ? erase_leaf_.bind(id, key).run()
                              : put_leaf_.bind(id, key, dots, leaf_checksum(id, key, dots)).run();
    if (done && quarantine_.contains({id, leaf})) done = release_.bind(id, key).run();
    if (!done) return done;
  }
  return {};
}

Result<void> SqliteStore::write_actors(const Known& known, const KeyspaceRecord& part) {
  const auto put = [&](std::size_t number, const ActorId& actor, std::uint64_t counter) {
    const auto place = static_cast<std::int64_t>(number);
    const std::int64_t stored = signed_of(counter);
    return put_actor_
        .bind(known.id, place, actor.view(), stored, record_checksum(actor.view(), known.id, place, stored))
        .run();
  };
  const std::size_t before = known.actors.size();
  for (std::size_t i = 0; i < part.actors.size(); ++i)
    if (auto done = put(before + i, part.actors[i], 0); !done) return done;
  for (const IndexedDot& entry : part.version) {
    const ActorId& actor =
        entry.actor < before ? known.actors[entry.actor] : part.actors[entry.actor - before];
    if (auto done = put(entry.actor, actor, entry.counter); !done) return done;
  }
  return {};
}

Result<void> SqliteStore::write_log(const Known& known, const KeyspaceRecord& part, std::int64_t& number) {
  SYNCLINE_ASSERT(part.log_cut.size() <= known.log.size());
  for (std::size_t i = 0; i < part.log_cut.size(); ++i)  // Oldest first, as they were appended.
    if (auto done = cut_log_.bind(known.log[i]).run(); !done) return done;
  for (const LogRecord& entry : part.log) {
    const std::int64_t actor = entry.actor;
    const std::int64_t first = signed_of(entry.first);
    const std::string_view bytes = entry.bytes;
    const std::int64_t checksum = record_checksum(bytes, number, known.id, actor, first);
    if (auto done = append_log_.bind(number, known.id, actor, first, bytes, checksum).run(); !done)
      return done;
    ++number;
  }
  return {};
}

Result<void> SqliteStore::write_staged(std::int64_t id, const KeyspaceRecord& part) {
  if (part.staged_cleared)
    if (auto done = clear_staged_.bind(id).run(); !done) return done;
  for (const std::string& chunk : part.staged) {
    const std::string_view bytes = chunk;
    if (auto done = append_staged_.bind(id, bytes, record_checksum(bytes, id)).run(); !done) return done;
  }
  return {};
}

Result<void> SqliteStore::write_tokens(const std::vector<TokenRecord>& tokens) {
  if (tokens.empty()) return {};
  std::int64_t number = next_token_;
  for (const TokenRecord& one : tokens) {
    const std::string_view token = one.token;
    const auto checksum = token_checksum(one.keyspace, token, number);
    if (auto done = append_token_.bind(number, Text{one.keyspace}, token, checksum).run(); !done) return done;
    ++number;
  }
  return cut_tokens_.bind(number - 1 - std::int64_t{Record::tokens_max}).run();
}

Result<void> SqliteStore::drop(std::string_view name, std::int64_t id, std::uint64_t hlc) {
  // With the keyspace its timestamp goes: our clock shall not fall back for that.
  if (auto done = put_meta_.bind(Text{"hlc"}, signed_of(hlc)).run(); !done) return done;
  for (const char* table : {"leaves", "quarantine", "actors", "log", "staged"})
    if (auto done = connection_.execute(fmt::format("DELETE FROM {} WHERE keyspace = {}", table, id)); !done)
      return done;
  auto forget = connection_.prepare("DELETE FROM tokens WHERE keyspace = ?");
  if (!forget) return tl::unexpected(forget.error());
  if (auto done = forget->bind(Text{name}).run(); !done) return done;
  return connection_.execute(fmt::format("DELETE FROM keyspaces WHERE id = {}", id));
}

}  // namespace syncline
