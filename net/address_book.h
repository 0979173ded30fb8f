// Where peers can be dialled, and when each is to be tried next.
//
// After each failure an address rests: exponentially longer, up to a limit, and
// with full jitter in the upper half, so that peers that lost each other at once
// don't come back at once (M. Brooker, "Exponential Backoff And Jitter", 2015).
// Decides only: no socket, no clock; times are of one monotonic clock.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "net/address.h"

namespace syncline {

using NodeId = std::array<std::uint8_t, 16>;  // One run of one node: see SessionOptions::node.

class AddressBook {
 public:
  struct Options {
    std::chrono::milliseconds backoff_min{0};
    std::chrono::milliseconds backoff_max{0};
    std::size_t entries_max = 0;
    std::size_t failures_max =
        0;                   // After so many in a row an address that nobody asked to join is forgotten.
    std::uint64_t seed = 0;  // Of the jitter.
  };

  struct Entry {
    Address address;
    bool joined = false;  // Asked for by the application: never forgotten.
    bool self = false;    // Turned out to be ourselves.
    bool dialling = false;
    std::size_t failures = 0;          // In a row.
    std::chrono::milliseconds due{0};  // Not to be dialled before.
    std::string last_error;
    std::optional<NodeId> node;  // Who was found there.
  };

  explicit AddressBook(Options options) : options_(options), random_(options.seed) {}

  // Adds the address, due at once, or finds it. For an address that nobody asked to join a full book
  // gives up another such that failed most often; null if none failed. `address` must be as
  // to_string(Address) makes it.
  Entry* add(const std::string& address, bool joined, std::chrono::milliseconds now);
  Entry* find(const std::string& address);
  // By address.
  std::map<std::string, Entry>& entries() { return entries_; }

  // The try, or the link that came of it, failed. `hopeless`: only people can mend it, so it rests
  // as long as there is. May forget the address: the entry is gone then.
  void handle_failure(const std::string& address, const std::string& reason, bool hopeless,
                      std::chrono::milliseconds now);
  // It rests as after a first failure, which this wasn't: a good link ended.
  void handle_lost(Entry& entry, const std::string& reason, std::chrono::milliseconds now);
  // All are due again, soon but not all at once.
  void retry_all(std::chrono::milliseconds now);

  // How long to rest after so many failures in a row: between half and all of
  // backoff_min * 2^(failures-1), at most backoff_max.
  std::chrono::milliseconds backoff(std::size_t failures);

 private:
  const Options options_;
  std::mt19937_64 random_;
  std::map<std::string, Entry> entries_;
};

}  // namespace syncline
