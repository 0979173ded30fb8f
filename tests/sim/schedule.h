// Virtual time: what is due next runs next, and time jumps to it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace syncline::sim {

// Virtual time since the start of a run.
using Micros = std::uint64_t;
inline constexpr Micros millisecond = 1'000;
inline constexpr Micros second = 1'000 * millisecond;

// A queue of tasks in virtual time. Not thread-safe: a run has one thread.
class Schedule {
 public:
  using Task = std::function<void()>;

  Micros now() const { return now_; }

  // Runs the task so much later. First come, first served among tasks of one moment. O(log tasks).
  void after(Micros delay, Task task) {
    heap_.push_back({now_ + delay, order_++, std::move(task)});
    std::push_heap(heap_.begin(), heap_.end(), Later{});
  }

  // Nothing happens for so long; what fell due meanwhile runs late.
  void jump(Micros length) { now_ += length; }

  // Runs the task that is due next. False if there is none.
  bool step() {
    if (heap_.empty()) return false;
    std::pop_heap(heap_.begin(), heap_.end(), Later{});
    const Entry next = std::move(heap_.back());
    heap_.pop_back();
    now_ = std::max(now_, next.at);
    next.task();
    return true;
  }

 private:
  struct Entry {
    Micros at;
    std::uint64_t order;
    Task task;
  };
  struct Later {
    bool operator()(const Entry& a, const Entry& b) const {
      return a.at != b.at ? a.at > b.at : a.order > b.order;
    }
  };

  Micros now_ = 0;
  std::uint64_t order_ = 0;
  std::vector<Entry> heap_;
};

}  // namespace syncline::sim
