// A peer that sends well-formed nonsense: frames that decode, whose messages
// don't contradict themselves, and whose content lies.
//
// It greets as everybody does, learns from what it hears which keyspaces,
// actors and leaves there are, and speaks of those: versions, digests, changes,
// passes, acknowledgements, at random.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/sim_impl.h"
#include "wire/codec.h"

namespace syncline::sim {

class Liar : public End {
 public:
  // Lies to `peer` at `host`, a machine without an engine. `seed` is this connection's own.
  Liar(Sim::Impl& sim, std::uint32_t host, std::uint64_t seed);

  Result<void> receive(std::string_view bytes) override;
  std::optional<std::string> send() override;
  void run() override;
  std::chrono::milliseconds deadline() const override { return due_; }

 private:
  // What the peer defined of a keyspace of its list, and this side of one of its own.
  struct Heard {
    std::vector<ActorId> actors;
  };
  struct Told {
    std::vector<ActorId> actors;
    std::map<std::uint32_t, std::uint32_t> passes;  // By pass: the next chunk's number.
  };

  void learn(const Message& message);
  void learn(std::uint32_t keyspace, const std::vector<ActorId>& definitions,
             const std::vector<IndexedDot>& version);
  void say(const Message& message);
  void lie();

  // ---- made up ----
  std::uint32_t index_of(std::uint32_t keyspace, const ActorId& actor, std::vector<ActorId>& definitions);
  IndexedDot some_dot(std::uint32_t keyspace, std::vector<ActorId>& definitions);
  std::vector<IndexedDot> some_version(std::uint32_t keyspace, std::vector<ActorId>& definitions);
  std::uint64_t some_counter();
  std::string some_payload();
  std::vector<std::string> some_leaves();
  Digest some_digest() { return {rng_.next(), rng_.next()}; }
  RangeList some_ranges(bool with_digests);
  void lie_status(std::uint32_t keyspace);
  void lie_push(std::uint32_t keyspace);
  void lie_want(std::uint32_t keyspace);
  void lie_chunk(std::uint32_t keyspace);
  void lie_cut(std::uint32_t keyspace);
  void lie_sketch(std::uint32_t keyspace);

  Sim::Impl& sim_;
  std::uint32_t host_;
  Rng rng_;
  ActorId self_;
  FrameSplitter splitter_;
  Decoder decoder_;
  Encoder encoder_;
  std::chrono::milliseconds due_;
  std::deque<std::string> frames_;
  std::vector<std::string> names_;  // Of the peer's keyspaces.
  std::map<std::uint32_t, Heard> heard_;
  std::map<std::uint32_t, Told> told_;
  std::vector<Dot> dots_;              // Heard of.
  std::vector<std::string> leaves_;    // The same.
  std::vector<std::uint32_t> passes_;  // That the peer asked for.
};

}  // namespace syncline::sim
