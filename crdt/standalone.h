// What all types used alone have in common.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "crdt/home.h"
#include "crdt/leaf_map.h"

namespace syncline {

// A type used alone: no keyspace, no store, no network. Mutators return deltas;
// send those, or whole states, by any means, in any order, as often as you
// like: merge() takes both and all copies that merged the same become equal.
//
// Each mutator takes the actor that writes. An actor belongs to one copy:
// draw 16 random bytes for each, and never let two copies write under one, nor
// an old backup go on under the actor of what it was copied from.
//
// Not thread-safe. `Derived` gives `type` and, unless it is a map that nests (whose children may be
// of types that are newer than this program), `dot_is_valid(element, live dot)`.
template <class Derived>
class Standalone {
 public:
  // The join with a state or a delta. Costs as much as `other` is big, and as many live dots as it covers.
  void merge(const Derived& other) { state_.merge(other.state_); }

  // Canonical bytes: equal states give equal bytes, on every machine.
  std::string to_bytes() const {
    std::string out{format, static_cast<char>(Derived::type)};
    state_.append_bytes(out);
    return out;
  }

  // The state in `bytes`, or `malformed` unless it is what to_bytes() makes.
  // Safe on bytes from anywhere; memory stays proportional to their size.
  [[nodiscard]] static Result<Derived> from_bytes(std::string_view bytes) {
    if (bytes.size() < 2 || bytes[0] != format || bytes[1] != static_cast<char>(Derived::type))
      return failure(Errc::malformed, "state: of another format or type");
    auto state = LeafMap::from_bytes(bytes.substr(2));
    if (!state) return tl::unexpected<Error>(state.error());
    for (const auto& [key, leaf] : state->leaves()) {
      if (auto checked = check_leaf(key, leaf); !checked) return tl::unexpected<Error>(checked.error());
    }
    Derived made;
    made.state_ = std::move(*state);
    return made;
  }

  // Leaves and the dots seen, for those who want to know what travels.
  const LeafMap& state() const { return state_; }

  friend bool operator==(const Derived& a, const Derived& b) { return a.state_ == b.state_; }

 protected:
  // Runs `fn(LeafEdit&)` on the state and returns its delta, or its error; then nothing changed.
  template <class Fn>
  Result<Derived> try_mutate(const ActorId& actor, std::uint64_t hlc, Fn&& fn) {
    LeafEdit edit(state_, actor, hlc);
    fn(edit);
    if (edit.error()) {
      edit.undo();
      return tl::unexpected<Error>(*edit.error());
    }
    Derived delta;
    delta.state_ = edit.take_delta();
    return delta;
  }

  // The same for what can't fail.
  template <class Fn>
  Derived mutate(const ActorId& actor, std::uint64_t hlc, Fn&& fn) {
    auto delta = try_mutate(actor, hlc, fn);
    SYNCLINE_ASSERT(delta.has_value());
    return std::move(*delta);
  }

  // Where views of it read.
  AloneHome home() const { return {state_, Place().path()}; }

 private:
  static constexpr char format = 1;

  static Result<void> check_leaf(std::string_view key, const Leaf& leaf) {
    const std::string prefix = leaf_prefix({}, Derived::type);
    if (!key.starts_with(prefix)) return failure(Errc::malformed, "state: a leaf of another type");
    if constexpr (is_map(Derived::type)) {
      if (!parse_leaf_key(key)) return failure(Errc::malformed, "state: no leaf key");
    } else {
      std::string buffer;
      std::string_view element;
      if (!flat_element(key, prefix.size(), buffer, element))
        return failure(Errc::malformed, "state: a leaf of another type");
      for (const LiveDot& live : leaf) {
        if (!Derived::dot_is_valid(element, live))
          return failure(Errc::malformed, "state: a payload that can't be");
      }
    }
    return {};
  }

  LeafMap state_;
};

}  // namespace syncline
