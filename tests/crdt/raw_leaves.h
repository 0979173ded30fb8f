// What an erasure must not do, as a type that maps can hold.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crdt/crdt.h"

namespace syncline {

// Removes all leaves of a place as if each were an element: counters lose their
// shares without floors, bounded counters their rights.
struct RawLeaves {
  template <LeafAccess A>
  class Writer {
   public:
    Writer(A& access, Place place) : access_(access), path_(place.path()) {}
    void erase() {
      std::vector<std::string> leaves;
      access_.scan(std::string_view(path_), [&leaves](std::string_view leaf, std::span<const LiveDotView>) {
        leaves.emplace_back(leaf);
        return true;
      });
      for (const std::string& leaf : leaves) access_.remove(access_.open(std::string_view(leaf)));
    }

   private:
    A& access_;
    std::string path_;
  };
};

}  // namespace syncline
