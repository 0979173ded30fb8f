// The engine: all keyspaces of one replica, and the rules of merging them.
//
// It does no I/O, reads no clock, draws no random number and calls nobody:
// time and entropy come in by the call, work leaves by poll_*(). The caller's
// duties, after each call that may have changed something:
//   1. poll_record() until there is none; commit each to the store, in order;
//   2. handle_persisted() or handle_failed() for each;
//   3. poll_event() until there is none.
// What isn't persisted is read by this replica's own users and by nobody else:
// sessions see the persisted state only (I4). An engine without LeafSource
// keeps everything in memory; then each change counts as persisted at once and
// there are no records.
//
// Not thread-safe: it belongs to one Replica, whose lock guards it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/functional/function_ref.h"
#include "crdt/error.h"
#include "crdt/export.h"
#include "crdt/row.h"
#include "crdt/version.h"
#include "sync/changed.h"
#include "sync/leaf_source.h"
#include "sync/member_list.h"
#include "sync/record.h"
#include "sync/time.h"
#include "sync/transaction.h"

namespace syncline {

class KeyspaceState;

// The system keyspace in which the members are listed. Every session shares it that can.
inline constexpr std::string_view members_keyspace = "syncline.members";

struct EngineOptions {
  // Seeds the ids drawn by this engine. Must be fresh random bits at every start.
  std::array<std::uint64_t, 4> entropy{};
  std::size_t value_bytes_max = 64 * 1024;          // One payload.
  std::size_t key_bytes_max = 16 * 1024;            // One leaf key, escaped.
  std::size_t change_bytes_max = 16 * 1024 * 1024;  // One change: what must apply at once.
  std::size_t change_rows_max = 1'000'000;          // Rows of one change.
  std::size_t path_depth_max = 32;                  // Maps in one another; more than 32 are never read.
  std::size_t log_bytes_max = 64 * 1024 * 1024;     // Recent log of one keyspace.
  std::size_t log_stable_bytes = 1024 * 1024;       // Of that, so much stays though all members have it.
  std::size_t early_bytes_max = 4 * 1024 * 1024;    // Changes that wait for what they depend on, a keyspace.
  std::size_t staged_bytes_max = std::size_t{1} << 30;  // An inbound pass before it is merged, a keyspace.
  // A full pass into an empty keyspace goes straight into its leaves, however many there are: it
  // takes no memory beside the state, and until it is complete the keyspace is `joining`, neither
  // readable nor writable. Off, a fresh replica can be read and written at once, for the pass
  // is staged beside what is there, of at most `staged_bytes_max`.
  bool join_in_place = false;
  std::size_t keyspaces_max = 65'536;
  std::size_t events_max = 65'536;  // Unpolled notices.
  std::chrono::milliseconds drift_max = std::chrono::minutes(10);
  // Between two epochs of acknowledgements, in each keyspace: this, or 60 ms a member if that is more.
  std::chrono::milliseconds epoch_rest = std::chrono::seconds(1);
};

// How far a keyspace came that is joining: what of a peer's state is here.
struct JoinProgress {
  std::uint64_t leaves = 0;
  std::uint64_t bytes = 0;  // Of keys and values, as they came.
};

// Something its operator should know. `detail` is for people.
struct Notice {
  enum class Kind {
    divergence_detected,  // Equal versions, unequal states: a repair begins (I6).
    repair_kept,          // A repair found a dot that one side lacks and kept it.
    dot_reused,           // Two changes under one dot (I5).
    amnesia,              // A peer knows more of our actor than we do: we took a fresh one.
    clock_drift,          // A timestamp is further ahead than drift_max: applied, not followed.
    store_copied,         // A peer runs a copy of this very store. Both go on, under actors of their own.
    commit_failed,        // The store failed; everything since the last commit was undone.
    early_dropped,        // A change that waits for others was dropped; a pass will bring it.
    leaf_lost,            // What is stored of a leaf can't be read: it waits for a peer that has it.
    leaf_mended,          // It is whole again; the record that says so writes the leaf.
    joined,               // A pass that was staged in place is complete. Nothing was told of its leaves.
  };
  Kind kind;
  std::string keyspace;
  std::string detail;
};

using EngineEvent = std::variant<LeavesChanged, Notice, Asked>;

// Counts since the start.
struct EngineMetrics {
  std::uint64_t changes_local = 0;
  std::uint64_t changes_remote = 0;     // Applied, by push.
  std::uint64_t changes_duplicate = 0;  // Arrived though known.
  std::uint64_t changes_waiting = 0;    // Now in the early buffers.
  std::uint64_t early_dropped = 0;
  std::uint64_t passes_merged = 0;
  std::uint64_t digest_passes = 0;  // Of these, named by a sketch.
  std::uint64_t digest_misses = 0;  // Digest passes that missed something and were done anew.
  std::uint64_t leaves_scrubbed = 0;
  std::uint64_t divergence_detected = 0;
  std::uint64_t repair_kept = 0;
  std::uint64_t dots_reused = 0;
  std::uint64_t clock_drift = 0;
  std::uint64_t commits_failed = 0;
  std::uint64_t leaves_lost = 0;
  std::uint64_t leaves_mended = 0;
  std::uint64_t log_cut = 0;           // Log entries dropped for the budget.
  std::uint64_t log_cut_stable = 0;    // Log entries dropped because all members have them.
  std::uint64_t acknowledgements = 0;  // Times that something new was learned of what members have.
};

// What a call of Engine::scrub() came to.
struct ScrubProgress {
  std::size_t leaves = 0;  // Read by this call.
  bool finished = false;   // All leaves were read since the walk began; the next call begins anew.
  bool sound = true;       // False if they aren't what the digests say.
};

class SYNCLINE_EXPORT Engine {
 public:
  // Keeps all leaves in memory.
  explicit Engine(EngineOptions options);
  // Goes on with what a store has. Reads leaves through `source`, which must
  // outlive the engine. `damaged`, saying which keyspace and what, unless `head`
  // is what records of an engine add up to; the leaves are not read for that.
  static Result<std::unique_ptr<Engine>> restore(EngineOptions options, LeafSource& source, Head head);
  // Takes the logs that heads left out for later; whose log isn't among them had none. Until then logs
  // are as if they had been cut, which is never wrong: passes are larger, a dot that was used twice may
  // go unnoticed; and no log is kept to its bounds. Due before sessions begin. `damaged` as above; those
  // before it were taken.
  Result<void> restore_logs(std::vector<KeyspaceLog> logs);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // The keyspace of that name, made (empty, without an actor) if it is new. The
  // pointer lives until the keyspace is dropped.
  Result<KeyspaceState*> open_keyspace(std::string_view name);
  KeyspaceState* find_keyspace(std::string_view name);
  // By name.
  std::vector<std::string> keyspace_names() const;
  // Forgets the keyspace here. Others keep it; reopened, it writes under a fresh actor.
  Result<void> drop_keyspace(std::string_view name);

  // Begins a change. Only one may be open at a time, and nothing else may be
  // called on the engine before it is committed or destroyed.
  Transaction begin(KeyspaceState& keyspace, Time now);
  // Ends it. The version's token covers the change; an empty change changes
  // nothing. On error nothing was written.
  Result<Version> commit(Transaction&& transaction);

  // Reads, pending changes of this replica included. Views live until the next call.
  Result<std::optional<std::string_view>> find(const KeyspaceState& keyspace, std::string_view leaf) const;
  // Leaves with keys >= `from`, in order, until `visit` returns false.
  Result<void> scan(const KeyspaceState& keyspace, std::string_view from,
                    absl::FunctionRef<bool(std::string_view leaf, std::string_view value)> visit) const;
  // Calls fn(LiveDotView) for each live dot in a stored leaf value of this keyspace.
  void for_each_live(const KeyspaceState& keyspace, std::string_view value,
                     absl::FunctionRef<void(const LiveDotView&)> fn) const;

  // What this replica has, pending changes included; what of it is on disk.
  Version version(const KeyspaceState& keyspace) const;
  Version persisted_version(const KeyspaceState& keyspace) const;
  DigestPair digests(const KeyspaceState& keyspace) const;
  DigestPair persisted_digests(const KeyspaceState& keyspace) const;
  // How far it came, while a pass is staged in place. Then reads and writes fail with `joining`, the
  // version is empty, and the digests are those of nothing.
  std::optional<JoinProgress> joining(const KeyspaceState& keyspace) const;
  // The error of reads and writes while it is joining.
  Result<void> check_joined(const KeyspaceState& keyspace) const;
  // The actor this replica writes under; nothing before the first write.
  std::optional<ActorId> own_actor(const KeyspaceState& keyspace) const;
  // When the change that made a dot was made, by its writer's hybrid logical clock; nothing if the
  // log no longer has it.
  std::optional<std::uint64_t> made_at(const KeyspaceState& keyspace, const Dot& dot) const;
  // The leaves touched by dots that `since` lacks, sorted; `version_too_old` if
  // the log doesn't reach back that far.
  Result<std::vector<std::string>> touched_since(const KeyspaceState& keyspace, const Version& since) const;
  // Recomputes the pair from all leaves: the slow, obvious way, for tests and scrubs.
  Result<DigestPair> recompute_digests(const KeyspaceState& keyspace) const;
  // Number of live leaves; estimated bytes in memory of the leaves and of the log.
  std::size_t leaf_count(const KeyspaceState& keyspace) const;
  std::size_t leaf_memory_bytes(const KeyspaceState& keyspace) const;
  std::size_t log_memory_bytes(const KeyspaceState& keyspace) const;
  // Cuts the recent log to at most `bytes`. Peers that would have needed it get a full pass.
  void cut_log(KeyspaceState& keyspace, std::size_t bytes);

  // ---- members and stability (sync/stability.h) ----
  // Who has to acknowledge, from now on. Of what is on disk: the list that says so must be.
  void set_members(MemberList members);
  const MemberList& members() const;
  // Acknowledges what is on disk, where that is due. Sessions do it for the keyspaces they share.
  void acknowledge(KeyspaceState& keyspace, Time now);
  // What every member is known to have on disk. Empty while that is unknown.
  Version stable_version(const KeyspaceState& keyspace) const;
  // The same once this replica has all that the members had together when they said so, else empty: whatever
  // anybody wrote without knowing of this version is here. What types may collect by.
  Version collectable_version(const KeyspaceState& keyspace) const;
  // Whether every member is known to have that version on disk. O(entries of `version`).
  bool is_stable(const KeyspaceState& keyspace, const Version& version) const;
  // For how long something on this disk has waited to be stable; zero if nothing does. Nothing if the
  // members haven't acknowledged anything yet.
  std::optional<std::chrono::milliseconds> stability_age(const KeyspaceState& keyspace, Time now) const;
  // The places in members() of those that an open epoch waits for.
  std::vector<std::size_t> unacknowledged(const KeyspaceState& keyspace) const;

  // Whether changes of leaves raise LeavesChanged events.
  void watch(KeyspaceState& keyspace, bool on);

  // The store can't read this leaf any more, or what it reads isn't what was
  // written (R-DUR-6). The engine finds out by itself where LeafSource::find()
  // says `damaged`, and where a value can't be a leaf; a store that finds out
  // otherwise (a scrub, its own list of such leaves when it was opened) calls
  // this, before sessions begin where it can. From then on the leaf is neither
  // there nor absent: reads of it, scans across it and writes to it fail as
  // `damaged`; peers that would need it are refused their pass, and nobody takes
  // it for removed; changes from peers that touch it wait. Sessions ask peers
  // that have all that this replica has for the leaf, as if it had never been
  // seen here. Once one has told, a record puts or erases the leaf, whatever was
  // stored of it, with the right digests (for which all leaves are read once), and
  // a leaf_mended notice follows. So the store's whole duty is: leave the leaf out
  // of scan(), say `damaged` to find() or call this again after a restart, and forget
  // the damage when it commits a record that has the leaf. Lasts until then or until
  // the engine ends. False if it was known, or a pending record writes the leaf
  // anyhow; `invalid_argument` unless it is a leaf key.
  Result<bool> distrust(KeyspaceState& keyspace, std::string_view leaf);
  // Reads the next leaves of a walk over all of the keyspace, at most so many, and at
  // its end compares what they add up to with the digest: call it now and then, as
  // time allows. Writes may come in between; a failed commit begins the walk anew.
  // If leaves aren't what was written, that is reported, sessions repair it with a
  // peer (which removes nothing), and until then no peer is given a pass of this
  // keyspace. Leaves that can't be read are lost from then on, see distrust(). O(leaves read).
  Result<ScrubProgress> scrub(KeyspaceState& keyspace, std::size_t leaves_max);
  // The leaves that wait to be mended, sorted.
  std::vector<std::string> lost_leaves(const KeyspaceState& keyspace) const;

  // The next transaction for the store, or nothing. Records are committed in order.
  std::optional<Record> poll_record();
  // The record is durable: what it covers may be shown to peers.
  void handle_persisted(std::uint64_t sequence);
  // The record couldn't be committed. It and all later ones are undone, every
  // session must be dropped, a fresh actor is drawn at the next write.
  void handle_failed(const Error& error);
  // While on, what peers bring is dropped and nothing is asked of them; they are
  // still told what is here. For a store that can't take anything now: later
  // passes bring what was dropped. Local changes are the caller's to refuse.
  void set_read_only(bool on);
  // Grows by one with each handle_failed(): sessions made before are void.
  std::uint64_t generation() const;

  std::optional<EngineEvent> poll_event();
  const EngineMetrics& metrics() const;
  const EngineOptions& options() const;

 private:
  friend class Session;
  struct Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace syncline
