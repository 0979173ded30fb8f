// Cutting a stream into frames, and messages that take several.
#include <gtest/gtest.h>

#include "tests/wire/messages.h"
#include "wire/codec.h"

namespace syncline {
namespace {

using test::decode_all;
using test::describe;
using test::frame_header_bytes;
using test::make_frame;
using test::MessageBox;
using test::Random;
using test::random_message;

std::string joined(const std::vector<std::string>& frames) {
  std::string stream;
  for (const std::string& frame : frames) stream += frame;
  return stream;
}

std::vector<std::string> some_frames() {
  Random random(5);
  MessageBox box;
  Encoder encoder;
  std::vector<std::string> frames;
  for (std::size_t index = 0; index < std::variant_size_v<Message>; ++index) {
    for (std::string& frame : encoder.encode(random_message(random, box, index, 3))) {
      frames.push_back(std::move(frame));
    }
  }
  return frames;
}

// All frames that are there now.
std::vector<std::string> taken(FrameSplitter& splitter) {
  std::vector<std::string> frames;
  for (;;) {
    const auto frame = splitter.next();
    EXPECT_TRUE(frame);
    if (!frame || !frame->has_value()) return frames;
    frames.emplace_back(**frame);
  }
}

TEST(FrameSplitter, FindsTheFramesWhereverTheStreamIsCut) {
  const auto frames = some_frames();
  const std::string stream = joined(frames);
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    FrameSplitter splitter;
    splitter.feed(std::string_view(stream).substr(0, cut));
    auto found = taken(splitter);
    splitter.feed(std::string_view(stream).substr(cut));
    for (std::string& frame : taken(splitter)) found.push_back(std::move(frame));
    ASSERT_EQ(found, frames) << cut;
  }
}

TEST(FrameSplitter, FindsTheFramesByteByByte) {
  const auto frames = some_frames();
  FrameSplitter splitter;
  std::vector<std::string> found;
  for (const char byte : joined(frames)) {
    splitter.feed({&byte, 1});
    for (std::string& frame : taken(splitter)) found.push_back(std::move(frame));
  }
  EXPECT_EQ(found, frames);
}

// The length alone condemns it: no byte of its body is waited for.
TEST(FrameSplitter, RefusesALengthOutOfRangeAtOnce_R_RES_4) {
  const WireLimits limits{.frame_bytes_max = 1000};
  for (const std::size_t length : {std::size_t{0}, std::size_t{7}, std::size_t{1001}}) {
    std::string frame(frame_header_bytes, '\0');
    frame[0] = static_cast<char>(length & 0xff);
    frame[1] = static_cast<char>(length >> 8);
    FrameSplitter splitter(limits);
    splitter.feed(frame);
    const auto found = splitter.next();
    ASSERT_FALSE(found) << length;
    EXPECT_EQ(found.error().code, Errc::malformed);
  }
}

TEST(Frame, LargeMessagesTakeSeveralAndAreJoined) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    for (std::size_t frame_bytes_max = frame_header_bytes + 1; frame_bytes_max < 300; frame_bytes_max += 13) {
      const WireLimits limits{.frame_bytes_max = frame_bytes_max};
      Random random(seed);
      MessageBox box;
      Encoder encoder(limits);
      Decoder decoder(limits);
      decoder.accept_all();
      for (std::size_t index = 0; index < std::variant_size_v<Message>; ++index) {
        const Message message = random_message(random, box, index, 5);
        const auto frames = encoder.encode(message);
        for (const std::string& frame : frames) ASSERT_LE(frame.size(), frame_bytes_max);
        const auto decoded = decode_all(decoder, frames);
        ASSERT_TRUE(decoded) << to_string(decoded.error());
        ASSERT_EQ(describe(decoded->message), describe(message));
      }
    }
  }
}

TEST(Frame, DefaultLimitCarriesAValueOf64KiBInOneFrame) {
  MessageBox box;
  const RowView row{.leaf = std::string_view("k\0\x01\x04\0\x01", 6),
                    .has_payload = true,
                    .payload = box.keep(std::string(64 * 1024, 'v'))};
  Encoder encoder;
  EXPECT_EQ(encoder.encode(Push{.changes = {{.first = 1, .rows = {&row, 1}}}}).size(), 1U);
}

struct Cut : ::testing::Test {
  Cut() {
    decoder.accept_all();
    frames = encoder.encode(Bye{1, std::string(200, 'r')});
  }
  WireLimits limits{.frame_bytes_max = 64, .message_bytes_max = 400};
  Encoder encoder{limits};
  Decoder decoder{limits};
  std::vector<std::string> frames;
};

TEST_F(Cut, AnotherMessageInBetweenIsMalformed) {
  ASSERT_TRUE(decoder.decode(frames[0]));
  const auto other = decoder.decode(encoder.encode(Tick{{1, 2}}).front());
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::malformed);
}

TEST_F(Cut, AMissingFrameIsAnError) {
  ASSERT_TRUE(decoder.decode(frames[0]));
  ASSERT_GT(frames.size(), 3U);
  ASSERT_TRUE(decoder.decode(frames[2]));
  bool failed = false;
  for (std::size_t i = 3; i < frames.size() && !failed; ++i) failed = !decoder.decode(frames[i]);
  EXPECT_TRUE(failed);
}

TEST_F(Cut, AMessageWithoutEndIsRefused_R_RES_4) {
  for (std::size_t bytes = 0;; bytes += frames[0].size() - frame_header_bytes) {
    ASSERT_LE(bytes, limits.message_bytes_max);
    const auto decoded = decoder.decode(frames[0]);
    if (decoded) continue;
    EXPECT_EQ(decoded.error().code, Errc::limit);
    break;
  }
}

TEST_F(Cut, EmptyFramesAreMalformed) {
  const auto decoded = decoder.decode(make_frame(10, "", true));
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, Errc::malformed);
}

TEST(Frame, OnlyASmallHelloComesFirst) {
  Random random(6);
  MessageBox box;
  for (std::size_t index = 1; index < std::variant_size_v<Message>; ++index) {
    Encoder encoder;
    Decoder decoder;
    const auto decoded = decoder.decode(encoder.encode(random_message(random, box, index, 3)).front());
    ASSERT_FALSE(decoded) << index;
    EXPECT_EQ(decoded.error().code, Errc::malformed);
  }
  Encoder encoder;
  Decoder decoder;
  EXPECT_TRUE(decoder.decode(encoder.encode(Hello{.cluster = "corner-shop"}).front()));
  EXPECT_FALSE(decoder.decode(encoder.encode(Hello{.cluster = std::string(4096, 'c')}).front()));
  Encoder cutting({.frame_bytes_max = 40});
  EXPECT_FALSE(Decoder().decode(cutting.encode(Hello{.cluster = "corner-shop"}).front()));
}

}  // namespace
}  // namespace syncline
