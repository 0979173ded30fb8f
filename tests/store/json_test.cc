#include <cmath>
#include <limits>

#include "tests/store/harness.h"

namespace syncline {
namespace {

class JsonTest : public ::testing::Test {
 protected:
  std::string json_of(const Value& value) {
    must(keyspace.update([&](auto& tx) { tx.reg("r").set(value); }));
    return must(keyspace.to_json());
  }

  TestClock clock;
  Replica replica = open_replica(clock, 1);
  Keyspace keyspace = replica.keyspace("k");
};

TEST_F(JsonTest, EachTypeHasItsShape) {
  must(keyspace.update([](auto& tx) {
    tx.counter("counter").add(-3);
    tx.template at<GCounter>("visits").add(3);
    tx.set("set").insert("b");
    tx.set("set").insert(2);
    tx.set("set").insert("a");
    tx.set("set").insert(nullptr);
    tx.map("map").set("y", true);
    tx.map("map").set("x", 1.5);
    tx.reg("register").set("text");
  }));
  EXPECT_EQ(must(keyspace.to_json()), R"({"counter":-3,"map":{"x":1.5,"y":true},"register":"text",)"
                                      R"("set":[null,2,"a","b"],"visits":3})");
  EXPECT_EQ(must(keyspace.to_json("s")), R"({"set":[null,2,"a","b"]})");
  EXPECT_EQ(must(keyspace.to_json("none")), "{}");
}

TEST_F(JsonTest, NumbersKeepTheirKind) {
  EXPECT_EQ(json_of(std::numeric_limits<std::int64_t>::min()), R"({"r":-9223372036854775808})");
  EXPECT_EQ(json_of(std::numeric_limits<std::int64_t>::max()), R"({"r":9223372036854775807})");
  EXPECT_EQ(json_of(3), R"({"r":3})");
  EXPECT_EQ(json_of(3.0), R"({"r":3.0})");
  EXPECT_EQ(json_of(-0.0), R"({"r":-0.0})");
  EXPECT_EQ(json_of(std::nan("")), R"({"r":{"$real":"NaN"}})");
  EXPECT_EQ(json_of(HUGE_VAL), R"({"r":{"$real":"Infinity"}})");
  EXPECT_EQ(json_of(-HUGE_VAL), R"({"r":{"$real":"-Infinity"}})");
}

TEST_F(JsonTest, TextAndBytes) {
  EXPECT_EQ(json_of("\"\\\n"), R"({"r":"\"\\\n"})");
  EXPECT_EQ(json_of("größe €"), R"({"r":"größe €"})");
  EXPECT_EQ(json_of("\xF0\x9F\x8D\x8F"), "{\"r\":\"\xF0\x9F\x8D\x8F\"}");
  EXPECT_EQ(json_of(Blob{"abc"}), R"({"r":{"$base64":"YWJj"}})");
  EXPECT_EQ(json_of(Blob{std::string("\x00\xff", 2)}), R"({"r":{"$base64":"AP8="}})");
  // No text in UTF-8: cut short, stray, overlong, surrogate, above the last code point.
  EXPECT_EQ(json_of("\xe2\x82"), R"({"r":{"$text":"4oI="}})");
  EXPECT_EQ(json_of("\x80"), R"({"r":{"$text":"gA=="}})");
  EXPECT_EQ(json_of("\xc0\xaf"), R"({"r":{"$text":"wK8="}})");
  EXPECT_EQ(json_of("\xed\xa0\x80"), R"({"r":{"$text":"7aCA"}})");
  EXPECT_EQ(json_of("\xf4\x90\x80\x80"), R"({"r":{"$text":"9JCAgA=="}})");
}

TEST_F(JsonTest, NamesThatAreOursOrNoTextAreMarked) {
  must(keyspace.update([](auto& tx) {
    tx.reg("$key").set(1);
    tx.reg("\xff").set(2);
    tx.map("m").set("$base64", 3);
    tx.map("m").set("\xfe", 4);
  }));
  EXPECT_EQ(must(keyspace.to_json()), R"({"$$key":1,"$base64:/w==":2,"m":{"$$base64":3,"$base64:/g==":4}})");
}

TEST_F(JsonTest, SeveralTypesUnderOneKeyStandSideBySide) {
  must(keyspace.update([](auto& tx) {
    tx.counter("k").add(1);
    tx.set("k").insert(2);
    tx.map("k").set("f", 3);
    tx.reg("k").set(4);
    tx.template at<GCounter>("k").add(5);
  }));
  EXPECT_EQ(must(keyspace.to_json()), R"({"k":{"$types":{"g_counter":5,"lww_map":{"f":3},"lww_register":4,)"
                                      R"("or_set":[2],"pn_counter":1}}})");
  must(keyspace.update([](auto& tx) {
    tx.set("k").erase(2);
    tx.map("k").erase("f");
    tx.reg("k").clear();
    tx.template at<GCounter>("k").reset();
  }));
  EXPECT_EQ(must(keyspace.to_json()), R"({"k":1})");
  must(keyspace.update([](auto& tx) { tx.counter("k").reset(); }));
  EXPECT_EQ(must(keyspace.to_json()), "{}");
}

}  // namespace
}  // namespace syncline
