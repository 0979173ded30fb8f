// Two replicas and the links between them, without a network: frames are handed over in memory.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "bench/record.h"
#include "store/store.h"

namespace syncline::bench {

// What is around the delta in the one frame of a push: our header and Cap'n Proto's (docs/protocol.md).
constexpr std::uint64_t frame_overhead_bytes = 8 + 16;

// A clock that stands still until it is moved, so that no timer fires by chance.
class ManualClock {
 public:
  Time now() const { return now_; }
  void advance(std::chrono::milliseconds by) {
    now_.monotonic += by;
    now_.wall += by;
  }

 private:
  Time now_{std::chrono::hours(1), std::chrono::milliseconds(1'767'225'600'000)};
};

// A replica in memory that reads `clock`, which must outlive it.
inline Replica open_replica(const ManualClock& clock, const EngineOptions& engine = {}) {
  ReplicaOptions options;
  options.engine = engine;
  options.clock = [&clock] { return clock.now(); };
  auto opened = Replica::open(std::move(options));
  require(opened.has_value(), "a replica in memory opens");
  return std::move(*opened);
}

// Bytes on the wire, frame headers included, and the time that making and taking frames took.
struct Traffic {
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  std::array<std::uint64_t, 128> bytes_of_type{};  // By type of frame, docs/protocol.md.
  Elapsed sending;
  Elapsed receiving;
};

// Hands the next frame over. False if there was none.
inline bool pass_frame(Replica::Link& from, Replica::Link& to, Traffic& traffic) {
  const Stopwatch sending;
  const std::optional<std::string> frame = from.send();
  traffic.sending += sending.elapsed();
  if (!frame) return false;
  ++traffic.frames;
  traffic.bytes += frame->size();
  traffic.bytes_of_type[static_cast<unsigned char>((*frame)[3]) % traffic.bytes_of_type.size()] +=
      frame->size();
  const Stopwatch receiving;
  const auto received = to.receive(*frame);
  traffic.receiving += receiving.elapsed();
  require(received.has_value(), "a frame is taken");
  return true;
}

// One conversation between two replicas.
class LinkPair {
 public:
  LinkPair(Replica& a, Replica& b, ManualClock& clock)
      : clock_(clock), a_(a.connect(SessionOptions{}, [] {})), b_(b.connect(SessionOptions{}, [] {})) {}

  Replica::Link& a() { return *a_; }
  Replica::Link& b() { return *b_; }

  // Both sides speak in turn, a frame each, until neither has anything to say.
  void exchange() {
    for (bool going = true; going;) {
      const bool from_a = pass_frame(*a_, *b_, to_b_);
      const bool from_b = pass_frame(*b_, *a_, to_a_);
      going = from_a || from_b;
    }
  }
  // "Sync now": both compare, then exchange; what pushes didn't bring is asked for when its time has come.
  void sync() {
    a_->tick_now();
    b_->tick_now();
    exchange();
    for (int rounds = 0; !a_->in_sync() || !b_->in_sync(); ++rounds) {
      require(rounds < 100, "a sync comes to an end");
      clock_.advance(std::chrono::milliseconds(100));
      a_->run();
      b_->run();
      exchange();
    }
  }

  const Traffic& to_b() const { return to_b_; }
  // Of both directions.
  std::uint64_t bytes_of_type(std::size_t type) const {
    return to_a_.bytes_of_type[type] + to_b_.bytes_of_type[type];
  }
  std::uint64_t bytes() const { return to_a_.bytes + to_b_.bytes; }
  std::uint64_t passes() const { return a_->metrics().passes_in + b_->metrics().passes_in; }
  std::uint64_t frames() const { return to_a_.frames + to_b_.frames; }

 private:
  ManualClock& clock_;
  std::unique_ptr<Replica::Link> a_;
  std::unique_ptr<Replica::Link> b_;
  Traffic to_a_;
  Traffic to_b_;
};

}  // namespace syncline::bench
