#include "tests/sim/tamper.h"

namespace syncline::sim {

bool Tamper::is_for(Defect defect) {
  return defect == Defect::strips_removals || defect == Defect::strips_dependencies ||
         defect == Defect::strips_a_leaf || defect == Defect::raises_a_version;
}

std::vector<std::string> Tamper::pass(std::string_view frame, bool strikes) {
  auto decoded = decoder_.decode(frame);
  SYNCLINE_ASSERT(decoded.has_value());  // It was made by our own encoder.
  if (!*decoded) return {};
  Message& message = (**decoded).message;
  std::vector<std::vector<RowView>> rows;  // Outlives the spans that point into it.
  if (strikes) {
    if (auto* push = std::get_if<Push>(&message)) {
      for (ChangeView& change : push->changes) {
        if (defect_ == Defect::strips_dependencies) change.dependencies = {};
        if (defect_ != Defect::strips_removals) continue;
        std::vector<RowView>& altered = rows.emplace_back(change.rows.begin(), change.rows.end());
        for (RowView& row : altered) {
          if (row.has_payload) row.removed = {};
        }
        change.rows = altered;
      }
    } else if (auto* chunk = std::get_if<Chunk>(&message)) {
      if (defect_ == Defect::strips_a_leaf && !chunk->leaves.empty()) chunk->leaves.pop_back();
    } else if (auto* status = std::get_if<Status>(&message)) {
      if (defect_ == Defect::raises_a_version && !status->version.empty()) ++status->version.back().counter;
    }
  }
  return encoder_.encode(message);
}

}  // namespace syncline::sim
