#include "net/address_book.h"

#include <algorithm>

namespace syncline {

AddressBook::Entry* AddressBook::find(const std::string& address) {
  const auto at = entries_.find(address);
  return at == entries_.end() ? nullptr : &at->second;
}

AddressBook::Entry* AddressBook::add(const std::string& address, bool joined, std::chrono::milliseconds now) {
  if (Entry* known = find(address)) {
    known->joined = known->joined || joined;
    return known;
  }
  const auto parsed = parse_address(address);
  if (!parsed || parsed->port == 0) return nullptr;
  if (!joined && entries_.size() >= options_.entries_max) {
    const auto failures = [](const auto& entry) {
      return entry.second.joined || entry.second.dialling ? 0 : entry.second.failures;
    };
    const auto worst = std::max_element(entries_.begin(), entries_.end(), [&](const auto& a, const auto& b) {
      return failures(a) < failures(b);
    });
    if (worst == entries_.end() || failures(*worst) == 0) return nullptr;
    entries_.erase(worst);
  }
  Entry& entry = entries_[address];
  entry.address = *parsed;
  entry.joined = joined;
  entry.due = now;
  return &entry;
}

void AddressBook::handle_failure(const std::string& address, const std::string& reason, bool hopeless,
                                 std::chrono::milliseconds now) {
  Entry* entry = find(address);
  if (entry == nullptr) return;
  entry->dialling = false;
  entry->last_error = reason;
  ++entry->failures;
  if (!entry->joined && entry->failures >= options_.failures_max) {
    entries_.erase(address);
    return;
  }
  entry->due = now + (hopeless ? options_.backoff_max : backoff(entry->failures));
}

void AddressBook::handle_lost(Entry& entry, const std::string& reason, std::chrono::milliseconds now) {
  entry.dialling = false;
  entry.last_error = reason;
  entry.failures = 0;
  entry.due = now + backoff(1);
}

void AddressBook::retry_all(std::chrono::milliseconds now) {
  for (auto& [address, entry] : entries_) {
    entry.failures = 0;
    entry.due = now + backoff(1);
  }
}

std::chrono::milliseconds AddressBook::backoff(std::size_t failures) {
  auto most = options_.backoff_min;
  for (std::size_t i = 1; i < failures && most < options_.backoff_max; ++i) most *= 2;
  most = std::min(most, options_.backoff_max);
  const auto half = static_cast<std::uint64_t>(most.count()) / 2;
  return most - std::chrono::milliseconds(random_() % (half + 1));
}

}  // namespace syncline
