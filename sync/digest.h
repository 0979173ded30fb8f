// The hashes behind digest pairs. Published and unkeyed: they find accidents.
#pragma once

#include <cstdint>
#include <string_view>

#include "crdt/dot.h"
#include "wire/message.h"

namespace syncline {

// Sums modulo 2^128, so that a digest follows each row in O(1).
inline Digest& operator+=(Digest& sum, const Digest& term) {
  sum.low += term.low;
  sum.high += term.high + (sum.low < term.low ? 1 : 0);
  return sum;
}
inline Digest& operator-=(Digest& sum, const Digest& term) {
  sum.high -= term.high + (sum.low < term.low ? 1 : 0);
  sum.low -= term.low;
  return sum;
}

// H(actor, counter): one entry of a version.
Digest hash_entry(const ActorId& actor, std::uint64_t counter);
// What the hashes of all dots at one leaf share.
struct LeafHash {
  LeafHash(std::string_view leaf);  // Not explicit: it stands for the leaf.

  std::uint64_t hash;
  std::uint64_t size;
};
// H(leaf, actor, counter, payload): one live dot.
Digest hash_live(const LeafHash& leaf, const ActorId& actor, std::uint64_t counter, std::uint64_t stamp,
                 std::string_view payload);
// 64 bits of anything, for telling changes apart and for drawing ids.
std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed);

}  // namespace syncline
