#include "sync/digest.h"

#include <bit>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace syncline {
namespace {

static_assert(std::endian::native == std::endian::little, "digests are defined over little-endian integers");

constexpr XXH64_hash_t seed = 0x73796e636c696e65;  // "syncline"

Digest digest_of(XXH128_hash_t hash) { return {hash.low64, hash.high64}; }

}  // namespace

Digest hash_entry(const ActorId& actor, std::uint64_t counter) {
  char bytes[ActorId::size_bytes + sizeof counter];
  std::memcpy(bytes, actor.bytes.data(), ActorId::size_bytes);
  std::memcpy(bytes + ActorId::size_bytes, &counter, sizeof counter);
  return digest_of(XXH3_128bits_withSeed(bytes, sizeof bytes, seed));
}

LeafHash::LeafHash(std::string_view leaf)
    : hash(XXH3_64bits_withSeed(leaf.data(), leaf.size(), seed)), size(leaf.size()) {}

Digest hash_live(const LeafHash& leaf, const ActorId& actor, std::uint64_t counter, std::uint64_t stamp,
                 std::string_view payload) {
  // Leaf and payload are hashed apart, so that nothing need be copied together.
  const std::uint64_t words[] = {
      counter,       stamp, leaf.hash, leaf.size, XXH3_64bits_withSeed(payload.data(), payload.size(), seed),
      payload.size()};
  char bytes[ActorId::size_bytes + sizeof words];
  std::memcpy(bytes, actor.bytes.data(), ActorId::size_bytes);
  std::memcpy(bytes + ActorId::size_bytes, words, sizeof words);
  return digest_of(XXH3_128bits_withSeed(bytes, sizeof bytes, seed));
}

std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t with) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), with ^ seed);
}

}  // namespace syncline
