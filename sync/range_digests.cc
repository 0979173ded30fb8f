#include "sync/range_digests.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "sync/sketch.h"

namespace syncline {

Digest RangeDigests::sum(unsigned range_bits, std::uint32_t range) const {
  const std::size_t width = std::size_t{1} << (bits - range_bits);
  Digest sum;
  for (std::size_t i = range * width; i < (range + 1) * width; ++i) sum += sums_[i];
  return sum;
}

std::uint16_t RangeDigests::told(unsigned range_bits, std::uint32_t range, std::uint64_t salt) const {
  return static_cast<std::uint16_t>(make_symbol(sum(range_bits, range), salt));
}

RangeList RangeDigests::list(unsigned range_bits, std::uint64_t salt) const {
  RangeList list{.bits = range_bits, .ranges = {}, .digests = {}};
  for (std::uint32_t range = 0; range < std::uint32_t{1} << range_bits; ++range) {
    list.ranges.push_back(range);
    list.digests.push_back(told(range_bits, range, salt));
  }
  return list;
}

RangeList RangeDigests::refine(const RangeList& coarse, unsigned range_bits, std::uint64_t salt) const {
  RangeList list{.bits = range_bits, .ranges = {}, .digests = {}};
  const unsigned finer = range_bits - coarse.bits;
  for (const std::uint32_t range : coarse.ranges)
    for (std::uint32_t fine = range << finer; fine < (range + 1) << finer; ++fine) {
      list.ranges.push_back(fine);
      list.digests.push_back(told(range_bits, fine, salt));
    }
  return list;
}

RangeList RangeDigests::differing(const RangeList& told_by_peer, std::uint64_t salt) const {
  RangeList list{.bits = told_by_peer.bits, .ranges = {}, .digests = {}};
  for (std::size_t i = 0; i < told_by_peer.ranges.size(); ++i) {
    const std::uint32_t range = told_by_peer.ranges[i];
    if (told_by_peer.digests.empty() || told_by_peer.digests[i] != told(list.bits, range, salt))
      list.ranges.push_back(range);
  }
  return list;
}

RangeFilter::RangeFilter(const RangeList& list)
    : bits_(list.bits),
      share_(static_cast<double>(list.ranges.size()) / static_cast<double>(std::size_t{1} << list.bits)),
      contains_(std::size_t{1} << list.bits) {
  for (const std::uint32_t range : list.ranges) contains_[range] = true;
}

double estimate_differences(std::size_t count, std::size_t differing) {
  if (differing == 0) return 0;
  const double n = static_cast<double>(count);
  const double equal =
      std::max(static_cast<double>(count - differing), 0.5);  // If all differ, they may be more.
  return n * std::log(n / equal);
}

unsigned range_bits_for(double differences, std::uint64_t leaves) {
  // Twice as many ranges as differences leave two fifths of them to be looked at;
  // a range of fewer than 16 leaves costs more than it saves.
  const double wanted = std::min(2 * differences, static_cast<double>(leaves) / 16);
  if (wanted <= 1) return 0;
  return std::min(RangeDigests::bits,
                  static_cast<unsigned>(std::bit_width(static_cast<std::uint64_t>(wanted))));
}

}  // namespace syncline
