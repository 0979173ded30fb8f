// Random numbers for tests: one seed, the same numbers everywhere. xoshiro256**
// by Blackman and Vigna, seeded by splitmix64; <random> differs between libraries.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace syncline {

class Random {
 public:
  explicit Random(std::uint64_t seed) {
    for (std::uint64_t& word : state_) word = mix(seed += 0x9e37'79b9'7f4a'7c15);
  }

  std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  // 0 ... count - 1. The bias of the remainder is below anything a test could see.
  std::size_t below(std::size_t count) { return static_cast<std::size_t>(next() % count); }
  // True `part` times in `whole`.
  bool chance(std::size_t part, std::size_t whole) { return below(whole) < part; }

 private:
  static std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
    z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
    return z ^ (z >> 31);
  }

  std::array<std::uint64_t, 4> state_;
};

}  // namespace syncline
