#include "sync/joining.h"

#include <cstring>
#include <utility>
#include <vector>

#include "crdt/bytes.h"
#include "crdt/leaf_key.h"
#include "sync/keyspace_state.h"
#include "sync/staged_pass.h"

namespace syncline {
namespace {

// Where a staged pass has its flags; it never has this one.
constexpr std::uint64_t in_place_flag = 4;

tl::unexpected<Error> damaged() { return failure(Errc::damaged, "a pass staged in place can't be read"); }

}  // namespace

std::string Joining::to_bytes() const {
  std::string out(reinterpret_cast<const char*>(peer.data()), peer.size());  // Bytes as characters.
  put_varint(out, in_place_flag | (from_nothing ? 1U : 0U));
  for (const Counters* each : {&base, &start, &version}) put_counters(out, *each);
  for (const std::uint64_t number : {bytes, state.low, state.high}) put_varint(out, number);
  put_varint(out, cursor.size());
  out += cursor;
  return out;
}

bool Joining::is_one(std::string_view bytes) {
  ByteReader in(bytes);
  const auto peer = in.take(sizeof Joining::peer);
  const auto flags = in.varint();
  return peer && flags && (*flags & in_place_flag) != 0;
}

Result<Joining> Joining::from_bytes(std::string_view bytes, std::uint32_t actors) {
  Joining joining;
  ByteReader in(bytes);
  const auto peer = in.take(joining.peer.size());
  const auto flags = in.varint();
  if (!peer || !flags || (*flags & ~std::uint64_t{1}) != in_place_flag) return damaged();
  std::memcpy(joining.peer.data(), peer->data(), peer->size());
  joining.from_nothing = (*flags & 1) != 0;
  for (Counters* each : {&joining.base, &joining.start, &joining.version})
    if (!take_counters(in, actors, *each)) return damaged();
  const auto came = in.varint();
  const auto low = in.varint();
  const auto high = in.varint();
  const auto cursor_bytes = in.varint();
  if (!came || !low || !high || !cursor_bytes) return damaged();
  const auto cursor = in.take(*cursor_bytes);
  if (!cursor || in.left() != 0 || (!cursor->empty() && !is_leaf_key(*cursor))) return damaged();
  joining.bytes = *came;
  joining.state = {*low, *high};
  joining.cursor = std::string(*cursor);
  if (!joining.start.includes(joining.base) || !joining.version.includes(joining.start)) return damaged();
  return joining;
}

// ---- the keyspace's part ----

Error KeyspaceState::joining_error() const {
  return Error{Errc::joining, "keyspace \"" + name + "\" is joining: " + std::to_string(leaf_count_) +
                                  " leaves of a peer's are here, wait for the rest"};
}

Result<void> KeyspaceState::restore_joining(const KeyspaceHead& head) {
  auto joining = Joining::from_bytes(head.staged.front(), actors.size());
  if (!joining) return tl::unexpected(joining.error());
  if (head.staged.size() > 1 || !head.version.empty() || !head.log.empty())
    return failure(Errc::damaged, "a keyspace that is joining and has a version");
  joining_ = std::make_unique<Joining>(std::move(*joining));
  digests.state = joining_->state;
  return {};
}

void KeyspaceState::begin_joining() {
  if (joining_ != nullptr) give_up_joining();
  SYNCLINE_ASSERT(is_empty());
  joining_ = std::make_unique<Joining>();
  forget_ranges();
  dirty_ = true;
}

void KeyspaceState::give_up_joining() {
  joining_.reset();
  table_.clear();
  changed_leaves_.clear();
  leaf_count_ = 0;
  digests = {};
  lost_ = {};
  forget_ranges();
  for (InFlight& flight : in_flight_) flight.range_deltas.clear();
  if (in_memory()) return;
  if (!std::exchange(emptied_, true)) ++unpersisted_emptyings_;
  const std::uint64_t log_end = recorded_.log_end;
  recorded_ = {};  // The store forgets all of it, so the next record tells all.
  recorded_.log_end = log_end;
  stage_for_record({}, true);
}

// Whether the leaf may be here already. The first round comes in order, but for
// what its closing chunk reads again.
bool KeyspaceState::may_have_joined(std::string_view leaf) const {
  return !joining_->from_nothing || leaf <= std::string_view(joining_->cursor);
}

Result<void> KeyspaceState::join(const StagedChunk& chunk, const std::array<std::uint8_t, 16>& peer,
                                 std::chrono::milliseconds now) {
  Joining& joining = *joining_;
  if (!chunk.version.includes(joining.version))
    return failure(Errc::malformed, "a chunk read before the one that it follows");
  if (chunk.new_round) {
    joining.from_nothing = joining.version.size() == 0;  // None came before.
    joining.base = std::exchange(joining.start, chunk.version);
    joining.cursor.clear();
  }
  std::vector<std::string> befores(chunk.leaves.size());  // All are read before any is written.
  for (std::size_t i = 0; i < befores.size(); ++i) {
    const std::string& leaf = chunk.leaves[i].first;
    if (!may_have_joined(leaf)) continue;
    const auto found = find_known(leaf);
    if (!found) {
      if (found.error().code == Errc::damaged) give_up_joining();  // No peer can mend it: begin anew.
      return tl::unexpected(found.error());
    }
    befores[i] = std::string(found->value);
  }
  for (std::size_t i = 0; i < befores.size(); ++i) {
    const auto& [leaf, value] = chunk.leaves[i];
    write_merged(leaf, {befores[i], {}}, value);
    joining.bytes += leaf.size() + value.size();
  }
  if (!chunk.leaves.empty()) joining.cursor = chunk.leaves.back().first;
  joining.version = chunk.version;
  joining.state = digests.state;
  joining.peer = peer;
  joining.progress = now;
  dirty_ = true;
  return {};
}

Result<void> KeyspaceState::close_joining(const DigestPair& told,
                                          const std::vector<std::uint32_t>& their_frontier) {
  Digest context;
  for (const IndexedDot& entry : joining_->version.since({}))
    context += hash_entry(actors[entry.actor], entry.counter);
  if (context != told.context || digests.state != told.state) {
    give_up_joining();
    return failure(Errc::malformed, "a pass staged in place that doesn't add up to its digests");
  }
  const std::unique_ptr<Joining> joined = std::move(joining_);
  take_version(joined->version, their_frontier);
  ++passes_;
  stage_for_record({}, true);
  dirty_ = true;
  if (in_memory()) remember_pair();
  return {};
}

}  // namespace syncline
