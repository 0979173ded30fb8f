// One collection that is far larger than a frame, a chunk, or what is staged:
// a set under one key reaches a fresh peer, cut now and then, in bounded memory.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

#include "sync/keyspace_state.h"
#include "tests/support/scale.h"
#include "tests/sync/peers.h"

namespace syncline {
namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;
constexpr std::size_t frame_bytes_max = 256 * 1024;

// What malloc has handed out; nothing under sanitizers, which have one of their own.
std::size_t allocated_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

std::string element(std::size_t i) {
  return leaf("element-" + std::to_string(i * 2'654'435'761 % 4'294'967'296));
}

TEST(BigCollection, ReachesAFreshPeerThroughCutsInBoundedMemory) {
  const std::size_t elements = scaled(100'000);
  TestClock clock;
  Peer a(1, {.log_bytes_max = 0}), b(2, {.staged_bytes_max = 16 * mebibyte, .join_in_place = true});
  for (std::size_t at = 0; at < elements; at += 1'000) {
    std::vector<std::string> leaves;
    for (std::size_t i = at; i < at + 1'000; ++i) leaves.push_back(element(i));
    std::sort(leaves.begin(), leaves.end());
    a.put(clock, leaves, "");
  }
  const std::size_t before = allocated_bytes();
  const auto began = std::chrono::steady_clock::now();
  std::size_t most = 0, frames = 0, links = 0, bytes = 0;
  std::uint64_t leaves_in = 0;
  for (; b.version().empty() && links < 1'000; ++links) {
    Link link(clock, a, b);
    // Cut after a dozen frames of the pass, wherever that is.
    for (int turn = 0; turn < 16 && b.version().empty(); ++turn) {
      link.collect(0, 1);
      link.collect(1);
      for (const std::string& frame : link.frames(0)) {
        EXPECT_LE(frame.size(), frame_bytes_max);
        bytes += frame.size();
        ++frames;
      }
      link.deliver(0);
      while (link.deliver(1)) {
      }
      most = std::max(most, allocated_bytes());
    }
    leaves_in += link.session(1).metrics().leaves_in;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  EXPECT_GT(links, elements / 100'000);
  EXPECT_EQ(leaves_in, elements);  // Nothing was sent twice.
  EXPECT_EQ(a.engine->digests(*a.shop), b.engine->digests(*b.shop));
  EXPECT_EQ(b.engine->leaf_count(*b.shop), elements);
  const std::size_t state = b.engine->leaf_memory_bytes(*b.shop);
  const std::size_t grown = most - std::min(most, before);
  EXPECT_LE(grown, state + 64 * mebibyte);
  std::printf(
      "%zu elements: %zu frames over %zu links, %.1f MB, %.1f s; heap grew by %.1f MB, the state is %.1f "
      "MB\n",
      elements, frames, links, static_cast<double>(bytes) / 1e6, seconds, static_cast<double>(grown) / 1e6,
      static_cast<double>(state) / 1e6);
}

// Each under an actor of its own, as a device that is opened so often without a clean close.
// A million reopenings, and then two meet again of which one opened ten times more: that costs what few
// actors would.
TEST(ManyActors, CostLittleOnceTheyAreCold_R_AE_4) {
  const std::size_t actors = std::min<std::size_t>(scaled(70'000), 1'000'000);
  TestClock clock;
  Peer a(1), b(2);
  const std::size_t before = allocated_bytes();
  for (std::size_t i = 0; i < actors; ++i) {
    a.shop->forget_self();
    a.put(clock, {element(i % 100)}, "");
  }
  a.engine->cut_log(*a.shop, 0);
  const std::size_t held = allocated_bytes() - std::min(before, allocated_bytes());
  const auto began = std::chrono::steady_clock::now();
  SessionMetrics first;
  std::uint64_t next = 0;
  double seconds = 0;
  {
    Link link(clock, a, b);
    link.run(std::chrono::milliseconds(3'000));
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    EXPECT_EQ(a.engine->digests(*a.shop), b.engine->digests(*b.shop));
    EXPECT_TRUE(link.session(0).in_sync() && link.session(1).in_sync());
    first = link.session(0).metrics();
    a.put(clock, {element(0)}, "");
    link.run(std::chrono::milliseconds(300));
    next = link.session(0).metrics().bytes_out - first.bytes_out;
    EXPECT_LT(next, 1'000U);  // What was told once isn't told again.
  }
  for (std::size_t i = 0; i < 10; ++i) {
    a.shop->forget_self();
    a.put(clock, {element(i)}, "");
  }
  const auto again = std::chrono::steady_clock::now();
  Link link(clock, a, b);
  link.run(std::chrono::milliseconds(3'000));
  const std::chrono::duration<double> again_seconds = std::chrono::steady_clock::now() - again;
  EXPECT_EQ(a.engine->digests(*a.shop), b.engine->digests(*b.shop));
  EXPECT_TRUE(link.session(0).in_sync() && link.session(1).in_sync());
  const SessionMetrics& second = link.session(0).metrics();
  EXPECT_LT(second.bytes_out, 25'000U);
  EXPECT_LT(second.bytes_in, 25'000U);
  std::printf(
      "%zu actors: %.0f B of memory each; first contact %.1f MB out, %.1f MB in, %.2f s; the next change "
      "%llu B; the next contact %llu B out, %llu B in, %.3f s\n",
      actors, static_cast<double>(held) / static_cast<double>(actors),
      static_cast<double>(first.bytes_out) / 1e6, static_cast<double>(first.bytes_in) / 1e6, seconds,
      static_cast<unsigned long long>(next), static_cast<unsigned long long>(second.bytes_out),
      static_cast<unsigned long long>(second.bytes_in), again_seconds.count());
}

}  // namespace
}  // namespace syncline
