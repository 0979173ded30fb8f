// A program whose output we read.
#pragma once

#include <syncline/net.h>
#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace gossip {

// Runs `arguments` (the first is the program, found by PATH), without a shell,
// with no input, and calls `take` with its output as it comes until that
// returns false; the program is then ended. `invalid_argument` with the
// program's own last words when it can't be run or fails.
syncline::Result<void> read_output(const std::vector<std::string>& arguments,
                                   const std::function<bool(std::string_view)>& take);

}  // namespace gossip
