// Messages to test the codec with, and how to compare them.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "wire/codec.h"
#include "wire/message.h"

namespace syncline::test {

// SplitMix64 (Steele, Lea, Flood, 2014): the same numbers everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  // Small mostly, now and then anything that 64 bits hold.
  std::uint64_t skewed() { return next() >> below(64); }
  std::string bytes(std::size_t count);

 private:
  std::uint64_t state_;
};

// Owns what the views of messages point into.
class MessageBox {
 public:
  std::string_view keep(std::string bytes) { return texts_.emplace_back(std::move(bytes)); }
  std::span<const IndexedDot> keep(std::vector<IndexedDot> dots) {
    return dots_.emplace_back(std::move(dots));
  }
  std::span<const RowView> keep(std::vector<RowView> rows) { return rows_.emplace_back(std::move(rows)); }
  std::span<const IndexedLiveDot> keep(std::vector<IndexedLiveDot> live) {
    return live_.emplace_back(std::move(live));
  }

 private:
  std::deque<std::string> texts_;
  std::deque<std::vector<IndexedDot>> dots_;
  std::deque<std::vector<RowView>> rows_;
  std::deque<std::vector<IndexedLiveDot>> live_;
};

// A message of the kind that `index` of Message has, with any content that is
// within the limits; about `size` rows or leaves.
Message random_message(Random& random, MessageBox& box, std::size_t index, std::size_t size);

// All of a message as text: equal texts, equal messages.
std::string describe(const Message& message);

// What is wrong with a message that came out of a Decoder: not well-formed as
// sync/ may rely on, or not the same after another trip. Empty if nothing is.
std::string flaw(const Message& message);

// The message in all its frames, which must be one message, or the error.
Result<Decoded> decode_all(Decoder& decoder, const std::vector<std::string>& frames);

// Frames made by hand, from docs/protocol.md rather than by our encoder.

inline constexpr std::size_t frame_header_bytes = 8;

// A frame around `body`, right length and checksum included.
std::string make_frame(std::uint8_t type, std::string_view body, bool continued = false);

// A frame whose Cap'n Proto struct has no data and one pointer, to `columns`: a Status or a Push.
std::string make_column_frame(std::uint8_t type, std::string_view columns);

// Makes the length and the checksum of a frame right again after its bytes were changed.
void reseal(std::string& frame);

// Eight bytes, the low ones first.
std::string little_endian_word(std::uint64_t word);

}  // namespace syncline::test
