// Bodies that travel compressed: one Zstandard frame (RFC 8878) that tells what
// size it comes out at. Private to the codec.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crdt/error.h"
#include "wire/codec.h"

namespace syncline {

// How a body stands in its message. Numbers are part of the protocol and never change.
enum class BodyCoding : std::uint8_t { none = 0, zstd = 1 };

// The body compressed, or nothing if that saves less than an eighth.
std::optional<std::string> compress(std::string_view body);

// What was compressed. The size that a stream claims is held against what came
// (WireLimits::body_bytes_per_byte_max) before memory is taken for it, and the stream
// against its claim.
Result<std::string> decompress(std::string_view compressed, const WireLimits& limits);

}  // namespace syncline
