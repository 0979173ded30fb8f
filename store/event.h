// What watchers of a keyspace are told.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "crdt/dot.h"
#include "crdt/leaf_key.h"
#include "crdt/value.h"

namespace syncline {

// A change of one watched place: what was read there before and what was read
// there after it. The two always differ, but for types that only newer code
// knows: of these neither value is told.
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
  // Who wrote it, and when by the writer's clock: as its batch says. In a batch without origin, what the
  // dots tell that are there now and weren't before: their writer, if all are of one, and the time if it
  // is known (as of Keyspace::describe()). Of what was removed they tell nothing.
  std::optional<ActorId> origin;
  std::optional<std::chrono::milliseconds> time;
};

// What one commit changed for readers under a watched prefix, told after it: one
// change, made here or by a peer, however many of them a frame brought. Never empty.
//
// State that a peer sent instead of changes (a pass, to a replica that is far
// behind or new) is one commit, too, and one batch: it shows what many changes of
// many replicas left behind, so it has no origin and no time; its events may have.
struct EventBatch {
  std::optional<ActorId> origin;                  // The actor that made the change.
  std::optional<std::chrono::milliseconds> time;  // When, since 1970, by that actor's clock.
  bool local = false;                             // Made by this replica.
  std::span<const Event> events;                  // By key, each place once. For the call only.
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
