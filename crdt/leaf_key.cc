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

// The size of the escaped and ended string that begins at `at`; 0 if there is none.
std::size_t escaped_size(std::string_view bytes, std::size_t at) {
  for (std::size_t i = at;;) {
    i = bytes.find(zero, i);
    if (i == std::string_view::npos || i + 1 >= bytes.size()) return 0;
    if (bytes[i + 1] == end) return i + 2 - at;
    if (bytes[i + 1] != escaped_zero) return 0;
    i += 2;
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

std::string leaf_prefix(Place place, Type type) {
  std::string out;
  out.reserve(place.size() + 3);
  place.append_to(out);
  out.push_back(static_cast<char>(type));
  return out;
}

std::string leaf_key(Place place, Type type, std::string_view element) {
  std::string out;
  out.reserve(place.size() + element.size() + 5);
  place.append_to(out);
  out.push_back(static_cast<char>(type));
  append_escaped(out, element);
  return out;
}

std::string child_path(Place map, Type type, std::string_view name) { return leaf_key(map, type, name); }

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

std::optional<ObjectLeaf> object_leaf(std::string_view leaf) {
  std::size_t at = escaped_size(leaf, 0);
  if (at == 0) return std::nullopt;
  for (std::size_t depth = 1; at < leaf.size(); ++depth) {
    const Type type{static_cast<std::uint8_t>(leaf[at])};
    const std::size_t size = escaped_size(leaf, at + 1);
    if (size == 0) return std::nullopt;
    if (at + 1 + size == leaf.size()) return ObjectLeaf{leaf.substr(0, at), type, depth};
    if (!is_map(type)) return std::nullopt;
    at += 1 + size;
  }
  return std::nullopt;
}

std::size_t child_size(std::string_view leaf, std::size_t map_prefix) {
  const std::size_t name = escaped_size(leaf, map_prefix);
  const std::size_t size = map_prefix + name + 1;
  return name == 0 || size > leaf.size() ? 0 : size;
}

std::size_t path_depth(std::string_view path) {
  std::size_t depth = 0;
  for (std::size_t at = escaped_size(path, 0); at != 0 && at < path.size(); ++depth) {
    const std::size_t size = escaped_size(path, at + 1);
    if (size == 0) break;
    at += 1 + size;
  }
  return depth;
}

PathNames path_names(std::string_view path) {
  PathNames parts;
  bool more = take_escaped(path, &parts.key);
  while (more && !path.empty()) {
    const Type type{static_cast<std::uint8_t>(path.front())};
    path.remove_prefix(1);
    parts.names.emplace_back(type, std::string());
    more = take_escaped(path, &parts.names.back().second);
  }
  return parts;
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
