// A replica's disk in one file: SQLite, which people can open and already trust.
//
// One connection, which locks the file for itself; write-ahead log, own
// checkpoints, no memory mapping. Each record is one transaction. Records of
// their own (leaves, log entries, heads) carry checksums made here, and pages
// do; what fails its own is `damaged`, never absent. A leaf that fails is kept in
// quarantine until it is written anew, and all else goes on. A store that met a page
// of which it can't know what it held shows the records that are whole and
// writes nothing more. docs/protocol.md has every table.
//
// Internal to store/. Called under the replica's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "store/checked_files.h"
#include "store/file_health.h"
#include "store/leaf_cache.h"
#include "store/record_store.h"
#include "store/side_file.h"
#include "store/sqlite.h"

namespace syncline {

struct SqliteStoreOptions {
  std::string path;                                      // ":memory:" for none.
  std::size_t page_cache_bytes = std::size_t{80} << 20;  // SQLite's, of pages.
  std::size_t leaf_cache_bytes = std::size_t{96} << 20;  // Above it; see LeafCache.
  bool relaxed = false;                                  // Commits don't wait for the disk.
  int checkpoint_pages = 4'096;                          // Of the write-ahead log, before it is folded in.
  std::string vfs;                                       // SQLite's layer of files; empty for the system's.
  bool side_file = true;                                 // Without one nothing is proven; see SideFile.
};

class SqliteStore final : public RecordStore {
 public:
  // Opens the file, made if it isn't there. Errors: `storage`, with the holder's
  // name if another process has it; `unsupported` if a newer version made it;
  // `damaged`, `disk_full`.
  static Result<std::unique_ptr<SqliteStore>> open(SqliteStoreOptions options);
  // Without close() the next opener can't prove what it continues.
  ~SqliteStore() override;

  Result<Head> load() override;
  Result<std::vector<KeyspaceLog>> load_logs() override;
  Result<void> commit(const Record& record) override;
  bool ready() override;
  Result<void> close() override;
  // Makes of a copy a store of its own, which nobody has opened yet: without the
  // actors it would write under, its id and its seal.
  Result<void> forget_identity();
  Result<std::optional<std::string_view>> find(std::string_view keyspace, std::string_view leaf) override;
  Result<void> scan(std::string_view keyspace, std::string_view from,
                    absl::FunctionRef<bool(std::string_view leaf, std::string_view value)> visit) override;

  // Leaves that can't be read, in order.
  std::vector<QuarantinedLeaf> quarantined() const;
  // Those that came since this was asked last. They are on disk from then on, if it takes them.
  std::vector<QuarantinedLeaf> take_quarantined();
  // Reads so many pages of the file and the leaves on them, from where the last
  // call ended, the one before a reopening included; false at the end of the
  // file. Errors: `storage`. Damage is no error, health() tells.
  Result<bool> scrub(std::size_t pages);
  void scrub_from_start() { scrubbed_ = 0; }
  FileHealth health() const;
  FileHealth counts() const;  // The same without the pages of the file and the leaves. O(1).

 private:
  // What of a keyspace is kept in memory to write its next record.
  struct Known {
    std::int64_t id = 0;
    std::vector<ActorId> actors;
    std::deque<std::int64_t> log;  // Numbers of its entries; of older ones once these were loaded.
  };
  using Keyspaces = std::map<std::string, Known, std::less<>>;

  // Keys between those of the neighbours of a damaged leaf whose own key may be damaged, too.
  using Place = std::pair<std::int64_t, std::string>;  // Id of a keyspace, leaf.
  struct Gap {
    std::optional<Place> above, below;
    std::set<Place> absent;  // Of them, those that a peer told to be none.
  };

  friend class SqliteBackup;
  SqliteStore(SqliteStoreOptions options, std::unique_ptr<CheckedFiles> files, Connection connection);

  Result<void> check_pages();
  Result<void> judge(const CheckedFiles::Suspect& suspect);
  Result<std::optional<bool>> is_whole(const Place& place);
  Result<Gap> gap_around(const Place& place);
  bool may_be_damaged(const Place& place) const;
  bool is_told(const Place& place) const;
  QuarantinedLeaf describe(const std::string& keyspace, const std::string& leaf) const;
  Result<void> quarantine(Place place, std::optional<Gap> gap);
  Result<void> save_quarantine();
  Result<void> set_page_cache(std::size_t bytes);
  static int count_log_pages(void* store, sqlite3* db, const char* schema, int pages);
  Result<void> prepare();
  Result<bool> begin_holding();
  Result<void> pass_through(absl::FunctionRef<Result<void>()> read);
  Result<void> load_meta(Head& head);
  Result<void> load_keyspaces(Head& head);
  Result<void> forget_writers(const std::vector<std::pair<std::int64_t, std::int64_t>>& heads);
  Result<void> load_actors(Head& head);
  Result<void> load_quarantine(Head& head);
  Result<void> load_log_end(Head& head);
  struct Log {
    KeyspaceLog entries;
    std::vector<std::int64_t> numbers;  // Theirs.
  };
  Result<void> read_logs(std::map<std::int64_t, Log>& logs, std::vector<std::int64_t>& bad);
  Result<void> forget_log(const std::vector<std::int64_t>& numbers);
  Result<void> load_staged(Head& head);
  Result<void> load_tokens(Head& head);
  KeyspaceHead* head_of(Head& head, std::int64_t id);

  Result<void> begin_reading();
  Result<void> end_reading();
  Result<void> transact(absl::FunctionRef<Result<void>()> write);
  Result<void> write(const Record& record);
  Result<void> write_part(const KeyspaceRecord& part, const Known& known, bool fresh, std::uint64_t hlc,
                          std::int64_t& log_number);
  Result<void> write_head(std::int64_t id, bool fresh, const KeyspaceRecord& part, std::uint64_t hlc);
  Result<void> write_leaves(std::int64_t id, const KeyspaceRecord& part);
  Result<void> write_actors(const Known& known, const KeyspaceRecord& part);
  Result<void> write_log(const Known& known, const KeyspaceRecord& part, std::int64_t& number);
  Result<void> write_staged(std::int64_t id, const KeyspaceRecord& part);
  Result<void> write_tokens(const std::vector<TokenRecord>& tokens);
  Result<void> drop(std::string_view name, std::int64_t id, std::uint64_t hlc);
  void note(const Record& record);
  bool make_room();
  void stop(const Error& error);
  void checkpoint_if_due();
  Result<void> scrub_page(std::int64_t number);
  Result<void> scrub_leaves(const std::string& page);
  Result<void> scrub_damaged(std::int64_t number, std::string& page);
  Result<bool> is_free(std::int64_t number) const;
  Result<bool> write_again(const Place& place);
  sqlite3_file* file() const;
  Result<void> checkpoint(int mode);

  SqliteStoreOptions options_;
  std::optional<SideFile> side_file_;
  std::unique_ptr<CheckedFiles> files_;
  Connection connection_;
  Statement begin_, begin_reading_, commit_, put_meta_, put_leaf_, erase_leaf_, find_leaf_, put_keyspace_,
      update_keyspace_, put_actor_, put_quarantined_, release_, append_log_, cut_log_, append_staged_,
      clear_staged_, append_token_, cut_tokens_;
  Keyspaces keyspaces_;
  std::map<Place, std::optional<Gap>> quarantine_;
  std::vector<Place> unsaved_;  // Of them, not on disk yet.
  std::vector<Place> untold_;   // Of them, not taken yet.
  std::uint64_t mended_leaves_ = 0;
  std::int64_t scrubbed_ = 0;  // The page that was checked last.
  std::uint64_t pages_checked_ = 0;
  std::uint64_t scrubs_ = 0;
  std::int64_t next_keyspace_ = 1;
  std::int64_t next_log_ = 1;
  std::int64_t loaded_log_ = 0;  // What load() leaves to load_logs(): entries below this number.
  std::int64_t next_token_ = 1;
  bool proven_ = false;  // Nothing else continued what the file holds.
  bool seals_ = true;    // close() lets the next opening prove the same.
  LeafCache leaves_;
  std::string found_;             // What find() shows.
  std::optional<Error> stopped_;  // The disk failed: nothing is written before a reopening.
  bool full_ = false;
  std::int64_t tried_ = 0;
  int log_pages_ = 0;  // In the write-ahead log.
};

}  // namespace syncline
