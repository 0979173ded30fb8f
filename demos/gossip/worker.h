// One peer of the run: a process with a replica, in memory or in a file, and a node on loopback.
#pragma once

namespace gossip {

// Serves the orchestrator on `fd` until it says stop or is gone. Returns the exit status.
int run_worker(int fd);

}  // namespace gossip
