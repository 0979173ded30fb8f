// Writes inputs of frame_fuzz to start from into the folder given.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/fuzz/frame_fuzz_seeds.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 1;
  }
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    std::ofstream(folder / std::to_string(seed), std::ios::binary) << syncline::test::frame_fuzz_seed(seed);
  }
  return 0;
}
