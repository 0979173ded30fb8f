// What people read is held to the code: its programs are parts of sources that
// are compiled, its links lead somewhere, the tests that it names exist.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/docs/document.h"

namespace syncline::docs {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::filesystem::path root() { return SYNCLINE_SOURCE_DIR; }

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// All that is written for people, by path from the root.
std::map<std::string, std::string> pages() {
  std::map<std::string, std::string> pages;
  for (const char* name : {"README.md", "CONTRIBUTING.md", "CHANGELOG.md"}) pages[name] = read(root() / name);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root() / "docs")) {
    if (entry.path().extension() != ".md") continue;
    pages[entry.path().lexically_relative(root()).generic_string()] = read(entry.path());
  }
  return pages;
}

// The sources of the house. Each is named in its folder's CMakeLists.txt, so each is compiled.
std::vector<std::string> sources(const std::vector<std::string>& folders) {
  std::vector<std::string> texts;
  for (const std::string& folder : folders) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root() / folder)) {
      const auto extension = entry.path().extension();
      if (entry.is_regular_file() && (extension == ".cc" || extension == ".h"))
        texts.push_back(read(entry.path()));
    }
  }
  return texts;
}

std::string place(const std::string& page, std::size_t line) { return page + ":" + std::to_string(line); }

TEST(Docs, EveryProgramInThemIsPartOfACompiledSource) {
  const auto texts = sources({"crdt", "wire", "sync", "store", "net", "demos", "tests"});
  std::size_t programs = 0;
  for (const auto& [page, text] : pages()) {
    for (const Block& block : blocks_of(text)) {
      if (block.language != "cpp") continue;
      ++programs;
      const bool compiled = std::any_of(
          texts.begin(), texts.end(),
          [&block = block](const std::string& source) { return contains_lines(source, block.text); });
      EXPECT_TRUE(compiled) << place(page, block.line) << ": no source has these lines\n" << block.text;
    }
  }
  EXPECT_GT(programs, 0U);
}

TEST(Docs, NoProgramHidesUnderAnotherName) {
  for (const auto& [page, text] : pages()) {
    for (const Block& block : blocks_of(text)) {
      EXPECT_THAT((std::set<std::string>{"", "cpp", "sh", "cmake", "text", "json"}), Contains(block.language))
          << place(page, block.line);
    }
  }
}

TEST(Docs, EveryLinkLeadsSomewhere) {
  const auto all = pages();
  for (const auto& [page, text] : all) {
    for (const Link& link : links_of(text)) {
      if (link.target.starts_with("https://")) continue;
      const auto hash = std::min(link.target.find('#'), link.target.size());
      const std::string path = link.target.substr(0, hash);
      const auto folder = std::filesystem::path(page).parent_path();
      const std::string target = path.empty() ? page : (folder / path).lexically_normal().generic_string();
      EXPECT_TRUE(std::filesystem::exists(root() / target)) << place(page, link.line) << ": " << link.target;
      if (hash == link.target.size() || !all.contains(target)) continue;
      EXPECT_THAT(anchors_of(all.at(target)), Contains(link.target.substr(hash + 1)))
          << place(page, link.line) << ": " << link.target;
    }
  }
}

// What `ctest -N` lists.
std::string list_of_tests() {
  std::string out;
  FILE* const pipe = ::popen(SYNCLINE_CTEST " -N", "r");
  if (pipe == nullptr) return out;
  char buffer[4096];
  for (std::size_t size; (size = ::fread(buffer, 1, sizeof(buffer), pipe)) > 0;) out.append(buffer, size);
  ::pclose(pipe);
  return out;
}

TEST(Docs, EveryTestTheyTellToRunExists) {
  const std::string tests = list_of_tests() + "\n";
  std::size_t named = 0;
  for (const auto& [page, text] : pages()) {
    for (const std::string& name : ctest_names_of(text)) {
      ++named;
      EXPECT_NE(tests.find(": " + name + "\n"), std::string::npos) << page << ": " << name;
    }
  }
  EXPECT_GT(named, 0U);
}

TEST(Docs, EveryCaseTheyNameExists) {
  const auto texts = sources({"tests"});
  std::size_t named = 0;
  for (const auto& [page, text] : pages()) {
    for (const std::string& name : cases_of(text)) {
      ++named;
      const auto dot = name.find('.');
      const std::string declared = "(" + name.substr(0, dot) + ", " + name.substr(dot + 1) + ")";
      const bool exists = std::any_of(texts.begin(), texts.end(), [&](const std::string& source) {
        return source.find("TEST" + declared) != std::string::npos ||
               source.find("TEST_F" + declared) != std::string::npos ||
               source.find("TEST_P" + declared) != std::string::npos;
      });
      EXPECT_TRUE(exists) << page << ": " << name;
    }
  }
  EXPECT_GT(named, 0U);
}

// The page of promises and the tests tell of the same requirements.
TEST(Docs, TheRequirementsPromisedAreThoseInTheNamesOfTests) {
  std::set<std::string> tested;
  for (const std::string& source : sources({"tests"})) tested.merge(requirements_tested_by(source));
  EXPECT_EQ(requirements_of(read(root() / "docs" / "guarantees.md")), tested);
  EXPECT_THAT(tested, Contains("R-CRDT-1"));
}

// What the checks above rest on, shown to see what is there and what isn't.

constexpr const char* sample =
    "# A `page`, of sorts\n"
    "See [here](other.md#part), run `ctest --preset release -R some_test`.\n"
    "```cpp\n"
    "if (a) {\n"
    "  b();  // [no](link.md)\n"
    "}\n"
    "```\n"
    "It is `Suite.CaseOne` that shows it, not `file.md`.\n";

TEST(Document, IsTakenApart) {
  ASSERT_EQ(blocks_of(sample).size(), 1U);
  EXPECT_EQ(blocks_of(sample)[0].language, "cpp");
  EXPECT_EQ(blocks_of(sample)[0].line, 3U);
  EXPECT_EQ(blocks_of(sample)[0].text, "if (a) {\n  b();  // [no](link.md)\n}\n");
  ASSERT_EQ(links_of(sample).size(), 1U);
  EXPECT_EQ(links_of(sample)[0].target, "other.md#part");
  EXPECT_THAT(anchors_of(sample), ElementsAre("a-page-of-sorts"));
  EXPECT_THAT(ctest_names_of(sample), ElementsAre("some_test"));
  EXPECT_THAT(cases_of(sample), ElementsAre("Suite.CaseOne"));
  EXPECT_THAT(blocks_of("no block"), IsEmpty());
}

TEST(Document, RequirementsAreFoundInPagesAndInNamesOfTests) {
  EXPECT_THAT(requirements_of("as (R-AE-1), R-DUR-12; not R-AE or PR-AE-2"),
              ElementsAre("R-AE-1", "R-DUR-12"));
  EXPECT_THAT(
      requirements_tested_by("// R_AE_9\nTEST(A, B_R_AE_1) {\nTEST_F(C_R_RES_4, D_R_DUR_12_R_AE_2) {\n"),
      ElementsAre("R-AE-1", "R-AE-2", "R-DUR-12", "R-RES-4"));
  EXPECT_THAT(requirements_tested_by("int R_AE_1 = 0;"), IsEmpty());
}

TEST(Document, LinesAreFoundWhateverTheirIndentation) {
  const char* source = "int main() {\n  if (a) {\n    b();\n  }\n\n  c();\n}\n";
  EXPECT_TRUE(contains_lines(source, "if (a) {\n  b();\n}\n\nc();\n"));
  EXPECT_TRUE(contains_lines(source, "  c();\n"));
}

TEST(Document, LinesThatDifferAreNotFound) {
  const char* source = "int main() {\n  if (a) {\n    b();\n  }\n  c();\n}\n";
  EXPECT_FALSE(contains_lines(source, "if (a) {\n  c();\n}\n"));     // Another line.
  EXPECT_FALSE(contains_lines(source, "if (a) {\nb();\n}\n"));       // Indented in another way.
  EXPECT_FALSE(contains_lines(source, "if (a) {\n    b();\nc();"));  // One left out.
  EXPECT_FALSE(contains_lines(source, "// b();\n"));
  EXPECT_FALSE(contains_lines(source, ""));
}

}  // namespace
}  // namespace syncline::docs
