// The clocks of one simulated machine: a monotonic one that may drift, and a
// wall clock that may also be stepped or stand still.
#pragma once

#include <chrono>
#include <cstdint>

#include "sync/time.h"
#include "tests/sim/schedule.h"

namespace syncline::sim {

class Clock {
 public:
  // What the clocks say at this moment of virtual time.
  Time read(Micros now) const;
  // When the monotonic clock will say `monotonic`; at the earliest `now`. Very late for milliseconds::max().
  Micros due(std::chrono::milliseconds monotonic, Micros now) const;

  // From now on so many millionths faster, or slower if negative.
  void drift(std::int64_t parts_per_million, Micros now);
  // Puts the wall clock so far ahead of the true time, or behind it if negative.
  void step(std::chrono::milliseconds by) { wall_offset_ = true_offset + by; }
  // The wall clock stands still, or goes on from where it stood.
  void freeze(bool still, Micros now);
  bool frozen() const { return frozen_; }

 private:
  static constexpr std::chrono::milliseconds true_offset{1'735'689'600'000};  // A run starts in 2025.

  std::int64_t monotonic_micros(Micros now) const;

  Micros since_ = 0;               // The rate holds from here...
  std::int64_t at_since_ = 0;      // ...where the monotonic clock said this many microseconds.
  std::int64_t rate_ = 1'000'000;  // Local microseconds in a second of virtual time.
  std::chrono::milliseconds wall_offset_ = true_offset;
  bool frozen_ = false;
  std::chrono::milliseconds still_{0};  // The monotonic time at which the wall clock stopped.
};

}  // namespace syncline::sim
