// A replica with one keyspace, in memory, to be measured.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "bench/links.h"
#include "bench/record.h"

namespace syncline::bench {

class Home {
 public:
  static constexpr std::size_t batch = 1'000;  // Operations a transaction.

  explicit Home(std::string_view name) : replica_(open_replica(clock_)), keyspace_(replica_.keyspace(name)) {}

  // fn(tx, i) for i below `count`, `batch` of them a transaction.
  template <class Fn>
  void write(std::size_t count, Fn&& fn) {
    for (std::size_t at = 0; at < count; at += batch) {
      const auto written = keyspace_.update([&](Update& tx) {
        for (std::size_t i = at; i < std::min(at + batch, count); ++i) fn(tx, i);
      });
      require(written.has_value(), "a transaction is written");
    }
  }
  ManualClock& clock() { return clock_; }
  Replica& replica() { return replica_; }
  Keyspace& keyspace() { return keyspace_; }

 private:
  ManualClock clock_;
  Replica replica_;
  Keyspace keyspace_;
};

}  // namespace syncline::bench
