// The checksums that each record of a store in a file carries, made by its
// writer, and how numbers and digests stand there. Internal to store/.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crdt/error.h"
#include "sync/digest.h"

namespace syncline {

// What a record has 32 bits of.
inline std::int64_t shortened(std::uint64_t hash) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(hash));
}

inline std::int64_t leaf_checksum(std::int64_t keyspace, std::string_view leaf, std::string_view value) {
  return shortened(hash_bytes(value, hash_bytes(leaf, static_cast<std::uint64_t>(keyspace))));
}

// Of a few numbers and some bytes.
template <class... Numbers>
std::int64_t record_checksum(std::string_view bytes, Numbers... numbers) {
  const std::array<std::int64_t, sizeof...(numbers)> words{static_cast<std::int64_t>(numbers)...};
  const std::string_view view(reinterpret_cast<const char*>(words.data()), sizeof words);
  return shortened(hash_bytes(bytes, hash_bytes(view, sizeof...(numbers))));
}

constexpr std::int64_t no_writer = -1;  // In the checksum of a head.

std::int64_t head_checksum(std::int64_t id, std::int64_t hlc, std::int64_t writer, std::int64_t leaves,
                           std::string_view name, std::string_view context, std::string_view state,
                           std::optional<std::string_view> frontier);
std::int64_t token_checksum(std::string_view keyspace, std::string_view token, std::int64_t number);

// 16 bytes: two little-endian words, low first.
std::string to_blob(const Digest& digest);
std::optional<Digest> to_digest(std::string_view blob);
// Numbers of actors as varints; nothing for none.
std::optional<std::string> to_blob(const std::vector<std::uint32_t>& frontier);
std::optional<std::vector<std::uint32_t>> to_frontier(std::string_view blob);

inline tl::unexpected<Error> damaged(std::string detail) { return failure(Errc::damaged, std::move(detail)); }

// SQLite's integers have a sign.
inline std::int64_t signed_of(std::uint64_t number) { return static_cast<std::int64_t>(number); }
inline std::uint64_t unsigned_of(std::int64_t number) { return static_cast<std::uint64_t>(number); }

}  // namespace syncline
