#include "sync/staged_pass.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "crdt/bytes.h"
#include "crdt/leaf_key.h"
#include "sync/leaf_value.h"

namespace syncline {
namespace {

tl::unexpected<Error> damaged() { return failure(Errc::damaged, "a staged pass can't be read"); }

void put_text(std::string& out, std::string_view text) {
  put_varint(out, text.size());
  out.append(text);
}

bool take_text(ByteReader& in, std::string& text) {
  const auto size = in.varint();
  if (!size) return false;
  const auto taken = in.take(*size);
  if (taken) text = std::string(*taken);
  return taken.has_value();
}

bool take_leaf(ByteReader& in, std::string& leaf) { return take_text(in, leaf) && is_leaf_key(leaf); }

bool take_dot(ByteReader& in, std::uint32_t actors, IndexedDot& dot) {
  const auto actor = in.varint();
  const auto counter = in.varint();
  if (!actor || *actor >= actors || !counter || !is_counter(*counter)) return false;
  dot = {static_cast<std::uint32_t>(*actor), *counter};
  return true;
}

bool lies_within(std::string_view value, const Counters& version) {
  bool within = true;
  for_each_live_in(value, [&](const IndexedLive& live) { within = within && version.contains(live.dot); });
  return within;
}

}  // namespace

void put_counters(std::string& out, const Counters& counters) {
  const auto entries = counters.since({});
  put_varint(out, entries.size());
  for (const IndexedDot& entry : entries) {
    put_varint(out, entry.actor);
    put_varint(out, entry.counter);
  }
}

bool take_counters(ByteReader& in, std::uint32_t actors, Counters& counters) {
  const auto count = in.varint();
  if (!count) return false;
  for (std::uint64_t i = 0; i < *count; ++i) {
    IndexedDot entry;
    if (!take_dot(in, actors, entry)) return false;
    counters.raise(entry.actor, entry.counter);
  }
  return true;
}

std::size_t StagedChunk::memory_bytes() const {
  std::size_t bytes = sizeof *this + version.unshared_bytes();
  for (const auto& [leaf, value] : leaves) bytes += leaf.size() + value.size() + 2 * sizeof leaf;
  for (const auto& row : dead) bytes += row.second.size() + sizeof row;
  return bytes;
}

std::string StagedChunk::to_bytes() const {
  std::string out;
  put_varint(out, new_round ? 1 : 0);
  put_counters(out, version);
  put_varint(out, leaves.size());
  for (const auto& [leaf, value] : leaves) {
    put_text(out, leaf);
    put_text(out, value);
  }
  put_varint(out, dead.size());
  for (const auto& [dot, leaf] : dead) {
    put_varint(out, dot.actor);
    put_varint(out, dot.counter);
    put_text(out, leaf);
  }
  return out;
}

Result<StagedChunk> StagedChunk::from_bytes(std::string_view bytes, std::uint32_t actors) {
  ByteReader in(bytes);
  StagedChunk chunk;
  const auto flags = in.varint();
  if (!flags || *flags > 1 || !take_counters(in, actors, chunk.version)) return damaged();
  chunk.new_round = *flags == 1;
  const auto leaf_count = in.varint();
  if (!leaf_count) return damaged();
  for (std::uint64_t i = 0; i < *leaf_count; ++i) {
    std::pair<std::string, std::string> leaf;
    if (!take_leaf(in, leaf.first) || !take_text(in, leaf.second)) return damaged();
    if (!is_leaf_value(leaf.second, actors) || !lies_within(leaf.second, chunk.version)) return damaged();
    chunk.leaves.push_back(std::move(leaf));
  }
  const auto dead_count = in.varint();
  if (!dead_count) return damaged();
  for (std::uint64_t i = 0; i < *dead_count; ++i) {
    std::pair<IndexedDot, std::string> row;
    if (!take_dot(in, actors, row.first) || !take_leaf(in, row.second)) return damaged();
    if (!chunk.version.contains(row.first)) return damaged();
    chunk.dead.push_back(std::move(row));
  }
  if (in.left() != 0) return damaged();
  return chunk;
}

void StagedPass::stage(StagedChunk chunk) {
  if (chunk.new_round) {
    from_nothing = chunks.empty() && full;
    base = chunks.empty() ? asked : std::move(start);
    start = chunk.version;
  }
  bytes += chunk.memory_bytes();
  chunks.push_back(std::move(chunk));
}

std::string_view StagedPass::cursor() const {
  for (auto chunk = chunks.rbegin(); chunk != chunks.rend(); ++chunk) {
    if (!chunk->leaves.empty()) return chunk->leaves.back().first;
    if (chunk->new_round) break;
  }
  return {};
}

std::string StagedPass::header_bytes() const {
  std::string out(reinterpret_cast<const char*>(peer.data()), peer.size());  // Bytes as characters.
  put_varint(out, (full ? 1U : 0U) | (repair ? 2U : 0U));
  put_counters(out, asked);
  return out;
}

Result<StagedPass> StagedPass::from_bytes(const std::vector<std::string>& staged, std::uint32_t actors) {
  if (staged.empty()) return damaged();
  StagedPass pass;
  ByteReader in(staged.front());
  const auto peer = in.take(pass.peer.size());
  const auto flags = in.varint();
  if (!peer || !flags || *flags > 3 || !take_counters(in, actors, pass.asked) || in.left() != 0)
    return damaged();
  std::memcpy(pass.peer.data(), peer->data(), peer->size());
  pass.full = (*flags & 1) != 0;
  pass.repair = (*flags & 2) != 0;
  for (std::size_t i = 1; i < staged.size(); ++i) {
    auto chunk = StagedChunk::from_bytes(staged[i], actors);
    if (!chunk) return tl::unexpected(chunk.error());
    if (pass.chunks.empty() ? !chunk->new_round : !chunk->version.includes(pass.version())) return damaged();
    pass.stage(std::move(*chunk));
  }
  return pass;
}

}  // namespace syncline
