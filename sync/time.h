// Time as the core sees it: told with each call, never read.
#pragma once

#include <chrono>

namespace syncline {

struct Time {
  std::chrono::milliseconds monotonic{0};  // Never goes back; deadlines and intervals.
  std::chrono::milliseconds wall{0};       // Since 1970; only for timestamps.
};

}  // namespace syncline
