#include "tests/docs/document.h"

#include <algorithm>
#include <cctype>
#include <regex>

namespace syncline::docs {
namespace {

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

bool is_fence(std::string_view line) { return line.starts_with("```"); }

// Calls do(line, number) for each line that isn't within a fenced block.
template <typename Do>
void each_line_of_prose(std::string_view markdown, Do&& look) {
  bool fenced = false;
  std::size_t number = 0;
  for (const auto line : lines_of(markdown)) {
    ++number;
    if (is_fence(line)) {
      fenced = !fenced;
    } else if (!fenced) {
      look(line, number);
    }
  }
}

std::vector<std::string> matches(std::string_view text, const std::string& pattern) {
  const std::regex regex(pattern);
  const std::string owned(text);
  std::vector<std::string> found;
  for (std::sregex_iterator at(owned.begin(), owned.end(), regex), end; at != end; ++at)
    found.push_back((*at)[1].str());
  return found;
}

std::size_t indentation(std::string_view line) {
  const auto first = line.find_first_not_of(' ');
  return first == std::string_view::npos ? 0 : first;
}

bool is_blank(std::string_view line) { return line.find_first_not_of(' ') == std::string_view::npos; }

// The lines, moved left by the indentation of the least indented one.
std::vector<std::string_view> outdented(std::vector<std::string_view> lines) {
  std::size_t least = std::string_view::npos;
  for (const auto line : lines) {
    if (!is_blank(line)) least = std::min(least, indentation(line));
  }
  for (auto& line : lines) line = is_blank(line) ? std::string_view{} : line.substr(least);
  return lines;
}

}  // namespace

std::vector<Block> blocks_of(std::string_view markdown) {
  std::vector<Block> blocks;
  bool open = false;
  std::size_t number = 0;
  for (const auto line : lines_of(markdown)) {
    ++number;
    if (is_fence(line)) {
      open = !open;
      if (open) blocks.push_back({std::string(line.substr(3)), {}, number});
    } else if (open) {
      blocks.back().text += std::string(line) + "\n";
    }
  }
  return blocks;
}

std::vector<Link> links_of(std::string_view markdown) {
  std::vector<Link> links;
  each_line_of_prose(markdown, [&](std::string_view line, std::size_t number) {
    for (auto& target : matches(line, R"(\]\(([^)\s]+)\))")) links.push_back({std::move(target), number});
  });
  return links;
}

std::vector<std::string> anchors_of(std::string_view markdown) {
  std::vector<std::string> anchors;
  each_line_of_prose(markdown, [&](std::string_view line, std::size_t) {
    if (!line.starts_with('#')) return;
    line.remove_prefix(std::min(line.find_first_not_of("# "), line.size()));
    std::string anchor;
    for (const char c : line) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == ' ') anchor += '-';
      if (std::isalnum(byte) != 0 || c == '-' || c == '_') anchor += static_cast<char>(std::tolower(byte));
    }
    anchors.push_back(anchor);
  });
  return anchors;
}

std::vector<std::string> ctest_names_of(std::string_view markdown) {
  return matches(markdown, R"(ctest [^`\n]*-R '?\^?([A-Za-z0-9_.]+))");
}

std::vector<std::string> cases_of(std::string_view markdown) {
  return matches(markdown, R"(`([A-Z][A-Za-z0-9_]*\.[A-Z][A-Za-z0-9_]*)`)");
}

std::set<std::string> requirements_of(std::string_view markdown) {
  const auto found = matches(markdown, R"(\b(R-[A-Z]+-[0-9]+)\b)");
  return {found.begin(), found.end()};
}

std::set<std::string> requirements_tested_by(std::string_view source) {
  std::set<std::string> ids;
  for (const std::string& name : matches(source, R"((?:^|\n)TEST(?:_F|_P)?\((\w+,\s*\w+)\))")) {
    for (std::string id : matches(name, R"((R_[A-Z]+_[0-9]+))")) {
      std::replace(id.begin(), id.end(), '_', '-');
      ids.insert(std::move(id));
    }
  }
  return ids;
}

bool contains_lines(std::string_view source, std::string_view text) {
  const auto wanted = outdented(lines_of(text));
  const auto lines = lines_of(source);
  if (wanted.empty() || wanted.size() > lines.size()) return false;
  for (std::size_t at = 0; at + wanted.size() <= lines.size(); ++at) {
    const auto from = lines.begin() + static_cast<std::ptrdiff_t>(at);
    const auto to = from + static_cast<std::ptrdiff_t>(wanted.size());
    if (outdented({from, to}) == wanted) return true;
  }
  return false;
}

}  // namespace syncline::docs
