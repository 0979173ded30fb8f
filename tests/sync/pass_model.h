// The sync rules of docs/architecture.md as a model small enough to search
// exhaustively: three replicas, two leaves, writes, pushes, passes cut and resumed,
// staged beside the state or, into an empty one, in place.
//
// It shares no code with the library. States are bit sets over the rows made so
// far. Rules can be broken one at a time, to see that the search finds what each
// of them prevents.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace syncline::model {

inline constexpr unsigned replicas = 3;
inline constexpr unsigned rows_per_actor = 4;
inline constexpr unsigned rows_max = replicas * rows_per_actor;

using Rows = std::uint16_t;  // A set of rows: bit actor * rows_per_actor + counter - 1.

// What is left out of the rules.
enum class Broken {
  nothing,
  removed_counts_as_seen,   // A push's context covers what it removes (counterexamples 1).
  no_causal_order,          // A change is applied before what it depends on.
  dead_rows_stay_home,      // Passes carry no rows of dead dots, and nobody asks for `logged` (3).
  no_closing_chunk,         // Leaves touched since their chunk was read aren't read again (4).
  chunks_commit_alone,      // Each chunk is merged when it comes, and its live dots are covered (2, 4).
  version_before_closing,   // A cut pass leaves its version behind.
  losers_are_dropped,       // The merge keeps one dot of a leaf (6).
  resumes_blindly,          // A resumed pass forgets when its leaves were read.
  joining_answers,          // Who stages in place gives passes of what it has so far.
  joining_takes_changes,    // Who stages in place applies changes meanwhile.
  joining_keeps_old_reads,  // A leaf that is read again is added to its first read.
  joins_from_who_has_less,  // A pass in place goes on at a peer that lacks some of what is staged.
  joins_what_is_not_empty,  // Leaves that are there already are overwritten.
  sketch_is_believed,       // The version grows although the digests of what was named don't agree.
  touched_is_forgotten,     // Leaves that the receiver changed since its sketch aren't merged.
  digests_are_of_later,     // What the sender changed since it told its digests isn't read again.
  repair_removes,           // A repair of distrusted versions merges as ever (5).
  lost_is_absent,           // Who lost a leaf gives passes as if it had been removed.
  mends_from_anybody,       // A lost leaf is taken from who hasn't all that was had.
  old_copy_mends,           // It is what was lost, though news of the leaf were heard since.
};
inline constexpr Broken all_broken[] = {
    Broken::removed_counts_as_seen, Broken::no_causal_order,         Broken::dead_rows_stay_home,
    Broken::no_closing_chunk,       Broken::chunks_commit_alone,     Broken::version_before_closing,
    Broken::losers_are_dropped,     Broken::resumes_blindly,         Broken::joining_answers,
    Broken::joining_takes_changes,  Broken::joining_keeps_old_reads, Broken::joins_from_who_has_less,
    Broken::joins_what_is_not_empty};
inline constexpr Broken all_broken_digests[] = {Broken::sketch_is_believed, Broken::touched_is_forgotten,
                                                Broken::digests_are_of_later};
inline constexpr Broken all_broken_losses[] = {Broken::repair_removes, Broken::lost_is_absent,
                                               Broken::mends_from_anybody, Broken::old_copy_mends};
const char* name(Broken broken);

struct Options {
  unsigned leaves = 2;  // 1 or 2.
  unsigned depth = 7;
  unsigned rows = 5;            // Of all replicas together.
  bool stepwise_passes = true;  // Passes chunk by chunk, cut and resumed, beside whole ones.
  bool log_cuts = true;         // Logs are cut, so that full passes are needed.
  bool in_place = false;        // Full passes into an empty replica are staged in its leaves.
  bool digest_passes = false;   // Leaves are named by sketches, too, which may miss one.
  bool losses = false;          // A replica loses a leaf, once: it knows which, or that one is lost.
  Broken broken = Broken::nothing;
};

struct Outcome {
  std::uint64_t states = 0;  // Distinct ones, whoever is who.
  std::uint64_t transitions = 0;
  std::vector<std::string> violation;  // The steps to the first bad state; empty if there is none.
};

// Visits every state within `depth` steps of the empty one, breadth first, so a
// violation is a shortest one. Bad is: two replicas with equal versions and
// unequal live rows, or a version that covers a row whose effect is absent. Who
// stages in place can't be read, and isn't judged until its pass is closed.
Outcome search(const Options& options);

}  // namespace syncline::model
