// A set whose adds win: OrSet.
#pragma once

#include <string>
#include <vector>

#include "crdt/set_view.h"
#include "crdt/standalone.h"

namespace syncline {

// A set in which an add beats a concurrent remove, and a remove takes away
// exactly what was seen.
//
//   Ada and Bob both have {milk}. At once Ada erases milk, Bob inserts it again.
//   Ada never saw Bob's insert, so after both merged the set is {milk}.
//
//   OrSet<std::string> ada, bob;
//   bob.merge(ada.insert(a, "milk"));
//   const auto gone = ada.erase(a, "milk");
//   const auto back = bob.insert(b, "milk");
//   ada.merge(back), bob.merge(gone);  // Both: {milk}.
//
// T is anything with ValueTraits; elements are the same when their canonical
// bytes are. A mutation costs O(log elements). Memory: the elements that are in,
// one dot each (one per concurrent add, until the next), and two numbers per
// gap in what was seen; nothing for elements that were removed.
template <class T>
class OrSet : public Standalone<OrSet<T>> {
 public:
  static constexpr Type type = Type::or_set;
  template <class Home>
  using View = BasicSetView<Home, T, type>;
  template <LeafAccess A>
  using Writer = BasicSetWriter<A, T, type>;

  // Adds an element. The delta matters even if it was there: it must survive a concurrent erase.
  OrSet insert(const ActorId& actor, const T& element) {
    return this->mutate(actor, 0,
                        [&](LeafEdit& edit) { set_insert(edit, type, {}, to_value_bytes(element)); });
  }

  // Removes an element as far as it was seen. The delta is empty if it wasn't there.
  OrSet erase(const ActorId& actor, const T& element) {
    return this->mutate(actor, 0,
                        [&](LeafEdit& edit) { set_erase(edit, type, {}, to_value_bytes(element)); });
  }

  // Removes every element seen. O(elements).
  OrSet clear(const ActorId& actor) {
    std::vector<std::string> seen;
    for (const auto& [leaf, live] : this->state().leaves()) seen.push_back(leaf);
    return this->mutate(actor, 0, [&](LeafEdit& edit) {
      for (const std::string& leaf : seen) edit.remove(edit.open(leaf));
    });
  }

  bool contains(const T& element) const {
    return set_contains(this->state(), type, {}, to_value_bytes(element));
  }
  std::size_t size() const { return this->state().leaves().size(); }
  bool empty() const { return size() == 0; }

  // The elements in the order of their canonical bytes.
  std::vector<T> elements() const {
    std::vector<T> all;
    all.reserve(size());
    set_for_each(this->state(), type, {}, [&all](std::string_view bytes) {
      if (auto element = from_value_bytes<T>(bytes)) all.push_back(std::move(*element));
      return true;
    });
    return all;
  }

  static bool dot_is_valid(std::string_view element, const LiveDot& live) {
    return live.payload == Payload{} && from_value_bytes<T>(element).has_value();
  }
};

}  // namespace syncline
