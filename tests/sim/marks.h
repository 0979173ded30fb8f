// Coverage marks: what must happen now and then, or the simulator tests less
// than it seems to.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace syncline::sim {

enum class Mark : std::uint8_t {
  push_sent,            // L1.
  duplicate_change,     // A change arrived though it was known.
  gap_buffered,         // One arrived before what it depends on, and waited.
  early_dropped,        // The buffer for that was full.
  log_cut,              // The recent log was cut for its budget.
  log_cut_stable,       // It was cut at the stable floor.
  stable,               // All members were known to have something.
  dot_pass,             // L2 completed.
  full_pass,            // L4 completed.
  digest_pass,          // L3 did: digests named the leaves.
  pass_resumed,         // One went on where it was cut.
  pass_refused,         // One couldn't.
  joined,               // L4 staged in place completed.
  joining_restored,     // A machine started in the middle of one.
  joining_refused,      // A write met one.
  pass_restaged,        // A machine started with chunks of an unfinished pass on its disk.
  another_round,        // Leaves were touched while a pass ran.
  dead_row_named,       // A pass told the leaf of a dot that is live nowhere.
  message_continued,    // A message took several frames.
  tick_equal,           // L0 found peers equal.
  replay_taken,         // Frames of an older connection, played again, did no harm.
  damage_refused,       // Altered bytes were.
  link_fell_silent,     // A connection ended because nothing was heard.
  two_connections,      // Two machines had two.
  writes_lost,          // A crash took writes that no disk had.
  commit_failed,        // A commit failed and was undone.
  commit_lagged,        // A machine took in a frame while a commit had a second to go.
  room_again,           // A full disk had room again, and writing went on.
  read_failed,          // A read failed in the middle of something.
  transaction_failed,   // A transaction failed and left nothing behind.
  clock_drift_noticed,  // A timestamp was too far ahead.
  actor_rotated,        // A machine writes under a fresh actor.
  old_disk_caught_up,   // One with an older disk, or none, got back what it had written.
  clone_wrote,          // A copy wrote beside its original.
  core_agreed,          // Some machines agreed while the others were away.
  leaf_mended,          // A rotten leaf was made whole by a peer.
  resumed,              // A machine went on from a snapshot of its memory.
  resumed_twice,        // From one that another went on from before.
  amnesia_noticed,      // One learned that peers know more of it than it does.
  dot_reuse_noticed,    // A dot was found at two rows.
  lie_told,             // Something well-formed that isn't so.
  lie_refused,          // A session ended for one.
  divergence_repaired,  // Equal versions were found with unequal states, and those agreed in the end.
};
inline constexpr std::size_t mark_count = static_cast<std::size_t>(Mark::divergence_repaired) + 1;

const char* name(Mark mark);
// Whether the mark takes a fault that isn't drawn.
constexpr bool is_rare(Mark mark) { return mark == Mark::leaf_mended; }

// How often each was reached.
struct Marks {
  std::array<std::uint64_t, mark_count> counts{};

  void reach(Mark mark, std::uint64_t times = 1) { counts[static_cast<std::size_t>(mark)] += times; }
  std::uint64_t operator[](Mark mark) const { return counts[static_cast<std::size_t>(mark)]; }
  void add(const Marks& other) {
    for (std::size_t i = 0; i < mark_count; ++i) counts[i] += other.counts[i];
  }
};

}  // namespace syncline::sim
