// Real engines and sessions, searched exhaustively in small scope.
//
// Three replicas, each linked with each. A step is a write, a removal, the
// delivery of one frame, the loss of a connection (greeted anew at once), or a
// quarter of a second for all. In large steps, two replicas say all they have to
// say, over the present connection or a new one (pushes, a whole pass), or are
// cut off after so many frames (a part of a pass). Engines can't be copied, so each path is played
// from the start; two paths are one state when each replica has lived through
// the same things in the same order, for then nothing can tell them apart.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <unordered_set>

#include "tests/sim/rng.h"
#include "tests/sync/peers.h"

namespace syncline {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t replicas = 3;
constexpr std::pair<std::size_t, std::size_t> pairs[] = {{0, 1}, {0, 2}, {1, 2}};

struct Step {
  enum class Kind : std::uint8_t { write, remove, deliver, cut, wait, push, whole, part };
  Kind kind;
  std::uint8_t who;    // A replica, or a pair.
  std::uint8_t which;  // A leaf, the end that sends, or how many frames.
};
using Path = std::vector<Step>;

std::string describe(const Path& path) {
  static constexpr const char* names[] = {"write", "remove", "deliver", "cut",
                                          "wait",  "push",   "whole",   "part"};
  std::string text;
  for (const Step& step : path)
    text += std::string(names[static_cast<std::size_t>(step.kind)]) + " " + std::to_string(step.who) + " " +
            std::to_string(step.which) + "; ";
  return text;
}

struct Scope {
  unsigned leaves = 1;
  std::size_t log_bytes = 64 << 20;
  bool large_steps = false;
  std::size_t actors_named = 256;
};

// After these a pass of a few leaves has said nothing, its first chunk, more of them.
constexpr std::uint8_t parts[] = {9, 10, 11, 12};

// Three replicas that have met, and what they live through.
class World {
 public:
  explicit World(const Scope& scope) : scope_(scope) {
    for (std::uint64_t r = 0; r < replicas; ++r)
      peers_.push_back(std::make_unique<Peer>(r + 1, EngineOptions{.log_bytes_max = scope.log_bytes}));
    for (std::size_t pair = 0; pair < replicas; ++pair) connect(pair);
    for (const auto& link : links_) link->settle();
  }

  void take(const Step& step) {
    switch (step.kind) {
      case Step::Kind::write:
      case Step::Kind::remove: {
        Peer& peer = *peers_[step.who];
        const std::string where = leaf(std::string(1, static_cast<char>('a' + step.which)));
        Row row{where, peer.live(where), step.kind == Step::Kind::write};
        const Dot dot = row.payload ? peer.put(clock_, {where}) : peer.remove(clock_, {where});
        rows_[dot] = std::move(row);
        live_through(step.who, sim::mix(static_cast<std::uint64_t>(step.kind) + 1, step.which));
        break;
      }
      case Step::Kind::deliver: {
        const auto [a, b] = pairs[step.who];
        Link& link = *links_[step.who];
        live_through(step.which == 0 ? b : a,
                     sim::mix(step.who + 10U, sim::hash_bytes(link.frames(step.which).front())));
        link.deliver(step.which);
        break;
      }
      case Step::Kind::cut:
        connect(step.who);
        live_through(pairs[step.who].first, 100 + step.who);
        live_through(pairs[step.who].second, 100 + step.who);
        break;
      case Step::Kind::wait:
        clock_.pass(milliseconds(250));
        for (std::size_t pair = 0; pair < replicas; ++pair)
          for (const std::size_t end : {0U, 1U}) links_[pair]->session(end).handle_timeout(clock_.now);
        for (std::size_t r = 0; r < replicas; ++r) live_through(r, 1'000);
        break;
      case Step::Kind::push:
      case Step::Kind::whole:
      case Step::Kind::part: {
        // What happens depends on what both have lived through.
        const auto [a, b] = pairs[step.who];
        const std::uint64_t both = sim::mix(sim::mix(histories_[a], histories_[b]),
                                            static_cast<std::uint64_t>(step.kind) << 8 | step.which);
        live_through(a, both);
        live_through(b, both);
        if (step.kind != Step::Kind::push) connect(step.who);
        if (step.kind == Step::Kind::part) {
          links_[step.who]->settle(step.which);
          connect(step.who);
        } else {
          links_[step.who]->settle();
        }
        break;
      }
    }
    if (scope_.large_steps) return;
    for (const auto& link : links_)
      for (const std::size_t end : {0U, 1U}) link->collect(end);
  }

  std::vector<Step> next_steps() const {
    std::vector<Step> steps;
    for (std::uint8_t r = 0; r < replicas; ++r) {
      for (std::uint8_t l = 0; l < scope_.leaves; ++l) {
        steps.push_back({Step::Kind::write, r, l});
        if (!peers_[r]->live(leaf(std::string(1, static_cast<char>('a' + l)))).empty())
          steps.push_back({Step::Kind::remove, r, l});
      }
    }
    if (scope_.large_steps) {
      for (std::uint8_t pair = 0; pair < replicas; ++pair) {
        steps.push_back({Step::Kind::push, pair, 0});
        steps.push_back({Step::Kind::whole, pair, 0});
        for (const std::uint8_t frames : parts) steps.push_back({Step::Kind::part, pair, frames});
      }
      return steps;
    }
    for (std::uint8_t pair = 0; pair < replicas; ++pair) {
      for (std::uint8_t end = 0; end < 2; ++end)
        if (!links_[pair]->frames(end).empty()) steps.push_back({Step::Kind::deliver, pair, end});
      steps.push_back({Step::Kind::cut, pair, 0});
    }
    steps.push_back({Step::Kind::wait, 0, 0});
    return steps;
  }

  std::pair<std::uint64_t, std::uint64_t> hash() const {
    std::pair<std::uint64_t, std::uint64_t> sum{1, 2};
    for (const std::uint64_t history : histories_)
      sum = {sim::mix(sum.first, history), sim::mix(history + 77, sum.second)};
    return sum;
  }

  // Every replica holds exactly what its version says: live dots are those of
  // rows within less those that rows within remove.
  bool holds() const {
    for (const auto& peer : peers_) {
      const Version version = peer->version();
      std::set<Dot> expected;
      for (const auto& [dot, row] : rows_)
        if (row.payload && version.contains(dot)) expected.insert(dot);
      for (const auto& [dot, row] : rows_) {
        if (!version.contains(dot)) continue;
        for (const Dot& removed : row.removed) {
          if (!version.contains(removed)) return false;
          expected.erase(removed);
        }
      }
      std::set<Dot> live;
      for (const auto& [where, dots] : peer->content()) {
        for (const LiveDot& dot : dots) {
          if (rows_.at(dot.dot).leaf != where) return false;
          live.insert(dot.dot);
        }
      }
      if (live != expected) return false;
      if (*peer->engine->recompute_digests(*peer->shop) != peer->engine->digests(*peer->shop)) return false;
    }
    return true;
  }

 private:
  struct Row {
    std::string leaf;
    std::vector<Dot> removed;
    bool payload;
  };

  void connect(std::size_t pair) {
    if (links_.size() <= pair) links_.resize(pair + 1);
    links_[pair].reset();
    const auto [a, b] = pairs[pair];
    const SessionOptions options{.chunk_bytes = 1, .actors_named = scope_.actors_named};
    links_[pair] = std::make_unique<Link>(clock_, *peers_[a], *peers_[b], options);
    links_[pair]->settle(4);  // Two greetings, two lists of keyspaces.
  }

  void live_through(std::size_t replica, std::uint64_t event) {
    histories_[replica] = sim::mix(histories_[replica] + 1, event);
  }

  Scope scope_;
  TestClock clock_;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::vector<std::unique_ptr<Link>> links_;
  std::map<Dot, Row> rows_;
  std::array<std::uint64_t, replicas> histories_{};
};

struct Hash {
  std::size_t operator()(const std::pair<std::uint64_t, std::uint64_t>& hash) const { return hash.first; }
};

void search(const char* what, const Scope& scope, unsigned depth) {
  std::unordered_set<std::pair<std::uint64_t, std::uint64_t>, Hash> seen;
  std::vector<Path> frontier{{}};
  for (unsigned at = 0; at < depth; ++at) {
    std::vector<Path> next;
    for (const Path& path : frontier) {
      std::vector<Step> steps;
      {
        World world(scope);
        for (const Step& step : path) world.take(step);
        steps = world.next_steps();
      }
      for (const Step& step : steps) {
        World world(scope);
        for (const Step& before : path) world.take(before);
        world.take(step);
        if (!seen.insert(world.hash()).second) continue;
        Path longer = path;
        longer.push_back(step);
        ASSERT_TRUE(world.holds()) << describe(longer);
        next.push_back(std::move(longer));
      }
    }
    frontier.swap(next);
  }
  std::printf("%s: depth %u, %zu states of real engines\n", what, depth, seen.size());
  EXPECT_GT(seen.size(), depth * depth * depth);
}

unsigned depth(unsigned small, unsigned full, unsigned deep) {
  const char* scale = std::getenv("SYNCLINE_TEST_SCALE");
  const std::string_view wanted = scale == nullptr ? "full" : scale;
  return wanted == "small" ? small : wanted == "full" ? full : deep;
}

TEST(EngineSearch, OneLeafHolds) { search("one leaf", Scope{.leaves = 1}, depth(3, 6, 7)); }
TEST(EngineSearch, TwoLeavesHold) {
  search("two leaves", Scope{.leaves = 2, .actors_named = 1}, depth(3, 5, 6));
}
TEST(EngineSearch, WithoutALogHolds) {
  search("one leaf, no log", Scope{.leaves = 1, .log_bytes = 0, .actors_named = 1}, depth(3, 5, 7));
}
TEST(EngineSearch, WholeAndPartialPassesHold) {
  search("two leaves, large steps", Scope{.leaves = 2, .large_steps = true, .actors_named = 1},
         depth(2, 4, 5));
}
TEST(EngineSearch, WholeAndPartialFullPassesHold) {
  search("one leaf, large steps, no log", Scope{.leaves = 1, .log_bytes = 0, .large_steps = true},
         depth(2, 4, 5));
}

}  // namespace
}  // namespace syncline
