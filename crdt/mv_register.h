// Registers that keep concurrent writes, or choose by value: MvRegister,
// MaxRegister and MinRegister.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "crdt/home.h"
#include "crdt/mv_logic.h"
#include "crdt/standalone.h"
#include "crdt/value_traits.h"

namespace syncline {

namespace detail {
template <class T>
std::vector<T> objects_of(std::vector<Value> values) {
  std::vector<T> objects;
  for (Value& value : values) {
    if (auto object = ValueTraits<T>::from_value(std::move(value))) objects.push_back(std::move(*object));
  }
  return objects;
}
}  // namespace detail

// Reads such a register. Values that are no T are passed over.
template <class Home, class T, Type type>
class BasicMvView {
 public:
  explicit BasicMvView(Home home) : home_(std::move(home)) {}

  // All values that no other has overwritten, each once, in the order of their canonical bytes:
  // one but for concurrent writes, none if it was never set, or cleared.
  typename Home::template Answer<std::vector<T>> values() const requires(type == Type::mv_register) {
    return home_.look(
        [](auto& reader, Place place) { return detail::objects_of<T>(mv_get(reader, type, place)); });
  }
  // The greatest, or least, value; nothing if it was never set, or cleared.
  typename Home::template Answer<std::optional<T>> value() const requires(type != Type::mv_register) {
    return home_.look([](auto& reader, Place place) -> std::optional<T> {
      auto all = detail::objects_of<T>(mv_get(reader, type, place));
      return all.empty() ? std::nullopt : std::optional<T>(std::move(all.front()));
    });
  }

 protected:
  Home home_;
};

// Writes such a register within a change. Operations cost O(log leaves).
template <LeafAccess A, class T, Type type>
class BasicMvWriter : public BasicMvView<WriteHome<A>, T, type> {
 public:
  BasicMvWriter(A& access, Place place) : BasicMvView<WriteHome<A>, T, type>(WriteHome<A>(access, place)) {}

  // Writes a value over those that are seen. Whether it did: a MaxRegister, or
  // MinRegister, that sees one as great, or small, is left as it is.
  bool set(const T& value) {
    return mv_set(this->home_.access(), type, this->home_.place(), ValueTraits<T>::to_value(value));
  }
  // Removes the values as far as they are seen. False if there was none.
  bool clear() { return mv_clear(this->home_.access(), type, this->home_.place()); }
};

// What MvRegister, MaxRegister and MinRegister have in common.
template <class Derived, class T, Type register_type>
class BasicMvRegister : public Standalone<Derived> {
 public:
  static constexpr Type type = register_type;
  template <class Home>
  using View = BasicMvView<Home, T, type>;
  template <LeafAccess A>
  using Writer = BasicMvWriter<A, T, type>;

  // Writes a value over those that are seen. The delta of a MaxRegister, or MinRegister, is
  // empty if a value as great, or small, is seen.
  Derived set(const ActorId& actor, const T& value) {
    return this->mutate(actor, 0,
                        [&](LeafEdit& edit) { mv_set(edit, type, {}, ValueTraits<T>::to_value(value)); });
  }
  // Removes the values as far as they are seen. The delta is empty if there was none.
  Derived clear(const ActorId& actor) {
    return this->mutate(actor, 0, [](LeafEdit& edit) { mv_clear(edit, type, {}); });
  }

  static bool dot_is_valid(std::string_view element, const LiveDot& live) {
    return element.empty() && from_value_bytes<T>(live.payload.bytes).has_value();
  }
};

// A value that shows what was written at once, for somebody to decide.
//
//   Ada sets "red", Bob at once "blue". Both then read {blue, red}. Carl, who sees both,
//   sets "purple": it replaces the two.
//
// Cost and memory: one dot per concurrent write, until the next.
template <class T>
class MvRegister : public BasicMvRegister<MvRegister<T>, T, Type::mv_register> {
 public:
  // All values that no other has overwritten, in the order of their canonical bytes.
  std::vector<T> values() const {
    return detail::objects_of<T>(mv_get(this->state(), Type::mv_register, {}));
  }
};

// The greatest value ever written, by canonical bytes: for numbers of one kind as numbers, for text as bytes.
//
//   Ada sets 7, Bob at once 9. Both then read 9. Bob's next set(8) changes nothing.
//
// Cost and memory: one dot per concurrent write, until the next that is greater.
template <class T>
class MaxRegister : public BasicMvRegister<MaxRegister<T>, T, Type::max_register> {
 public:
  std::optional<T> value() const {
    auto all = detail::objects_of<T>(mv_get(this->state(), Type::max_register, {}));
    return all.empty() ? std::nullopt : std::optional<T>(std::move(all.front()));
  }
};

// The least value ever written; see MaxRegister.
template <class T>
class MinRegister : public BasicMvRegister<MinRegister<T>, T, Type::min_register> {
 public:
  std::optional<T> value() const {
    auto all = detail::objects_of<T>(mv_get(this->state(), Type::min_register, {}));
    return all.empty() ? std::nullopt : std::optional<T>(std::move(all.front()));
  }
};

}  // namespace syncline
