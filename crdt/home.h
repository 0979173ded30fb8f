// From where a type's view reads: what lets one view serve a type used alone, an
// open change, and a keyspace.
//
// A home has Answer<T>, what a query that yields a T returns there (T itself,
// or Result<T> where a disk may fail), and look(fn), which returns the Answer of
// fn(LeafReader&, Place). below(map type, name) is the home of a map's child.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "crdt/leaf_access.h"
#include "crdt/leaf_map.h"
#include "crdt/operation.h"

namespace syncline {

// In a change that is being written: reads see its own writes.
template <LeafAccess A>
class WriteHome {
 public:
  template <class T>
  using Answer = T;

  WriteHome(A& access, Place place) : access_(access), place_(place) {}

  template <class Fn>
  auto look(Fn&& fn) const {
    return fn(access_, place_);
  }
  // Nested deeper than `leaf_depth_max` the change fails with `too_large`.
  WriteHome below(Type map, std::string_view name) const {
    const std::string_view path = access_.keep(build_leaf_key(access_.key_buffer(), place_, map, name));
    if (path_depth(path) >= leaf_depth_max)
      access_.fail(refused(Errc::too_large, "write below", map, place_,
                           "maps nest at most " + std::to_string(leaf_depth_max - 1) + " deep"));
    return {access_, Place::at(path)};
  }

  A& access() const { return access_; }
  Place place() const { return place_; }

 private:
  A& access_;
  Place place_;
};

// In a type used alone, which must outlive it.
class AloneHome {
 public:
  template <class T>
  using Answer = T;

  AloneHome(const LeafMap& state, std::string path) : state_(&state), path_(std::move(path)) {}

  template <class Fn>
  auto look(Fn&& fn) const {
    return fn(*state_, Place::at(path_));
  }
  AloneHome below(Type map, std::string_view name) const {
    return {*state_, child_path(Place::at(path_), map, name)};
  }

 private:
  const LeafMap* state_;
  std::string path_;
};

}  // namespace syncline
