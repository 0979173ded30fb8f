// How much a test does: SYNCLINE_TEST_SCALE is small (sanitizers), full (also
// when unset), deep or soak.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <string_view>

namespace syncline {

enum class Scale { small, full, deep, soak };

inline Scale test_scale() {
  const char* text = std::getenv("SYNCLINE_TEST_SCALE");
  const std::string_view name = text != nullptr ? text : "full";
  if (name == "small") return Scale::small;
  if (name == "deep") return Scale::deep;
  if (name == "soak") return Scale::soak;
  return Scale::full;
}

// A number of runs: `full`, a fiftieth of it when small, twenty times deep, two hundred times to soak.
inline std::size_t scaled(std::size_t full) {
  switch (test_scale()) {
    case Scale::small:
      return full / 50;
    case Scale::deep:
      return full * 20;
    case Scale::soak:
      return full * 200;
    case Scale::full:
      break;
  }
  return full;
}

}  // namespace syncline
