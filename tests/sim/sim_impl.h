// The simulator's inside. sim.cc has the phases; machine.cc starts, stops and
// stores; chaos.cc writes and breaks; calm.cc waits for agreement.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sync/session.h"
#include "tests/sim/clock.h"
#include "tests/sim/disk.h"
#include "tests/sim/inspector.h"
#include "tests/sim/network.h"
#include "tests/sim/operations.h"
#include "tests/sim/oracle.h"
#include "tests/sim/rng.h"
#include "tests/sim/schedule.h"
#include "tests/sim/shape.h"
#include "tests/sim/sim.h"

namespace syncline::sim {

// A machine as it was while it ran: what it had drawn, and its disk.
struct Memory {
  Disk disk;
  std::array<std::uint64_t, 4> entropy{};
  std::array<std::uint8_t, 16> node{};
  bool used = false;  // It was gone on from.
};

// One replica: its engine, its disk, and what the oracle expects of it.
struct Machine {
  std::unique_ptr<Disk> disk;      // None for those in memory.
  std::deque<Disk> snapshots;      // As it was at some times before.
  std::unique_ptr<Engine> engine;  // None while it is down.
  Clock clock;
  std::array<std::uint64_t, 4> entropy{};
  std::array<std::uint8_t, 16> node{};
  std::map<std::string, KeyspaceState*> keyspaces;
  std::map<std::string, Oracle::View> views;
  std::deque<Record> writing;
  std::set<std::pair<std::string, std::string>> announceable;  // Leaves that reached the disk just now.
  // To each peer: the first frames of a connection that has ended.
  std::map<std::uint32_t, std::vector<std::string>> history;
  Micros commit_at = 0;    // When it writes next; 0 if nothing waits.
  std::uint64_t life = 0;  // Grows with each start, fall and failed commit: older events are void.
  Micros full_until = 0;   // Its disk is full.
  Micros paused_until = 0;
  bool commit_failed = false;  // The last one.
  bool proven = false;         // Its next start continues what its disk has, and knows it.
  bool watched = false;        // Its changes are told.
  bool old_disk = false;       // It started from an older one, or an empty one.
  std::map<std::string, ActorId> wrote_as;
  std::map<std::string, DigestPair> left_with;  // What its engine had at the end of the run.
  std::deque<Memory> memories;                  // That it may be set back to.
  bool resumes = false;                         // It starts as one of them.
  std::uint64_t incarnation = 0;                // As a member.
  std::uint64_t acknowledgements = 0;           // That were checked.
};

struct Sim::Impl : Hosts {
  explicit Impl(SimOptions options);
  ~Impl() override;

  // ---- phases (sim.cc) ----
  void run_chaos();
  void finish();
  void found(Finding finding) override;
  std::uint64_t events() const { return network.frames() + counts.operations + dice.total(); }

  // ---- what the network asks (machine.cc) ----
  bool is_up(std::uint32_t host) const override {
    return is_liar(host) ? chaos : machines[host].engine != nullptr;
  }
  const Clock& clock(std::uint32_t host) const override { return machines[host].clock; }
  std::unique_ptr<End> connect(std::uint32_t host, std::uint32_t peer) override;
  void settle(std::uint32_t host) override;
  void refused(std::uint32_t host, std::uint32_t peer, const Error& error, bool damaged) override;

  // ---- machines (machine.cc) ----
  Time time_of(std::uint32_t r) const { return machines[r].clock.read(schedule.now()); }
  SessionOptions session_options(std::uint32_t r) const;
  void start(std::uint32_t r);
  void crash(std::uint32_t r, Micros rest);
  void fall(std::uint32_t r, Comeback how);
  void restart_later(std::uint32_t r, Micros rest);
  void retire(Machine& machine);
  void reckon();
  void collect_records(std::uint32_t r);
  void commit_later(std::uint32_t r, Micros wait);
  void commit(std::uint32_t r);
  bool store(Machine& machine, const Record& record);
  void fail_writes(std::uint32_t r);
  void end_full(std::uint32_t r);
  bool is_full(const Machine& machine) const { return schedule.now() < machine.full_until; }
  void take(std::uint32_t r, const EngineEvent& event);
  void replay_history(std::uint32_t r, std::uint32_t peer);

  // ---- checks (machine.cc) ----
  void check(std::uint32_t r, bool thorough);
  bool is_joining(std::uint32_t r, const std::string& name);
  void check_all();
  void check_caps(std::uint32_t r);
  void check_stable(std::uint32_t r);
  void check_equal();

  // ---- members (stability.cc) ----
  void list_members(std::uint32_t started);

  // ---- chaos (chaos.cc) ----
  void operate();
  void write(std::uint32_t r);
  void disturb_clock(std::uint32_t r);
  void disturb_life(std::uint32_t r);
  void pause(std::uint32_t r, Micros length);
  void read_slowly(std::uint32_t r);
  void clone(std::uint32_t r);
  void restart(std::uint32_t r);
  void fall_back(std::uint32_t r, Disk older);
  void resume(std::uint32_t r);
  void rot(std::uint32_t r);
  bool has_rot() const { return shape.faults[Fault::rot] != 0; }
  // The machine behind the last replica is a liar's.
  bool has_liar() const { return shape.faults[Fault::lie] != 0; }
  bool is_liar(std::uint32_t host) const { return host >= shape.replicas; }

  // ---- calm (calm.cc) ----
  void run_calm();
  void heal(const std::vector<bool>& away);
  std::vector<bool> draw_away();
  bool agree(const std::vector<bool>& away, bool everything);
  bool wait_for_agreement(const std::vector<bool>& away, bool everything);
  std::string describe_disagreement(const std::vector<bool>& away);
  void note_kept();

  SimOptions options;
  Rng rng;
  Shape shape;
  Rng disk_rng;
  Rng entropy_rng;
  Rng defect_rng;
  Rng liar_rng;
  Schedule schedule;
  Dice dice;
  Network network;
  std::vector<Machine> machines;
  std::map<std::string, Oracle, std::less<>> oracles;
  bool chaos = true;
  bool cloned = false;
  std::map<std::string, Version> kept;  // What somebody had on disk when calm began, by keyspace.
  std::optional<std::pair<std::uint32_t, std::string>> rotten;  // A leaf of "shop" on that machine's disk.
  std::optional<std::string> violation;
  SimCounts counts;
  WireCounts wire;
  std::uint64_t trace = 0;
};

}  // namespace syncline::sim
