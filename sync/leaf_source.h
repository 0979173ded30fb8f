// Where the engine reads leaves that are on disk.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "crdt/error.h"
#include "crdt/export.h"

namespace syncline {

// Read-only: all that is written leaves the engine in a Record (sync/record.h).
// Shows exactly the records that were committed. Not called concurrently.
class SYNCLINE_EXPORT LeafSource {
 public:
  virtual ~LeafSource() = default;

  // The stored value of a leaf, nothing if there is none, or why it can't be
  // told: `storage`, or `damaged` if the leaf's record is lost for good, and then
  // peers are asked for it; see Engine::distrust(). The view lives until the next call.
  virtual Result<std::optional<std::string_view>> find(std::string_view keyspace, std::string_view leaf) = 0;

  // Visits stored leaves with keys >= `from` in order until `visit` returns false.
  // Lost ones are left out if the engine was told of them; else it fails as `damaged`.
  virtual Result<void> scan(std::string_view keyspace, std::string_view from,
                            absl::FunctionRef<bool(std::string_view leaf, std::string_view value)> visit) = 0;
};

}  // namespace syncline
