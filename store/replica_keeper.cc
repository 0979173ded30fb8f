// What a replica does in its own time: commits what was gathered, and looks
// after its file.
#include <algorithm>

#include "fmt/format.h"
#include "store/replica_state.h"
#include "store/sqlite_store.h"

namespace syncline {
namespace {

// Checked under one hold of the lock: a mebibyte, some milliseconds.
constexpr std::size_t slice_pages = 256;
constexpr std::chrono::milliseconds slice_rest_min{10};

}  // namespace

void ReplicaState::keep_time(std::shared_ptr<ReplicaState> state) {
  for (Lock lock(state->mutex); !state->closed;) {
    auto due = state->commit_at;
    if (!due || (state->scrub_at && *state->scrub_at < *due)) due = state->scrub_at;
    if (!due) {
      state->keeper_wanted.wait(lock);
    } else if (std::chrono::steady_clock::now() < *due) {
      state->keeper_wanted.wait_until(lock, *due);
    } else {
      lock.unlock();
      {
        Turn turn(state);
        if (!turn->closed) turn->do_what_is_due();
      }
      lock.lock();
    }
  }
}

void ReplicaState::do_what_is_due() {
  const auto now = std::chrono::steady_clock::now();
  if (commit_at && *commit_at <= now) {
    static_cast<void>(pump(Commit::now));  // On error flush() tells, and the links.
    wake_all = true;
  }
  if (scrub_at && *scrub_at <= now) {
    static_cast<void>(scrub());  // On error the next read or write tells.
    scrub_later();
  }
}

// ---- the file ----

Result<bool> ReplicaState::scrub() {
  auto more = file->scrub(slice_pages);
  static_cast<void>(pump());  // A store that failed says so to the next writer, too.
  return more;
}

void ReplicaState::scrub_later() {
  const auto slices = static_cast<std::int64_t>(file->health().pages / slice_pages + 1);
  scrub_at = std::chrono::steady_clock::now() + std::max(scrub_period / slices, slice_rest_min);
}

void ReplicaState::scrub_soon() {
  if (scrub_period.count() == 0) return;
  scrub_at = std::chrono::steady_clock::now();
  keeper_wanted.notify_all();
}

void ReplicaState::tell_damage() {
  if (!file) return;
  for (const QuarantinedLeaf& leaf : file->take_quarantined())
    if (KeyspaceState* const keyspace = engine->find_keyspace(leaf.keyspace))
      static_cast<void>(engine->distrust(*keyspace, leaf.leaf));  // It tells, if it didn't know.
  const FileHealth now = file->counts();
  const auto tell = [&](std::uint64_t FileHealth::*count, LogLevel level, const char* text) {
    if (now.*count != told_health.*count)
      log_lines.push_back({level, text, {{"count", fmt::format("{}", now.*count - told_health.*count)}}});
  };
  tell(&FileHealth::mended_pages, LogLevel::warning, "flipped bits of the store were put right");
  tell(&FileHealth::damaged_pages, LogLevel::error,
       "a page of the store is damaged beyond telling what it held: nothing is written any more");
  tell(&FileHealth::scrubs, LogLevel::debug, "the whole store was checked");
  told_health = now;
}

}  // namespace syncline
