// What a store in a file holds besides its leaves, as it is opened.
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "store/record_sums.h"
#include "store/sqlite_store.h"

namespace syncline {

// What is read once: its pages aren't worth being kept.
Result<void> SqliteStore::pass_through(absl::FunctionRef<Result<void>()> read) {
  constexpr std::size_t passing_through = std::size_t{1} << 20;
  auto done = set_page_cache(std::min(passing_through, options_.page_cache_bytes));
  if (done) done = read();
  const auto restored = set_page_cache(options_.page_cache_bytes);
  return done ? restored : done;
}

Result<Head> SqliteStore::load() {
  Head head;
  const auto loaded = pass_through([&]() -> Result<void> {
    for (const auto load : {&SqliteStore::load_meta, &SqliteStore::load_keyspaces, &SqliteStore::load_actors,
                            &SqliteStore::load_quarantine, &SqliteStore::load_log_end,
                            &SqliteStore::load_staged, &SqliteStore::load_tokens})
      if (auto done = (this->*load)(head); !done) return done;
    return check_pages();
  });
  if (!loaded) return tl::unexpected(loaded.error());
  return head;
}

Result<void> SqliteStore::load_meta(Head& head) {
  auto rows = connection_.prepare("SELECT name, value FROM meta");
  if (!rows) return tl::unexpected(rows.error());
  const auto read = rows->each([&]() -> Result<void> {
    const std::string_view name = rows->bytes(0);
    if (name == "hlc") head.hlc = unsigned_of(rows->integer(1));
    if (name == "store") head.store_id = unsigned_of(rows->integer(1));
    if (name == "scrubbed") scrubbed_ = rows->integer(1);
    if (name == "cluster") head.cluster = std::string(rows->bytes(1));
    return {};
  });
  if (!read) return read;
  if (head.store_id != 0) return {};
  while (head.store_id == 0)
    if (getentropy(&head.store_id, sizeof head.store_id) != 0)
      return failure(Errc::unsupported, "the system has no random bits to give");
  return put_meta_.bind(Text{"store"}, signed_of(head.store_id)).run();
}

Result<void> SqliteStore::load_keyspaces(Head& head) {
  auto rows = connection_.prepare(
      "SELECT id, name, hlc, writer, leaves, context, state, checksum, frontier FROM keyspaces ORDER BY id");
  if (!rows) return tl::unexpected(rows.error());
  std::vector<std::pair<std::int64_t, std::int64_t>> unproven;  // Ids, and checksums without a writer.
  const auto read = rows->each([&]() -> Result<void> {
    const auto id = rows->integer(0);
    KeyspaceHead keyspace;
    keyspace.name = rows->bytes(1);
    const auto writer = rows->is_null(3) ? no_writer : rows->integer(3);
    keyspace.leaf_count = unsigned_of(rows->integer(4));
    const auto context = to_digest(rows->bytes(5));
    const auto state = to_digest(rows->bytes(6));
    const auto blob = rows->is_null(8) ? std::nullopt : std::optional(rows->bytes(8));
    const auto frontier = to_frontier(blob.value_or(std::string_view()));
    const auto sum_for = [&](std::int64_t written_by) {
      return head_checksum(id, rows->integer(2), written_by, rows->integer(4), keyspace.name, rows->bytes(5),
                           rows->bytes(6), blob);
    };
    if (!context || !state || !frontier || sum_for(writer) != rows->integer(7))
      return damaged("the head of a keyspace fails its checksum");
    keyspace.digests = {*context, *state};
    if (proven_ && writer != no_writer) keyspace.self = static_cast<std::uint32_t>(writer);
    keyspace.frontier = *frontier;
    if (!proven_ && writer != no_writer) unproven.emplace_back(id, sum_for(no_writer));
    head.hlc = std::max(head.hlc, unsigned_of(rows->integer(2)));
    keyspaces_[keyspace.name].id = id;
    next_keyspace_ = id + 1;
    head.keyspaces.push_back(std::move(keyspace));
    return {};
  });
  return read ? forget_writers(unproven) : read;
}

// Who can't be proven to go on must not be taken up by the next opening either,
// which this one's close will prove to continue this.
Result<void> SqliteStore::forget_writers(const std::vector<std::pair<std::int64_t, std::int64_t>>& heads) {
  if (heads.empty()) return {};
  auto forget = connection_.prepare("UPDATE keyspaces SET writer = NULL, checksum = ? WHERE id = ?");
  if (!forget) return tl::unexpected(forget.error());
  auto done = transact([&]() -> Result<void> {
    for (const auto& [id, checksum] : heads)
      if (auto forgotten = forget->bind(checksum, id).run(); !forgotten) return forgotten;
    return {};
  });
  // A full disk shall not keep a store from being opened; then nothing is proven by its close.
  seals_ = done.has_value();
  if (!done && done.error().code == Errc::disk_full) return {};
  return done;
}

// Null for a keyspace that isn't there: its records have lost their head.
KeyspaceHead* SqliteStore::head_of(Head& head, std::int64_t id) {
  const auto it = std::find_if(
      head.keyspaces.begin(), head.keyspaces.end(),
      [&](const KeyspaceHead& keyspace) { return keyspaces_.find(keyspace.name)->second.id == id; });
  return it == head.keyspaces.end() ? nullptr : &*it;
}

Result<void> SqliteStore::load_actors(Head& head) {
  auto rows = connection_.prepare(
      "SELECT keyspace, number, id, counter, checksum FROM actors ORDER BY keyspace, number");
  if (!rows) return tl::unexpected(rows.error());
  KeyspaceHead* keyspace = nullptr;
  std::int64_t at = 0;
  return rows->each([&]() -> Result<void> {
    if (keyspace == nullptr || rows->integer(0) != at) keyspace = head_of(head, at = rows->integer(0));
    const std::string_view id = rows->bytes(2);
    const bool good = keyspace != nullptr && id.size() == ActorId::size_bytes &&
                      rows->integer(1) == static_cast<std::int64_t>(keyspace->actors.size()) &&
                      rows->integer(4) == record_checksum(id, at, rows->integer(1), rows->integer(3));
    if (!good) return damaged("an actor fails its checksum");
    ActorId actor;
    std::memcpy(actor.bytes.data(), id.data(), id.size());
    if (const auto counter = unsigned_of(rows->integer(3)); counter != 0)
      keyspace->version.push_back({static_cast<std::uint32_t>(keyspace->actors.size()), counter});
    keyspace->actors.push_back(actor);
    keyspaces_.find(keyspace->name)->second.actors.push_back(actor);
    return {};
  });
}

// One that fails its own checksum is found anew once its leaf is read.
Result<void> SqliteStore::load_quarantine(Head& head) {
  auto rows = connection_.prepare("SELECT keyspace, leaf, checksum FROM quarantine");
  if (!rows) return tl::unexpected(rows.error());
  return rows->each([&]() -> Result<void> {
    const auto id = rows->integer(0);
    if (head_of(head, id) == nullptr || rows->integer(2) != record_checksum(rows->bytes(1), id)) return {};
    const auto at = quarantine_.try_emplace({id, std::string(rows->bytes(1))}).first;
    untold_.push_back(at->first);
    return {};
  });
}

// Reading the log takes longer than all else together, and to read and show what
// is here nobody needs it.
Result<void> SqliteStore::load_log_end(Head& head) {
  const auto last = connection_.integer("SELECT ifnull(max(number), 0) FROM log");
  if (!last) return tl::unexpected(last.error());
  loaded_log_ = next_log_ = std::max(next_log_, *last + 1);
  for (KeyspaceHead& keyspace : head.keyspaces) keyspace.log_later_max = unsigned_of(next_log_ - 1);
  return {};
}

Result<std::vector<KeyspaceLog>> SqliteStore::load_logs() {
  std::map<std::int64_t, Log> logs;
  for (const auto& [name, known] : keyspaces_) logs[known.id].entries.name = name;
  std::vector<std::int64_t> bad;
  auto done = pass_through([&] { return read_logs(logs, bad); });
  if (done) done = check_pages();
  if (done) done = forget_log(bad);
  if (!done) return tl::unexpected(done.error());
  std::vector<KeyspaceLog> loaded;
  for (auto& [id, log] : logs) {
    auto& known = keyspaces_.find(log.entries.name)->second.log;
    std::erase_if(known, [&](std::int64_t number) { return number < loaded_log_; });  // Of a call before.
    known.insert(known.begin(), log.numbers.begin(), log.numbers.end());
    loaded.push_back(std::move(log.entries));
  }
  return loaded;
}

// An entry that fails its checksum is left out: the log may have holes, which
// cost peers a full pass.
Result<void> SqliteStore::read_logs(std::map<std::int64_t, Log>& logs, std::vector<std::int64_t>& bad) {
  if (auto begun = begin_reading(); !begun) return begun;
  auto rows = connection_.prepare(
      "SELECT number, keyspace, actor, first, entry, checksum FROM log WHERE number < ? ORDER BY number");
  if (!rows) return tl::unexpected(rows.error());
  rows->bind(loaded_log_);
  return rows->each([&]() -> Result<void> {
    const auto number = rows->integer(0);
    const auto id = rows->integer(1);
    const auto log = logs.find(id);
    const std::string_view entry = rows->bytes(4);
    const auto checksum = record_checksum(entry, number, id, rows->integer(2), rows->integer(3));
    if (log == logs.end() || rows->integer(5) != checksum) {
      bad.push_back(number);
      return {};
    }
    log->second.entries.log.push_back(
        {static_cast<std::uint32_t>(rows->integer(2)), unsigned_of(rows->integer(3)), std::string(entry)});
    log->second.numbers.push_back(number);
    return {};
  });
}

Result<void> SqliteStore::forget_log(const std::vector<std::int64_t>& numbers) {
  if (numbers.empty() || stopped_) return {};
  const auto done = transact([&]() -> Result<void> {
    for (const auto number : numbers)
      if (auto cut = cut_log_.bind(number).run(); !cut) return cut;
    return {};
  });
  return !done && done.error().code == Errc::disk_full ? Result<void>()
                                                       : done;  // The next opening tries again.
}

// A pass of which a chunk fails its checksum begins anew.
Result<void> SqliteStore::load_staged(Head& head) {
  auto rows = connection_.prepare("SELECT keyspace, chunk, checksum FROM staged ORDER BY number");
  if (!rows) return tl::unexpected(rows.error());
  std::vector<std::int64_t> bad;
  const auto read = rows->each([&]() -> Result<void> {
    const auto id = rows->integer(0);
    KeyspaceHead* const keyspace = head_of(head, id);
    if (keyspace == nullptr || rows->integer(2) != record_checksum(rows->bytes(1), id)) {
      bad.push_back(id);
    } else {
      keyspace->staged.emplace_back(rows->bytes(1));
    }
    return {};
  });
  if (!read) return read;
  for (const auto id : bad) {
    if (KeyspaceHead* const keyspace = head_of(head, id)) keyspace->staged.clear();
    if (auto done = clear_staged_.bind(id).run(); !done) return done;
  }
  return {};
}

// One that fails its checksum is forgotten: its update may be done once more.
Result<void> SqliteStore::load_tokens(Head& head) {
  auto rows = connection_.prepare("SELECT number, keyspace, token, checksum FROM tokens ORDER BY number");
  if (!rows) return tl::unexpected(rows.error());
  return rows->each([&]() -> Result<void> {
    const auto number = rows->integer(0);
    next_token_ = std::max(next_token_, number + 1);
    if (rows->integer(3) == token_checksum(rows->bytes(1), rows->bytes(2), number))
      head.tokens.push_back({std::string(rows->bytes(1)), std::string(rows->bytes(2))});
    return {};
  });
}

}  // namespace syncline
