// A pass as its sender reads it: round after round, each naming the leaves
// touched since the round before, until what is left fits into one chunk that
// is read together with the final version. Internal to sync/.
//
// Everything is recomputed from the versions, so a pass that was cut goes on
// from what its receiver staged and the sender keeps nothing for it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crdt/error.h"
#include "sync/counters.h"
#include "sync/keyspace_state.h"

namespace syncline {

class OutboundPass {
 public:
  // One atomic read of persisted leaves.
  struct Chunk {
    Counters version;
    bool new_round = false;
    bool closing = false;
    DigestPair digests;                                       // With closing...
    std::vector<std::uint32_t> frontier;                      // ...as this.
    std::vector<std::pair<std::string, std::string>> leaves;  // In leaf order; an empty value says "absent".
    std::vector<std::pair<IndexedDot, std::string>> dead;     // In dot order.
    std::vector<std::uint64_t> symbols;                       // See Chunk::symbols.
    std::uint64_t more_cells = 0;                             // Not a chunk: so many more cells are needed.
  };

  // A pass for someone who has `asked`: the leaves named by log rows and `besides`, or all of them.
  OutboundPass(const KeyspaceState& keyspace, Counters asked, bool full,
               const std::vector<std::string>& besides = {});

  // Goes on after `cursor` in the round between base and start.
  static Result<OutboundPass> resume(const KeyspaceState& keyspace, Counters base, Counters start,
                                     bool from_nothing, std::string cursor);

  // A digest pass: the leaves are named by a sketch of the receiver's, over ranges that
  // it chooses. Begins when it has told its own digests, which are of this version.
  static OutboundPass by_digests(const KeyspaceState& keyspace, Counters asked, std::uint64_t salt);
  bool is_by_digests() const { return naming_ != nullptr; }
  // Whether it waits for cells.
  bool waits() const { return naming_ != nullptr && !naming_->complete; }
  // Takes cells of the sketch. `malformed` unless they are the next ones.
  Result<void> take_cells(const Sketch& sketch);

  // The next chunk, of about `bytes`. An error ends the pass: the log was cut, a
  // repair changed what was sent already, or the disk failed.
  Result<Chunk> next(std::size_t bytes);
  bool closed() const { return closed_; }
  // Whether its first round has all leaves.
  bool full() const { return full_; }

 private:
  // A leaf and a dot that names it; counter 0 where it is named without one.
  using Name = std::pair<std::string_view, IndexedDot>;
  using Names = std::vector<Name>;  // Sorted.

  // How a digest pass finds its names.
  struct Naming {
    std::uint64_t salt = 0;
    RangeList list;
    std::vector<std::uint64_t> cells;
    bool complete = false;  // Enough came to try.
  };

  Result<void> begin_round(Chunk& chunk);
  Result<void> name_by_sketch(Chunk& chunk);
  // They live as long as the log stays as it is.
  Result<Names> names_between(const Counters& base, const Counters& end) const;
  void keep(Names names);
  Result<void> read_named(Chunk& chunk, const Names& names, std::size_t& at, std::size_t bytes) const;
  Result<bool> read_all(Chunk& chunk, std::size_t bytes);
  Result<void> try_to_close(Chunk& chunk, std::size_t bytes);

  const KeyspaceState* keyspace_;
  std::unique_ptr<Naming> naming_;
  std::uint64_t repairs_;
  Counters base_, start_;
  std::vector<std::string> besides_;  // Named in the first round.
  bool first_ = true;                 // No round has begun.
  bool full_ = false;
  bool in_round_ = false;
  bool from_nothing_ = false;  // The present round has all leaves.
  std::string cursor_;         // Of a round from nothing: the last leaf read.
  std::vector<char> keys_;     // Of any other round: the leaves that...
  Names names_;                // ...these point into.
  std::size_t at_ = 0;
  bool closed_ = false;
};

}  // namespace syncline
