#include "tests/sim/damage.h"

#include <utility>

namespace syncline::sim {

Record damage_record(Record record, Defect defect, const Disk& disk) {
  for (KeyspaceRecord& part : record.keyspaces) {
    switch (defect) {
      case Defect::forgets_a_leaf:
        if (!part.leaves.empty()) part.leaves.pop_back();
        break;
      case Defect::stores_half_a_record:
        part.leaves.resize(part.leaves.size() / 2);
        break;
      case Defect::forgets_the_version:
        part.version.clear();
        break;
      case Defect::forgets_the_digests:
        if (const KeyspaceHead* head = disk.keyspace(part.name)) part.digests = head->digests;
        break;
      case Defect::mixes_up_actors:
        if (part.actors.size() > 1) std::swap(part.actors.front(), part.actors.back());
        break;
      case Defect::keeps_staged_chunks:
        part.staged_cleared = false;
        break;
      case Defect::loses_a_staged_chunk:
        if (!part.staged.empty()) part.staged.pop_back();
        break;
      default:
        break;
    }
  }
  return record;
}

}  // namespace syncline::sim
