// One keyspace inside the engine: its leaves, version, digests and log, and the
// rules by which rows, changes and passes are merged into them.
//
// Internal to sync/: Engine owns it, Session works on it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "crdt/error.h"
#include "sync/changed.h"
#include "sync/counters.h"
#include "sync/digest.h"
#include "sync/joining.h"
#include "sync/leaf_source.h"
#include "sync/leaf_table.h"
#include "sync/leaf_value.h"
#include "sync/lost_leaves.h"
#include "sync/recent_log.h"
#include "sync/record.h"
#include "sync/stability.h"
#include "sync/staged_pass.h"
#include "wire/message.h"

namespace syncline {

struct EngineOptions;
struct PassBasis;
class RangeDigests;

// What applying a change from a peer came to.
enum class Applied { now, duplicate, reused, waits, dropped };

// A leaf as it was found: what it holds, empty if it is absent, and where in the
// table in memory. Good for as long as nothing else writes this leaf.
struct KnownLeaf {
  std::string_view value;
  LeafTable::Position position;
};

class KeyspaceState {
 public:
  // `source` null keeps leaves in memory.
  KeyspaceState(std::string name, const EngineOptions& options, LeafSource* source);
  ~KeyspaceState();
  // As a store left it, whose log it takes. `damaged` unless records of an engine add up to that.
  Result<void> restore(KeyspaceHead& head);
  // The log of then, if it is still to come; what was appended since stays. The same error, without effect.
  Result<void> restore_log(std::vector<LogRecord>& records);

  // ---- leaves ----
  Result<std::optional<std::string_view>> find(std::string_view leaf) const;
  // The same, to be written. What isn't in memory lives until the next call.
  Result<KnownLeaf> find_known(std::string_view leaf) const;
  Result<void> scan(std::string_view from,
                    absl::FunctionRef<bool(std::string_view leaf, std::string_view value)> visit) const;
  // Calls fn for each leaf that records which aren't persisted yet may change, in order, with what is kept
  // for it: while that stays, it reads the same. Other leaves read as the source has them. False, and no
  // call, if that can be any: in memory, and while the source shows what is no more.
  bool for_each_pending(absl::FunctionRef<void(std::string_view leaf, std::string_view kept)> fn) const;
  // The same of what is on disk: what peers may be shown.
  Result<std::optional<std::string_view>> find_persisted(std::string_view leaf) const;
  Result<void> scan_persisted(
      std::string_view from,
      absl::FunctionRef<bool(std::string_view leaf, std::string_view value)> visit) const;

  // ---- lost leaves (mending.cc) ----
  // The stored record of the leaf isn't what was written: from now on nothing is
  // known of it, reads of it fail as `damaged`, and changes that touch it are
  // left to passes. False if that was known, or a pending record writes it anew.
  bool lose(std::string_view leaf);
  const LostLeaves& lost() const { return lost_; }
  // Those lost since the last call.
  std::vector<std::string> take_lost() const { return std::exchange(newly_lost_, {}); }

  // ---- changes ----
  // Applies a change whose turn it is. Reads all leaves before it writes any,
  // so an error of the disk leaves the state as it was. `known` has the leaf of
  // each row if the caller has found them all, and nothing otherwise.
  Result<void> apply(const ChangeView& change, bool own, std::span<const KnownLeaf* const> known = {});
  // Takes a change from a peer, in this keyspace's indices: applies it and what
  // waited for it, keeps it until its turn comes, or tells it is known.
  // `malformed` if it can't be a change of a correct peer.
  Result<Applied> take(const ChangeView& change);
  // What a change made now follows, but for its own actor's dots: the last dots of the frontier.
  std::vector<IndexedDot> dependencies() const;
  // Ascending, of what is on disk: the actors whose last change no other change there follows. Nothing
  // if they are too many to be told.
  std::vector<std::uint32_t> persisted_frontier() const;
  std::uint64_t content_hash(const ChangeView& change) const;
  // Applies early changes whose turn has come. Returns how many.
  Result<std::size_t> drain_early();

  // ---- digests (keyspace_digests.cc) ----
  // What the live dots of a leaf add up to.
  Digest hash_value(const LeafHash& leaf, std::string_view value) const;
  // Of what is on disk. Built by a scan at the first call, kept current from then on.
  Result<const RangeDigests*> persisted_ranges();
  // What a digest pass over these ranges will be held against.
  Result<std::unique_ptr<PassBasis>> make_basis(const RangeList& differing, std::uint64_t salt);
  // The leaves that had these symbols then. `malformed` if some is none's.
  Result<std::vector<std::string>> leaves_named(const PassBasis& basis,
                                                const std::vector<std::uint64_t>& names) const;
  // Adds up the next leaves of a walk over all, and at its end compares: see Engine::scrub().
  struct Scrubbed {
    std::size_t leaves = 0;
    bool finished = false;
    bool unsound = false;
  };
  Result<Scrubbed> scrub(std::size_t leaves_max);

  // ---- passes ----
  // Whether log rows name the leaf of every persisted dot that `base` lacks.
  bool names_all_since(const Counters& base) const;
  // Merges a closed pass: each leaf against its own chunk's version; then the
  // rows are logged and the version grows. All leaves are read before any is
  // written, so an error of the disk leaves the state as it was. `malformed` if
  // the pass doesn't add up to the sender's digests.
  //
  // A repair of distrusted versions never removes (I6): what one side knows and
  // doesn't have stays. What our log says was removed is told as `resurrected`,
  // for the engine to remove again by an ordinary change, which all can follow.
  struct Merged {
    std::uint64_t kept = 0;
    std::uint64_t reused = 0;  // Dots found at two leaves (I5).
    std::uint64_t mended = 0;  // Lost leaves that are whole again.
    bool disagrees = false;    // A digest pass that missed something: nothing was merged.
    std::vector<std::pair<std::string, IndexedDot>> resurrected;
  };
  Result<Merged> merge_pass(const StagedPass& pass);

  // ---- joining: a pass staged in place, see sync/joining.h ----
  // Reads fail with this while it goes on; writing is the caller's to refuse.
  Error joining_error() const;
  bool is_joining() const { return joining_ != nullptr; }
  const Joining* joining() const { return joining_.get(); }
  Joining* joining() { return joining_.get(); }
  // Nothing was ever written here, as far as is known.
  bool is_empty() const { return joining_ == nullptr && version.size() == 0 && leaf_count_ == 0; }
  // Peers may be told what is here, on disk and in memory.
  bool is_whole() const { return joining_ == nullptr && persisted_.joining == nullptr; }
  // From the start: the keyspace is empty, or what came of an earlier pass is dropped.
  void begin_joining();
  // All of it is dropped; the keyspace is empty.
  void give_up_joining();
  // Takes the next chunk. On error (the disk) nothing of it was taken.
  Result<void> join(const StagedChunk& chunk, const std::array<std::uint8_t, 16>& peer,
                    std::chrono::milliseconds now);
  // Ends it, the version grows to the sender's. If that doesn't add up to the
  // digests (`malformed`), all is dropped and the keyspace is empty.
  Result<void> close_joining(const DigestPair& told, const std::vector<std::uint32_t>& their_frontier);

  // ---- persistence ----
  bool in_memory() const { return source_ == nullptr; }
  // Whether anything is new since the last record.
  bool has_record() const { return !in_memory() && dirty_; }
  // What is new, and nothing when nothing is.
  std::optional<KeyspaceRecord> take_record(std::uint64_t sequence);
  // Whether the store must drop the keyspace before it takes that.
  bool is_emptied() const { return emptied_; }
  void handle_persisted(std::uint64_t sequence);
  // Back to what is on disk; the next write draws a fresh actor.
  void undo();
  // The same without going back; the store is told, too.
  void forget_self() {
    self = ActorTable::none;
    dirty_ = true;
  }
  // What was persisted since the last call, while watched: change by change.
  std::vector<LeavesChanged> take_touched();
  // Drops log entries over the budget; counts them.
  std::size_t cut_log(std::size_t bytes);
  // Drops the oldest entries that are within `floor`, down to so many bytes; counts them.
  std::size_t cut_log_within(const Counters& floor, std::size_t bytes);
  void stage_for_record(std::string bytes, bool clear);

  const Counters& persisted_version() const { return in_memory() ? version : persisted_.version; }
  // Those of nothing until it is whole.
  const DigestPair& persisted_digests() const {
    static constexpr DigestPair of_nothing{};
    return !is_whole() ? of_nothing : in_memory() ? digests : persisted_.digests;
  }
  // The actors of what is on disk whose counters grew last, at most so many, in the order of their
  // indices. After opening a store those whose first dots came last. O(actors).
  std::vector<std::uint32_t> latest_actors(std::size_t count) const;
  std::uint64_t persisted_log_end() const { return in_memory() ? log.end() : persisted_.log_end; }
  // Grows with each pass that was merged or joined: what it brought isn't in the log to be pushed.
  std::uint64_t passes() const { return passes_; }
  // The same of what is on disk.
  std::uint64_t persisted_passes() const { return in_memory() ? passes_ : persisted_.passes; }
  // The pair that this replica had persisted at that context digest, of the last 64.
  std::optional<DigestPair> persisted_pair_at(const Digest& context) const;

  // ---- plain state, kept by the above ----
  std::string name;
  ActorTable actors;
  Counters version;
  std::uint32_t self = ActorTable::none;  // The actor written under; none before the first write.
  DigestPair digests;                     // Of what is here; while joining, that is part of a state.
  RecentLog log;
  Stability stability;
  bool watched = false;
  // Our leaves aren't what our digests say: something was lost, and nobody knows what. Until a
  // repair was merged nobody is given a pass, for what we lack would look removed.
  bool distrusted = false;
  std::uint64_t repairs = 0;  // Grows when state changes under an equal version: passes start anew.
  std::size_t early_count() const { return early_.size(); }
  std::size_t leaf_count() const { return leaf_count_; }
  std::size_t leaf_memory_bytes() const { return table_.memory_bytes(); }

  // The pass being received, by whichever session; and one that was cut.
  std::unique_ptr<StagedPass> inbound;
  std::unique_ptr<StagedPass> parked;

 private:
  // What the source has, `damaged` where that isn't a leaf of a keyspace with these actors.
  Result<std::optional<std::string_view>> find_stored(std::string_view leaf) const;
  // What a scan does about lost leaves: fails at those that nothing is known of,
  // or at all whose record is unreadable, or leaves them out.
  enum class Lost { waiting_fail, unreadable_fail, left_out };
  Result<void> scan_stored(
      std::string_view from, Lost lost,
      absl::FunctionRef<bool(std::string_view leaf, std::string_view value)> visit) const;
  Result<void> scan_all(std::string_view from, Lost lost,
                        absl::FunctionRef<bool(std::string_view leaf, std::string_view value)> visit) const;
  struct Snapshot {
    Counters version;
    DigestPair digests;
    std::uint64_t log_end = 0;
    std::uint64_t passes = 0;
    std::uint32_t actor_count = 0;
    std::vector<std::uint32_t> frontier;
    std::size_t leaf_count = 0;
    std::shared_ptr<const Joining> joining;
  };
  struct RangeDelta {
    std::uint32_t range = 0;
    Digest change;
  };
  struct ScrubWalk {
    std::string cursor;  // The last leaf added up.
    Digest sum;          // Of the leaves up to it as they are now.
  };
  struct InFlight {
    std::uint64_t sequence = 0;
    std::uint64_t epoch = 0;
    Snapshot snapshot;
    std::vector<std::string> leaves;
    std::vector<std::pair<std::uint32_t, std::uint64_t>> log_cut;
    std::size_t touched = 0;  // So many of touched_ belong to it.
    bool emptied = false;
    std::vector<RangeDelta> range_deltas;
  };
  struct Merging;
  using EarlyChanges =
      std::map<std::pair<std::uint32_t, std::uint64_t>, LogEntry>;  // By actor and first counter.

  bool may_have_joined(std::string_view leaf) const;
  Result<void> restore_joining(const KeyspaceHead& head);
  Result<std::optional<std::string_view>> find_any(std::string_view leaf) const;
  void raise_version(std::uint32_t actor, std::uint64_t counter);
  std::vector<std::uint32_t> frontier() const;
  Result<void> restore_frontier(const std::vector<std::uint32_t>& stored);
  void follow(const ChangeView& change, bool own);
  void take_version(const Counters& theirs, const std::vector<std::uint32_t>& their_frontier);
  // What put_leaf() writes from now on is told as one, if anybody watches.
  void begin_touched(std::optional<ActorId> origin, std::uint64_t hlc, bool own);
  void put_leaf(std::string_view leaf, const KnownLeaf& known, std::string_view value);
  Digest hash_of(const LeafHash& leaf, const IndexedLive& live) const;
  void count_digest(const LeafHash& leaf, const Digest& change);
  std::uint64_t apply_row(const RowView& row, IndexedDot dot, const KnownLeaf& known);
  bool is_due(const ChangeView& change) const;
  Result<std::size_t> take_early(EarlyChanges::iterator& it);
  Result<void> check_removed(const ChangeView& change) const;
  Result<void> merge_leaf(Merging& merging, std::string_view leaf, std::string_view theirs,
                          const Counters& theirs_version);
  Result<void> merge_absent(Merging& merging);
  void count_range(std::uint64_t leaf_hash, const Digest& change);
  void count_ranges(const std::vector<RangeDelta>& deltas);
  Result<bool> basis_agrees(const StagedPass& pass) const;
  Result<void> merge_touched(Merging& merging);
  Result<void> recount();
  void follow_scrub(std::string_view leaf, std::string_view before, std::string_view value);
  void forget_ranges();
  void note_restored(const Digest& state_before, bool sender_had_all);
  // The mending part of a pass: see mending.cc.
  bool note_lost(std::string_view leaf) const;
  bool touches_lost(const ChangeView& change) const;
  Result<void> prepare_mending(Merging& merging) const;
  void mend(Merging& merging);
  // From now on no copy of the lost leaves is taken for what they were.
  void forget_what_was_lost();
  void write_merged(std::string_view leaf, const KnownLeaf& known, std::string_view merged);
  bool was_removed_by_log(Merging& merging, IndexedDot dot) const;
  bool is_named_elsewhere(std::string_view leaf, IndexedDot dot) const;
  bool is_live_elsewhere(Merging& merging, std::string_view leaf, IndexedDot dot) const;
  void log_pass(const StagedPass& pass, const Counters& before);
  Result<void> check_digests(const StagedPass& pass) const;
  Result<void> restore_version(const KeyspaceHead& head);
  Result<void> restore_self(std::optional<std::uint32_t> stored);
  Snapshot snapshot() const;
  void remember_pair();
  void cut_oldest();

  const EngineOptions& options_;
  LeafSource* source_;
  LeafTable table_;  // All leaves, or the overlay: epoch (8 bytes) and value, empty for erased.
  std::size_t leaf_count_ = 0;
  std::uint64_t passes_ = 0;

  std::unique_ptr<Joining> joining_;

  std::vector<std::uint64_t> raised_;  // By actor: at which of all raises its counter grew last.
  std::uint64_t raises_ = 0;
  // What is known to be followed by another change isn't in it; what isn't known of is.
  absl::flat_hash_set<std::uint32_t> frontier_;
  EarlyChanges early_;
  std::size_t early_bytes_ = 0;

  std::array<DigestPair, 64> pairs_{};  // A ring, newest at pair_count_ - 1.
  std::size_t pair_count_ = 0;

  // With a source only.
  bool dirty_ = false;
  std::uint64_t epoch_ = 1;  // Of the record being gathered; the overlay is stamped with it.
  std::vector<std::string> changed_leaves_;
  std::vector<std::pair<std::uint32_t, std::uint64_t>> log_cut_;
  std::vector<std::string> staged_;
  bool staged_cleared_ = false;
  bool emptied_ = false;                     // The next record drops what the store has first.
  std::uint32_t unpersisted_emptyings_ = 0;  // Until it did, the source shows what is no more.
  Snapshot recorded_;
  Snapshot persisted_;
  std::vector<InFlight> in_flight_;
  std::vector<LeavesChanged> touched_;  // In order of writing; the first touched_durable_ are persisted.
  std::size_t touched_durable_ = 0;

  std::unique_ptr<RangeDigests> ranges_;  // Of what is on disk; null until somebody needs it.
  std::vector<RangeDelta> range_deltas_;  // With a source: since the last record.
  std::unique_ptr<ScrubWalk> scrub_;
  std::optional<Digest> missing_;  // While distrusted, once digests say what is here: what they said more.

  mutable LostLeaves lost_;  // Reading finds out.
  mutable std::vector<std::string> newly_lost_;

  // Scratch, reused so that rows cost no allocation.
  std::string value_;
  ChangeReader reader_;
};

}  // namespace syncline
