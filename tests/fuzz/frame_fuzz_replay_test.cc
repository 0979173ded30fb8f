// The fuzz target on seeds and on mutations of them, with any compiler.
#include <gtest/gtest.h>

#include "tests/fuzz/frame_fuzz_seeds.h"
#include "tests/wire/messages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace syncline {
namespace {

void run(const std::string& input) {
  // A flaw aborts: the seed is in the trace above.
  EXPECT_EQ(LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size()), 0);
}

TEST(FrameFuzz, SeedsAndTheirMutationsHaveNoFlaw) {
  test::Random random(1);
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    const std::string whole = test::frame_fuzz_seed(seed);
    run(whole);
    for (int mutation = 0; mutation < 30; ++mutation) {
      std::string input = whole;
      for (std::uint64_t edits = 1 + random.below(3); edits > 0; --edits) {
        const std::size_t at = random.below(input.size());
        switch (random.below(3)) {
          case 0:
            input[at] = static_cast<char>(input[at] ^ (1 << random.below(8)));
            break;
          case 1:
            input[at] = static_cast<char>(random.skewed());
            break;
          default:
            input.insert(at, random.bytes(1 + random.below(8)));
        }
      }
      run(input);
    }
  }
}

}  // namespace
}  // namespace syncline
