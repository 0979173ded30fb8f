// What watchers of a keyspace are told.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crdt/leaf_key.h"
#include "crdt/value.h"

namespace syncline {

// A change of one watched place, told after its commit: what was read there
// before and what is read there now. The two always differ, but for types that
// only newer code knows: of these neither value is told.
//
// What is told, by the shape of the type:
//   counters, registers, flags  the value; a flag that is on is `true`, one that is off is nothing
//   sets, MvRegister            one event for each element that came or went, concurrent value likewise
//   LwwMap                      one for each field
//   OrMap, GMap                 one for each name that came or went (`true`: it is there), before those of
//                               what is under it
struct Event {
  std::string key;
  std::vector<std::string> path;  // The names in maps that lead from the key to the object.
  Type type{};                    // The object's.
  std::string element;  // Set: the element's canonical bytes; LwwMap: the field; map that nests: the name.
  std::optional<Value> before;
  std::optional<Value> after;  // Nothing where there is none: removed, cleared, reset, not yet there.
  bool local = false;          // Made by this replica.
};

// Keeps a watch alive; destroying or resetting it ends the watch. After that
// the watcher isn't running and will not be called: if it runs on another
// thread just then, the end waits for it. So don't hold a lock that the watcher
// takes. Inside the watcher itself nothing waits. May outlive the replica.
// Not to be ended inside an update's function or a visitor.
class [[nodiscard]] Subscription {
 public:
  Subscription() = default;
  explicit Subscription(std::shared_ptr<void> hold) : hold_(std::move(hold)) {}
  Subscription(Subscription&&) noexcept = default;
  Subscription& operator=(Subscription&&) noexcept = default;
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;
  ~Subscription() = default;

  void reset() { hold_.reset(); }

 private:
  std::shared_ptr<void> hold_;
};

}  // namespace syncline
