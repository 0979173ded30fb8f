// What a node shows to other threads, and the waits on it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "net/link.h"
#include "net/node.h"

namespace syncline {

// One peer as the loop's thread last posted it, with doors to what changes all the time.
struct PeerRow {
  PeerState state;
  std::shared_ptr<Replica::Link> link;  // Null without a connection.
  std::shared_ptr<LinkGauges> gauges;
};

// Any thread may call anything.
class Board {
 public:
  // Replaces the rows; `closed` is the traffic of links that ended since the last call.
  void post(std::vector<PeerRow> rows, const SessionMetrics& closed);
  // A verdict may have changed.
  void notify();
  // Ends all waits with `closed`.
  void close();

  std::vector<PeerState> peers() const;
  SessionMetrics traffic() const;
  Result<void> wait_until_synced(std::chrono::milliseconds timeout) const;

 private:
  std::vector<PeerRow> rows() const;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::uint64_t changes_ = 0;
  bool closed_ = false;
  std::vector<PeerRow> rows_;
  SessionMetrics closed_traffic_;
};

// The row as of now.
PeerState current(const PeerRow& row);
void add(SessionMetrics& sum, const SessionMetrics& more);

}  // namespace syncline
