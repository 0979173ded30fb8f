// Sketches and range digests by themselves.
#include "sync/sketch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "sync/range_digests.h"
#include "tests/sim/rng.h"

namespace syncline {
namespace {

std::vector<std::uint64_t> symbols(std::size_t count, std::uint64_t seed) {
  std::vector<std::uint64_t> made;
  for (std::size_t i = 0; i < count; ++i) made.push_back(make_symbol({seed, i}, 7));
  std::sort(made.begin(), made.end());
  return made;
}

std::vector<std::uint64_t> cells_of(const std::vector<std::uint64_t>& set, std::size_t count) {
  std::vector<std::uint64_t> cells(count);
  add_symbols(set, 0, cells);
  return cells;
}

TEST(Sketch, NamesWhatDiffersAmongMany) {
  const auto common = symbols(20'000, 1);
  auto mine = common;
  auto theirs = common;
  const auto differing = symbols(101, 2);
  mine.insert(mine.end(), differing.begin(), differing.begin() + 40);
  theirs.insert(theirs.end(), differing.begin() + 40, differing.end());
  auto cells = cells_of(mine, cells_for(101));
  const auto other = cells_of(theirs, cells.size());
  for (std::size_t i = 0; i < cells.size(); ++i) cells[i] ^= other[i];
  EXPECT_EQ(decode_symbols(cells), differing);
}

TEST(Sketch, DecodesWithTheCellsThatAreReckoned) {
  for (const std::size_t count : {0U, 1U, 2U, 5U, 10U, 50U, 300U, 3'000U}) {
    std::size_t decoded = 0;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      const auto set = symbols(count, seed + 100);
      const auto found = decode_symbols(cells_of(set, cells_for(static_cast<double>(count))));
      if (!found) continue;
      ++decoded;
      EXPECT_EQ(*found, set);
    }
    EXPECT_GE(decoded, 95U) << count;
  }
}

// So many differences are found in a large keyspace after a long time. What is no symbol, and looks like one,
// must not come up so often that the sketch is given up.
TEST(Sketch, TheLargestDecodes) {
  std::size_t decoded = 0;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const auto set = symbols(300'000, seed + 1);
    const auto found = decode_symbols(cells_of(set, 524'288));
    if (found && *found == set) ++decoded;
  }
  EXPECT_EQ(decoded, 5U);
}

TEST(Sketch, IsRatelessSoCellsMayComeInParts) {
  const auto set = symbols(200, 3);
  const auto whole = cells_of(set, 400);
  std::vector<std::uint64_t> parts;
  for (const std::size_t size : {1U, 99U, 300U}) {
    std::vector<std::uint64_t> part(size);
    add_symbols(set, parts.size(), part);
    parts.insert(parts.end(), part.begin(), part.end());
  }
  EXPECT_EQ(parts, whole);
  EXPECT_FALSE(decode_symbols({whole.begin(), whole.begin() + 100}).has_value());
}

std::uint64_t mix_of_the_page(std::uint64_t x) {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

// The places are a part of the protocol: here they are as docs/protocol.md has them, word for word.
TEST(Sketch, PlacesAreThoseOfTheProtocol) {
  const auto some = symbols(2'000, 4);
  for (std::size_t i = 0; i < some.size(); ++i) {
    const std::uint64_t symbol = some[i];
    std::vector<std::uint64_t> expected(i < 10 ? 524'288 : 2'000);
    double at = 0;
    for (std::uint64_t s = mix_of_the_page(symbol); at < static_cast<double>(expected.size());) {
      expected[static_cast<std::size_t>(at)] ^= symbol;
      s *= 0xda942042e4dd58b5;
      at += std::ceil((at + 1.5) * (4294967296.0 / std::sqrt(static_cast<double>(s) + 1.0) - 1.0));
    }
    ASSERT_EQ(cells_of({symbol}, expected.size()), expected);
  }
}

// Whatever a peer sends ends soon, and says so or names something.
TEST(Sketch, NonsenseEnds) {
  sim::Rng rng(1);
  for (int i = 0; i < 200; ++i) {
    std::vector<std::uint64_t> cells(rng.below(300));
    for (std::uint64_t& cell : cells) cell = rng.below(3) == 0 ? make_symbol({rng.next(), 0}, 1) : rng.next();
    const auto found = decode_symbols(cells);
    EXPECT_TRUE(!found || found->size() <= 2 * cells.size());
  }
}

TEST(RangeDigests, AddUpToCoarserOnes) {
  RangeDigests a, b;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    const std::uint64_t hash = i * 0x9e3779b97f4a7c15;
    a.add(RangeDigests::range_of(hash), {hash, i});
    b.add(RangeDigests::range_of(hash), {hash, i});
  }
  EXPECT_TRUE(a.differing(b.list(8, 1), 1).ranges.empty());
  const std::uint64_t changed = 0xabcdef0123456789;
  b.add(RangeDigests::range_of(changed), {1, 1});
  for (const unsigned bits : {0U, 3U, 8U, 12U}) {
    const RangeList differing = a.differing(b.list(bits, 5), 5);
    EXPECT_EQ(differing.ranges, std::vector{RangeDigests::range_of(changed, bits)}) << bits;
  }
  const RangeList fine = b.refine(a.differing(b.list(4, 9), 9), 10, 9);
  EXPECT_EQ(fine.ranges.size(), 64U);
  EXPECT_EQ(a.differing(fine, 9).ranges, std::vector{RangeDigests::range_of(changed, 10)});
}

TEST(RangeDigests, TellHowManyDiffer) {
  EXPECT_EQ(estimate_differences(256, 0), 0);
  EXPECT_NEAR(estimate_differences(4'096, 888), 1'000, 20);
  EXPECT_EQ(range_bits_for(1'000, 10'000'000), 11U);
  EXPECT_EQ(range_bits_for(10, 10'000'000), 5U);
  EXPECT_EQ(range_bits_for(1'000'000, 10'000'000), 12U);
  EXPECT_EQ(range_bits_for(1'000, 100), 3U);
  EXPECT_EQ(range_bits_for(1'000, 10), 0U);
}

}  // namespace
}  // namespace syncline
