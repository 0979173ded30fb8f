#include "sync/recent_log.h"

#include <algorithm>

#include "crdt/bytes.h"
#include "crdt/leaf_key.h"
#include "sync/leaf_value.h"

namespace syncline {
namespace {

constexpr std::uint8_t has_payload_bit = 1;
constexpr std::uint8_t has_stamp_bit = 2;
constexpr std::uint8_t stamped_by_change_bit =
    4;  // Its stamp is the change's: the usual case takes no bytes.

std::size_t memory_of(const LogEntry& entry) { return sizeof entry + entry.bytes.capacity() + 24; }

// Log bytes are our own, and were checked when a store gave them back; see
// internal::take_trusted_varint.
class TrustedReader {
 public:
  explicit TrustedReader(std::string_view bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}
  bool done() const { return at_ == end_; }
  std::uint64_t varint() { return internal::take_trusted_varint(at_, end_); }
  std::string_view text() {
    const std::uint64_t size = varint();
    SYNCLINE_ASSERT(size <= static_cast<std::uint64_t>(end_ - at_));
    const std::string_view taken(at_, static_cast<std::size_t>(size));
    at_ += size;
    return taken;
  }

 private:
  const char* at_;
  const char* end_;
};

void append_text(std::string& out, std::string_view text) {
  put_varint(out, text.size());
  out.append(text);
}

std::uint8_t flags_of(const RowView& row, std::uint64_t hlc) {
  const std::uint8_t stamp = row.stamp == 0 ? 0 : row.stamp == hlc ? stamped_by_change_bit : has_stamp_bit;
  return static_cast<std::uint8_t>(stamp | (row.has_payload ? has_payload_bit : 0));
}

void append_row(std::string& out, const RowView& row, std::uint64_t hlc) {
  append_text(out, row.leaf);
  put_varint(out, row.removed.size());
  for (const IndexedDot& dot : row.removed) {
    put_varint(out, dot.actor);
    put_varint(out, dot.counter);
  }
  const std::uint8_t flags = flags_of(row, hlc);
  out.push_back(static_cast<char>(flags));
  if ((flags & has_stamp_bit) != 0) put_varint(out, row.stamp);
  if (row.has_payload) append_text(out, row.payload);
}

void skip_dots(TrustedReader& in) {
  for (std::uint64_t n = in.varint(); n > 0; --n) {
    in.varint();
    in.varint();
  }
}

// Reads a row of a change but for its removed dots, which `dots` takes.
RowView take_row(TrustedReader& in, std::uint64_t hlc, std::vector<IndexedDot>* dots) {
  RowView row;
  row.leaf = in.text();
  if (dots == nullptr) {
    skip_dots(in);
  } else {
    for (std::uint64_t n = in.varint(); n > 0; --n) {
      const auto actor = static_cast<std::uint32_t>(in.varint());
      dots->push_back({actor, in.varint()});
    }
  }
  const std::uint64_t flags = in.varint();
  if ((flags & has_stamp_bit) != 0) row.stamp = in.varint();
  if ((flags & stamped_by_change_bit) != 0) row.stamp = hlc;
  row.has_payload = (flags & has_payload_bit) != 0;
  if (row.has_payload) row.payload = in.text();
  return row;
}

// Finds out whether stored bytes can be read by the functions above.
class StoredReader {
 public:
  StoredReader(std::string_view bytes, std::uint32_t actors) : in_(bytes), actors_(actors) {}

  bool is_entry(bool whole, std::uint64_t count) {
    if (whole && (!in_.varint() || !dots())) return false;
    for (; count > 0; --count)
      if (whole ? !row() : !leaf()) return false;
    return in_.left() == 0;
  }

 private:
  bool leaf() {
    const auto size = in_.varint();
    if (!size) return false;
    const auto text = in_.take(*size);
    return text && is_leaf_key(*text);
  }
  bool dots() {
    const auto count = in_.varint();
    if (!count) return false;
    for (std::uint64_t i = 0; i < *count; ++i) {
      const auto actor = in_.varint();
      const auto counter = in_.varint();
      if (!actor || *actor >= actors_ || !counter || !is_counter(*counter)) return false;
    }
    return true;
  }
  bool row() {
    if (!leaf() || !dots()) return false;
    const auto flags = in_.varint();
    constexpr std::uint64_t both = has_stamp_bit | stamped_by_change_bit;
    if (!flags || *flags > (both | has_payload_bit) || (*flags & both) == both) return false;
    if ((*flags & has_stamp_bit) != 0 && !in_.varint()) return false;
    if ((*flags & has_payload_bit) == 0) return true;
    const auto size = in_.varint();
    return size && in_.take(*size);
  }

  ByteReader in_;
  std::uint32_t actors_;
};

}  // namespace

LogRecord LogEntry::to_record() const {
  LogRecord record{actor, first, {}};
  record.bytes.push_back(static_cast<char>((whole ? 1 : 0) | (own ? 2 : 0)));
  put_varint(record.bytes, count);
  put_varint(record.bytes, hash);
  record.bytes.append(bytes);
  return record;
}

Result<LogEntry> LogEntry::from_record(LogRecord record, std::uint32_t actors) {
  ByteReader in(record.bytes);
  const auto flags = in.varint();
  const auto count = in.varint();
  const auto hash = in.varint();
  if (!flags || *flags > 3 || !count || *count == 0 || *count > ~std::uint32_t{0} || !hash ||
      !StoredReader(in.rest(), actors).is_entry((*flags & 1) != 0, *count))
    return failure(Errc::damaged, "a log entry can't be read");
  if (record.actor >= actors || record.first == 0 || pending_counter - record.first < *count)
    return failure(Errc::damaged, "a log entry of dots that can't be");
  LogEntry entry;
  entry.actor = record.actor;
  entry.count = static_cast<std::uint32_t>(*count);
  entry.first = record.first;
  entry.hash = *hash;
  entry.whole = (*flags & 1) != 0;
  entry.own = (*flags & 2) != 0;
  const std::size_t head = record.bytes.size() - in.left();
  entry.bytes = std::move(record.bytes.erase(0, head));
  return entry;
}

LogEntry make_log_entry(const ChangeView& change, std::uint64_t hash, bool own) {
  LogEntry entry;
  entry.actor = change.actor;
  entry.count = static_cast<std::uint32_t>(change.rows.size());
  entry.first = change.first;
  entry.hash = hash;
  entry.whole = true;
  entry.own = own;
  std::size_t size = 16 + 12 * change.dependencies.size();
  for (const RowView& row : change.rows)
    size += row.leaf.size() + row.payload.size() + 16 + 12 * row.removed.size();
  entry.bytes.reserve(change.rows.size() == 1 ? size : size + size / 8);
  put_varint(entry.bytes, change.hlc);
  put_varint(entry.bytes, change.dependencies.size());
  for (const IndexedDot& dot : change.dependencies) {
    put_varint(entry.bytes, dot.actor);
    put_varint(entry.bytes, dot.counter);
  }
  for (const RowView& row : change.rows) append_row(entry.bytes, row, change.hlc);
  return entry;
}

std::vector<LogEntry> make_name_entries(const std::vector<RowName>& names) {
  std::vector<LogEntry> entries;
  for (const RowName& name : names) {
    if (entries.empty() || entries.back().actor != name.dot.actor ||
        entries.back().last() + 1 != name.dot.counter) {
      entries.emplace_back();
      entries.back().actor = name.dot.actor;
      entries.back().first = name.dot.counter;
    }
    ++entries.back().count;
    append_text(entries.back().bytes, name.leaf);
  }
  return entries;
}

// Where a change's dots and rows lie in the reader's arrays, which move while they grow.
struct ChangeReader::Extent {
  std::size_t dependencies = 0;
  std::size_t rows = 0;
  std::size_t row_count = 0;
  std::vector<std::size_t> removed;  // Begin for each row, and the end.
};

void ChangeReader::collect(const LogEntry& entry, ChangeView& change, std::vector<Extent>& extents,
                           absl::FunctionRef<std::uint32_t(std::uint32_t)> named) {
  SYNCLINE_ASSERT(entry.whole);
  TrustedReader in(entry.bytes);
  const std::size_t dots_before = dots_.size();
  change.actor = named(entry.actor);
  change.first = entry.first;
  change.hlc = in.varint();
  Extent extent;
  extent.dependencies = dots_.size();
  for (std::uint64_t n = in.varint(); n > 0; --n) {
    const auto actor = static_cast<std::uint32_t>(in.varint());
    dots_.push_back({actor, in.varint()});
  }
  extent.rows = rows_.size();
  extent.removed.reserve(entry.count + std::size_t{1});
  while (!in.done()) {
    extent.removed.push_back(dots_.size());
    rows_.push_back(take_row(in, change.hlc, &dots_));
  }
  extent.removed.push_back(dots_.size());
  for (std::size_t i = dots_before; i < dots_.size(); ++i) dots_[i].actor = named(dots_[i].actor);
  extent.row_count = rows_.size() - extent.rows;
  extents.push_back(std::move(extent));
}

std::vector<ChangeView> ChangeReader::read(const std::vector<const LogEntry*>& entries,
                                           absl::FunctionRef<std::uint32_t(std::uint32_t)> named) {
  dots_.clear();
  rows_.clear();
  std::vector<ChangeView> changes(entries.size());
  std::vector<Extent> extents;
  extents.reserve(entries.size());
  std::size_t row_count = 0;
  for (const LogEntry* entry : entries) row_count += entry->count;
  rows_.reserve(row_count);
  for (std::size_t i = 0; i < entries.size(); ++i) collect(*entries[i], changes[i], extents, named);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Extent& extent = extents[i];
    changes[i].dependencies = {dots_.data() + extent.dependencies,
                               extent.removed.front() - extent.dependencies};
    changes[i].rows = {rows_.data() + extent.rows, extent.row_count};
    for (std::size_t row = 0; row < extent.row_count; ++row) {
      rows_[extent.rows + row].removed = {dots_.data() + extent.removed[row],
                                          extent.removed[row + 1] - extent.removed[row]};
    }
  }
  return changes;
}

ChangeView ChangeReader::read(const LogEntry& entry) {
  return read({&entry}, [](std::uint32_t actor) { return actor; }).front();
}

RecentLog::PerActor& RecentLog::of(std::uint32_t actor) {
  if (actor >= actors_.size()) actors_.resize(actor + std::size_t{1});
  if (actors_[actor] == nullptr) actors_[actor] = std::make_unique<PerActor>();
  return *actors_[actor];
}

const RecentLog::PerActor* RecentLog::find_of(std::uint32_t actor) const {
  return actor < actors_.size() ? actors_[actor].get() : nullptr;
}

void RecentLog::append(LogEntry entry) {
  PerActor& actor = of(entry.actor);
  SYNCLINE_ASSERT(actor.numbers.empty() || (*this)[actor.numbers.back()].last() < entry.first);
  actor.numbers.push_back(end());
  actor.logged.insert(entry.first, entry.last());
  memory_bytes_ += memory_of(entry);
  entries_.push_back(std::move(entry));
}

void RecentLog::expect_older(std::uint64_t count_max) {
  SYNCLINE_ASSERT(entries_.empty());
  base_ = count_max;
  expects_older_ = true;
}

bool RecentLog::is_older(const std::vector<LogEntry>& entries) const {
  if (entries.size() > base_) return false;
  std::vector<std::uint64_t> last(actors_.size());
  for (const LogEntry& entry : entries) {
    if (entry.actor >= last.size()) last.resize(entry.actor + std::size_t{1});
    if (entry.first <= last[entry.actor]) return false;
    last[entry.actor] = entry.last();
  }
  for (std::size_t actor = 0; actor < actors_.size(); ++actor)
    if (actors_[actor] != nullptr && (*this)[actors_[actor]->numbers.front()].first <= last[actor])
      return false;
  return true;
}

void RecentLog::prepend(std::vector<LogEntry> entries) {
  SYNCLINE_ASSERT(expects_older_ && entries.size() <= base_);
  expects_older_ = false;
  for (const LogEntry& entry : entries) {
    of(entry.actor).logged.insert(entry.first, entry.last());
    memory_bytes_ += memory_of(entry);
  }
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    of(entry->actor).numbers.push_front(--base_);
    entries_.push_front(std::move(*entry));
  }
}

bool RecentLog::covers(std::uint32_t actor, std::uint64_t first, std::uint64_t last) const {
  if (first > last) return true;
  const PerActor* const held = find_of(actor);
  return held != nullptr && held->logged.contains(first, last);
}

const LogEntry* RecentLog::find(std::uint32_t actor, std::uint64_t counter) const {
  const PerActor* const held = find_of(actor);
  if (held == nullptr) return nullptr;
  const auto& numbers = held->numbers;
  const auto it = std::lower_bound(
      numbers.begin(), numbers.end(), counter,
      [this](std::uint64_t number, std::uint64_t wanted) { return (*this)[number].last() < wanted; });
  if (it == numbers.end() || (*this)[*it].first > counter) return nullptr;
  return &(*this)[*it];
}

void RecentLog::for_each_name(std::uint32_t actor, std::uint64_t first, std::uint64_t last,
                              absl::FunctionRef<void(std::uint64_t, std::string_view)> fn) const {
  const PerActor* const held = find_of(actor);
  if (held == nullptr || first > last) return;
  const auto& numbers = held->numbers;
  auto it = std::lower_bound(
      numbers.begin(), numbers.end(), first,
      [this](std::uint64_t number, std::uint64_t wanted) { return (*this)[number].last() < wanted; });
  for (; it != numbers.end() && (*this)[*it].first <= last; ++it) {
    const LogEntry& entry = (*this)[*it];
    TrustedReader in(entry.bytes);
    const std::uint64_t hlc = entry.whole ? in.varint() : 0;
    if (entry.whole) skip_dots(in);
    for (std::uint64_t counter = entry.first; counter <= std::min(entry.last(), last); ++counter) {
      const std::string_view leaf = entry.whole ? take_row(in, hlc, nullptr).leaf : in.text();
      if (counter >= first) fn(counter, leaf);
    }
  }
}

// Takes the oldest or the newest entry off what is held of its actor.
void RecentLog::drop(const LogEntry& entry, bool oldest) {
  PerActor& actor = of(entry.actor);
  oldest ? actor.numbers.pop_front() : actor.numbers.pop_back();
  actor.logged.erase(entry.first, entry.last());
  if (actor.numbers.empty()) actors_[entry.actor].reset();
  memory_bytes_ -= memory_of(entry);
}

std::pair<std::uint32_t, std::uint64_t> RecentLog::pop_front() {
  const LogEntry& entry = entries_.front();
  const std::pair<std::uint32_t, std::uint64_t> name{entry.actor, entry.first};
  drop(entry, true);
  entries_.pop_front();
  ++base_;
  return name;
}

void RecentLog::truncate(std::uint64_t new_end) {
  while (end() > new_end && !entries_.empty()) {
    drop(entries_.back(), false);
    entries_.pop_back();
  }
}

}  // namespace syncline
