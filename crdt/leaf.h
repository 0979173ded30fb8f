// A leaf and its merge: the one merge of the library.
//
// A leaf is one place in the data. Under it are its live dots, each with an
// immutable payload. A dot that a context covers and that isn't live was
// removed or overwritten, so removals leave nothing behind (Almeida, Shoker,
// Baquero, "Delta State Replicated Data Types", 2018; the causal DotFun).
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "crdt/dot.h"

namespace syncline {

// What a row puts under its dot. Never changes once made.
struct Payload {
  // The timestamp by which registers compare; 0 for types that don't.
  std::uint64_t stamp = 0;
  // Opaque to all but the type of the leaf.
  std::string bytes;

  friend auto operator<=>(const Payload&, const Payload&) = default;
};

struct LiveDot {
  Dot dot;
  Payload payload;

  friend bool operator==(const LiveDot&, const LiveDot&) = default;
};

// The live dots of one leaf, sorted by dot. An empty leaf is an absent one.
using Leaf = std::vector<LiveDot>;

// The join of two states of one leaf, appended to `merged`. `mine_covers(dot)`
// and `theirs_covers(dot)` say which dots the two sides know of: a dot live on
// one side stays unless the other side knows it and doesn't have it. Two
// payloads under one dot (a reused dot, I5): the greater stays. Never drops a
// live dot by its value. O(dots).
//
// `Live` is anything with an ordered `dot` and an ordered `payload`: a LiveDot,
// or the engine's view of one. Both sides are sorted by dot.
template <class Live, class MineCovers, class TheirsCovers>
void merge_into(std::vector<Live>& merged, const std::vector<Live>& mine, const MineCovers& mine_covers,
                const std::vector<Live>& theirs, const TheirsCovers& theirs_covers) {
  auto a = mine.begin();
  auto b = theirs.begin();
  while (a != mine.end() || b != theirs.end()) {
    if (b == theirs.end() || (a != mine.end() && a->dot < b->dot)) {
      if (!theirs_covers(a->dot)) merged.push_back(*a);
      ++a;
    } else if (a == mine.end() || b->dot < a->dot) {
      if (!mine_covers(b->dot)) merged.push_back(*b);
      ++b;
    } else {
      merged.push_back(a->payload < b->payload ? *b : *a);
      ++a, ++b;
    }
  }
}

// The same, as a new leaf.
template <class MineCovers, class TheirsCovers>
Leaf merge(const Leaf& mine, const MineCovers& mine_covers, const Leaf& theirs,
           const TheirsCovers& theirs_covers) {
  Leaf merged;
  merged.reserve(std::max(mine.size(), theirs.size()));
  merge_into(merged, mine, mine_covers, theirs, theirs_covers);
  return merged;
}

}  // namespace syncline
