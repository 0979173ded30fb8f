// What goes wrong in a simulated world, and how often.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "crdt/export.h"
#include "tests/sim/rng.h"

namespace syncline::sim {

// Links carry a reliable stream, as TCP does: below it, loss shows as delay;
// what arrives twice or in another order does so over two connections.
enum class Fault : std::uint8_t {
  // ---- of a frame on its way ----
  loss,      // The packet is lost and sent again after 200 ms, 400 ms...; all behind it waits.
  tail,      // It is late by an exponential time, a second on average and up to a minute.
  cut,       // The connection is reset in its place.
  tear,      // A part of it arrives; then the connection is reset.
  corrupt,   // One byte arrives changed.
  truncate,  // Its end is missing and the stream goes on.
  // ---- of a connection ----
  replay,     // The frames of the connection before are played into one beside it.
  twin,       // Both sides dialled: there are two connections.
  half_open,  // One side ends it and the other isn't told.
  // ---- of the network, drawn with each operation ----
  partition,  // Two halves don't reach each other.
  one_way,    // One machine doesn't reach another, which still reaches it.
  isolate,    // One machine reaches nobody and nobody reaches it.
  flap,       // A link breaks again and again.
  // ---- of a machine ----
  crash,    // What wasn't on its disk is lost; it starts again later.
  restart,  // Closed in good order and opened again.
  pause,    // It stands still, a second or a day, and goes on as if nothing had been.
  amnesia,  // Crashes, and its disk is empty.
  restore,  // Crashes, and its disk is as it was at some time before.
  clone,    // A copy of its disk starts as another machine. Once a run.
  night,    // All machines sleep, a minute to 400 days.
  // ---- of a clock ----
  drift,   // Runs up to a twentieth too fast or too slow.
  step,    // Put forward or back by up to ten years.
  freeze,  // The wall clock stands still, or goes on.
  // ---- of a disk ----
  write_error,  // A commit fails.
  full,         // All commits fail, for up to ten seconds.
  read_error,   // A read fails.
  slow_write,   // A commit takes up to half a minute, each order of magnitude as often as another.
  slow_read,    // A read takes as long, and its machine waits for it.
  // ---- apart: nobody can say what must be live, or it takes somebody who has all ----
  rot,     // A leaf on a disk isn't what was written.
  resume,  // A machine is set back to a snapshot of its memory and disk, perhaps again to the same one.
  lie,     // A peer says something that is well-formed and not so.
};
inline constexpr std::size_t fault_count = static_cast<std::size_t>(Fault::lie) + 1;

// Whether Faults::draw() leaves it to others.
constexpr bool is_apart(Fault fault) { return fault >= Fault::rot; }
SYNCLINE_EXPORT const char* name(Fault fault);
// Nothing if there is none of that name.
SYNCLINE_EXPORT std::optional<Fault> fault_of(std::string_view name);
SYNCLINE_EXPORT std::vector<Fault> all_faults();

// How often each fault strikes: once in so many occasions on average, never for 0.
class SYNCLINE_EXPORT Faults {
 public:
  std::uint64_t operator[](Fault fault) const { return once_in_[static_cast<std::size_t>(fault)]; }
  Faults& set(Fault fault, std::uint64_t once_in) {
    once_in_[static_cast<std::size_t>(fault)] = once_in;
    return *this;
  }
  // A random choice of faults at random rates ("swarm"): few runs have all, few have none. None of those
  // apart.
  static Faults draw(Rng& rng);

 private:
  std::array<std::uint64_t, fault_count> once_in_{};
};

// Throws for faults. Each has a generator of its own: leaving one out doesn't
// change when the others strike.
class Dice {
 public:
  Dice(const Faults& faults, std::uint64_t seed);

  // Whether the fault strikes on this occasion. Counts, if it does.
  bool strikes(Fault fault);
  // No fault strikes from now on.
  void rest() { faults_ = Faults(); }
  // Of this fault, for where, how long, how much.
  Rng& rng(Fault fault) { return rngs_[static_cast<std::size_t>(fault)]; }

  const Faults& faults() const { return faults_; }
  const std::array<std::uint64_t, fault_count>& struck() const { return struck_; }
  std::uint64_t total() const { return total_; }

 private:
  Faults faults_;
  std::vector<Rng> rngs_;
  std::array<std::uint64_t, fault_count> struck_{};
  std::uint64_t total_ = 0;
};

}  // namespace syncline::sim
