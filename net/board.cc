#include "net/board.h"

#include <algorithm>
#include <utility>

namespace syncline {

void add(SessionMetrics& sum, const SessionMetrics& more) {
  sum.frames_in += more.frames_in;
  sum.frames_out += more.frames_out;
  sum.bytes_in += more.bytes_in;
  sum.bytes_out += more.bytes_out;
  sum.changes_in += more.changes_in;
  sum.changes_out += more.changes_out;
  sum.passes_in += more.passes_in;
  sum.passes_out += more.passes_out;
  sum.full_passes_in += more.full_passes_in;
  sum.leaves_in += more.leaves_in;
  sum.leaves_out += more.leaves_out;
  sum.ticks_equal += more.ticks_equal;
  sum.ticks_unequal += more.ticks_unequal;
}

PeerState current(const PeerRow& row) {
  PeerState state = row.state;
  if (row.link) {
    state.in_sync = row.link->in_sync();
    state.traffic = row.link->metrics();
    state.last_synced = std::chrono::milliseconds(row.gauges->last_synced_ms);
    state.write_queue_bytes = row.gauges->write_queue_bytes;
  }
  return state;
}

void Board::post(std::vector<PeerRow> rows, const SessionMetrics& closed) {
  {
    const std::lock_guard lock(mutex_);
    rows_.swap(rows);
    add(closed_traffic_, closed);
    ++changes_;
  }
  changed_.notify_all();
  // The old rows, and with them the last hold on closed links, go without the lock.
}

void Board::notify() {
  {
    const std::lock_guard lock(mutex_);
    ++changes_;
  }
  changed_.notify_all();
}

void Board::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
}

std::vector<PeerRow> Board::rows() const {
  const std::lock_guard lock(mutex_);
  return rows_;
}

std::vector<PeerState> Board::peers() const {
  std::vector<PeerState> states;
  for (const PeerRow& row : rows()) states.push_back(current(row));
  return states;
}

SessionMetrics Board::traffic() const {
  std::unique_lock lock(mutex_);
  const std::vector<PeerRow> rows = rows_;
  SessionMetrics sum = closed_traffic_;
  lock.unlock();
  for (const PeerRow& row : rows) {
    if (row.link) add(sum, row.link->metrics());
  }
  return sum;
}

Result<void> Board::wait_until_synced(std::chrono::milliseconds timeout) const {
  const auto until = std::chrono::steady_clock::now() +
                     std::min<std::chrono::milliseconds>(timeout, std::chrono::hours(24 * 365));
  std::unique_lock lock(mutex_);
  while (true) {
    const std::uint64_t seen = changes_;
    std::vector<PeerRow> rows = rows_;
    if (closed_) return failure(Errc::closed, "the node was stopped");
    // Links have the replica's lock, which isn't to be waited for under this one.
    lock.unlock();
    std::erase_if(rows, [](const PeerRow& row) { return row.state.state != PeerState::State::connected; });
    const bool synced = !rows.empty() && std::all_of(rows.begin(), rows.end(),
                                                     [](const PeerRow& row) { return row.link->in_sync(); });
    rows.clear();
    if (synced) return {};
    lock.lock();
    if (!changed_.wait_until(lock, until, [&] { return changes_ != seen || closed_; })) {
      return failure(Errc::timeout, "not all connected peers were found equal in time");
    }
  }
}

}  // namespace syncline
