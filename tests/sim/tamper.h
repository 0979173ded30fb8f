// Surgery on frames in flight, for planted defects: decodes all that passes in
// one direction of a connection, alters some of it, and encodes it anew.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/sim.h"
#include "wire/codec.h"

namespace syncline::sim {

class Tamper {
 public:
  Tamper(Defect defect, WireLimits limits) : defect_(defect), decoder_(limits), encoder_(limits) {
    decoder_.accept_all();
  }

  // Whether the defect is one of frames' contents.
  static bool is_for(Defect defect);

  // What goes on instead of `frame`. Alters it only if `strikes` and there is something to alter.
  std::vector<std::string> pass(std::string_view frame, bool strikes);

 private:
  Defect defect_;
  Decoder decoder_;
  Encoder encoder_;
};

}  // namespace syncline::sim
