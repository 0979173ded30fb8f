// What is in each of 4,096 ranges of leaves, as sums of hashes. Internal to sync/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sync/digest.h"
#include "wire/message.h"

namespace syncline {

// A leaf belongs to a range by the hash of its key, so that each row finds its
// range without a search, ranges are even whatever keys are like, and both sides
// have the same. Adjacent ranges add up to coarser ones.
class RangeDigests {
 public:
  static constexpr unsigned bits = RangeList::bits_max;

  // Of 2^bits ranges, that of a leaf with such a hash (LeafHash).
  static std::uint32_t range_of(std::uint64_t leaf_hash, unsigned range_bits = bits) {
    return range_bits == 0 ? 0 : static_cast<std::uint32_t>(leaf_hash >> (64 - range_bits));
  }

  RangeDigests() : sums_(std::size_t{1} << bits) {}
  void add(std::uint32_t range, const Digest& term) { sums_[range] += term; }
  // What all leaves of one of 2^range_bits ranges add up to.
  Digest sum(unsigned range_bits, std::uint32_t range) const;
  // The same in 16 bits, keyed.
  std::uint16_t told(unsigned range_bits, std::uint32_t range, std::uint64_t salt) const;
  // All of 2^range_bits ranges with their digests.
  RangeList list(unsigned range_bits, std::uint64_t salt) const;
  // Finer ranges, of 2^range_bits, in which some coarser ones lie, with their digests.
  RangeList refine(const RangeList& coarse, unsigned range_bits, std::uint64_t salt) const;
  // Of the ranges that a peer told, those that aren't equal here; all if it told no digests.
  RangeList differing(const RangeList& told_by_peer, std::uint64_t salt) const;
  Digest total() const { return sum(0, 0); }

 private:
  std::vector<Digest> sums_;
};

// The leaves in some ranges.
class RangeFilter {
 public:
  explicit RangeFilter(const RangeList& list);
  bool contains(std::uint64_t leaf_hash) const { return contains_[RangeDigests::range_of(leaf_hash, bits_)]; }
  // Of all ranges, how much are in it.
  double share() const { return share_; }

 private:
  unsigned bits_;
  double share_;
  std::vector<bool> contains_;
};

// How many differences there are most likely, when so many of `count` ranges differ.
double estimate_differences(std::size_t count, std::size_t differing);
// How finely to compare: 2^this ranges, for about so many differences among so many leaves.
unsigned range_bits_for(double differences, std::uint64_t leaves);

}  // namespace syncline
