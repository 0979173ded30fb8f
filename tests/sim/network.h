// A simulated network: links between machines, the connections over them, and
// what goes wrong with both.
//
// A connection is a reliable stream each way, as TCP gives it: bytes arrive in
// order and none is left out, or the connection ends. Faults delay, damage and
// end connections; what an end is given is never silently incomplete, but for
// `truncate` and `corrupt`, which its checksums must find.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "crdt/error.h"
#include "tests/sim/clock.h"
#include "tests/sim/faults.h"
#include "tests/sim/rng.h"
#include "tests/sim/schedule.h"

namespace syncline::sim {

// One machine's end of a connection.
class End {
 public:
  virtual ~End() = default;
  // Takes bytes off the stream: any number of frames or parts of one. On error the connection ends.
  virtual Result<void> receive(std::string_view bytes) = 0;
  // The next frame for the peer, or nothing. Asked for while the link has room.
  virtual std::optional<std::string> send() = 0;
  // Does what fell due.
  virtual void run() = 0;
  // When run() is next due, in the machine's monotonic time; milliseconds::max() for never.
  virtual std::chrono::milliseconds deadline() const = 0;
};

// The machines that a network joins, by number.
class Hosts {
 public:
  virtual ~Hosts() = default;
  virtual bool is_up(std::uint32_t host) const = 0;
  // A connection between `host` and `peer` begins: this is the host's end of it. Both are up.
  virtual std::unique_ptr<End> connect(std::uint32_t host, std::uint32_t peer) = 0;
  virtual const Clock& clock(std::uint32_t host) const = 0;
  // Something happened at one of the host's ends. It does its work and lets
  // the network pump() it.
  virtual void settle(std::uint32_t host) = 0;
  // The host's end refused what it got from the peer; `damaged` if the network had altered any of it.
  virtual void refused(std::uint32_t host, std::uint32_t peer, const Error& error, bool damaged) = 0;
  // Something is wrong with an end.
  virtual void found(std::string finding) = 0;
};

struct LinkOptions {
  Micros latency_max = 2 * millisecond;  // Each frame takes up to this, uniformly.
  std::size_t window = 6;                // Frames on their way that each direction has room for.
  std::uint64_t bytes_per_second = 0;    // 0 for no limit.
  Micros silence_max = 15 * second;      // Who hears nothing for so long ends the connection.
};

class Network {
 public:
  // All must outlive the network.
  Network(Schedule& schedule, Dice& dice, Hosts& hosts, std::uint64_t seed, LinkOptions options);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // The two are connected from soon on, and again whenever that breaks.
  void add_link(std::uint32_t a, std::uint32_t b);
  // Lets all ends of the host say what they have to say, as far as there is room.
  void pump(std::uint32_t host);
  // All connections of the host end; perhaps a peer isn't told.
  void drop(std::uint32_t host);
  // The host stands still: nothing reaches it and its timers wait.
  void hold(std::uint32_t host, Micros length);
  // Everybody sleeps, the links included.
  void jump(Micros length);

  // Throws the dice for the faults of the network.
  void disturb();
  // All is whole again: nothing is held or blocked, and what isn't sound is cut.
  void heal();
  // Every link that can be is connected now.
  void dial_all();
  // Nobody reaches this host from now on, until heal().
  void cut_off(std::uint32_t host);

  // Each end of a connection that has both its ends: fn(host, peer, end).
  void for_each_end(absl::FunctionRef<void(std::uint32_t, std::uint32_t, End&)> fn);
  // Whether the two are linked, and no connection does for them.
  bool lacks_connection(std::uint32_t a, std::uint32_t b) const;
  // Ends all, for good.
  void close();

  std::uint64_t frames() const { return frames_; }
  // Frames and bytes that were sent, whatever became of them.
  std::uint64_t frames_sent() const { return frames_sent_; }
  std::uint64_t bytes_sent() const { return bytes_sent_; }
  // Connections that ended because one side heard nothing.
  std::uint64_t silenced() const { return silenced_; }
  // Equal for equal runs, and for nothing else.
  std::uint64_t trace_hash() const { return trace_; }

 private:
  struct Flight {
    Micros at;
    std::string bytes;
  };
  struct Side {
    std::unique_ptr<End> end;    // None at the dead side of a half-open connection.
    std::deque<Flight> flights;  // To the other side...
    std::size_t bytes = 0;       // ...of so many bytes.
    bool damaged = false;        // Of what this side sent some arrived altered.
    Micros busy_until = 0;       // The link takes its bytes up to then.
    Micros timer = 0;
    Micros heard = 0;
  };
  struct Connection {
    std::uint32_t link = 0;
    std::array<std::uint32_t, 2> hosts{};
    std::array<Side, 2> sides;
    bool up = false;
    std::uint64_t epoch = 0;  // Grows with each end: what was scheduled before is void.

    bool is_whole() const { return up && sides[0].end && sides[1].end; }
  };
  // One side of one connection, as long as that lasts.
  struct Place {
    std::uint32_t connection;
    std::uint32_t side;
    std::uint64_t epoch;
  };
  enum class Damage { none, reset };
  static constexpr std::uint32_t slots = 2;  // Connections that a link may have at once.

  Connection* find(const Place& place);
  void redial(std::uint32_t link);
  void dial(std::uint32_t link);
  void open(std::uint32_t connection);
  void cut(std::uint32_t connection);
  void leave(std::uint32_t connection, std::uint32_t side);
  void pump_side(std::uint32_t connection, std::uint32_t side);
  void arm(std::uint32_t connection, std::uint32_t side);
  void run(const Place& place, Micros due);
  void watch(const Place& place);
  void send(std::uint32_t connection, std::uint32_t side, std::string frame);
  void deliver(const Place& place);
  Damage damage(Side& sender, std::string& bytes);
  Micros wait(std::uint32_t from, std::uint32_t to) const;
  void block(std::uint32_t from, std::uint32_t to, Micros length);
  void block_all(Fault fault, absl::FunctionRef<bool(std::uint32_t, std::uint32_t)> apart);
  void flap();
  bool is_served(std::uint32_t link) const;
  bool is_sound(const Connection& connection) const;

  Schedule& schedule_;
  Dice& dice_;
  Hosts& hosts_;
  Rng rng_;
  LinkOptions options_;
  std::uint32_t host_count_ = 0;
  bool calm_ = false;
  bool closed_ = false;
  std::vector<Connection> connections_;                                      // `slots` for each link.
  std::vector<std::vector<std::pair<std::uint32_t, std::uint32_t>>> sides_;  // By host: connection, side.
  std::vector<bool> redialling_;                                             // By link.
  std::vector<Micros> held_until_;                                           // By host.
  std::vector<std::vector<Micros>> blocked_until_;                           // From, to.
  std::uint64_t frames_ = 0;
  std::uint64_t frames_sent_ = 0;
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t silenced_ = 0;
  std::uint64_t trace_ = 0;
};

// From `least` to `most`, each order of magnitude as often as another.
Micros draw_length(Rng& rng, Micros least, Micros most);
// How long a slow disk takes.
Micros draw_slowness(Rng& rng);
// Exponential, by whole numbers only: the same on every machine.
Micros draw_exponential(Rng& rng, Micros mean);

}  // namespace syncline::sim
