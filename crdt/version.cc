#include "crdt/version.h"

#include <algorithm>
#include <utility>

#include "crdt/bytes.h"

namespace syncline {
namespace {

bool before(const Version::Entry& entry, const ActorId& actor) { return entry.first < actor; }

}  // namespace

Version Version::of(std::vector<Entry> entries) {
  // Of one actor the greatest counter comes first, and stays.
  const auto earlier = [](const Entry& a, const Entry& b) {
    return a.first == b.first ? a.second > b.second : a.first < b.first;
  };
  if (!std::is_sorted(entries.begin(), entries.end(), earlier))
    std::sort(entries.begin(), entries.end(), earlier);
  const auto same = [](const Entry& a, const Entry& b) { return a.first == b.first; };
  entries.erase(std::unique(entries.begin(), entries.end(), same), entries.end());
  std::erase_if(entries, [](const Entry& entry) { return entry.second == 0; });
  Version version;
  version.entries_ = std::move(entries);
  return version;
}

std::uint64_t Version::counter(const ActorId& actor) const {
  const auto it = std::lower_bound(entries_.begin(), entries_.end(), actor, before);
  return it != entries_.end() && it->first == actor ? it->second : 0;
}

bool Version::includes(const Version& other) const {
  return std::all_of(other.entries_.begin(), other.entries_.end(),
                     [this](const Entry& entry) { return entry.second <= counter(entry.first); });
}

void Version::raise(const ActorId& actor, std::uint64_t counter) {
  if (counter == 0) return;
  const auto it = std::lower_bound(entries_.begin(), entries_.end(), actor, before);
  if (it != entries_.end() && it->first == actor) {
    it->second = std::max(it->second, counter);
  } else {
    entries_.insert(it, Entry{actor, counter});
  }
}

void Version::merge(const Version& other) {
  std::vector<Entry> merged;
  merged.reserve(std::max(entries_.size(), other.entries_.size()));
  auto a = entries_.begin();
  auto b = other.entries_.begin();
  while (a != entries_.end() || b != other.entries_.end()) {
    if (b == other.entries_.end() || (a != entries_.end() && a->first < b->first)) {
      merged.push_back(*a++);
    } else if (a == entries_.end() || b->first < a->first) {
      merged.push_back(*b++);
    } else {
      merged.emplace_back(a->first, std::max(a->second, b->second));
      ++a, ++b;
    }
  }
  entries_ = std::move(merged);
}

std::uint64_t Version::size() const {
  std::uint64_t total = 0;
  for (const Entry& entry : entries_) total += entry.second;
  return total;
}

std::string Version::to_bytes() const {
  std::string out;
  put_varint(out, entries_.size());
  for (const auto& [actor, counter] : entries_) {
    out.append(actor.view());
    put_varint(out, counter);
  }
  return out;
}

Result<Version> Version::from_bytes(std::string_view bytes) {
  Version version;
  ByteReader in(bytes);
  const auto count = in.varint();
  if (!count) return failure(Errc::malformed, "version: no count");
  if (*count > in.left() / (ActorId::size_bytes + 1)) return failure(Errc::malformed, "version: cut short");
  version.entries_.reserve(static_cast<std::size_t>(*count));
  for (std::uint64_t i = 0; i < *count; ++i) {
    const auto actor = in.take(ActorId::size_bytes);
    const auto counter = in.varint();
    if (!actor || !counter) return failure(Errc::malformed, "version: cut short");
    const ActorId id = *ActorId::from(*actor);
    if (*counter == 0) return failure(Errc::malformed, "version: a counter of zero");
    if (!version.entries_.empty() && !(version.entries_.back().first < id))
      return failure(Errc::malformed, "version: actors out of order");
    version.entries_.emplace_back(id, *counter);
  }
  if (in.left() != 0) return failure(Errc::malformed, "version: bytes left over");
  return version;
}

}  // namespace syncline
