// Planted defects of disks: a record as a bad disk would store it.
#pragma once

#include "sync/record.h"
#include "tests/sim/defects.h"
#include "tests/sim/disk.h"

namespace syncline::sim {

// What `disk` stores instead of the record; the record itself unless the defect is one of these.
Record damage_record(Record record, Defect defect, const Disk& disk);

}  // namespace syncline::sim
