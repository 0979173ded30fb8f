// The code of docs/guide.md, compiled and run; and a check that it is the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <syncline/store.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using ::testing::ElementsAre;

void report(const syncline::Error& error) { ADD_FAILURE() << syncline::to_string(error); }

TEST(Guide, DoesWhatItSays) {
  std::ostringstream text;
  std::streambuf* const console = std::cout.rdbuf(text.rdbuf());
  struct Restore {
    std::streambuf* console;
    ~Restore() { std::cout.rdbuf(console); }
  } const restore{console};
  const auto printed = [&text] {
    const std::string all = text.str();
    text.str("");
    return all;
  };

  auto replica = syncline::Replica::open();
  if (!replica) return report(replica.error());
  syncline::Keyspace shop = replica->keyspace("shop");

  auto written = shop.update([](auto& tx) {
    tx.counter("stock/apples").add(12);
    tx.set("cart/42").insert("apples");
    tx.map("customer/42").set("name", "Ada");
    tx.reg("motto").set("fresh every day");
  });
  if (!written) return report(written.error());

  std::int64_t apples = shop.counter("stock/apples").total().value_or(0);
  bool wanted = shop.set("cart/42").contains("apples").value_or(false);
  auto name = shop.map("customer/42").get("name");  // Result<std::optional<Value>>
  if (name && *name) std::cout << *(**name).text() << " wants one of " << apples << '\n';
  EXPECT_TRUE(wanted);
  EXPECT_EQ(printed(), "Ada wants one of 12\n");

  shop.update([](auto& tx) { tx.map("price").set("apples", 1.20, 1'700'000'000); });
  EXPECT_EQ(*shop.map("price").get("apples"), syncline::Value(1.20));

  shop.for_each_key("stock/", [](std::string_view key, syncline::Type) {
    std::cout << key << '\n';
    return true;  // Go on.
  });
  shop.map("customer/42").for_each("a", [](std::string_view field, const syncline::Value&) {
    std::cout << field << '\n';  // Fields from "a" on, in byte order.
    return true;
  });
  EXPECT_EQ(printed(), "stock/apples\nname\n");

  auto json = shop.to_json("c");  // Keys that begin with "c"; all without.
  if (json) std::cout << *json << '\n';
  EXPECT_EQ(printed(), R"({"cart/42":["apples"],"customer/42":{"name":"Ada"}})"
                       "\n");

  auto saved = shop.to_json("", syncline::JsonTypes::always);
  auto archive = replica->keyspace("archive");
  auto restored = archive.update([&](auto& tx) { tx.write_json(saved.value_or("{}")); });
  ASSERT_TRUE(restored) << to_string(restored.error());
  EXPECT_EQ(*archive.to_json(), *shop.to_json());

  auto written_by = shop.describe("customer/42");  // Result<std::vector<LiveWrite>>
  if (written_by) {
    for (const syncline::LiveWrite& write : *written_by)
      std::cout << write.element << " by " << to_string(write.dot.actor) << '\n';
  }
  EXPECT_EQ(printed(), "name by " + to_string(*shop.actor()) + "\n");

  auto watch = shop.watch("stock/", [](const syncline::EventBatch& batch) {
    std::cout << (batch.local ? "here:" : "from a peer:");
    for (const syncline::Event& event : batch.events) {
      std::cout << ' ' << event.key << ' ';
      if (event.before) std::cout << *event.before->integer();
      std::cout << " -> ";
      if (event.after) std::cout << *event.after->integer();
    }
    std::cout << '\n';
  });
  shop.update([](auto& tx) {
    tx.counter("stock/apples").add(-2);
    tx.counter("stock/pears").add(6);
  });
  EXPECT_EQ(printed(), "here: stock/apples 12 -> 10 stock/pears  -> 6\n");

  auto then = shop.version();
  shop.update([](auto& tx) { tx.set("cart/42").insert("pears"); });

  auto touched = shop.changes_since(then);  // Result: {"cart/42"}
  if (!touched && touched.error().code == syncline::Errc::version_too_old) {
    // The log doesn't reach back so far: look at everything anew.
  }

  auto arrived = shop.wait_for(*written, std::chrono::seconds(5));  // Read your writes, anywhere.
  ASSERT_TRUE(touched);
  EXPECT_THAT(*touched, ElementsAre("cart/42"));
  EXPECT_TRUE(arrived);

  for (int attempt = 0; attempt < 2; ++attempt) {
    shop.update("order-4711", [](auto& tx) { tx.counter("orders").add(1); });
  }
  EXPECT_EQ(*shop.counter("orders").total(), 1);

  auto other = syncline::Replica::open();
  if (!other) return report(other.error());
  auto here = replica->connect({}, [] { /* send() may have something to say: wake the transport */ });
  auto there = other->connect({}, [] {});
  syncline::Keyspace copy = other->keyspace("shop");

  const auto carry = [](syncline::Replica::Link& from, syncline::Replica::Link& to) {
    bool carried = false;
    while (auto frame = from.send()) carried = to.receive(*frame).has_value();
    return carried;
  };
  while (!copy.wait_for(shop.version(), std::chrono::milliseconds(0))) {
    while (carry(*here, *there) || carry(*there, *here)) {
    }
    here->run();  // Does what fell due; a real loop sleeps until deadline().
    there->run();
  }
  std::cout << copy.to_json().value_or("?") << '\n';
  EXPECT_EQ(printed(), *shop.to_json() + "\n");
  EXPECT_EQ(copy.digests(), shop.digests());

  replica->add_member(replica->member_id(), "the office");
  replica->add_member(other->member_id(), "Ada's till");  // Ids come by config, by phone...

  auto everywhere = shop.wait_stable(*written, std::chrono::seconds(0));
  if (!everywhere) std::cout << everywhere.error().detail << '\n';  // Not linked just now.
  EXPECT_NE(printed().find("waiting for " + other->member_id()), std::string::npos);
}

// Lines without indentation, empty ones left out.
std::vector<std::string> lines_of(std::istream& in) {
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    const auto begin = line.find_first_not_of(' ');
    if (begin != std::string::npos) lines.push_back(line.substr(begin));
  }
  return lines;
}

TEST(Guide, IsCompiledHere) {
  const std::string root = SYNCLINE_SOURCE_DIR;
  std::ifstream guide(root + "/docs/guide.md");
  std::ifstream self(root + "/tests/store/guide_test.cc");
  ASSERT_TRUE(guide && self);
  const std::vector<std::string> compiled = lines_of(self);
  std::vector<std::string> block;
  int blocks = 0;
  bool inside = false;
  for (const std::string& line : lines_of(guide)) {
    if (line == "```cpp") {
      inside = true;
    } else if (inside && line == "```") {
      inside = false;
      ++blocks;
      EXPECT_NE(std::search(compiled.begin(), compiled.end(), block.begin(), block.end()), compiled.end())
          << "not compiled by this test: " << block.front();
      block.clear();
    } else if (inside) {
      block.push_back(line);
    }
  }
  EXPECT_FALSE(inside);
  EXPECT_GE(blocks, 10);
}

}  // namespace
