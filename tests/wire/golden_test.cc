// Frames of this release, kept for all later ones: they are still decoded, and
// the same messages still make the same bytes.
//
// A file is never changed once released. A new encoding is a new protocol
// version, with files of its own beside these.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <sstream>

#include "crdt/leaf_key.h"
#include "tests/wire/messages.h"
#include "wire/codec.h"

namespace syncline {
namespace {

using test::decode_all;
using test::describe;
using test::MessageBox;

std::string file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string golden_path(const std::string& name) {
  return SYNCLINE_SOURCE_DIR "/tests/wire/golden/" + name + ".hex";
}

// Sixteen bytes a line.
std::string to_hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto value = static_cast<std::uint8_t>(bytes[i]);
    text += {digits[value >> 4], digits[value & 15], i % 16 == 15 || i + 1 == bytes.size() ? '\n' : ' '};
  }
  return text;
}

std::string from_hex(const std::string& text) {
  std::string bytes;
  std::istringstream in(text);
  for (std::string digits; in >> digits;) bytes.push_back(static_cast<char>(std::stoi(digits, nullptr, 16)));
  return bytes;
}

ActorId actor(std::uint8_t byte) {
  ActorId id;
  id.bytes.fill(byte);
  return id;
}

struct Golden {
  const char* name;
  Message message;
  bool compressed = false;  // Decoded for ever, but another version of the library makes other bytes.
};

constexpr std::uint64_t hlc = std::uint64_t{1'767'225'600'000} << 16;
constexpr DigestPair digests{{1, 2}, {3, 4}};

// Two writers, a counter and a set, a removal, a dependency, a caller's timestamp.
Message large_push(MessageBox& box) {
  const std::string likes = leaf_key("likes", Type::pn_counter, actor(0xaa).view());
  const std::string apples = leaf_key("cart", Type::or_set, "apples");
  const std::string pears = leaf_key("cart", Type::or_set, "pears");
  const std::string name = leaf_key("user", Type::lww_map, std::string_view("na\0me", 5));
  return Push{
      .keyspace = 1,
      .definitions = {actor(0xaa), actor(0xbb)},
      .changes = {
          {.actor = 0,
           .first = 8,
           .hlc = hlc,
           .rows = box.keep(std::vector<RowView>{{.leaf = box.keep(apples), .has_payload = true},
                                                 {.leaf = box.keep(likes),
                                                  .removed = box.keep(std::vector<IndexedDot>{{0, 5}}),
                                                  .has_payload = true,
                                                  .payload = "\x01\x02\x03"}})},
          {.actor = 1,
           .first = 1,
           .hlc = hlc + 3,
           .dependencies = box.keep(std::vector<IndexedDot>{{0, 9}}),
           .rows = box.keep(std::vector<RowView>{
               {.leaf = box.keep(apples), .removed = box.keep(std::vector<IndexedDot>{{0, 8}})},
               {.leaf = box.keep(pears), .has_payload = true},
               {.leaf = box.keep(name), .has_payload = true, .stamp = 42, .payload = "Ada"}})},
      }};
}

Message chunk(MessageBox& box) {
  Chunk chunk{.keyspace = 1,
              .pass = 7,
              .number = 2,
              .definitions = {actor(0xaa)},
              .version = {{0, 900}, {1, 12}},
              .new_round = true,
              .full = true,
              .closing = true,
              .digests = digests};
  for (std::uint64_t i = 0; i < 12; ++i) {
    chunk.leaves.push_back(
        {box.keep(leaf_key("map", Type::lww_map, "field" + std::to_string(10 + i))),
         box.keep(std::vector<IndexedLiveDot>{
             {{static_cast<std::uint32_t>(i / 10), 100 + 37 * i % 64}, hlc + (i << 18), "value"}})});
  }
  chunk.leaves.push_back({box.keep(leaf_key("set", Type::or_set, "both")),
                          box.keep(std::vector<IndexedLiveDot>{{{0, 3}, 0, ""}, {{1, 4}, 0, ""}})});
  chunk.leaves.push_back({box.keep(leaf_key("set", Type::or_set, "gone")), {}});
  chunk.dead = {{{0, 5}, box.keep(leaf_key("map", Type::lww_map, "old"))},
                {{0, 6}, box.keep(leaf_key("map", Type::lww_map, "older"))}};
  return chunk;
}

Message compressed_chunk(MessageBox& box) {
  Chunk chunk{.pass = 7, .version = {{0, 80}}};
  for (std::uint64_t i = 0; i < 80; ++i)
    chunk.leaves.push_back(
        {box.keep(leaf_key("orders", Type::lww_map, "order-" + std::to_string(100 + i))),
         box.keep(std::vector<IndexedLiveDot>{
             {{0, i + 1}, hlc, box.keep("paid in cash: " + std::to_string(i * i * 7'919 % 100'003))}})});
  return chunk;
}

std::vector<Golden> goldens(MessageBox& box) {
  const RowView row{.leaf = box.keep(leaf_key("cart", Type::or_set, "apples")), .has_payload = true};
  return {
      {"hello",
       Hello{.protocol = 1, .cluster = "corner-shop", .node = actor(0x11).bytes, .address = "10.0.0.7:7946"}},
      {"hello_reads", Hello{.reads = Hello::reads_zstd, .cluster = "corner-shop", .node = actor(0x11).bytes}},
      {"keyspaces", Keyspaces{{"shop", "staff"}}},
      {"tick", Tick{{0x1122334455667788, 0x99aabbccddeeff00}}},
      {"status", Status{.keyspace = 1,
                        .definitions = {actor(0xaa)},
                        .version = {{0, 900}, {1, 12}},
                        .has_digests = true,
                        .digests = digests,
                        .reply = true}},
      {"status_with_rest", Status{.keyspace = 1,
                                  .definitions = {actor(0xbb)},
                                  .version = {{1, 12}},
                                  .has_digests = true,
                                  .digests = digests,
                                  .rest = Rest{{5, 6}, 2, 3},
                                  .knows = 1,
                                  .more = true}},
      {"status_of_many",
       Status{.keyspace = 1,
              .version = {{0, 1}, {1, 900}, {2, 3}, {3, 3}, {7, 3}, {300, 5}, {301, 1'000'000}, {302, 6}}}},
      {"push", Push{.definitions = {actor(0xaa)},
                    .changes = {{.actor = 0, .first = 1, .hlc = hlc, .rows = box.keep(std::vector{row})}}}},
      {"push_large", large_push(box)},
      {"want", Want{.keyspace = 1,
                    .definitions = {actor(0xaa)},
                    .version = {{0, 900}},
                    .pass = 7,
                    .full = true,
                    .has_resume = true,
                    .resume = {.base = {{0, 1}},
                               .start = {{0, 900}},
                               .from_nothing = true,
                               .cursor = leaf_key("cart", Type::or_set, "apples")}}},
      {"want_by_digests", Want{.keyspace = 1,
                               .definitions = {actor(0xaa)},
                               .version = {{0, 900}},
                               .pass = 8,
                               .knows_digests = true,
                               .by_digests = true,
                               .leaves = 300,
                               .salt = 0x0123456789abcdef,
                               .ranges = {.bits = 2, .ranges = {0, 1, 2, 3}, .digests = {1, 2, 3, 0xffff}},
                               .lost = {leaf_key("cart", Type::or_set, "apples")}}},
      {"chunk", chunk(box)},
      {"chunk_compressed", compressed_chunk(box), true},
      {"chunk_with_frontier", Chunk{.keyspace = 1,
                                    .pass = 7,
                                    .version = {{0, 900}, {1, 12}},
                                    .closing = true,
                                    .digests = digests,
                                    .frontier = {1}}},
      {"chunk_by_digests", Chunk{.keyspace = 1,
                                 .pass = 8,
                                 .version = {{0, 900}},
                                 .new_round = true,
                                 .by_digests = true,
                                 .symbols = {7, 0xffffffffffff}}},
      {"ranges", Ranges{1, 8, 301, {.bits = 4, .ranges = {4, 5, 6, 7}, .digests = {1, 2, 3, 4}}}},
      {"sketch", Sketch{.keyspace = 1,
                        .pass = 8,
                        .list = {.bits = 4, .ranges = {5, 7}},
                        .cells = {0x1122334455667788, 0, 0x99aabbccddeeff00}}},
      {"more_symbols", MoreSymbols{1, 8, 12}},
      {"refuse", Refuse{1, 7, "busy"}},
      {"addresses", Addresses{{"10.0.0.7:7946", "[::1]:7947"}}},
      {"bye", Bye{7, "wrong cluster"}},
      {"cut", Cut{.keyspace = 1,
                  .definitions = {actor(0xaa)},
                  .members = 0x1122334455667788,
                  .epoch = 300,
                  .acknowledged = "\x05",
                  .floor = {{0, 900}},
                  .floor_heard = {{1, 12}},
                  .met = {{0, 905}},
                  .heard = {{0, 907}, {1, 13}}}},
      {"ask", Ask{.keyspace = 1,
                  .asker = actor(0xaa),
                  .leaf = leaf_key("stock", Type::bounded_counter, {}),
                  .bytes = "\x05"}},
  };
}

TEST(Golden, FramesOfThisReleaseAreDecoded_R_UPG_1) {
  MessageBox box;
  for (const Golden& golden : goldens(box)) {
    SCOPED_TRACE(golden.name);
    Decoder decoder;
    decoder.accept_all();
    const auto decoded = decode_all(decoder, {from_hex(file(golden_path(golden.name)))});
    ASSERT_TRUE(decoded) << to_string(decoded.error());
    EXPECT_EQ(describe(decoded->message), describe(golden.message));
  }
}

TEST(Golden, TheSameMessagesMakeTheSameBytes) {
  MessageBox box;
  for (const Golden& golden : goldens(box)) {
    if (golden.compressed) continue;
    Encoder encoder;
    const auto frames = encoder.encode(golden.message);
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(to_hex(frames.front()), file(golden_path(golden.name))) << golden.name;
  }
}

// What both ends remember from one push to the next is a part of the format, too.
TEST(Golden, ALaterPushIsCodedAgainstTheEarlierOnes) {
  MessageBox box;
  const std::string pears = leaf_key("cart", Type::or_set, "pears");
  const std::string last = leaf_key("last", Type::lww_map, "a.txt");
  const auto push = [&](std::uint64_t counter, std::uint64_t stamp) {
    return Push{.changes = {{.actor = 0,
                             .first = counter,
                             .hlc = hlc + counter * 70'000,
                             .rows = box.keep(std::vector<RowView>{
                                 {.leaf = pears, .removed = box.keep(std::vector<IndexedDot>{{0, 1}})},
                                 {.leaf = last, .has_payload = true, .stamp = stamp, .payload = "v"}})}}};
  };
  Encoder encoder;
  Decoder decoder;
  decoder.accept_all();
  ASSERT_TRUE(decode_all(decoder, encoder.encode(Push{.definitions = {actor(0xaa)}})));
  ASSERT_TRUE(decode_all(decoder, encoder.encode(push(2, 4711))));
  const Push later = push(4, 4712);
  EXPECT_EQ(to_hex(encoder.encode(later).front()), file(golden_path("push_later")));
  const auto decoded = decode_all(decoder, {from_hex(file(golden_path("push_later")))});
  ASSERT_TRUE(decoded) << to_string(decoded.error());
  EXPECT_EQ(describe(decoded->message), describe(later));
}

TEST(Golden, TheProtocolPageExplainsTheGoldenPush) {
  EXPECT_NE(file(SYNCLINE_SOURCE_DIR "/docs/protocol.md").find(file(golden_path("push"))), std::string::npos);
}

}  // namespace
}  // namespace syncline
