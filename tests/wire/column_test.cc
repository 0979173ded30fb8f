#include "wire/column.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/wire/messages.h"

namespace syncline {
namespace {

using test::Random;
using Values = std::vector<std::uint64_t>;

std::string coded(const Values& values, ColumnForm form = ColumnForm::compact) {
  std::string bytes;
  put_column(bytes, values, form);
  return bytes;
}

// What `bytes` hold as a column of `count`; nothing if they aren't one, or hold more.
std::optional<Values> taken(std::string_view bytes, std::size_t count) {
  Values values(count, 99);
  ByteReader in(bytes);
  if (!take_column(in, values) || in.left() != 0) return std::nullopt;
  return values;
}

TEST(Column, HoldsAnyValuesInBothForms) {
  Random random(3);
  for (int run = 0; run < 3000; ++run) {
    Values values(random.below(run % 100 == 0 ? 2000 : 40));
    const std::uint64_t bits = 1 + random.below(64);
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = i > 0 && !random.one_in(3) ? values[i - 1] : random.next() >> (64 - bits);
    }
    for (const ColumnForm form : {ColumnForm::compact, ColumnForm::literal}) {
      ASSERT_EQ(taken(coded(values, form), values.size()), values);
    }
  }
}

TEST(Column, HoldsEveryWidth) {
  for (unsigned width = 1; width <= 64; ++width) {
    Values values;
    for (std::uint64_t i = 0; i < 100; ++i) values.push_back((i * 0x9e3779b97f4a7c15) >> (64 - width));
    std::string bytes;
    column::put_packed(bytes, values, 0, width);
    ASSERT_EQ(taken(bytes, values.size()), values) << width;
  }
}

TEST(Column, NoneTakesNothingAndOneIsAVarint) {
  EXPECT_EQ(coded({}), "");
  EXPECT_EQ(coded({300}), "\xac\x02");
}

TEST(Column, EqualValuesAreOneRun) { EXPECT_EQ(coded(Values(1000, 7)).size(), 3U); }

TEST(Column, NarrowValuesArePacked) {
  Values values;
  for (std::uint64_t i = 0; i < 200; ++i) values.push_back(1'000'000 + i * i % 7);
  EXPECT_LE(coded(values).size(), 200 * 3 / 8 + 8U);
}

TEST(Column, CompactIsNeverMuchLargerThanLiteral) {
  Random random(4);
  for (int run = 0; run < 2000; ++run) {
    Values values(random.below(600));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = i > 0 && !random.one_in(6) ? values[i - 1] : random.skewed();
    }
    std::size_t varints = 0;
    for (const std::uint64_t value : values) varints += column::varint_bytes(value);
    ASSERT_LE(coded(values).size(), varints + 3 + values.size() / 64);
  }
}

TEST(Column, RefusesWhatIsNoColumn) {
  const char too_many[] = {5 << 2 | 1, 7};
  EXPECT_FALSE(taken({too_many, 2}, 4));
  const char unknown_kind[] = {4 << 2 | 3, 7};
  EXPECT_FALSE(taken({unknown_kind, 2}, 4));
  const char empty_block[] = {0, 4 << 2 | 1, 7};
  EXPECT_FALSE(taken({empty_block, 3}, 4));
  const char no_width[] = {4 << 2 | 2, 7, 0};
  EXPECT_FALSE(taken({no_width, 3}, 4));
  const char too_wide[] = {2 << 2 | 2, 7, 65};
  EXPECT_FALSE(taken(std::string(too_wide, 3) + std::string(40, 'x'), 2));
  EXPECT_FALSE(taken("", 1));
  const std::string whole = coded({1, 2, 3, 400, 5});
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    EXPECT_FALSE(taken(std::string_view(whole).substr(0, bytes), 5)) << bytes;
  }
}

}  // namespace
}  // namespace syncline
