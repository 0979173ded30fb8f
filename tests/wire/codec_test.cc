// Every message survives the wire, whatever is in it.
#include "wire/codec.h"

#include <gtest/gtest.h>

#include "tests/wire/messages.h"

namespace syncline {
namespace {

using test::decode_all;
using test::describe;
using test::MessageBox;
using test::Random;
using test::random_message;

Decoder open_decoder(WireLimits limits = {}) {
  Decoder decoder(limits);
  decoder.accept_all();
  return decoder;
}

TEST(Codec, DecodesWhatWasEncoded) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    MessageBox box;
    Encoder encoder;
    Decoder decoder = open_decoder();
    for (int i = 0; i < 30; ++i) {  // One connection: each message is coded against those before it.
      const Message message =
          random_message(random, box, random.below(std::variant_size_v<Message>), 1 + random.below(40));
      const auto decoded = decode_all(decoder, encoder.encode(message));
      ASSERT_TRUE(decoded) << to_string(decoded.error()) << "\n" << describe(message);
      ASSERT_EQ(describe(decoded->message), describe(message));
    }
  }
}

// What acknowledging costs while one of up to eight members writes.
TEST(Codec, ACutOfOneBusyWriterIsSmall) {
  Encoder encoder;
  Cut cut{.members = 0x1122334455667788, .epoch = 5, .acknowledged = "\x03", .met = {{0, 900}}};
  EXPECT_EQ(encoder.encode(cut).front().size(), 42U);
  cut = {.members = cut.members, .epoch = 5, .floor = {{0, 900}}};
  EXPECT_EQ(encoder.encode(cut).front().size(), 39U);
}

}  // namespace
}  // namespace syncline
