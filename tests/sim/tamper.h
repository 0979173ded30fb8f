// Surgery on frames in flight, for planted defects: decodes all that passes in
// one direction of a connection, alters some of it, and encodes it anew.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/defects.h"
#include "wire/codec.h"

namespace syncline::sim {

class Tamper {
 public:
  Tamper(Defect defect, WireLimits limits) : defect_(defect), decoder_(limits), encoder_(limits) {
    decoder_.accept_all();
  }

  // Whether the defect is one of frames.
  static bool is_for(Defect defect) { return defect >= Defect::loses_a_frame; }

  // What goes on instead of `frame`. Alters it only if `strikes` and there is
  // something to alter; what a defect always leaves out it leaves out always.
  std::vector<std::string> pass(std::string_view frame, bool strikes);

 private:
  bool drops(const Message& message) const;
  void alter(Message& message);
  void alter(Push& push);
  void alter(ChangeView& change);
  void alter(Chunk& chunk);
  void alter(Status& status) const;
  void alter(Want& want) const;
  std::vector<std::string> misdeliver(std::string_view frame, bool strikes);

  Defect defect_;
  Decoder decoder_;
  Encoder encoder_;
  std::string held_;                        // A frame that the next one overtakes.
  std::vector<std::vector<RowView>> rows_;  // Outlive the spans that point into them, for one message.
  std::vector<std::vector<IndexedLiveDot>> dots_;
};

}  // namespace syncline::sim
