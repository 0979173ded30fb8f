// A keyspace as JSON; docs/guide.md describes the mapping.
#include <absl/strings/escaping.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "crdt/assigning.h"
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

Json object_to_json(Reader& reader, Place place, Type type, JsonTypes types);

// What is at one name: an object, or several of different types side by side.
void add_object(Json& place, bool alone, JsonTypes types, Type type, Json object) {
  if (alone && is_known(type) && types == JsonTypes::where_needed) {
    place = std::move(object);
  } else {
    place["$types"][type_name(type)] = std::move(object);
  }
}

Json children_to_json(Reader& reader, Place map, Type map_type, JsonTypes types) {
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
    add_object(all[member_name(name)], alone, types, type,
               object_to_json(reader, Place::at(path), type, types));
  }
  return all;
}

Json object_to_json(Reader& reader, Place place, Type type, JsonTypes types) {
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
      return children_to_json(reader, place, type, types);
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

// ---- the way back ----

std::optional<std::string> from_base64(const Json& json) {
  std::string bytes;
  if (!json.is_string() || !absl::Base64Unescape(json.get_ref<const std::string&>(), &bytes))
    return std::nullopt;
  return bytes;
}

// A member's name as bytes: the reverse of member_name().
std::optional<std::string> name_of(const std::string& member) {
  constexpr std::string_view coded = "$base64:";
  if (member.starts_with(coded)) return from_base64(member.substr(coded.size()));
  if (member.starts_with("$$")) return member.substr(1);
  return member.starts_with('$') ? std::nullopt : std::optional(member);
}

std::optional<Value> real_from(const Json& json) {
  if (json == "NaN") return Value(std::nan(""));
  if (json == "Infinity") return Value(HUGE_VAL);
  return json == "-Infinity" ? std::optional(Value(-HUGE_VAL)) : std::nullopt;
}

// The value that `json` stands for, if it is one.
std::optional<Value> value_from(const Json& json) {
  if (json.is_null()) return Value();
  if (json.is_boolean()) return Value(json.get<bool>());
  if (json.is_number_unsigned() && json.get<std::uint64_t>() >> 63 != 0) return std::nullopt;
  if (json.is_number_integer()) return Value(json.get<std::int64_t>());
  if (json.is_number_float()) return Value(json.get<double>());
  if (json.is_string()) return Value(json.get_ref<const std::string&>());
  if (!json.is_object() || json.size() != 1) return std::nullopt;
  const auto member = json.begin();
  if (member.key() == "$real") return real_from(*member);
  auto bytes = member.key() == "$base64" || member.key() == "$text" ? from_base64(*member) : std::nullopt;
  if (!bytes) return std::nullopt;
  return member.key() == "$text" ? Value(std::move(*bytes)) : Value(Blob{std::move(*bytes)});
}

// Writes JSON into a change; what can't be written fails it.
class JsonWriter {
 public:
  explicit JsonWriter(Transaction& transaction) : transaction_(transaction) {}

  // The members of an object, each at its place. `path_of(name)` is that place's path.
  template <class PathOf>
  void write_members(const Json& json, PathOf&& path_of) {
    for (const auto& [member, inner] : json.items()) {
      const auto name = name_of(member);
      if (!name) return fail({}, "a name that can't be: " + member);
      const std::string path = path_of(*name);
      if (path_depth(path) >= leaf_depth_max)
        return fail(Place::at(path), "maps nest at most " + std::to_string(leaf_depth_max - 1) + " deep",
                    Errc::too_large);
      write(Place::at(path), inner);
    }
  }

 private:
  // Whatever `json` stands for, by the types that are there or, if none fits, the commonest.
  void write(Place place, const Json& json) {
    if (json.is_object() && json.size() == 1 && json.begin().key() == "$types") {
      for (const auto& [name, inner] : json.begin()->items()) {
        const auto type = type_of_name(name);
        if (!type) return fail(place, "a type that isn't known here: " + name);
        write_object(place, *type, inner);
      }
    } else if (value_from(json)) {
      write_object(place, type_there(place, Shape::scalar).value_or(Type::lww_register), json);
    } else if (json.is_array()) {
      write_object(place, type_there(place, Shape::elements).value_or(Type::or_set), json);
    } else if (json.is_object()) {
      const auto fields = type_there(place, Shape::fields);
      const auto map = type_there(place, Shape::children);
      write_object(place, fields && !map ? *fields : map.value_or(Type::or_map), json);
    } else {
      fail(place, "a number of more than 64 bits");
    }
  }

  void write_object(Place place, Type type, const Json& json) {
    switch (shape_of(type)) {
      case Shape::scalar:
        return with_value(place, json,
                          [&](const Value& value) { assign_scalar(transaction_, place, type, value); });
      case Shape::elements:
        if (!json.is_array()) break;
        for (const Json& element : json)
          with_value(place, element,
                     [&](const Value& value) { assign_element(transaction_, place, type, value); });
        return;
      case Shape::fields:
        if (!json.is_object()) break;
        for (const auto& [member, inner] : json.items()) write_field(place, member, inner);
        return;
      case Shape::children:
        if (!json.is_object()) break;
        return write_members(json, [&](const std::string& name) { return child_path(place, type, name); });
      case Shape::unknown:
        break;
    }
    fail(place, "JSON that doesn't fit a " + type_name(type));
  }

  void write_field(Place place, const std::string& member, const Json& json) {
    const auto field = name_of(member);
    if (!field) return fail(place, "a name that can't be: " + member);
    with_value(place, json, [&](const Value& value) {
      if (map_get(transaction_, place, *field) != value) map_set(transaction_, place, *field, value);
    });
  }

  template <class Fn>
  void with_value(Place place, const Json& json, Fn&& fn) {
    if (const auto value = value_from(json)) return fn(*value);
    fail(place, "JSON where a value must be");
  }

  std::optional<Type> type_there(Place place, Shape shape) {
    for (std::uint8_t number = 1; is_known(Type{number}); ++number) {
      if (shape_of(Type{number}) == shape && object_exists(transaction_, place, Type{number}))
        return Type{number};
    }
    return std::nullopt;
  }

  void fail(Place place, const std::string& why, Errc code = Errc::invalid_argument) {
    const std::string where = place_text(place);
    transaction_.fail(Error{code, "write_json" + (where.empty() ? "" : " to " + where) + ": " + why});
  }

  Transaction& transaction_;
};

}  // namespace

void Update::write_json(std::string_view json) {
  const Json all = Json::parse(json, nullptr, false);
  if (!all.is_object()) {
    return fail(Error{Errc::invalid_argument, "write_json: no JSON object"});
  }
  JsonWriter(transaction_).write_members(all, [](const std::string& key) { return Place(key).path(); });
}

std::string to_json(Reader& reader, std::string_view prefix, JsonTypes types) {
  Json all = Json::object();
  std::vector<LeafGroup> of_key;  // The types under one key.
  const auto add_key = [&] {
    if (of_key.empty()) return;
    Json& place = all[member_name(of_key.front().key)];
    for (const LeafGroup& group : of_key)
      add_object(place, of_key.size() == 1, types, group.type,
                 object_to_json(reader, group.key, group.type, types));
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
