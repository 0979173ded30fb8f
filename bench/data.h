// The inputs of the workloads: the same bytes for every library that is measured.
//
// mulberry32 with 32-bit arithmetic; strings take four characters of six bits
// from each output, low bits first, blobs four bytes, little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace syncline::bench {

class Mulberry32 {
 public:
  explicit Mulberry32(std::uint32_t seed) : state_(seed) {}

  std::uint32_t next() {
    state_ += 0x6d2b'79f5U;
    std::uint32_t mixed = (state_ ^ (state_ >> 15)) * (1U | state_);
    mixed = (mixed + (mixed ^ (mixed >> 7)) * (61U | mixed)) ^ mixed;
    return mixed ^ (mixed >> 14);
  }

 private:
  std::uint32_t state_;
};

// `count` strings of `chars` characters, a multiple of four.
inline std::vector<std::string> strings(std::size_t count, std::size_t chars, std::uint32_t seed) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  Mulberry32 random(seed);
  std::vector<std::string> made(count);
  for (std::string& text : made) {
    text.reserve(chars);
    while (text.size() < chars) {
      const std::uint32_t bits = random.next();
      for (unsigned shift = 0; shift < 24; shift += 6) text.push_back(alphabet[(bits >> shift) & 63U]);
    }
  }
  return made;
}

// `count` byte strings of `size` bytes, a multiple of four.
inline std::vector<std::string> blobs(std::size_t count, std::size_t size, std::uint32_t seed) {
  Mulberry32 random(seed);
  std::vector<std::string> made(count);
  for (std::string& bytes : made) {
    bytes.reserve(size);
    while (bytes.size() < size) {
      const std::uint32_t bits = random.next();
      for (unsigned shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(bits >> shift));
    }
  }
  return made;
}

// FNV-1a with 32 bits, by which generators in other languages are compared.
inline std::uint32_t fnv1a(std::string_view bytes, std::uint32_t hash = 0x811c'9dc5U) {
  for (const char byte : bytes) hash = (hash ^ static_cast<std::uint8_t>(byte)) * 0x0100'0193U;
  return hash;
}

// What a map entry of the workloads takes without any framing: key and value.
constexpr std::size_t key_chars = 16;
constexpr std::size_t value_bytes = 32;
constexpr std::size_t entry_bytes = key_chars + value_bytes;

}  // namespace syncline::bench
