// A keyspace as JSON; docs/guide.md describes the mapping.
#include <absl/strings/escaping.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "crdt/counter_logic.h"
#include "crdt/lww_logic.h"
#include "crdt/set_logic.h"
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

std::string type_name(Type type) {
  switch (type) {
    case Type::g_counter:
      return "g_counter";
    case Type::pn_counter:
      return "pn_counter";
    case Type::or_set:
      return "or_set";
    case Type::lww_register:
      return "lww_register";
    case Type::lww_map:
      return "lww_map";
  }
  return "type_" + std::to_string(static_cast<unsigned>(type));
}

bool is_named(Type type) { return !type_name(type).starts_with("type_"); }

Json group_to_json(Reader& reader, const LeafGroup& group) {
  switch (group.type) {
    case Type::g_counter:
    case Type::pn_counter:
      return counter_total(reader, group.type, group.key).total;
    case Type::or_set: {
      Json elements = Json::array();
      set_for_each(reader, group.key, [&](std::string_view element) {
        if (const auto value = Value::from_bytes(element)) elements.push_back(value_to_json(*value));
        return true;
      });
      return elements;
    }
    case Type::lww_register: {
      const auto value = register_get(reader, group.key);
      return value ? value_to_json(*value) : Json(nullptr);
    }
    case Type::lww_map: {
      Json fields = Json::object();
      map_for_each(reader, group.key, [&](std::string_view field, const Value& value) {
        fields[member_name(field)] = value_to_json(value);
        return true;
      });
      return fields;
    }
  }
  std::size_t leaves = 0;
  reader.scan(leaf_prefix(group.key, group.type), [&](std::string_view, std::span<const LiveDotView>) {
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
    if (of_key.size() == 1 && is_named(of_key.front().type)) {
      place = group_to_json(reader, of_key.front());
    } else {
      for (const LeafGroup& group : of_key)
        place["$types"][type_name(group.type)] = group_to_json(reader, group);
    }
    of_key.clear();
  };
  for_each_group(reader, prefix, [&](const LeafGroup& group) {
    if (!of_key.empty() && of_key.front().key != group.key) add_key();
    if (group_exists(reader, group)) of_key.push_back(group);
    return true;
  });
  add_key();
  return all.dump();
}

}  // namespace syncline
