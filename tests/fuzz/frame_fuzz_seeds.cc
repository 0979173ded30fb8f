#include "tests/fuzz/frame_fuzz_seeds.h"

#include "tests/wire/messages.h"

namespace syncline::test {

std::string frame_fuzz_seed(std::uint64_t seed) {
  Random random(seed);
  MessageBox box;
  Encoder encoder({.frame_bytes_max = random.one_in(4) ? 100U : 60'000U});
  const bool compresses = random.one_in(2);
  if (compresses) encoder.compress_chunks();
  std::string input;
  for (std::uint64_t messages = 1 + random.below(4); messages > 0; --messages) {
    const std::size_t kind = random.below(std::variant_size_v<Message>);
    for (const std::string& frame :
         encoder.encode(random_message(random, box, kind, 1 + random.below(compresses ? 60 : 10)))) {
      const std::size_t bytes = frame.size() - frame_header_bytes;
      input += {frame[3], static_cast<char>(bytes & 0xff), static_cast<char>(bytes >> 8)};
      input.append(frame, frame_header_bytes);
    }
  }
  return input;
}

}  // namespace syncline::test
