// A look at the leaves of one keyspace: where the logic of types reads.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "crdt/error.h"
#include "crdt/leaf_access.h"
#include "sync/engine.h"

namespace syncline {

// A LeafReader (crdt/leaf_access.h), given to the function of Keyspace::read().
// All that is read through it is of one moment. Don't keep it.
class Reader {
 public:
  Reader(const Engine& engine, const KeyspaceState& keyspace) : engine_(engine), keyspace_(keyspace) {}
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // Calls see(const LiveDotView&) for each live dot of the leaf.
  template <class See>
  void for_each_live(std::string_view leaf, See&& see) {
    auto value = engine_.find(keyspace_, leaf);
    if (!value) {
      fail(std::move(value.error()));
    } else if (*value) {
      engine_.for_each_live(keyspace_, **value, see);
    }
  }

  // Calls visit(leaf, std::span<const LiveDotView>) for each leaf that starts
  // with `prefix`, in leaf order, until it returns false. No reading inside.
  template <class Visit>
  void scan(std::string_view prefix, Visit&& visit) {
    scan_from(prefix, prefix, visit);
  }
  // The same from the first leaf that isn't below `from`, which must not be below `prefix`.
  template <class Visit>
  void scan_from(std::string_view prefix, std::string_view from, Visit&& visit) {
    auto scanned = engine_.scan(keyspace_, from, [&](std::string_view leaf, std::string_view value) -> bool {
      if (!leaf.starts_with(prefix)) return false;
      live_.clear();
      engine_.for_each_live(keyspace_, value, [this](const LiveDotView& dot) { live_.push_back(dot); });
      return visit(leaf, std::span<const LiveDotView>(live_));
    });
    if (!scanned) fail(std::move(scanned.error()));
  }

  // The actor that this replica writes under here; nothing before its first write.
  std::optional<ActorId> self() const { return engine_.own_actor(keyspace_); }

  // The first failure of the disk. What was read since is not to be used.
  const std::optional<Error>& error() const { return error_; }

 private:
  void fail(Error error) {
    if (!error_) error_ = std::move(error);
  }

  const Engine& engine_;
  const KeyspaceState& keyspace_;
  std::vector<LiveDotView> live_;
  std::optional<Error> error_;
};

static_assert(LeafReader<Reader>);

}  // namespace syncline
