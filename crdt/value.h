// Scalars that registers, maps and sets hold.
//
// A value's identity is its canonical bytes: equal values have equal bytes on
// every machine, and bytes order as values of one kind do. Every NaN is one
// NaN; 0.0 and -0.0 are two values. Integers and doubles are different kinds.
#pragma once

#include <compare>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "crdt/error.h"
#include "crdt/export.h"

namespace syncline {

// Bytes that are not text, to tell the two apart in a Value.
struct Blob {
  std::string bytes;
  friend auto operator<=>(const Blob&, const Blob&) = default;
};

class SYNCLINE_EXPORT Value {
 public:
  enum class Kind : std::uint8_t { null, boolean, integer, real, text, blob };

  Value() = default;  // null
  Value(std::nullptr_t) {}
  Value(bool value) : data_(value) {}
  template <std::signed_integral T>
  Value(T value) : data_(std::int64_t{value}) {}
  // Unsigned types that fit; a std::uint64_t must be cast by the caller, who knows its range.
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool> && sizeof(T) < sizeof(std::int64_t)) Value(T value)
      : data_(std::int64_t{value}) {}
  Value(double value) : data_(value) {}
  Value(std::string text) : data_(std::move(text)) {}
  Value(std::string_view text) : data_(std::string(text)) {}
  Value(const char* text) : data_(std::string(text)) {}
  Value(Blob blob) : data_(std::move(blob)) {}

  Kind kind() const { return static_cast<Kind>(data_.index()); }
  bool is_null() const { return kind() == Kind::null; }

  // What is held, or nullptr if the kind is another.
  const bool* boolean() const { return std::get_if<bool>(&data_); }
  const std::int64_t* integer() const { return std::get_if<std::int64_t>(&data_); }
  const double* real() const { return std::get_if<double>(&data_); }
  const std::string* text() const { return std::get_if<std::string>(&data_); }
  const Blob* blob() const { return std::get_if<Blob>(&data_); }

  // Canonical bytes: a tag, then the content; integers in the fewest bytes that keep their order.
  std::string to_bytes() const;
  void append_bytes(std::string& out) const;
  // The value in `bytes`, or `malformed` unless they are canonical.
  [[nodiscard]] static Result<Value> from_bytes(std::string_view bytes);

  // By canonical bytes, so that NaN equals itself and -0.0 isn't 0.0.
  friend bool operator==(const Value& a, const Value& b) { return a.to_bytes() == b.to_bytes(); }
  friend std::strong_ordering operator<=>(const Value& a, const Value& b) {
    return a.to_bytes() <=> b.to_bytes();
  }

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Blob> data_;
};

}  // namespace syncline
