// A stored leaf as others see it: dots by the ids of their actors, in order. Internal to sync/.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "crdt/row.h"
#include "sync/counters.h"
#include "sync/leaf_value.h"

namespace syncline {

inline LiveDotView view_of(const IndexedLive& live, const ActorTable& actors) {
  return {{actors[live.dot.actor], live.dot.counter}, live.payload.stamp, live.payload.bytes};
}

// The live dots of a stored value in the order of their names.
inline std::vector<LiveDotView> sorted_views(std::string_view value, const ActorTable& actors) {
  std::vector<LiveDotView> views;
  for_each_live_in(value, [&](const IndexedLive& live) { views.push_back(view_of(live, actors)); });
  std::sort(views.begin(), views.end(),
            [](const LiveDotView& a, const LiveDotView& b) { return a.dot < b.dot; });
  return views;
}

// What fn(std::span<const LiveDotView>) says of them. Most leaves have one: that takes no memory.
template <class Fn>
auto with_views(std::string_view value, const ActorTable& actors, Fn&& fn) {
  std::size_t count = 0;
  IndexedLive last;
  for_each_live_in(value, [&](const IndexedLive& live) {
    last = live;
    ++count;
  });
  if (count > 1) return fn(std::span<const LiveDotView>(sorted_views(value, actors)));
  const LiveDotView view = count == 1 ? view_of(last, actors) : LiveDotView();
  return fn(std::span<const LiveDotView>(&view, count));
}

}  // namespace syncline
