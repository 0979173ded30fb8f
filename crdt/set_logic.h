// The rules of the add-wins set, over any home of leaves.
//
// One leaf per element; its path element is the element's canonical bytes, its
// payload is empty. An add removes the dots it saw at the element and puts a
// fresh one, so an add that ran beside a remove survives it (the optimised
// OR-set of Bieniusa et al., "An Optimized Conflict-free Replicated Set", 2012).
#pragma once

#include "crdt/leaf_access.h"

namespace syncline {

// Adds an element. Always makes a row: a present element gets a fresh dot, for
// it must survive a concurrent remove.
template <LeafAccess A>
void set_insert(A& access, std::string_view key, std::string_view element) {
  access.put(access.open(build_leaf_key(access.key_buffer(), key, Type::or_set, element)), 0, {});
}

// Removes an element as far as it was seen. Returns whether it was there.
template <LeafAccess A>
bool set_erase(A& access, std::string_view key, std::string_view element) {
  return access.remove(access.open(build_leaf_key(access.key_buffer(), key, Type::or_set, element)));
}

// Whether the element is in the set.
template <LeafReader R>
bool set_contains(R& reader, std::string_view key, std::string_view element) {
  bool found = false;
  reader.for_each_live(std::string_view(leaf_key(key, Type::or_set, element)),
                       [&found](const LiveDotView&) { found = true; });
  return found;
}

// Calls fn(std::string_view element) for each element, in the order of their
// canonical bytes, until it returns false.
template <LeafReader R, class Fn>
void set_for_each(R& reader, std::string_view key, Fn&& fn) {
  const std::string prefix = leaf_prefix(key, Type::or_set);
  std::string buffer;
  reader.scan(std::string_view(prefix), [&](std::string_view leaf, std::span<const LiveDotView>) -> bool {
    std::string_view element;
    return !flat_element(leaf, prefix.size(), buffer, element) || fn(element);
  });
}

}  // namespace syncline
