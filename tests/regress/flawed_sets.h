// Sets and maps as others built them, each with the defect that was found in
// it, written anew and as small as the defect allows. Here a removal takes no
// dot of its own: clocks say only which adds were seen.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace syncline {

using FlawedDot = std::pair<int, int>;  // Who, and its which add.
using FlawedDots = std::set<FlawedDot>;
using FlawedClock = std::map<int, int>;

inline bool covers(const FlawedClock& clock, const FlawedDot& dot) {
  const auto it = clock.find(dot.first);
  return it != clock.end() && it->second >= dot.second;
}
inline bool includes(const FlawedClock& clock, const FlawedClock& other) {
  return std::all_of(other.begin(), other.end(),
                     [&clock](const FlawedDot& last) { return covers(clock, last); });
}
inline void raise(FlawedClock& clock, const FlawedClock& other) {
  for (const auto& [who, count] : other) clock[who] = std::max(clock[who], count);
}

enum class SetFlaw {
  none,
  newer_clock_wins,           // riak_dt #78: who has seen more is taken whole, removals unseen or not.
  kept_when_on_both_sides,    // riak_dt #82: an element that both sides have stays, whatever its dots.
  removal_needs_newer_clock,  // akka #22631: a removal's delta is dropped by who has seen more than its
                              // sender.
  removal_by_name             // akka #22648: a removal's delta takes away what its sender had not seen.
};

template <SetFlaw flaw>
class FlawedSet {
 public:
  struct Delta {
    std::string element;
    FlawedDots gone, added;
    FlawedClock sender;
  };

  Delta add(int who, const std::string& element) {
    const FlawedDot dot{who, ++clock_[who]};
    const FlawedDots gone = std::exchange(elements_[element], FlawedDots{dot});
    return Delta{element, gone, {dot}, clock_};
  }
  Delta remove(int, const std::string& element) {
    const FlawedDots gone = elements_[element];
    elements_.erase(element);
    return Delta{element, gone, {}, clock_};
  }

  void merge(const Delta& delta) {
    if (delta.added.empty() && flaw == SetFlaw::removal_needs_newer_clock && !includes(delta.sender, clock_))
      return;
    FlawedDots& dots = elements_[delta.element];
    for (const FlawedDot& dot : delta.gone) dots.erase(dot);
    if (delta.added.empty() && flaw == SetFlaw::removal_by_name) dots.clear();
    for (const FlawedDot& dot : delta.added) {
      if (!covers(clock_, dot)) dots.insert(dot);
      clock_[dot.first] = std::max(clock_[dot.first], dot.second);
    }
    if (dots.empty()) elements_.erase(delta.element);
  }

  void merge(const FlawedSet& other) {
    if (flaw == SetFlaw::newer_clock_wins) {
      if (includes(clock_, other.clock_)) return;
      if (includes(other.clock_, clock_)) {
        *this = other;
        return;
      }
    }
    std::map<std::string, FlawedDots> merged;
    for (const auto& [element, dots] : elements_) {
      for (const FlawedDot& dot : dots) {
        if (other.has(element, dot) || !covers(other.clock_, dot)) merged[element].insert(dot);
      }
    }
    for (const auto& [element, dots] : other.elements_) {
      const bool on_both = elements_.contains(element);
      for (const FlawedDot& dot : dots) {
        if (has(element, dot) || !covers(clock_, dot)) merged[element].insert(dot);
      }
      if (flaw == SetFlaw::kept_when_on_both_sides && on_both) {
        merged[element].insert(dots.begin(), dots.end());
        merged[element].insert(elements_[element].begin(), elements_[element].end());
      }
    }
    elements_ = std::move(merged);
    raise(clock_, other.clock_);
  }

  std::vector<std::string> elements() const {
    std::vector<std::string> all;
    for (const auto& [element, dots] : elements_) all.push_back(element);
    return all;
  }

 private:
  bool has(const std::string& element, const FlawedDot& dot) const {
    const auto it = elements_.find(element);
    return it != elements_.end() && it->second.contains(dot);
  }

  std::map<std::string, FlawedDots> elements_;
  FlawedClock clock_;
};

// One key of a map of sets, as rust-crdt #35 merged it: an entry's clock is
// changed on the way and then used again as if it had not been.
template <bool reuses_changed_clock>
class FlawedEntry {
 public:
  void add(int who, const std::string& element) {
    const FlawedDot dot{who, ++clock_[who]};
    dots_.insert(dot);
    elements_[dot] = element;
  }
  void remove() {
    dots_.clear();
    elements_.clear();
  }
  void merge(const FlawedEntry& other) {
    FlawedDots theirs = other.dots_, common;
    const FlawedDots unchanged = theirs;
    for (const FlawedDot& dot : dots_) {
      if (theirs.contains(dot) || !covers(other.clock_, dot)) common.insert(dot);
    }
    std::erase_if(theirs, [this](const FlawedDot& dot) { return covers(clock_, dot); });
    common.insert(theirs.begin(), theirs.end());
    FlawedDots deleted = dots_;
    deleted.merge(FlawedDots(reuses_changed_clock ? theirs : unchanged));
    for (const FlawedDot& dot : common) deleted.erase(dot);
    elements_.insert(other.elements_.begin(), other.elements_.end());
    for (const FlawedDot& dot : deleted) elements_.erase(dot);
    dots_ = std::move(common);
    raise(clock_, other.clock_);
  }
  std::vector<std::string> elements() const {
    std::vector<std::string> all;
    for (const auto& [dot, element] : elements_) all.push_back(element);
    return all;
  }

 private:
  FlawedDots dots_;
  std::map<FlawedDot, std::string> elements_;
  FlawedClock clock_;
};

}  // namespace syncline
