// The disk of one simulated machine: what was committed, and nothing else.
//
// Each record is one transaction, whole or not at all. A copy is a backup.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "crdt/version.h"
#include "store/record_store.h"

namespace syncline::sim {

class Disk : public RecordStore {
 public:
  // ---- what an engine or a replica sees ----
  Result<Head> load() override;
  Result<std::vector<KeyspaceLog>> load_logs() override { return older_logs_; }
  Result<void> commit(const Record& record) override;
  bool ready() override { return !full_; }
  Result<std::optional<std::string_view>> find(std::string_view keyspace, std::string_view leaf) override;
  Result<void> scan(std::string_view keyspace, std::string_view from,
                    absl::FunctionRef<bool(std::string_view leaf, std::string_view value)> visit) override;

  // ---- what goes wrong with it ----
  // The n-th read from now on fails, once; none for 0.
  void fail_read(std::uint64_t n) { reads_until_failure_ = n; }
  // A planted defect: a read that fails says that there is nothing.
  void hide_errors(bool hide) { hides_errors_ = hide; }
  // The reads that failed so far.
  std::uint64_t reads_failed() const { return reads_failed_; }
  // Commits fail until told otherwise.
  void set_full(bool full) { full_ = full; }
  // The next commit fails, once.
  void fail_commit() { fails_ = true; }
  // Nothing fails any more.
  void heal();
  // Whether load() tells the actors that were written under: only where nothing
  // else continued what is here. Else they are forgotten.
  void set_proven(bool proven) { proven_ = proven; }
  // A bad page: the leaf reads as absent from now on. False if it wasn't there.
  bool lose(std::string_view keyspace, std::string_view leaf);
  // A bad record: what is read of the leaf isn't one. The same.
  bool rot(std::string_view keyspace, std::string_view leaf);
  // Whether rot() had it, and nothing was stored in its place.
  bool is_rotten(std::string_view keyspace, std::string_view leaf) const;
  // What a scrub says of the keyspace's leaves.
  void set_digests(std::string_view keyspace, const DigestPair& digests);

  // ---- what is on it; never fails ----
  const Head& head() const { return head_; }
  // The same, with the actors that were written under: for who can prove that
  // nothing else continued what is here.
  Head proven_head() const;
  // For who can't: the actors of before are no writer's, for ever.
  void forget_writers() { selves_.clear(); }
  const KeyspaceHead* keyspace(std::string_view name) const;
  // What the committed records cover.
  const Version& version(std::string_view keyspace) const;
  std::optional<std::string_view> leaf(std::string_view keyspace, std::string_view leaf) const;

 private:
  using Leaves = absl::btree_map<std::string, std::string, std::less<>>;  // Read whole after each event.

  bool read_fails();

  std::map<std::string, Leaves, std::less<>> leaves_;
  std::map<std::string, Version, std::less<>> versions_;
  Head head_;
  std::vector<KeyspaceLog> older_logs_;                       // As they were when it was loaded.
  std::map<std::string, std::uint32_t, std::less<>> selves_;  // Actors written under.
  std::uint64_t reads_until_failure_ = 0;
  std::uint64_t reads_failed_ = 0;
  bool full_ = false;
  bool hides_errors_ = false;
  bool fails_ = false;
  bool proven_ = false;
};

}  // namespace syncline::sim
