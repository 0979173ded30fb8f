#include "crdt/leaf_map.h"

#include <algorithm>

#include "crdt/bytes.h"

namespace syncline {
namespace {

tl::unexpected<Error> malformed(const char* what) {
  return failure(Errc::malformed, std::string("state: ") + what);
}

// Reads the live dots of one leaf; actors are numbers in the order of the context.
Result<Leaf> take_leaf(ByteReader& in, const CausalContext& context, std::span<const ActorId> actors) {
  constexpr std::size_t dot_bytes_min = 4;
  const auto count = in.varint();
  if (!count || *count == 0) return malformed("an empty leaf");
  if (*count > in.left() / dot_bytes_min) return malformed("cut short");
  Leaf leaf;
  leaf.reserve(static_cast<std::size_t>(*count));
  for (std::uint64_t i = 0; i < *count; ++i) {
    const auto actor = in.varint();
    const auto counter = in.varint();
    const auto stamp = in.varint();
    const auto size = in.varint();
    if (!actor || !counter || !stamp || !size) return malformed("cut short");
    const auto bytes = in.take(*size);
    if (!bytes) return malformed("cut short");
    if (*actor >= actors.size()) return malformed("a dot of no actor");
    const Dot dot{actors[static_cast<std::size_t>(*actor)], *counter};
    if (!leaf.empty() && !(leaf.back().dot < dot)) return malformed("dots out of order");
    if (!context.contains(dot)) return malformed("a live dot outside the context");
    leaf.push_back(LiveDot{dot, Payload{*stamp, std::string(*bytes)}});
  }
  return leaf;
}

}  // namespace

LeafMap::LeafMap(const LeafMap& other) : leaves_(other.leaves_), context_(other.context_) {
  for (auto it = leaves_.begin(); it != leaves_.end(); ++it) index(it);
}

LeafMap& LeafMap::operator=(const LeafMap& other) {
  if (this != &other) *this = LeafMap(other);
  return *this;
}

void LeafMap::index(Leaves::iterator place) {
  for (const LiveDot& live : place->second) places_.emplace(live.dot, place);
}

void LeafMap::merge(const LeafMap& other) {
  if (this == &other) return;
  // Only leaves of `other`, and own ones with a live dot that it covers, can change. An own key is
  // looked at once, so that its leaf may go then.
  std::vector<std::string_view> touched;
  for (const auto& [key, leaf] : other.leaves_) touched.push_back(key);
  for (const auto& [actor, counters] : other.context_.actors()) {
    for (const auto& [first, last] : counters.intervals()) {
      const auto end = places_.upper_bound(Dot{actor, last});
      for (auto it = places_.lower_bound(Dot{actor, first}); it != end; ++it)
        touched.push_back(it->second->first);
    }
  }
  std::sort(touched.begin(), touched.end());
  touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
  static const Leaf absent;
  for (const std::string_view key : touched) {
    const auto mine = leaves_.find(key);
    const auto theirs = other.leaves_.find(key);
    if (mine != leaves_.end() && theirs != other.leaves_.end() && mine->second == theirs->second) continue;
    replace(key,
            syncline::merge(
                mine == leaves_.end() ? absent : mine->second, [this](const Dot& dot) { return covers(dot); },
                theirs == other.leaves_.end() ? absent : theirs->second,
                [&other](const Dot& dot) { return other.covers(dot); }));
  }
  context_.merge(other.context_);  // Last: the leaves were judged by the contexts as they were.
}

void LeafMap::replace(std::string_view key, Leaf merged) {
  auto it = leaves_.find(key);
  if (it != leaves_.end()) {
    if (it->second == merged) return;
    for (const LiveDot& live : it->second) {
      const auto [begin, end] = places_.equal_range(live.dot);
      places_.erase(std::find_if(begin, end, [it](const auto& place) { return place.second == it; }));
    }
    if (merged.empty()) {
      leaves_.erase(it);
      return;
    }
    it->second = std::move(merged);
  } else {
    if (merged.empty()) return;
    it = leaves_.emplace(key, std::move(merged)).first;
  }
  index(it);
}

void LeafMap::drop(const Dot& dot) {
  const auto [begin, end] = places_.equal_range(dot);
  for (auto place = begin; place != end; ++place) {
    Leaf& leaf = place->second->second;
    std::erase_if(leaf, [&dot](const LiveDot& live) { return live.dot == dot; });
    if (leaf.empty()) leaves_.erase(place->second);
  }
  places_.erase(begin, end);
}

void LeafMap::apply(std::string_view leaf, const Dot& dot, std::span<const Dot> removed,
                    std::optional<Payload> payload) {
  for (const Dot& gone : removed) {
    drop(gone);
    context_.insert(gone);
  }
  context_.insert(dot);
  if (!payload) return;
  auto it = leaves_.lower_bound(leaf);
  if (it == leaves_.end() || it->first != leaf) it = leaves_.emplace_hint(it, std::string(leaf), Leaf{});
  const auto at = std::lower_bound(it->second.begin(), it->second.end(), dot,
                                   [](const LiveDot& live, const Dot& d) { return live.dot < d; });
  it->second.insert(at, LiveDot{dot, std::move(*payload)});
  places_.emplace(dot, it);
}

void LeafMap::revert(std::string_view leaf, Leaf before, const Dot& dot) {
  replace(leaf, std::move(before));
  context_.erase(dot);
}

// context, count of leaves, then for each: key with its length, count of dots,
// and for each dot: actor (its place in the context), counter, stamp, payload with its length.
void LeafMap::append_bytes(std::string& out) const {
  context_.append_bytes(out);
  std::map<ActorId, std::uint64_t> places;
  for (const auto& [actor, counters] : context_.actors()) places.emplace(actor, places.size());
  put_varint(out, leaves_.size());
  for (const auto& [key, leaf] : leaves_) {
    put_varint(out, key.size());
    out.append(key);
    put_varint(out, leaf.size());
    for (const auto& [dot, payload] : leaf) {
      put_varint(out, places.find(dot.actor)->second);
      put_varint(out, dot.counter);
      put_varint(out, payload.stamp);
      put_varint(out, payload.bytes.size());
      out.append(payload.bytes);
    }
  }
}

Result<LeafMap> LeafMap::from_bytes(std::string_view bytes) {
  auto context = CausalContext::take(bytes);
  if (!context) return tl::unexpected<Error>(context.error());
  LeafMap map;
  map.context_ = std::move(*context);
  std::vector<ActorId> actors;
  for (const auto& [actor, counters] : map.context_.actors()) actors.push_back(actor);
  ByteReader in(bytes);
  const auto count = in.varint();
  if (!count) return malformed("cut short");
  for (std::uint64_t i = 0; i < *count; ++i) {
    const auto size = in.varint();
    const auto key = size ? in.take(*size) : std::nullopt;
    if (!key) return malformed("cut short");
    if (!map.leaves_.empty() && *key <= map.leaves_.rbegin()->first) return malformed("leaves out of order");
    auto leaf = take_leaf(in, map.context_, actors);
    if (!leaf) return tl::unexpected<Error>(leaf.error());
    map.index(map.leaves_.emplace_hint(map.leaves_.end(), std::string(*key), std::move(*leaf)));
  }
  if (in.left() != 0) return malformed("bytes left over");
  return map;
}

bool LeafEdit::remove(const Slot& slot) {
  if (!state_.leaves().contains(slot.leaf)) return false;
  write(slot.leaf, std::nullopt);
  return true;
}

void LeafEdit::write(const std::string& leaf, std::optional<Payload> payload) {
  const Dot dot{self_, state_.context().next_counter(self_)};
  const auto found = state_.leaves().find(leaf);
  Leaf before = found == state_.leaves().end() ? Leaf{} : found->second;
  std::vector<Dot> removed;
  for (const LiveDot& live : before) removed.push_back(live.dot);
  written_.push_back(Written{leaf, std::move(before), dot});
  state_.apply(leaf, dot, removed, payload);
  delta_.apply(leaf, dot, removed, std::move(payload));
}

void LeafEdit::undo() {
  for (auto it = written_.rbegin(); it != written_.rend(); ++it)
    state_.revert(it->leaf, std::move(it->before), it->dot);
  written_.clear();
  delta_ = LeafMap();
}

}  // namespace syncline
