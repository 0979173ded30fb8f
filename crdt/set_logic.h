// The rules of sets, over any home of leaves.
//
// One leaf per element; its path element is the element's canonical bytes.
//
// OrSet: the payload is empty. An add removes the dots it saw at the element and
// puts a fresh one, so an add that ran beside a remove survives it (the optimised
// OR-set of Bieniusa et al., "An Optimized Conflict-free Replicated Set", 2012).
// GSet: the same without removal.
//
// RwSet: the payload says "added" (empty) or "removed" (one byte, 0). Each
// replaces the dots it saw; an element is in while its leaf has dots and none of
// them says removed, so a remove beats an add that it ran beside. Such a marker
// stays until it is collected.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "crdt/leaf_access.h"
#include "crdt/version.h"

namespace syncline {

inline constexpr std::string_view removed_mark("\0", 1);

// Whether an element with these live dots is in a set of that type.
inline bool set_shows(Type type, std::span<const LiveDotView> live) {
  return !live.empty() && (type != Type::rw_set || std::all_of(live.begin(), live.end(), [](const auto& dot) {
                             return dot.bytes != removed_mark;
                           }));
}

// Whether the element is in the set.
template <LeafReader R>
bool set_contains(R& reader, Type type, Place place, std::string_view element) {
  bool found = false;
  bool removed = false;
  reader.for_each_live(std::string_view(leaf_key(place, type, element)), [&](const LiveDotView& dot) {
    found = true;
    removed = removed || (type == Type::rw_set && dot.bytes == removed_mark);
  });
  return found && !removed;
}

// Adds an element. An OrSet's and an RwSet's add always makes a row: a present element gets a
// fresh dot, for it must survive a concurrent removal of what was there. In a GSet it needn't.
template <LeafAccess A>
void set_insert(A& access, Type type, Place place, std::string_view element) {
  const auto slot = access.open(build_leaf_key(access.key_buffer(), place, type, element));
  bool present = false;
  if (type == Type::g_set) access.for_each_live(slot, [&present](const LiveDotView&) { present = true; });
  if (!present) access.put(slot, 0, {});
}

// Removes an element: from an OrSet as far as it was seen; from an RwSet by a marker, whether it
// was seen or not. Returns whether it was there.
template <LeafAccess A>
bool set_erase(A& access, Type type, Place place, std::string_view element) {
  const auto slot = access.open(build_leaf_key(access.key_buffer(), place, type, element));
  if (type != Type::rw_set) return access.remove(slot);
  bool found = false;
  bool removed = false;
  access.for_each_live(slot, [&](const LiveDotView& dot) {
    found = true;
    removed = removed || dot.bytes == removed_mark;
  });
  access.put(slot, 0, removed_mark);
  return found && !removed;
}

// Calls fn(std::string_view element) for each element, in the order of their
// canonical bytes, until it returns false.
template <LeafReader R, class Fn>
void set_for_each(R& reader, Type type, Place place, Fn&& fn) {
  const std::string prefix = leaf_prefix(place, type);
  std::string buffer;
  reader.scan(std::string_view(prefix),
              [&](std::string_view leaf, std::span<const LiveDotView> live) -> bool {
                std::string_view element;
                if (!flat_element(leaf, prefix.size(), buffer, element) || !set_shows(type, live))
                  return true;
                return fn(element);
              });
}

// Whether an element of an RwSet is a marker that no concurrent add can be beaten by any more.
// `stable` is what every member is known to have, said when this replica itself had all that they
// had. Such a marker was seen by whoever adds from now on, and every add that wasn't after it is here: it
// goes with the adds it beat. `collects(Dot marker)`: whether this replica is the one to do so; if two are,
// nothing is harmed.
template <class Collects>
bool rw_set_is_due(std::span<const LiveDotView> live, const Version& stable, Collects&& collects) {
  const auto marker = std::find_if(live.begin(), live.end(),
                                   [](const LiveDotView& dot) { return dot.bytes == removed_mark; });
  return marker != live.end() &&
         std::all_of(live.begin(), live.end(),
                     [&stable](const LiveDotView& dot) { return stable.contains(dot.dot); }) &&
         collects(marker->dot);
}

// Drops those of an RwSet's markers that are due, and whose actor this is. Ordinary rows. How many
// elements' were dropped. O(elements and markers).
template <LeafAccess A>
std::size_t rw_set_collect(A& access, Place place, const Version& stable) {
  const std::string prefix = leaf_prefix(place, Type::rw_set);
  const ActorId self = access.self();
  std::vector<std::string> due;
  access.scan(std::string_view(prefix),
              [&](std::string_view leaf, std::span<const LiveDotView> live) -> bool {
                if (rw_set_is_due(live, stable, [&self](const Dot& marker) { return marker.actor == self; }))
                  due.emplace_back(leaf);
                return true;
              });
  for (const std::string& leaf : due) access.remove(access.open(std::string_view(leaf)));
  return due.size();
}

}  // namespace syncline
