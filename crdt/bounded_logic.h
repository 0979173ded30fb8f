// The rules of the bounded counter: escrow, after Balegas et al., "Extending
// Eventually Consistent Cloud Databases for Enforcing Numeric Invariants" (2015).
//
// The counter's value never passes zero. Adding makes rights to take away as
// much, held by the actor that added; an actor spends only rights that it holds,
// and hands them on by giving. What an actor holds is written by it alone but
// for gifts to it, so it never holds less than it sees, whatever it has yet to hear of.
//
// Leaves under (place, bounded_counter), each with one live dot, running totals
// as varints, written by the actor named first in brackets:
//   'o' + actor        [actor] added, spent, given
//   'g' + to + from    [from]  given to `to`
//   't' + to + lost    [to]    taken over from `lost`, by an operator
// None is ever removed: a removal would take rights away and leave the spending.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crdt/bytes.h"
#include "crdt/leaf_access.h"
#include "crdt/operation.h"

namespace syncline {

// An actor and the rights it holds.
struct Holding {
  ActorId actor;
  std::int64_t rights = 0;  // Negative only if a store was taken over that still lived.

  friend bool operator==(const Holding&, const Holding&) = default;
};

namespace bounded {

__extension__ using Wide = __int128;

inline constexpr char own_mark = 'o';
inline constexpr char gift_mark = 'g';
inline constexpr char takeover_mark = 't';

// What an actor's own leaf says.
struct Own {
  std::uint64_t added = 0;
  std::uint64_t spent = 0;
  std::uint64_t given = 0;
};

inline std::optional<Own> own_from(std::string_view bytes) {
  ByteReader in(bytes);
  const auto added = in.varint();
  const auto spent = in.varint();
  const auto given = in.varint();
  if (!added || !spent || !given || in.left() != 0) return std::nullopt;
  return Own{*added, *spent, *given};
}
inline std::optional<std::uint64_t> total_from(std::string_view bytes) {
  ByteReader in(bytes);
  const auto total = in.varint();
  return in.left() == 0 ? total : std::nullopt;
}

inline std::string element(char mark, const ActorId& first, const ActorId* second = nullptr) {
  std::string out(1, mark);
  out += first.view();
  if (second != nullptr) out += second->view();
  return out;
}

// The greatest dot at a leaf that its owner wrote: what others wrote there is no statement.
struct Newest {
  ActorId owner;
  std::uint64_t counter = 0;
  std::string_view bytes;

  void see(const LiveDotView& dot) {
    if (dot.dot.actor != owner || dot.dot.counter < counter) return;
    counter = dot.dot.counter;
    bytes = dot.bytes;
  }
};

// All of a counter, as its leaves tell.
struct Reading {
  Wide total = 0;
  std::map<ActorId, Wide> held;  // Of everyone who ever held, or gave.
  bool exists = false;

  void see(std::string_view at, std::span<const LiveDotView> live) {
    const auto first = ActorId::from(at.substr(1, ActorId::size_bytes));
    const auto second = ActorId::from(at.size() > 1 + ActorId::size_bytes ? at.substr(1 + ActorId::size_bytes)
                                                                          : std::string_view());
    if (!first) return;
    Newest newest{at.front() == gift_mark && second ? *second : *first, 0, {}};
    for (const LiveDotView& dot : live) newest.see(dot);
    if (newest.counter == 0) return;
    if (at.front() == own_mark && !second) {
      if (const auto own = own_from(newest.bytes)) take(*first, *own);
    } else if (second && (at.front() == gift_mark || at.front() == takeover_mark)) {
      const auto rights = total_from(newest.bytes);
      if (!rights) return;
      exists = true;
      held[*first] += *rights;
      // What was given is said by the giver's own leaf.
      if (at.front() == takeover_mark) held[*second] -= *rights;
    }
  }

 private:
  void take(const ActorId& actor, const Own& own) {
    exists = true;
    total += Wide{own.added} - Wide{own.spent};
    held[actor] += Wide{own.added} - Wide{own.spent} - Wide{own.given};
  }
};

template <LeafReader R>
Reading read(R& reader, Place place) {
  const std::string prefix = leaf_prefix(place, Type::bounded_counter);
  std::string buffer;
  Reading reading;
  reader.scan(std::string_view(prefix),
              [&](std::string_view leaf, std::span<const LiveDotView> live) -> bool {
                std::string_view at;
                if (flat_element(leaf, prefix.size(), buffer, at) && !at.empty()) reading.see(at, live);
                return true;
              });
  return reading;
}

inline std::int64_t clamp(Wide wide) {
  using Limits = std::numeric_limits<std::int64_t>;
  return static_cast<std::int64_t>(std::clamp(wide, Wide{Limits::min()}, Wide{Limits::max()}));
}

// The refusal of a spend or gift: who holds what is lacking, most first.
inline Error lacking(const char* operation, Place place, const Reading& reading, const ActorId& self,
                     std::int64_t by) {
  constexpr std::size_t told_max = 4;
  std::vector<std::pair<Wide, ActorId>> others;
  for (const auto& [actor, rights] : reading.held) {
    if (actor != self && rights > 0) others.emplace_back(-rights, actor);
  }
  std::sort(others.begin(), others.end());
  const auto mine = reading.held.find(self);
  std::string why = std::to_string(by) + " asked for, " +
                    std::to_string(mine == reading.held.end() ? 0 : clamp(mine->second)) + " held here";
  for (std::size_t i = 0; i < others.size() && i < told_max; ++i)
    why += ", " + std::to_string(clamp(-others[i].first)) + " by " + to_string(others[i].second);
  if (others.size() > told_max) why += " and others";
  return refused(Errc::no_rights, operation, Type::bounded_counter, place, why);
}

// Adds to a total; false, and the change fails, above 64 bits.
template <LeafAccess A>
bool raise(A& access, const char* operation, Place place, std::uint64_t& total, std::uint64_t by) {
  if (total > ~std::uint64_t{0} - by) {
    access.fail(refused(Errc::overflow, operation, Type::bounded_counter, place,
                        "a bounded counter's total would pass 64 bits"));
    return false;
  }
  total += by;
  return true;
}

// One write to an actor's own leaf.
template <LeafAccess A>
class OwnLeaf {
 public:
  OwnLeaf(A& access, Place place)
      : access_(access),
        slot_(access.open(build_leaf_key(access.key_buffer(), place, Type::bounded_counter,
                                         element(own_mark, access.self())))) {
    Newest newest{access.self(), 0, {}};
    access.for_each_live(slot_, [&newest](const LiveDotView& dot) { newest.see(dot); });
    if (const auto own = own_from(newest.bytes)) totals = *own;
    is_pending_ = newest.counter == pending_counter;
  }

  // Whether this change wrote the leaf before: then it has looked at the counter already.
  bool is_pending() const { return is_pending_; }
  // What this actor holds by its own adding alone.
  Wide left() const { return Wide{totals.added} - Wide{totals.spent} - Wide{totals.given}; }
  void write() {
    std::string& bytes = access_.key_buffer();
    bytes.clear();
    for (const std::uint64_t total : {totals.added, totals.spent, totals.given}) put_varint(bytes, total);
    access_.put(slot_, 0, std::string_view(bytes));
  }

  Own totals;

 private:
  A& access_;
  decltype(std::declval<A&>().open(std::string_view())) slot_;
  bool is_pending_ = false;
};

// Adds to the total in a leaf between two actors, which `self` alone writes.
template <LeafAccess A>
bool raise_between(A& access, const char* operation, Place place, const std::string& at, std::uint64_t by) {
  const auto slot = access.open(build_leaf_key(access.key_buffer(), place, Type::bounded_counter, at));
  Newest newest{access.self(), 0, {}};
  access.for_each_live(slot, [&newest](const LiveDotView& dot) { newest.see(dot); });
  std::uint64_t total = total_from(newest.bytes).value_or(0);
  if (!raise(access, operation, place, total, by)) return false;
  std::string& bytes = access.key_buffer();
  bytes.clear();
  put_varint(bytes, total);
  access.put(slot, 0, std::string_view(bytes));
  return true;
}

// Whether the writing actor holds `by`; if not, the change fails.
template <LeafAccess A>
bool check_rights(A& access, const char* operation, Place place, const OwnLeaf<A>& own, std::int64_t by) {
  // Mostly what one added oneself is enough: then only the first write of a change reads it all.
  if (own.is_pending() && own.left() >= by) return true;
  const Reading reading = read(access, place);
  const auto mine = reading.held.find(access.self());
  if (mine != reading.held.end() && mine->second >= by) return true;
  access.fail(lacking(operation, place, reading, access.self(), by));
  return false;
}

template <LeafAccess A>
bool check_positive(A& access, const char* operation, Place place, std::int64_t by) {
  if (by > 0) return true;
  if (by < 0)
    access.fail(
        refused(Errc::invalid_argument, operation, Type::bounded_counter, place, "an amount below zero"));
  return false;
}

}  // namespace bounded

// Adds `by` (0 changes nothing), and as many rights of the writing actor. O(1) leaves.
template <LeafAccess A>
bool bounded_add(A& access, Place place, std::int64_t by) {
  if (!bounded::check_positive(access, "add to", place, by)) return false;
  bounded::OwnLeaf<A> own(access, place);
  if (!bounded::raise(access, "add to", place, own.totals.added, static_cast<std::uint64_t>(by)))
    return false;
  own.write();
  return true;
}

// Takes `by` away. Fails with `no_rights` unless the writing actor holds as many rights.
template <LeafAccess A>
bool bounded_spend(A& access, Place place, std::int64_t by) {
  if (!bounded::check_positive(access, "spend from", place, by)) return false;
  bounded::OwnLeaf<A> own(access, place);
  if (!bounded::check_rights(access, "spend from", place, own, by)) return false;
  if (!bounded::raise(access, "spend from", place, own.totals.spent, static_cast<std::uint64_t>(by)))
    return false;
  own.write();
  return true;
}

// Hands `by` rights to another actor. Fails with `no_rights` unless the writing actor holds them.
template <LeafAccess A>
bool bounded_give(A& access, Place place, const ActorId& to, std::int64_t by) {
  using namespace bounded;
  if (!check_positive(access, "give from", place, by)) return false;
  const ActorId self = access.self();
  if (to == self) return false;
  OwnLeaf<A> own(access, place);
  if (!check_rights(access, "give from", place, own, by)) return false;
  const auto amount = static_cast<std::uint64_t>(by);
  if (!raise(access, "give from", place, own.totals.given, amount)) return false;
  if (!raise_between(access, "give from", place, element(gift_mark, to, &self), amount)) return false;
  own.write();
  return true;
}

// --- Rights on request ---
//
// A replica that wants to be able to spend `amount` asks those that hold rights; each gives by an
// ordinary change of its own. So an answer is as safe as any gift, whoever asks, however often and late.

// What a request says.
inline std::string bounded_request(std::int64_t amount) {
  std::string bytes;
  put_varint(bytes, static_cast<std::uint64_t>(amount));
  return bytes;
}

// How much to give to a peer that asks if nobody says otherwise: half of what is held, rounded up, so that
// the last can be had, too.
constexpr std::int64_t rights_to_give(std::int64_t lacking, std::int64_t held) {
  return std::min(lacking, held / 2 + held % 2);
}

// Answers a request of `asker`: hands it rule(lacking, held) rights, at most what it lacks as seen
// here, at most what the writing actor holds. Returns how many. What is no request is passed over.
template <LeafAccess A, class Rule>
std::int64_t bounded_answer(A& access, Place place, const ActorId& asker, std::string_view request,
                            Rule&& rule) {
  ByteReader in(request);
  const auto amount = in.varint();
  if (!amount || in.left() != 0 || asker == access.self()) return 0;
  const auto reading = bounded::read(access, place);
  const auto held_by = [&](const ActorId& actor) {
    const auto held = reading.held.find(actor);
    return held == reading.held.end() ? bounded::Wide{0} : std::max(held->second, bounded::Wide{0});
  };
  const std::int64_t lacking = bounded::clamp(bounded::Wide{*amount} - held_by(asker));
  const std::int64_t held = bounded::clamp(held_by(access.self()));
  if (lacking <= 0 || held <= 0) return 0;
  const std::int64_t given = std::clamp<std::int64_t>(rule(lacking, held), 0, std::min(lacking, held));
  return bounded_give(access, place, asker, given) ? given : 0;
}

// Takes over all rights that `lost` holds as seen here; returns how many. Right only if
// that actor will never write again, and all that it ever wrote is here: else the bound is passed.
template <LeafAccess A>
std::int64_t bounded_take_over(A& access, Place place, const ActorId& lost) {
  using namespace bounded;
  const ActorId self = access.self();
  const Reading reading = read(access, place);
  const auto held = reading.held.find(lost);
  if (lost == self || held == reading.held.end() || held->second <= 0) return 0;
  const std::int64_t rights = clamp(held->second);
  return raise_between(access, "take over in", place, element(takeover_mark, self, &lost),
                       static_cast<std::uint64_t>(rights))
             ? rights
             : 0;
}

// The counter's value. In a keyspace never below zero but for a take-over of who still lived.
// O(actors and pairs that gave).
template <LeafReader R>
std::int64_t bounded_total(R& reader, Place place) {
  return bounded::clamp(bounded::read(reader, place).total);
}

// Who holds rights, by actor; those who hold none are left out.
template <LeafReader R>
std::vector<Holding> bounded_holdings(R& reader, Place place) {
  std::vector<Holding> holdings;
  for (const auto& [actor, rights] : bounded::read(reader, place).held) {
    if (rights != 0) holdings.push_back({actor, bounded::clamp(rights)});
  }
  return holdings;
}

// How much `actor` can still spend.
template <LeafReader R>
std::int64_t bounded_available(R& reader, Place place, const ActorId& actor) {
  const auto reading = bounded::read(reader, place);
  const auto held = reading.held.find(actor);
  return held == reading.held.end() ? 0 : std::max<std::int64_t>(0, bounded::clamp(held->second));
}

// Whether `live` may stand at the path element of a bounded counter's leaf.
inline bool bounded_dot_is_valid(std::string_view at, const LiveDot& live) {
  using namespace bounded;
  if (at.empty() || live.payload.stamp != 0) return false;
  if (at.front() == own_mark)
    return at.size() == 1 + ActorId::size_bytes && live.dot.actor.view() == at.substr(1) &&
           own_from(live.payload.bytes).has_value();
  if ((at.front() != gift_mark && at.front() != takeover_mark) || at.size() != 1 + 2 * ActorId::size_bytes)
    return false;
  const auto writer = at.substr(at.front() == gift_mark ? 1 + ActorId::size_bytes : 1, ActorId::size_bytes);
  return live.dot.actor.view() == writer && total_from(live.payload.bytes).has_value();
}

}  // namespace syncline
