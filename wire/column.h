// Columns: many integers of one kind, in few bytes.
//
// A column doesn't hold its own count; reader and writer know it. No value
// takes no bytes, one value is a varint, more are blocks after each other. A
// block is a varint, (count << 2) | kind, and then
//   literal  `count` varints;
//   run      one varint, which stands `count` times;
//   packed   the least value as a varint, a width in bits as a byte, and the
//            differences to the least, `width` bits each, low bits first.
// After the hybrid of Apache Parquet, with a frame of reference (Zukowski et
// al., "Super-Scalar RAM-CPU Cache Compression", 2006) in place of bare bits.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <span>
#include <string>
#include <vector>

#include "crdt/bytes.h"

namespace syncline {

// How a writer chooses. Any reader takes both.
enum class ColumnForm : std::uint8_t {
  compact,  // The smallest of the three, block by block.
  literal,  // At least one byte a value.
};

// The values of a column.
using Column = std::pmr::vector<std::uint64_t>;

// Where the columns of one message lie: those of a small one on the stack. Not to be copied, for they point
// here.
class ColumnMemory {
 public:
  ColumnMemory() = default;
  ColumnMemory(const ColumnMemory&) = delete;
  ColumnMemory& operator=(const ColumnMemory&) = delete;
  std::pmr::memory_resource* get() { return &resource_; }

 private:
  std::byte bytes_[1'024];
  std::pmr::monotonic_buffer_resource resource_{bytes_, sizeof bytes_, std::pmr::new_delete_resource()};
};

namespace column {

enum class Kind : std::uint8_t { literal = 0, run = 1, packed = 2 };

inline constexpr std::size_t run_min = 8;         // Shorter runs cost more in headers than they save.
inline constexpr std::size_t block_values = 256;  // So that one outlier widens few others.

constexpr std::size_t varint_bytes(std::uint64_t value) {
  return (static_cast<std::size_t>(std::bit_width(value | 1)) + 6) / 7;
}

inline std::uint64_t little_endian(std::uint64_t value) {
  if constexpr (std::endian::native == std::endian::big) return __builtin_bswap64(value);
  return value;
}

inline void put_header(std::string& out, std::size_t count, Kind kind) {
  put_varint(out, (std::uint64_t{count} << 2) | static_cast<std::uint64_t>(kind));
}

inline void put_literals(std::string& out, std::span<const std::uint64_t> values) {
  put_header(out, values.size(), Kind::literal);
  for (const std::uint64_t value : values) put_varint(out, value);
}

inline void put_run(std::string& out, std::size_t count, std::uint64_t value) {
  put_header(out, count, Kind::run);
  put_varint(out, value);
}

inline void put_packed(std::string& out, std::span<const std::uint64_t> values, std::uint64_t least,
                       unsigned width) {
  put_header(out, values.size(), Kind::packed);
  put_varint(out, least);
  out.push_back(static_cast<char>(width));
  std::uint64_t word = 0;
  unsigned used = 0;  // Bits of `word`; below 64.
  const auto flush = [&](std::size_t bytes) {
    const std::uint64_t little = little_endian(word);
    char buffer[8];
    std::memcpy(buffer, &little, sizeof buffer);
    out.append(buffer, bytes);
  };
  for (const std::uint64_t value : values) {
    const std::uint64_t difference = value - least;
    word |= difference << used;
    if (used + width < 64) {
      used += width;
      continue;
    }
    flush(8);
    word = used == 0 ? 0 : difference >> (64 - used);
    used = used + width - 64;
  }
  flush((used + 7) / 8);
}

// Values without a long run: whichever kind is smallest.
inline void put_block(std::string& out, std::span<const std::uint64_t> values) {
  if (values.empty()) return;
  std::uint64_t least = values.front();
  std::uint64_t greatest = values.front();
  std::size_t literal_bytes = 0;
  for (const std::uint64_t value : values) {
    least = std::min(least, value);
    greatest = std::max(greatest, value);
    literal_bytes += varint_bytes(value);
  }
  if (least == greatest) return put_run(out, values.size(), least);
  const auto width = static_cast<unsigned>(std::bit_width(greatest - least));
  const std::size_t packed_bytes = varint_bytes(least) + 1 + (values.size() * width + 7) / 8;
  if (packed_bytes < literal_bytes) return put_packed(out, values, least, width);
  put_literals(out, values);
}

inline bool take_packed(ByteReader& in, std::span<std::uint64_t> values) {
  const auto least = in.varint();
  if (!least) return false;
  const auto width_byte = in.take(1);
  if (!width_byte) return false;
  const auto width = static_cast<std::uint8_t>(width_byte->front());
  if (width == 0 || width > 64) return false;
  // No overflow: the count was checked against the bytes that hold the column.
  const auto bytes = in.take((values.size() * width + 7) / 8);
  if (!bytes) return false;
  const std::uint64_t mask = ~std::uint64_t{0} >> (64 - width);
  std::size_t bit = 0;
  for (std::uint64_t& value : values) {
    const std::size_t at = bit / 8;
    const unsigned shift = bit % 8;
    std::uint64_t word = 0;
    if (at + 8 <= bytes->size()) {
      std::memcpy(&word, bytes->data() + at, 8);
    } else {
      std::memcpy(&word, bytes->data() + at, bytes->size() - at);
    }
    word = little_endian(word) >> shift;
    if (shift + width > 64) {
      word |= static_cast<std::uint64_t>(static_cast<std::uint8_t>((*bytes)[at + 8])) << (64 - shift);
    }
    value = *least + (word & mask);
    bit += width;
  }
  return true;
}

}  // namespace column

// Appends `values` as a column. O(values).
inline void put_column(std::string& out, std::span<const std::uint64_t> values,
                       ColumnForm form = ColumnForm::compact) {
  if (values.empty()) return;
  if (values.size() == 1) return put_varint(out, values.front());
  if (form == ColumnForm::literal) return column::put_literals(out, values);
  std::size_t begin = 0;  // Of what isn't written yet.
  std::size_t at = 0;
  while (at < values.size()) {
    std::size_t end = at + 1;
    while (end < values.size() && values[end] == values[at]) ++end;
    if (end - at >= column::run_min) {
      column::put_block(out, values.subspan(begin, at - begin));
      column::put_run(out, end - at, values[at]);
      begin = end;
    } else if (end - begin >= column::block_values) {
      column::put_block(out, values.subspan(begin, end - begin));
      begin = end;
    }
    at = end;
  }
  column::put_block(out, values.subspan(begin));
}

// Fills `values` from a column of as many. False unless it is one. The caller
// has checked that the count is no more than it will hold memory for.
[[nodiscard]] inline bool take_column(ByteReader& in, std::span<std::uint64_t> values) {
  if (values.empty()) return true;
  if (values.size() == 1) {
    const auto value = in.varint();
    if (!value) return false;
    values.front() = *value;
    return true;
  }
  while (!values.empty()) {
    const auto header = in.varint();
    if (!header) return false;
    const std::uint64_t count = *header >> 2;
    if (count == 0 || count > values.size()) return false;
    const auto block = values.first(static_cast<std::size_t>(count));
    switch (static_cast<column::Kind>(*header & 3)) {
      case column::Kind::literal:
        for (std::uint64_t& value : block) {
          const auto read = in.varint();
          if (!read) return false;
          value = *read;
        }
        break;
      case column::Kind::run: {
        const auto value = in.varint();
        if (!value) return false;
        std::fill(block.begin(), block.end(), *value);
        break;
      }
      case column::Kind::packed:
        if (!column::take_packed(in, block)) return false;
        break;
      default:
        return false;
    }
    values = values.subspan(block.size());
  }
  return true;
}

}  // namespace syncline
