// Virtual time: what is due next runs next, and time jumps to it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <new>
#include <type_traits>
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
  Micros now() const { return now_; }

  // Runs the task so much later. First come, first served among tasks of one moment. O(log tasks).
  template <class Fn>
  void after(Micros delay, Fn fn) {
    heap_.push_back({now_ + delay, order_++, Task(fn)});
    std::push_heap(heap_.begin(), heap_.end(), Later{});
  }

  // Nothing happens for so long; what fell due meanwhile runs late.
  void jump(Micros length) { now_ += length; }

  // Runs the task that is due next. False if there is none.
  bool step() {
    if (heap_.empty()) return false;
    std::pop_heap(heap_.begin(), heap_.end(), Later{});
    Entry next = heap_.back();
    heap_.pop_back();
    now_ = std::max(now_, next.at);
    next.task();
    return true;
  }

 private:
  // A function that holds a few numbers and pointers: takes no memory of its own.
  class Task {
   public:
    template <class Fn>
    explicit Task(Fn fn) : run_([](void* at) { (*std::launder(reinterpret_cast<Fn*>(at)))(); }) {
      static_assert(std::is_trivially_copyable_v<Fn> && sizeof(Fn) <= sizeof bytes_);
      new (bytes_) Fn(fn);
    }
    void operator()() { run_(bytes_); }

   private:
    alignas(8) unsigned char bytes_[40];
    void (*run_)(void*);
  };
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
