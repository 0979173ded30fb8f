#include "sync/leaf_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace syncline {

// Checks everything that the nodes promise each other. Returns what is wrong, or nothing.
struct LeafTableInspector {
  using Node = LeafTable::Node;
  using Leaf = LeafTable::Leaf;
  using Inner = LeafTable::Inner;

  explicit LeafTableInspector(const LeafTable& checked) : table(checked) {}

  static std::uint64_t head(std::string_view key, std::size_t from) {
    std::uint64_t value = 0;
    for (std::size_t i = from; i < from + 8; ++i)
      value = value << 8 | (i < key.size() ? static_cast<unsigned char>(key[i]) : 0U);
    return value;
  }

  void expect(bool holds, const char* what) {
    if (!holds && wrong.empty()) wrong = what;
  }

  void walk_keys(const Node& node, const std::optional<std::string>& low,
                 const std::optional<std::string>& high) {
    expect(node.count <= LeafTable::node_size, "overfull");
    if (node.count == 0) {
      expect(node.prefix_size == 0, "prefix of nothing");
      return;
    }
    const std::string prefix(node.blocks[0]->key().substr(0, node.prefix_size));
    expect(prefix.size() == node.prefix_size, "prefix longer than a key");
    expect(node.prefix_size == 0 || node.prefix_head == head(prefix, 0), "prefix head");
    expect(std::string_view(node.prefix, std::min(prefix.size(), LeafTable::prefix_kept)) ==
               prefix.substr(0, LeafTable::prefix_kept),
           "prefix copy");
    for (std::size_t i = 0; i < node.count; ++i) {
      const std::string_view key = node.blocks[i]->key();
      expect(key.substr(0, prefix.size()) == prefix, "key without the prefix");
      expect(node.heads[i] == head(key, prefix.size()), "head");
      expect(i == 0 || node.blocks[i - 1]->key() < key, "order in a node");
      expect(!low || key >= *low, "below its bound");
      expect(!high || key < *high, "above its bound");
      bytes += block_bytes(node.blocks[i]->capacity);
    }
  }

  static std::size_t block_bytes(std::size_t size) {
    return std::max<std::size_t>(32, (size + 8 + 15) / 16 * 16);
  }

  void walk(const Node& node, std::size_t level, bool last, const std::optional<std::string>& low,
            const std::optional<std::string>& high) {
    walk_keys(node, low, high);
    if (!last) expect(node.count >= LeafTable::node_size_min, "underfull");
    if (level == 0) {
      const auto& leaf = static_cast<const Leaf&>(node);
      if (previous != nullptr) expect(previous->next == &leaf, "chain of leaves");
      if (&node != table.root_) expect(node.count > 0, "empty leaf");
      previous = &leaf;
      entries += leaf.count;
      bytes += block_bytes(sizeof(Leaf));
      return;
    }
    const auto& inner = static_cast<const Inner&>(node);
    expect(inner.count > 0, "inner node without a separator");
    bytes += block_bytes(sizeof(Inner));
    for (std::size_t i = 0; i <= inner.count; ++i) {
      walk(*inner.children[i], level - 1, last && i == inner.count,
           i > 0 ? std::optional<std::string>(inner.blocks[i - 1]->key()) : low,
           i < inner.count ? std::optional<std::string>(inner.blocks[i]->key()) : high);
    }
  }

  std::string check() {
    if (table.root_ != nullptr) {
      walk(*table.root_, table.height_, true, std::nullopt, std::nullopt);
      expect(previous->next == nullptr, "end of the chain");
    }
    expect(entries == table.size(), "size");
    expect(bytes == table.memory_bytes(), "memory");
    return wrong;
  }

  static std::size_t height(const LeafTable& table) { return table.height_; }

  const LeafTable& table;
  const Leaf* previous = nullptr;
  std::size_t entries = 0;
  std::size_t bytes = 0;
  std::string wrong;
};

namespace {

using Model = std::map<std::string, std::string>;

// SplitMix64: the same numbers everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t below(std::uint64_t limit) {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (z ^ z >> 31) % limit;
  }
  std::string bytes(std::size_t size, std::uint64_t alphabet) {
    std::string out(size, '\0');
    for (char& byte : out)
      byte = static_cast<char>(below(alphabet) * 255 / (alphabet > 1 ? alphabet - 1 : 1));
    return out;
  }

 private:
  std::uint64_t state_;
};

std::string check(const LeafTable& table) { return LeafTableInspector(table).check(); }

// Equal entries, in order, by the cursor.
void expect_equal(const LeafTable& table, const Model& model) {
  ASSERT_EQ(check(table), "");
  ASSERT_EQ(table.size(), model.size());
  ASSERT_EQ(table.empty(), model.empty());
  LeafTable::Cursor cursor = table.begin();
  for (const auto& [key, value] : model) {
    ASSERT_TRUE(cursor.valid());
    ASSERT_EQ(cursor.key(), key);
    ASSERT_EQ(cursor.value(), value);
    cursor.next();
  }
  ASSERT_FALSE(cursor.valid());
}

std::string numbered(std::string prefix, std::uint64_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) prefix.push_back(static_cast<char>(number >> shift & 0xff));
  return prefix;
}

// A way to make keys that is bad for some part of the table.
struct Shape {
  const char* name;
  std::string (*key)(Random& random);
  int steps = 12'000;
};

const Shape shapes[] = {
    {"few", [](Random& r) { return std::string(r.below(4), '\0'); }},
    {"prefixes_of_each_other", [](Random& r) { return std::string(r.below(600), 'a'); }},
    {"zeros", [](Random& r) { return std::string(r.below(300), '\0') + (r.below(2) != 0 ? "" : "\x01"); }},
    {"two_letters", [](Random& r) { return r.bytes(r.below(13), 2); }},
    {"any_bytes", [](Random& r) { return r.bytes(r.below(7), 256); }},
    {"leaf_keys",
     [](Random& r) { return std::string("m\0\1\5", 4) + r.bytes(16, 64) + std::string("\0\1", 2); }},
    {"equal_heads",
     [](Random& r) { return r.bytes(1, 3) + "the same sixteen" + numbered("", r.below(3000)); }},
    {"long_prefix",
     [](Random& r) {
       return std::string(90, 'p') + std::string(r.below(3), 'q') + numbered("", r.below(2000));
     }},
    // Nodes with a long prefix and then a key without it, again and again.
    {"outliers",
     [](Random& r) {
       return r.below(40) == 0 ? r.bytes(r.below(60), 2)
                               : std::string(45, '\x7f') + numbered("", r.below(4000));
     }},
    {"paths",
     [](Random& r) {
       std::string key("files\0\1\3", 8);
       for (auto depth = r.below(6); depth > 0; --depth)
         key += "directory" + std::to_string(r.below(4)) + "/";
       return key + std::to_string(r.below(30)) + std::string("\0\1", 2);
     }},
    {"very_long", [](Random& r) { return std::string(70'000 + r.below(3), 'x') + r.bytes(r.below(3), 3); },
     2'000},
};

class LeafTableShapes : public testing::TestWithParam<Shape> {};

// Any sequence of operations leaves what std::map would hold.
TEST_P(LeafTableShapes, BehavesLikeAMap) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    LeafTable table;
    Model model;
    std::uint64_t erase_share = 10;  // Of 100: grows the table, then shrinks it, and again.
    for (int step = 0; step < GetParam().steps; ++step) {
      if (step % 2'000 == 1'999) {
        erase_share = erase_share == 10 ? 70 : 10;
        ASSERT_NO_FATAL_FAILURE(expect_equal(table, model));
      }
      const std::string key = GetParam().key(random);
      const auto at = model.find(key);
      const bool present = at != model.end();
      const std::uint64_t choice = random.below(100);
      if (choice < erase_share) {
        // Keys that exist, so that it shrinks.
        const auto victim = model.lower_bound(key);
        const std::string gone = victim == model.end() ? key : victim->first;
        if (random.below(2) == 0) {
          const LeafTable::Position position = table.find_position(gone);
          if (random.below(2) == 0) {  // Something else is written in between.
            const std::string other = GetParam().key(random);
            table.put(other, "other");
            model[other] = "other";
          }
          ASSERT_EQ(table.erase_at(position, gone), model.erase(gone) == 1);
        } else {
          ASSERT_EQ(table.erase(gone), model.erase(gone) == 1);
        }
        ASSERT_FALSE(table.find(gone).has_value());
      } else if (choice < 85) {
        const std::string value = random.bytes(random.below(random.below(20) == 0 ? 3'000 : 60), 256);
        if (random.below(3) == 0) {
          const LeafTable::Position position = table.find_position(key);
          ASSERT_EQ(table.value(position).has_value(), present);
          if (present) {
            ASSERT_EQ(*table.value(position), at->second);
          }
          if (random.below(2) == 0) {  // Something else is written in between.
            const std::string other = GetParam().key(random);
            if (random.below(2) == 0) {
              table.put(other, "other");
              model[other] = "other";
            } else {
              table.erase(other);
              model.erase(other);
            }
          }
          ASSERT_EQ(table.put_at(position, key, value), model.insert_or_assign(key, value).second);
        } else {
          ASSERT_EQ(table.put(key, value), !present);
          model[key] = value;
        }
        ASSERT_EQ(table.find(key), value);
      } else if (choice < 95) {
        ASSERT_EQ(table.find(key), present ? std::optional<std::string_view>(at->second) : std::nullopt);
      } else {
        LeafTable::Cursor cursor = table.lower_bound(key);
        auto expected = model.lower_bound(key);
        for (int i = 0; i < 100 && expected != model.end(); ++i, ++expected, cursor.next()) {
          ASSERT_TRUE(cursor.valid());
          ASSERT_EQ(cursor.key(), expected->first);
          ASSERT_EQ(cursor.value(), expected->second);
        }
        ASSERT_EQ(cursor.valid(), expected != model.end());
      }
    }
    ASSERT_NO_FATAL_FAILURE(expect_equal(table, model));
  }
}

INSTANTIATE_TEST_SUITE_P(LeafTable, LeafTableShapes, testing::ValuesIn(shapes),
                         [](const auto& shape) { return std::string(shape.param.name); });

// Ways to go through the same keys.
std::vector<std::uint64_t> ordered(const std::string& order, std::uint64_t count) {
  std::vector<std::uint64_t> numbers;
  Random random(7);
  for (std::uint64_t i = 0; i < count; ++i) {
    numbers.push_back(order == "descending" ? count - 1 - i : i);
    if (order == "random") std::swap(numbers.back(), numbers[random.below(i + 1)]);
  }
  // From both ends to the middle.
  if (order == "inwards") {
    for (std::uint64_t i = 0; i < count; ++i) numbers[i] = i % 2 == 0 ? i / 2 : count - 1 - i / 2;
  }
  return numbers;
}

// Filled and emptied in any order, three levels deep, the tree keeps its bounds and comes back from nothing.
TEST(LeafTable, FillsAndEmptiesInAnyOrder) {
  constexpr std::uint64_t count = 40'000;
  const std::vector<std::string> orders = {"ascending", "descending", "random", "inwards"};
  LeafTable table;
  for (const std::string& fill : orders) {
    for (const std::string& drain : orders) {
      SCOPED_TRACE(fill + ", then " + drain);
      Model model;
      for (const std::uint64_t number : ordered(fill, count)) {
        const std::string key = numbered("list\x01", number * 3);
        ASSERT_TRUE(table.put(key, fill));
        model[key] = fill;
      }
      ASSERT_NO_FATAL_FAILURE(expect_equal(table, model));
      ASSERT_GE(LeafTableInspector::height(table), 2U);
      std::uint64_t left = count;
      for (const std::uint64_t number : ordered(drain, count)) {
        ASSERT_TRUE(table.erase(numbered("list\x01", number * 3)));
        if (--left % 1'000 == 0) {
          ASSERT_EQ(check(table), "");
        }
      }
      ASSERT_TRUE(table.empty());
      ASSERT_FALSE(table.begin().valid());
      ASSERT_EQ(LeafTableInspector::height(table), 0U);
    }
  }
}

// A snapshot arrives in the order of keys: nodes come out full, at the end of the table.
TEST(LeafTable, AscendingKeysFillNodes) {
  constexpr std::size_t count = 50'000;
  const std::string value(40, 'v');
  LeafTable table;
  for (std::uint64_t i = 0; i < count; ++i) ASSERT_TRUE(table.put(numbered("snapshot", i), value));
  ASSERT_EQ(check(table), "");
  EXPECT_LT(table.memory_bytes() / count,
            80U + 20U);  // A block of 64 bytes and its overhead; in a node 16 and a share of its own.
}

// An ascending run between existing keys, and keys of others in the midst of it.
TEST(LeafTable, RunsMayBeInterrupted) {
  LeafTable table;
  Model model;
  const auto put = [&](const std::string& key, const std::string& value) {
    ASSERT_EQ(table.put(key, value), model.insert_or_assign(key, value).second);
  };
  for (std::uint64_t i = 0; i < 4'000; ++i) put(numbered("", i * 1'000), "fixed");
  for (std::uint64_t i = 0; i < 4'000; ++i) {
    put(numbered("", 500'001 + i * 7), "run");
    if (i % 5 == 0) put(numbered("", 3'000'000 - i * 13), "other");
    if (i % 11 == 0) {
      ASSERT_EQ(table.erase(numbered("", i * 1'000)), model.erase(numbered("", i * 1'000)) == 1);
    }
  }
  expect_equal(table, model);
}

// What values need is what they hold: they grow and shrink in place or move.
TEST(LeafTable, ValuesGrowAndShrink) {
  LeafTable table;
  table.put("k", "");
  EXPECT_EQ(table.find("k"), "");
  const std::string big(5'000'000, 'b');
  EXPECT_FALSE(table.put("k", big));
  EXPECT_EQ(table.find("k"), big);
  EXPECT_GT(table.memory_bytes(), big.size());
  EXPECT_FALSE(table.put("k", "small"));
  EXPECT_EQ(table.find("k"), "small");
  EXPECT_LT(table.memory_bytes(), 10'000U);
  EXPECT_EQ(check(table), "");
}

// Overwriting with what fits moves nothing: views of other entries and of this one stay where they are.
TEST(LeafTable, OverwritesInPlace) {
  LeafTable table;
  table.put("a", "12345");
  const char* place = table.find("a")->data();
  table.put("a", "67890");
  EXPECT_EQ(table.find("a")->data(), place);
  EXPECT_EQ(table.find("a"), "67890");
}

// Arguments may be views of what the table holds.
TEST(LeafTable, TakesViewsIntoItself) {
  LeafTable table;
  Model model;
  for (std::uint64_t i = 0; i < 500; ++i) {
    table.put(numbered("", i), std::string(i, 'v') + numbered("", i));
    model[numbered("", i)] = std::string(i, 'v') + numbered("", i);
  }
  for (std::uint64_t i = 0; i < 500; ++i) {
    const std::string value = model[numbered("", 499 - i)];
    EXPECT_FALSE(table.put(table.lower_bound(numbered("", i)).key(), *table.find(numbered("", 499 - i))));
    model[numbered("", i)] = value;
    // A part of the value itself.
    EXPECT_FALSE(table.put(numbered("", i), table.find(numbered("", i))->substr(2)));
    model[numbered("", i)].erase(0, 2);
  }
  expect_equal(table, model);
  while (!table.empty()) ASSERT_TRUE(table.erase(table.begin().key()));
  EXPECT_EQ(check(table), "");
}

TEST(LeafTable, MovesLeaveAnEmptyTable) {
  LeafTable source;
  for (std::uint64_t i = 0; i < 1'000; ++i) source.put(numbered("", i), "v");
  const LeafTable::Position position = source.find_position(numbered("", 10));
  LeafTable target = std::move(source);
  EXPECT_EQ(target.size(), 1'000U);
  EXPECT_TRUE(source.empty());
  EXPECT_EQ(source.memory_bytes(), 0U);
  EXPECT_TRUE(source.put_at(position, numbered("", 10), "again"));  // Its leaf is another table's now.
  EXPECT_EQ(source.size(), 1U);
  EXPECT_EQ(target.find(numbered("", 10)), "v");
  target = std::move(source);
  EXPECT_EQ(target.size(), 1U);
  EXPECT_EQ(check(target), "");
  target.clear();
  EXPECT_EQ(check(target), "");
  EXPECT_EQ(target.memory_bytes(), 0U);
  EXPECT_TRUE(target.put("k", "v"));
}

// Positions outlive everything that may happen to their leaf.
TEST(LeafTable, OutdatedPositionsStillPutAndErase) {
  LeafTable table;
  for (std::uint64_t i = 0; i < 3'000; ++i) table.put(numbered("", i), "old");
  std::vector<LeafTable::Position> positions;
  for (std::uint64_t i = 0; i < 3'000; ++i) positions.push_back(table.find_position(numbered("", i)));
  for (std::uint64_t i = 0; i < 3'000; i += 7) {  // Splits.
    for (std::uint64_t j = 0; j < 10; ++j) table.put(numbered(numbered("", i), j), "between");
  }
  for (std::uint64_t i = 0; i < 3'000; i += 2)
    EXPECT_FALSE(table.put_at(positions[i], numbered("", i), "new"));
  for (std::uint64_t i = 100; i < 2'900; ++i) table.erase(numbered("", i));  // Frees leaves.
  for (std::uint64_t i = 0; i < 3'000; ++i)
    EXPECT_EQ(table.put_at(positions[i], numbered("", i), "newer"), i >= 100 && i < 2'900);
  EXPECT_EQ(check(table), "");
  for (std::uint64_t i = 0; i < 3'000; ++i) ASSERT_EQ(table.find(numbered("", i)), "newer");
  for (std::uint64_t i = 0; i < 3'000; ++i) EXPECT_TRUE(table.erase_at(positions[i], numbered("", i)));
  for (std::uint64_t i = 0; i < 3'000; ++i) EXPECT_FALSE(table.erase_at(positions[i], numbered("", i)));
  EXPECT_EQ(check(table), "");
}

// An empty table answers everything.
TEST(LeafTable, EmptyTableAnswers) {
  LeafTable table;
  EXPECT_FALSE(table.find("").has_value());
  EXPECT_FALSE(table.erase("k"));
  EXPECT_FALSE(table.lower_bound("").valid());
  EXPECT_FALSE(table.begin().valid());
  const LeafTable::Position position = table.find_position("k");
  EXPECT_FALSE(table.value(position).has_value());
  EXPECT_FALSE(table.erase_at(position, "k"));
  EXPECT_TRUE(table.put_at(position, "k", "v"));
  EXPECT_TRUE(table.put("", ""));
  EXPECT_EQ(table.find(""), "");
  EXPECT_EQ(check(table), "");
}

}  // namespace
}  // namespace syncline
