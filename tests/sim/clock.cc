#include "tests/sim/clock.h"

#include <algorithm>

namespace syncline::sim {
namespace {

constexpr std::int64_t exact = 1'000'000;

}  // namespace

std::int64_t Clock::monotonic_micros(Micros now) const {
  const auto passed = static_cast<std::int64_t>(now - since_);
  // By whole seconds and the rest, so that centuries don't overflow.
  return at_since_ + passed / exact * rate_ + passed % exact * rate_ / exact;
}

Time Clock::read(Micros now) const {
  const std::chrono::milliseconds monotonic(monotonic_micros(now) / static_cast<std::int64_t>(millisecond));
  return Time{monotonic, wall_offset_ + (frozen_ ? still_ : monotonic)};
}

Micros Clock::due(std::chrono::milliseconds monotonic, Micros now) const {
  const auto far = static_cast<std::int64_t>(1) << 50;  // Some 35 years in microseconds.
  const std::int64_t local = std::min<std::int64_t>(monotonic.count(), far / 1'000) * 1'000;
  const std::int64_t wait = local - monotonic_micros(now);
  if (wait <= 0) return now;
  // Rounded up: at that moment the clock has reached it.
  return now + static_cast<Micros>(wait / rate_ * exact + (wait % rate_ * exact + rate_ - 1) / rate_ + 1);
}

void Clock::drift(std::int64_t parts_per_million, Micros now) {
  at_since_ = monotonic_micros(now);
  since_ = now;
  rate_ = exact + parts_per_million;
}

void Clock::freeze(bool still, Micros now) {
  if (still == frozen_) return;
  const std::chrono::milliseconds monotonic = read(now).monotonic;
  if (still) {
    still_ = monotonic;
  } else {
    wall_offset_ -= monotonic - still_;
  }
  frozen_ = still;
}

}  // namespace syncline::sim
