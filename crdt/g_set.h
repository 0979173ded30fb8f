// A set that only grows: GSet.
#pragma once

#include <vector>

#include "crdt/set_view.h"
#include "crdt/standalone.h"

namespace syncline {

// A set whose elements stay.
//
//   Ada inserts milk, Bob at once inserts eggs. Both end with {eggs, milk}.
//
// Inserting what is there costs a look and writes nothing. In a keyspace, erasing
// the whole key takes away the elements that were seen, as with any type. A mutation costs
// O(log elements). Memory: the elements, one dot each (one per concurrent insert).
template <class T>
class GSet : public Standalone<GSet<T>> {
 public:
  static constexpr Type type = Type::g_set;
  template <class Home>
  using View = BasicSetView<Home, T, type>;
  template <LeafAccess A>
  using Writer = BasicSetWriter<A, T, type>;

  // Adds an element. The delta is empty if it was there.
  GSet insert(const ActorId& actor, const T& element) {
    return this->mutate(actor, 0,
                        [&](LeafEdit& edit) { set_insert(edit, type, {}, to_value_bytes(element)); });
  }

  bool contains(const T& element) const {
    return set_contains(this->state(), type, {}, to_value_bytes(element));
  }
  std::size_t size() const { return this->state().leaves().size(); }
  // In the order of their canonical bytes.
  std::vector<T> elements() const { return View<AloneHome>(this->home()).elements(); }

  static bool dot_is_valid(std::string_view element, const LiveDot& live) {
    return live.payload == Payload{} && from_value_bytes<T>(element).has_value();
  }
};

}  // namespace syncline
