// Keys compared by eight bytes at a time: the "heads" of sync/leaf_table.h.
//
// Internal to sync/.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace syncline {

inline std::uint64_t load_big_endian(const char* bytes) {
  std::uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  if constexpr (std::endian::native == std::endian::little) word = __builtin_bswap64(word);
  return word;
}

// The eight bytes of `key` from `from` on as a number, zeros after its end.
inline std::uint64_t head_of(std::string_view key, std::size_t from) {
  if (from + 8 <= key.size()) return load_big_endian(key.data() + from);
  if (from >= key.size()) return 0;
  const std::size_t left = key.size() - from;
  if (key.size() >= 8) return load_big_endian(key.data() + key.size() - 8) << (8 * (8 - left));
  char padded[8] = {};
  std::memcpy(padded, key.data() + from, left);
  return load_big_endian(padded);
}

// How many bytes both begin with.
inline std::size_t common_prefix(std::string_view a, std::string_view b) {
  const std::size_t size = std::min(a.size(), b.size());
  std::size_t at = 0;
  for (; at + 8 <= size; at += 8) {
    const std::uint64_t difference = load_big_endian(a.data() + at) ^ load_big_endian(b.data() + at);
    if (difference != 0) return at + static_cast<std::size_t>(std::countl_zero(difference)) / 8;
  }
  while (at < size && a[at] == b[at]) ++at;
  return at;
}

}  // namespace syncline
