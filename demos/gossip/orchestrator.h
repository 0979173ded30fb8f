// Runs a plan: starts the peers, deals out the changes, cuts, kills, heals, and
// at the end compares what each peer holds with what was expected.
#pragma once

#include <syncline/net.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "demos/gossip/fleet.h"
#include "demos/gossip/options.h"
#include "demos/gossip/plan.h"
#include "demos/gossip/report.h"
#include "demos/gossip/schedule.h"
#include "demos/gossip/screen.h"

namespace gossip {

class Orchestrator {
 public:
  // `plan`, `options`, `screen` and `interrupted` must outlive it. `interrupted` is asked often:
  // once it says true, everything ends.
  Orchestrator(const Plan& plan, const Options& options, std::uint64_t seed, Screen& screen,
               std::function<bool()> interrupted);

  // The whole run. An error is one of the machinery (a peer that failed, a
  // standstill, `closed` when interrupted); that peers differ is in the report.
  syncline::Result<Report> run();

 private:
  using Clock = std::chrono::steady_clock;
  using Status = syncline::Result<void>;

  // The acts, in their order.
  Status start_peers();
  Status replay_until(std::size_t done);
  Status cut();
  Status kill_one();
  syncline::Result<std::uint64_t> ask_survivors(const std::string& address, const syncline::ActorId& actor);
  Status replace(std::size_t number);
  Status heal();
  Status settle();
  Status prove();
  void finish_report();

  // One turn of everything.
  Status pump();
  Status wait_until(const std::string& what, const std::function<bool()>& arrived);
  void handle(Peer& peer, Message message);
  void handle_done(Peer& peer, MessageReader& in);
  void dispatch();
  void ask_all();
  // Statuses that were asked for after this call.
  Status fresh_statuses();
  Status apply_cuts();
  void send_cut(Peer& peer);
  Status reach_all(const syncline::Version& version, const std::string& what);
  syncline::Result<Peer*> spawn(std::size_t number, bool replacement);
  Status await(const Peer& peer);  // Until it is ready.
  // A number below `below` that hangs on nothing but the seed and `what` is picked.
  std::size_t pick(std::size_t below, std::string_view what) const;
  syncline::Version union_of(const std::function<bool(const Peer&)>& among);
  bool waiting_can_go_on();
  bool all_equal();

  double seconds() const;
  void event(const std::string& text);
  View view();
  void count_traffic(const Peer& peer);
  void count_received(const Peer& peer);

  const Plan& plan_;
  const Options& options_;
  const std::uint64_t seed_;
  Screen& screen_;
  std::function<bool()> interrupted_;
  Fleet fleet_;
  Schedule schedule_;
  Report report_;
  std::string cluster_;
  std::string state_;

  Clock::time_point began_ = Clock::now();
  std::optional<Clock::time_point> replay_began_;
  Clock::time_point last_done_ = began_;
  Clock::time_point last_progress_ = began_;
  Clock::time_point last_asked_ = began_;
  bool paused_ = false;      // Deals out no more changes.
  bool cut_ = false;         // Sides don't see each other.
  std::vector<int> side_;    // Of each peer.
  std::size_t reached_ = 0;  // Answers to the reach that is under way.
  std::uint64_t reach_id_ = 0;
  std::uint64_t received_ = 0;        // Changes of others, all peers together.
  std::optional<Contents> contents_;  // What a peer answered to `dump`.
  std::string failure_;               // What a peer or a message failed with.
};

}  // namespace gossip
