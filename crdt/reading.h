// What objects show, whatever their type: for those who list, export and watch
// them. Types are told apart here and in key_logic.h, and nowhere above.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crdt/bounded_logic.h"
#include "crdt/counter_logic.h"
#include "crdt/flag_logic.h"
#include "crdt/leaf_access.h"
#include "crdt/lww_logic.h"
#include "crdt/mv_logic.h"
#include "crdt/set_logic.h"
#include "crdt/value.h"

namespace syncline {

// How an object reads.
enum class Shape {
  unknown,   // Only newer code knows.
  scalar,    // One value, or nothing.
  elements,  // Values, each there or not.
  fields,    // A value for each of some names.
  children,  // Objects by name.
};

constexpr Shape shape_of(Type type) {
  switch (type) {
    case Type::g_counter:
    case Type::pn_counter:
    case Type::bounded_counter:
    case Type::lww_register:
    case Type::max_register:
    case Type::min_register:
    case Type::ew_flag:
    case Type::dw_flag:
      return Shape::scalar;
    case Type::g_set:
    case Type::or_set:
    case Type::rw_set:
    case Type::mv_register:
      return Shape::elements;
    case Type::lww_map:
      return Shape::fields;
    case Type::or_map:
    case Type::g_map:
      return Shape::children;
  }
  return Shape::unknown;
}

// Whether this build knows the rules of a type.
constexpr bool is_known(Type type) { return shape_of(type) != Shape::unknown; }

constexpr bool is_resettable_counter(Type type) {
  return type == Type::g_counter || type == Type::pn_counter;
}
// Whether what one leaf shows doesn't depend on the object's others.
constexpr bool is_leafwise(Type type) {
  return is_known(type) && !is_map(type) && !is_resettable_counter(type) && type != Type::bounded_counter;
}

// A type's name as users meet it in JSON; "type_77" for what only newer code knows.
inline std::string type_name(Type type) {
  constexpr const char* names[] = {"g_counter",    "pn_counter", "or_set",         "lww_register",
                                   "lww_map",      "or_map",     "mv_register",    "max_register",
                                   "min_register", "ew_flag",    "dw_flag",        "g_set",
                                   "g_map",        "rw_set",     "bounded_counter"};
  const auto number = static_cast<unsigned>(type);
  return is_known(type) ? names[number - 1] : "type_" + std::to_string(number);
}

// The type of that name, if it is known here.
inline std::optional<Type> type_of_name(std::string_view name) {
  for (unsigned number = 1; is_known(Type{static_cast<std::uint8_t>(number)}); ++number) {
    const Type type{static_cast<std::uint8_t>(number)};
    if (type_name(type) == name) return type;
  }
  return std::nullopt;
}

// What a leaf of a leafwise type shows: the value of a register, a flag that is
// on, an element, a field's value; several only for concurrent writes to an MvRegister.
inline std::vector<Value> leaf_reading(Type type, std::string_view element,
                                       std::span<const LiveDotView> live) {
  std::vector<Value> shown;
  switch (type) {
    case Type::g_set:
    case Type::or_set:
    case Type::rw_set:
      if (set_shows(type, live)) {
        if (auto value = Value::from_bytes(element)) shown.push_back(std::move(*value));
      }
      break;
    case Type::mv_register:
    case Type::max_register:
    case Type::min_register:
      return mv_values(type, live);
    case Type::ew_flag:
    case Type::dw_flag:
      if (flag_shows(live)) shown.emplace_back(true);
      break;
    case Type::lww_register:
    case Type::lww_map:
      if (auto value = lww_value(live)) shown.push_back(std::move(*value));
      break;
    case Type::g_counter:
    case Type::pn_counter:
    case Type::bounded_counter:
    case Type::or_map:
    case Type::g_map:
      break;
  }
  return shown;
}

// What an object of shape `scalar` reads.
template <LeafReader R>
std::optional<Value> scalar_reading(R& reader, Place place, Type type) {
  if (is_resettable_counter(type)) {
    const CounterTotal counter = counter_total(reader, type, place);
    return counter.exists ? std::optional<Value>(counter.total) : std::nullopt;
  }
  if (type == Type::bounded_counter) {
    const bounded::Reading reading = bounded::read(reader, place);
    return reading.exists ? std::optional<Value>(bounded::clamp(reading.total)) : std::nullopt;
  }
  std::vector<LiveDotView> live;
  reader.for_each_live(std::string_view(leaf_key(place, type, {})),
                       [&live](const LiveDotView& dot) { live.push_back(dot); });
  std::vector<Value> shown = leaf_reading(type, {}, live);
  return shown.empty() ? std::nullopt : std::optional<Value>(std::move(shown.front()));
}

// Calls fn(std::string_view element, const Value& shown) for each thing that a
// leafwise object shows, in leaf order, until it returns false.
template <LeafReader R, class Fn>
void for_each_shown(R& reader, Place place, Type type, Fn&& fn) {
  const std::string prefix = leaf_prefix(place, type);
  std::string buffer;
  reader.scan(std::string_view(prefix),
              [&](std::string_view leaf, std::span<const LiveDotView> live) -> bool {
                std::string_view element;
                if (!flat_element(leaf, prefix.size(), buffer, element)) return true;
                for (const Value& value : leaf_reading(type, element, live)) {
                  if (!fn(element, value)) return false;
                }
                return true;
              });
}

template <LeafReader R>
bool object_exists(R& reader, Place place, Type type);

// Calls visit(std::string_view name, Type of child) for the objects in a map that
// exist and whose names aren't below `from`, by name and type, until it returns false. One name
// may have objects of several types. O(children · log leaves).
template <LeafReader R, class Visit>
void for_each_child(R& reader, Place map, Type map_type, std::string_view from, Visit&& visit) {
  const std::string prefix = leaf_prefix(map, map_type);
  std::string next = prefix;
  append_escaped_prefix(next, from);
  for (std::string path; !next.empty(); next = prefix_end(path)) {
    path.clear();
    reader.scan_from(std::string_view(prefix), std::string_view(next),
                     [&](std::string_view leaf, std::span<const LiveDotView>) -> bool {
                       const std::size_t size = child_size(leaf, prefix.size());
                       if (size == 0) return true;  // No name and type: not made by code that we know.
                       path = leaf.substr(0, size);
                       return false;
                     });
    if (path.empty()) return;
    const Type type{static_cast<std::uint8_t>(path.back())};
    const std::string_view child = std::string_view(path).substr(0, path.size() - 1);
    std::string buffer;
    std::string_view name;
    if (object_exists(reader, Place::at(child), type) && flat_element(child, prefix.size(), buffer, name) &&
        !visit(name, type))
      return;
  }
}

// Whether readers see anything of this type at this place. An empty map is absent, and so
// are a set without elements, a flag that is off, a counter that was reset.
template <LeafReader R>
bool object_exists(R& reader, Place place, Type type) {
  bool exists = false;
  switch (shape_of(type)) {
    case Shape::scalar:
      return scalar_reading(reader, place, type).has_value();
    case Shape::elements:
    case Shape::fields:
      for_each_shown(reader, place, type, [&exists](std::string_view, const Value&) {
        exists = true;
        return false;
      });
      return exists;
    case Shape::children:
      for_each_child(reader, place, type, {}, [&exists](std::string_view, Type) {
        exists = true;
        return false;
      });
      return exists;
    case Shape::unknown:
      break;
  }
  const std::string prefix = leaf_prefix(place, type);
  reader.scan(std::string_view(prefix), [&exists](std::string_view, std::span<const LiveDotView>) {
    exists = true;
    return false;
  });
  return exists;
}

}  // namespace syncline
