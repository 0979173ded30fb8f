// The leaves on one page of a store's file, read without SQLite: where a page
// fails its checksum, this tells whether what it holds can be known all the same.
//
// The layout is SQLite's (https://www.sqlite.org/fileformat2.html#b_tree_pages):
// a page of the lowest level of a table WITHOUT ROWID. Internal to store/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace syncline {

struct StoredLeaf {
  std::int64_t keyspace = 0;
  std::string_view leaf;
  // Both only if all of it lies on this page.
  bool whole = false;
  std::string_view value;
  std::int64_t checksum = 0;
};

// The leaves of a page, whose first `usable` bytes are SQLite's. Nothing unless
// every byte of it is accounted for, all that it holds are leaves, and their keys
// ascend: then none can be missing, and a search finds each that is whole.
std::optional<std::vector<StoredLeaf>> leaves_on_page(std::string_view page, std::size_t usable);

}  // namespace syncline
