// What can be done to a key whatever types are under it.
#pragma once

#include <string>
#include <vector>

#include "crdt/counter_logic.h"
#include "crdt/leaf_access.h"

namespace syncline {

// Whether this build knows the rules of a type.
constexpr bool is_known(Type type) {
  switch (type) {
    case Type::g_counter:
    case Type::pn_counter:
    case Type::or_set:
    case Type::lww_register:
    case Type::lww_map:
      return true;
  }
  return false;
}

// Removes all that is seen under a key, of every type: a row for each leaf,
// floors for counters. What is written there concurrently stays. Fails with
// `unknown_type`, and writes nothing, if a leaf is of a type or shape that only
// newer code knows: only that code knows what removal leaves behind. Returns
// whether anything was there. O(leaves under the key) time and memory.
template <LeafAccess A>
bool erase_key(A& access, std::string_view key) {
  std::string prefix;
  append_escaped(prefix, key);
  std::vector<std::string> leaves;
  std::vector<Type> counters;
  bool known = true;
  std::string buffer;
  access.scan(std::string_view(prefix), [&](std::string_view leaf, std::span<const LiveDotView>) -> bool {
    if (leaf.size() == prefix.size()) return known = false;
    const Type type{static_cast<std::uint8_t>(leaf[prefix.size()])};
    std::string_view element;
    if (!is_known(type) || !flat_element(leaf, prefix.size() + 1, buffer, element)) return known = false;
    if (type != Type::g_counter && type != Type::pn_counter) {
      leaves.emplace_back(leaf);
    } else if (counters.empty() || counters.back() != type) {
      counters.push_back(type);
    }
    return true;
  });
  if (!known) {
    access.fail(Error{Errc::unknown_type, "a type under the key is newer than this program"});
    return false;
  }
  bool existed = false;
  for (const Type type : counters) existed = counter_reset(access, type, key) || existed;
  for (const std::string& leaf : leaves)
    existed = access.remove(access.open(std::string_view(leaf))) || existed;
  return existed;
}

}  // namespace syncline
