#include "net/check_options.h"

#include <uv.h>

#include <utility>

namespace syncline {
namespace {

constexpr std::size_t cluster_bytes_max = 255;
constexpr std::size_t write_queue_bytes_min = 4096;

tl::unexpected<Error> bad(std::string why) { return failure(Errc::invalid_argument, std::move(why)); }

Result<void> check_addresses(const NodeOptions& options) {
  if (!options.listen.empty()) {
    auto address = parse_address(options.listen);
    if (!address) return tl::unexpected(std::move(address.error()));
    if (address->host != "localhost") {
      const auto number = numeric(*address);
      if (!number) return bad("listen wants a number or localhost, not the name " + address->host);
      if (auto allowed = check_plaintext(*number, options.insecure_plaintext); !allowed) return allowed;
    }
  }
  if (!options.advertise.empty()) {
    auto address = parse_address(options.advertise);
    if (!address) return tl::unexpected(std::move(address.error()));
    if (address->port == 0) return bad("advertise wants a port");
  }
  for (const std::string& join : options.join) {
    if (auto address = check_join(join, options.insecure_plaintext); !address) {
      return tl::unexpected(std::move(address.error()));
    }
  }
  return {};
}

}  // namespace

Result<NodeOptions> checked(NodeOptions options) {
  constexpr std::chrono::milliseconds none{0};
  if (options.cluster.empty()) return bad("a node needs the name of its cluster");
  if (options.cluster.size() > cluster_bytes_max)
    return bad("the name of the cluster is longer than 255 bytes");
  if (options.tick_interval <= none || options.handshake_timeout <= none || options.backoff_min <= none) {
    return bad("tick_interval, handshake_timeout and backoff_min are above zero");
  }
  if (options.dead_after < 2 * options.tick_interval) {
    return bad("dead_after is at least two tick_intervals, or a peer in good health would seem dead");
  }
  if (options.backoff_max < options.backoff_min) return bad("backoff_max is at least backoff_min");
  if (options.write_queue_bytes_max < write_queue_bytes_min)
    return bad("write_queue_bytes_max is at least 4096");
  if (options.peers_max == 0 || options.handshakes_max == 0 || options.dials_max == 0 ||
      options.failures_max == 0) {
    return bad("peers_max, handshakes_max, dials_max and failures_max are above zero");
  }
  if (auto addresses = check_addresses(options); !addresses)
    return tl::unexpected(std::move(addresses.error()));
  if (options.seed == 0 && uv_random(nullptr, nullptr, &options.seed, sizeof options.seed, 0, nullptr) != 0) {
    return failure(Errc::network, "the system has no random numbers");
  }
  return options;
}

Result<Address> check_join(const std::string& address, bool insecure_plaintext) {
  auto parsed = parse_address(address);
  if (!parsed) return parsed;
  if (parsed->port == 0) return bad("address \"" + address + "\": to dial it needs a port");
  if (const auto number = numeric(*parsed)) {
    if (auto allowed = check_plaintext(*number, insecure_plaintext); !allowed) {
      return tl::unexpected(std::move(allowed.error()));
    }
  }
  return parsed;
}

}  // namespace syncline
