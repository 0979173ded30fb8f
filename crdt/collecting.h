// What types leave behind only until every member has it: for who collects it
// leaf by leaf, whatever the type. Types are told apart here and in reading.h and key_logic.h.
#pragma once

#include <span>
#include <string_view>

#include "crdt/leaf_key.h"
#include "crdt/row.h"
#include "crdt/set_logic.h"
#include "crdt/version.h"

namespace syncline {

// Whether all live dots of a leaf are to be removed, by an ordinary row, as nothing that is read
// depends on them any more. `stable` and `collects` as of rw_set_is_due().
template <class Collects>
bool is_collectable(std::string_view leaf, std::span<const LiveDotView> live, const Version& stable,
                    Collects&& collects) {
  const auto object = object_leaf(leaf);
  return object && object->type == Type::rw_set && rw_set_is_due(live, stable, collects);
}

}  // namespace syncline
