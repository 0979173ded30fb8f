#include "demos/gossip/schedule.h"

#include <algorithm>

namespace gossip {

using syncline::ActorId;
using syncline::Version;

Schedule::Schedule(const Plan& plan, std::size_t window)
    : plan_(plan), window_(window), items_(plan.changes.size()), done_by_(plan.peers) {
  for (std::size_t i = 0; i < items_.size(); ++i) {
    items_[i].undone = static_cast<std::uint32_t>(plan.changes[i].after.size());
    for (const auto before : plan.changes[i].after) items_[before].before.push_back(i);
  }
}

void Schedule::set(Item& item, State state) {
  if (is_active(item.state)) --active_;
  item.state = state;
  if (is_active(item.state)) ++active_;
}

void Schedule::wait(Item& item, State state) {
  set(item, state);
  if (!item.waited) ++waited_;
  item.waited = true;
}

void Schedule::make_ready(std::size_t position) {
  set(items_[position], State::ready);
  ready_.push_back(position);
}

void Schedule::advance(std::size_t limit) {
  for (; cursor_ < std::min(limit, items_.size()) && active_ < window_; ++cursor_) {
    if (items_[cursor_].undone == 0) {
      make_ready(cursor_);
    } else {
      wait(items_[cursor_], State::held);
    }
  }
}

std::optional<std::size_t> Schedule::take() {
  while (!ready_.empty()) {
    const auto position = ready_.front();
    ready_.pop_front();
    if (items_[position].state != State::ready) continue;  // Held again since, or queued twice.
    set(items_[position], State::sent);
    return position;
  }
  return std::nullopt;
}

std::vector<Version> Schedule::tokens(std::size_t position) const {
  std::vector<Version> tokens;
  for (const auto before : plan_.changes[position].after) tokens.push_back(*items_[before].version);
  return tokens;
}

void Schedule::handle_waiting(std::size_t position) {
  if (items_[position].state == State::sent) wait(items_[position], State::waiting);
}

void Schedule::handle_began(std::size_t position) { set(items_[position], State::began); }

void Schedule::handle_done(std::size_t position, const ActorId& actor, std::uint64_t counter,
                           const Version& version) {
  complete(position, actor, counter, version);
}

void Schedule::complete(std::size_t position, const ActorId& actor, std::uint64_t counter,
                        const Version& version) {
  Item& item = items_[position];
  if (item.state == State::done) return;
  set(item, State::done);
  ++done_;
  ++done_by_[plan_.changes[position].peer];
  item.actor = actor;
  item.counter = counter;
  counters_[actor].push_back(counter);  // An actor's changes are told in their order.
  if (item.before.empty()) return;
  item.version = version;
  for (const auto after : item.before) {
    Item& next = items_[after];
    if (--next.undone == 0 && next.state == State::held) make_ready(after);
  }
}

void Schedule::undo(std::size_t position) {
  Item& item = items_[position];
  --done_;
  item.version.reset();
  item.state = State::held;
  for (const auto after : item.before) {
    Item& next = items_[after];
    ++next.undone;
    // It waits for a dot that is lost. It will be sent once more, with the new one.
    if (next.state != State::future && next.state != State::done) wait(next, State::held);
  }
}

void Schedule::replan(std::size_t position) {
  if (items_[position].undone == 0) {
    make_ready(position);
  } else {
    wait(items_[position], State::held);
  }
}

std::size_t Schedule::handle_death(std::size_t peer, const std::optional<ActorId>& actor,
                                   std::uint64_t known) {
  std::vector<std::size_t> again;
  std::size_t lost = 0;
  std::uint64_t told = 0;  // The last count that the dead one told us of.
  if (actor && counters_.contains(*actor)) told = counters_[*actor].back();
  for (std::size_t i = 0; i < cursor_; ++i) {
    Item& item = items_[i];
    if (plan_.changes[i].peer != peer) continue;
    if (item.state == State::began && actor && known > told) {
      // Made and spread, though its maker died before it could say so: at most one is in this state. A
      // peer that has the dot has all that it depends on, so the dot alone is its version.
      Version version;
      version.raise(*actor, known);
      complete(i, *actor, known, version);
    } else if (is_sent(item.state)) {
      set(item, State::held);
      again.push_back(i);
    } else if (item.state == State::done && actor && item.actor == *actor && item.counter > known) {
      undo(i);
      again.push_back(i);
      ++lost;
    }
  }
  done_by_[peer] = 0;
  if (actor) {
    auto& counters = counters_[*actor];
    counters.erase(std::upper_bound(counters.begin(), counters.end(), known), counters.end());
  }
  for (const auto position : again) replan(position);
  return lost;
}

void Schedule::handle_return(std::size_t peer) {
  for (std::size_t i = 0; i < cursor_; ++i) {
    if (plan_.changes[i].peer != peer || !is_sent(items_[i].state)) continue;
    set(items_[i], State::held);
    replan(i);
  }
}

std::vector<std::size_t> Schedule::waiting_at_peers() const {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < cursor_; ++i) {
    if (items_[i].state == State::waiting) found.push_back(i);
  }
  return found;
}

std::size_t Schedule::known(const Version& version) const {
  std::size_t sum = 0;
  for (const auto& [actor, counters] : counters_) {
    const auto end = std::upper_bound(counters.begin(), counters.end(), version.counter(actor));
    sum += static_cast<std::size_t>(end - counters.begin());
  }
  return sum;
}

}  // namespace gossip
