#include "tests/sim/marks.h"

#include <iterator>

namespace syncline::sim {
namespace {

constexpr const char* names[] = {
    "push_sent",
    "duplicate_change",
    "gap_buffered",
    "early_dropped",
    "log_cut",
    "log_cut_stable",
    "stable",
    "dot_pass",
    "full_pass",
    "digest_pass",
    "pass_resumed",
    "pass_refused",
    "joined",
    "joining_restored",
    "joining_refused",
    "pass_restaged",
    "another_round",
    "dead_row_named",
    "message_continued",
    "tick_equal",
    "replay_taken",
    "damage_refused",
    "link_fell_silent",
    "two_connections",
    "writes_lost",
    "commit_failed",
    "commit_lagged",
    "room_again",
    "read_failed",
    "transaction_failed",
    "clock_drift_noticed",
    "actor_rotated",
    "old_disk_caught_up",
    "clone_wrote",
    "core_agreed",
    "leaf_mended",
    "resumed",
    "resumed_twice",
    "amnesia_noticed",
    "dot_reuse_noticed",
    "lie_told",
    "lie_refused",
    "divergence_repaired",
};
static_assert(std::size(names) == mark_count);

}  // namespace

const char* name(Mark mark) { return names[static_cast<std::size_t>(mark)]; }

}  // namespace syncline::sim
