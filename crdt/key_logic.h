// What can be done to a place whatever types are there.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "crdt/counter_logic.h"
#include "crdt/leaf_access.h"
#include "crdt/operation.h"
#include "crdt/reading.h"

namespace syncline {

// What an erasure is to do below a place, found by one look at all leaves there.
class Erasure {
 public:
  // Takes in a leaf. False, with refused() set, if its removal isn't ours to do.
  bool see(std::string_view leaf, std::span<const LiveDotView> live) {
    const auto object = object_leaf(leaf);
    if (!object || !is_known(object->type) || is_map(object->type)) {
      refused_ = Error{Errc::unknown_type, "a type there is newer than this program"};
    } else if (object->type == Type::bounded_counter) {
      refused_ =
          Error{Errc::wrong_type, operation_text("there is a", object->type, Place::at(object->place)) +
                                      ", which can't be removed"};
    } else if (is_resettable_counter(object->type)) {
      if (counters_.empty() || counters_.back() != std::pair(std::string(object->place), object->type))
        counters_.emplace_back(object->place, object->type);
    } else {
      std::string_view element;
      shown_ = shown_ || (flat_element(leaf, object->prefix_size(), buffer_, element) &&
                          !leaf_reading(object->type, element, live).empty());
      leaves_.emplace_back(leaf);
    }
    return !refused_;
  }
  // Why, without the operation.
  const std::optional<Error>& refused() const { return refused_; }

  // Writes the rows; whether a reader saw anything there.
  template <LeafAccess A>
  bool write(A& access) {
    for (const auto& [place, type] : counters_)
      shown_ = counter_reset(access, type, Place::at(place)) || shown_;
    for (const std::string& leaf : leaves_) access.remove(access.open(std::string_view(leaf)));
    return shown_;
  }

 private:
  std::vector<std::pair<std::string, Type>> counters_;
  std::vector<std::string> leaves_;
  std::string buffer_;
  std::optional<Error> refused_;
  bool shown_ = false;
};

// Removes all that is seen at a place and below it, of every type: a row for
// each leaf, floors for counters at every depth. What is written there
// concurrently stays. Fails, and writes nothing, with `unknown_type` if a leaf is of a type or shape
// that only newer code knows (only that code knows what removal leaves behind), and with `wrong_type`
// above a bounded counter. Returns whether anything was there to read. O(leaves there) time and memory.
template <LeafAccess A>
bool erase_place(A& access, Place place) {
  const std::string path = place.path();
  Erasure erasure;
  access.scan(std::string_view(path), [&](std::string_view leaf, std::span<const LiveDotView> live) {
    return erasure.see(leaf, live);
  });
  if (erasure.refused()) {
    const auto& [code, why] = *erasure.refused();
    access.fail(Error{code, "erase " + place_text(place) + ": " + why});
    return false;
  }
  return erasure.write(access);
}

}  // namespace syncline
