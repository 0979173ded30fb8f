// A keyspace as JSON; docs/guide.md describes the mapping.
#include <absl/strings/escaping.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "crdt/reading.h"
#include "store/leaf_group.h"
#include "store/replica_state.h"

namespace syncline {
namespace {

using Json = nlohmann::json;

std::string base64(std::string_view bytes) { return absl::Base64Escape({bytes.data(), bytes.size()}); }

// RFC 3629: shortest forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size();) {
    const auto at = [&](std::size_t k) -> unsigned { return static_cast<unsigned char>(bytes[k]); };
    const unsigned lead = at(i);
    const std::size_t size = lead < 0x80         ? 1
                             : lead >> 5 == 0x6  ? 2
                             : lead >> 4 == 0xe  ? 3
                             : lead >> 3 == 0x1e ? 4
                                                 : 0;
    if (size == 0 || size > bytes.size() - i) return false;
    unsigned point = size == 1 ? lead : lead & (0x7fU >> size);
    for (std::size_t k = 1; k < size; ++k) {
      if (at(i + k) >> 6 != 0x2) return false;
      point = point << 6 | (at(i + k) & 0x3fU);
    }
    constexpr unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < least[size] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
    i += size;
  }
  return true;
}

// Bytes as the name of a member. What begins with $ is ours.
std::string member_name(std::string_view bytes) {
  if (!is_utf8(bytes)) return "$base64:" + base64(bytes);
  return bytes.starts_with('$') ? "$" + std::string(bytes) : std::string(bytes);
}

Json real_to_json(double real) {
  if (std::isfinite(real)) return real;
  return {{"$real", std::isnan(real) ? "NaN" : real > 0 ? "Infinity" : "-Infinity"}};
}

Json value_to_json(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null:
      break;
    case Value::Kind::boolean:
      return *value.boolean();
    case Value::Kind::integer:
      return *value.integer();
    case Value::Kind::real:
      return real_to_json(*value.real());
    case Value::Kind::text:
      if (is_utf8(*value.text())) return *value.text();
      return {{"$text", base64(*value.text())}};
    case Value::Kind::blob:
      return {{"$base64", base64(value.blob()->bytes)}};
  }
  return nullptr;
}

Json object_to_json(Reader& reader, Place place, Type type);

// What is at one name: an object, or several of different types side by side.
void add_object(Json& place, bool alone, Type type, Json object) {
  if (alone && is_known(type)) {
    place = std::move(object);
  } else {
    place["$types"][type_name(type)] = std::move(object);
  }
}

Json children_to_json(Reader& reader, Place map, Type map_type) {
  std::vector<std::pair<std::string, Type>> children;
  for_each_child(reader, map, map_type, {}, [&children](std::string_view name, Type type) {
    children.emplace_back(name, type);
    return true;
  });
  Json all = Json::object();
  for (std::size_t i = 0; i < children.size(); ++i) {
    const auto& [name, type] = children[i];
    const bool alone = (i == 0 || children[i - 1].first != name) &&
                       (i + 1 == children.size() || children[i + 1].first != name);
    const std::string path = child_path(map, map_type, name);
    add_object(all[member_name(name)], alone, type, object_to_json(reader, Place::at(path), type));
  }
  return all;
}

Json object_to_json(Reader& reader, Place place, Type type) {
  switch (shape_of(type)) {
    case Shape::scalar: {
      const auto value = scalar_reading(reader, place, type);
      return value ? value_to_json(*value) : Json(nullptr);
    }
    case Shape::elements: {
      Json elements = Json::array();
      for_each_shown(reader, place, type, [&elements](std::string_view, const Value& value) {
        elements.push_back(value_to_json(value));
        return true;
      });
      return elements;
    }
    case Shape::fields: {
      Json fields = Json::object();
      for_each_shown(reader, place, type, [&fields](std::string_view field, const Value& value) {
        fields[member_name(field)] = value_to_json(value);
        return true;
      });
      return fields;
    }
    case Shape::children:
      return children_to_json(reader, place, type);
    case Shape::unknown:
      break;
  }
  std::size_t leaves = 0;
  reader.scan(leaf_prefix(place, type), [&leaves](std::string_view, std::span<const LiveDotView>) {
    ++leaves;
    return true;
  });
  return {{"$leaves", leaves}};
}

}  // namespace

std::string to_json(Reader& reader, std::string_view prefix) {
  Json all = Json::object();
  std::vector<LeafGroup> of_key;  // The types under one key.
  const auto add_key = [&] {
    if (of_key.empty()) return;
    Json& place = all[member_name(of_key.front().key)];
    for (const LeafGroup& group : of_key)
      add_object(place, of_key.size() == 1, group.type, object_to_json(reader, group.key, group.type));
    of_key.clear();
  };
  for_each_group(reader, prefix, [&](const LeafGroup& group) {
    if (!of_key.empty() && of_key.front().key != group.key) add_key();
    if (object_exists(reader, group.key, group.type)) of_key.push_back(group);
    return true;
  });
  add_key();
  return all.dump();
}

}  // namespace syncline
