// The order-preserving bytes that name a leaf: key, then (type, path element)*.
//
// Each string is escaped (0x00 becomes 0x00 0xFF) and ended (0x00 0x01), so the
// bytes of leaf keys compare as their parts do: keys iterate by prefix across
// types, and no leaf key is a prefix of another's parts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crdt/error.h"
#include "crdt/export.h"

namespace syncline {

// What a leaf belongs to. Numbers are part of the formats on wire and disk and
// never change. Peers keep and forward leaves of types they don't know.
enum class Type : std::uint8_t {
  g_counter = 1,
  pn_counter = 2,
  or_set = 3,
  lww_register = 4,
  lww_map = 5,
};

// A leaf key taken apart.
struct LeafPath {
  std::string key;
  std::vector<std::pair<Type, std::string>> elements;

  friend bool operator==(const LeafPath&, const LeafPath&) = default;
};

// Appends `text` escaped and ended.
SYNCLINE_EXPORT void append_escaped(std::string& out, std::string_view text);
// The same without the end: the prefix of everything that starts with `text`.
SYNCLINE_EXPORT void append_escaped_prefix(std::string& out, std::string_view text);

// The bytes of "every leaf of `key` whose first type is `type`": the key's
// escaped bytes and the type. A path element appended to it completes a leaf key.
SYNCLINE_EXPORT std::string leaf_prefix(std::string_view key, Type type);
// leaf_prefix() and one path element: the leaf keys of all flat types.
SYNCLINE_EXPORT std::string leaf_key(std::string_view key, Type type, std::string_view element);
SYNCLINE_EXPORT std::string leaf_key(const LeafPath& path);

// Takes a leaf key apart. `malformed` unless it is exactly what leaf_key() makes;
// paths nest at most `leaf_depth_max` deep. Unknown types are fine.
inline constexpr std::size_t leaf_depth_max = 16;
[[nodiscard]] SYNCLINE_EXPORT Result<LeafPath> parse_leaf_key(std::string_view bytes);

// Whether parse_leaf_key() would take `bytes`, found out without memory.
[[nodiscard]] SYNCLINE_EXPORT bool is_leaf_key(std::string_view bytes);

// The least bytes above everything that starts with `prefix`; empty means "no end".
SYNCLINE_EXPORT std::string prefix_end(std::string_view prefix);

}  // namespace syncline
