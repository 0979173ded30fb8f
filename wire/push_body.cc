#include <algorithm>
#include <span>

#include "wire/body.h"

namespace syncline {
namespace {

// In the low bits of a push's first varint, below the keyspace.
enum PushFlags : std::uint64_t { has_definitions = 1, not_one_change = 2 };
constexpr unsigned push_flag_bits = 2;

// What a row has, in the low bits of its `kinds` value, below the number of dots removed.
enum class RowHas : std::uint8_t { nothing = 0, payload = 1, payload_at_hlc = 2, payload_and_stamp = 3 };
constexpr unsigned row_has_bits = 2;

// The columns of the changes and rows of a push, in the order in which they are written.
struct PushColumns {
  ColumnMemory memory;
  // By change.
  Column actors{memory.get()};             // actor << 1 | whether `first` isn't the counter expected.
  Column jumps{memory.get()};              // For those: zigzag(first - expected).
  Column hlcs{memory.get()};               // zigzag(hlc - the one before).
  Column shapes{memory.get()};             // (rows - 1) << 1 | whether it has dependencies.
  Column dependency_counts{memory.get()};  // For those: count - 1.
  Column dependency_actors{memory.get()};
  Column dependency_counters{memory.get()};  // zigzag(counter - the actor's last pushed).
  // By row.
  Column kinds{memory.get()};        // Removed dots << 2 | RowHas.
  Column stamps{memory.get()};       // For RowHas::payload_and_stamp: zigzag(stamp - the last such).
  Column removed_own{memory.get()};  // Row's counter - removed counter; 0: in the next two columns.
  Column removed_actors{memory.get()};
  Column removed_counters{memory.get()};  // zigzag(counter - the actor's last pushed).
  Column payload_lengths{memory.get()};
  std::size_t payload_bytes = 0;
};

RowHas row_has(const RowView& row, std::uint64_t hlc) {
  if (!row.has_payload) return RowHas::nothing;
  if (row.stamp == 0) return RowHas::payload;
  return row.stamp == hlc ? RowHas::payload_at_hlc : RowHas::payload_and_stamp;
}

void gather_row(const RowView& row, const ChangeView& change, std::uint64_t counter, KeyspaceStream& stream,
                PushColumns& columns) {
  const RowHas has = row_has(row, change.hlc);
  columns.kinds.push_back((std::uint64_t{row.removed.size()} << row_has_bits) |
                          static_cast<std::uint64_t>(has));
  if (has == RowHas::payload_and_stamp) {
    columns.stamps.push_back(zigzag(row.stamp - stream.stamp));
    stream.stamp = row.stamp;
  }
  for (const IndexedDot& dot : row.removed) {
    if (dot.actor == change.actor && dot.counter < counter) {
      columns.removed_own.push_back(counter - dot.counter);
      continue;
    }
    columns.removed_own.push_back(0);
    columns.removed_actors.push_back(dot.actor);
    columns.removed_counters.push_back(zigzag(dot.counter - stream.last_of(dot.actor)));
  }
  if (row.has_payload) {
    columns.payload_lengths.push_back(row.payload.size());
    columns.payload_bytes += row.payload.size();
  }
}

void gather_change(const ChangeView& change, KeyspaceStream& stream, PushColumns& columns) {
  SYNCLINE_ASSERT(!change.rows.empty());
  const std::uint64_t expected = stream.last_of(change.actor) + 1;
  const bool jumps = change.first != expected;
  columns.actors.push_back((std::uint64_t{change.actor} << 1) | (jumps ? 1 : 0));
  if (jumps) columns.jumps.push_back(zigzag(change.first - expected));
  columns.hlcs.push_back(change.hlc);
  const bool depends = !change.dependencies.empty();
  columns.shapes.push_back(((std::uint64_t{change.rows.size()} - 1) << 1) | (depends ? 1 : 0));
  if (depends) columns.dependency_counts.push_back(change.dependencies.size() - 1);
  for (const IndexedDot& dot : change.dependencies) {
    columns.dependency_actors.push_back(dot.actor);
    columns.dependency_counters.push_back(zigzag(dot.counter - stream.last_of(dot.actor)));
  }
  std::uint64_t counter = change.first;
  for (const RowView& row : change.rows) gather_row(row, change, counter++, stream, columns);
  stream.set_last(change.actor, counter - 1);
}

LeafWriter gather_leaves(const Push& push, std::string_view previous, ColumnForm form) {
  LeafWriter leaves(previous, form);
  for (const ChangeView& change : push.changes) {
    for (const RowView& row : change.rows) leaves.add(row.leaf);
  }
  return leaves;
}

void put_columns(std::string& out, const Push& push, const PushColumns& columns, const LeafWriter& leaves,
                 std::uint64_t hlc_before, ColumnForm form) {
  put_column(out, columns.actors, form);
  put_column(out, columns.jumps, form);
  put_times(out, columns.hlcs, hlc_before, form);
  put_column(out, columns.shapes, form);
  put_column(out, columns.dependency_counts, form);
  put_column(out, columns.dependency_actors, form);
  put_column(out, columns.dependency_counters, form);
  leaves.put(out);
  put_column(out, columns.kinds, form);
  put_column(out, columns.stamps, form);
  put_column(out, columns.removed_own, form);
  put_column(out, columns.removed_actors, form);
  put_column(out, columns.removed_counters, form);
  put_column(out, columns.payload_lengths, form);
  for (const ChangeView& change : push.changes) {
    for (const RowView& row : change.rows) {
      if (row.has_payload) out.append(row.payload);
    }
  }
}

std::size_t elements(const PushColumns& columns) {
  return columns.actors.size() + columns.dependency_actors.size() + columns.kinds.size() +
         columns.removed_own.size();
}

// Whether a receiver with our limits would take these columns in a body of so many bytes.
bool within(const PushColumns& columns, const LeafWriter& leaves, std::size_t body_bytes,
            const WireLimits& limits) {
  Budget budget(body_bytes, limits);
  return budget.take_elements(elements(columns)) && budget.take_key_bytes(leaves.key_bytes());
}

// Reads a push's columns and puts changes and rows together from them.
class PushReader {
 public:
  PushReader(ByteReader in, std::size_t body_bytes, const WireLimits& limits)
      : in_(in), limits_(limits), budget_(body_bytes, limits) {}

  Result<void> read(std::size_t changes, Push& push, MessageStorage& storage, KeyspaceStream& stream) {
    if (auto ok = read_change_columns(changes, stream.hlc); !ok) return ok;
    storage.rows.resize(rows_);
    std::size_t next = 0;
    auto leaves = take_leaves(in_, rows_, stream.leaf, budget_, limits_, storage.keys,
                              [&](std::string_view leaf) { storage.rows[next++].leaf = leaf; });
    if (!leaves) return leaves;
    if (auto ok = read_row_columns(); !ok) return ok;
    push.changes.resize(changes);
    storage.dots.resize(columns_.dependency_actors.size() + columns_.removed_own.size());
    dots_ = storage.dots;
    unused_rows_ = storage.rows;
    for (std::size_t i = 0; i < changes; ++i) {
      if (auto ok = build_change(i, push.changes[i], stream); !ok) return ok;
    }
    if (in_.left() != 0) return failure(Errc::malformed, "push: bytes left over");
    if (changes == 0) return {};
    stream.leaf = storage.rows.back().leaf;
    stream.hlc = push.changes.back().hlc;
    return {};
  }

 private:
  static tl::unexpected<Error> bad_column() { return failure(Errc::malformed, "push: bad column"); }
  static tl::unexpected<Error> too_many() { return failure(Errc::limit, "push: too many elements"); }

  bool take(Column& values, std::size_t count) {
    values.resize(count);
    return take_column(in_, values);
  }

  Result<void> read_change_columns(std::size_t changes, std::uint64_t hlc_before) {
    if (!budget_.take_elements(changes)) return too_many();
    if (!take(columns_.actors, changes)) return bad_column();
    std::size_t jumps = 0;
    for (const std::uint64_t actor : columns_.actors) jumps += actor & 1;
    columns_.hlcs.resize(changes);
    if (!take(columns_.jumps, jumps) || !take_times(in_, columns_.hlcs, hlc_before) ||
        !take(columns_.shapes, changes)) {
      return bad_column();
    }
    std::size_t depending = 0;
    for (const std::uint64_t shape : columns_.shapes) {
      depending += shape & 1;
      if (!budget_.take_elements((shape >> 1) + 1)) return too_many();
      rows_ += static_cast<std::size_t>(shape >> 1) + 1;
    }
    if (!take(columns_.dependency_counts, depending)) return bad_column();
    std::size_t dependencies = 0;
    for (const std::uint64_t count : columns_.dependency_counts) {
      if (count >= limits_.message_bytes_max || !budget_.take_elements(count + 1)) return too_many();
      dependencies += static_cast<std::size_t>(count) + 1;
    }
    if (!take(columns_.dependency_actors, dependencies) ||
        !take(columns_.dependency_counters, dependencies)) {
      return bad_column();
    }
    return {};
  }

  Result<void> read_row_columns() {
    if (!take(columns_.kinds, rows_)) return bad_column();
    std::size_t stamps = 0;
    std::size_t removed = 0;
    std::size_t payloads = 0;
    for (const std::uint64_t kind : columns_.kinds) {
      const auto has = static_cast<RowHas>(kind & 3);
      stamps += has == RowHas::payload_and_stamp ? 1 : 0;
      payloads += has != RowHas::nothing ? 1 : 0;
      if (!budget_.take_elements(kind >> row_has_bits)) return too_many();
      removed += static_cast<std::size_t>(kind >> row_has_bits);
    }
    if (!take(columns_.stamps, stamps) || !take(columns_.removed_own, removed)) return bad_column();
    const auto others =
        static_cast<std::size_t>(std::count(columns_.removed_own.begin(), columns_.removed_own.end(), 0U));
    if (!take(columns_.removed_actors, others) || !take(columns_.removed_counters, others) ||
        !take(columns_.payload_lengths, payloads)) {
      return bad_column();
    }
    return {};
  }

  // The next dot of storage, by an actor and its zigzag difference to what was last pushed of it.
  Result<void> build_dot(std::uint64_t actor, std::uint64_t difference, const KeyspaceStream& stream,
                         IndexedDot& dot) {
    const auto index = to_index(actor, "push");
    if (!index) return tl::unexpected(index.error());
    dot = {*index, stream.last_of(*index) + unzigzag(difference)};
    if (!is_counter(dot.counter)) return failure(Errc::malformed, "push: counter out of range");
    return {};
  }

  Result<void> build_change(std::size_t i, ChangeView& change, KeyspaceStream& stream) {
    const auto actor = to_index(columns_.actors[i] >> 1, "push");
    if (!actor) return tl::unexpected(actor.error());
    change.actor = *actor;
    change.first = stream.last_of(*actor) + 1;
    if ((columns_.actors[i] & 1) != 0) change.first += unzigzag(columns_.jumps[jump_++]);
    const std::size_t rows = static_cast<std::size_t>(columns_.shapes[i] >> 1) + 1;
    if (change.first == 0 || change.first > pending_counter - rows) {
      return failure(Errc::malformed, "push: counter out of range");
    }
    change.hlc = columns_.hlcs[i];
    if ((columns_.shapes[i] & 1) != 0) {
      const auto count = static_cast<std::size_t>(columns_.dependency_counts[depending_++]) + 1;
      const std::span<IndexedDot> dependencies = dots_.first(count);
      dots_ = dots_.subspan(count);
      for (IndexedDot& dot : dependencies) {
        if (auto ok = build_dot(columns_.dependency_actors[dependency_],
                                columns_.dependency_counters[dependency_], stream, dot);
            !ok) {
          return ok;
        }
        ++dependency_;
      }
      change.dependencies = dependencies;
    }
    const std::span<RowView> built = unused_rows_.first(rows);
    unused_rows_ = unused_rows_.subspan(rows);
    change.rows = built;
    for (std::size_t row = 0; row < rows; ++row) {
      if (row > 0 && built[row].leaf <= built[row - 1].leaf) {
        return failure(Errc::malformed, "push: rows out of order");
      }
      if (auto ok = build_row(change, change.first + row, stream, built[row]); !ok) return ok;
    }
    stream.set_last(change.actor, change.first + (rows - 1));
    return {};
  }

  Result<void> build_row(const ChangeView& change, std::uint64_t counter, KeyspaceStream& stream,
                         RowView& row) {
    const std::uint64_t kind = columns_.kinds[row_++];
    const auto has = static_cast<RowHas>(kind & 3);
    const auto removed_count = static_cast<std::size_t>(kind >> row_has_bits);
    const std::span<IndexedDot> removed = dots_.first(removed_count);
    dots_ = dots_.subspan(removed_count);
    for (IndexedDot& dot : removed) {
      const std::uint64_t own = columns_.removed_own[removed_++];
      if (own != 0) {
        if (own >= counter) return failure(Errc::malformed, "push: counter out of range");
        dot = {change.actor, counter - own};
        continue;
      }
      if (auto ok =
              build_dot(columns_.removed_actors[other_], columns_.removed_counters[other_], stream, dot);
          !ok) {
        return ok;
      }
      ++other_;
    }
    row.removed = removed;
    if (has == RowHas::nothing) return {};
    row.has_payload = true;
    if (has == RowHas::payload_at_hlc) row.stamp = change.hlc;
    if (has == RowHas::payload_and_stamp) {
      stream.stamp += unzigzag(columns_.stamps[stamp_++]);
      row.stamp = stream.stamp;
    }
    const auto payload = in_.take(columns_.payload_lengths[payload_++]);
    if (!payload) return failure(Errc::malformed, "push: payload cut short");
    row.payload = *payload;
    return {};
  }

  ByteReader in_;
  const WireLimits& limits_;
  Budget budget_;
  PushColumns columns_;
  std::size_t rows_ = 0;
  std::span<IndexedDot> dots_;  // Not yet used, as are the rows.
  std::span<RowView> unused_rows_;
  std::size_t jump_ = 0;  // Where each column is read next.
  std::size_t depending_ = 0;
  std::size_t dependency_ = 0;
  std::size_t row_ = 0;
  std::size_t removed_ = 0;
  std::size_t other_ = 0;
  std::size_t stamp_ = 0;
  std::size_t payload_ = 0;
};

}  // namespace

void put_push(std::string& out, const Push& push, KeyspaceStreams& streams, const WireLimits& limits) {
  KeyspaceStream& stream = streams[push.keyspace];
  std::uint64_t flags = std::uint64_t{push.keyspace} << push_flag_bits;
  if (!push.definitions.empty()) flags |= has_definitions;
  if (push.changes.size() != 1) flags |= not_one_change;
  put_varint(out, flags);
  if (!push.definitions.empty()) put_definitions(out, push.definitions, stream);
  if (push.changes.size() != 1) put_varint(out, push.changes.size());
  const std::size_t head_bytes = out.size();

  PushColumns columns;
  for (const ChangeView& change : push.changes) gather_change(change, stream, columns);
  const LeafWriter compact = gather_leaves(push, stream.leaf, ColumnForm::compact);
  put_columns(out, push, columns, compact, stream.hlc, ColumnForm::compact);
  if (!within(columns, compact, out.size(), limits)) {
    // So regular that it would look like an attack: written out instead.
    out.resize(head_bytes);
    put_columns(out, push, columns, gather_leaves(push, stream.leaf, ColumnForm::literal), stream.hlc,
                ColumnForm::literal);
  }
  if (push.changes.empty()) return;
  stream.leaf = push.changes.back().rows.back().leaf;
  stream.hlc = push.changes.back().hlc;
}

Result<void> take_push(std::string_view body, Push& push, MessageStorage& storage, KeyspaceStreams& streams,
                       const WireLimits& limits) {
  ByteReader in(body);
  const auto flags = in.varint();
  if (!flags) return failure(Errc::malformed, "push: empty");
  const auto known = stream_of(*flags >> push_flag_bits, streams, limits);
  if (!known) return tl::unexpected(known.error());
  KeyspaceStream& stream = **known;
  push.keyspace = static_cast<std::uint32_t>(*flags >> push_flag_bits);
  if ((*flags & has_definitions) != 0) {
    if (auto ok = take_definitions(in, push.definitions, stream, limits); !ok) return ok;
  }
  std::size_t changes = 1;
  if ((*flags & not_one_change) != 0) {
    const auto count = in.varint();
    if (!count) return failure(Errc::malformed, "push: no count");
    if (*count > body.size() * limits.elements_per_byte_max) {
      return failure(Errc::limit, "push: too many changes");
    }
    changes = static_cast<std::size_t>(*count);
  }
  return PushReader(in, body.size(), limits).read(changes, push, storage, stream);
}

std::size_t encoded_bytes_estimate(const ChangeView& change) {
  constexpr std::size_t change_bytes =
      5 + varint_bytes_max + time_bytes_max + 5 + 5;  // As PushColumns has them.
  constexpr std::size_t dot_bytes = 1 + 5 + varint_bytes_max;
  std::size_t bytes = change_bytes + change.dependencies.size() * dot_bytes;
  for (const RowView& row : change.rows) {
    bytes += leaf_key_bytes_estimate(row.leaf) + column::varint_bytes(row.removed.size() << row_has_bits) +
             row.removed.size() * dot_bytes;
    if (!row.has_payload) continue;
    bytes += column::varint_bytes(row.payload.size()) + row.payload.size();
    if (row_has(row, change.hlc) == RowHas::payload_and_stamp) bytes += varint_bytes_max;
  }
  return bytes;
}

}  // namespace syncline
