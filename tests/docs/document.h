// A page of documentation, as its tests look at it.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace syncline::docs {

// A fenced block: what stands after ``` on its first line, and its text.
struct Block {
  std::string language;
  std::string text;
  std::size_t line = 0;  // Of the opening fence, from 1.
};

struct Link {
  std::string target;  // As written: a relative path, perhaps with #anchor, or an address.
  std::size_t line = 0;
};

// The fenced blocks of a Markdown text. One that is never closed goes on to the end.
std::vector<Block> blocks_of(std::string_view markdown);
// The targets of [text](target) outside of fenced blocks.
std::vector<Link> links_of(std::string_view markdown);
// The anchors that its headings give, as forges make them: lower case, spaces to hyphens, marks dropped.
std::vector<std::string> anchors_of(std::string_view markdown);

// Names of tests that it tells people to run: the words after `ctest ... -R`, without quotes.
std::vector<std::string> ctest_names_of(std::string_view markdown);
// Cases that it names: `Suite.Case` in backticks.
std::vector<std::string> cases_of(std::string_view markdown);

// Requirements that it names, as R-DUR-5; and those that names of test cases in a source carry, as R_DUR_5,
// told in the same form.
std::set<std::string> requirements_of(std::string_view markdown);
std::set<std::string> requirements_tested_by(std::string_view source);

// Whether the lines of `text`, whatever its indentation, stand in `source` one after the other,
// indented alike.
bool contains_lines(std::string_view source, std::string_view text);

}  // namespace syncline::docs
