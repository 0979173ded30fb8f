// What watchers of a keyspace are told.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "crdt/leaf_key.h"
#include "crdt/value.h"

namespace syncline {

// A change of one watched place, told after its commit: what was read there
// before and what is read there now. The two always differ, but for types that
// only newer code knows: of these neither value is told.
struct Event {
  std::string key;
  Type type{};
  std::string element;          // Set: the element's canonical bytes; map: the field; else empty.
  std::optional<Value> before;  // Counter: its total; set: the element; register, map field: the value.
  std::optional<Value> after;   // Nothing where there is none: removed, cleared, reset, not yet there.
  bool local = false;           // Made by this replica.
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
