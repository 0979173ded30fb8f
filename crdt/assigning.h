// Making objects read as given, whatever their type: for those who import.
#pragma once

#include <algorithm>
#include <string>

#include "crdt/operation.h"
#include "crdt/reading.h"

namespace syncline {

namespace assigning {

// Fails the change because a value doesn't fit a type.
template <LeafAccess A>
bool misfit(A& access, Place place, Type type) {
  access.fail(refused(Errc::invalid_argument, "assign to", type, place, "a value that doesn't fit"));
  return false;
}

template <LeafAccess A>
bool assign_counter(A& access, Place place, Type type, const Value& value) {
  if (value.integer() == nullptr) return misfit(access, place, type);
  const auto now = scalar_reading(access, place, type);
  const std::int64_t before = now ? *now->integer() : 0;
  std::int64_t by = 0;
  if (__builtin_sub_overflow(*value.integer(), before, &by)) return misfit(access, place, type);
  if (type == Type::bounded_counter && *value.integer() < 0) return misfit(access, place, type);
  if (type != Type::bounded_counter) return counter_add(access, type, place, by);
  return by < 0 ? bounded_spend(access, place, -by) : bounded_add(access, place, by);
}

}  // namespace assigning

// Writes what makes an object of shape `scalar` read as `value`; nothing if it does already. Counters
// are moved by the difference. Fails with `invalid_argument` if the value doesn't fit the type, and
// as the write itself may. Returns whether a row was made.
template <LeafAccess A>
bool assign_scalar(A& access, Place place, Type type, const Value& value) {
  if (scalar_reading(access, place, type) == value) return false;
  switch (type) {
    case Type::g_counter:
    case Type::pn_counter:
    case Type::bounded_counter:
      return assigning::assign_counter(access, place, type, value);
    case Type::ew_flag:
    case Type::dw_flag:
      if (value.boolean() == nullptr) return assigning::misfit(access, place, type);
      if (!*value.boolean() && !flag_enabled(access, type, place)) return false;
      *value.boolean() ? flag_enable(access, type, place) : flag_disable(access, type, place);
      return true;
    case Type::lww_register:
      return register_set(access, place, value);
    case Type::max_register:
    case Type::min_register:
      return mv_set(access, type, place, value);
    default:
      return assigning::misfit(access, place, type);
  }
}

// Makes an element be in an object of shape `elements`; nothing if it is.
template <LeafAccess A>
bool assign_element(A& access, Place place, Type type, const Value& value) {
  const std::string bytes = value.to_bytes();
  if (type == Type::mv_register) {
    const auto values = mv_get(access, type, place);
    return std::find(values.begin(), values.end(), value) == values.end() &&
           mv_set(access, type, place, value);
  }
  if (set_contains(access, type, place, bytes)) return false;
  set_insert(access, type, place, bytes);
  return true;
}

}  // namespace syncline
