// A git history made for tests: its bytes hang on nothing but its length.
#pragma once

#include <cstddef>
#include <string>

namespace gossip {

// Input for `git fast-import`: `commits` commits on the first-parent line of
// refs/heads/main by nine authors, with merges, deletions, names that come
// back, and names with blanks, line breaks, quotes and bytes that aren't UTF-8.
std::string history_stream(std::size_t commits);

}  // namespace gossip
