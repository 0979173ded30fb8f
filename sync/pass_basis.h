// What the receiver of a digest pass held when it made its sketch. Internal to sync/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "sync/leaf_symbols.h"

namespace syncline {

// A digest pass says: the sender's state is the receiver's of that moment, but for
// the leaves that were sent. So what changed here since is remembered as it was.
struct PassBasis {
  static constexpr std::size_t bytes_max = std::size_t{16} << 20;

  PassBasis(const RangeFilter& filter, std::uint64_t salt) : symbols(filter, salt) {}
  // Remembers a leaf that is about to change for the first time.
  void touch(std::string_view leaf, std::string_view value) {
    if (overflowed || touched.contains(leaf)) return;
    bytes += leaf.size() + value.size() + 2 * sizeof(std::string);
    overflowed = bytes > bytes_max;
    if (!overflowed) touched.emplace(leaf, value);
  }

  Digest state;  // What all leaves added up to.
  LeafSymbols symbols;
  std::uint64_t cells = 0;                                    // So many were sent.
  std::map<std::string, std::string, std::less<>> touched;  // As they were; empty for absent.
  std::size_t bytes = 0;
  bool overflowed = false;  // Too much changed meanwhile: the pass is of no use.
};

}  // namespace syncline
