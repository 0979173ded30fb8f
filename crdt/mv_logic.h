// The rules of registers that don't choose: multi-value, greatest and least.
//
// Each is one leaf, whose payloads are values' canonical bytes, stamped with when they were written. A write
// removes the dots it saw, so concurrent writes stay side by side until somebody who sees them writes; what
// differs is what is read of them (the MVReg, MaxReg and MinReg of Almeida, Shoker, Baquero, "Delta State
// Replicated Data Types", 2018).
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "crdt/leaf_access.h"
#include "crdt/value.h"

namespace syncline {

// The values of live dots, sorted, each once. Bytes that are no value (a lying peer wrote them)
// are passed over.
inline std::vector<Value> mv_values(std::span<const LiveDotView> live) {
  std::vector<Value> values;
  for (const LiveDotView& dot : live) {
    if (auto value = Value::from_bytes(dot.bytes)) values.push_back(std::move(*value));
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

// What a register of that type shows of its live dots: all values, or the greatest, or the least.
inline std::vector<Value> mv_values(Type type, std::span<const LiveDotView> live) {
  std::vector<Value> values = mv_values(live);
  if (values.size() > 1 && type == Type::max_register) values.erase(values.begin(), values.end() - 1);
  if (values.size() > 1 && type == Type::min_register) values.erase(values.begin() + 1, values.end());
  return values;
}

template <LeafReader R>
std::vector<Value> mv_get(R& reader, Type type, Place place) {
  std::vector<LiveDotView> live;
  reader.for_each_live(std::string_view(leaf_key(place, type, {})),
                       [&live](const LiveDotView& dot) { live.push_back(dot); });
  return mv_values(type, live);
}

// Writes a value over all that are seen. A MaxRegister or MinRegister that sees
// one as great, or as small, is left as it is. Returns whether a row was made.
template <LeafAccess A>
bool mv_set(A& access, Type type, Place place, const Value& value) {
  const auto slot = access.open(build_leaf_key(access.key_buffer(), place, type, {}));
  std::string& bytes = access.key_buffer();
  bytes.clear();
  value.append_bytes(bytes);
  bool better = true;
  if (type != Type::mv_register) {
    access.for_each_live(slot, [&](const LiveDotView& dot) {
      if (!Value::from_bytes(dot.bytes)) return;
      const int order = std::string_view(bytes).compare(dot.bytes);
      better = better && (type == Type::max_register ? order > 0 : order < 0);
    });
  }
  // The stamp decides nothing: it tells later when this was written.
  if (better) access.put(slot, access.hlc(), std::string_view(bytes));
  return better;
}

// Removes the values as far as they are seen. Returns whether there was any.
template <LeafAccess A>
bool mv_clear(A& access, Type type, Place place) {
  return access.remove(access.open(build_leaf_key(access.key_buffer(), place, type, {})));
}

}  // namespace syncline
