#include "tests/demos/history_stream.h"

#include <array>
#include <set>

namespace gossip {
namespace {

constexpr std::size_t names = 60;

// As fast-import quotes a path: C's way, every odd byte in octal.
std::string quoted(const std::string& name) {
  std::string out = "\"";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && c != '"' && c != '\\') {
      out += c;
    } else {
      out += '\\';
      for (const int shift : {6, 3, 0}) out += static_cast<char>('0' + ((byte >> shift) & 7));
    }
  }
  return out + '"';
}

std::string file_name(std::size_t number) {
  static const std::array<std::string, 6> odd = {"plain",   "with blank",     "line\nbreak",
                                                 "quo\"te", "\xff\xfe bytes", "gr\xc3\xbc\xc3\x9f"};
  return "dir " + std::to_string(number % 7) + "/" + odd.at(number % odd.size()) + std::to_string(number);
}

std::string data(const std::string& text) {
  return "data " + std::to_string(text.size()) + "\n" + text + "\n";
}

std::string commit(const std::string& branch, std::size_t mark, std::size_t author, std::size_t time) {
  const auto who = "Author " + std::to_string(author) + " <a@example.org> " +
                   std::to_string(1'600'000'000 + time) + " +0000\n";
  return "commit refs/heads/" + branch + "\nmark :" + std::to_string(mark) + "\nauthor " + who +
         "committer " + who + data("change");
}

std::string modify(std::size_t file, std::size_t version) {
  return "M 100644 inline " + quoted(file_name(file)) + "\n" + data(std::to_string(version));
}

}  // namespace

std::string history_stream(std::size_t commits) {
  std::string out;
  std::set<std::size_t> present;
  std::size_t mark = 0;
  std::size_t random = 1;
  const auto draw = [&random](std::size_t below) {
    random = random * 6364136223846793005U + 1442695040888963407U;
    return (random >> 33) % below;
  };
  for (std::size_t i = 0; i < commits; ++i) {
    const auto base = mark;
    const bool merge = i > 0 && draw(10) == 0;
    const auto file = draw(names);
    const bool removes = present.contains(file) && draw(2) == 0;
    // The body goes to a side branch first where the commit is a merge.
    std::string body = removes ? "D " + quoted(file_name(file)) + "\n" : modify(file, i);
    if (i == 0) body += modify((file + 1) % names, i);
    if (i == 0) present.insert((file + 1) % names);
    if (removes) {
      present.erase(file);
    } else {
      present.insert(file);
    }
    if (merge) {
      out += commit("side", ++mark, draw(9), i) + "from :" + std::to_string(base) + "\n" + body;
      out += commit("main", mark + 1, draw(9), i) + "from :" + std::to_string(base) +
             "\nmerge :" + std::to_string(mark) + "\n" + body;
      ++mark;
    } else {
      out += commit("main", ++mark, draw(9), i);
      if (base > 0) out += "from :" + std::to_string(base) + "\n";
      out += draw(20) == 0 && i > 0 && !removes ? body + modify(file, i + 1) : body;
    }
  }
  return out + "done\n";
}

}  // namespace gossip
