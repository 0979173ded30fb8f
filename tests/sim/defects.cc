#include "tests/sim/defects.h"

#include <iterator>

namespace syncline::sim {
namespace {

constexpr const char* names[] = {
    "none",
    "acknowledges_before_storing",
    "forgets_a_leaf",
    "stores_half_a_record",
    "keeps_failed_writes",
    "skips_a_record",
    "loses_the_tail",
    "forgets_the_version",
    "forgets_the_digests",
    "mixes_up_actors",
    "reads_nothing_on_error",
    "keeps_staged_chunks",
    "loses_a_staged_chunk",
    "restores_a_backup",
    "trusts_any_disk",
    "keeps_old_writers",
    "clones_an_identity",
    "sleeps_through",
    "loses_a_frame",
    "swaps_frames",
    "repeats_a_frame",
    "strips_removals",
    "strips_dependencies",
    "halves_a_change",
    "alters_a_payload",
    "alters_a_stamp",
    "moves_a_row",
    "strips_a_leaf",
    "strips_a_live_dot",
    "misnames_dead_rows",
    "closes_early",
    "raises_a_chunk",
    "raises_a_version",
    "alters_digests",
    "drops_statuses",
    "drops_wants",
    "drops_closings",
    "drops_ticks",
    "asks_for_less",
    "resumes_too_far",
};
static_assert(std::size(names) == static_cast<std::size_t>(Defect::resumes_too_far) + 1);

}  // namespace

const char* name(Defect defect) { return names[static_cast<std::size_t>(defect)]; }

std::optional<Defect> defect_of(std::string_view name) {
  for (std::size_t i = 0; i < std::size(names); ++i)
    if (names[i] == name) return static_cast<Defect>(i);
  return std::nullopt;
}

std::vector<Defect> all_defects() {
  std::vector<Defect> all;
  for (std::size_t i = 1; i < std::size(names); ++i) all.push_back(static_cast<Defect>(i));
  return all;
}

}  // namespace syncline::sim
