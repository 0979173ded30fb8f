// What the logic of a data type stands on, wherever its leaves are kept.
//
// The rules of each type are written once, as templates over these concepts,
// and serve three homes: an open transaction of a keyspace, a keyspace that is
// only read, and a type used alone (LeafMap, LeafEdit). A home knows nothing of
// types; a type knows nothing of where leaves are.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "crdt/dot.h"
#include "crdt/error.h"
#include "crdt/leaf.h"
#include "crdt/leaf_key.h"
#include "crdt/row.h"

namespace syncline {

// Leaves that can be read.
//
//   for_each_live(leaf, see)  see(const LiveDotView&) for each live dot of the leaf, in dot order;
//                             never for an absent leaf.
//   scan(prefix, visit)       visit(leaf, live dots) for each leaf whose key starts with `prefix`,
//                             in leaf order, until it returns false. Views last for the call.
//   scan_from(prefix, from, visit)  the same from the first leaf that isn't below `from`, which
//                             must not be below `prefix`.
//
// A home that can fail (a disk) remembers its first failure; whoever made the
// reader asks it afterwards and throws the answer of the query away.
template <class R>
concept LeafReader = requires(R& reader, std::string_view leaf, void (*see)(const LiveDotView&),
                              bool (*visit)(std::string_view, std::span<const LiveDotView>)) {
  reader.for_each_live(leaf, see);
  reader.scan(leaf, visit);
  reader.scan_from(leaf, leaf, visit);
};

// Leaves that can be written: one change in the making. Reading shows its own
// pending writes; a pending dot has the counter `pending_counter`.
//
//   self()                    the actor that writes.
//   hlc()                     the change's timestamp.
//   key_buffer()              a string to build keys and payloads in, reused so that writing needn't
//                             allocate. Slots don't refer to it.
//   keep(bytes)               a copy that stays valid for the life of the access.
//   open(leaf)                a slot: a cheap handle on the leaf, absent or not. It stays valid for
//                             the life of the access, whatever is opened and written meanwhile.
//   for_each_live(slot, see)  as above.
//   put(slot, stamp, bytes)   the row removes every live dot seen at the leaf and puts the payload
//                             under a fresh dot. Replaces an own pending row.
//   remove(slot)              the row removes every live dot seen at the leaf. Makes no row if there
//                             was none; returns whether there was any.
//   fail(error)               remembers the first error: the change will not be made.
//
// No writing during a scan: collect first.
template <class A>
concept LeafAccess = LeafReader<A> &&
    requires(A& access, std::string_view leaf, void (*see)(const LiveDotView&), std::string_view bytes,
             Error error) {
  { access.self() } -> std::convertible_to<ActorId>;
  { access.hlc() } -> std::convertible_to<std::uint64_t>;
  { access.key_buffer() } -> std::same_as<std::string&>;
  { access.keep(bytes) } -> std::same_as<std::string_view>;
  access.for_each_live(access.open(leaf), see);
  access.put(access.open(leaf), std::uint64_t{0}, bytes);
  { access.remove(access.open(leaf)) } -> std::same_as<bool>;
  access.fail(std::move(error));
};

// leaf_key(place, type, element) built in `buffer`, whose memory is reused.
inline std::string_view build_leaf_key(std::string& buffer, Place place, Type type,
                                       std::string_view element) {
  buffer.clear();
  place.append_to(buffer);
  buffer.push_back(static_cast<char>(type));
  append_escaped(buffer, element);
  return buffer;
}

// The path element of a leaf of a flat type: what follows `prefix`
// (leaf_prefix()) in `leaf`, unescaped into `buffer` only where it must be.
// False if more elements follow or the bytes are no leaf key.
inline bool flat_element(std::string_view leaf, std::size_t prefix_size, std::string& buffer,
                         std::string_view& element) {
  constexpr std::string_view end("\x00\x01", 2);
  leaf.remove_prefix(prefix_size);
  if (!leaf.ends_with(end)) return false;
  leaf.remove_suffix(end.size());
  if (leaf.find('\0') == std::string_view::npos) {
    element = leaf;
    return true;
  }
  buffer.clear();
  for (std::size_t at; (at = leaf.find('\0')) != std::string_view::npos; leaf.remove_prefix(at + 2)) {
    if (at + 1 >= leaf.size() || leaf[at + 1] != '\xff') return false;
    buffer.append(leaf.substr(0, at + 1));
  }
  buffer.append(leaf);
  element = buffer;
  return true;
}

// How registers compare: greatest (stamp, actor, counter).
inline bool register_less(const LiveDotView& a, const LiveDotView& b) {
  return a.stamp != b.stamp ? a.stamp < b.stamp : a.dot < b.dot;
}

}  // namespace syncline
