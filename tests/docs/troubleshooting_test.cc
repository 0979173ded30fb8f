// docs/troubleshooting.md shows what one will see. Here it is made to happen,
// and the page must have the very words.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/docs/document.h"
#include "tests/net/fixture.h"
#include "tests/net/raw_peer.h"
#include "tests/support/folder.h"

namespace syncline {
namespace {

using std::chrono::milliseconds;
using test::DeadPort;
using test::eventually;
using test::Peer;
using test::quick;
using test::RawPeer;
using test::State;

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The messages that the page shows: the lines of its text blocks.
std::string shown() {
  std::string lines = "\n";
  for (const auto& block : docs::blocks_of(read(SYNCLINE_SOURCE_DIR "/docs/troubleshooting.md"))) {
    if (block.language == "text") lines += block.text;
  }
  return lines;
}

// The page is about one machine of ports 7946 and 7947; the kernel chooses others here.
void expect_shown(std::string message, const std::vector<std::pair<std::string, std::string>>& as = {}) {
  for (const auto& [actual, page] : as) {
    for (auto at = message.find(actual); at != std::string::npos; at = message.find(actual, at + page.size()))
      message.replace(at, actual.size(), page);
  }
  EXPECT_NE(shown().find("\n" + message + "\n"), std::string::npos) << "the page lacks: " << message;
}

NodeOptions here() {
  auto options = quick();
  options.cluster = "corner-shop";
  return options;
}

TEST(Troubleshooting, AnotherCluster) {
  Peer a(here());
  Peer b;
  auto options = here();
  options.cluster = "main-street";
  options.join = {a.address()};
  b.start(std::move(options));
  ASSERT_TRUE(eventually([&] { return b.error(State::waiting) != "" && a.error(State::refused) != ""; }));
  // Whoever hears the other's name first says it; the other may only hear why it was left.
  expect_shown(a.error(State::refused));
  expect_shown(b.error(State::waiting));
}

TEST(Troubleshooting, AStoreOfAnotherCluster) {
  Peer a(here());
  a.node.reset();
  auto options = here();
  options.cluster = "main-street";
  const auto started = Node::start(a.replica, std::move(options));
  ASSERT_FALSE(started);
  expect_shown(to_string(started.error()));
}

TEST(Troubleshooting, APortThatIsTaken) {
  Peer a(here());
  Peer b;
  auto options = here();
  options.listen = a.address();
  const auto started = Node::start(b.replica, std::move(options));
  ASSERT_FALSE(started);
  expect_shown(to_string(started.error()), {{a.address(), "127.0.0.1:7946"}});
}

TEST(Troubleshooting, PlaintextOffThisMachine) {
  Peer a;
  auto options = here();
  options.listen = "0.0.0.0:7946";
  const auto started = Node::start(a.replica, std::move(options));
  ASSERT_FALSE(started);
  expect_shown(to_string(started.error()));
}

TEST(Troubleshooting, NobodyListens) {
  const DeadPort nobody;
  auto options = here();
  options.join = {nobody.address()};
  Peer a(std::move(options));
  ASSERT_TRUE(eventually([&] { return a.error(State::waiting) != ""; }));
  expect_shown(a.error(State::waiting), {{nobody.address(), "127.0.0.1:7947"}});
}

TEST(Troubleshooting, WhoConnectsAndSaysNothing) {
  auto options = here();
  options.handshake_timeout = milliseconds(100);
  Peer a(std::move(options));
  RawPeer stranger(a.node->port());
  ASSERT_TRUE(eventually([&] { return a.error(State::refused) != ""; }));
  expect_shown(a.error(State::refused), {{"100 ms", "5000 ms"}});
}

TEST(Troubleshooting, WhoFallsSilent) {
  std::mutex mutex;
  std::string reason;
  const auto told = [&] {
    const std::lock_guard lock(mutex);
    return reason;
  };
  auto options = here();
  options.tick_interval = milliseconds(20);
  options.dead_after = milliseconds(100);
  options.on_peer = [&](const PeerState& peer) {
    const std::lock_guard lock(mutex);
    reason = peer.last_error;
  };
  Peer a(std::move(options));
  auto other = Replica::open();
  RawPeer silent(a.node->port());
  ASSERT_TRUE(silent.greet(*other, "corner-shop"));
  ASSERT_TRUE(eventually([&] { return told() != ""; }));
  expect_shown(told(), {{"100 ms", "15000 ms"}});
  a.node.reset();  // It calls on_peer().
}

TEST(Troubleshooting, NotAllFoundEqualInTime) {
  Peer a(here());
  const auto synced = a.node->wait_until_synced(milliseconds(1));
  ASSERT_FALSE(synced);
  expect_shown(to_string(synced.error()));
}

TEST(Troubleshooting, AStoreInUse) {
  const Folder folder;
  const std::string path = folder / "shop.db";
  const auto holder = Replica::open({.path = path});
  ASSERT_TRUE(holder);
  const auto second = Replica::open({.path = path});
  ASSERT_FALSE(second);
  const std::string& told = second.error().detail;
  const std::string host = told.substr(std::min(told.rfind(' '), told.size() - 1) + 1);
  expect_shown(
      to_string(second.error()),
      {{path, "shop.db"}, {"process " + std::to_string(::getpid()), "process 4711"}, {host, "till-2"}});
}

// Overwrites the one place in the file where `text` stands.
void overwrite(const std::string& path, const std::string& text, char with) {
  std::string file = read(path);
  const auto at = file.find(text);
  ASSERT_NE(at, std::string::npos);
  ASSERT_EQ(file.find(text, at + 1), std::string::npos) << "in the log, too";
  std::fill_n(file.begin() + static_cast<std::ptrdiff_t>(at), text.size(), with);
  std::ofstream(path, std::ios::binary) << file;
}

TEST(Troubleshooting, ADamagedLeafAndADamagedPage) {
  const Folder folder;
  ReplicaOptions options;
  options.path = folder / "shop.db";
  options.engine.log_bytes_max = 0;
  std::string line;
  options.log = [&](LogLevel level, std::string_view text, const auto&) {
    if (level >= LogLevel::warning) line = text;
  };
  {
    Replica replica = *Replica::open(options);
    ASSERT_TRUE(replica.keyspace("shop").update([](Update& tx) { tx.reg("cart/42").set("three pears"); }));
  }
  overwrite(options.path, "three pears", '?');
  {
    Replica replica = *Replica::open(options);
    const auto found = replica.keyspace("shop").reg("cart/42").get();
    ASSERT_FALSE(found);
    expect_shown(to_string(found.error()));
    ASSERT_TRUE(replica.scrub());
    expect_shown(line);
  }
  const std::string file = read(options.path);
  constexpr std::size_t page_bytes = 4'096;
  overwrite(options.path, file.substr(file.find("???") / page_bytes * page_bytes, page_bytes), 0);
  Replica replica = *Replica::open(options);
  ASSERT_TRUE(replica.scrub());
  expect_shown(line);
  const auto refused = replica.keyspace("shop").reg("cart/42").get();
  ASSERT_FALSE(refused);
  expect_shown(to_string(refused.error()));
}

TEST(Troubleshooting, TooLarge) {
  Peer a;
  const auto value = a.shop.update([](Update& tx) { tx.reg("photo").set(std::string(100'000, 'x')); });
  ASSERT_FALSE(value);
  expect_shown(to_string(value.error()));
  const auto key = a.shop.update([](Update& tx) { tx.reg(std::string(20'000, 'k')).set(1); });
  ASSERT_FALSE(key);
  expect_shown(to_string(key.error()));
  const auto change = a.shop.update([](Update& tx) {
    for (int i = 0; i < 400; ++i) tx.map("photos").set(std::to_string(i), std::string(60'000, 'x'));
  });
  ASSERT_FALSE(change);
  expect_shown(to_string(change.error()));
}

TEST(Troubleshooting, AnUpdateInsideAnUpdate) {
  Peer a;
  std::string inner;
  const auto outer = a.shop.update([&](Update& tx) {
    tx.counter("c").add(1);
    const auto refused = a.shop.update([](Update& again) { again.counter("c").add(1); });
    if (!refused) inner = to_string(refused.error());
  });
  ASSERT_TRUE(outer);
  expect_shown(inner);
}

TEST(Troubleshooting, AClockThatIsWrong) {
  constexpr Time noon{std::chrono::hours(1), std::chrono::hours(24 * 365 * 50)};
  std::string line;
  ReplicaOptions options;
  options.clock = [=] { return noon; };
  options.log = [&](LogLevel, std::string_view text, const auto& fields) {
    line = text;
    for (const auto& [name, value] : fields) line += " " + name + "=" + value;
  };
  Replica right = *Replica::open(std::move(options));
  ReplicaOptions tomorrow;
  tomorrow.engine.entropy = {1, 2, 3, 4};
  tomorrow.clock = [=] { return Time{noon.monotonic, noon.wall + std::chrono::hours(24)}; };
  Replica wrong = *Replica::open(std::move(tomorrow));
  Keyspace here = right.keyspace("shop");
  Keyspace there = wrong.keyspace("shop");
  auto to_wrong = right.connect({}, nullptr);
  auto to_right = wrong.connect({}, nullptr);
  const auto carry = [](Replica::Link& from, Replica::Link& to) {
    bool any = false;
    while (const auto frame = from.send()) any = to.receive(*frame).has_value();
    return any;
  };
  const auto drain = [&] {
    for (bool more = true; more;) {
      more = carry(*to_wrong, *to_right);
      more = carry(*to_right, *to_wrong) || more;
    }
  };
  drain();
  ASSERT_TRUE(there.update([](Update& tx) { tx.reg("r").set(1); }));
  drain();
  EXPECT_EQ(*here.reg("r").get(), Value(1));  // Applied all the same.
  expect_shown(line);
}

TEST(Troubleshooting, BelowTheLog) {
  Replica replica = *Replica::open({.engine = {.log_bytes_max = 1'000}});
  Keyspace shop = replica.keyspace("shop");
  const auto first = shop.update([](Update& tx) { tx.counter("c").add(1); });
  ASSERT_TRUE(first);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(
        shop.update([&](Update& tx) { tx.map("m").set(std::to_string(i), "a value of some length"); }));
  }
  const auto changed = shop.changes_since(*first);
  ASSERT_FALSE(changed);
  expect_shown(to_string(changed.error()));
}

TEST(Troubleshooting, Joining) {
  Replica full = *Replica::open();
  ASSERT_TRUE(full.keyspace("shop").update([](Update& tx) {
    for (int i = 0; i < 10; ++i) tx.set("s").insert(i);
  }));
  Replica fresh = *Replica::open({.engine = {.join_in_place = true}});
  Keyspace shop = fresh.keyspace("shop");
  auto from = full.connect({.chunk_bytes = 1}, nullptr);
  auto to = fresh.connect({}, nullptr);
  while (to->metrics().leaves_in < 3) {
    if (const auto frame = from->send()) {
      ASSERT_TRUE(to->receive(*frame));
    }
    while (const auto frame = to->send()) ASSERT_TRUE(from->receive(*frame));
  }
  const auto size = shop.set("s").size();
  ASSERT_FALSE(size);
  expect_shown(to_string(size.error()));
}

// What can't be made to happen here is held to the source that says it.
struct Said {
  std::string line;    // On the page.
  std::string source;  // The file that has...
  std::string words;   // ...these words of it.
};

TEST(Troubleshooting, TheRestIsWhatTheSourcesSay) {
  const std::string install = "cmake/install-packages";
  const std::string find = "cmake/SynclineDependencies.cmake";
  const std::string demo = "demos/gossip/main.cc";
  const std::string notices = "store/replica_state.cc";
  const std::vector<Said> all = {
      {"storage: stopped until it is opened anew, for it failed: the store: disk I/O error",
       "store/sqlite_store.cc", "stopped until it is opened anew, for it failed: "},
      {R"(damaged: what is stored under "cart/42" in keyspace "shop" fails its checksum: it can't be read )"
       "until a peer gave it back",
       "store/sqlite_read.cc", R"(what is stored under \"{}\" in keyspace \"{}\" fails its checksum: it ")"},
      {"disk_full: the store: database or disk is full", "store/sqlite.cc", "sqlite3_errmsg"},
      {"timeout: no connection within 5000 ms", "net/dial.cc", "no connection within {} ms"},
      {"a peer runs a copy of this very store", notices, ""},
      {"two changes under one dot: a store was copied or restored", notices, ""},
      {"a peer knows more of our changes than we do: writing under a fresh actor", notices, ""},
      {"equal versions with unequal states: repairing", notices, ""},
      {".: only 42 commits here; replaying the trace that comes with this program", demo,
       ": only {} commits here"},
      {".: only 42 commits here; replaying the trace that comes with this program", demo,
       "; replaying the trace that comes with this program"},
      {R"(gossip: ops.jsonl:2: "op" must be inc, add, rem or put, not "sub")", "demos/gossip/trace.cc",
       R"(\"op\" must be inc, add, rem or put, not \"{}\")"},
      {"syncline: packages are missing and there is no sudo; as root run: apt-get install", install, ""},
      {"syncline: apt-get failed; run by hand: apt-get update && apt-get install", install, ""},
      {"syncline needs libuv, unknown to pkg-config (Debian: apt-get install libuv1-dev)", find,
       "syncline_find(uv libuv1-dev libuv)"},
      {"syncline needs libuv, unknown to pkg-config (Debian: apt-get install libuv1-dev)", find,
       ", unknown to pkg-config (Debian: apt-get install ${package})"},
      {"syncline needs the capnp compiler (Debian: apt-get install capnproto)", "cmake/SynclineTargets.cmake",
       ""},
      {"the tests need GoogleTest (Debian: apt-get install libgtest-dev libgmock-dev); or set "
       "SYNCLINE_TESTS=OFF",
       "tests/CMakeLists.txt", ""}};
  for (const Said& said : all) {
    expect_shown(said.line);
    const std::string source = read(std::filesystem::path(SYNCLINE_SOURCE_DIR) / said.source);
    const std::string& words = said.words.empty() ? said.line : said.words;
    EXPECT_NE(source.find(words), std::string::npos) << said.source << " doesn't say: " << words;
  }
}

}  // namespace
}  // namespace syncline
