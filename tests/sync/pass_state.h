// What the model of passes (pass_model.h) is in: replicas, the rows made so far, and the passes under way.
#pragma once

#include <array>
#include <cstdint>

#include "tests/sync/pass_model.h"

namespace syncline::model {

inline constexpr std::uint8_t leaves_max = 2;
inline constexpr std::uint8_t no_source = 0xff;

constexpr Rows bit(unsigned row) { return static_cast<Rows>(1U << row); }
constexpr Rows without(Rows a, Rows b) { return static_cast<Rows>(a & ~b); }

struct Row {
  Rows removed = 0;
  Rows past = 0;  // What its origin had: itself and its change left out.
  std::uint8_t leaf = 0;
  std::uint8_t payload = 0;
  std::uint8_t first = 0;  // Counter - 1 of its change's first and last row.
  std::uint8_t last = 0;
};

// A pass that a replica receives. Leaf sets are bit masks.
struct Pass {
  std::uint8_t source = no_source;  // None: no pass.
  std::uint8_t running = 0;         // 0: cut, waiting to be resumed.
  std::uint8_t full = 0;
  std::uint8_t named = 0;                  // Leaves that the round names.
  std::uint8_t staged = 0;                 // Of these, read.
  std::array<Rows, leaves_max> live{};     // As read.
  std::array<Rows, leaves_max> version{};  // When read.
  Rows asked = 0;
  // Into the leaves themselves; then `live` isn't used, and `version` is the source's at the first
  // chunk and at the last one.
  std::uint8_t in_place = 0;
  // Of a digest pass: nothing is staged before the sketch was made and decoded.
  std::uint8_t sketch = 0;  // 1: the sender told its digests; 2: the receiver its sketch; 3: decoded.
  Rows start = 0;           // The sender's version when it told its digests...
  Rows told = 0;            // ...and what was live there.
  Rows basis = 0;           // What was live at the receiver when it made its sketch.
};

struct Replica {
  Rows version = 0;
  Rows live = 0;
  Rows logged = 0;
  std::uint8_t lost = 0;       // Leaves of which it knows nothing...
  std::uint8_t distrusts = 0;  // ...or it knows that something is lost, and not what.
  std::uint8_t fits = 0;       // Its digest tells a copy of what was lost...
  Rows was = 0;                // ...which is this.
  Pass inbound;

  bool is_joining() const { return inbound.source != no_source && inbound.in_place != 0; }
};

struct State {
  std::array<Row, rows_max> rows{};
  std::array<Replica, replicas> at{};
  std::uint8_t losses = 0;

  Rows rows_of_leaf(unsigned leaf) const {
    Rows here = 0;
    for (unsigned row = 0; row < rows_max; ++row)
      if (rows[row].last != 0 && rows[row].leaf == leaf) here |= bit(row);
    return here;
  }
  // How many rows the actor has made.
  unsigned made(unsigned actor) const {
    unsigned count = 0;
    while (count < rows_per_actor && rows[actor * rows_per_actor + count].last != 0) ++count;
    return count;
  }
};

struct Hash128 {
  std::uint64_t low;
  std::uint64_t high;
  friend bool operator==(const Hash128&, const Hash128&) = default;
};

// Replicas are alike, so states that differ by who is who count as one: the
// least hash of all six ways of naming them.
Hash128 hash(const State& state);

}  // namespace syncline::model
