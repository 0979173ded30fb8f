// The rules of the house, as a function from a source file to what breaks them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace syncline::tidy {

// What `text` does against the rules, one sentence each, "path:line: ..." in front. `path` is
// relative to the root and decides which rules hold. Files that are no C++ are only searched for
// machine paths.
std::vector<std::string> check_file(std::string_view path, std::string_view text);

}  // namespace syncline::tidy
