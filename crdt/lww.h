// Last writer wins: LwwRegister and LwwMap.
//
// Timestamps order writes; they never name them, so wrong clocks cost intent,
// not convergence. Pass the reading of an Hlc. Among concurrent writes the
// greatest (timestamp, actor, counter) is shown.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "crdt/home.h"
#include "crdt/lww_logic.h"
#include "crdt/standalone.h"
#include "crdt/value_traits.h"

namespace syncline {

namespace detail {
template <class T>
std::optional<T> object_of(std::optional<Value> value) {
  return value ? ValueTraits<T>::from_value(std::move(*value)) : std::nullopt;
}
}  // namespace detail

// Reads a register. A value that is no T reads as nothing.
template <class Home, class T>
class BasicRegisterView {
 public:
  explicit BasicRegisterView(Home home) : home_(std::move(home)) {}

  typename Home::template Answer<std::optional<T>> get() const {  // O(log leaves).
    return home_.look(
        [](auto& reader, Place place) { return detail::object_of<T>(register_get(reader, place)); });
  }

 protected:
  Home home_;
};

// Writes a register within a change; see BasicFieldsWriter.
template <LeafAccess A, class T>
class BasicRegisterWriter : public BasicRegisterView<WriteHome<A>, T> {
 public:
  BasicRegisterWriter(A& access, Place place)
      : BasicRegisterView<WriteHome<A>, T>(WriteHome<A>(access, place)) {}

  void set(const T& value) {
    register_set(this->home_.access(), this->home_.place(), ValueTraits<T>::to_value(value));
  }
  bool set(const T& value, std::uint64_t timestamp) {
    return register_set(this->home_.access(), this->home_.place(), ValueTraits<T>::to_value(value),
                        timestamp);
  }
  // Removes the value as far as it is seen. False if there was none.
  bool clear() { return register_clear(this->home_.access(), this->home_.place()); }
};

// Reads a map of fields. Fields whose value is no T are passed over.
template <class Home, class T>
class BasicFieldsView {
 public:
  explicit BasicFieldsView(Home home) : home_(std::move(home)) {}

  typename Home::template Answer<std::optional<T>> get(std::string_view field) const {  // O(log leaves).
    return home_.look(
        [field](auto& reader, Place place) { return detail::object_of<T>(map_get(reader, place, field)); });
  }
  typename Home::template Answer<std::size_t> size() const {  // O(size).
    return home_.look([](auto& reader, Place place) {
      std::size_t size = 0;
      map_for_each(reader, place, {}, [&size](std::string_view, const Value& value) {
        if (ValueTraits<T>::from_value(value)) ++size;
        return true;
      });
      return size;
    });
  }
  // visit(std::string_view field, const T& value) for fields that aren't below
  // `from`, in byte order, until it returns false.
  template <class Visit>
  typename Home::template Answer<void> for_each(std::string_view from, Visit&& visit) const {
    return home_.look([&](auto& reader, Place place) {
      map_for_each(reader, place, from, [&visit](std::string_view field, const Value& value) -> bool {
        const std::optional<T> object = ValueTraits<T>::from_value(value);
        return !object || visit(field, *object);
      });
    });
  }

 protected:
  Home home_;
};

// Writes a map of fields, each a last-writer-wins register. Operations cost O(log leaves).
template <LeafAccess A, class T>
class BasicFieldsWriter : public BasicFieldsView<WriteHome<A>, T> {
 public:
  BasicFieldsWriter(A& access, Place place) : BasicFieldsView<WriteHome<A>, T>(WriteHome<A>(access, place)) {}

  // Last writer wins, by (timestamp, actor, counter); this write beats all that is seen here.
  void set(std::string_view field, const T& value) {
    map_set(this->home_.access(), this->home_.place(), field, ValueTraits<T>::to_value(value));
  }
  // With the caller's timestamp (below 2^62, else the change fails with
  // `invalid_argument`): changes nothing unless it is above what is seen. Whether it did.
  bool set(std::string_view field, const T& value, std::uint64_t timestamp) {
    return map_set(this->home_.access(), this->home_.place(), field, ValueTraits<T>::to_value(value),
                   timestamp);
  }
  // Removes what is seen here; a concurrent set survives. False if it was absent.
  bool erase(std::string_view field) { return map_remove(this->home_.access(), this->home_.place(), field); }
};

// One value; the last write wins.
//
//   Ada sets "red" at time 5, Bob at once "blue" at time 6. Both then show blue. If Bob
//   clears it having seen only his own write, Ada's red is what remains: a clear takes
//   away what was seen, and a loser is kept until somebody who sees it writes.
//
// Cost and memory: one dot per concurrent write, until the next.
template <class T>
class LwwRegister : public Standalone<LwwRegister<T>> {
 public:
  static constexpr Type type = Type::lww_register;
  template <class Home>
  using View = BasicRegisterView<Home, T>;
  template <LeafAccess A>
  using Writer = BasicRegisterWriter<A, T>;

  // Writes a value, stamped max(now, greatest timestamp seen + 1): it beats all that it saw.
  LwwRegister set(const ActorId& actor, std::uint64_t now, const T& value) {
    return this->mutate(actor, now,
                        [&](LeafEdit& edit) { register_set(edit, {}, ValueTraits<T>::to_value(value)); });
  }

  // Writes a value as of `timestamp`, for data that brings its own times. The delta is empty
  // unless that is above every timestamp seen here. `invalid_argument` from 2^62 on.
  [[nodiscard]] Result<LwwRegister> set_at(const ActorId& actor, std::uint64_t timestamp, const T& value) {
    return this->try_mutate(actor, 0, [&](LeafEdit& edit) {
      register_set(edit, {}, ValueTraits<T>::to_value(value), timestamp);
    });
  }

  // Removes the value as far as it was seen. The delta is empty if there was none.
  LwwRegister clear(const ActorId& actor) {
    return this->mutate(actor, 0, [](LeafEdit& edit) { register_clear(edit, {}); });
  }

  // The value, or nothing if it was never set, or cleared.
  std::optional<T> value() const { return detail::object_of<T>(register_get(this->state(), {})); }

  static bool dot_is_valid(std::string_view element, const LiveDot& live) {
    return element.empty() && from_value_bytes<T>(live.payload.bytes).has_value();
  }
};

// Fields, each with a value whose last write wins.
//
//   Ada and Bob both have {name: Ada}. At once Ada erases the field, Bob sets it to
//   "Ada L.". Ada never saw Bob's write, so both end with {name: Ada L.}.
//
// Fields are bytes, ordered as such. A mutation costs O(log fields). Memory:
// one dot per field (one per concurrent write, until the next); nothing for erased fields.
template <class T>
class LwwMap : public Standalone<LwwMap<T>> {
 public:
  static constexpr Type type = Type::lww_map;
  template <class Home>
  using View = BasicFieldsView<Home, T>;
  template <LeafAccess A>
  using Writer = BasicFieldsWriter<A, T>;

  // Writes a field; see LwwRegister::set().
  LwwMap set(const ActorId& actor, std::uint64_t now, std::string_view field, const T& value) {
    return this->mutate(actor, now,
                        [&](LeafEdit& edit) { map_set(edit, {}, field, ValueTraits<T>::to_value(value)); });
  }

  // Writes a field as of `timestamp`; see LwwRegister::set_at().
  [[nodiscard]] Result<LwwMap> set_at(const ActorId& actor, std::uint64_t timestamp, std::string_view field,
                                      const T& value) {
    return this->try_mutate(actor, 0, [&](LeafEdit& edit) {
      map_set(edit, {}, field, ValueTraits<T>::to_value(value), timestamp);
    });
  }

  // Removes a field as far as it was seen. The delta is empty if it wasn't there.
  LwwMap erase(const ActorId& actor, std::string_view field) {
    return this->mutate(actor, 0, [&](LeafEdit& edit) { map_remove(edit, {}, field); });
  }

  std::optional<T> find(std::string_view field) const {
    return detail::object_of<T>(map_get(this->state(), {}, field));
  }
  std::size_t size() const { return this->state().leaves().size(); }
  bool empty() const { return size() == 0; }

  // Calls fn(std::string_view field, const T& value) for each field in order, until it returns false.
  template <class Fn>
  void for_each(Fn&& fn) const {
    map_for_each(this->state(), {}, {}, [&fn](std::string_view field, const Value& value) -> bool {
      const std::optional<T> object = ValueTraits<T>::from_value(value);
      return !object || fn(field, *object);
    });
  }

  static bool dot_is_valid(std::string_view, const LiveDot& live) {
    return from_value_bytes<T>(live.payload.bytes).has_value();
  }
};

}  // namespace syncline
