// Rows and changes: the unit of writing.
//
// A change is one atomic transaction in one keyspace. For each leaf that it
// touches it has exactly one row; rows are sorted by leaf and their dots run on
// from the change's first counter. Applying a row: new leaf = (old leaf minus
// the removed dots) plus the payload under the row's own dot. A row without
// payload only removes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crdt/dot.h"
#include "crdt/leaf.h"

namespace syncline {

struct Row {
  std::string leaf;
  std::vector<Dot> removed;  // Live at this leaf when the row was made. Sorted.
  std::optional<Payload> payload;

  friend bool operator==(const Row&, const Row&) = default;
};

struct Change {
  Dot first;              // The first row's dot; row i has counter first.counter + i.
  std::uint64_t hlc = 0;  // When it was made, as its origin's hybrid logical clock had it.
  // What the origin had taken in from others since its previous change: for
  // each such actor the greatest counter. Applied only after all of it (I10).
  std::vector<Dot> dependencies;
  std::vector<Row> rows;  // Sorted by leaf, one for each.

  std::uint64_t last_counter() const { return first.counter + rows.size() - 1; }
  friend bool operator==(const Change&, const Change&) = default;
};

// A live dot as a type reads it, wherever it is stored. Valid until the next write.
struct LiveDotView {
  Dot dot;
  std::uint64_t stamp = 0;
  std::string_view bytes;
};

// The counter of a dot that an open transaction has yet to assign. Above all others.
inline constexpr std::uint64_t pending_counter = ~std::uint64_t{0};

// Whether a row can have this counter: not "no dot", and not the one above all
// others, which is never assigned and after which there is none.
constexpr bool is_counter(std::uint64_t counter) { return counter != 0 && counter != pending_counter; }

}  // namespace syncline
