// Requests of one replica to another, on behalf of types. A request says what its
// sender would like another to change; what comes of it is an ordinary change or
// nothing, and nobody waits for an answer. So it may be dropped anywhere, and is:
// here when too many come, as they are bounded in size, number and rate.
#include <algorithm>
#include <utility>

#include "sync/session_impl.h"

namespace syncline {

bool Session::Impl::ask(std::string_view keyspace, std::string_view leaf, std::string_view request) {
  const auto each = std::find_if(shared.begin(), shared.end(),
                                 [&](const auto& one) { return one->state->name == keyspace; });
  if (each == shared.end() || leaf.size() > options.limits.leaf_key_bytes_max ||
      request.size() > Ask::bytes_max)
    return false;
  KeyspaceState& state = *(*each)->state;
  Ask fresh{(*each)->mine, state.actors[core().writer(state)], std::string(leaf), std::string(request)};
  for (Ask& waiting : asks) {
    if (waiting.keyspace != fresh.keyspace || waiting.leaf != fresh.leaf) continue;
    waiting = std::move(fresh);
    return true;
  }
  if (asks.size() == asks_max) return false;
  asks.push_back(std::move(fresh));
  return true;
}

bool Session::Impl::send_ask() {
  if (asks.empty()) return false;
  send(asks.front());
  asks.pop_front();
  ++metrics.asks_out;
  return true;
}

Result<void> Session::Impl::on(const Ask& ask, Time now) {
  const auto found = shared_of_peer(ask.keyspace);
  if (!found) return tl::unexpected(found.error());
  ++metrics.asks_in;
  const auto earned = (now.monotonic - asks_counted) / ask_interval;
  asks_left = static_cast<std::size_t>(
      std::min<std::int64_t>(static_cast<std::int64_t>(asks_left) + earned, std::int64_t{asks_max}));
  asks_counted += earned * ask_interval;
  const bool taken = asks_left > 0 && !core().read_only &&
                     core().take_ask({(*found)->state->name, ask.asker, ask.leaf, ask.bytes});
  if (asks_left > 0) --asks_left;
  if (!taken) ++metrics.asks_dropped;
  return {};
}

}  // namespace syncline
