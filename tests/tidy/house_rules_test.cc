#include "tests/tidy/house_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace syncline::tidy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool is_text(const std::filesystem::path& path) {
  static const std::vector<std::string> kinds = {".h",    ".cc",    ".cmake", ".in", ".md", ".txt",
                                                 ".json", ".capnp", ".sh",    ".py", ""};
  return std::find(kinds.begin(), kinds.end(), path.extension().string()) != kinds.end();
}

TEST(HouseRules, HoldInTheSourceTree) {
  const std::filesystem::path root(SYNCLINE_SOURCE_DIR);
  std::size_t sources = 0;
  std::vector<std::string> found;
  for (const std::string top :
       {"crdt", "wire", "sync", "store", "net", "tests", "demos", "bench", "docs", "cmake"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / top)) {
      if (!entry.is_regular_file() || !is_text(entry.path())) continue;
      const auto path = std::filesystem::relative(entry.path(), root).generic_string();
      const auto broken = check_file(path, read(entry.path()));
      found.insert(found.end(), broken.begin(), broken.end());
      if (path.ends_with(".h") || path.ends_with(".cc")) ++sources;
    }
  }
  for (const std::string file :
       {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile", "CMakeLists.txt", ".ci/run"}) {
    const auto broken = check_file(file, read(root / file));
    found.insert(found.end(), broken.begin(), broken.end());
  }
  EXPECT_THAT(found, IsEmpty());
  EXPECT_GT(sources, 15U) << "looked in the wrong place: " << root;
}

struct Planted {
  std::string path;
  std::string line;
  std::string complaint;
};

// What the tree is clean of, the checker must still be able to see.
class HouseRulesPlanted : public ::testing::TestWithParam<Planted> {};

TEST_P(HouseRulesPlanted, IsFoundOnItsLine) {
  const auto& planted = GetParam();
  const auto found = check_file(planted.path, "#pragma once\n" + planted.line + "\n");
  EXPECT_THAT(found, ElementsAre(HasSubstr(planted.complaint)));
  ASSERT_FALSE(found.empty());
  EXPECT_THAT(found.front(), ::testing::StartsWith(planted.path + ":2: "));
}

INSTANTIATE_TEST_SUITE_P(
    Violations, HouseRulesPlanted,
    ::testing::Values(Planted{"crdt/dot.h", "#include \"wire/codec.h\"", "wrong way"},
                      Planted{"wire/codec.cc", "#include \"sync/session.h\"", "wrong way"},
                      Planted{"sync/session.cc", "  #  include \"store/replica.h\"", "wrong way"},
                      Planted{"store/replica.h", "#include \"net/node.h\"", "wrong way"},
                      Planted{"store/replica.cc", "#include <uv.h>", "uv.h"},
                      Planted{"tests/sim/sim.cc", "#include <uv.h>", "uv.h"},
                      Planted{"net/node.cc", "#include <sqlite3.h>", "sqlite3.h"},
                      Planted{"sync/session.cc", "#include <capnp/message.h>", "Cap'n Proto"},
                      Planted{"net/node.cc", "#include <kj/async.h>", "Cap'n Proto"},
                      Planted{"sync/session.cc", "#include \"wire/schema.capnp.h\"", "Cap'n Proto"},
                      Planted{"wire/codec.h", "#include <kj/common.h>", "no header shows"},
                      Planted{"crdt/dot.h", "#include <fmt/core.h>", "only std"},
                      Planted{"crdt/dot.h", "#include <absl/container/btree_map.h>", "only std"},
                      Planted{"crdt/dot.h", "#include \"absl/hash/hash.h\"", "only std"},
                      Planted{"crdt/hlc.h", "#include <random>", "no thread"},
                      Planted{"sync/engine.h", "#include <mutex>", "no thread"},
                      Planted{"sync/engine.cc", "#include <unistd.h>", "no thread"},
                      Planted{"wire/codec.cc", "#include <fstream>", "no thread"},
                      Planted{"sync/engine.cc", "auto now = std::chrono::steady_clock::now();", "::now"},
                      Planted{"sync/engine.cc", "std::thread worker(run);", "std::thread"},
                      Planted{"crdt/hlc.cc", "int r = rand();", "rand("},
                      Planted{"wire/codec.cc", "auto* f = fopen(name, mode);", "fopen"},
                      Planted{"sync/engine.cc", "std::this_thread::sleep_for(1s);", "sleeps"},
                      Planted{"tests/net/node_test.cc", "std::this_thread::sleep_for(1s);", "sleeps"},
                      Planted{"demos/gossip.cc", "#include \"net/node.h\"", "demos include"},
                      Planted{"demos/gossip.cc", "#include <absl/container/btree_map.h>", "demos include"},
                      Planted{"net/node.cc", "#include \"tests/sim/sim.h\"", "nothing includes"},
                      Planted{"tests/sim/sim.cc", "#include \"bench/gen.h\"", "nothing includes"},
                      Planted{"sync/session.cc", "#include \"session.h\"", "from the root"},
                      Planted{"sync/engine.cc", "char q = '\"'; std::thread t;  // \"", "std::thread"},
                      Planted{"sync/engine.cc", "auto n = 1'000; std::thread t; n = 2'000;", "std::thread"},
                      Planted{"docs/guide.md", std::string("cd /ho") + "me/ada/syncline", "one machine"}));

TEST(HouseRules, AHeaderNeedsItsGuardAndANameOfItsOwn) {
  EXPECT_THAT(check_file("sync/engine.h", "int x;\n"), ElementsAre(HasSubstr("#pragma once")));
  EXPECT_THAT(check_file("net/if.h", "#pragma once\n"), ElementsAre(HasSubstr("glibc")));
}

TEST(HouseRules, LeaveAloneWhatIsAllowed) {
  EXPECT_THAT(check_file("sync/session.cc", R"cc(
#include "crdt/dot.h"
#include "sync/session.h"
#include "wire/codec.h"
#include <absl/container/btree_map.h>
                // A std::thread in a comment, and std::chrono::steady_clock::now() too.
                /* sleep_for(1s);
                   #include <uv.h> */
                const char* text = "std::mutex \" and sleep( in a literal";
                const char* raw = R"(fopen("x") )";
                auto operand(int x);
                auto next = clock.now_or_later();
              )cc"),
              IsEmpty());
  EXPECT_THAT(check_file("net/loop.cc", "#include <uv.h>\nauto t = std::chrono::steady_clock::now();\n"),
              IsEmpty());
  EXPECT_THAT(check_file("tests/net/echo_test.cc", "#include <uv.h>\n#include \"net/node.h\"\n"), IsEmpty());
  EXPECT_THAT(check_file("bench/echo.cc", "#include <uv.h>\n"), IsEmpty());
  EXPECT_THAT(check_file("wire/codec.cc", "#include <capnp/message.h>\n#include \"wire/schema.capnp.h\"\n"),
              IsEmpty());
  EXPECT_THAT(check_file("demos/peer.cc",
                         "#include <syncline/net.h>\n#include <fmt/core.h>\n#include <unistd.h>\n"
                         "#include \"demos/table.h\"\n#include <vector>\n"),
              IsEmpty());
  EXPECT_THAT(check_file("tests/demos/table_test.cc", "#include \"demos/table.h\"\n"), IsEmpty());
  EXPECT_THAT(check_file("docs/guide.md", "see https://example.org/framework/ and ${root}/work/x\n"),
              IsEmpty());
}

}  // namespace
}  // namespace syncline::tidy
