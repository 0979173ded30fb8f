// The bytes of a type used alone, written by hand from the format's
// description: to make states that no sequence of mutations reaches.
#pragma once

#include <map>
#include <string>

#include "crdt/bytes.h"
#include "crdt/leaf_key.h"
#include "crdt/leaf_map.h"

namespace syncline {

// Format 1: type; actors, each with its intervals as (left out before, length
// less one); leaves, each with key and live dots. Numbers are LEB128.
inline std::string encode_state(Type type, const CausalContext& context, const LeafMap::Leaves& leaves) {
  std::string out{'\x01', static_cast<char>(type)};
  std::map<ActorId, std::uint64_t> places;
  put_varint(out, context.actors().size());
  for (const auto& [actor, counters] : context.actors()) {
    places.emplace(actor, places.size());
    out += actor.view();
    put_varint(out, counters.intervals().size());
    std::uint64_t end = 0;  // Of the interval before.
    for (const auto& [first, last] : counters.intervals()) {
      put_varint(out, end == 0 ? first - 1 : first - end - 2);
      put_varint(out, last - first);
      end = last;
    }
  }
  put_varint(out, leaves.size());
  for (const auto& [key, leaf] : leaves) {
    put_varint(out, key.size());
    out += key;
    put_varint(out, leaf.size());
    for (const LiveDot& live : leaf) {
      put_varint(out, places.contains(live.dot.actor) ? places.at(live.dot.actor) : places.size());
      put_varint(out, live.dot.counter);
      put_varint(out, live.payload.stamp);
      put_varint(out, live.payload.bytes.size());
      out += live.payload.bytes;
    }
  }
  return out;
}

}  // namespace syncline
