// One measurement as a line of JSON on standard output.
#pragma once

#include <malloc.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>

#include "fmt/format.h"

namespace syncline::bench {

// Milliseconds: as the clock on the wall had them, and of the processor. Nothing
// measured here waits for anything, so they differ by what else the machine did.
struct Elapsed {
  double wall_ms = 0;
  double cpu_ms = 0;

  Elapsed& operator+=(const Elapsed& other) {
    wall_ms += other.wall_ms;
    cpu_ms += other.cpu_ms;
    return *this;
  }
  friend Elapsed operator+(Elapsed a, const Elapsed& b) { return a += b; }
  friend Elapsed operator-(const Elapsed& a, const Elapsed& b) {
    return {a.wall_ms - b.wall_ms, a.cpu_ms - b.cpu_ms};
  }
};

class Stopwatch {
 public:
  Elapsed elapsed() const {
    return {read(CLOCK_MONOTONIC) - wall_start_, read(CLOCK_PROCESS_CPUTIME_ID) - cpu_start_};
  }

 private:
  static double read(clockid_t clock) {
    struct timespec now {};
    clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
  }

  double wall_start_ = read(CLOCK_MONOTONIC);
  double cpu_start_ = read(CLOCK_PROCESS_CPUTIME_ID);
};

// Bytes that malloc has handed out.
inline double allocated_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

// Stops the program when what was measured isn't what should have been.
inline void require(bool holds, std::string_view what) {
  if (holds) return;
  fmt::print(stderr, "workloads: {}\n", what);
  std::exit(1);
}

// Record("syncline", "w2", "LwwMap", n, "insert").took(watch.elapsed()).ops(n).bytes(b).print();
class Record {
 public:
  Record(std::string_view peer, std::string_view workload, std::string_view variant, std::size_t n,
         std::string_view phase)
      : line_(fmt::format(R"({{"peer":"{}","wl":"{}","variant":"{}","n":{},"phase":"{}")", peer, workload,
                          variant, n, phase)) {}

  Record& number(std::string_view name, double value) {
    line_ += fmt::format(R"(,"{}":{:.12g})", name, value);
    return *this;
  }
  Record& text(std::string_view name, std::string_view value) {
    line_ += fmt::format(R"(,"{}":"{}")", name, value);
    return *this;
  }
  Record& took(const Elapsed& time) {
    ms_ = time.wall_ms;
    return number("ms", time.wall_ms).number("cpu_ms", time.cpu_ms);
  }
  // Operations: with the time before, their rate; with the bytes after, bytes of each.
  Record& ops(std::size_t count) {
    ops_ = static_cast<double>(count);
    number("ops", ops_);
    if (ms_ > 0) number("ops_s", ops_ / ms_ * 1000);
    return *this;
  }
  Record& bytes(double value) {
    number("bytes", value);
    if (ops_ > 0) number("bytes_op", value / ops_);
    return *this;
  }
  // The most memory this process ever had, in MiB.
  Record& rss() {
    struct rusage usage {};
    getrusage(RUSAGE_SELF, &usage);
    return number("rss_mb", static_cast<double>(usage.ru_maxrss) / 1024);
  }
  void print() {
    fmt::print("{}}}\n", line_);
    std::fflush(stdout);
  }

 private:
  std::string line_;
  double ms_ = 0;
  double ops_ = 0;
};

}  // namespace syncline::bench
