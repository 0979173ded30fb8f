// The rules of members and stability (sync/stability.h) as a model small enough
// to search exhaustively: three replicas that write, persist, crash, lose
// their disk, join and leave, while acknowledgements are gossiped.
//
// It shares no code with the library. Rows, incarnations and lists are bit
// sets. Rules can be broken one at a time, to see that the search finds what
// each of them prevents.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace syncline::stability_model {

// What is left out of the rules.
enum class Broken {
  nothing,
  counts_other_lists,         // Acknowledgements of another list are merged.
  acknowledges_unpersisted,   // A member adds what it has in memory.
  ignores_joiners,            // The floor stays when the list grows.
  counts_stores,              // A list names stores: who left and came back is the one who acknowledged.
  keeps_incarnation,          // A store whose disk was lost goes on as the one it was.
  keeps_acknowledgements,     // A new epoch begins with the acknowledgements of the last.
  joins_what_it_should_meet,  // Two cuts of an epoch become what either has.
  collects_unheard,           // A marker counts as collectable though what members had isn't all here.
};
inline constexpr Broken all_broken[] = {Broken::counts_other_lists,        Broken::acknowledges_unpersisted,
                                        Broken::ignores_joiners,           Broken::counts_stores,
                                        Broken::keeps_incarnation,         Broken::keeps_acknowledgements,
                                        Broken::joins_what_it_should_meet, Broken::collects_unheard};
const char* name(Broken broken);

// A and B are members and everybody knows it.
enum class Start {
  shared,  // B wrote a row; A and B have it on disk.
  apart,   // A and B each wrote a row that nobody else has.
};

struct Options {
  Start start = Start::shared;
  unsigned depth = 7;
  unsigned rows = 3;         // Of all replicas together, those at the start included.
  unsigned calls = 1;        // Joins and leaves.
  unsigned misfortunes = 1;  // Crashes, lost disks and clean restarts.
  Broken broken = Broken::nothing;
};

struct Outcome {
  std::uint64_t states = 0;  // Distinct ones.
  std::uint64_t transitions = 0;
  std::vector<std::string> violation;  // The steps to the first bad state; empty if there is none.
};

// Visits every state within `depth` steps, breadth first, so a violation is a
// shortest one. Bad is: a replica takes something for stable that a member of
// its list doesn't have on disk; or it would collect by a row while a member
// has written, unaware of that row, what isn't here.
Outcome search(const Options& options);

}  // namespace syncline::stability_model
