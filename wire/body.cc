#include "wire/body.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace syncline {
namespace {

// Digits at the end of every leaf key, left out on the wire.
constexpr std::size_t leaf_end_bytes = 2;

constexpr std::size_t version_columns_min = 8;  // Of fewer entries pairs are shorter.

void put_u64(std::string& out, std::uint64_t value) {
  const std::uint64_t little = column::little_endian(value);
  out.append(reinterpret_cast<const char*>(&little), sizeof little);  // Bytes as characters.
}

std::uint64_t u64_at(std::string_view bytes, std::size_t at) {
  std::uint64_t little = 0;
  std::memcpy(&little, bytes.data() + at, sizeof little);
  return column::little_endian(little);
}

// How a sequence is coded, in a byte before it.
enum class SequenceForm : std::uint8_t { plain = 0, differences = 1 };

Column differences(std::span<const std::uint64_t> values, std::uint64_t before, ColumnMemory& memory) {
  Column coded(memory.get());
  coded.reserve(values.size());
  for (const std::uint64_t value : values) coded.push_back(zigzag(value - std::exchange(before, value)));
  return coded;
}

// Of an HLC timestamp: the bits below the milliseconds.
constexpr unsigned logical_bits = 16;
constexpr std::uint64_t logical_mask = (std::uint64_t{1} << logical_bits) - 1;

enum StatusFlags : std::uint64_t { has_definitions = 1, has_digests = 2, wants_reply = 4 };
constexpr unsigned status_flag_bits = 3;
// Of a last byte that is there only if one is set: who doesn't know of them must not go on.
enum RestFlags : std::uint8_t { has_rest = 1, knows_peer = 2, wants_more = 4 };

// Likewise.
enum CutFlags : std::uint8_t { floor_as_status = 1, met_as_status = 2 };

void put_digest(std::string& out, const Digest& digest) {
  put_u64(out, digest.low);
  put_u64(out, digest.high);
}

Digest digest_at(std::string_view bytes, std::size_t at) {
  return {u64_at(bytes, at), u64_at(bytes, at + sizeof(std::uint64_t))};
}

void put_rest(std::string& out, const Status& status) {
  const int flags =
      (status.rest ? has_rest : 0) | (status.knows > 0 ? knows_peer : 0) | (status.more ? wants_more : 0);
  if (flags == 0) return;
  out.push_back(static_cast<char>(flags));
  if (status.rest) {
    put_digest(out, status.rest->sum);
    put_varint(out, status.rest->statement);
    put_varint(out, status.rest->heard);
  }
  if (status.knows > 0) put_varint(out, status.knows);
}

Result<std::uint32_t> take_statement(ByteReader& in) {
  const auto number = in.varint();
  if (!number || *number == 0) return failure(Errc::malformed, "status: no statement");
  return to_index(*number, "status");
}

Result<void> take_rest(ByteReader& in, Status& status) {
  const auto byte = in.take(1);
  if (!byte) return {};
  const auto flags = static_cast<std::uint8_t>(byte->front());
  if (flags == 0 || flags > (has_rest | knows_peer | wants_more))
    return failure(Errc::malformed, "status: unknown flags");
  status.more = (flags & wants_more) != 0;
  if ((flags & has_rest) != 0) {
    const auto sum = in.take(sizeof(Digest));
    if (!sum) return failure(Errc::malformed, "status: cut short");
    const auto statement = take_statement(in);
    if (!statement) return tl::unexpected(statement.error());
    const auto heard = in.varint();
    if (!heard) return failure(Errc::malformed, "status: cut short");
    const auto count = to_index(*heard, "status");
    if (!count) return tl::unexpected(count.error());
    status.rest = Rest{digest_at(*sum, 0), *statement, *count};
  }
  if ((flags & knows_peer) == 0) return {};
  const auto statement = take_statement(in);
  if (!statement) return tl::unexpected(statement.error());
  status.knows = *statement;
  return {};
}

}  // namespace

Result<std::uint32_t> to_index(std::uint64_t value, const char* what) {
  if (value > std::numeric_limits<std::uint32_t>::max()) {
    return failure(Errc::malformed, std::string(what) + ": index over 32 bits");
  }
  return static_cast<std::uint32_t>(value);
}

Result<KeyspaceStream*> stream_of(std::uint64_t keyspace, KeyspaceStreams& streams,
                                  const WireLimits& limits) {
  if (keyspace >= limits.list_entries_max) return failure(Errc::limit, "keyspace: index beyond any list");
  return &streams[static_cast<std::uint32_t>(keyspace)];
}

void put_sequence(std::string& out, std::span<const std::uint64_t> values, ColumnForm form) {
  if (values.size() < 2) return put_column(out, values, form);
  std::string plain;
  put_column(plain, values, form);
  std::string coded;
  ColumnMemory memory;
  put_column(coded, differences(values, 0, memory), form);
  const bool differ = coded.size() < plain.size();
  out.push_back(static_cast<char>(differ ? SequenceForm::differences : SequenceForm::plain));
  out.append(differ ? coded : plain);
}

bool take_sequence(ByteReader& in, std::span<std::uint64_t> values) {
  if (values.size() < 2) return take_column(in, values);
  const auto how = in.take(1);
  if (!how || !take_column(in, values)) return false;
  if (how->front() == static_cast<char>(SequenceForm::plain)) return true;
  if (how->front() != static_cast<char>(SequenceForm::differences)) return false;
  std::uint64_t before = 0;
  for (std::uint64_t& value : values) {
    before += unzigzag(value);
    value = before;
  }
  return true;
}

void put_times(std::string& out, std::span<const std::uint64_t> times, std::uint64_t before,
               ColumnForm form) {
  if (times.empty()) return;
  ColumnMemory memory;
  Column part(memory.get());
  part.reserve(times.size());
  for (const std::uint64_t time : times) part.push_back(time >> logical_bits);
  put_column(out, differences(part, before >> logical_bits, memory), form);
  for (std::size_t i = 0; i < times.size(); ++i) part[i] = times[i] & logical_mask;
  put_sequence(out, part, form);
}

bool take_times(ByteReader& in, std::span<std::uint64_t> times, std::uint64_t before) {
  if (times.empty()) return true;
  ColumnMemory memory;
  Column logical(times.size(), memory.get());
  if (!take_column(in, times) || !take_sequence(in, logical)) return false;
  std::uint64_t millis = before >> logical_bits;
  for (std::size_t i = 0; i < times.size(); ++i) {
    millis += unzigzag(times[i]);
    if (millis > ~std::uint64_t{0} >> logical_bits || logical[i] > logical_mask) return false;
    times[i] = millis << logical_bits | logical[i];
  }
  return true;
}

void put_definitions(std::string& out, const std::vector<ActorId>& definitions, KeyspaceStream& stream) {
  put_varint(out, definitions.size());
  for (const ActorId& actor : definitions) out.append(actor.view());
  stream.last.resize(stream.last.size() + definitions.size());
}

Result<void> take_definitions(ByteReader& in, std::vector<ActorId>& definitions, KeyspaceStream& stream,
                              const WireLimits& limits) {
  const auto count = in.varint();
  if (!count) return failure(Errc::malformed, "definitions: no count");
  if (*count > limits.actors_max) return failure(Errc::limit, "definitions: too many");
  const auto bytes = in.take(*count * ActorId::size_bytes);
  if (!bytes) return failure(Errc::malformed, "definitions: cut short");
  definitions.resize(static_cast<std::size_t>(*count));
  for (std::size_t i = 0; i < definitions.size(); ++i) {
    std::memcpy(definitions[i].bytes.data(), bytes->data() + i * ActorId::size_bytes, ActorId::size_bytes);
  }
  stream.last.resize(stream.last.size() + definitions.size());
  return {};
}

void put_version(std::string& out, const std::vector<IndexedDot>& version) {
  put_varint(out, version.size());
  if (version.size() < version_columns_min) {
    for (const IndexedDot& entry : version) {
      put_varint(out, entry.actor);
      put_varint(out, entry.counter);
    }
    return;
  }
  ColumnMemory memory;
  Column actors(memory.get());
  actors.reserve(version.size());
  for (const IndexedDot& entry : version) actors.push_back(entry.actor);
  put_sequence(out, actors, ColumnForm::compact);
  for (const IndexedDot& entry : version) put_varint(out, entry.counter);
}

Result<void> take_version(ByteReader& in, std::vector<IndexedDot>& version, const WireLimits& limits) {
  const auto count = in.varint();
  if (!count) return failure(Errc::malformed, "version: no count");
  if (*count > limits.actors_max) return failure(Errc::limit, "version: too many entries");
  if (*count > in.left())
    return failure(Errc::malformed, "version: cut short");  // A byte a counter at least.
  version.resize(static_cast<std::size_t>(*count));
  ColumnMemory memory;
  Column actors(memory.get());
  if (version.size() >= version_columns_min) {
    actors.resize(version.size());
    if (!take_sequence(in, actors)) return failure(Errc::malformed, "version: actors");
  }
  for (std::size_t i = 0; i < version.size(); ++i) {
    const std::optional<std::uint64_t> actor = actors.empty() ? in.varint() : actors[i];
    const auto counter = in.varint();
    if (!actor || !counter) return failure(Errc::malformed, "version: cut short");
    const auto index = to_index(*actor, "version");
    if (!index) return tl::unexpected(index.error());
    if (!is_counter(*counter)) return failure(Errc::malformed, "version: counter out of range");
    version[i] = {*index, *counter};
  }
  return {};
}

void put_digests(std::string& out, const DigestPair& digests) {
  put_digest(out, digests.context);
  put_digest(out, digests.state);
}

Result<void> take_digests(ByteReader& in, DigestPair& digests) {
  const auto bytes = in.take(2 * sizeof(Digest));
  if (!bytes) return failure(Errc::malformed, "digests: cut short");
  digests = {digest_at(*bytes, 0), digest_at(*bytes, sizeof(Digest))};
  return {};
}

void put_status(std::string& out, const Status& status, KeyspaceStreams& streams) {
  std::uint64_t flags = std::uint64_t{status.keyspace} << status_flag_bits;
  if (!status.definitions.empty()) flags |= has_definitions;
  if (status.has_digests) flags |= has_digests;
  if (status.reply) flags |= wants_reply;
  put_varint(out, flags);
  if (!status.definitions.empty()) put_definitions(out, status.definitions, streams[status.keyspace]);
  put_version(out, status.version);
  if (!status.has_digests) return;
  put_digests(out, status.digests);
  put_rest(out, status);
}

Result<void> take_status(std::string_view body, Status& status, KeyspaceStreams& streams,
                         const WireLimits& limits) {
  ByteReader in(body);
  const auto flags = in.varint();
  if (!flags) return failure(Errc::malformed, "status: empty");
  const auto stream = stream_of(*flags >> status_flag_bits, streams, limits);
  if (!stream) return tl::unexpected(stream.error());
  status.keyspace = static_cast<std::uint32_t>(*flags >> status_flag_bits);
  status.reply = (*flags & wants_reply) != 0;
  status.has_digests = (*flags & has_digests) != 0;
  if ((*flags & has_definitions) != 0) {
    if (auto ok = take_definitions(in, status.definitions, **stream, limits); !ok) return ok;
  }
  if (auto ok = take_version(in, status.version, limits); !ok) return ok;
  if (status.has_digests) {
    if (auto ok = take_digests(in, status.digests); !ok) return ok;
    if (auto ok = take_rest(in, status); !ok) return ok;
  }
  if (in.left() != 0) return failure(Errc::malformed, "status: bytes left over");
  return {};
}

void put_cut(std::string& out, const Cut& cut, KeyspaceStreams& streams) {
  put_varint(out, std::uint64_t{cut.keyspace} << 1 | (cut.definitions.empty() ? 0 : 1));
  if (!cut.definitions.empty()) put_definitions(out, cut.definitions, streams[cut.keyspace]);
  put_u64(out, cut.members);
  put_varint(out, cut.epoch);
  put_varint(out, cut.acknowledged.size());
  out.append(cut.acknowledged);
  put_version(out, cut.floor);
  put_version(out, cut.floor_heard);
  if (!cut.acknowledged.empty()) {
    put_version(out, cut.met);
    put_version(out, cut.heard);
  }
  const int flags = (cut.floor_as_status ? floor_as_status : 0) | (cut.met_as_status ? met_as_status : 0);
  if (flags != 0) out.push_back(static_cast<char>(flags));
}

Result<void> take_cut(std::string_view body, Cut& cut, KeyspaceStreams& streams, const WireLimits& limits) {
  ByteReader in(body);
  const auto head = in.varint();
  if (!head) return failure(Errc::malformed, "cut: cut short");
  const auto stream = stream_of(*head >> 1, streams, limits);
  if (!stream) return tl::unexpected(stream.error());
  cut.keyspace = static_cast<std::uint32_t>(*head >> 1);
  if ((*head & 1) != 0) {
    if (auto ok = take_definitions(in, cut.definitions, **stream, limits); !ok) return ok;
  }
  const auto members = in.take(8);
  const auto epoch = in.varint();
  const auto bytes = in.varint();
  if (!members || !epoch || !bytes) return failure(Errc::malformed, "cut: cut short");
  if (*bytes > limits.list_entries_max / 8) return failure(Errc::limit, "cut: too many members");
  const auto acknowledged = in.take(*bytes);
  if (!acknowledged) return failure(Errc::malformed, "cut: cut short");
  cut.members = u64_at(*members, 0);
  cut.epoch = *epoch;
  cut.acknowledged = *acknowledged;
  if (auto ok = take_version(in, cut.floor, limits); !ok) return ok;
  if (auto ok = take_version(in, cut.floor_heard, limits); !ok) return ok;
  if (!cut.acknowledged.empty()) {
    if (auto ok = take_version(in, cut.met, limits); !ok) return ok;
    if (auto ok = take_version(in, cut.heard, limits); !ok) return ok;
  }
  if (const auto byte = in.take(1)) {
    const auto flags = static_cast<std::uint8_t>(byte->front());
    if (flags == 0 || flags > (floor_as_status | met_as_status))
      return failure(Errc::malformed, "cut: unknown flags");
    cut.floor_as_status = (flags & floor_as_status) != 0;
    cut.met_as_status = (flags & met_as_status) != 0;
  }
  if (in.left() != 0) return failure(Errc::malformed, "cut: bytes left over");
  return {};
}

void put_ask(std::string& out, const Ask& ask) {
  put_varint(out, ask.keyspace);
  out.append(ask.asker.view());
  put_varint(out, ask.leaf.size());
  out.append(ask.leaf);
  out.append(ask.bytes);
}

Result<void> take_ask(std::string_view body, Ask& ask, const WireLimits& limits) {
  ByteReader in(body);
  const auto keyspace = in.varint();
  const auto asker = in.take(ActorId::size_bytes);
  const auto size = in.varint();
  if (!keyspace || !asker || !size) return failure(Errc::malformed, "ask: cut short");
  if (*keyspace >= limits.list_entries_max || *size > limits.leaf_key_bytes_max)
    return failure(Errc::limit, "ask: a keyspace or a key beyond its limit");
  const auto leaf = in.take(*size);
  if (!leaf) return failure(Errc::malformed, "ask: cut short");
  if (!is_leaf_key(*leaf)) return failure(Errc::malformed, "ask: not a leaf key");
  if (in.left() > Ask::bytes_max) return failure(Errc::limit, "ask: too long");
  ask.keyspace = static_cast<std::uint32_t>(*keyspace);
  ask.asker = *ActorId::from(*asker);
  ask.leaf = *leaf;
  ask.bytes = in.rest();
  return {};
}

void put_want(std::string& out, const Want& want, KeyspaceStreams& streams) {
  put_definitions(out, want.definitions, streams[want.keyspace]);
  put_version(out, want.version);
  if (!want.has_resume) return;
  put_version(out, want.resume.base);
  put_version(out, want.resume.start);
}

Result<void> take_want(std::string_view body, Want& want, KeyspaceStreams& streams,
                       const WireLimits& limits) {
  const auto stream = stream_of(want.keyspace, streams, limits);
  if (!stream) return tl::unexpected(stream.error());
  ByteReader in(body);
  if (auto ok = take_definitions(in, want.definitions, **stream, limits); !ok) return ok;
  if (auto ok = take_version(in, want.version, limits); !ok) return ok;
  if (want.has_resume) {
    if (auto ok = take_version(in, want.resume.base, limits); !ok) return ok;
    if (auto ok = take_version(in, want.resume.start, limits); !ok) return ok;
  }
  if (in.left() != 0) return failure(Errc::malformed, "want: bytes left over");
  return {};
}

void LeafWriter::add(std::string_view leaf) {
  SYNCLINE_ASSERT(leaf.size() > leaf_end_bytes &&
                  leaf.ends_with(std::string_view("\x00\x01", leaf_end_bytes)));
  const std::string_view sent = leaf.substr(0, leaf.size() - leaf_end_bytes);
  std::size_t shared = 0;
  if (form_ == ColumnForm::compact) {
    const std::size_t most = std::min(sent.size(), previous_.size());
    shared = static_cast<std::size_t>(
        std::mismatch(sent.begin(), sent.begin() + static_cast<std::ptrdiff_t>(most), previous_.begin())
            .first -
        sent.begin());
  }
  shared_.push_back(shared);
  lengths_.push_back(sent.size());
  rest_.append(sent.substr(shared));
  key_bytes_ += leaf.size();
  previous_ = leaf;
}

void LeafWriter::put(std::string& out) const {
  put_column(out, shared_, form_);
  put_column(out, lengths_, form_);
  out.append(rest_);
}

}  // namespace syncline
