// The few integer encodings that everything canonical is made of. Bytes are
// held in std::string and read through std::string_view.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace syncline {

// LEB128: seven bits a byte, low bits first.
inline constexpr std::size_t varint_bytes_max = 10;

// Writes at most `varint_bytes_max` bytes there; how many.
inline std::size_t write_varint(char* to, std::uint64_t value) {
  std::size_t size = 0;
  while (value >= 0x80) {
    to[size++] = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  to[size++] = static_cast<char>(value);
  return size;
}

inline void put_varint(std::string& out, std::uint64_t value) {
  char buffer[varint_bytes_max];
  out.append(buffer, write_varint(buffer, value));
}

// Small numbers of either sign become small numbers: 0, -1, 1, -2... as 0, 1, 2, 3...
// Differences are taken modulo 2^64, so every pair of numbers has one.
constexpr std::uint64_t zigzag(std::uint64_t difference) {
  return (difference << 1) ^ (0 - (difference >> 63));
}
constexpr std::uint64_t unzigzag(std::uint64_t coded) { return (coded >> 1) ^ (0 - (coded & 1)); }

// Reads from bytes of unknown origin: each call says whether it was there.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  std::size_t left() const { return bytes_.size(); }
  std::string_view rest() const { return bytes_; }

  // The next LEB128 number. Nothing if it is cut short, over 64 bits or longer than need be.
  std::optional<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes_.size() && i < 10; ++i) {
      const auto byte = static_cast<std::uint8_t>(bytes_[i]);
      if (i == 9 && byte > 1) return std::nullopt;
      value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
      if (byte < 0x80) {
        if (byte == 0 && i > 0) return std::nullopt;  // Not the shortest form, so not canonical.
        bytes_.remove_prefix(i + 1);
        return value;
      }
    }
    return std::nullopt;
  }

  // The next `count` bytes, as a view into what is read.
  std::optional<std::string_view> take(std::uint64_t count) {
    if (count > bytes_.size()) return std::nullopt;
    const std::string_view taken = bytes_.substr(0, static_cast<std::size_t>(count));
    bytes_.remove_prefix(taken.size());
    return taken;
  }

 private:
  std::string_view bytes_;
};

}  // namespace syncline
