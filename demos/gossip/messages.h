// What goes over a channel, as values.
#pragma once

#include <syncline/net.h>

#include <cstdint>
#include <string>
#include <vector>

#include "demos/gossip/channel.h"
#include "demos/gossip/plan.h"

namespace gossip {

// How a peer stands, told when it is asked.
struct PeerStatus {
  syncline::Version version;
  std::string digest;                  // Both digests of the pair, as bytes; equal digests, equal bytes.
  std::vector<std::string> connected;  // Addresses of the peers it is linked to.
  std::uint64_t bytes_in = 0, bytes_out = 0;
  std::uint64_t pushed = 0;      // Changes of others applied from pushes...
  std::uint64_t duplicates = 0;  // ...and those that came though they were known.
  std::uint64_t early = 0;       // Changes that wait for what they depend on.
};

// A change to make, and what the peer must have before it does.
struct Task {
  std::size_t position = 0;
  std::vector<syncline::Version> tokens;
  std::vector<Operation> operations;
};

std::string encode(const PeerStatus& status);
std::string encode(const Task& task);
std::string encode(const Contents& contents);
std::string encode_version(MessageKind kind, std::uint64_t id, const syncline::Version& version);

// Both ends are this program: a message that doesn't decode ends it, by the `malformed` that these return.
syncline::Result<PeerStatus> decode_status(std::string body);
syncline::Result<Task> decode_task(std::string body);
syncline::Result<Contents> decode_contents(std::string body);

}  // namespace gossip
