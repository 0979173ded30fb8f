#include "crdt/value.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/random.h"

namespace syncline {
namespace {

using Limits = std::numeric_limits<std::int64_t>;

std::string bytes(std::initializer_list<int> list) {
  std::string out;
  for (const int byte : list) out.push_back(static_cast<char>(byte));
  return out;
}

std::vector<Value> values_in_order() {
  std::vector<Value> values{Value(), Value(false), Value(true)};
  values.emplace_back(Limits::min());
  values.emplace_back(Limits::min() + 1);
  for (int bits = 62; bits > 0; --bits) {
    const std::int64_t power = std::int64_t{1} << bits;
    values.emplace_back(-power - 1);
    values.emplace_back(-power);
  }
  values.emplace_back(-1);
  for (const std::int64_t integer : {0, 1, 2, 254, 255, 256, 257, 65535, 65536}) values.emplace_back(integer);
  values.emplace_back(std::int64_t{1} << 40);
  values.emplace_back(Limits::max() - 1);
  values.emplace_back(Limits::max());
  const double infinity = std::numeric_limits<double>::infinity();
  const double denormal = std::numeric_limits<double>::denorm_min();
  for (const double real : {-infinity, -1e308, -1.5, -denormal, -0.0, 0.0, denormal, 1.5, 1e308, infinity})
    values.emplace_back(real);
  values.emplace_back(std::nan(""));
  for (const char* text : {"", "a", "a ", "aa", "b", "\xff\xfe"}) values.emplace_back(text);
  values.emplace_back(std::string_view("\xff\xff\0", 3));
  values.emplace_back(Blob{""});
  values.emplace_back(Blob{std::string("\0", 1)});
  values.emplace_back(Blob{"a"});
  return values;
}

TEST(Value, BytesOrderAsValuesDo_R_CRDT_6) {
  const std::vector<Value> values = values_in_order();
  for (std::size_t i = 1; i < values.size(); ++i) {
    EXPECT_LT(values[i - 1].to_bytes(), values[i].to_bytes()) << i;
    EXPECT_LT(values[i - 1], values[i]) << i;
  }
}

TEST(Value, ComesBackFromItsBytes_R_CRDT_8) {
  for (const Value& value : values_in_order()) {
    const auto back = Value::from_bytes(value.to_bytes());
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->kind(), value.kind());
    EXPECT_EQ(*back, value);
  }
}

TEST(Value, BytesAreTheseAndStay) {
  EXPECT_EQ(Value().to_bytes(), bytes({0x01}));
  EXPECT_EQ(Value(false).to_bytes(), bytes({0x02}));
  EXPECT_EQ(Value(true).to_bytes(), bytes({0x03}));
  EXPECT_EQ(Value(0).to_bytes(), bytes({0x0c}));
  EXPECT_EQ(Value(1).to_bytes(), bytes({0x0d, 0x01}));
  EXPECT_EQ(Value(-1).to_bytes(), bytes({0x0b, 0xfe}));
  EXPECT_EQ(Value(255).to_bytes(), bytes({0x0d, 0xff}));
  EXPECT_EQ(Value(256).to_bytes(), bytes({0x0e, 0x01, 0x00}));
  EXPECT_EQ(Value(-256).to_bytes(), bytes({0x0a, 0xfe, 0xff}));
  EXPECT_EQ(Value(Limits::max()).to_bytes(), bytes({0x14, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}));
  EXPECT_EQ(Value(Limits::min()).to_bytes(), bytes({0x04, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}));
  EXPECT_EQ(Value(1.0).to_bytes(), bytes({0x15, 0xbf, 0xf0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(Value(-1.0).to_bytes(), bytes({0x15, 0x40, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}));
  EXPECT_EQ(Value("hi").to_bytes(), bytes({0x16, 'h', 'i'}));
  EXPECT_EQ(Value(Blob{"hi"}).to_bytes(), bytes({0x17, 'h', 'i'}));
}

TEST(Value, EveryNaNIsOneAndZerosAreTwo_R_CRDT_6) {
  EXPECT_EQ(Value(std::nan("1")), Value(-std::nan("2")));
  EXPECT_EQ(Value(std::nan("1")).to_bytes(), bytes({0x15, 0xff, 0xf8, 0, 0, 0, 0, 0, 0}));
  EXPECT_NE(Value(0.0), Value(-0.0));
  EXPECT_NE(Value(0.0), Value(0));
  EXPECT_NE(Value("a"), Value(Blob{"a"}));
}

TEST(Value, KnowsItsKind) {
  EXPECT_TRUE(Value(nullptr).is_null());
  EXPECT_EQ(*Value(true).boolean(), true);
  EXPECT_EQ(*Value(std::uint32_t{4'000'000'000}).integer(), 4'000'000'000);
  EXPECT_EQ(*Value(2.5).real(), 2.5);
  EXPECT_EQ(*Value("x").text(), "x");
  EXPECT_EQ(Value(Blob{"x"}).blob()->bytes, "x");
  EXPECT_EQ(Value("x").blob(), nullptr);
  EXPECT_EQ(Value(1).real(), nullptr);
}

TEST(Value, RefusesWhatIsNotCanonical) {
  const std::vector<std::string> refused{
      "",
      bytes({0x00}),                                                  // No such tag.
      bytes({0x18}),                                                  //
      bytes({0x01, 0x00}),                                            // Null with content.
      bytes({0x03, 0x01}),                                            // True with content.
      bytes({0x0c, 0x00}),                                            // Zero with content.
      bytes({0x0d}),                                                  // One byte promised.
      bytes({0x0d, 0x00}),                                            // Zero in one byte.
      bytes({0x0d, 0x01, 0x02}),                                      // Too long.
      bytes({0x0e, 0x00, 0x01}),                                      // One in two bytes.
      bytes({0x0b, 0xff}),                                            // Minus zero.
      bytes({0x0a, 0xff, 0xfe}),                                      // Minus one in two bytes.
      bytes({0x14, 0x80, 0, 0, 0, 0, 0, 0, 0}),                       // 2^63.
      bytes({0x04, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe}),  // -2^63 - 1.
      bytes({0x15}),
      bytes({0x15, 0xff, 0xf8, 0, 0, 0, 0, 0}),                       // Seven bytes.
      bytes({0x15, 0xff, 0xf8, 0, 0, 0, 0, 0, 1}),                    // Another NaN.
      bytes({0x15, 0x00, 0x07, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}),  // A negative one.
      bytes({0x15, 0xff, 0xf8, 0, 0, 0, 0, 0, 0, 0}),
  };
  for (const std::string& text : refused) {
    const auto value = Value::from_bytes(text);
    ASSERT_FALSE(value.has_value()) << testing::PrintToString(text);
    EXPECT_EQ(value.error().code, Errc::malformed);
    EXPECT_FALSE(value.error().detail.empty());
  }
}

// Cut short, a value is refused, or it is another value whose bytes are just these.
TEST(Value, EveryTruncationIsRefusedOrAnotherValue) {
  for (const Value& value : values_in_order()) {
    const std::string whole = value.to_bytes();
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto cut = Value::from_bytes(std::string_view(whole).substr(0, size));
      if (cut) {
        EXPECT_EQ(cut->to_bytes(), whole.substr(0, size));
      }
      const bool open_ended = value.kind() == Value::Kind::text || value.kind() == Value::Kind::blob;
      EXPECT_EQ(cut.has_value(), open_ended && size > 0);
    }
  }
}

TEST(Value, WhateverDecodesIsCanonical_R_CRDT_8) {
  Random random(1);
  std::size_t decoded = 0;
  for (int i = 0; i < 100'000; ++i) {
    std::string text(1 + random.below(10), '\0');
    for (char& byte : text) byte = static_cast<char>(random.next());
    text[0] = static_cast<char>(random.below(0x1a));
    const auto value = Value::from_bytes(text);
    if (!value) continue;
    ++decoded;
    EXPECT_EQ(value->to_bytes(), text);
  }
  EXPECT_GT(decoded, 10'000U);
}

}  // namespace
}  // namespace syncline
