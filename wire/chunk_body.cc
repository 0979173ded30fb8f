#include <algorithm>
#include <bit>
#include <utility>

#include "wire/body.h"

namespace syncline {
namespace {

// The dots of a chunk that have a stamp, by their places in leaf order. Stamps
// are written by actor and counter, that is, in the order in which they were
// made: there they only grow, and all of one change are equal.
class StampOrder {
 public:
  StampOrder(std::size_t dots_max, std::pmr::memory_resource* memory) : memory_(memory), dots_(memory) {
    dots_.reserve(dots_max);
  }

  void add(IndexedDot dot, std::size_t place) {
    dots_.push_back({dot, place});
    greatest_ = {std::max(greatest_.actor, dot.actor), std::max(greatest_.counter, dot.counter)};
  }
  std::size_t size() const { return dots_.size(); }

  // Calls `each(place)` by actor, counter and place.
  template <class Each>
  void visit(const Each& each) {
    if (dots_.empty()) return;
    const auto counter_bits = static_cast<unsigned>(std::bit_width(greatest_.counter));
    const auto place_bits = static_cast<unsigned>(std::bit_width(dots_.back().second));
    const auto actor_bits = static_cast<unsigned>(std::bit_width(greatest_.actor));
    if (actor_bits + counter_bits + place_bits > 63) {
      std::sort(dots_.begin(), dots_.end());
      for (const auto& [dot, place] : dots_) each(place);
      return;
    }
    // All three in one number: sorts several times as fast.
    Column keys(memory_);
    keys.reserve(dots_.size());
    for (const auto& [dot, place] : dots_) {
      keys.push_back(((std::uint64_t{dot.actor} << counter_bits | dot.counter) << place_bits) | place);
    }
    std::sort(keys.begin(), keys.end());
    const std::uint64_t mask = (std::uint64_t{1} << place_bits) - 1;
    for (const std::uint64_t key : keys) each(static_cast<std::size_t>(key & mask));
  }

 private:
  std::pmr::memory_resource* memory_;
  std::pmr::vector<std::pair<IndexedDot, std::size_t>> dots_;
  IndexedDot greatest_;
};

struct ChunkColumns {
  ColumnMemory memory;
  Column dot_counts{memory.get()};  // By leaf.
  Column actors{memory.get()};      // By dot.
  Column counters{memory.get()};
  Column have_stamps{memory.get()};
  Column stamps{memory.get()};  // Of those, by actor and counter.
  Column payload_lengths{memory.get()};
  Column dead_actors{memory.get()};  // By dead row.
  Column dead_counters{memory.get()};
};

void gather_dots(const Chunk& chunk, ChunkColumns& columns) {
  std::size_t dots = 0;
  for (const LeafView& leaf : chunk.leaves) dots += leaf.dots.size();
  columns.dot_counts.reserve(chunk.leaves.size());
  for (auto* column : {&columns.actors, &columns.counters, &columns.have_stamps, &columns.payload_lengths}) {
    column->reserve(dots);
  }
  StampOrder stamped(dots, columns.memory.get());
  Column stamps(columns.memory.get());  // By place.
  stamps.reserve(dots);
  for (const LeafView& leaf : chunk.leaves) {
    columns.dot_counts.push_back(leaf.dots.size());
    for (const IndexedLiveDot& live : leaf.dots) {
      if (live.stamp != 0) stamped.add(live.dot, stamps.size());
      stamps.push_back(live.stamp);
      columns.actors.push_back(live.dot.actor);
      columns.counters.push_back(live.dot.counter);
      columns.have_stamps.push_back(live.stamp != 0 ? 1 : 0);
      columns.payload_lengths.push_back(live.payload.size());
    }
  }
  stamped.visit([&](std::size_t place) { columns.stamps.push_back(stamps[place]); });
}

LeafWriter leaf_keys(const Chunk& chunk, ColumnForm form) {
  LeafWriter keys("", form);
  for (const LeafView& leaf : chunk.leaves) keys.add(leaf.leaf);
  return keys;
}

LeafWriter dead_keys(const Chunk& chunk, ColumnForm form) {
  LeafWriter keys("", form);
  for (const RowName& row : chunk.dead) keys.add(row.leaf);
  return keys;
}

void put_columns(std::string& out, const Chunk& chunk, const ChunkColumns& columns, const LeafWriter& leaves,
                 const LeafWriter& dead, ColumnForm form) {
  leaves.put(out);
  put_column(out, columns.dot_counts, form);
  put_column(out, columns.actors, form);
  put_sequence(out, columns.counters, form);
  put_column(out, columns.have_stamps, form);
  put_times(out, columns.stamps, 0, form);
  put_column(out, columns.payload_lengths, form);
  put_column(out, columns.dead_actors, form);
  put_sequence(out, columns.dead_counters, form);
  dead.put(out);
  for (const LeafView& leaf : chunk.leaves) {
    for (const IndexedLiveDot& live : leaf.dots) out.append(live.payload);
  }
}

// Reads a chunk's leaves and dead rows.
class ChunkReader {
 public:
  ChunkReader(ByteReader in, const Budget& budget, const WireLimits& limits)
      : in_(in), limits_(limits), budget_(budget) {}

  Result<void> read(Chunk& chunk, MessageStorage& storage) {
    const auto leaves = in_.varint();
    const auto dead = in_.varint();
    if (!leaves || !dead) return failure(Errc::malformed, "chunk: no count");
    if (!budget_.take_elements(*leaves) || !budget_.take_elements(*dead)) return too_many();
    chunk.leaves.resize(static_cast<std::size_t>(*leaves));
    chunk.dead.resize(static_cast<std::size_t>(*dead));
    if (auto ok = read_leaf_keys(chunk, storage); !ok) return ok;
    if (auto ok = read_dots(chunk, storage); !ok) return ok;
    if (auto ok = read_dead(chunk, storage); !ok) return ok;
    for (std::size_t i = 0; i < storage.live.size(); ++i) {
      const auto payload = in_.take(columns_.payload_lengths[i]);
      if (!payload) return failure(Errc::malformed, "chunk: payload cut short");
      storage.live[i].payload = *payload;
    }
    if (in_.left() != 0) return failure(Errc::malformed, "chunk: bytes left over");
    return {};
  }

 private:
  static tl::unexpected<Error> bad_column() { return failure(Errc::malformed, "chunk: bad column"); }
  static tl::unexpected<Error> too_many() { return failure(Errc::limit, "chunk: too many elements"); }

  bool take(Column& values, std::size_t count) {
    values.resize(count);
    return take_column(in_, values);
  }

  Result<void> read_leaf_keys(Chunk& chunk, MessageStorage& storage) {
    std::size_t next = 0;
    bool sorted = true;
    auto keys =
        take_leaves(in_, chunk.leaves.size(), "", budget_, limits_, storage.keys, [&](std::string_view leaf) {
          sorted = sorted && (next == 0 || chunk.leaves[next - 1].leaf < leaf);
          chunk.leaves[next++].leaf = leaf;
        });
    if (keys && !sorted) return failure(Errc::malformed, "chunk: leaves out of order");
    return keys;
  }

  Result<void> read_dots(Chunk& chunk, MessageStorage& storage) {
    if (!take(columns_.dot_counts, chunk.leaves.size())) return bad_column();
    std::size_t dots = 0;
    for (const std::uint64_t count : columns_.dot_counts) {
      if (!budget_.take_elements(count)) return too_many();
      dots += static_cast<std::size_t>(count);
    }
    columns_.counters.resize(dots);
    if (!take(columns_.actors, dots) || !take_sequence(in_, columns_.counters) ||
        !take(columns_.have_stamps, dots)) {
      return bad_column();
    }
    storage.live.resize(dots);
    StampOrder stamped(dots, columns_.memory.get());
    for (std::size_t i = 0; i < dots; ++i) {
      const auto actor = to_index(columns_.actors[i], "chunk");
      if (!actor) return tl::unexpected(actor.error());
      if (!is_counter(columns_.counters[i])) return failure(Errc::malformed, "chunk: counter out of range");
      if (columns_.have_stamps[i] > 1) return bad_column();
      storage.live[i].dot = {*actor, columns_.counters[i]};
      if (columns_.have_stamps[i] != 0) stamped.add(storage.live[i].dot, i);
    }
    columns_.stamps.resize(stamped.size());
    if (!take_times(in_, columns_.stamps, 0) || !take(columns_.payload_lengths, dots)) return bad_column();
    std::size_t next = 0;
    stamped.visit([&](std::size_t place) { storage.live[place].stamp = columns_.stamps[next++]; });
    std::span<const IndexedLiveDot> unused = storage.live;
    for (std::size_t i = 0; i < chunk.leaves.size(); ++i) {
      const auto count = static_cast<std::size_t>(columns_.dot_counts[i]);
      chunk.leaves[i].dots = unused.first(count);
      unused = unused.subspan(count);
    }
    return {};
  }

  Result<void> read_dead(Chunk& chunk, MessageStorage& storage) {
    const std::size_t dead = chunk.dead.size();
    columns_.dead_counters.resize(dead);
    if (!take(columns_.dead_actors, dead) || !take_sequence(in_, columns_.dead_counters)) return bad_column();
    for (std::size_t i = 0; i < dead; ++i) {
      const auto actor = to_index(columns_.dead_actors[i], "chunk");
      if (!actor) return tl::unexpected(actor.error());
      if (!is_counter(columns_.dead_counters[i]))
        return failure(Errc::malformed, "chunk: counter out of range");
      chunk.dead[i].dot = {*actor, columns_.dead_counters[i]};
    }
    std::size_t next = 0;
    return take_leaves(in_, dead, "", budget_, limits_, storage.dead_keys,
                       [&](std::string_view leaf) { chunk.dead[next++].leaf = leaf; });
  }

  ByteReader in_;
  const WireLimits& limits_;
  Budget budget_;
  ChunkColumns columns_;
};

void put_frontier(std::string& out, const std::vector<std::uint32_t>& frontier) {
  put_varint(out, frontier.size());
  for (const std::uint32_t actor : frontier) put_varint(out, actor);
}

Result<void> take_frontier(ByteReader& in, std::vector<std::uint32_t>& frontier, const WireLimits& limits) {
  const auto count = in.varint();
  if (!count || *count == 0) return failure(Errc::malformed, "chunk: no frontier");
  if (*count > limits.actors_max) return failure(Errc::limit, "chunk: a frontier too long");
  if (*count > in.left()) return failure(Errc::malformed, "chunk: cut short");
  frontier.resize(static_cast<std::size_t>(*count));
  for (std::uint32_t& actor : frontier) {
    const auto index = in.varint();
    if (!index) return failure(Errc::malformed, "chunk: cut short");
    const auto checked = to_index(*index, "chunk");
    if (!checked) return tl::unexpected(checked.error());
    actor = *checked;
  }
  return {};
}

}  // namespace

BodyContent put_chunk(std::string& out, const Chunk& chunk, KeyspaceStreams& streams,
                      const WireLimits& limits) {
  put_definitions(out, chunk.definitions, streams[chunk.keyspace]);
  put_version(out, chunk.version);
  if (chunk.closing) put_digests(out, chunk.digests);
  if (!chunk.frontier.empty()) put_frontier(out, chunk.frontier);
  if (chunk.by_digests) put_symbols(out, chunk.symbols);
  put_varint(out, chunk.leaves.size());
  put_varint(out, chunk.dead.size());
  const std::size_t head_bytes = out.size();

  ChunkColumns columns;
  gather_dots(chunk, columns);
  for (const RowName& row : chunk.dead) {
    columns.dead_actors.push_back(row.dot.actor);
    columns.dead_counters.push_back(row.dot.counter);
  }
  const LeafWriter leaves = leaf_keys(chunk, ColumnForm::compact);
  const LeafWriter dead = dead_keys(chunk, ColumnForm::compact);
  put_columns(out, chunk, columns, leaves, dead, ColumnForm::compact);
  const BodyContent content{.elements = chunk.leaves.size() + columns.actors.size() + chunk.dead.size(),
                            .key_bytes = leaves.key_bytes() + dead.key_bytes()};
  if (Budget(out.size(), limits).take(content)) return content;
  // So regular that it would look like an attack: written out instead.
  out.resize(head_bytes);
  put_columns(out, chunk, columns, leaf_keys(chunk, ColumnForm::literal),
              dead_keys(chunk, ColumnForm::literal), ColumnForm::literal);
  return content;
}

Result<void> take_chunk(std::string_view body, const Budget& budget, bool has_frontier, Chunk& chunk,
                        MessageStorage& storage, KeyspaceStreams& streams, const WireLimits& limits) {
  const auto stream = stream_of(chunk.keyspace, streams, limits);
  if (!stream) return tl::unexpected(stream.error());
  ByteReader in(body);
  if (auto ok = take_definitions(in, chunk.definitions, **stream, limits); !ok) return ok;
  if (auto ok = take_version(in, chunk.version, limits); !ok) return ok;
  if (chunk.closing) {
    if (auto ok = take_digests(in, chunk.digests); !ok) return ok;
  }
  if (has_frontier) {
    if (auto ok = take_frontier(in, chunk.frontier, limits); !ok) return ok;
  }
  if (chunk.by_digests) {
    if (auto ok = take_symbols(in, chunk.symbols, limits); !ok) return ok;
  }
  return ChunkReader(in, budget, limits).read(chunk, storage);
}

std::size_t encoded_bytes_estimate(const LeafView& leaf) {
  std::size_t bytes = leaf_key_bytes_estimate(leaf.leaf) + column::varint_bytes(leaf.dots.size());
  for (const IndexedLiveDot& live : leaf.dots) {
    constexpr std::size_t has_stamp_bytes = 1;
    bytes += column::varint_bytes(live.dot.actor) + column::varint_bytes(live.dot.counter) + has_stamp_bytes +
             (live.stamp != 0 ? time_bytes_max : 0) + column::varint_bytes(live.payload.size()) +
             live.payload.size();
  }
  return bytes;
}

std::size_t encoded_bytes_estimate(const RowName& row) {
  return leaf_key_bytes_estimate(row.leaf) + column::varint_bytes(row.dot.actor) +
         column::varint_bytes(row.dot.counter);
}

}  // namespace syncline
