// The recent log of a keyspace: what was applied, newest last.
//
// An entry is a whole change, which can be pushed; or only the names of the
// leaves that a run of dots touched, learned from a pass. Both let an L2 pass
// name the leaves of missing dots. Bounded by bytes; what is cut off the front
// costs peers a full pass, never data.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "crdt/causal_context.h"
#include "crdt/error.h"
#include "sync/record.h"
#include "wire/message.h"

namespace syncline {

struct LogEntry {
  std::uint32_t actor = 0;
  std::uint32_t count = 0;  // Dots first ... first + count - 1.
  std::uint64_t first = 0;
  std::uint64_t hash = 0;  // Of the change's content; 0 for names (I5).
  bool whole = false;      // A change; else names only.
  bool own = false;        // Made by this replica.
  std::string bytes;

  std::uint64_t last() const { return first + count - 1; }
  LogRecord to_record() const;
  // As a store gives it back to a keyspace with so many actors. `damaged` unless
  // all of it can be read and lies within that.
  static Result<LogEntry> from_record(LogRecord record, std::uint32_t actors);
};

// Makes an entry of a change. Indices are the keyspace's own.
LogEntry make_log_entry(const ChangeView& change, std::uint64_t hash, bool own);

// Reads a whole entry back as a change. Views point into the entry and into
// the reader; both must outlive their use, and one more read() ends it.
class ChangeReader {
 public:
  ChangeView read(const LogEntry& entry);
  // Reads several at once, for one push, whose actors are those that `named` gives for the keyspace's own.
  std::vector<ChangeView> read(const std::vector<const LogEntry*>& entries,
                               absl::FunctionRef<std::uint32_t(std::uint32_t)> named);

 private:
  struct Extent;
  void collect(const LogEntry& entry, ChangeView& change, std::vector<Extent>& extents,
               absl::FunctionRef<std::uint32_t(std::uint32_t)> named);
  std::vector<IndexedDot> dots_;
  std::vector<RowView> rows_;
};

class RecentLog {
 public:
  // What is older comes later, at most so many entries: until then the log is as if it had been cut.
  // It must be empty.
  void expect_older(std::uint64_t count_max);
  bool expects_older() const { return expects_older_; }
  // Whether the entries can be what is older: no more than expected, and of each actor in the order of
  // their counters, below what is held.
  bool is_older(const std::vector<LogEntry>& entries) const;
  // Takes them, oldest first.
  void prepend(std::vector<LogEntry> entries);

  // Appends. The entry's first counter must be above all earlier ones of its actor.
  void append(LogEntry entry);

  // Whether each dot of [first, last] of the actor has an entry. True when first > last.
  bool covers(std::uint32_t actor, std::uint64_t first, std::uint64_t last) const;
  // Calls fn(counter, leaf) for each dot of the range that has an entry.
  void for_each_name(std::uint32_t actor, std::uint64_t first, std::uint64_t last,
                     absl::FunctionRef<void(std::uint64_t counter, std::string_view leaf)> fn) const;
  // The entry that holds the dot, or nullptr.
  const LogEntry* find(std::uint32_t actor, std::uint64_t counter) const;

  // Entries are numbered from the beginning of time; [begin, end) are held.
  std::uint64_t begin() const { return base_; }
  std::uint64_t end() const { return base_ + entries_.size(); }
  const LogEntry& operator[](std::uint64_t number) const {
    return entries_[static_cast<std::size_t>(number - base_)];
  }

  // Drops the oldest entry. There must be one.
  std::pair<std::uint32_t, std::uint64_t> pop_front();
  // Drops the newest entries down to `end`.
  void truncate(std::uint64_t end);

  // Estimate of the memory held.
  std::size_t memory_bytes() const { return memory_bytes_; }

 private:
  struct PerActor {
    std::deque<std::uint64_t> numbers;  // Of entries, ascending; so are their counters.
    IntervalSet logged;
  };

  PerActor& of(std::uint32_t actor);
  // Nothing if it has no entries.
  const PerActor* find_of(std::uint32_t actor) const;
  void drop(const LogEntry& entry, bool oldest);

  std::deque<LogEntry> entries_;
  std::vector<std::unique_ptr<PerActor>> actors_;  // Null where nothing is held: most are long gone.
  std::uint64_t base_ = 0;
  bool expects_older_ = false;
  std::size_t memory_bytes_ = 0;
};

// Names-only entries for dots in order of (actor, counter): one for each run.
std::vector<LogEntry> make_name_entries(const std::vector<RowName>& names);

}  // namespace syncline
