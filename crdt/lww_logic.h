// The rules of last-writer-wins registers and maps, over any home of leaves.
//
// A register is one leaf, a map one leaf per field. A write removes the dots it
// saw; among the live dots the greatest (stamp, actor, counter) is shown. The
// merge never drops a loser: whether it had been dropped already would depend
// on the order of arrival. Payload bytes are the value's canonical bytes.
#pragma once

#include <algorithm>
#include <optional>
#include <utility>

#include "crdt/hlc.h"
#include "crdt/leaf_access.h"
#include "crdt/operation.h"
#include "crdt/value.h"

namespace syncline {

// Writes `value` at the leaf. Without a timestamp the write is stamped
// max(the change's HLC, greatest seen + 1), so it beats all that it saw. With a
// caller's timestamp it changes nothing unless that is above the greatest seen.
// Returns whether a row was made. Fails with `invalid_argument` on a timestamp of 2^62 or more.
template <LeafAccess A>
bool lww_put(A& access, std::string_view leaf, const Value& value,
             std::optional<std::uint64_t> timestamp = std::nullopt) {
  if (timestamp && *timestamp >= Hlc::stamp_max) {
    access.fail(
        refused_write(Errc::invalid_argument, leaf, true, {}, "timestamps of callers must be below 2^62"));
    return false;
  }
  const auto slot = access.open(leaf);
  bool above_all = true;
  std::uint64_t stamp = timestamp ? *timestamp : access.hlc();
  access.for_each_live(slot, [&](const LiveDotView& seen) {
    if (timestamp) {
      above_all = above_all && *timestamp > seen.stamp;
      return;
    }
    // Replacing an own pending write needs no higher stamp: only one of the two will ever be seen.
    // A foreign stamp may be the greatest there is; the write removes it, so a tie does no harm.
    const bool beatable = seen.dot.counter != pending_counter && seen.stamp != ~std::uint64_t{0};
    stamp = std::max(stamp, seen.stamp + (beatable ? 1 : 0));
  });
  if (!above_all) return false;
  std::string& bytes = access.key_buffer();
  bytes.clear();
  value.append_bytes(bytes);
  access.put(slot, stamp, std::string_view(bytes));
  return true;
}

// The value of a register among its live dots; nothing if there is none. Dots
// whose bytes are no value (a lying peer wrote them) are passed over.
inline std::optional<Value> lww_value(std::span<const LiveDotView> live) {
  const LiveDotView* greatest = nullptr;
  std::optional<Value> value;
  for (const LiveDotView& dot : live) {
    if (greatest != nullptr && register_less(dot, *greatest)) continue;
    if (auto decoded = Value::from_bytes(dot.bytes)) {
      greatest = &dot;
      value = std::move(*decoded);
    }
  }
  return value;
}

// The same by leaf key.
template <LeafReader R>
std::optional<Value> lww_get(R& reader, std::string_view leaf) {
  std::optional<LiveDotView> greatest;
  std::optional<Value> value;
  reader.for_each_live(leaf, [&](const LiveDotView& dot) {
    if (greatest && register_less(dot, *greatest)) return;
    if (auto decoded = Value::from_bytes(dot.bytes)) {
      greatest = dot;
      value = std::move(*decoded);
    }
  });
  return value;
}

// --- Registers -------------------------------------------------------------------------

template <LeafAccess A>
bool register_set(A& access, Place place, const Value& value,
                  std::optional<std::uint64_t> timestamp = std::nullopt) {
  return lww_put(access, build_leaf_key(access.key_buffer(), place, Type::lww_register, {}), value,
                 timestamp);
}

// Removes the value as far as it was seen. Returns whether there was any.
template <LeafAccess A>
bool register_clear(A& access, Place place) {
  return access.remove(access.open(build_leaf_key(access.key_buffer(), place, Type::lww_register, {})));
}

template <LeafReader R>
std::optional<Value> register_get(R& reader, Place place) {
  return lww_get(reader, leaf_key(place, Type::lww_register, {}));
}

// --- Maps ------------------------------------------------------------------------------

// Writes a field; see lww_put(). `field` is bytes.
template <LeafAccess A>
bool map_set(A& access, Place place, std::string_view field, const Value& value,
             std::optional<std::uint64_t> timestamp = std::nullopt) {
  return lww_put(access, build_leaf_key(access.key_buffer(), place, Type::lww_map, field), value, timestamp);
}

// Removes a field as far as it was seen: a concurrent write survives. Returns whether it was there.
template <LeafAccess A>
bool map_remove(A& access, Place place, std::string_view field) {
  return access.remove(access.open(build_leaf_key(access.key_buffer(), place, Type::lww_map, field)));
}

template <LeafReader R>
std::optional<Value> map_get(R& reader, Place place, std::string_view field) {
  return lww_get(reader, leaf_key(place, Type::lww_map, field));
}

// Calls fn(std::string_view field, const Value&) for each field that isn't below
// `from`, in the order of their bytes, until it returns false.
template <LeafReader R, class Fn>
void map_for_each(R& reader, Place place, std::string_view from, Fn&& fn) {
  const std::string prefix = leaf_prefix(place, Type::lww_map);
  std::string first = prefix;
  append_escaped_prefix(first, from);
  std::string buffer;
  reader.scan_from(std::string_view(prefix), std::string_view(first),
                   [&](std::string_view leaf, std::span<const LiveDotView> live) -> bool {
                     std::string_view field;
                     if (!flat_element(leaf, prefix.size(), buffer, field)) return true;
                     const std::optional<Value> value = lww_value(live);
                     return !value || fn(field, *value);
                   });
}

}  // namespace syncline
