// The rules of flags, over any home of leaves.
//
// A flag is one leaf. EwFlag: enabling puts a dot, disabling removes those seen;
// it is on while there is one, so an enable beats a concurrent disable. DwFlag:
// both put a dot, which says on (one byte, 1) or off (0), in place of those
// seen; it is on while there are dots and none says off, so a disable wins. An
// untouched flag is off (Baquero et al.'s catalogue: EWFlag and DWFlag).
#pragma once

#include <span>

#include "crdt/leaf_access.h"

namespace syncline {

inline constexpr std::string_view on_mark("\1", 1);
inline constexpr std::string_view off_mark("\0", 1);

// Whether a flag with these live dots is on.
inline bool flag_shows(std::span<const LiveDotView> live) {
  bool on = !live.empty();
  for (const LiveDotView& dot : live) on = on && dot.bytes == on_mark;
  return on;
}

template <LeafReader R>
bool flag_enabled(R& reader, Type type, Place place) {
  bool found = false;
  bool off = false;
  reader.for_each_live(std::string_view(leaf_key(place, type, {})), [&](const LiveDotView& dot) {
    found = true;
    off = off || dot.bytes != on_mark;
  });
  return found && !off;
}

// Enables. Always makes a row, for it must survive a concurrent disable of what was there.
template <LeafAccess A>
void flag_enable(A& access, Type type, Place place) {
  access.put(access.open(build_leaf_key(access.key_buffer(), place, type, {})), 0, on_mark);
}

// Disables: an EwFlag as far as it was seen, a DwFlag by a dot that says so.
template <LeafAccess A>
void flag_disable(A& access, Type type, Place place) {
  const auto slot = access.open(build_leaf_key(access.key_buffer(), place, type, {}));
  if (type == Type::dw_flag) {
    access.put(slot, 0, off_mark);
  } else {
    access.remove(slot);
  }
}

}  // namespace syncline
