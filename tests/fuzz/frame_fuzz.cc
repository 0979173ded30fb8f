// Frames of any content on one connection: decoding them neither crashes nor
// yields a message with a flaw.
//
// The input is frames one after the other, each a byte of type (the top bit:
// continued), two bytes of body length (low first) and the body. Length and
// checksum are made right, so that all of a run goes into the parser.
//
// With clang and its libFuzzer:
//   cmake -S . -B build/fuzz -G Ninja -DCMAKE_CXX_COMPILER=clang++-14 -DSYNCLINE_FUZZ=ON
//         -DCMAKE_CXX_FLAGS="-fsanitize=fuzzer-no-link,address,undefined -g -O1" -DSYNCLINE_HARDENING=OFF
//   cmake --build build/fuzz --target frame_fuzz frame_fuzz_seeds
//   build/fuzz/tests/fuzz/frame_fuzz_seeds corpus && build/fuzz/tests/fuzz/frame_fuzz -rss_limit_mb=1024
//   corpus
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/wire/messages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);  // Bytes as characters.
  syncline::Decoder decoder;
  decoder.accept_all();
  while (input.size() >= 3) {
    const auto type = static_cast<std::uint8_t>(input[0]);
    const auto bytes = static_cast<std::size_t>(static_cast<std::uint8_t>(input[1]) |
                                                static_cast<std::uint8_t>(input[2]) << 8);
    input.remove_prefix(3);
    const std::string_view body = input.substr(0, bytes);
    input.remove_prefix(body.size());
    const auto decoded = decoder.decode(syncline::test::make_frame(type, body));
    if (!decoded) break;
    if (!decoded->has_value()) continue;
    const std::string flaw = syncline::test::flaw((*decoded)->message);
    if (flaw.empty()) continue;
    std::fprintf(stderr, "%s\n", flaw.c_str());
    std::abort();
  }
  return 0;
}
