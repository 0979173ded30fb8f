#include "crdt/leaf_key.h"

namespace syncline {
namespace {

constexpr char zero = '\x00';
constexpr char escaped_zero = '\xff';
constexpr char end = '\x01';

// Takes one escaped and ended string off the front, into `text` unless that is
// null. False if there is none.
bool take_escaped(std::string_view& bytes, std::string* text) {
  for (;;) {
    const std::size_t at = bytes.find(zero);
    if (at == std::string_view::npos || at + 1 >= bytes.size()) return false;
    const char mark = bytes[at + 1];
    if (text != nullptr) text->append(bytes.substr(0, at));
    bytes.remove_prefix(at + 2);
    if (mark == end) return true;
    if (mark != escaped_zero) return false;
    if (text != nullptr) text->push_back(zero);
  }
}

}  // namespace

void append_escaped_prefix(std::string& out, std::string_view text) {
  for (;;) {
    const std::size_t at = text.find(zero);
    out.append(text.substr(0, at));
    if (at == std::string_view::npos) return;
    out.push_back(zero);
    out.push_back(escaped_zero);
    text.remove_prefix(at + 1);
  }
}

void append_escaped(std::string& out, std::string_view text) {
  append_escaped_prefix(out, text);
  out.push_back(zero);
  out.push_back(end);
}

std::string leaf_prefix(std::string_view key, Type type) {
  std::string out;
  out.reserve(key.size() + 3);
  append_escaped(out, key);
  out.push_back(static_cast<char>(type));
  return out;
}

std::string leaf_key(std::string_view key, Type type, std::string_view element) {
  std::string out;
  out.reserve(key.size() + element.size() + 5);
  append_escaped(out, key);
  out.push_back(static_cast<char>(type));
  append_escaped(out, element);
  return out;
}

std::string leaf_key(const LeafPath& path) {
  std::string out;
  append_escaped(out, path.key);
  for (const auto& [type, element] : path.elements) {
    out.push_back(static_cast<char>(type));
    append_escaped(out, element);
  }
  return out;
}

Result<LeafPath> parse_leaf_key(std::string_view bytes) {
  LeafPath path;
  if (!take_escaped(bytes, &path.key)) return failure(Errc::malformed, "leaf key: no key");
  while (!bytes.empty()) {
    if (path.elements.size() == leaf_depth_max) return failure(Errc::malformed, "leaf key: nested too deep");
    const Type type{static_cast<std::uint8_t>(bytes.front())};
    if (type == Type{0}) return failure(Errc::malformed, "leaf key: type zero");
    bytes.remove_prefix(1);
    path.elements.emplace_back(type, std::string());
    if (!take_escaped(bytes, &path.elements.back().second))
      return failure(Errc::malformed, "leaf key: an element without end");
  }
  if (path.elements.empty()) return failure(Errc::malformed, "leaf key: no type");
  return path;
}

bool is_leaf_key(std::string_view bytes) {
  if (!take_escaped(bytes, nullptr)) return false;
  std::size_t depth = 0;
  do {
    if (bytes.empty() || bytes.front() == zero || depth++ == leaf_depth_max) return false;
    bytes.remove_prefix(1);
    if (!take_escaped(bytes, nullptr)) return false;
  } while (!bytes.empty());
  return true;
}

std::string prefix_end(std::string_view prefix) {
  std::string bytes(prefix);
  while (!bytes.empty()) {
    if (static_cast<unsigned char>(bytes.back()) != 0xff) {
      bytes.back() = static_cast<char>(static_cast<unsigned char>(bytes.back()) + 1);
      return bytes;
    }
    bytes.pop_back();
  }
  return bytes;
}

}  // namespace syncline
