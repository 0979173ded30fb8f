// The stored form of a leaf: its live dots, one after the other, by index into
// the keyspace's actors. What the memory store, the overlay and the disk hold.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "crdt/bytes.h"
#include "crdt/error.h"
#include "crdt/row.h"
#include "wire/message.h"

namespace syncline {

struct PayloadView {
  std::uint64_t stamp = 0;
  std::string_view bytes;

  friend auto operator<=>(const PayloadView&, const PayloadView&) = default;
};

// A live dot in a stored leaf; the element that merge_into() works on.
struct IndexedLive {
  IndexedDot dot;
  PayloadView payload;
};

// Layout: (actor << 1 | has_stamp), counter, [stamp], payload length, payload.
inline void append_live(std::string& value, const IndexedLive& live) {
  char head[4 * varint_bytes_max];  // Appended at once: this runs for every row.
  char* at = head;
  at += write_varint(at, (std::uint64_t{live.dot.actor} << 1) | (live.payload.stamp != 0 ? 1 : 0));
  at += write_varint(at, live.dot.counter);
  if (live.payload.stamp != 0) at += write_varint(at, live.payload.stamp);
  at += write_varint(at, live.payload.bytes.size());
  value.append(head, static_cast<std::size_t>(at - head));
  value.append(live.payload.bytes);
}

namespace internal {

// Stored leaves are our own bytes: a malformed one is a defect or a damaged disk, never a peer's doing.
inline std::uint64_t take_trusted_varint(const char*& at, const char* end) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; at != end && shift < 64; shift += 7) {
    const auto byte = static_cast<std::uint8_t>(*at++);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  SYNCLINE_ASSERT(false && "a stored leaf is cut short");
}

}  // namespace internal

// Whether a keyspace with so many actors can have stored these bytes. Asked of
// all that comes back from a disk without having been a leaf there.
inline bool is_leaf_value(std::string_view value, std::uint32_t actors) {
  ByteReader in(value);
  while (in.left() > 0) {
    const auto head = in.varint();
    const auto counter = in.varint();
    if (!head || *head >> 1 >= actors || !counter || !is_counter(*counter)) return false;
    if ((*head & 1) != 0 && !in.varint()) return false;
    const auto size = in.varint();
    if (!size || !in.take(*size)) return false;
  }
  return true;
}

// Calls fn(const IndexedLive&) for each live dot, in stored order.
template <class Fn>
void for_each_live_in(std::string_view value, Fn&& fn) {
  const char* at = value.data();
  const char* const end = at + value.size();
  while (at != end) {
    const std::uint64_t head = internal::take_trusted_varint(at, end);
    IndexedLive live;
    live.dot.actor = static_cast<std::uint32_t>(head >> 1);
    live.dot.counter = internal::take_trusted_varint(at, end);
    if ((head & 1) != 0) live.payload.stamp = internal::take_trusted_varint(at, end);
    const std::uint64_t size = internal::take_trusted_varint(at, end);
    SYNCLINE_ASSERT(size <= static_cast<std::uint64_t>(end - at));
    live.payload.bytes = std::string_view(at, static_cast<std::size_t>(size));
    at += size;
    fn(static_cast<const IndexedLive&>(live));
  }
}

// The live dots sorted by dot, as merge_into() wants them.
inline void parse_leaf(std::string_view value, std::vector<IndexedLive>& dots) {
  dots.clear();
  for_each_live_in(value, [&](const IndexedLive& live) { dots.push_back(live); });
  if (dots.size() > 1) {
    std::sort(dots.begin(), dots.end(),
              [](const IndexedLive& a, const IndexedLive& b) { return a.dot < b.dot; });
  }
}

}  // namespace syncline
