// What the tests of net/ share: replicas with nodes on loopback, and bounded waits.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/node.h"
#include "store/replica.h"

namespace syncline::test {

using std::chrono::milliseconds;
using State = PeerState::State;

inline constexpr milliseconds patience{30'000};  // Only a failing test waits so long.

// Waits until `holds`, looking again and again. False if it didn't in time.
template <class Condition>
bool eventually(Condition holds, milliseconds limit = patience) {
  const auto until = std::chrono::steady_clock::now() + limit;
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  while (!holds()) {
    if (std::chrono::steady_clock::now() >= until) return false;
    never.wait_for(lock, milliseconds(2));
  }
  return true;
}

// Lines of a replica's log, taken on any thread.
class Log {
 public:
  LogHook hook() {
    return [this](LogLevel level, std::string_view text, const auto& fields) {
      const std::lock_guard lock(mutex_);
      std::string line(text);
      for (const auto& [name, value] : fields) line += " " + name + "=" + value;
      lines_.emplace_back(level, std::move(line));
    };
  }
  // How many lines of the level contain `part`.
  std::size_t count(LogLevel level, std::string_view part) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count_if(lines_.begin(), lines_.end(), [&](const auto& line) {
      return line.first == level && line.second.find(part) != std::string::npos;
    }));
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<LogLevel, std::string>> lines_;
};

// Fast and patient: a loaded machine makes no test fail.
inline NodeOptions quick(std::vector<std::string> join = {}) {
  return {.cluster = "test",
          .listen = "127.0.0.1:0",
          .join = std::move(join),
          .tick_interval = milliseconds(50),
          .dead_after = milliseconds(60'000),
          .handshake_timeout = milliseconds(30'000),
          .backoff_min = milliseconds(5),
          .backoff_max = milliseconds(50),
          .failures_max = 1'000'000};
}

// A replica with one keyspace, and its node.
struct Peer {
  Log log;
  Replica replica;
  Keyspace shop;
  std::optional<Node> node;

  Peer() : replica(*Replica::open({.log = log.hook()})), shop(replica.keyspace("shop")) {}
  explicit Peer(NodeOptions options) : Peer() { start(std::move(options)); }

  void start(NodeOptions options) {
    node.reset();
    auto started = Node::start(replica, std::move(options));
    if (!started) ADD_FAILURE() << to_string(started.error());
    if (started) node.emplace(std::move(*started));
  }

  std::string address() const { return node->address(); }

  Version put(std::string_view field, std::string_view value) {
    auto written = shop.update([&](Update& tx) { tx.map("m").set(field, Value(value)); });
    EXPECT_TRUE(written) << to_string(written.error());
    return written ? *written : Version();
  }
  std::optional<Value> get(std::string_view field) const {
    auto value = shop.map("m").get(field);
    return value ? *value : std::nullopt;
  }
  bool has(const Version& version) const { return shop.version().includes(version); }

  std::vector<PeerState> peers(State state) const {
    std::vector<PeerState> found = node->peers();
    std::erase_if(found, [&](const PeerState& peer) { return peer.state != state; });
    return found;
  }
  std::size_t connected() const { return peers(State::connected).size(); }
  // The error shown for the first peer in that state.
  std::string error(State state) const {
    const auto found = peers(state);
    return found.empty() ? "" : found.front().last_error;
  }
};

inline bool agree(const Peer& a, const Peer& b) {
  return a.shop.version() == b.shop.version() && a.shop.digests() == b.shop.digests();
}

}  // namespace syncline::test
