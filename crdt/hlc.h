// A hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014).
//
// Timestamps are 64 bits: milliseconds since 1970 in the upper 48, a logical
// counter below. A timestamp made here is above every one seen here, and close
// to the wall clock unless that went backwards. It orders; it never names.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace syncline {

class Hlc {
 public:
  using Millis = std::chrono::milliseconds;

  // Caller timestamps stay below this (DESIGN: 2^62); later ones are refused.
  static constexpr std::uint64_t stamp_max = std::uint64_t{1} << 62;

  // A clock that has seen `last` and takes part in no more than `drift_max` of
  // other clocks' being ahead of ours.
  explicit Hlc(Millis drift_max = std::chrono::minutes(10), std::uint64_t last = 0)
      : drift_max_(drift_max), last_(last) {}

  // The next timestamp: max(wall, last + 1).
  std::uint64_t next(Millis wall) {
    last_ = std::max(from_wall(wall), last_ + 1);
    return last_;
  }

  // Takes in a timestamp of another clock. False if it is further ahead of
  // `wall` than drift allows: such a one never advances this clock.
  bool observe(std::uint64_t stamp, Millis wall) {
    if (stamp > from_wall(wall + drift_max_)) return false;
    last_ = std::max(last_, stamp);
    return true;
  }

  // The greatest timestamp made or taken in; to be persisted with each commit.
  std::uint64_t last() const { return last_; }

  static std::uint64_t from_wall(Millis wall) {
    return wall.count() <= 0 ? 0 : static_cast<std::uint64_t>(wall.count()) << 16;
  }
  static Millis to_wall(std::uint64_t stamp) { return Millis(static_cast<std::int64_t>(stamp >> 16)); }

 private:
  Millis drift_max_;
  std::uint64_t last_;
};

}  // namespace syncline
