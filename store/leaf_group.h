// The leaves of one type under one key, as they lie together in leaf order.
//
// Internal to store/.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "crdt/leaf_key.h"
#include "store/reader.h"

namespace syncline {

struct LeafGroup {
  std::string key;
  Type type{};
};

// Reads key and first type off a leaf key. How many bytes they take, which all
// leaves of the group start with; 0 if `leaf` has no such start.
std::size_t parse_group(std::string_view leaf, LeafGroup& group);

// Calls visit(group) for each group with leaves whose key starts with `prefix`,
// in order, until it returns false. Reading inside is fine. O(groups · log leaves).
void for_each_group(Reader& reader, std::string_view prefix,
                    absl::FunctionRef<bool(const LeafGroup& group)> visit);

}  // namespace syncline
