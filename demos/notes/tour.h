// Two copies of a notebook, edited apart: the story that notes --tour tells.
#pragma once

#include "demos/notes/shell.h"

namespace notes {

// Plays it with stores in a temporary folder and links on loopback, each line printed. 0 if the
// copies agree at the end, and again after both were closed and opened; else 1.
int run_tour(const Shell::Print& print);

}  // namespace notes
