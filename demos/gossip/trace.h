// A stream of operations as JSON lines: the format is in docs/demo.md.
#pragma once

#include <syncline/net.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "demos/gossip/plan.h"

namespace gossip {

// The greatest number of peers in a run, and so in a trace.
inline constexpr std::size_t peers_max = 64;

// The plan in `text`: one change for each line, and as expectation what comes out
// when one hand does them in order. Writers are dealt out to `peers`; without it there are as many
// peers as the greatest writer's number, two at least. Errors begin "name:line: ".
syncline::Result<Plan> parse_trace(std::string_view text, std::string_view name,
                                   std::optional<std::size_t> peers);

// The trace that comes with the program: 8 writers keep a shop, 2,000 changes,
// the same on every machine. demos/make_trace prints it.
std::string sample_trace();

}  // namespace gossip
