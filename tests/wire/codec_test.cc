// Every message survives the wire, whatever is in it.
#include "wire/codec.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "crdt/leaf_key.h"
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

// Orders of a shop, or bytes that look like nothing.
Chunk chunk_of(MessageBox& box, std::size_t leaves, bool text) {
  Random random(1);
  Chunk chunk;
  for (std::size_t i = 0; i < leaves; ++i) {
    const std::string number = std::to_string(100'000 + i);
    const std::string payload = R"({"order":)" + number + R"(,"state":"delivered","paid":true,"cents":)" +
                                std::to_string(random.below(100'000)) + "}";
    const std::string key = text ? "order-" + number : random.bytes(16);
    chunk.leaves.push_back({box.keep(leaf_key("orders", Type::lww_map, key)),
                            box.keep(std::vector<IndexedLiveDot>{
                                {{0, i + 1}, i << 20, box.keep(text ? payload : random.bytes(32))}})});
  }
  std::sort(chunk.leaves.begin(), chunk.leaves.end(),
            [](const LeafView& a, const LeafView& b) { return a.leaf < b.leaf; });
  return chunk;
}

std::size_t bytes_of(const std::vector<std::string>& frames) {
  std::size_t bytes = 0;
  for (const std::string& frame : frames) bytes += frame.size();
  return bytes;
}

TEST(Codec, ChunksAreCompressedWhereItPaysAndThePeerReadsIt) {
  MessageBox box;
  for (const std::size_t leaves : {5U, 20U, 2'000U})
    for (const bool text : {false, true}) {
      SCOPED_TRACE(testing::Message() << leaves << (text ? " of text" : " of noise"));
      const Chunk chunk = chunk_of(box, leaves, text);
      Encoder plain, compressing;
      compressing.compress_chunks();
      const auto as_it_is = plain.encode(chunk);
      const auto frames = compressing.encode(chunk);
      if (text && leaves > 5) {
        EXPECT_LT(bytes_of(frames) * 2, bytes_of(as_it_is));
      } else {
        EXPECT_EQ(frames, as_it_is);
      }
      Decoder decoder = open_decoder();
      const auto decoded = decode_all(decoder, frames);
      ASSERT_TRUE(decoded) << to_string(decoded.error());
      EXPECT_EQ(describe(decoded->message), describe(chunk));
    }
}

// Whatever is in it; most of these are too small to be compressed, some aren't.
TEST(Codec, DecodesWhatWasCompressed) {
  std::size_t smaller = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    MessageBox box;
    Encoder encoder, plain;
    encoder.compress_chunks();
    Decoder decoder = open_decoder();
    for (int i = 0; i < 4; ++i) {
      const Message message = random_message(random, box, Message(Chunk()).index(), 1 + random.below(400));
      const auto frames = encoder.encode(message);
      if (bytes_of(frames) < bytes_of(plain.encode(message))) ++smaller;
      const auto decoded = decode_all(decoder, frames);
      ASSERT_TRUE(decoded) << to_string(decoded.error()) << "\n" << describe(message);
      ASSERT_EQ(describe(decoded->message), describe(message));
    }
  }
  EXPECT_GT(smaller, 10U);
}

// A byte for a counter, and next to none for an actor.
TEST(Codec, AVersionOfManyWritersIsSmall) {
  Status status;
  for (std::uint32_t actor = 0; actor < 100; ++actor) status.version.push_back({actor, 51});
  Encoder encoder;
  EXPECT_LE(encoder.encode(status).front().size(), 140U);
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
