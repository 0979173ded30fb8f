// Maps of named objects, which nest: OrMap and GMap.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "crdt/home.h"
#include "crdt/key_logic.h"
#include "crdt/reading.h"
#include "crdt/standalone.h"

namespace syncline {

// Reads a map.
template <class Home, Type type>
class BasicMapView {
 public:
  explicit BasicMapView(Home home) : home_(std::move(home)) {}

  // The object of type T under a name, there or not: map.at<PnCounter>("likes").total(),
  // map.at<OrMap>("address").at<...>(...).
  template <class T>
  typename T::template View<Home> at(std::string_view name) const {
    return typename T::template View<Home>(home_.below(type, name));
  }
  // Whether there is anything under a name, of any type.
  typename Home::template Answer<bool> contains(std::string_view name) const {
    return home_.look([name](auto& reader, Place place) {
      bool found = false;
      for_each_child(reader, place, type, name, [&](std::string_view child, Type) {
        found = child == name;
        return false;
      });
      return found;
    });
  }
  // Names and types of what is in the map, in the order of names. One name may have objects of
  // several types: they are apart, and come in the order of types. O(children · log leaves).
  typename Home::template Answer<std::vector<std::pair<std::string, Type>>> children() const {
    return home_.look([](auto& reader, Place place) {
      std::vector<std::pair<std::string, Type>> all;
      for_each_child(reader, place, type, {}, [&all](std::string_view name, Type child) {
        all.emplace_back(name, child);
        return true;
      });
      return all;
    });
  }

 protected:
  Home home_;
};

// Writes a map within a change.
template <LeafAccess A, Type type>
class BasicMapWriter : public BasicMapView<WriteHome<A>, type> {
 public:
  BasicMapWriter(A& access, Place place) : BasicMapView<WriteHome<A>, type>(WriteHome<A>(access, place)) {}

  // The object of type T under a name, to be read and written. Writing it brings it, and the maps
  // around it, into being. Maps nest at most 32 deep: deeper the change fails with `too_large`.
  template <class T>
  typename T::template Writer<A> at(std::string_view name) const {
    const WriteHome<A> child = this->home_.below(type, name);
    return typename T::template Writer<A>(child.access(), child.place());
  }
  // Removes all that is seen under a name, of every type and at every depth; what others write there
  // concurrently survives, and nothing else. Whether there was anything. Fails the change with
  // `wrong_type` above a bounded counter, with `unknown_type` above a leaf that only
  // newer code knows. O(leaves under the name).
  bool erase(std::string_view name) requires(type == Type::or_map) {
    const WriteHome<A> child = this->home_.below(type, name);
    return erase_place(child.access(), child.place());
  }
};

// Objects of any type by name, maps among them.
//
//   Ada and Bob at once create {address: {city: ...}}: it is one address, for a child
//   is its path. Ada erases the address while Bob adds a street: the street stays, the
//   city, which Ada saw, goes. Counters below keep exactly what the eraser hadn't seen.
//
// An OrMap lets go of names, a GMap doesn't. An empty map is absent: there is
// nothing to create, and nothing left after its last child. Names are bytes. A
// mutation costs what it costs its object, and the length of the path. Memory:
// the leaves of the objects below; of erased ones nothing, but for counters' floors.
template <Type map_type>
requires(is_map(map_type)) class NestedMap : public Standalone<NestedMap<map_type>> {
 public:
  static constexpr Type type = map_type;
  template <class Home>
  using View = BasicMapView<Home, type>;
  template <LeafAccess A>
  using Writer = BasicMapWriter<A, type>;

  // Runs `write`, which is given a Writer<LeafEdit>, and returns the delta of all it wrote. `now` is what
  // an Hlc reads. On error, the first that an operation met, nothing changed.
  template <class Fn>
  [[nodiscard]] Result<NestedMap> update(const ActorId& actor, std::uint64_t now, Fn&& write) {
    return this->try_mutate(actor, now, [&write](LeafEdit& edit) {
      BasicMapWriter<LeafEdit, map_type> map(edit, {});
      write(map);
    });
  }

  // Views live as long as the map.
  template <class T>
  typename T::template View<AloneHome> at(std::string_view name) const {
    return View<AloneHome>(this->home()).template at<T>(name);
  }
  bool contains(std::string_view name) const { return View<AloneHome>(this->home()).contains(name); }
  std::vector<std::pair<std::string, Type>> children() const {
    return View<AloneHome>(this->home()).children();
  }
};

using OrMap = NestedMap<Type::or_map>;
using GMap = NestedMap<Type::g_map>;

}  // namespace syncline
