// Inputs of frame_fuzz to start from.
#pragma once

#include <cstdint>
#include <string>

namespace syncline::test {

// A connection of a few random messages.
std::string frame_fuzz_seed(std::uint64_t seed);

}  // namespace syncline::test
