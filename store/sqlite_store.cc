#include "store/sqlite_store.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "store/record_sums.h"
#include "store/sqlite_schema.h"

namespace syncline {
namespace {

constexpr std::string_view held_by = "open by ";

// Who holds the file that we may not have, as far as its side file tells.
Error busy(const SqliteStoreOptions& options) {
  std::string held = SideFile(options.path + "-id").text().value_or("");
  while (held.ends_with('\n')) held.pop_back();
  if (!held.starts_with(held_by)) held = std::string(held_by) + "another process";
  return Error{Errc::storage, fmt::format("{} is in use: {}", options.path, held)};
}

Result<void> make_tables(Connection& connection) {
  return connection.execute(fmt::format(
      "BEGIN IMMEDIATE; {} {} {} PRAGMA application_id={}; PRAGMA user_version={}; COMMIT", store_schema,
      store_schema_since_1, store_schema_since_2, store_application_id, store_format));
}

Result<void> migrate(Connection& connection, std::int64_t format) {
  auto done = connection.execute(fmt::format("BEGIN IMMEDIATE; {} {} PRAGMA user_version={}; COMMIT",
                                             format < 2 ? store_schema_since_1 : "", store_schema_since_2,
                                             store_format));
  if (!done && sqlite3_get_autocommit(connection.get()) == 0)
    static_cast<void>(connection.execute("ROLLBACK"));
  return done;
}

// Makes the tables of a new file, brings older ones up to date; refuses a file that isn't ours.
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
  return *format == store_format ? Result<void>() : migrate(connection, *format);
}

Result<void> set_up(Connection& connection, const SqliteStoreOptions& options) {
  int reserved = CheckedFiles::checksum_bytes;
  sqlite3_file_control(connection.get(), "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
  const std::string pragmas = fmt::format(
      "PRAGMA locking_mode=EXCLUSIVE; PRAGMA mmap_size=0; PRAGMA cell_size_check=ON; PRAGMA "
      "temp_store=MEMORY;"
      "PRAGMA trusted_schema=OFF; PRAGMA journal_mode=WAL; PRAGMA "
      "wal_autocheckpoint=0;"
      "PRAGMA journal_size_limit={}; PRAGMA synchronous={}",
      options.checkpoint_pages * 4096, options.relaxed ? "NORMAL" : "FULL");
  if (auto done = connection.execute(pragmas); !done) return done;
  return check_format(connection, options.path);
}

}  // namespace

// ---- opening ----

SqliteStore::SqliteStore(SqliteStoreOptions options, std::unique_ptr<CheckedFiles> files,
                         Connection connection)
    : options_(std::move(options)),
      files_(std::move(files)),
      connection_(std::move(connection)),
      leaves_(options_.leaf_cache_bytes) {
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

Result<void> SqliteStore::set_page_cache(std::size_t bytes) {
  return connection_.execute(fmt::format("PRAGMA cache_size=-{}", std::max<std::size_t>(bytes / 1024, 64)));
}

int SqliteStore::count_log_pages(void* store, sqlite3*, const char*, int pages) {
  static_cast<SqliteStore*>(store)->log_pages_ = pages;
  return SQLITE_OK;
}

Result<void> SqliteStore::prepare() {
  const std::pair<Statement*, const char*> statements[] = {
      {&begin_, "BEGIN IMMEDIATE"},
      {&begin_reading_, "BEGIN"},
      {&commit_, "COMMIT"},
      {&put_meta_, "INSERT OR REPLACE INTO meta VALUES (?, ?)"},
      {&put_leaf_, "INSERT OR REPLACE INTO leaves VALUES (?, ?, ?, ?)"},
      {&erase_leaf_, "DELETE FROM leaves WHERE keyspace = ? AND leaf = ?"},
      {&find_leaf_, "SELECT value, checksum FROM leaves WHERE keyspace = ? AND leaf = ?"},
      {&put_keyspace_,
       "INSERT INTO keyspaces (hlc, writer, leaves, context, state, frontier, checksum, id, name)"
       " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"},
      {&update_keyspace_,
       "UPDATE keyspaces SET hlc = ?, writer = ?, leaves = ?, context = ?, state = ?, frontier = ?, checksum "
       "= ?"
       " WHERE id = ?"},
      {&put_actor_, "INSERT OR REPLACE INTO actors VALUES (?, ?, ?, ?, ?)"},
      {&put_quarantined_, "INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?)"},
      {&release_, "DELETE FROM quarantine WHERE keyspace = ? AND leaf = ?"},
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

// ---- closing ----

SqliteStore::~SqliteStore() = default;

Result<void> SqliteStore::close() {
  if (stopped_) return tl::unexpected(*stopped_);
  if (auto ended = end_reading(); !ended) return ended;
  if (options_.relaxed)
    if (auto done = connection_.execute("PRAGMA synchronous=FULL"); !done) return done;
  if (pages_checked_ > 0)
    if (auto done = put_meta_.bind(Text{"scrubbed"}, scrubbed_).run(); !done) return done;
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

// ---- writing ----

Result<void> SqliteStore::transact(absl::FunctionRef<Result<void>()> write) {
  Result<void> done = end_reading();
  if (done) done = begin_.bind().run();
  if (done) done = write();
  if (done) done = check_pages();
  if (done) done = save_quarantine();
  if (done) done = commit_.bind().run();
  if (done) unsaved_.clear();
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
  if (auto ended = end_reading(); !ended) return ended;
  if (sqlite3_wal_checkpoint_v2(connection_.get(), nullptr, mode, nullptr, nullptr) == SQLITE_OK) return {};
  return tl::unexpected(sqlite_error(connection_.get(), "folding in the write-ahead log"));
}

}  // namespace syncline
