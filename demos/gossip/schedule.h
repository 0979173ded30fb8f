// Which change runs when, and which runs again.
//
// Changes take their turn in the order of the plan, a window of them at a time.
// One whose predecessors haven't been made, or haven't reached its peer, waits;
// later ones pass it. When a peer dies, what it made and nobody else knows is
// made again. Pure bookkeeping: the orchestrator tells what happened and sends
// what take() yields.
#pragma once

#include <syncline/net.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "demos/gossip/plan.h"

namespace gossip {

class Schedule {
 public:
  // `window`: how many changes may be under way, those that wait apart.
  Schedule(const Plan& plan, std::size_t window);

  // Lets changes up to `limit` (a position, exclusive) take their turn.
  void advance(std::size_t limit);
  // The next change to send to its peer, or nothing. Send it with tokens(): what its peer must have first.
  std::optional<std::size_t> take();
  std::vector<syncline::Version> tokens(std::size_t position) const;

  // What a peer says about a change that was sent to it.
  void handle_waiting(std::size_t position);
  void handle_began(std::size_t position);
  // `counter` is the actor's count after it, `version` covers it.
  void handle_done(std::size_t position, const syncline::ActorId& actor, std::uint64_t counter,
                   const syncline::Version& version);
  // The peer died. `actor` is what it wrote under (nothing if it never wrote),
  // `known` how far the others know that. What lies beyond, and what it had not
  // made, is to be sent to its replacement. Gives the number of changes to be made again.
  std::size_t handle_death(std::size_t peer, const std::optional<syncline::ActorId>& actor,
                           std::uint64_t known);

  // The peer died and is back with all that it had made. What it was doing is sent once more.
  void handle_return(std::size_t peer);

  std::size_t total() const { return items_.size(); }
  std::size_t done() const { return done_; }
  std::size_t done_by(std::size_t peer) const { return done_by_[peer]; }
  // Of those that had their turn, how many had to wait at least once.
  std::size_t waited() const { return waited_; }
  // Something is being made.
  bool under_way() const { return active_ > 0; }
  // All had their turn and nothing is under way but what waits.
  bool only_waiting() const { return cursor_ == items_.size() && active_ == 0 && ready_.empty(); }
  // Those that wait at a peer for what was made elsewhere.
  std::vector<std::size_t> waiting_at_peers() const;
  // How many of the made changes lie within `version`.
  std::size_t known(const syncline::Version& version) const;

 private:
  enum class State : std::uint8_t { future, held, ready, sent, began, waiting, done };

  struct Item {
    State state = State::future;
    bool waited = false;
    std::uint32_t undone = 0;  // Predecessors that aren't made.
    syncline::ActorId actor;   // Of a done one.
    std::uint64_t counter = 0;
    std::optional<syncline::Version> version;  // Of a done one that others wait for.
    std::vector<std::size_t> before;           // Who must come after it.
  };

  static bool is_active(State state) {
    return state == State::ready || state == State::sent || state == State::began;
  }
  void set(Item& item, State state);
  void wait(Item& item, State state);
  void make_ready(std::size_t position);
  void complete(std::size_t position, const syncline::ActorId& actor, std::uint64_t counter,
                const syncline::Version& version);
  // Whether it was sent to its peer, which hasn't made it as far as we know.
  static bool is_sent(State state) {
    return state == State::sent || state == State::began || state == State::waiting;
  }
  void undo(std::size_t position);
  void replan(std::size_t position);

  const Plan& plan_;
  std::size_t window_;
  std::vector<Item> items_;
  std::vector<std::size_t> done_by_;
  std::deque<std::size_t> ready_;
  std::map<syncline::ActorId, std::vector<std::uint64_t>> counters_;  // Of done changes, sorted.
  std::size_t cursor_ = 0;                                            // The first that hasn't had its turn.
  std::size_t active_ = 0;
  std::size_t done_ = 0;
  std::size_t waited_ = 0;
};

}  // namespace gossip
