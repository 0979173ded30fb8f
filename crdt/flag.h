// Flags: EwFlag, which enables win, and DwFlag, which disables win.
#pragma once

#include <utility>

#include "crdt/flag_logic.h"
#include "crdt/home.h"
#include "crdt/standalone.h"

namespace syncline {

// Reads a flag.
template <class Home, Type type>
class BasicFlagView {
 public:
  explicit BasicFlagView(Home home) : home_(std::move(home)) {}

  // Off if it was never touched. O(log leaves).
  typename Home::template Answer<bool> enabled() const {
    return home_.look([](auto& reader, Place place) { return flag_enabled(reader, type, place); });
  }

 protected:
  Home home_;
};

// Writes a flag within a change. Operations cost O(log leaves).
template <LeafAccess A, Type type>
class BasicFlagWriter : public BasicFlagView<WriteHome<A>, type> {
 public:
  BasicFlagWriter(A& access, Place place) : BasicFlagView<WriteHome<A>, type>(WriteHome<A>(access, place)) {}

  // Both write even if the flag is as it should be, so as to win where they win.
  void enable() { flag_enable(this->home_.access(), type, this->home_.place()); }
  void disable() { flag_disable(this->home_.access(), type, this->home_.place()); }
};

// On or off. What was said at once is settled by the type's name: in an EwFlag
// enable wins, in a DwFlag disable.
//
//   A flag is on. Ada disables it, Bob at once enables it again. Both then read an
//   EwFlag as on, a DwFlag as off.
//
// An untouched flag is off. Cost and memory: one dot per concurrent write, until
// the next; an EwFlag that was disabled keeps nothing.
template <Type flag_type>
requires(flag_type == Type::ew_flag || flag_type == Type::dw_flag) class Flag
    : public Standalone<Flag<flag_type>> {
 public:
  static constexpr Type type = flag_type;
  template <class Home>
  using View = BasicFlagView<Home, type>;
  template <LeafAccess A>
  using Writer = BasicFlagWriter<A, type>;

  Flag enable(const ActorId& actor) {
    return this->mutate(actor, 0, [](LeafEdit& edit) { flag_enable(edit, type, {}); });
  }
  // The delta of an EwFlag that saw no enable is empty.
  Flag disable(const ActorId& actor) {
    return this->mutate(actor, 0, [](LeafEdit& edit) { flag_disable(edit, type, {}); });
  }

  bool enabled() const { return flag_enabled(this->state(), type, {}); }

  static bool dot_is_valid(std::string_view element, const LiveDot& live) {
    return element.empty() && live.payload.stamp == 0 &&
           (live.payload.bytes == on_mark || (type == Type::dw_flag && live.payload.bytes == off_mark));
  }
};

using EwFlag = Flag<Type::ew_flag>;
using DwFlag = Flag<Type::dw_flag>;

}  // namespace syncline
