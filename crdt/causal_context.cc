#include "crdt/causal_context.h"

#include <algorithm>

#include "crdt/bytes.h"

namespace syncline {
namespace {

using Interval = IntervalSet::Interval;

// Counters of a decoded context stay below this, so that the next one always exists.
constexpr std::uint64_t counter_limit = std::uint64_t{1} << 63;

// The first interval that ends at `counter` or after it.
template <class Intervals>
auto first_reaching(Intervals& intervals, std::uint64_t counter) {
  return std::lower_bound(intervals.begin(), intervals.end(), counter,
                          [](const Interval& interval, std::uint64_t c) { return interval.last < c; });
}

// Whether `next` overlaps an interval that ends at `last`, or follows right upon it.
bool joins(std::uint64_t last, const Interval& next) { return next.first <= last || next.first - last == 1; }

Result<IntervalSet> take_intervals(ByteReader& in) {
  IntervalSet set;
  const auto count = in.varint();
  if (!count || *count == 0) return failure(Errc::malformed, "context: an actor without intervals");
  if (*count > in.left() / 2) return failure(Errc::malformed, "context: cut short");
  std::uint64_t least = 1;  // Where the next interval may begin: it must not touch the one before.
  for (std::uint64_t i = 0; i < *count; ++i) {
    const auto gap = in.varint();
    const auto length = in.varint();  // Less one.
    if (!gap || !length) return failure(Errc::malformed, "context: cut short");
    if (*gap >= counter_limit || *length >= counter_limit || least >= counter_limit ||
        least + *gap >= counter_limit || least + *gap + *length >= counter_limit)
      return failure(Errc::malformed, "context: a counter out of range");
    const std::uint64_t first = least + *gap;
    const std::uint64_t last = first + *length;
    set.insert(first, last);
    least = last + 2;
  }
  return set;
}

}  // namespace

bool IntervalSet::contains(std::uint64_t counter) const { return contains(counter, counter); }

bool IntervalSet::contains(std::uint64_t first, std::uint64_t last) const {
  if (first > last) return true;
  const auto it = first_reaching(intervals_, first);
  return it != intervals_.end() && it->first <= first && last <= it->last;
}

void IntervalSet::insert(std::uint64_t first, std::uint64_t last) {
  if (first > last) return;
  const Interval added{first, last};
  if (intervals_.empty() || !joins(intervals_.back().last, added)) {
    intervals_.push_back(added);
    return;
  }
  if (Interval& back = intervals_.back(); first >= back.first) {
    back.last = std::max(back.last, last);
    return;
  }
  // The intervals that the new one overlaps or touches become one.
  auto begin = first_reaching(intervals_, first == 0 ? 0 : first - 1);
  auto end = begin;
  Interval joined = added;
  while (end != intervals_.end() && joins(joined.last, *end)) {
    joined.first = std::min(joined.first, end->first);
    joined.last = std::max(joined.last, end->last);
    ++end;
  }
  if (begin == end) {
    intervals_.insert(begin, joined);
  } else {
    *begin = joined;
    intervals_.erase(begin + 1, end);
  }
}

void IntervalSet::erase(std::uint64_t first, std::uint64_t last) {
  if (first > last) return;
  auto begin = first_reaching(intervals_, first);
  if (begin == intervals_.end() || begin->first > last) return;
  if (begin->first < first) {
    if (last < begin->last) {  // A hole in the middle.
      const Interval after{last + 1, begin->last};
      begin->last = first - 1;
      intervals_.insert(begin + 1, after);
      return;
    }
    begin->last = first - 1;
    ++begin;
  }
  auto end = begin;
  while (end != intervals_.end() && end->last <= last) ++end;
  if (end != intervals_.end() && end->first <= last) end->first = last + 1;
  intervals_.erase(begin, end);
}

void IntervalSet::merge(const IntervalSet& other) {
  // Few intervals are inserted each by itself: what is merged most is small and belongs at the end.
  constexpr std::size_t few = 4;
  if (this == &other) return;
  if (other.intervals_.size() <= few) {
    for (const Interval& interval : other.intervals_) insert(interval.first, interval.last);
    return;
  }
  std::vector<Interval> sorted;
  sorted.reserve(intervals_.size() + other.intervals_.size());
  std::merge(intervals_.begin(), intervals_.end(), other.intervals_.begin(), other.intervals_.end(),
             std::back_inserter(sorted),
             [](const Interval& a, const Interval& b) { return a.first < b.first; });
  IntervalSet merged;
  for (const Interval& interval : sorted) merged.insert(interval.first, interval.last);
  *this = std::move(merged);
}

bool CausalContext::contains(const Dot& dot) const {
  const auto it = actors_.find(dot.actor);
  return it != actors_.end() && it->second.contains(dot.counter);
}

void CausalContext::insert(const Dot& dot) { actors_[dot.actor].insert(dot.counter, dot.counter); }

void CausalContext::erase(const Dot& dot) {
  const auto it = actors_.find(dot.actor);
  if (it == actors_.end()) return;
  it->second.erase(dot.counter, dot.counter);
  if (it->second.empty()) actors_.erase(it);
}

void CausalContext::merge(const CausalContext& other) {
  for (const auto& [actor, counters] : other.actors_) actors_[actor].merge(counters);
}

std::uint64_t CausalContext::next_counter(const ActorId& actor) const {
  const auto it = actors_.find(actor);
  return it == actors_.end() ? 1 : it->second.last() + 1;
}

// count, then for each actor: its 16 bytes, count of intervals, then for each
// the counters left out before it and its length less one.
void CausalContext::append_bytes(std::string& out) const {
  put_varint(out, actors_.size());
  for (const auto& [actor, counters] : actors_) {
    out.append(actor.view());
    put_varint(out, counters.intervals().size());
    std::uint64_t least = 1;
    for (const Interval& interval : counters.intervals()) {
      put_varint(out, interval.first - least);
      put_varint(out, interval.last - interval.first);
      least = interval.last + 2;
    }
  }
}

Result<CausalContext> CausalContext::take(std::string_view& bytes) {
  constexpr std::size_t actor_bytes_min = ActorId::size_bytes + 3;
  CausalContext context;
  ByteReader in(bytes);
  const auto count = in.varint();
  if (!count || *count > in.left() / actor_bytes_min) return failure(Errc::malformed, "context: cut short");
  for (std::uint64_t i = 0; i < *count; ++i) {
    const auto actor = in.take(ActorId::size_bytes);
    if (!actor) return failure(Errc::malformed, "context: cut short");
    const ActorId id = *ActorId::from(*actor);
    if (!context.actors_.empty() && !(context.actors_.rbegin()->first < id))
      return failure(Errc::malformed, "context: actors out of order");
    auto counters = take_intervals(in);
    if (!counters) return tl::unexpected<Error>(counters.error());
    context.actors_.emplace_hint(context.actors_.end(), id, std::move(*counters));
  }
  bytes = in.rest();
  return context;
}

}  // namespace syncline
