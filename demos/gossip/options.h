// The command line of the gossip demo.
#pragma once

#include <syncline/net.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "demos/gossip/git_history.h"

namespace gossip {

struct Options {
  std::optional<std::size_t> peers;  // 8, or as many as the trace names.
  std::optional<std::size_t> commits;
  std::string git = ".";
  Assign assign = Assign::by_commit;
  std::string trace;  // A file, "-", or empty: none.
  enum class Partition { none, halves, isolate } partition = Partition::halves;
  bool kill = true;
  double speed = 300;                 // Changes a second, all peers together; 0: no limit.
  std::optional<std::uint64_t> seed;  // Drawn when it isn't given.
  std::optional<std::size_t> skip;    // This change (1...) is left out: the proof must fail.
  std::string json;                   // Where the report goes; empty: nowhere.
  std::string keep;                   // Where logs go; empty: nowhere.
  std::string data;                   // Where peers keep their stores; empty: in memory.
  bool help = false;
};

// Reads the arguments behind the program's name. Errors say which and what is allowed.
syncline::Result<Options> parse_options(const std::vector<std::string>& arguments);

// The text of --help.
std::string help_text();

// The command that does the same again: `program` with what `options` say and this seed.
std::string rerun_line(const std::string& program, const Options& options, std::uint64_t seed);

}  // namespace gossip
