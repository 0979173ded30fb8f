// The leaves that a store in a file keeps in memory.
#include "store/leaf_cache.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/support/random.h"

namespace syncline {
namespace {

TEST(LeafCache, AnswersWhatWasPutOrNothing) {
  constexpr std::size_t bytes_max = 20'000;
  LeafCache cache(bytes_max);
  std::map<std::pair<std::int64_t, std::string>, std::string> truth;
  Random random(1);
  std::size_t hits = 0;
  for (int i = 0; i < 100'000; ++i) {
    const auto keyspace = static_cast<std::int64_t>(random.below(2));
    const std::string leaf = "leaf-" + std::to_string(random.below(300));
    std::string& value = truth[{keyspace, leaf}];
    if (random.chance(1, 4)) {
      value = random.chance(1, 4) ? "" : std::string(random.below(100) + 1, static_cast<char>(i));
      cache.update(keyspace, leaf, value);
    } else if (const auto found = cache.find(keyspace, leaf)) {
      ASSERT_EQ(*found, value);
      ++hits;
    } else if (!value.empty()) {
      cache.put(keyspace, leaf, value);
    }
    ASSERT_LE(cache.memory_bytes(), bytes_max);
  }
  EXPECT_GT(hits, 1'000U);
}

TEST(LeafCache, KeepsWhatIsReadAndLetsTheOthersGo) {
  LeafCache cache(20'000);
  cache.put(1, "often", "value");
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_EQ(cache.find(1, "often"), "value") << i;
    cache.put(1, std::to_string(i), "value");
  }
  EXPECT_FALSE(cache.find(1, "0"));
}

TEST(LeafCache, AValueThatWouldFillItIsNotKept) {
  LeafCache cache(20'000);
  cache.put(1, "large", std::string(10'000, 'x'));
  EXPECT_FALSE(cache.find(1, "large"));
  EXPECT_EQ(cache.memory_bytes(), 0U);
}

}  // namespace
}  // namespace syncline
