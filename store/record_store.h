// Where a replica keeps its records, when not in memory.
#pragma once

#include <vector>

#include "crdt/error.h"
#include "crdt/export.h"
#include "sync/leaf_source.h"
#include "sync/record.h"

namespace syncline {

// A disk for one replica. Leaves are read by LeafSource; all writes come as
// records, each of which is one transaction: whole on disk when commit()
// returns without error, or not at all.
//
// Called under the replica's lock, never concurrently; must not call the replica.
class SYNCLINE_EXPORT RecordStore : public LeafSource {
 public:
  // What the committed records add up to. Called once, when the replica is opened.
  virtual Result<Head> load() = 0;

  // The logs that the head left out (KeyspaceHead::log_later_max), as they were at load(). Called before
  // anything is cut from them, and again if that failed; until then records may be committed.
  virtual Result<std::vector<KeyspaceLog>> load_logs() { return std::vector<KeyspaceLog>(); }

  // Makes the record durable, leaves and all else (see apply() in sync/record.h).
  // On error (`storage`) nothing of it may ever become visible.
  // `disk_full` says that later ones may work, see ready().
  virtual Result<void> commit(const Record& record) = 0;

  // Whether a commit may work now. Asked from time to time after one failed;
  // until it says yes the replica refuses to write, and goes on reading.
  virtual bool ready() { return true; }

  // Called once, after the last commit: all that was written is there.
  virtual Result<void> close() { return {}; }
};

}  // namespace syncline
