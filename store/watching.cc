// From leaves that changed to the events that watchers are told.
#include <array>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "crdt/counter_logic.h"
#include "crdt/lww_logic.h"
#include "store/leaf_group.h"
#include "store/replica_state.h"

namespace syncline {
namespace {

using Changed = std::span<const LeafChanged>;

// The live dots of a stored leaf value.
std::vector<LiveDotView> live_dots(const Engine& engine, const KeyspaceState& keyspace,
                                   std::string_view value) {
  std::vector<LiveDotView> live;
  if (!value.empty()) {
    engine.for_each_live(keyspace, value, [&live](const LiveDotView& dot) { live.push_back(dot); });
  }
  return live;
}

// The leaves of one counter as they were before a commit: those of now, with
// the changed ones put back. A LeafReader.
class CounterBefore {
 public:
  CounterBefore(const Engine& engine, const KeyspaceState& keyspace, std::string_view prefix, Changed changed)
      : engine_(engine), keyspace_(keyspace) {
    scanned_ = engine.scan(keyspace, prefix, [&](std::string_view leaf, std::string_view value) {
      if (!leaf.starts_with(prefix)) return false;
      values_.emplace(leaf, value);
      return true;
    });
    for (const LeafChanged& leaf : changed) {
      if (leaf.before.empty()) {
        values_.erase(leaf.leaf);
      } else {
        values_.insert_or_assign(leaf.leaf, leaf.before);
      }
    }
  }

  template <class See>
  void for_each_live(std::string_view leaf, See&& see) {
    const auto found = values_.find(leaf);
    if (found != values_.end()) engine_.for_each_live(keyspace_, found->second, see);
  }
  template <class Visit>
  void scan(std::string_view prefix, Visit&& visit) {
    for (auto it = values_.lower_bound(prefix); it != values_.end() && it->first.starts_with(prefix); ++it) {
      const auto live = live_dots(engine_, keyspace_, it->second);
      if (!visit(std::string_view(it->first), std::span<const LiveDotView>(live))) return;
    }
  }
  bool failed() const { return !scanned_; }

 private:
  const Engine& engine_;
  const KeyspaceState& keyspace_;
  std::map<std::string, std::string, std::less<>> values_;
  Result<void> scanned_;
};

std::optional<Value> shown(const CounterTotal& counter) {
  return counter.exists ? std::optional<Value>(counter.total) : std::nullopt;
}

class Teller {
 public:
  Teller(const Engine& engine, const KeyspaceState& keyspace)
      : engine_(engine), keyspace_(keyspace), reader_(engine, keyspace) {}

  // `changed`: leaves of one group.
  void tell(const LeafGroup& group, std::size_t prefix_size, Changed changed) {
    switch (group.type) {
      case Type::g_counter:
      case Type::pn_counter:
        return tell_counter(group, prefix_size, changed);
      case Type::or_set:
      case Type::lww_register:
      case Type::lww_map:
        for (const LeafChanged& leaf : changed) tell_leaf(group, prefix_size, leaf);
        return;
    }
    events_.push_back(Event{group.key, group.type, {}, std::nullopt, std::nullopt, changed.front().local});
  }

  // Nothing if the disk failed meanwhile: who watches then hears of the next change.
  std::vector<Event> take() { return std::move(events_); }

 private:
  void tell_counter(const LeafGroup& group, std::size_t prefix_size, Changed changed) {
    const std::string_view prefix = std::string_view(changed.front().leaf).substr(0, prefix_size);
    CounterBefore before(engine_, keyspace_, prefix, changed);
    if (before.failed()) return;
    add(group, {}, shown(counter_total(before, group.type, group.key)),
        shown(counter_total(reader_, group.type, group.key)), changed.front().local);
  }

  void tell_leaf(const LeafGroup& group, std::size_t prefix_size, const LeafChanged& leaf) {
    std::string_view element;
    if (!flat_element(leaf.leaf, prefix_size, buffer_, element)) return;
    const std::vector<LiveDotView> before = live_dots(engine_, keyspace_, leaf.before);
    if (group.type == Type::or_set) {
      auto value = Value::from_bytes(element);
      if (!value) return;  // A lying peer wrote it; readers pass it over, too.
      bool present = false;
      reader_.for_each_live(leaf.leaf, [&present](const LiveDotView&) { present = true; });
      add(group, element, before.empty() ? std::nullopt : std::optional<Value>(*value),
          present ? std::optional<Value>(*value) : std::nullopt, leaf.local);
    } else {
      add(group, element, lww_value(before), lww_get(reader_, leaf.leaf), leaf.local);
    }
  }

  void add(const LeafGroup& group, std::string_view element, std::optional<Value> before,
           std::optional<Value> after, bool local) {
    if (before == after || reader_.error()) return;
    events_.push_back(
        Event{group.key, group.type, std::string(element), std::move(before), std::move(after), local});
  }

  const Engine& engine_;
  const KeyspaceState& keyspace_;
  Reader reader_;
  std::string buffer_;
  std::vector<Event> events_;
};

}  // namespace

std::vector<Event> typed_events(const Engine& engine, const KeyspaceState& keyspace,
                                const std::vector<LeafChanged>& changed) {
  Teller teller(engine, keyspace);
  for (std::size_t begin = 0; begin < changed.size();) {
    const std::string_view first = changed[begin].leaf;
    LeafGroup group;
    const std::size_t prefix_size = parse_group(first, group);
    std::size_t end = begin + 1;
    if (prefix_size == 0) {  // No key and type: not made by code that we know.
      begin = end;
      continue;
    }
    while (end < changed.size() && changed[end].leaf.starts_with(first.substr(0, prefix_size))) ++end;
    teller.tell(group, prefix_size, Changed(changed).subspan(begin, end - begin));
    begin = end;
  }
  return teller.take();
}

}  // namespace syncline
