// What is built wrong on purpose, outside the library, to see it caught.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace syncline::sim {

enum class Defect : std::uint8_t {
  none,
  // ---- of the disk ----
  acknowledges_before_storing,  // Says "persisted" at once and stores later.
  forgets_a_leaf,               // Leaves one leaf out of a record.
  stores_half_a_record,         // Stores the first half of a record's leaves.
  keeps_failed_writes,          // Reports a failure and stores the record all the same.
  skips_a_record,               // Reports success and stores nothing.
  loses_the_tail,               // A crash takes the last record that was acknowledged.
  forgets_the_version,          // Stores leaves and not what they cover.
  forgets_the_digests,          // Stores digests of the record before.
  mixes_up_actors,              // Stores two new actors in the wrong order.
  reads_nothing_on_error,       // A read that fails says "there is none".
  keeps_staged_chunks,          // Chunks of a finished pass stay.
  loses_a_staged_chunk,         // One chunk of an unfinished pass is missing.
  // ---- of the machine ----
  restores_a_backup,   // A crashed replica starts from an older disk with its old entropy.
  trusts_any_disk,     // Goes on under the actor of whatever disk it starts with.
  keeps_old_writers,   // Forgets whose disk it couldn't prove to be its own once it was closed in order.
  clones_an_identity,  // Two machines are given the same entropy.
  sleeps_through,      // Its timers don't run.
  // ---- of the transport ----
  loses_a_frame,    // Drops a frame and goes on.
  swaps_frames,     // Delivers two frames in the wrong order.
  repeats_a_frame,  // Delivers a frame twice.
  // ---- of the peer's session, as if it had made other messages ----
  strips_removals,      // A push loses what it removes.
  strips_dependencies,  // A push loses its dependencies and overtakes them.
  halves_a_change,      // A push loses the last row of a change.
  alters_a_payload,     // A push has another value.
  alters_a_stamp,       // A push has another timestamp.
  moves_a_row,          // A push has a row at another key.
  strips_a_leaf,        // A chunk loses a leaf.
  strips_a_live_dot,    // A chunk shows a leaf without one of its live dots.
  misnames_dead_rows,   // A chunk names the rows of dead dots at another leaf.
  closes_early,         // A chunk in the middle says it is the last.
  raises_a_chunk,       // A chunk claims one dot more than it was read at.
  raises_a_version,     // A status claims one dot more than there is.
  alters_digests,       // A status has another state digest.
  drops_statuses,       // Statuses aren't sent.
  drops_wants,          // Nobody asks for passes.
  drops_closings,       // Passes never end.
  drops_ticks,          // Nobody compares.
  asks_for_less,        // A want claims to have one dot more than it has.
  resumes_too_far,      // A pass goes on behind where it was cut.
};

const char* name(Defect defect);
// Nothing if there is none of that name.
std::optional<Defect> defect_of(std::string_view name);
// All but none.
std::vector<Defect> all_defects();

}  // namespace syncline::sim
