// The rules of counters, over any home of leaves.
//
// Each actor that counted has one share leaf, written by it alone: totals since
// the dot `base`. A reset takes away exactly what it saw: per share it writes a
// floor leaf, the share's live counter and its totals as seen. The value is the
// sum of share minus newest floor that reaches the share's base.
//
// When a floor reaches the share's live dot, all of the share is gone; its
// owner, and only it, drops both at its next write and then starts a new base.
// Dropping or restarting any earlier is wrong: see tests/regress for the traces.
//
// Leaves under (key, counter type): 's' + actor holds varints (base, plus,
// minus), where base 0 means the row's own dot; 'f' + actor holds (upto, plus, minus).
#pragma once

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "crdt/bytes.h"
#include "crdt/leaf_access.h"
#include "crdt/operation.h"

namespace syncline {

// A counter as it reads: its value, and whether anything was counted since the last reset.
struct CounterTotal {
  std::int64_t total = 0;  // Clamped to what 64 bits hold.
  bool exists = false;
};

namespace counter {

inline constexpr char share_mark = 's';
inline constexpr char floor_mark = 'f';
inline constexpr std::size_t element_bytes = 1 + ActorId::size_bytes;

// What share and floor leaves hold. `at` is a share's base, a floor's upto.
struct Totals {
  std::uint64_t at = 0;
  std::uint64_t plus = 0;
  std::uint64_t minus = 0;

  friend bool operator==(const Totals&, const Totals&) = default;
};

// The payload that says `totals`, built in `buffer`, whose memory is reused.
inline std::string_view build_payload(std::string& buffer, const Totals& totals) {
  buffer.clear();
  put_varint(buffer, totals.at);
  put_varint(buffer, totals.plus);
  put_varint(buffer, totals.minus);
  return buffer;
}

inline std::optional<Totals> from_bytes(std::string_view bytes) {
  ByteReader in(bytes);
  const auto at = in.varint();
  const auto plus = in.varint();
  const auto minus = in.varint();
  if (!at || !plus || !minus || in.left() != 0) return std::nullopt;
  return Totals{*at, *plus, *minus};
}

// A share as its greatest live dot has it, its base resolved.
struct Share {
  std::uint64_t live = 0;   // The dot's counter; 0 when there is no share.
  bool fresh_base = false;  // The base is the live dot itself.
  Totals totals;

  void see(const ActorId& owner, const LiveDotView& dot) {
    if (dot.dot.actor != owner || dot.dot.counter <= live) return;
    const auto read = from_bytes(dot.bytes);
    if (!read || read->at >= dot.dot.counter) return;  // Not what an owner writes.
    live = dot.dot.counter;
    fresh_base = read->at == 0;
    totals = *read;
    if (fresh_base) totals.at = live;
  }
};

// The newest of a share's floors: `at` is 0 when there is none.
inline void see_floor(Totals& newest, const LiveDotView& dot) {
  const auto read = from_bytes(dot.bytes);
  if (read && (read->at > newest.at || (read->at == newest.at && std::pair(read->plus, read->minus) >
                                                                     std::pair(newest.plus, newest.minus))))
    newest = *read;
}

// Whether a floor takes away the whole share as it stands.
inline bool covers(const Totals& floor, const Share& share) { return floor.at >= share.live; }

inline std::string_view build_element(char (&out)[element_bytes], char mark, const ActorId& actor) {
  out[0] = mark;
  std::copy_n(actor.view().data(), ActorId::size_bytes, out + 1);
  return {out, element_bytes};
}

// One actor's part of a counter, as scan_shares() finds it.
struct Part {
  ActorId owner;
  Share share;
  Totals floor;
};

// Reads all leaves of a counter: parts with a share or a floor, by owner.
template <LeafReader R>
std::vector<Part> scan_parts(R& reader, Type type, Place place) {
  const std::string prefix = leaf_prefix(place, type);
  std::string buffer;
  std::vector<Part> parts;
  std::size_t at = 0;  // Floors come first, then shares, both in the order of their owners.
  reader.scan(std::string_view(prefix),
              [&](std::string_view leaf, std::span<const LiveDotView> live) -> bool {
                std::string_view element;
                if (!flat_element(leaf, prefix.size(), buffer, element) || element.size() != element_bytes)
                  return true;
                const ActorId owner = *ActorId::from(element.substr(1));
                if (element.front() == floor_mark) {
                  parts.push_back(Part{owner, {}, {}});
                  for (const LiveDotView& dot : live) see_floor(parts.back().floor, dot);
                } else if (element.front() == share_mark) {
                  while (at < parts.size() && parts[at].owner < owner) ++at;
                  if (at == parts.size() || parts[at].owner != owner)
                    parts.insert(parts.begin() + static_cast<std::ptrdiff_t>(at), Part{owner, {}, {}});
                  for (const LiveDotView& dot : live) parts[at].share.see(owner, dot);
                }
                return true;
              });
  return parts;
}

}  // namespace counter

// The counter's value. O(actors that counted).
template <LeafReader R>
CounterTotal counter_total(R& reader, Type type, Place place) {
  __extension__ using Wide = __int128;
  Wide sum = 0;
  CounterTotal result;
  for (const counter::Part& part : counter::scan_parts(reader, type, place)) {
    if (part.share.live == 0 || counter::covers(part.floor, part.share)) continue;
    result.exists = true;
    const counter::Totals& share = part.share.totals;
    counter::Totals gone;
    if (part.floor.at >= share.at) gone = part.floor;
    // Totals of one base only grow, so a floor above its share comes from a lying peer.
    sum += Wide{share.plus - std::min(share.plus, gone.plus)};
    sum -= Wide{share.minus - std::min(share.minus, gone.minus)};
  }
  using Limits = std::numeric_limits<std::int64_t>;
  result.total = static_cast<std::int64_t>(std::clamp(sum, Wide{Limits::min()}, Wide{Limits::max()}));
  return result;
}

// Counts `by` under the writing actor's share; 0 changes nothing. Fails with
// `invalid_argument` when a GCounter would count down, with `overflow` when a
// total would pass 64 bits. Returns whether a row was made. O(1) leaves.
template <LeafAccess A>
bool counter_add(A& access, Type type, Place place, std::int64_t by) {
  using namespace counter;
  if (by == 0) return false;
  if (by < 0 && type == Type::g_counter) {
    access.fail(refused(Errc::invalid_argument, "add to", type, place, "a GCounter never counts down"));
    return false;
  }
  const ActorId self = access.self();
  char element[element_bytes];
  const auto slot =
      access.open(build_leaf_key(access.key_buffer(), place, type, build_element(element, share_mark, self)));
  Share share;
  access.for_each_live(slot, [&](const LiveDotView& dot) { share.see(self, dot); });
  if (share.live != pending_counter) {  // Else the first write of this change has looked after the floor.
    const auto floor_slot = access.open(
        build_leaf_key(access.key_buffer(), place, type, build_element(element, floor_mark, self)));
    Totals floor;
    bool has_floor = false;
    access.for_each_live(floor_slot,
                         [&](const LiveDotView& dot) { see_floor(floor, dot), has_floor = true; });
    const bool gone = covers(floor, share);  // The whole share was reset, or there is none.
    if (has_floor && (gone || floor.at < share.totals.at)) access.remove(floor_slot);
    if (gone) share = Share{.live = 0, .fresh_base = true, .totals = {}};
  }
  Totals totals = share.totals;
  if (share.live == 0 || (share.fresh_base && share.live == pending_counter)) totals.at = 0;
  std::uint64_t& total = by < 0 ? totals.minus : totals.plus;
  const auto bits = static_cast<std::uint64_t>(by);
  const std::uint64_t amount = by < 0 ? 0 - bits : bits;
  if (total > ~std::uint64_t{0} - amount) {
    access.fail(refused(Errc::overflow, "add to", type, place, "a counter's total would pass 64 bits"));
    return false;
  }
  total += amount;
  access.put(slot, 0, build_payload(access.key_buffer(), totals));
  return true;
}

// Takes away all that is seen of the counter; what is counted concurrently
// stays. Returns whether it existed. A row per share newer than its floor.
template <LeafAccess A>
bool counter_reset(A& access, Type type, Place place) {
  using namespace counter;
  const ActorId self = access.self();
  bool existed = false;
  char element[element_bytes];
  const auto open = [&](char mark, const ActorId& owner) {
    return access.open(build_leaf_key(access.key_buffer(), place, type, build_element(element, mark, owner)));
  };
  for (const Part& part : scan_parts(access, type, place)) {
    const bool counts = part.share.live != 0 && !covers(part.floor, part.share);
    existed = existed || counts;
    if (part.owner == self) {
      // Its owner's reset sees all of the share there is: a floor would reach it, and be dropped at once.
      access.remove(open(share_mark, self));
      access.remove(open(floor_mark, self));
    } else if (counts) {
      const Totals& totals = part.share.totals;
      const auto slot = open(floor_mark, part.owner);
      access.put(slot, 0,
                 build_payload(access.key_buffer(), Totals{part.share.live, totals.plus, totals.minus}));
    }
  }
  return existed;
}

// Whether `dot` may stand at the path element of a counter's leaf: what
// decoders of types used alone ask.
inline bool counter_dot_is_valid(Type type, std::string_view element, const LiveDot& dot) {
  using namespace counter;
  if (element.size() != element_bytes || dot.payload.stamp != 0) return false;
  const auto totals = from_bytes(dot.payload.bytes);
  if (!totals || (type == Type::g_counter && totals->minus != 0)) return false;
  if (element.front() == floor_mark) return totals->at != 0;
  return element.front() == share_mark && dot.dot.actor.view() == element.substr(1) &&
         totals->at < dot.dot.counter;
}

}  // namespace syncline
