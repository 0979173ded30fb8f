// What a keyspace must look like, told from the rows that were made.
//
// The oracle holds every row ever made and never merges: the live dots of a
// replica must be exactly those of rows within its version less those removed
// by rows within its version. So equal versions mean equal live dots, nothing
// removed returns, and no version covers a dot whose effect is absent.
//
// A finding is a sentence for people; an empty string says that all is well.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "crdt/version.h"
#include "sync/engine.h"

namespace syncline::sim {

using Finding = std::string;

// A leaf before and after an event.
struct LeafChange {
  std::string leaf;
  Leaf before;
  Leaf after;
};

// A copy of all leaf values of one replica's keyspace, to see what an event changed.
class Mirror {
 public:
  // The disk may have another value of the leaf than it had.
  void touch(std::string_view leaf) { touched_.emplace_back(leaf); }
  // Any leaf may be another.
  void forget() { all_ = true; }
  // Reads what the engine has now: all leaves if `all`, or if any may be another; else those that were
  // touched on the disk, and those that records not on it yet may change or might have changed at the last
  // reading, but for what waits for its record unaltered. Returns the leaves that aren't as they were, in
  // order; only counts them unless `wanted`.
  std::vector<LeafChange> refresh(const Engine& engine, const KeyspaceState& keyspace, bool wanted, bool all);
  // A sum over all live dots: the same for equal contents and for no others.
  std::uint64_t hash() const { return hash_; }
  std::size_t changed() const { return changed_; }
  // Whether the last refresh() could read all; if not, what it found is of no use.
  bool readable() const { return readable_; }

 private:
  struct Entry {
    std::string value;
    std::uint64_t hash = 0;
  };
  using Entries = absl::btree_map<std::string, Entry, std::less<>>;
  // A leaf of a record that isn't on the disk yet, and what the engine keeps of it.
  struct Pending {
    std::string leaf;
    std::string kept;
  };
  struct Refresh;

  bool note_pending(const KeyspaceState& keyspace);

  Entries entries_;
  std::vector<Pending> pending_;  // At the last reading, by leaf.
  std::vector<std::string> touched_;
  bool all_ = true;
  std::uint64_t hash_ = 0;
  std::size_t changed_ = 0;
  bool readable_ = true;
};

// How a replica ended before it came back.
enum class Comeback {
  in_order,  // Everything was written, and it goes on under its actors.
  undone,    // A commit failed. As below, but an end in good order may bring its actors back.
  crashed,   // Rows beyond its disk were shown to nobody: they never were. Its actors write no more.
  older,     // With an older disk: rows beyond it may live on elsewhere. Its actors write no more.
};

class Oracle {
 public:
  // What one replica is expected to hold.
  struct View {
    Version version;
    DigestPair digests;
    std::vector<std::uint64_t> counters;   // By the oracle's index of actors.
    std::vector<std::vector<bool>> alive;  // By actor and counter - 1.
    std::uint64_t expected = 0;            // Mirror::hash() of what is alive.
    Mirror mirror;
    Version mirrored;             // The engine's when the mirror was read...
    DigestPair mirrored_digests;  // ...and these were its digests.
  };

  // Takes down the change that `replica` made under `self`, which led from the
  // view's version to another and changed these leaves, and holds it against the
  // rules of changes: own counters run on without holes, one row for each leaf.
  Finding add_change(std::uint32_t replica, const ActorId& self, const View& before, const Version& after,
                     const std::vector<LeafChange>& leaves);
  // The same where dots may be used twice: only what was put is taken down.
  void note_made(const ActorId& self, const std::vector<LeafChange>& leaves);
  // Whether all that is live was put there by somebody.
  Finding check_made(const Engine& engine, const KeyspaceState& keyspace) const;
  // `replica` came back with what its disk holds. `others` are the views of the rest.
  Finding restart(std::uint32_t replica, const Version& disk, Comeback how,
                  const std::vector<const View*>& others);
  // Rows of actors that write no more and that none of the holders has needn't come back.
  void reckon(const std::vector<Version>& holders);

  // Moves the view to what the engine says and holds the two against each other.
  // Reads what may have changed, or, if `thorough`, all leaves, and recomputes
  // the digests, too.
  // `loose`: rows may be anybody's, so what is live isn't held against them.
  Finding check(View& view, const Engine& engine, const KeyspaceState& keyspace, bool thorough, bool loose);

  // Whether a row on its way is the row that was made.
  Finding check_row(const Dot& dot, std::string_view leaf, const std::vector<Dot>& removed, bool has_payload,
                    std::uint64_t stamp, std::string_view payload) const;
  Finding check_row_name(const Dot& dot, std::string_view leaf) const;

  // All rows that somebody must still have.
  Version everything() const;
  std::size_t row_count() const { return rows_; }
  // All changes ever taken down, and the bytes of their leaf keys and payloads.
  std::uint64_t changes_made() const { return changes_made_; }
  std::uint64_t bytes_made() const { return bytes_made_; }

 private:
  struct Row {
    std::string leaf;
    std::vector<std::pair<std::uint32_t, std::uint64_t>> removed;  // (actor, counter)
    bool has_payload = false;
    std::uint64_t stamp = 0;
    std::string payload;
    std::uint64_t hash = 0;
    std::uint32_t change = 0;
  };
  struct Change {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    // What its origin had taken in since its previous change: (actor, counter).
    std::vector<std::pair<std::uint32_t, std::uint64_t>> past;
  };
  struct Actor {
    ActorId id;
    std::uint32_t replica = 0;
    bool closed = false;      // Its replica fell back to the disk since.
    bool may_return = false;  // After an end in good order.
    std::uint64_t kept = 0;   // Once closed: somebody has this many of its rows.
    std::vector<Row> rows;
    std::vector<Change> changes;
    std::vector<std::uint64_t> past;  // What it had at its newest change.
  };

  const Row* find_row(const Dot& dot) const;
  Finding rows_of(const ActorId& self, std::uint64_t first, const std::vector<LeafChange>& leaves,
                  std::vector<Row>& rows) const;
  Finding advance(View& view, const Version& to);
  Finding cover(View& view, std::size_t actor, std::uint64_t row) const;
  std::string describe_difference(const View& view, const Engine& engine,
                                  const KeyspaceState& keyspace) const;
  Finding check_digests(const std::vector<std::uint64_t>& counters, std::uint64_t content,
                        const DigestPair& digests);

  std::vector<Actor> actors_;
  std::unordered_map<ActorId, std::uint32_t> index_;
  std::size_t rows_ = 0;
  std::uint64_t changes_made_ = 0;
  std::uint64_t bytes_made_ = 0;
  absl::flat_hash_set<std::uint64_t> made_;  // By hash_live(); where dots may be used twice.
  // Digest pairs must be functions of version and content, and tell them apart.
  absl::flat_hash_map<std::uint64_t, Digest> digest_of_content_;
  absl::flat_hash_map<std::uint64_t, Digest> digest_of_version_;
  absl::flat_hash_map<std::uint64_t, std::uint64_t> content_of_digest_;
  absl::flat_hash_map<std::uint64_t, std::uint64_t> version_of_digest_;
};

}  // namespace syncline::sim
