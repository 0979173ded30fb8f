// What a run found out, for people and for programs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "demos/gossip/screen.h"

namespace gossip {

struct Report {
  std::string source;
  std::string rerun;  // The command that does the same again.
  std::uint64_t seed = 0;
  std::size_t peers = 0;
  std::size_t changes = 0;
  std::size_t waited = 0;                 // Changes that had to wait for what they follow.
  std::optional<std::string> killed;      // The peer that was.
  std::size_t redone = 0;                 // Its changes that nobody else had, made again.
  bool own_store = false;                 // It came back with its own store instead.
  std::size_t made_before = 0;            // Changes found in the stores: a run before this one made them.
  double replay_seconds = 0;              // From the first change to the last.
  std::optional<double> heal_seconds;     // From the heal until each peer had all that was made before it.
  double settle_seconds = 0;              // From the last change until all were equal.
  std::uint64_t bytes_sent = 0;           // By all peers, all frames.
  std::uint64_t bytes_own = 0;            // Keys, fields, elements, values and counts of the changes, once.
  std::uint64_t pushed = 0, by_pass = 0;  // How the others' changes came, all peers together.
  std::uint64_t duplicates = 0;           // Copies of a change that a peer had.
  bool digests_equal = false;
  std::string digest;                    // Bytes; of all, if they are equal.
  std::vector<std::string> checks;       // What was compared and found equal.
  std::vector<std::string> differences;  // What wasn't.
  std::vector<PeerView> peer_views;
  std::vector<std::string> events;

  bool proven() const { return digests_equal && differences.empty(); }
  double changes_per_second() const;
  // Bytes sent over own bytes.
  double overhead() const;
  // Copies of each change that a peer which didn't make it received. 1 is the least.
  double copies() const;
};

std::string to_text(const Report& report);
std::string to_json(const Report& report);

}  // namespace gossip
