#include "store/record_sums.h"

#include "crdt/bytes.h"

namespace syncline {

std::int64_t head_checksum(std::int64_t id, std::int64_t hlc, std::int64_t writer, std::int64_t leaves,
                           std::string_view name, std::string_view context, std::string_view state,
                           std::optional<std::string_view> frontier) {
  auto digests = hash_bytes(context, hash_bytes(state, 1));
  if (frontier) digests = hash_bytes(*frontier, digests);  // Heads of older formats have none.
  return record_checksum(name, id, hlc, writer, leaves, digests);
}

std::int64_t token_checksum(std::string_view keyspace, std::string_view token, std::int64_t number) {
  return record_checksum(token, number, hash_bytes(keyspace, 1));
}

std::string to_blob(const Digest& digest) {
  std::string blob;
  for (const std::uint64_t word : {digest.low, digest.high})
    for (int shift = 0; shift < 64; shift += 8) blob.push_back(static_cast<char>(word >> shift));
  return blob;
}

std::optional<Digest> to_digest(std::string_view blob) {
  if (blob.size() != 16) return std::nullopt;
  Digest digest;
  for (std::size_t i = 0; i < 16; ++i) {
    auto& word = i < 8 ? digest.low : digest.high;
    word |= std::uint64_t{static_cast<std::uint8_t>(blob[i])} << (8 * (i % 8));
  }
  return digest;
}

std::optional<std::string> to_blob(const std::vector<std::uint32_t>& frontier) {
  if (frontier.empty()) return std::nullopt;
  std::string blob;
  for (const std::uint32_t actor : frontier) put_varint(blob, actor);
  return blob;
}

std::optional<std::vector<std::uint32_t>> to_frontier(std::string_view blob) {
  std::vector<std::uint32_t> frontier;
  for (ByteReader in(blob); in.left() > 0;) {
    const auto actor = in.varint();
    if (!actor || *actor > ~std::uint32_t{0}) return std::nullopt;
    frontier.push_back(static_cast<std::uint32_t>(*actor));
  }
  return frontier;
}

}  // namespace syncline
