#include "store/sqlite.h"

#include <cerrno>

namespace syncline {
namespace {

Errc code_of(sqlite3* db) {
  const int extended = sqlite3_extended_errcode(db);
  switch (extended & 0xff) {
    case SQLITE_FULL:
      return Errc::disk_full;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Errc::damaged;
    case SQLITE_IOERR:
      // A quota is a full disk to everyone but SQLite.
      if (extended == SQLITE_IOERR_WRITE && sqlite3_system_errno(db) == EDQUOT) return Errc::disk_full;
      break;
    default:
      break;
  }
  return Errc::storage;
}

}  // namespace

Error sqlite_error(sqlite3* db, std::string_view doing) {
  return Error{code_of(db), std::string(doing) + ": " + sqlite3_errmsg(db)};
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  Error error = sqlite_error(sqlite3_db_handle(statement_.get()), "the store");
  reset();
  return tl::unexpected(std::move(error));
}

Result<void> Statement::each(absl::FunctionRef<Result<void>()> visit) {
  for (;;) {
    const auto row = step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return {};
    if (auto done = visit(); !done) return done;
  }
}

Result<void> Statement::run() {
  for (;;) {
    const auto row = step();
    if (!row) return tl::unexpected(row.error());
    if (*row) continue;
    reset();
    return {};
  }
}

std::string_view Statement::bytes(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

void Statement::bind_one(int place, std::string_view value) {
  // Without data SQLite would bind NULL.
  const char* const data = value.empty() ? "" : value.data();
  sqlite3_bind_blob64(statement_.get(), place, data, value.size(), SQLITE_STATIC);
}

void Statement::bind_one(int place, Text value) {
  const char* const data = value.view.empty() ? "" : value.view.data();
  sqlite3_bind_text64(statement_.get(), place, data, value.view.size(), SQLITE_STATIC, SQLITE_UTF8);
}

Result<Connection> Connection::open(const std::string& path, const std::string& vfs) {
  sqlite3* db = nullptr;
  // The replica's lock is the only one that is needed.
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &db, flags, vfs.empty() ? nullptr : vfs.c_str());
  Connection opened(db);
  if (db == nullptr) return failure(Errc::storage, "the store: out of memory");
  if (code != SQLITE_OK) return tl::unexpected(sqlite_error(db, "opening " + path));
  return opened;
}

Result<void> Connection::execute(const std::string& sql) {
  if (sqlite3_exec(get(), sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return tl::unexpected(sqlite_error(get(), "the store"));
}

Result<Statement> Connection::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  Statement prepared(statement);
  if (code != SQLITE_OK) return tl::unexpected(sqlite_error(get(), "the store"));
  return prepared;
}

Result<std::int64_t> Connection::integer(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return tl::unexpected(statement.error());
  const auto row = statement->step();
  if (!row) return tl::unexpected(row.error());
  return *row ? statement->integer(0) : 0;
}

}  // namespace syncline
