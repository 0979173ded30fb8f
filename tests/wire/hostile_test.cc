// Bytes that no encoder of ours makes: cut, flipped, mixed, made up. Each
// yields an error or a well-formed message, in memory bounded by its size.
#include <gtest/gtest.h>
#include <zstd.h>

#include <cstdlib>
#include <new>

#include "crdt/bytes.h"
#include "crdt/leaf_key.h"
#include "crdt/row.h"
#include "tests/wire/messages.h"
#include "wire/codec.h"

namespace {

// Bytes ever asked for by this program; it has one thread.
std::size_t allocated_bytes = 0;

}  // namespace

void* operator new(std::size_t bytes) {
  allocated_bytes += bytes;
  if (void* memory = std::malloc(bytes)) return memory;
  std::abort();
}
// Not inline: g++ would see free() alone and take it for a mismatch.
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace syncline {
namespace {

using test::decode_all;
using test::describe;
using test::flaw;
using test::frame_header_bytes;
using test::little_endian_word;
using test::make_column_frame;
using test::make_frame;
using test::MessageBox;
using test::Random;
using test::random_message;
using test::reseal;

constexpr std::uint8_t tick_type = 3;
constexpr std::uint8_t push_type = 5;
constexpr std::uint8_t chunk_type = 7;

// Decodes one frame on a fresh connection. If it is a message, it must be
// well-formed, and the same after another trip.
Result<std::optional<Decoded>> decode_checked(std::string_view frame) {
  Decoder decoder;
  decoder.accept_all();
  const std::size_t before = allocated_bytes;
  auto decoded = decoder.decode(frame);
  // A row is 64 bytes as a view, eight to sixteen more in each column while it
  // is read; vectors that grow take it twice. All 4,096 ranges may come in a run.
  EXPECT_LE(allocated_bytes - before, 512 * frame.size() + 56 * 1024);
  if (!decoded) {
    EXPECT_FALSE(decoded.error().detail.empty());
    return decoded;
  }
  if (!decoded->has_value()) return decoded;
  EXPECT_EQ(flaw((*decoded)->message), "");
  return decoded;
}

// A chunk worth compressing, of so many leaves.
std::string compressed_frame(std::size_t leaves) {
  MessageBox box;
  Chunk chunk{.definitions = std::vector<ActorId>(1), .version = {{0, leaves}}};
  for (std::size_t i = 0; i < leaves; ++i)
    chunk.leaves.push_back(
        {box.keep(leaf_key("orders", Type::lww_map, std::to_string(1'000'000 + i))),
         box.keep(std::vector<IndexedLiveDot>{{{0, i + 1}, 7, "paid in cash, delivered before noon"}})});
  Encoder encoder, plain;
  encoder.compress_chunks();
  auto frames = encoder.encode(chunk);
  EXPECT_EQ(frames.size(), 1U);
  EXPECT_LT(frames.front().size(), plain.encode(chunk).front().size() / 2);
  return std::move(frames.front());
}

// Frames with all kinds of content, each decodable on a fresh connection.
std::vector<std::string> samples(std::uint64_t seeds, std::size_t size) {
  std::vector<std::string> frames;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    Random random(seed);
    MessageBox box;
    for (std::size_t index = 0; index < std::variant_size_v<Message>; ++index) {
      Encoder encoder;
      auto made = encoder.encode(random_message(random, box, index, size));
      EXPECT_EQ(made.size(), 1U);
      frames.push_back(std::move(made.front()));
    }
    frames.push_back(compressed_frame(20 + 3 * seed));
  }
  return frames;
}

TEST(Hostile, EveryTruncationIsAnError_R_RES_4) {
  for (const std::string& frame : samples(5, 5)) {
    for (std::size_t bytes = 0; bytes < frame.size(); ++bytes) {
      Decoder decoder;
      decoder.accept_all();
      ASSERT_FALSE(decoder.decode(std::string_view(frame).substr(0, bytes))) << bytes;
    }
  }
}

TEST(Hostile, EveryBitFlipIsAnError_R_BLAST_1) {
  for (std::string& frame : samples(5, 5)) {
    for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
      const char right = frame[bit / 8];
      frame[bit / 8] = static_cast<char>(right ^ (1 << (bit % 8)));
      Decoder decoder;
      decoder.accept_all();
      ASSERT_FALSE(decoder.decode(frame)) << bit;
      frame[bit / 8] = right;
    }
  }
}

TEST(Hostile, TruncationsWithRightChecksumsAreErrorsOrMessagesOfTheSameKind_R_RES_5) {
  for (const std::string& frame : samples(5, 8)) {
    const auto whole = decode_checked(frame);
    ASSERT_TRUE(whole);
    for (std::size_t bytes = frame_header_bytes; bytes < frame.size(); ++bytes) {
      std::string cut = frame.substr(0, bytes);
      reseal(cut);
      const auto decoded = decode_checked(cut);
      if (decoded && decoded->has_value()) {
        ASSERT_EQ((*decoded)->message.index(), (*whole)->message.index());
      }
    }
  }
}

TEST(Hostile, BitFlipsWithRightChecksumsAreErrorsOrMessagesOfTheSameKind_R_RES_5) {
  for (std::string& frame : samples(5, 8)) {
    const auto whole = decode_checked(frame);
    ASSERT_TRUE(whole);
    for (std::size_t bit = frame_header_bytes * 8; bit < frame.size() * 8; ++bit) {
      const char right = frame[bit / 8];
      frame[bit / 8] = static_cast<char>(right ^ (1 << (bit % 8)));
      reseal(frame);
      const auto decoded = decode_checked(frame);
      if (decoded) {
        ASSERT_TRUE(decoded->has_value());
        ASSERT_EQ((*decoded)->message.index(), (*whole)->message.index());
      }
      frame[bit / 8] = right;
    }
  }
}

TEST(Hostile, MixedAndScribbledFramesDoNoHarm_R_RES_5) {
  auto frames = samples(10, 12);
  Random random(8);
  std::size_t accepted = 0;
  for (int run = 0; run < 20'000; ++run) {
    std::string frame = frames[random.below(frames.size())];
    for (std::uint64_t edits = 1 + random.below(4); edits > 0; --edits) {
      const std::string& other = frames[random.below(frames.size())];
      const std::size_t at = frame_header_bytes + random.below(frame.size() - frame_header_bytes);
      const std::size_t from = random.below(other.size());
      switch (random.below(4)) {
        case 0:
          frame[at] = static_cast<char>(random.skewed());
          break;
        case 1:
          frame.erase(at, 1 + random.below(8));
          break;
        case 2:
          frame.insert(at, other.substr(from, 1 + random.below(16)));
          break;
        default:
          frame.replace(at, std::min<std::size_t>(8, frame.size() - at), little_endian_word(random.skewed()));
      }
      if (frame.size() <= frame_header_bytes) frame += 'x';
    }
    if (random.one_in(20)) frame[3] = static_cast<char>(random.below(128));
    reseal(frame);
    if (decode_checked(frame)) ++accepted;
  }
  EXPECT_GT(accepted, 100U);  // Some edits only change content.
}

void expect_error(const std::string& frame, Errc code) {
  const auto decoded = decode_checked(frame);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, code) << to_string(decoded.error());
}

TEST(Hostile, AnUnknownTypeIsUnsupported) {
  for (const std::uint8_t type : std::initializer_list<std::uint8_t>{0, 16, 127}) {
    expect_error(make_frame(type, little_endian_word(0)), Errc::unsupported);
  }
}

TEST(Hostile, FieldsOfANewerPeerAreIgnored) {
  const std::uint64_t root = std::uint64_t{3} << 32;  // Three words of data; we know two.
  const auto decoded =
      decode_checked(make_frame(tick_type, little_endian_word(root) + little_endian_word(7) +
                                               little_endian_word(8) + little_endian_word(9)));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(describe((*decoded)->message), describe(Tick{{7, 8}}));
}

// Columns of a push by hand: keyspace 0, several changes.
std::string varint(std::uint64_t value) {
  std::string bytes;
  put_varint(bytes, value);
  return bytes;
}
std::string run_of(std::uint64_t count, std::uint64_t value) {
  return varint(count << 2 | 1) + varint(value);
}
std::string push_of(std::uint64_t changes) { return varint(2) + varint(changes); }

TEST(Hostile, CountsBeyondTheBytesAreRefused_R_RES_4) {
  const std::uint64_t huge = std::uint64_t{1} << 60;
  expect_error(make_column_frame(push_type, push_of(huge) + run_of(huge, 0)), Errc::limit);
  expect_error(make_column_frame(push_type, push_of(1000) + run_of(1000, 0)), Errc::limit);
  // One change with so many rows, row with so many removed dots, change with so many dependencies.
  const std::string change = varint(0) + varint(0) + varint(0) + varint(0);  // Header, actor, two of time.
  expect_error(make_column_frame(push_type, change + varint((huge - 1) << 1)), Errc::limit);
  expect_error(make_column_frame(push_type, change + varint(1) + varint(huge - 1)), Errc::limit);
  const std::string leaf = varint(0) + varint(4) + std::string("k\0\x01\x04", 4);
  expect_error(make_column_frame(push_type, change + varint(0) + leaf + varint(huge << 2)), Errc::limit);
  // A payload longer than what is left, and one that is just there.
  expect_error(make_column_frame(push_type, change + varint(0) + leaf + varint(1) + varint(2) + "p"),
               Errc::malformed);
  EXPECT_TRUE(
      decode_checked(make_column_frame(push_type, change + varint(0) + leaf + varint(1) + varint(1) + "p")));
}

// Each change names the same long key in a few bits.
TEST(Hostile, FrontCodingCannotMultiplyKeys_R_RES_4) {
  const std::string key = std::string(60'000, 'k') + std::string("\0\x01\x04", 3);
  const std::uint64_t changes = 10'000;
  const std::string columns = push_of(changes) + run_of(changes, 0) + run_of(changes, 0) + varint(0) +
                              run_of(changes, 0) + run_of(changes, 0) + varint(1 << 2) + varint(0) +
                              run_of(changes - 1, key.size()) + run_of(changes, key.size()) + key +
                              run_of(changes, 0);
  expect_error(make_column_frame(push_type, columns), Errc::limit);
}

// A frame of a chunk whose body claims to be compressed.
std::string chunk_frame(std::string_view body, std::uint8_t coding = 1) {
  const std::uint64_t root = std::uint64_t{2} << 32 | std::uint64_t{1}
                                                          << 48;  // Two words of data, a pointer.
  std::string words = little_endian_word(root) + little_endian_word(0) +
                      little_endian_word(std::uint64_t{coding} << 40) +
                      little_endian_word(1 | std::uint64_t{2} << 32 | std::uint64_t{body.size()} << 35);
  words += body;
  words.resize((words.size() + 7) / 8 * 8);
  return make_frame(chunk_type, words);
}

std::string zstd(std::string_view bytes, bool tells_size = true) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, tells_size ? 1 : 0);
  out.resize(ZSTD_compress2(context, out.data(), out.size(), bytes.data(), bytes.size()));
  ZSTD_freeCCtx(context);
  return out;
}

TEST(Hostile, ACompressedBodyIsOneFrameThatIsWhatItClaims_R_RES_5) {
  const std::string noise = Random(1).bytes(300);
  const std::string good = zstd(noise);
  // The body itself isn't one of a chunk, so what is right is refused only by its parser.
  const auto error = [&](std::string_view compressed, std::uint8_t coding = 1) {
    const auto decoded = decode_checked(chunk_frame(compressed, coding));
    return decoded ? std::string("none") : decoded.error().detail;
  };
  EXPECT_EQ(error(good).find("compressed"), std::string::npos) << error(good);
  for (std::size_t bytes = 0; bytes < good.size(); ++bytes)
    ASSERT_NE(error(good.substr(0, bytes)).find("compressed"), std::string::npos) << bytes;
  EXPECT_NE(error(good + "x").find("not one frame"), std::string::npos);
  EXPECT_NE(error(good + good).find("not one frame"), std::string::npos);
  EXPECT_NE(error(std::string("\x50\x2a\x4d\x18\x01\0\0\0x", 9) + good).find("not one frame"),
            std::string::npos);
  std::string older = good;
  older[0] = '\x27';  // The magic number of format 0.7, which the library may read, too.
  EXPECT_NE(error(older).find("not one frame"), std::string::npos);
  EXPECT_NE(error(zstd(noise, false)).find("no size"), std::string::npos);
  EXPECT_NE(error(noise, 2).find("coding"), std::string::npos);
  EXPECT_NE(error(good, 255).find("coding"), std::string::npos);
  // Two bytes of size behind magic number and descriptor: 256 less than there are, or more.
  for (const char size : {'\0', '\x20', '\x2d'}) {
    std::string lying = good;
    ASSERT_EQ(lying[5], 300 - 256);
    lying[5] = size;
    EXPECT_NE(error(lying).find("isn't of its size"), std::string::npos);
  }
}

TEST(Hostile, CompressionCannotMultiplyBytes_R_RES_4) {
  const WireLimits limits;
  // So little stands for so much: refused before memory is taken, which decode_checked() sees.
  for (const std::size_t bytes :
       {std::size_t{100'000}, limits.message_bytes_max, 2 * limits.message_bytes_max})
    expect_error(chunk_frame(zstd(std::string(bytes, '\0'))), Errc::limit);
  // A claim of 2^62 bytes.
  const std::string claim = std::string("\x28\xb5\x2f\xfd\xe0", 5) +
                            little_endian_word(std::uint64_t{1} << 62) + std::string("\x01\0\0", 3);
  expect_error(chunk_frame(claim), Errc::limit);
  // Elements count against the bytes that came: written out, these leaves are in order, and few bytes
  // compressed.
  const std::uint64_t leaves = 3'000;
  std::string body = std::string(2, '\0') + varint(leaves) + varint(0);
  Random random(2);
  for (std::uint64_t i = 0; i < 4 * leaves; ++i) body += static_cast<char>(random.one_in(60));
  ASSERT_LT(zstd(body).size() * 4, leaves);
  ASSERT_GT(zstd(body).size() * limits.body_bytes_per_byte_max, body.size());
  expect_error(chunk_frame(zstd(body)), Errc::limit);
}

TEST(Hostile, ListsBeyondTheirLimitsAreRefused_R_RES_4) {
  const WireLimits limits;
  Encoder encoder;
  const auto refused = [&](const Message& message) {
    Decoder decoder;
    decoder.accept_all();
    const auto decoded = decode_all(decoder, encoder.encode(message));
    return !decoded && decoded.error().code == Errc::limit;
  };
  const std::string text(limits.text_bytes_max + 1, 't');
  EXPECT_TRUE(refused(Keyspaces{{text}}));
  EXPECT_TRUE(refused(Addresses{{text}}));
  EXPECT_TRUE(refused(Bye{0, text}));
  EXPECT_TRUE(refused(Refuse{0, 0, text}));
  EXPECT_TRUE(
      refused(Ask{0, {}, leaf_key("k", Type::bounded_counter, {}), std::string(Ask::bytes_max + 1, 0)}));
  EXPECT_TRUE(refused(Hello{.cluster = text}));
  EXPECT_TRUE(refused(Hello{.address = text}));
  EXPECT_TRUE(refused(Keyspaces{std::vector<std::string>(limits.list_entries_max + 1)}));
  EXPECT_TRUE(refused(Status{.definitions = std::vector<ActorId>(limits.actors_max + 1)}));
  EXPECT_TRUE(refused(Status{.version = std::vector<IndexedDot>(limits.actors_max + 1, {0, 1})}));
  EXPECT_TRUE(refused(Status{.keyspace = static_cast<std::uint32_t>(limits.list_entries_max)}));
  const std::string leaf = leaf_key("k", Type::or_set, std::string(limits.leaf_key_bytes_max, 'e'));
  EXPECT_TRUE(refused(Chunk{.leaves = {{.leaf = leaf}}}));
  EXPECT_TRUE(refused(Want{.has_resume = true, .resume = {.cursor = leaf}}));
}

// Pointers of Cap'n Proto that claim more than there is, point at each other or nowhere.
TEST(Hostile, PointersCannotMultiplyBytes_R_RES_5) {
  const std::uint64_t root = std::uint64_t{1} << 48;  // No data, one pointer.
  const auto list = [](std::uint64_t offset, std::uint64_t size_code, std::uint64_t count) {
    return little_endian_word((offset << 2 | 1) | (size_code << 32) | (count << 35));
  };
  constexpr std::uint8_t keyspaces_type = 2;
  const auto with_root = [&](const std::string& words) {
    return make_frame(keyspaces_type, little_endian_word(root) + words);
  };
  EXPECT_FALSE(decode_checked(with_root(list(0, 0, (1 << 29) - 1))));  // Elements of no size.
  EXPECT_FALSE(decode_checked(with_root(list(0, 6, (1 << 29) - 1))));  // More pointers than bytes.
  EXPECT_FALSE(decode_checked(with_root(list(0, 6, 2))));
  EXPECT_FALSE(
      decode_checked(with_root(little_endian_word(2 | std::uint64_t{7} << 32))));  // Another segment.
  // A thousand names that are all the same 4,000 bytes.
  std::string names = list(0, 6, 1000);
  for (std::uint64_t i = 0; i < 1000; ++i) names += list(999 - i, 2, 4000);
  EXPECT_FALSE(decode_checked(with_root(names + std::string(4000, 'n'))));
}

TEST(Hostile, DisorderAndNonsenseAreMalformed) {
  MessageBox box;
  const std::string a = leaf_key("k", Type::or_set, "a");
  const std::string b = leaf_key("k", Type::or_set, "b");
  const auto refused = [](const Message& message) {
    Encoder encoder;
    expect_error(encoder.encode(message).front(), Errc::malformed);
  };
  const auto change = [&](std::vector<RowView> rows, std::uint64_t first = 1) {
    return Push{.changes = {{.first = first, .rows = box.keep(std::move(rows))}}};
  };
  const IndexedDot zero{1, 0};
  refused(change({{.leaf = b}, {.leaf = a}}));
  refused(change({{.leaf = a}, {.leaf = a}}));
  refused(change({{.leaf = a}, {.leaf = b}}, pending_counter));
  refused(change({{.leaf = a}}, pending_counter));
  refused(Status{.version = {{1, pending_counter}}});
  refused(change({{.leaf = a}}, 0));
  refused(change({{.leaf = a, .removed = {&zero, 1}}}));
  refused(change({{.leaf = std::string_view("k\0\x01", 3)}}));           // A key without type.
  refused(change({{.leaf = std::string_view("k\0\x01\0e\0\x01", 7)}}));  // Type zero.
  refused(
      Push{.changes = {
               {.first = 1, .dependencies = {&zero, 1}, .rows = box.keep(std::vector{RowView{.leaf = a}})}}});
  const IndexedLiveDot dead_zero{.dot = zero};
  refused(Chunk{.leaves = {{.leaf = b}, {.leaf = a}}});
  refused(Chunk{.leaves = {{.leaf = a}, {.leaf = a}}});
  refused(Chunk{.leaves = {{.leaf = a, .dots = {&dead_zero, 1}}}});
  refused(Chunk{.dead = {{zero, a}}});
  refused(Chunk{.version = {zero}});
  refused(Status{.version = {zero}});
  refused(Want{.has_resume = true, .resume = {.cursor = "no leaf"}});
}

// Messages so regular that few bytes would stand for many elements: the
// encoder writes them out, or its own side's limits would refuse them.
TEST(Hostile, OurOwnMessagesAreNeverTakenForAnAttack) {
  const std::string leaf = leaf_key("k", Type::or_set, std::string(5000, 'e'));
  MessageBox box;
  Push push;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    push.changes.push_back({.first = 1 + i, .rows = box.keep(std::vector{RowView{.leaf = leaf}})});
  }
  Chunk chunk{.leaves = {{.leaf = leaf, .dots = box.keep([] {
                            std::vector<IndexedLiveDot> live;
                            for (std::uint64_t i = 0; i < 20'000; ++i) live.push_back({.dot = {0, i + 1}});
                            return live;
                          }())}}};
  Chunk repeating{.leaves = chunk.leaves};  // The same, and what is compressed to almost nothing.
  const std::string same(20'000, 'p');
  for (int i = 0; i < 20; ++i)
    repeating.leaves.push_back({box.keep(leaf_key("l", Type::or_set, std::to_string(10 + i))),
                                box.keep(std::vector<IndexedLiveDot>{{{0, 1}, 0, same}})});
  for (const Message& message : {Message(push), Message(chunk), Message(repeating)}) {
    Encoder encoder;
    encoder.compress_chunks();
    Decoder decoder;
    decoder.accept_all();
    const auto decoded = decode_all(decoder, encoder.encode(message));
    ASSERT_TRUE(decoded) << to_string(decoded.error());
    EXPECT_EQ(describe(decoded->message), describe(message));
  }
}

}  // namespace
}  // namespace syncline
