#include "store/sqlite_store.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <utility>

#include "fmt/format.h"
#include "store/sqlite_schema.h"
#include "sync/digest.h"

namespace syncline {
namespace {

// ---- checksums: of each record, made by the writer ----

std::int64_t shortened(std::uint64_t hash) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(hash));
}

std::int64_t leaf_checksum(std::int64_t keyspace, std::string_view leaf, std::string_view value) {
  return shortened(hash_bytes(value, hash_bytes(leaf, static_cast<std::uint64_t>(keyspace))));
}

// Of a few numbers and some bytes.
template <class... Numbers>
std::int64_t record_checksum(std::string_view bytes, Numbers... numbers) {
  const std::array<std::int64_t, sizeof...(numbers)> words{static_cast<std::int64_t>(numbers)...};
  const std::string_view view(reinterpret_cast<const char*>(words.data()), sizeof words);
  return shortened(hash_bytes(bytes, hash_bytes(view, sizeof...(numbers))));
}

constexpr std::int64_t no_writer = -1;
constexpr std::string_view held_by = "open by ";

std::int64_t head_checksum(std::int64_t id, std::int64_t hlc, std::int64_t writer, std::int64_t leaves,
                           std::string_view name, std::string_view context, std::string_view state) {
  const auto digests = hash_bytes(context, hash_bytes(state, 1));
  return record_checksum(name, id, hlc, writer, leaves, digests);
}

std::int64_t token_checksum(std::string_view keyspace, std::string_view token, std::int64_t number) {
  return record_checksum(token, number, hash_bytes(keyspace, 1));
}

std::string to_blob(const Digest& digest) {
  std::string blob;
  for (const std::uint64_t word : {digest.low, digest.high})
    for (int shift = 0; shift < 64; shift += 8) blob.push_back(static_cast<char>(word >> shift));
  return blob;
}

std::optional<Digest> to_digest(std::string_view blob) {
  if (blob.size() != 16) return std::nullopt;
  Digest digest;
  for (std::size_t i = 0; i < 16; ++i) {
    auto& word = i < 8 ? digest.low : digest.high;
    word |= std::uint64_t{static_cast<std::uint8_t>(blob[i])} << (8 * (i % 8));
  }
  return digest;
}

tl::unexpected<Error> damaged(std::string detail) { return failure(Errc::damaged, std::move(detail)); }

std::int64_t signed_of(std::uint64_t number) { return static_cast<std::int64_t>(number); }
std::uint64_t unsigned_of(std::int64_t number) { return static_cast<std::uint64_t>(number); }

// Who holds the file that we may not have, as far as its side file tells.
Error busy(const SqliteStoreOptions& options) {
  std::string held = SideFile(options.path + "-id").text().value_or("");
  while (held.ends_with('\n')) held.pop_back();
  if (!held.starts_with(held_by)) held = std::string(held_by) + "another process";
  return Error{Errc::storage, fmt::format("{} is in use: {}", options.path, held)};
}

Result<void> make_tables(Connection& connection) {
  return connection.execute(
      fmt::format("BEGIN IMMEDIATE; {} PRAGMA application_id={}; PRAGMA user_version={}; COMMIT",
                  store_schema, store_application_id, store_format));
}

// Makes the tables of a new file; refuses a file that isn't ours.
Result<void> check_format(Connection& connection, const std::string& path) {
  const auto id = connection.integer("PRAGMA application_id");
  const auto format = connection.integer("PRAGMA user_version");
  const auto tables = connection.integer("SELECT count(*) FROM sqlite_schema");
  for (const auto& answer : {&id, &format, &tables})
    if (!*answer) return tl::unexpected(answer->error());
  if (*id == 0 && *tables == 0) return make_tables(connection);
  if (*id != store_application_id) return failure(Errc::storage, path + " isn't a Syncline store");
  if (*format > store_format)
    return failure(Errc::unsupported,
                   fmt::format("{} has format {}; this version reads up to {}", path, *format, store_format));
  return {};
}

Result<void> set_up(Connection& connection, const SqliteStoreOptions& options) {
  int reserved = CheckedFiles::checksum_bytes;
  sqlite3_file_control(connection.get(), "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
  const std::string pragmas = fmt::format(
      "PRAGMA locking_mode=EXCLUSIVE; PRAGMA mmap_size=0; PRAGMA cell_size_check=ON; PRAGMA "
      "temp_store=MEMORY;"
      "PRAGMA trusted_schema=OFF; PRAGMA cache_size=-{}; PRAGMA journal_mode=WAL; PRAGMA "
      "wal_autocheckpoint=0;"
      "PRAGMA journal_size_limit={}; PRAGMA synchronous={}",
      std::max<std::size_t>(options.cache_bytes / 1024, 64), options.checkpoint_pages * 4096,
      options.relaxed ? "NORMAL" : "FULL");
  if (auto done = connection.execute(pragmas); !done) return done;
  return check_format(connection, options.path);
}

}  // namespace

// ---- opening ----

SqliteStore::SqliteStore(SqliteStoreOptions options, std::unique_ptr<CheckedFiles> files,
                         Connection connection)
    : options_(std::move(options)), files_(std::move(files)), connection_(std::move(connection)) {
  if (options_.side_file) side_file_.emplace(options_.path + "-id");
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(SqliteStoreOptions options) {
  if (options.path == ":memory:") options.side_file = false;
  auto files = std::make_unique<CheckedFiles>(options.vfs);
  auto connection = Connection::open(options.path, files->vfs());
  if (!connection) return tl::unexpected(connection.error());
  if (auto done = set_up(*connection, options); !done) {
    const int code = sqlite3_errcode(connection->get()) & 0xff;
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED) return tl::unexpected(busy(options));
    return tl::unexpected(done.error());
  }
  std::unique_ptr<SqliteStore> store(
      new SqliteStore(std::move(options), std::move(files), std::move(*connection)));
  if (auto done = store->prepare(); !done) return tl::unexpected(done.error());
  sqlite3_wal_hook(store->connection_.get(), &SqliteStore::count_log_pages, store.get());
  auto proven = store->begin_holding();
  if (!proven) return tl::unexpected(proven.error());
  store->proven_ = *proven;
  return store;
}

int SqliteStore::count_log_pages(void* store, sqlite3*, const char*, int pages) {
  static_cast<SqliteStore*>(store)->log_pages_ = pages;
  return SQLITE_OK;
}

Result<void> SqliteStore::prepare() {
  const std::pair<Statement*, const char*> statements[] = {
      {&begin_, "BEGIN IMMEDIATE"},
      {&commit_, "COMMIT"},
      {&put_meta_, "INSERT OR REPLACE INTO meta VALUES (?, ?)"},
      {&put_leaf_, "INSERT OR REPLACE INTO leaves VALUES (?, ?, ?, ?)"},
      {&erase_leaf_, "DELETE FROM leaves WHERE keyspace = ? AND leaf = ?"},
      {&find_leaf_, "SELECT value, checksum FROM leaves WHERE keyspace = ? AND leaf = ?"},
      {&put_keyspace_,
       "INSERT INTO keyspaces (hlc, writer, leaves, context, state, checksum, id, name)"
       " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"},
      {&update_keyspace_,
       "UPDATE keyspaces SET hlc = ?, writer = ?, leaves = ?, context = ?, state = ?, checksum = ?"
       " WHERE id = ?"},
      {&put_actor_, "INSERT OR REPLACE INTO actors VALUES (?, ?, ?, ?, ?)"},
      {&append_log_, "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)"},
      {&cut_log_, "DELETE FROM log WHERE number = ?"},
      {&append_staged_, "INSERT INTO staged (keyspace, chunk, checksum) VALUES (?, ?, ?)"},
      {&clear_staged_, "DELETE FROM staged WHERE keyspace = ?"},
      {&append_token_, "INSERT INTO tokens VALUES (?, ?, ?, ?)"},
      {&cut_tokens_, "DELETE FROM tokens WHERE number <= ?"},
  };
  for (const auto& [statement, sql] : statements) {
    auto prepared = connection_.prepare(sql);
    if (!prepared) return tl::unexpected(prepared.error());
    *statement = std::move(*prepared);
  }
  return {};
}

// Whether the file is as the last close() left it; from now on no copy of it is.
Result<bool> SqliteStore::begin_holding() {
  if (!side_file_) return false;
  auto sealed = connection_.prepare("SELECT value FROM meta WHERE name = 'seal'");
  if (!sealed) return tl::unexpected(sealed.error());
  const auto row = sealed->step();
  if (!row) return tl::unexpected(row.error());
  const auto seal = side_file_->seal();
  const bool proven = *row && seal && sealed->bytes(0) == *seal;
  sealed->reset();
  if (auto done = side_file_->remove(); !done) return tl::unexpected(done.error());
  // Only for who comes second: a full disk shall not keep a store from being opened.
  static_cast<void>(side_file_->write(fmt::format("{}{}\n", held_by, holder())));
  return proven;
}

Result<Head> SqliteStore::load() {
  Head head;
  for (const auto load : {&SqliteStore::load_meta, &SqliteStore::load_keyspaces, &SqliteStore::load_actors,
                          &SqliteStore::load_log, &SqliteStore::load_staged, &SqliteStore::load_tokens})
    if (auto done = (this->*load)(head); !done) return tl::unexpected(done.error());
  if (auto checked = check_pages(); !checked) return tl::unexpected(checked.error());
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

// ---- closing ----

SqliteStore::~SqliteStore() = default;

Result<void> SqliteStore::close() {
  if (stopped_) return tl::unexpected(*stopped_);
  if (options_.relaxed)
    if (auto done = connection_.execute("PRAGMA synchronous=FULL"); !done) return done;
  if (side_file_ && seals_) {
    std::uint64_t drawn = 0;
    if (getentropy(&drawn, sizeof drawn) != 0)
      return failure(Errc::unsupported, "the system has no random bits to give");
    if (auto done = side_file_->write(fmt::format("closed: {:016x}\n", drawn)); !done) return done;
    if (const auto seal = side_file_->seal())
      if (auto done = put_meta_.bind(Text{"seal"}, Text{*seal}).run(); !done) return done;
  }
  return checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
}

Result<void> SqliteStore::forget_identity() {
  const auto head = load();
  if (!head) return tl::unexpected(head.error());
  auto done = transact([&]() -> Result<void> {
    for (const KeyspaceHead& keyspace : head->keyspaces) {
      KeyspaceRecord part;
      part.name = keyspace.name;
      part.digests = keyspace.digests;
      part.leaf_count = keyspace.leaf_count;
      const std::int64_t id = keyspaces_.find(keyspace.name)->second.id;
      if (auto written = write_head(id, false, part, head->hlc); !written) return written;
    }
    return connection_.execute("DELETE FROM meta WHERE name IN ('store', 'seal')");
  });
  return done ? checkpoint(SQLITE_CHECKPOINT_TRUNCATE) : done;
}

// ---- copying ----

Result<std::unique_ptr<SqliteBackup>> SqliteBackup::begin(std::shared_ptr<SqliteStore> store,
                                                          std::string path) {
  if (::access(path.c_str(), F_OK) == 0)
    return failure(Errc::invalid_argument, path + " is there already: a backup overwrites nothing");
  std::unique_ptr<SqliteBackup> backup(new SqliteBackup(std::move(store), std::move(path)));
  ::unlink(backup->unfinished().c_str());  // Of a backup that was cut short.
  backup->files_ = std::make_unique<CheckedFiles>(backup->store_->options_.vfs);
  auto to = Connection::open(backup->unfinished(), backup->files_->vfs());
  if (!to) return tl::unexpected(to.error());
  backup->to_ = std::move(*to);
  backup->copy_ = sqlite3_backup_init(backup->to_->get(), "main", backup->store_->connection_.get(), "main");
  if (backup->copy_ == nullptr) return tl::unexpected(sqlite_error(backup->to_->get(), "the backup"));
  return backup;
}

SqliteBackup::~SqliteBackup() {
  if (copy_ == nullptr) return;
  sqlite3_backup_finish(copy_);
  to_.reset();
  ::unlink(unfinished().c_str());
}

Result<bool> SqliteBackup::step() {
  constexpr int pages = 256;
  const int code = sqlite3_backup_step(copy_, pages);
  if (auto checked = store_->check_pages(); !checked) return tl::unexpected(checked.error());
  if (code == SQLITE_OK) return true;
  const bool done = code == SQLITE_DONE && sqlite3_backup_finish(std::exchange(copy_, nullptr)) == SQLITE_OK;
  if (!done) return tl::unexpected(sqlite_error(to_->get(), "the backup"));
  to_.reset();
  return false;
}

Result<void> SqliteBackup::finish() {
  {
    auto copied = SqliteStore::open({.path = unfinished(), .vfs = store_->options_.vfs, .side_file = false});
    if (!copied) return tl::unexpected(copied.error());
    if (auto done = (*copied)->forget_identity(); !done) return done;
  }
  return rename_synced(unfinished(), path_);
}

// ---- reading ----

Result<std::optional<std::string_view>> SqliteStore::find(std::string_view keyspace, std::string_view leaf) {
  const auto known = keyspaces_.find(keyspace);
  if (known == keyspaces_.end()) return std::nullopt;
  const std::int64_t id = known->second.id;
  const auto row = find_leaf_.bind(id, leaf).step();
  if (!row) return tl::unexpected(row.error());
  if (!*row) {
    find_leaf_.reset();
    if (auto checked = check_pages(); !checked) return tl::unexpected(checked.error());
    return std::nullopt;
  }
  found_ = find_leaf_.bytes(0);
  const bool good = find_leaf_.integer(1) == leaf_checksum(id, leaf, found_);
  find_leaf_.reset();
  if (!good) return damaged("a stored leaf fails its checksum");
  return found_;
}

// Nothing may be taken for absent, and nothing be written, once a page failed.
Result<void> SqliteStore::check_pages() const {
  if (files_->damaged_pages() == 0) return {};
  return damaged("a page of the store fails its checksum: what is missing there can't be told");
}

Result<void> SqliteStore::scan(std::string_view keyspace, std::string_view from,
                               absl::FunctionRef<bool(std::string_view leaf, std::string_view value)> visit) {
  const auto known = keyspaces_.find(keyspace);
  if (known == keyspaces_.end()) return {};
  const std::int64_t id = known->second.id;
  // One of its own: a visitor may read, too.
  auto rows = connection_.prepare(
      "SELECT leaf, value, checksum FROM leaves WHERE keyspace = ? AND leaf >= ? ORDER BY leaf");
  if (!rows) return tl::unexpected(rows.error());
  rows->bind(id, from);
  for (;;) {
    const auto row = rows->step();
    if (!row) return tl::unexpected(row.error());
    if (auto checked = check_pages(); !checked || !*row) return checked;
    if (rows->integer(2) != leaf_checksum(id, rows->bytes(0), rows->bytes(1)))
      return damaged("a stored leaf fails its checksum");
    if (!visit(rows->bytes(0), rows->bytes(1))) return {};
  }
}

// ---- writing ----

Result<void> SqliteStore::transact(absl::FunctionRef<Result<void>()> write) {
  Result<void> done = begin_.bind().run();
  if (done) done = write();
  if (done) done = check_pages();
  if (done) done = commit_.bind().run();
  if (!done && sqlite3_get_autocommit(connection_.get()) == 0)
    static_cast<void>(connection_.execute("ROLLBACK"));
  return done;
}

Result<void> SqliteStore::commit(const Record& record) {
  if (stopped_) return tl::unexpected(*stopped_);
  const auto write_it = [&] { return write(record); };
  Result<void> done = transact(write_it);
  if (!done && done.error().code == Errc::disk_full && make_room()) done = transact(write_it);
  if (done) {
    note(record);
    checkpoint_if_due();
  } else if (done.error().code == Errc::disk_full) {
    full_ = true;
  } else {
    stop(done.error());
  }
  return done;
}

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
      if (const auto known = keyspaces_.find(part.name); known != keyspaces_.end()) keyspaces_.erase(known);
      continue;
    }
    Known& known = keyspaces_[part.name];
    if (known.id == 0) known.id = next_keyspace_++;
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
  const std::optional<std::int64_t> writer =
      part.self ? std::optional<std::int64_t>(*part.self) : std::nullopt;
  const std::int64_t stamp = signed_of(hlc);
  const std::int64_t leaves = signed_of(part.leaf_count);
  const std::int64_t checksum =
      head_checksum(id, stamp, writer.value_or(no_writer), leaves, part.name, context, state);
  const std::string_view context_view = context;
  const std::string_view state_view = state;
  if (fresh)
    return put_keyspace_.bind(stamp, writer, leaves, context_view, state_view, checksum, id, Text{part.name})
        .run();
  return update_keyspace_.bind(stamp, writer, leaves, context_view, state_view, checksum, id).run();
}

Result<void> SqliteStore::write_leaves(std::int64_t id, const KeyspaceRecord& part) {
  for (const auto& [leaf, value] : part.leaves) {
    const std::string_view key = leaf;
    const std::string_view dots = value;
    auto done = value.empty() ? erase_leaf_.bind(id, key).run()
                              : put_leaf_.bind(id, key, dots, leaf_checksum(id, key, dots)).run();
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
  for (const char* table : {"leaves", "actors", "log", "staged"})
    if (auto done = connection_.execute(fmt::format("DELETE FROM {} WHERE keyspace = {}", table, id)); !done)
      return done;
  auto forget = connection_.prepare("DELETE FROM tokens WHERE keyspace = ?");
  if (!forget) return tl::unexpected(forget.error());
  if (auto done = forget->bind(Text{name}).run(); !done) return done;
  return connection_.execute(fmt::format("DELETE FROM keyspaces WHERE id = {}", id));
}

// ---- when the disk is full, or fails ----

bool SqliteStore::ready() {
  if (stopped_) return false;
  if (!full_) return true;
  // Another value each time: SQLite writes no page that doesn't change.
  const auto try_it = [this] { return put_meta_.bind(Text{"tried"}, ++tried_).run(); };
  const auto done = transact(try_it);
  if (!done && done.error().code != Errc::disk_full) stop(done.error());
  if (done) full_ = false;
  return done.has_value();
}

// After a failure nobody knows what of the write-ahead log is on the disk. What
// was acknowledged is; the rest is for the next opener to find out.
void SqliteStore::stop(const Error& error) {
  stopped_ = error;
  stopped_->detail = "stopped until it is opened anew, for it failed: " + error.detail;
  sqlite3_db_config(connection_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

// Folds the write-ahead log in, so that its room is free for what comes.
bool SqliteStore::make_room() { return checkpoint(SQLITE_CHECKPOINT_TRUNCATE).has_value(); }

void SqliteStore::checkpoint_if_due() {
  if (log_pages_ < options_.checkpoint_pages) return;
  const auto done = checkpoint(SQLITE_CHECKPOINT_PASSIVE);
  // A full disk leaves all in the log, to be tried again.
  if (!done && done.error().code != Errc::disk_full) stop(done.error());
}

Result<void> SqliteStore::checkpoint(int mode) {
  if (sqlite3_wal_checkpoint_v2(connection_.get(), nullptr, mode, nullptr, nullptr) == SQLITE_OK) return {};
  return tl::unexpected(sqlite_error(connection_.get(), "folding in the write-ahead log"));
}

}  // namespace syncline
