// A disk for one engine: what was committed, and nothing else.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "crdt/version.h"
#include "sync/leaf_source.h"
#include "sync/leaf_table.h"
#include "sync/record.h"

namespace syncline::sim {

// Takes records whole. Survives its engine; a copy is a backup.
class Disk : public LeafSource {
 public:
  Disk() = default;
  Disk(const Disk& other);
  Disk& operator=(Disk&&) = default;

  // One transaction.
  void commit(const Record& record);

  Result<std::optional<std::string_view>> find(std::string_view keyspace, std::string_view leaf) override;
  Result<void> scan(std::string_view keyspace, std::string_view from,
                    absl::FunctionRef<bool(std::string_view leaf, std::string_view value)> visit) override;

  const Head& head() const { return head_; }
  const KeyspaceHead* keyspace(std::string_view name) const;
  // What the committed records cover.
  const Version& version(std::string_view keyspace) const;
  const LeafTable& leaves(std::string_view keyspace) const;

  // A bad page: the leaf reads as absent from now on. False if it wasn't there.
  bool lose(std::string_view keyspace, std::string_view leaf);
  // What a scrub says of the keyspace's leaves.
  void set_digests(std::string_view keyspace, const DigestPair& digests);

 private:
  std::map<std::string, LeafTable, std::less<>> leaves_;
  std::map<std::string, Version, std::less<>> versions_;
  Head head_;
};

}  // namespace syncline::sim
