// What a store in a file holds besides its leaves, as it is opened.
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "store/record_sums.h"
#include "store/sqlite_store.h"

namespace syncline {

Result<Head> SqliteStore::load() {
  Head head;
  // What is read here is read once: its pages aren't worth being kept.
  constexpr std::size_t passing_through = std::size_t{1} << 20;
  if (auto done = set_page_cache(std::min(passing_through, options_.page_cache_bytes)); !done)
    return tl::unexpected(done.error());
  for (const auto load : {&SqliteStore::load_meta, &SqliteStore::load_keyspaces, &SqliteStore::load_actors,
                          &SqliteStore::load_quarantine, &SqliteStore::load_log, &SqliteStore::load_staged,
                          &SqliteStore::load_tokens})
    if (auto done = (this->*load)(head); !done) return tl::unexpected(done.error());
  if (auto checked = check_pages(); !checked) return tl::unexpected(checked.error());
  if (auto done = set_page_cache(options_.page_cache_bytes); !done) return tl::unexpected(done.error());
  return head;
}

Result<void> SqliteStore::load_meta(Head& head) {
  auto rows = connection_.prepare("SELECT name, value FROM meta");
  if (!rows) return tl::unexpected(rows.error());
  for (;;) {
    const auto row = rows->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) break;
    const std::string_view name = rows->bytes(0);
    if (name == "hlc") head.hlc = unsigned_of(rows->integer(1));
    if (name == "store") head.store_id = unsigned_of(rows->integer(1));
    if (name == "scrubbed") scrubbed_ = rows->integer(1);
    if (name == "cluster") head.cluster = std::string(rows->bytes(1));
  }
  if (head.store_id != 0) return {};
  while (head.store_id == 0)
    if (getentropy(&head.store_id, sizeof head.store_id) != 0)
      return failure(Errc::unsupported, "the system has no random bits to give");
  return put_meta_.bind(Text{"store"}, signed_of(head.store_id)).run();
}

Result<void> SqliteStore::load_keyspaces(Head& head) {
  auto rows = connection_.prepare(
      "SELECT id, name, hlc, writer, leaves, context, state, checksum FROM keyspaces ORDER BY id");
  if (!rows) return tl::unexpected(rows.error());
  std::vector<std::pair<std::int64_t, std::int64_t>> unproven;  // Ids, and checksums without a writer.
  for (;;) {
    const auto row = rows->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return forget_writers(unproven);
    const auto id = rows->integer(0);
    KeyspaceHead keyspace;
    keyspace.name = rows->bytes(1);
    const auto writer = rows->is_null(3) ? no_writer : rows->integer(3);
    keyspace.leaf_count = unsigned_of(rows->integer(4));
    const auto context = to_digest(rows->bytes(5));
    const auto state = to_digest(rows->bytes(6));
    const auto checksum = head_checksum(id, rows->integer(2), writer, rows->integer(4), keyspace.name,
                                        rows->bytes(5), rows->bytes(6));
    if (!context || !state || checksum != rows->integer(7))
      return damaged("the head of a keyspace fails its checksum");
    keyspace.digests = {*context, *state};
    if (proven_ && writer != no_writer) keyspace.self = static_cast<std::uint32_t>(writer);
    if (!proven_ && writer != no_writer)
      unproven.emplace_back(id, head_checksum(id, rows->integer(2), no_writer, rows->integer(4),
                                              keyspace.name, rows->bytes(5), rows->bytes(6)));
    head.hlc = std::max(head.hlc, unsigned_of(rows->integer(2)));
    keyspaces_[keyspace.name].id = id;
    next_keyspace_ = id + 1;
    head.keyspaces.push_back(std::move(keyspace));
  }
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
  for (std::int64_t at = 0;;) {
    const auto row = rows->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return {};
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
  }
}

// One that fails its own checksum is found anew once its leaf is read.
Result<void> SqliteStore::load_quarantine(Head& head) {
  auto rows = connection_.prepare("SELECT keyspace, leaf, checksum FROM quarantine");
  if (!rows) return tl::unexpected(rows.error());
  for (;;) {
    const auto row = rows->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return {};
    const auto id = rows->integer(0);
    if (head_of(head, id) == nullptr || rows->integer(2) != record_checksum(rows->bytes(1), id)) continue;
    const auto at = quarantine_.try_emplace({id, std::string(rows->bytes(1))}).first;
    untold_.push_back(at->first);
  }
}

// An entry that fails its checksum is left out: the log may have holes, which
// cost peers a full pass.
Result<void> SqliteStore::load_log(Head& head) {
  auto rows =
      connection_.prepare("SELECT number, keyspace, actor, first, entry, checksum FROM log ORDER BY number");
  if (!rows) return tl::unexpected(rows.error());
  std::vector<std::int64_t> bad;
  KeyspaceHead* keyspace = nullptr;
  for (std::int64_t at = 0;;) {
    const auto row = rows->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) break;
    const auto number = rows->integer(0);
    if (keyspace == nullptr || rows->integer(1) != at) keyspace = head_of(head, at = rows->integer(1));
    const std::string_view entry = rows->bytes(4);
    next_log_ = std::max(next_log_, number + 1);
    if (keyspace == nullptr ||
        rows->integer(5) != record_checksum(entry, number, at, rows->integer(2), rows->integer(3))) {
      bad.push_back(number);
      continue;
    }
    keyspace->log.push_back(
        {static_cast<std::uint32_t>(rows->integer(2)), unsigned_of(rows->integer(3)), std::string(entry)});
    keyspaces_.find(keyspace->name)->second.log.push_back(number);
  }
  for (const auto number : bad)
    if (auto done = cut_log_.bind(number).run(); !done) return done;
  return {};
}

// A pass of which a chunk fails its checksum begins anew.
Result<void> SqliteStore::load_staged(Head& head) {
  auto rows = connection_.prepare("SELECT keyspace, chunk, checksum FROM staged ORDER BY number");
  if (!rows) return tl::unexpected(rows.error());
  std::vector<std::int64_t> bad;
  for (;;) {
    const auto row = rows->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) break;
    const auto id = rows->integer(0);
    KeyspaceHead* const keyspace = head_of(head, id);
    if (keyspace == nullptr || rows->integer(2) != record_checksum(rows->bytes(1), id)) {
      bad.push_back(id);
    } else {
      keyspace->staged.emplace_back(rows->bytes(1));
    }
  }
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
  for (;;) {
    const auto row = rows->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return {};
    const auto number = rows->integer(0);
    next_token_ = std::max(next_token_, number + 1);
    if (rows->integer(3) == token_checksum(rows->bytes(1), rows->bytes(2), number))
      head.tokens.push_back({std::string(rows->bytes(1)), std::string(rows->bytes(2))});
  }
}

}  // namespace syncline
