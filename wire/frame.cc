#include "wire/frame.h"

#include <xxhash.h>

#include <bit>
#include <cstring>

#include "crdt/error.h"
#include "wire/codec.h"

namespace syncline {
namespace {

constexpr unsigned type_shift = 24;
constexpr std::uint32_t continued_bit = 0x80000000;

std::uint32_t little_endian(std::uint32_t value) {
  if constexpr (std::endian::native == std::endian::big) return __builtin_bswap32(value);
  return value;
}

std::uint32_t u32_at(const char* bytes) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return little_endian(value);
}

void put_u32(char* bytes, std::uint32_t value) {
  value = little_endian(value);
  std::memcpy(bytes, &value, sizeof value);
}

}  // namespace

FrameHeader read_frame_header(std::string_view bytes) {
  const std::uint32_t first = u32_at(bytes.data());
  return {.frame_bytes = first & FrameHeader::frame_bytes_max,
          .type = static_cast<std::uint8_t>((first & ~continued_bit) >> type_shift),
          .continued = (first & continued_bit) != 0,
          .checksum = u32_at(bytes.data() + 4)};
}

void write_frame_header(FrameHeader header, char* frame) {
  put_u32(frame, static_cast<std::uint32_t>(header.frame_bytes) |
                     (static_cast<std::uint32_t>(header.type) << type_shift) |
                     (header.continued ? continued_bit : 0));
  put_u32(frame + 4, frame_checksum({frame, header.frame_bytes}));
}

std::uint32_t frame_checksum(std::string_view frame) {
  return static_cast<std::uint32_t>(XXH3_64bits_withSeed(
      frame.data() + FrameHeader::size_bytes, frame.size() - FrameHeader::size_bytes, u32_at(frame.data())));
}

void FrameSplitter::feed(std::string_view bytes) {
  // What was taken is dropped once it outweighs what is left, so that a byte moves at most once on average.
  if (taken_ > buffer_.size() - taken_) {
    buffer_.erase(0, taken_);
    taken_ = 0;
  }
  buffer_.append(bytes);
}

Result<std::optional<std::string_view>> FrameSplitter::next() {
  const std::string_view left = std::string_view(buffer_).substr(taken_);
  if (left.size() < FrameHeader::size_bytes) return std::nullopt;
  const std::size_t frame_bytes = read_frame_header(left).frame_bytes;
  if (frame_bytes < FrameHeader::size_bytes || frame_bytes > limits_.frame_bytes_max) {
    return failure(Errc::malformed, "frame: length " + std::to_string(frame_bytes) + " out of range");
  }
  if (left.size() < frame_bytes) return std::nullopt;
  taken_ += frame_bytes;
  return left.substr(0, frame_bytes);
}

}  // namespace syncline
