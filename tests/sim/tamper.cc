#include "tests/sim/tamper.h"

#include <utility>

namespace syncline::sim {
namespace {

constexpr std::string_view elsewhere("k9\0\x01\x04\0\x01", 7);  // A register nobody writes.

}  // namespace

// Of a transport that isn't what it must be.
std::vector<std::string> Tamper::misdeliver(std::string_view frame, bool strikes) {
  std::vector<std::string> out;
  if (!strikes || defect_ != Defect::loses_a_frame) out.emplace_back(frame);
  if (strikes && defect_ == Defect::repeats_a_frame) out.emplace_back(frame);
  if (!held_.empty()) out.push_back(std::exchange(held_, {}));
  if (strikes && defect_ == Defect::swaps_frames && out.size() == 1) {
    held_ = std::move(out.front());
    out.clear();
  }
  return out;
}

bool Tamper::drops(const Message& message) const {
  switch (defect_) {
    case Defect::drops_statuses:
      return std::holds_alternative<Status>(message);
    case Defect::drops_wants:
      return std::holds_alternative<Want>(message);
    case Defect::drops_ticks:
      return std::holds_alternative<Tick>(message);
    case Defect::drops_closings: {
      const auto* chunk = std::get_if<Chunk>(&message);
      return chunk != nullptr && chunk->closing;
    }
    default:
      return false;
  }
}

std::vector<std::string> Tamper::pass(std::string_view frame, bool strikes) {
  const bool by_frame = defect_ == Defect::loses_a_frame || defect_ == Defect::swaps_frames ||
                        defect_ == Defect::repeats_a_frame;
  if (by_frame) return misdeliver(frame, strikes);
  auto decoded = decoder_.decode(frame);
  SYNCLINE_ASSERT(decoded.has_value());  // It was made by our own encoder.
  if (!*decoded) return {};
  Message& message = (**decoded).message;
  if (drops(message)) return {};
  rows_.clear();
  dots_.clear();
  if (strikes) alter(message);
  return encoder_.encode(message);
}

void Tamper::alter(Message& message) {
  if (auto* push = std::get_if<Push>(&message)) alter(*push);
  if (auto* chunk = std::get_if<Chunk>(&message)) alter(*chunk);
  if (auto* status = std::get_if<Status>(&message)) alter(*status);
  if (auto* want = std::get_if<Want>(&message)) alter(*want);
}

void Tamper::alter(Push& push) {
  for (ChangeView& change : push.changes) alter(change);
}

void Tamper::alter(ChangeView& change) {
  if (defect_ == Defect::strips_dependencies) change.dependencies = {};
  std::vector<RowView>& rows = rows_.emplace_back(change.rows.begin(), change.rows.end());
  if (defect_ == Defect::halves_a_change && rows.size() > 1) rows.pop_back();
  if (defect_ == Defect::moves_a_row && rows.back().leaf < elsewhere) rows.back().leaf = elsewhere;
  for (RowView& row : rows) {
    if (!row.has_payload) continue;
    if (defect_ == Defect::strips_removals) row.removed = {};
    if (defect_ == Defect::alters_a_payload) row.payload = "altered";
    if (defect_ == Defect::alters_a_stamp) ++row.stamp;
  }
  change.rows = rows;
}

void Tamper::alter(Chunk& chunk) {
  switch (defect_) {
    case Defect::strips_a_leaf:
      if (!chunk.leaves.empty()) chunk.leaves.pop_back();
      break;
    case Defect::strips_a_live_dot:
      if (!chunk.leaves.empty() && !chunk.leaves.back().dots.empty()) {
        const auto whole = chunk.leaves.back().dots;
        chunk.leaves.back().dots = dots_.emplace_back(whole.begin(), whole.end() - 1);
      }
      break;
    case Defect::misnames_dead_rows:
      for (RowName& row : chunk.dead) row.leaf = chunk.leaves.empty() ? elsewhere : chunk.leaves.front().leaf;
      break;
    case Defect::closes_early:
      chunk.closing = true;
      break;
    case Defect::raises_a_chunk:
      if (!chunk.version.empty()) ++chunk.version.back().counter;
      break;
    default:
      break;
  }
}

void Tamper::alter(Status& status) const {
  if (defect_ == Defect::raises_a_version && !status.version.empty()) ++status.version.back().counter;
  if (defect_ == Defect::alters_digests && status.has_digests) ++status.digests.state.low;
}

void Tamper::alter(Want& want) const {
  if (defect_ == Defect::asks_for_less && !want.version.empty()) ++want.version.back().counter;
  if (defect_ == Defect::resumes_too_far && want.has_resume) want.resume.cursor.push_back('\x7f');
}

}  // namespace syncline::sim
