#include <algorithm>
#include <array>
#include <utility>

#include "tests/sim/sim.h"

namespace syncline::sim {
namespace {

class Shrinking {
 public:
  Shrinking(SimOptions failing, std::uint32_t runs_max) : smallest_(std::move(failing)), runs_(runs_max) {}

  // Takes the smaller run if it fails, too.
  bool take_if_failing(SimOptions smaller) {
    if (runs_ == 0) return false;
    --runs_;
    Sim sim(smaller);
    if (sim.run()) return false;
    // What comes after the finding isn't needed; chaos may end there.
    smaller.events = std::min(smaller.events, sim.counts().events() + 1);
    smallest_ = std::move(smaller);
    struck_ = sim.counts().struck;
    return true;
  }
  const SimOptions& smallest() const { return smallest_; }
  bool struck(Fault fault) const { return struck_[static_cast<std::size_t>(fault)] != 0; }
  bool is_over() const { return runs_ == 0; }

 private:
  SimOptions smallest_;
  std::uint32_t runs_;
  std::array<std::uint64_t, fault_count> struck_{};
};

// Leaves out kinds of faults, one after the other.
bool leave_out_faults(Shrinking& shrinking) {
  bool smaller = false;
  for (const Fault fault : all_faults()) {
    if (!shrinking.struck(fault)) continue;
    SimOptions without = shrinking.smallest();
    without.without.push_back(fault);
    smaller = shrinking.take_if_failing(std::move(without)) || smaller;
  }
  return smaller;
}

// Halves a number, then takes smaller bites off it.
bool lower(Shrinking& shrinking, std::uint64_t SimOptions::*number) {
  bool smaller = false;
  for (std::uint64_t bite = 2; bite <= 16 && !shrinking.is_over();) {
    SimOptions less = shrinking.smallest();
    const std::uint64_t now = std::min(less.*number, less.events);
    less.*number = now - now / bite;
    if (now / bite != 0 && shrinking.take_if_failing(std::move(less))) {
      smaller = true;
    } else {
      bite *= 2;
    }
  }
  return smaller;
}

}  // namespace

SimOptions shrink(const SimOptions& options, std::uint32_t runs_max) {
  Shrinking shrinking(options, runs_max);
  shrinking.take_if_failing(options);
  for (bool smaller = true; smaller && !shrinking.is_over();) {
    smaller = lower(shrinking, &SimOptions::events);
    smaller = leave_out_faults(shrinking) || smaller;
    smaller = lower(shrinking, &SimOptions::operations) || smaller;
  }
  return shrinking.smallest();
}

}  // namespace syncline::sim
