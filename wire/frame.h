// The eight bytes before each frame's body. Private to the codec.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace syncline {

// Numbers are part of the protocol and never change.
enum class MessageType : std::uint8_t {
  hello = 1,
  keyspaces = 2,
  tick = 3,
  status = 4,
  push = 5,
  want = 6,
  chunk = 7,
  refuse = 8,
  addresses = 9,
  bye = 10,
  cut = 11,
  ranges = 12,
  sketch = 13,
  more_symbols = 14,
  ask = 15,
};

// Length with header in the low 24 bits, type in the next seven, then whether
// the message goes on in the next frame. Behind it, the checksum.
struct FrameHeader {
  static constexpr std::size_t size_bytes = 8;
  static constexpr std::size_t frame_bytes_max = (std::size_t{1} << 24) - 1;  // What 24 bits hold.

  std::size_t frame_bytes = 0;
  std::uint8_t type = 0;
  bool continued = false;
  std::uint32_t checksum = 0;
};

// The header at the start of `bytes`, of which there are at least eight.
FrameHeader read_frame_header(std::string_view bytes);

// Writes the header of a frame over its first eight bytes; the body is there
// already. Fills in the checksum.
void write_frame_header(FrameHeader header, char* frame);

// The low half of XXH3-64 over the body, seeded with the header's first four
// bytes, so that it covers length and type, too.
std::uint32_t frame_checksum(std::string_view frame);

}  // namespace syncline
