#include "tests/sim/liar.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "crdt/value.h"
#include "tests/sim/session_end.h"

namespace syncline::sim {
namespace {

constexpr std::size_t memory_max = 200;  // Of dots and leaves heard of.

template <class T>
void remember(std::vector<T>& memory, T what, Rng& rng) {
  if (memory.size() < memory_max) {
    memory.push_back(std::move(what));
  } else {
    memory[rng.below(memory_max)] = std::move(what);
  }
}

}  // namespace

Liar::Liar(Sim::Impl& sim, std::uint32_t host, std::uint64_t seed)
    : sim_(sim),
      host_(host),
      rng_(seed),
      splitter_(limits_of(sim.shape)),
      decoder_(limits_of(sim.shape)),
      encoder_(limits_of(sim.shape)),
      due_(sim.time_of(host).monotonic) {
  decoder_.accept_all();
  const std::uint64_t word = rng_.next();
  std::memcpy(self_.bytes.data(), &word, sizeof word);
  Hello hello;
  hello.cluster = "sim";
  std::memcpy(hello.node.data(), &word, sizeof word);
  hello.address = "replica-" + std::to_string(host);
  say(hello);
  say(Keyspaces{{"shop", "till"}});
}

std::optional<std::string> Liar::send() {
  if (frames_.empty()) return std::nullopt;
  std::string frame = std::move(frames_.front());
  frames_.pop_front();
  return frame;
}

void Liar::run() {
  const std::chrono::milliseconds now = sim_.time_of(host_).monotonic;
  if (now < due_) return;
  due_ = now + std::chrono::milliseconds(rng_.between(10, 1'000));
  if (sim_.dice.strikes(Fault::lie)) lie();
}

void Liar::say(const Message& message) {
  for (std::string& frame : encoder_.encode(message)) frames_.push_back(std::move(frame));
}

// ---- what it hears ----

Result<void> Liar::receive(std::string_view bytes) {
  splitter_.feed(bytes);
  for (;;) {
    auto frame = splitter_.next();
    if (!frame) return tl::unexpected(std::move(frame.error()));
    if (!*frame) return {};
    auto decoded = decoder_.decode(**frame);
    if (!decoded) return tl::unexpected(std::move(decoded.error()));
    if (*decoded) learn((**decoded).message);
  }
}

void Liar::learn(std::uint32_t keyspace, const std::vector<ActorId>& definitions,
                 const std::vector<IndexedDot>& version) {
  std::vector<ActorId>& actors = heard_[keyspace].actors;
  actors.insert(actors.end(), definitions.begin(), definitions.end());
  for (const IndexedDot& dot : version)
    if (dot.actor < actors.size()) remember(dots_, Dot{actors[dot.actor], dot.counter}, rng_);
}

void Liar::learn(const Message& message) {
  if (const auto* list = std::get_if<Keyspaces>(&message))
    names_.insert(names_.end(), list->names.begin(), list->names.end());
  if (const auto* status = std::get_if<Status>(&message))
    learn(status->keyspace, status->definitions, status->version);
  if (const auto* want = std::get_if<Want>(&message)) {
    learn(want->keyspace, want->definitions, want->version);
    remember(passes_, want->pass, rng_);
  }
  if (const auto* chunk = std::get_if<Chunk>(&message)) {
    learn(chunk->keyspace, chunk->definitions, chunk->version);
    for (const LeafView& leaf : chunk->leaves) remember(leaves_, std::string(leaf.leaf), rng_);
  }
  if (const auto* cut = std::get_if<Cut>(&message)) learn(cut->keyspace, cut->definitions, cut->floor);
  if (const auto* push = std::get_if<Push>(&message)) {
    learn(push->keyspace, push->definitions, {});
    for (const ChangeView& change : push->changes)
      for (const RowView& row : change.rows) remember(leaves_, std::string(row.leaf), rng_);
  }
}

// ---- what it makes up ----

std::uint32_t Liar::index_of(std::uint32_t keyspace, const ActorId& actor,
                             std::vector<ActorId>& definitions) {
  std::vector<ActorId>& actors = told_[keyspace].actors;
  const auto at = std::find(actors.begin(), actors.end(), actor);
  const auto index = static_cast<std::uint32_t>(at - actors.begin());
  if (at == actors.end()) {
    actors.push_back(actor);
    definitions.push_back(actor);
  }
  return index;
}

std::uint64_t Liar::some_counter() {
  return rng_.one_in(10) ? rng_.between(1, std::uint64_t{1} << 40) : rng_.between(1, 50);
}

// One heard of, one like it, or one of its own.
IndexedDot Liar::some_dot(std::uint32_t keyspace, std::vector<ActorId>& definitions) {
  Dot dot{self_, some_counter()};
  if (!dots_.empty() && !rng_.one_in(4)) dot = dots_[rng_.below(dots_.size())];
  if (rng_.one_in(2)) dot.counter = rng_.one_in(2) ? dot.counter + rng_.below(3) : some_counter();
  return {index_of(keyspace, dot.actor, definitions), dot.counter};
}

std::vector<IndexedDot> Liar::some_version(std::uint32_t keyspace, std::vector<ActorId>& definitions) {
  std::map<std::uint32_t, std::uint64_t> counters;
  for (std::uint64_t n = rng_.below(6); n != 0; --n) {
    const IndexedDot dot = some_dot(keyspace, definitions);
    counters[dot.actor] = dot.counter;
  }
  std::vector<IndexedDot> version;
  for (const auto& [actor, counter] : counters) version.push_back({actor, counter});
  return version;
}

std::string Liar::some_payload() {
  if (rng_.one_in(2)) return Value(static_cast<std::int64_t>(rng_.below(5))).to_bytes();
  const auto byte = static_cast<char>(rng_.below(256));
  return std::string(rng_.below(20), byte);
}

// Sorted, none twice, at least one.
std::vector<std::string> Liar::some_leaves() {
  std::set<std::string> leaves;
  for (std::uint64_t n = rng_.between(1, 4); n != 0; --n) {
    if (leaves_.empty() || rng_.one_in(5)) {
      leaves.insert(leaf_key("k" + std::to_string(rng_.below(4)), made_up_type, "lie"));
    } else {
      leaves.insert(leaves_[rng_.below(leaves_.size())]);
    }
  }
  return {leaves.begin(), leaves.end()};
}

RangeList Liar::some_ranges(bool with_digests) {
  RangeList list;
  list.bits = static_cast<unsigned>(rng_.below(6));
  for (std::uint32_t range = 0; range < (1U << list.bits); ++range) {
    if (!with_digests && rng_.one_in(2)) continue;
    list.ranges.push_back(range);
    if (with_digests) list.digests.push_back(static_cast<std::uint16_t>(rng_.next()));
  }
  return list;
}

void Liar::lie_status(std::uint32_t keyspace) {
  Status status{.keyspace = keyspace};
  status.version = some_version(keyspace, status.definitions);
  status.has_digests = rng_.one_in(2);
  if (status.has_digests) status.digests = {some_digest(), some_digest()};
  status.reply = rng_.one_in(2);
  say(status);
}

// A change of its own, or in the name of somebody else.
void Liar::lie_push(std::uint32_t keyspace) {
  Push push{.keyspace = keyspace};
  const std::vector<std::string> leaves = some_leaves();
  const std::string payload = some_payload();
  const IndexedDot dot = some_dot(keyspace, push.definitions);
  std::vector<IndexedDot> removed;
  if (rng_.one_in(2)) removed.push_back(some_dot(keyspace, push.definitions));
  std::vector<IndexedDot> dependencies;
  if (rng_.one_in(3)) dependencies = some_version(keyspace, push.definitions);
  std::vector<RowView> rows;
  for (const std::string& leaf : leaves) {
    RowView row{
        .leaf = leaf, .removed = {}, .has_payload = true, .stamp = rng_.below(1'000), .payload = payload};
    if (rows.empty()) row.removed = removed;
    rows.push_back(row);
  }
  push.changes.push_back(
      {dot.actor, rng_.one_in(2) ? dot.counter : 1, rng_.next() >> rng_.between(1, 30), dependencies, rows});
  say(push);
}

void Liar::lie_want(std::uint32_t keyspace) {
  Want want{.keyspace = keyspace};
  want.version = some_version(keyspace, want.definitions);
  want.pass = static_cast<std::uint32_t>(rng_.next());
  want.full = rng_.one_in(2);
  want.has_resume = rng_.one_in(4);
  if (want.has_resume) {
    want.resume.start = some_version(keyspace, want.definitions);
    want.resume.from_nothing = rng_.one_in(2);
    if (!want.resume.from_nothing) want.resume.base = some_version(keyspace, want.definitions);
    want.resume.cursor = some_leaves().front();
  }
  want.knows_digests = rng_.one_in(2);
  if (want.knows_digests) {
    want.repair = rng_.one_in(2);
    want.by_digests = rng_.one_in(2);
    want.leaves = rng_.below(1'000);
    want.salt = rng_.next();
    if (want.by_digests) want.ranges = some_ranges(true);
    if (rng_.one_in(2)) want.lost = some_leaves();
  }
  say(want);
}

// Of a pass that was asked for, in order, so that it is taken as far as it goes.
void Liar::lie_chunk(std::uint32_t keyspace) {
  Chunk chunk{.keyspace = keyspace};
  chunk.pass = passes_.empty() || rng_.one_in(8) ? static_cast<std::uint32_t>(rng_.next()) : passes_.back();
  chunk.number = told_[keyspace].passes[chunk.pass]++;
  chunk.version = some_version(keyspace, chunk.definitions);
  chunk.full = rng_.one_in(2);
  chunk.new_round = chunk.number == 0 || rng_.one_in(8);
  chunk.closing = rng_.one_in(3);
  if (chunk.closing) chunk.digests = {some_digest(), some_digest()};
  const std::vector<std::string> leaves = some_leaves();
  const std::string payload = some_payload();
  std::vector<std::vector<IndexedLiveDot>> dots(leaves.size());
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    if (rng_.one_in(4))
      dots[i].push_back({some_dot(keyspace, chunk.definitions), rng_.below(1'000), payload});
    chunk.leaves.push_back({leaves[i], dots[i]});
  }
  if (rng_.one_in(3)) chunk.dead.push_back({some_dot(keyspace, chunk.definitions), leaves.front()});
  say(chunk);
}

void Liar::lie_cut(std::uint32_t keyspace) {
  Cut cut{.keyspace = keyspace};
  cut.members = rng_.next();
  cut.epoch = some_counter();
  if (rng_.one_in(2)) cut.acknowledged = std::string(1, static_cast<char>(rng_.between(1, 255)));
  cut.floor = some_version(keyspace, cut.definitions);
  cut.floor_heard = some_version(keyspace, cut.definitions);
  if (!cut.acknowledged.empty()) cut.met = some_version(keyspace, cut.definitions);
  say(cut);
}

void Liar::lie_sketch(std::uint32_t keyspace) {
  const std::uint32_t pass = passes_.empty() ? 0 : passes_.back();
  switch (rng_.below(4)) {
    case 0:
      return say(Ranges{keyspace, pass, rng_.below(1'000), some_ranges(rng_.one_in(2))});
    case 1: {
      Sketch sketch{.keyspace = keyspace, .pass = pass};
      sketch.list = some_ranges(false);
      for (std::uint64_t n = rng_.between(1, 20); n != 0; --n) sketch.cells.push_back(rng_.next());
      return say(sketch);
    }
    case 2:
      return say(MoreSymbols{keyspace, pass, rng_.below(100)});
    default:
      return say(Refuse{keyspace, pass, "no"});
  }
}

void Liar::lie() {
  sim_.counts.marks.reach(Mark::lie_told);
  const auto keyspace = static_cast<std::uint32_t>(rng_.below(2));
  switch (rng_.below(9)) {
    case 0:
    case 1:
      return lie_status(keyspace);
    case 2:
    case 3:
      return lie_push(keyspace);
    case 4:
      return lie_want(keyspace);
    case 5:
    case 6:
      return lie_chunk(keyspace);
    case 7:
      return rng_.one_in(2) ? lie_cut(keyspace) : lie_sketch(keyspace);
    default:
      return say(Tick{some_digest()});
  }
}

}  // namespace syncline::sim
