// What a replica in a file knows of how well the file keeps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace syncline {

// A stored leaf that fails its checksum. It can't be read or written until a
// peer gave it back.
struct QuarantinedLeaf {
  std::string keyspace;
  std::string key;
  std::string leaf;  // The key in leaf order, path and all (crdt/leaf_key.h).

  friend bool operator==(const QuarantinedLeaf&, const QuarantinedLeaf&) = default;
};

// Counts are since the replica was opened.
struct FileHealth {
  std::uint64_t pages = 0;                   // Of the file, 4,096 bytes each.
  std::uint64_t pages_checked = 0;           // By scrubs.
  std::uint64_t scrubs = 0;                  // Times that all pages were checked, one after the other.
  std::uint64_t mended_pages = 0;            // One bit had flipped: put right.
  std::uint64_t damaged_pages = 0;           // What they held can't be told: nothing is written any more.
  std::uint64_t mended_leaves = 0;           // Written anew after they were quarantined.
  std::vector<QuarantinedLeaf> quarantined;  // Now, in order. At most 4,096.
};

}  // namespace syncline
