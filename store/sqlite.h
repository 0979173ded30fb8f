// SQLite with our kind of errors and ownership. Internal to store/.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "crdt/error.h"

namespace syncline {

// What SQLite's last call on `db` failed with: `disk_full`, `damaged` or `storage`.
Error sqlite_error(sqlite3* db, std::string_view doing);

// A value to be bound as TEXT; views are bound as blobs.
struct Text {
  std::string_view view;
};

// A prepared statement, which outlives no connection. Parameters are bound by
// place and must live until the statement was run.
class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  template <class... Values>
  Statement& bind(const Values&... values) {
    sqlite3_reset(statement_.get());
    int place = 0;
    (bind_one(++place, values), ...);
    return *this;
  }
  // Whether there is a row; its columns live until the next call.
  Result<bool> step();
  // Calls visit() at each row that is left, until one fails.
  Result<void> each(absl::FunctionRef<Result<void>()> visit);
  // Runs to the end, and resets.
  Result<void> run();
  void reset() { sqlite3_reset(statement_.get()); }

  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  bool is_null(int column) const { return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL; }
  std::string_view bytes(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  void bind_one(int place, std::int64_t value) { sqlite3_bind_int64(statement_.get(), place, value); }
  void bind_one(int place, std::string_view value);
  void bind_one(int place, Text value);
  template <class Value>
  void bind_one(int place, const std::optional<Value>& value) {
    value ? bind_one(place, *value) : static_cast<void>(sqlite3_bind_null(statement_.get(), place));
  }

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Connection {
 public:
  // `vfs` empty is the system's own. Errors: `storage`.
  static Result<Connection> open(const std::string& path, const std::string& vfs);

  Result<void> execute(const std::string& sql);
  Result<Statement> prepare(std::string_view sql);
  // The one integer that a query answers.
  Result<std::int64_t> integer(std::string_view sql);

  sqlite3* get() const { return db_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  explicit Connection(sqlite3* db) : db_(db) {}
  std::unique_ptr<sqlite3, Close> db_;
};

}  // namespace syncline
