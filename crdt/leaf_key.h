// The order-preserving bytes that name a leaf: key, then (type, path element)*.
//
// Each string is escaped (0x00 becomes 0x00 0xFF) and ended (0x00 0x01), so the
// bytes of leaf keys compare as their parts do: keys iterate by prefix across
// types, and no leaf key is a prefix of another's parts.
#pragma once

#include <concepts>
#include <cstddef>
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
// never change. Peers keep and forward leaves of types they don't know. Numbers from 128 on are
// left to types of programs.
enum class Type : std::uint8_t {
  g_counter = 1,
  pn_counter = 2,
  or_set = 3,
  lww_register = 4,
  lww_map = 5,
  or_map = 6,
  mv_register = 7,
  max_register = 8,
  min_register = 9,
  ew_flag = 10,
  dw_flag = 11,
  g_set = 12,
  g_map = 13,
  rw_set = 14,
  bounded_counter = 15,
};

// Whether objects of this type hold others, by name: maps that nest.
constexpr bool is_map(Type type) { return type == Type::or_map || type == Type::g_map; }

// A leaf key taken apart.
struct LeafPath {
  std::string key;
  std::vector<std::pair<Type, std::string>> elements;

  friend bool operator==(const LeafPath&, const LeafPath&) = default;
};

class Place;

// Appends `text` escaped and ended.
SYNCLINE_EXPORT void append_escaped(std::string& out, std::string_view text);
// The same without the end: the prefix of everything that starts with `text`.
SYNCLINE_EXPORT void append_escaped_prefix(std::string& out, std::string_view text);

// What every leaf of the object of that type at that place starts with: the
// place's path and the type. A path element appended to it completes a leaf key.
SYNCLINE_EXPORT std::string leaf_prefix(Place place, Type type);
// leaf_prefix() and one path element: the leaf keys of all types but maps that nest.
SYNCLINE_EXPORT std::string leaf_key(Place place, Type type, std::string_view element);
SYNCLINE_EXPORT std::string leaf_key(const LeafPath& path);

// Takes a leaf key apart. `malformed` unless it is exactly what leaf_key() makes;
// paths have at most `leaf_depth_max` elements: the names of maps in one another
// and the leaf's own. Unknown types are fine.
inline constexpr std::size_t leaf_depth_max = 33;
[[nodiscard]] SYNCLINE_EXPORT Result<LeafPath> parse_leaf_key(std::string_view bytes);

// Whether parse_leaf_key() would take `bytes`, found out without memory.
[[nodiscard]] SYNCLINE_EXPORT bool is_leaf_key(std::string_view bytes);

// Where an object is: under a key, or under a name in a map, which is at a place
// itself. Borrows the bytes it was made from. One place may hold objects of several types.
class Place {
 public:
  Place() = default;  // The empty key: where types used alone are.
  template <class Text>
  requires(std::convertible_to<const Text&, std::string_view>) Place(const Text& key)
      : bytes_(key), is_path_(false) {}
  // The place whose path() is `path`.
  static Place at(std::string_view path) {
    Place place;
    place.bytes_ = path;
    place.is_path_ = true;
    return place;
  }

  // Appends what the leaf keys of all objects here start with.
  void append_to(std::string& out) const {
    if (is_path_) {
      out.append(bytes_);
    } else {
      append_escaped(out, bytes_);
    }
  }
  std::string path() const {
    std::string out;
    append_to(out);
    return out;
  }
  // Bytes it was made from: about what append_to() appends.
  std::size_t size() const { return bytes_.size(); }

 private:
  std::string_view bytes_{"\0\1", 2};
  bool is_path_ = true;
};

// The path of the place that `name` names in a map.
SYNCLINE_EXPORT std::string child_path(Place map, Type type, std::string_view name);

// A leaf key seen from the object it is a leaf of.
struct ObjectLeaf {
  std::string_view place;  // The path of the object's place.
  Type type;
  std::size_t depth;  // Path elements: the names of the maps around the object, and the leaf's own.

  std::size_t prefix_size() const { return place.size() + 1; }  // Of what all its leaves start with.
};
// `leaf` taken apart, or nothing unless only maps are around the object.
SYNCLINE_EXPORT std::optional<ObjectLeaf> object_leaf(std::string_view leaf);

// How many bytes of `leaf` name a map's child and its type, where `map_prefix` bytes name the
// map and its type (leaf_prefix()); 0 if that isn't there.
SYNCLINE_EXPORT std::size_t child_size(std::string_view leaf, std::size_t map_prefix);

// The path elements in `path`: a place right under a key has none.
SYNCLINE_EXPORT std::size_t path_depth(std::string_view path);

// The key and the names of the maps' children of which `path` is made.
struct PathNames {
  std::string key;
  std::vector<std::pair<Type, std::string>> names;  // The map's type, the name in it.
};
SYNCLINE_EXPORT PathNames path_names(std::string_view path);

// The least bytes above everything that starts with `prefix`; empty means "no end".
SYNCLINE_EXPORT std::string prefix_end(std::string_view prefix);

}  // namespace syncline
