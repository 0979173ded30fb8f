// Prints the trace that the demo replays where it finds no long git history:
// 8 writers, 2,000 changes, in the format of docs/demo.md.
//
//   make_trace >shop.jsonl && gossip --trace shop.jsonl
#include <fmt/format.h>

#include "demos/gossip/trace.h"

int main() { fmt::print("{}", gossip::sample_trace()); }
