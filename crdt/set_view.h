// Sets of every kind, as they are read and written in keyspaces and in maps.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "crdt/home.h"
#include "crdt/set_logic.h"
#include "crdt/value_traits.h"

namespace syncline {

// Reads a set. Elements that are no T (others may have put them there) are passed over.
template <class Home, class T, Type type>
class BasicSetView {
 public:
  explicit BasicSetView(Home home) : home_(std::move(home)) {}

  typename Home::template Answer<bool> contains(const T& element) const {  // O(log leaves).
    return home_.look([&element](auto& reader, Place place) {
      return set_contains(reader, type, place, to_value_bytes(element));
    });
  }
  typename Home::template Answer<std::size_t> size() const {  // O(size).
    return home_.look([](auto& reader, Place place) {
      std::size_t size = 0;
      set_for_each(reader, type, place, [&size](std::string_view bytes) {
        if (from_value_bytes<T>(bytes)) ++size;
        return true;
      });
      return size;
    });
  }
  // In the order of their canonical bytes.
  typename Home::template Answer<std::vector<T>> elements() const {
    return home_.look([](auto& reader, Place place) {
      std::vector<T> all;
      set_for_each(reader, type, place, [&all](std::string_view bytes) {
        if (auto element = from_value_bytes<T>(bytes)) all.push_back(std::move(*element));
        return true;
      });
      return all;
    });
  }

 protected:
  Home home_;
};

// Writes a set within a change. Operations cost O(log leaves).
template <LeafAccess A, class T, Type type>
class BasicSetWriter : public BasicSetView<WriteHome<A>, T, type> {
 public:
  BasicSetWriter(A& access, Place place) : BasicSetView<WriteHome<A>, T, type>(WriteHome<A>(access, place)) {}

  // Adds an element. Writes even if it is there, for it shall survive a concurrent
  // erase; but in a GSet, where nothing is erased.
  void insert(const T& element) {
    set_insert(this->home_.access(), type, this->home_.place(), to_value_bytes(element));
  }
  // Removes an element; false if it was absent. From an OrSet what is seen here: a
  // concurrent insert survives. From an RwSet always: a concurrent insert doesn't.
  bool erase(const T& element) requires(type != Type::g_set) {
    return set_erase(this->home_.access(), type, this->home_.place(), to_value_bytes(element));
  }
  // Drops markers of erasures; see rw_set_collect(). How many elements' were dropped.
  std::size_t collect(const Version& stable) requires(type == Type::rw_set) {
    return rw_set_collect(this->home_.access(), this->home_.place(), stable);
  }
};

}  // namespace syncline
