// From leaves that changed to the events that watchers are told.
#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "absl/container/btree_map.h"
#include "crdt/hlc.h"
#include "crdt/reading.h"
#include "store/leaf_group.h"
#include "store/replica_state.h"

namespace syncline {
namespace {

using Leaf = LeavesChanged::Leaf;

// The leaves of a keyspace as they were before some of the changes that led to
// now: those of now, with what was there put back. A LeafReader.
class Past {
 public:
  Past(const Engine& engine, const KeyspaceState& keyspace) : engine_(engine), keyspace_(keyspace) {}

  // Goes back before a change, the newest of those not gone back before. Views its leaves.
  void undo(const LeavesChanged& change) {
    for (const Leaf& leaf : change.leaves) was_.insert_or_assign(leaf.leaf, leaf.before);
  }

  template <class See>
  void for_each_live(std::string_view leaf, See&& see) {
    if (const auto at = was_.find(leaf); at != was_.end()) return each(at->second, see);
    const auto found = engine_.find(keyspace_, leaf);
    if (!found) {
      failed_ = true;
    } else if (*found) {
      each(**found, see);
    }
  }
  template <class Visit>
  void scan(std::string_view prefix, Visit&& visit) {
    scan_from(prefix, prefix, visit);
  }
  template <class Visit>
  void scan_from(std::string_view prefix, std::string_view from, Visit&& visit) {
    auto next = was_.lower_bound(from);
    bool going = true;
    const auto tell = [&](std::string_view leaf, std::string_view value) {
      if (value.empty()) return;
      live_.clear();
      each(value, [this](const LiveDotView& dot) { live_.push_back(dot); });
      going = visit(leaf, std::span<const LiveDotView>(live_));
    };
    const auto scanned = engine_.scan(keyspace_, from, [&](std::string_view leaf, std::string_view value) {
      if (!leaf.starts_with(prefix)) return false;
      for (; going && next != was_.end() && next->first < leaf; ++next) tell(next->first, next->second);
      if (!going) return false;
      if (next != was_.end() && next->first == leaf) {
        tell(leaf, next->second);
        ++next;
      } else {
        tell(leaf, value);
      }
      return going;
    });
    failed_ = failed_ || !scanned;
    for (; going && next != was_.end() && next->first.starts_with(prefix); ++next)
      tell(next->first, next->second);
  }
  bool failed() const { return failed_; }
  // Calls see(const LiveDotView&) for each dot in a leaf's stored value.
  template <class See>
  void each(std::string_view value, See&& see) const {
    if (!value.empty()) engine_.for_each_live(keyspace_, value, see);
  }
  // When the change that made a dot was made, as far as is known.
  std::optional<std::chrono::milliseconds> time_of(const LiveDotView& dot) const {
    const std::uint64_t hlc = engine_.made_at(keyspace_, dot.dot).value_or(dot.stamp);
    return hlc == 0 ? std::nullopt : std::optional(Hlc::to_wall(hlc));
  }

 private:
  const Engine& engine_;
  const KeyspaceState& keyspace_;
  absl::btree_map<std::string_view, std::string_view> was_;
  std::vector<LiveDotView> live_;
  bool failed_ = false;
};

static_assert(LeafReader<Past>);

// Tells of one change, object by object.
class Teller {
 public:
  // `before` and `after`: the leaves around it.
  Teller(const LeavesChanged& change, Past& before, Past& after)
      : change_(change), before_(before), after_(after) {
    if (change.origin) from_change_ = {change.origin, Hlc::to_wall(change.hlc)};
  }

  // `leaves`: those of one object that changed.
  void tell(const ObjectLeaf& object, std::span<const Leaf> leaves) {
    PathNames names = path_names(object.place);
    tell_maps(object.place, names);
    Event event = event_at(names.key, object.type, from_change_);
    for (auto& [map, name] : names.names) event.path.push_back(std::move(name));
    if (is_leafwise(object.type)) {
      for (const Leaf& leaf : leaves) tell_leaf(event, object, leaf);
    } else {
      attribute(event, leaves);
      event.before = scalar_reading(before_, Place::at(object.place), object.type);
      event.after = scalar_reading(after_, Place::at(object.place), object.type);
      add(std::move(event));
    }
  }
  // Leaves of a type or shape that only newer code knows.
  void tell_unknown(const LeafGroup& group) {
    events_.push_back(event_at(group.key, group.type, from_change_));
  }

  // Nothing told since the disk failed: who watches then hears of the next change.
  std::vector<Event> take() { return std::move(events_); }

 private:
  struct Writer {
    std::optional<ActorId> origin;
    std::optional<std::chrono::milliseconds> time;
  };

  static Event event_at(const std::string& key, Type type, const Writer& writer) {
    Event event;
    event.key = key;
    event.type = type;
    event.origin = writer.origin;
    event.time = writer.time;
    return event;
  }

  // Of what a pass brought: who wrote what is there now and wasn't before.
  void attribute(Event& event, std::span<const Leaf> leaves) {
    if (change_.origin) return;
    const LiveDotView* newest = nullptr;
    bool one = true;
    live_.clear();
    for (const Leaf& leaf : leaves) {
      std::vector<Dot> known;
      before_.each(leaf.before, [&](const LiveDotView& dot) { known.push_back(dot.dot); });
      after_.for_each_live(std::string_view(leaf.leaf), [&](const LiveDotView& dot) {
        if (std::find(known.begin(), known.end(), dot.dot) == known.end()) live_.push_back(dot);
      });
    }
    for (const LiveDotView& dot : live_) {
      one = one && dot.dot.actor == live_.front().dot.actor;
      if (newest == nullptr || newest->dot.counter < dot.dot.counter) newest = &dot;
    }
    if (newest == nullptr || !one) return;
    event.origin = newest->dot.actor;
    event.time = after_.time_of(*newest);
  }

  // The names around an object that came, or went: each once.
  void tell_maps(std::string_view place, const PathNames& names) {
    std::string map = Place(names.key).path();
    std::vector<std::string> path;
    for (const auto& [type, name] : names.names) {
      const std::string child(place.substr(0, child_path(Place::at(map), type, name).size()));
      if (told_.insert(child).second) {
        const auto there = [](bool exists) { return exists ? std::optional<Value>(true) : std::nullopt; };
        Event event = event_at(names.key, type, from_change_);
        event.path = path;
        event.element = name;
        event.before = there(has_any(before_, map, type, name));
        event.after = there(has_any(after_, map, type, name));
        add(std::move(event));
      }
      path.push_back(name);
      map = child;
    }
  }
  template <class R>
  static bool has_any(R& reader, std::string_view map, Type type, std::string_view name) {
    bool found = false;
    for_each_child(reader, Place::at(map), type, name, [&](std::string_view child, Type) {
      found = child == name;
      return false;
    });
    return found;
  }

  void tell_leaf(Event event, const ObjectLeaf& object, const Leaf& leaf) {
    std::string_view element;
    if (!flat_element(leaf.leaf, object.prefix_size(), buffer_, element)) return;
    attribute(event, {&leaf, 1});
    const std::vector<Value> before = shown(before_, object.type, element, leaf.leaf);
    const std::vector<Value> after = shown(after_, object.type, element, leaf.leaf);
    if (shape_of(object.type) == Shape::elements) {
      for (const Value& value : before) tell_element(event, value, value, after);
      for (const Value& value : after) tell_element(event, value, {}, before);
      return;
    }
    event.element = element;
    if (!before.empty()) event.before = before.front();
    if (!after.empty()) event.after = after.front();
    add(std::move(event));
  }
  // One that is on one side, unless it is on the other, too. `gone` has it if it was there.
  void tell_element(Event event, const Value& value, std::optional<Value> gone,
                    const std::vector<Value>& other) {
    if (std::binary_search(other.begin(), other.end(), value)) return;
    event.element = value.to_bytes();
    (gone ? event.before : event.after) = value;
    add(std::move(event));
  }
  template <class R>
  std::vector<Value> shown(R& reader, Type type, std::string_view element, std::string_view leaf) {
    live_.clear();
    reader.for_each_live(leaf, [this](const LiveDotView& dot) { live_.push_back(dot); });
    return leaf_reading(type, element, live_);
  }

  void add(Event event) {
    if (event.before == event.after || before_.failed() || after_.failed()) return;
    events_.push_back(std::move(event));
  }

  const LeavesChanged& change_;
  Past& before_;
  Past& after_;
  Writer from_change_;
  std::vector<LiveDotView> live_;
  std::string buffer_;
  std::set<std::string> told_;  // Paths of names told about.
  std::vector<Event> events_;
};

std::vector<Event> events_of(LeavesChanged& change, Past& before, Past& after) {
  std::vector<Leaf>& leaves = change.leaves;
  std::sort(leaves.begin(), leaves.end(), [](const Leaf& a, const Leaf& b) { return a.leaf < b.leaf; });
  before.undo(change);
  Teller teller(change, before, after);
  for (std::size_t begin = 0; begin < leaves.size();) {
    const std::string_view first = leaves[begin].leaf;
    const auto object = object_leaf(first);
    const bool known = object && is_known(object->type) && !is_map(object->type);
    LeafGroup group;
    const std::size_t prefix_size = known ? object->prefix_size() : parse_group(first, group);
    std::size_t end = begin + 1;
    while (prefix_size != 0 && end < leaves.size() &&
           leaves[end].leaf.starts_with(first.substr(0, prefix_size)))
      ++end;
    if (known) {
      teller.tell(*object, std::span<const Leaf>(leaves).subspan(begin, end - begin));
    } else if (prefix_size != 0) {  // Else no key and type: not made by code that we know.
      teller.tell_unknown(group);
    }
    begin = end;
  }
  return teller.take();
}

}  // namespace

// From the newest change back: what was read after one is what the later ones, undone, leave.
std::vector<TypedChange> typed_changes(const Engine& engine, const KeyspaceState& keyspace,
                                       std::span<LeavesChanged> changes) {
  Past before(engine, keyspace);
  Past after(engine, keyspace);
  std::vector<TypedChange> told;
  for (std::size_t i = changes.size(); i-- > 0;) {
    LeavesChanged& change = changes[i];
    std::vector<Event> events = events_of(change, before, after);
    if (i > 0) after.undo(change);
    if (events.empty()) continue;
    told.push_back({change.origin, std::nullopt, change.local, std::move(events)});
    if (change.origin) told.back().time = Hlc::to_wall(change.hlc);
  }
  std::reverse(told.begin(), told.end());
  return told;
}

}  // namespace syncline
