// Names: of the one who writes, and of each thing written.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "crdt/export.h"

namespace syncline {

// The 128-bit id under which one incarnation of a store writes to one
// keyspace. Drawn at random, never reused (I5). Ordered by its bytes.
struct ActorId {
  static constexpr std::size_t size_bytes = 16;
  std::array<std::uint8_t, size_bytes> bytes{};

  // By words: ids are compared more often than anything else, and a call costs more than that.
  friend std::strong_ordering operator<=>(const ActorId& a, const ActorId& b) {
    const auto first = a.word(0) <=> b.word(0);
    return first != 0 ? first : a.word(8) <=> b.word(8);
  }
  friend bool operator==(const ActorId& a, const ActorId& b) {
    return a.word(0) == b.word(0) && a.word(8) == b.word(8);
  }

  // The 16 bytes as they are.
  std::string_view view() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};  // Bytes as characters.
  }
  // The id in `bytes`, or nothing unless there are exactly 16.
  static std::optional<ActorId> from(std::string_view bytes) {
    if (bytes.size() != size_bytes) return std::nullopt;
    ActorId id;
    std::memcpy(id.bytes.data(), bytes.data(), size_bytes);
    return id;
  }

 private:
  // Eight bytes as a number that orders as they do.
  std::uint64_t word(std::size_t at) const {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    if constexpr (std::endian::native == std::endian::little) word = __builtin_bswap64(word);
    return word;
  }
};

// 32 lower-case hexadecimal digits.
SYNCLINE_EXPORT std::string to_string(const ActorId& actor);

// The name of one row of one change, for ever. Counters start at 1 and have no
// holes; 0 is no dot.
struct Dot {
  ActorId actor;
  std::uint64_t counter = 0;

  friend auto operator<=>(const Dot&, const Dot&) = default;
};

// The first eight digits of the actor, then the counter: "3fa81b02:17". For people.
SYNCLINE_EXPORT std::string to_string(const Dot& dot);

}  // namespace syncline

template <>
struct std::hash<syncline::ActorId> {
  std::size_t operator()(const syncline::ActorId& id) const noexcept {
    std::size_t h = 0;
    std::memcpy(&h, id.bytes.data(), sizeof h);  // Random already.
    return h;
  }
};
