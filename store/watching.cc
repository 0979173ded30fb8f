// From leaves that changed to the events that watchers are told.
#include <algorithm>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "crdt/reading.h"
#include "store/leaf_group.h"
#include "store/replica_state.h"

namespace syncline {
namespace {

using Changed = std::span<const LeafChanged>;

// The leaves of a keyspace as they were before a commit: those of now, with the
// changed ones put back. A LeafReader.
class Before {
 public:
  // `changed` is sorted by leaf.
  Before(const Engine& engine, const KeyspaceState& keyspace, Changed changed)
      : engine_(engine), keyspace_(keyspace), changed_(changed) {}

  template <class See>
  void for_each_live(std::string_view leaf, See&& see) {
    const auto at = lower_bound(leaf);
    if (at != changed_.end() && at->leaf == leaf) return each(at->before, see);
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
    auto next = lower_bound(from);
    bool going = true;
    const auto tell = [&](std::string_view leaf, std::string_view value) {
      if (value.empty()) return;
      live_.clear();
      each(value, [this](const LiveDotView& dot) { live_.push_back(dot); });
      going = visit(leaf, std::span<const LiveDotView>(live_));
    };
    const auto tell_changed_below = [&](std::string_view leaf) {
      for (; going && next != changed_.end() && next->leaf.compare(leaf) < 0; ++next) tell(next->leaf, next->before);
    };
    const auto scanned = engine_.scan(keyspace_, from, [&](std::string_view leaf, std::string_view value) {
      if (!leaf.starts_with(prefix)) return false;
      tell_changed_below(leaf);
      if (!going) return false;
      if (next != changed_.end() && next->leaf == leaf) {
        tell(leaf, next++->before);
      } else {
        tell(leaf, value);
      }
      return going;
    });
    failed_ = failed_ || !scanned;
    for (; going && next != changed_.end() && next->leaf.starts_with(prefix); ++next)
      tell(next->leaf, next->before);
  }
  bool failed() const { return failed_; }

 private:
  Changed::iterator lower_bound(std::string_view leaf) const {
    return std::lower_bound(changed_.begin(), changed_.end(), leaf,
                            [](const LeafChanged& each, std::string_view key) { return each.leaf < key; });
  }
  template <class See>
  void each(std::string_view value, See&& see) const {
    if (!value.empty()) engine_.for_each_live(keyspace_, value, see);
  }

  const Engine& engine_;
  const KeyspaceState& keyspace_;
  Changed changed_;
  std::vector<LiveDotView> live_;
  bool failed_ = false;
};

static_assert(LeafReader<Before>);

class Teller {
 public:
  Teller(const Engine& engine, const KeyspaceState& keyspace, Changed changed)
      : before_(engine, keyspace, changed), after_(engine, keyspace) {}

  // `changed`: leaves of one object.
  void tell(const ObjectLeaf& object, Changed changed) {
    const bool local = changed.front().local;
    PathNames names = path_names(object.place);
    tell_maps(object.place, names, local);
    Event event{std::move(names.key), {}, object.type, {}, std::nullopt, std::nullopt, local};
    for (auto& [map, name] : names.names) event.path.push_back(std::move(name));
    if (is_leafwise(object.type)) {
      for (const LeafChanged& leaf : changed) tell_leaf(event, object, leaf.leaf);
    } else {
      event.before = scalar_reading(before_, Place::at(object.place), object.type);
      event.after = scalar_reading(after_, Place::at(object.place), object.type);
      add(std::move(event));
    }
  }
  // Leaves of a type or shape that only newer code knows.
  void tell_unknown(const LeafGroup& group, bool local) {
    events_.push_back(Event{group.key, {}, group.type, {}, std::nullopt, std::nullopt, local});
  }

  // Nothing told since the disk failed: who watches then hears of the next change.
  std::vector<Event> take() { return std::move(events_); }

 private:
  // The names around an object that came, or went: each once.
  void tell_maps(std::string_view place, const PathNames& names, bool local) {
    std::string map = Place(names.key).path();
    std::vector<std::string> path;
    for (const auto& [type, name] : names.names) {
      const std::string child(place.substr(0, child_path(Place::at(map), type, name).size()));
      if (told_.insert(child).second) {
        const auto there = [](bool exists) { return exists ? std::optional<Value>(true) : std::nullopt; };
        add(Event{names.key, path, type, name, there(has_any(before_, map, type, name)),
                  there(has_any(after_, map, type, name)), local});
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

  void tell_leaf(Event event, const ObjectLeaf& object, std::string_view leaf) {
    std::string_view element;
    if (!flat_element(leaf, object.prefix_size(), buffer_, element)) return;
    const std::vector<Value> before = shown(before_, object.type, element, leaf);
    const std::vector<Value> after = shown(after_, object.type, element, leaf);
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
    if (event.before == event.after || before_.failed() || after_.error()) return;
    events_.push_back(std::move(event));
  }

  Before before_;
  Reader after_;
  std::vector<LiveDotView> live_;
  std::string buffer_;
  std::set<std::string> told_;  // Paths of names told about.
  std::vector<Event> events_;
};

}  // namespace

std::vector<Event> typed_events(const Engine& engine, const KeyspaceState& keyspace,
                                const std::vector<LeafChanged>& changed) {
  Teller teller(engine, keyspace, changed);
  for (std::size_t begin = 0; begin < changed.size();) {
    const std::string_view first = changed[begin].leaf;
    const auto object = object_leaf(first);
    const bool known = object && is_known(object->type) && !is_map(object->type);
    LeafGroup group;
    const std::size_t prefix_size = known ? object->prefix_size() : parse_group(first, group);
    std::size_t end = begin + 1;
    while (prefix_size != 0 && end < changed.size() &&
           changed[end].leaf.starts_with(first.substr(0, prefix_size)))
      ++end;
    if (known) {
      teller.tell(*object, Changed(changed).subspan(begin, end - begin));
    } else if (prefix_size != 0) {  // Else no key and type: not made by code that we know.
      teller.tell_unknown(group, changed[begin].local);
    }
    begin = end;
  }
  return teller.take();
}

}  // namespace syncline
