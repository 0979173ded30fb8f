// The engine's inside, as Session sees it. Internal to sync/.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "crdt/hlc.h"
#include "sync/engine.h"
#include "sync/keyspace_state.h"
#include "sync/transaction_scratch.h"

namespace syncline {

// An op of a transaction that writes.
struct OrderedOp {
  std::uint64_t head;     // Eight bytes of its leaf to sort it by: see head_of().
  std::uint32_t op;       // Its place among the ops.
  std::uint32_t removed;  // So many dots it removes.
};

struct Engine::Impl {
  Impl(EngineOptions options, LeafSource* source);
  Result<void> restore(Head head);

  // The next id drawn from the seed.
  ActorId draw();
  // The actor to write under, drawn when there is none.
  std::uint32_t writer(KeyspaceState& keyspace);

  // Takes a change from a peer, in the keyspace's indices, and all that waited
  // for it. `malformed` if no correct peer sends it, `storage` if the disk
  // can't be read; then it wasn't applied.
  Result<Applied> take(KeyspaceState& keyspace, const ChangeView& change, Time now);
  // Merges a closed pass. The same errors. False if a digest pass missed something: then
  // nothing was merged.
  Result<bool> merge_pass(KeyspaceState& keyspace, const StagedPass& pass, Time now);
  // The same of one that was staged in place.
  Result<void> close_joining(KeyspaceState& keyspace, const DigestPair& digests,
                             const std::vector<std::uint32_t>& frontier);
  Result<void> drain(KeyspaceState& keyspace);
  Result<void> remove_again(KeyspaceState& keyspace, std::vector<std::pair<std::string, IndexedDot>> dots,
                            Time now);
  // A peer knows this version: is there more of our own actor in it than we know of? (R-ID-3)
  void check_amnesia(KeyspaceState& keyspace, const Counters& peer);

  // What this replica has on disk is added to the acknowledgements, if due; what a peer knows of them.
  void acknowledge(KeyspaceState& keyspace, Time now);
  void merge_acknowledgements(KeyspaceState& keyspace, const Acknowledgements& theirs, Time now);
  void cut_stable(KeyspaceState& keyspace, std::uint64_t revision);

  // A peer asks for something. False, and it is dropped, while too many requests wait to be polled.
  bool take_ask(Asked asked);

  void notice(Notice::Kind kind, const KeyspaceState& keyspace, std::string detail);
  // Tells of leaves that reading found lost.
  void report_lost(const KeyspaceState& keyspace);
  // A peer is a copy of this very store.
  void notice_copy(const std::string& address);
  // Moves what happened to a keyspace into the event queue; cuts its log to size.
  void settle(KeyspaceState& keyspace);
  void fail_commit(const Error& error);

  EngineOptions options;
  LeafSource* source;
  Hlc clock;
  std::uint64_t drawn = 0;
  // Ids of inbound passes differ over all sessions and, most likely, runs: a
  // frame of an older connection is no answer to a newer one's question.
  std::uint32_t next_pass;
  std::map<std::string, std::unique_ptr<KeyspaceState>, std::less<>> keyspaces;
  std::uint64_t keyspaces_opened = 0;  // Grows with each, so that sessions notice.
  std::vector<std::string> dropped;    // To be recorded.
  TransactionScratch scratch;
  std::vector<RowView> rows;  // Scratch of commit().
  std::vector<const KnownLeaf*> known;
  std::vector<IndexedDot> removed;
  std::vector<OrderedOp> order;
  MemberList members;
  std::uint64_t members_changed = 0;  // So often.
  bool read_only = false;
  std::uint64_t sequence = 0;
  std::uint64_t generation = 0;
  std::deque<EngineEvent> events;
  std::size_t notices = 0;  // Of events: these are bounded...
  std::size_t asks = 0;     // ...and these.
  EngineMetrics metrics;
};

}  // namespace syncline
