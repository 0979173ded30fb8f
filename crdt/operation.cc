#include "crdt/operation.h"

#include "crdt/reading.h"

namespace syncline {
namespace {

// A name of a key, child or field in quotes.
void append_name(std::string& text, std::string_view name) {
  constexpr std::size_t shown_max = 40;
  text += '"';
  for (const char c : name.substr(0, shown_max)) text += static_cast<unsigned char>(c) < ' ' ? '?' : c;
  text += name.size() > shown_max ? "...\"" : "\"";
}

// By what an actor wrote of itself: its totals began with the operation that is refused, if all are.
const char* bounded_operation(std::string_view element, std::string_view payload) {
  if (element.starts_with(bounded::takeover_mark)) return "take over in";
  if (element.starts_with(bounded::gift_mark)) return "give from";
  const auto own = bounded::own_from(payload);
  if (own && own->given != 0) return "give from";
  return own && own->spent != 0 ? "spend from" : "add to";
}

const char* operation_of(Type type, std::string_view element, bool put, std::string_view payload) {
  switch (type) {
    case Type::g_counter:
    case Type::pn_counter:
      return put && element.starts_with(counter::share_mark) ? "add to" : "reset";
    case Type::bounded_counter:
      return bounded_operation(element, payload);
    case Type::or_set:
    case Type::g_set:
      return put ? "insert into" : "erase from";
    case Type::rw_set:
      return put && payload != removed_mark ? "insert into" : "erase from";
    case Type::lww_register:
    case Type::mv_register:
    case Type::max_register:
    case Type::min_register:
      return put ? "set" : "clear";
    case Type::lww_map:
      return put ? "set a field of" : "erase a field of";
    case Type::ew_flag:
    case Type::dw_flag:
      return put && payload == on_mark ? "enable" : "disable";
    case Type::or_map:
    case Type::g_map:
      break;
  }
  return put ? "write to" : "remove from";
}

}  // namespace

std::string place_text(Place place) {
  constexpr std::size_t names_max = 6;
  const PathNames path = path_names(place.path());
  if (path.key.empty() && path.names.empty()) return {};
  std::string text;
  append_name(text, path.key);
  const std::size_t count = path.names.size();
  for (std::size_t i = 0; i < count; ++i) {
    if (count > names_max && i == names_max / 2) {
      text += " / ...";
      i = count - names_max / 2;
    }
    text += " / ";
    append_name(text, path.names[i].second);
  }
  return text;
}

std::string operation_text(std::string_view operation, Type type, Place place) {
  const std::string where = place_text(place);
  std::string text(operation);
  text += ' ';
  text += type_name(type);
  if (!where.empty()) text += ' ' + where;
  return text;
}

std::string write_text(std::string_view leaf, bool put, std::string_view payload) {
  if (const auto object = object_leaf(leaf)) {
    const Place place = Place::at(object->place);
    std::string buffer;
    std::string_view element;
    flat_element(leaf, object->prefix_size(), buffer, element);
    return operation_text(operation_of(object->type, element, put, payload), object->type, place);
  }
  // A leaf of a shape that only newer code, or the program's own, knows.
  const auto path = parse_leaf_key(leaf);
  const char* const operation = operation_of(Type{0}, {}, put, payload);
  return path ? operation_text(operation, path->elements.front().first, path->key) : operation;
}

Error refused(Errc code, std::string_view operation, Type type, Place place, std::string_view why) {
  return Error{code, operation_text(operation, type, place) + ": " + std::string(why)};
}

Error refused_write(Errc code, std::string_view leaf, bool put, std::string_view payload,
                    std::string_view why) {
  return Error{code, write_text(leaf, put, payload) + ": " + std::string(why)};
}

}  // namespace syncline
