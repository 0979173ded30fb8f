// A set whose removes win: RwSet.
#pragma once

#include <vector>

#include "crdt/set_view.h"
#include "crdt/standalone.h"

namespace syncline {

// A set in which a remove beats a concurrent add: for what must be gone when
// anybody said so, such as rights or subscriptions.
//
//   Ada and Bob both have {carl}. At once Ada erases carl, Bob inserts him again.
//   After both merged the set is empty. An insert by somebody who has seen the
//   erasure brings him back.
//
// An erasure leaves a marker at its element, or concurrent adds could not be beaten.
// It goes with the next insert, or when it is collected: an ordinary mutation,
// due once every copy has it (in a keyspace with members that happens by itself). Who comes later than that with an add from before
// the erasure, which nobody had heard of, finds it counted: the element is back.
// A mutation costs O(log elements). Memory: elements and markers, one dot each (one per
// concurrent mutation, until the next).
template <class T>
class RwSet : public Standalone<RwSet<T>> {
 public:
  static constexpr Type type = Type::rw_set;
  template <class Home>
  using View = BasicSetView<Home, T, type>;
  template <LeafAccess A>
  using Writer = BasicSetWriter<A, T, type>;

  RwSet insert(const ActorId& actor, const T& element) {
    return this->mutate(actor, 0,
                        [&](LeafEdit& edit) { set_insert(edit, type, {}, to_value_bytes(element)); });
  }
  // Removes an element, whether it is there or not: no add that ran beside this survives it.
  RwSet erase(const ActorId& actor, const T& element) {
    return this->mutate(actor, 0,
                        [&](LeafEdit& edit) { set_erase(edit, type, {}, to_value_bytes(element)); });
  }
  // Drops this actor's markers within `stable`: what every copy is known to have, when this
  // copy has itself all that they had as they said so. The delta is empty if there are none.
  RwSet collect(const ActorId& actor, const Version& stable) {
    return this->mutate(actor, 0, [&](LeafEdit& edit) { rw_set_collect(edit, {}, stable); });
  }

  bool contains(const T& element) const {
    return set_contains(this->state(), type, {}, to_value_bytes(element));
  }
  // In the order of their canonical bytes.
  std::vector<T> elements() const { return View<AloneHome>(this->home()).elements(); }

  static bool dot_is_valid(std::string_view element, const LiveDot& live) {
    return live.payload.stamp == 0 && (live.payload.bytes.empty() || live.payload.bytes == removed_mark) &&
           from_value_bytes<T>(element).has_value();
  }
};

}  // namespace syncline
