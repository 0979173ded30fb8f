// How the C++ types that people keep in sets, maps and registers become values.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "crdt/value.h"

namespace syncline {

// Specialise for a type of your own: `to_value` must give equal values for
// equal objects only, `from_value` the object that to_value() made the value of, or
// nothing for any other value (bytes from outside may hold any).
template <class T>
struct ValueTraits;

template <>
struct ValueTraits<Value> {
  static const Value& to_value(const Value& value) { return value; }
  static std::optional<Value> from_value(Value value) { return value; }
};

template <>
struct ValueTraits<std::string> {
  static Value to_value(std::string text) { return Value(std::move(text)); }
  static std::optional<std::string> from_value(const Value& value) {
    return value.text() != nullptr ? std::optional(*value.text()) : std::nullopt;
  }
};

template <>
struct ValueTraits<Blob> {
  static Value to_value(Blob blob) { return Value(std::move(blob)); }
  static std::optional<Blob> from_value(const Value& value) {
    return value.blob() != nullptr ? std::optional(*value.blob()) : std::nullopt;
  }
};

template <>
struct ValueTraits<bool> {
  static Value to_value(bool value) { return Value(value); }
  static std::optional<bool> from_value(const Value& value) {
    return value.boolean() != nullptr ? std::optional(*value.boolean()) : std::nullopt;
  }
};

template <>
struct ValueTraits<double> {
  static Value to_value(double value) { return Value(value); }
  static std::optional<double> from_value(const Value& value) {
    return value.real() != nullptr ? std::optional(*value.real()) : std::nullopt;
  }
};

// Integers that every std::int64_t can hold.
template <std::integral T>
requires(std::signed_integral<T> || sizeof(T) < sizeof(std::int64_t)) struct ValueTraits<T> {
  static Value to_value(T value) { return Value(std::int64_t{value}); }
  static std::optional<T> from_value(const Value& value) {
    return value.integer() != nullptr && std::in_range<T>(*value.integer())
               ? std::optional(static_cast<T>(*value.integer()))
               : std::nullopt;
  }
};

// The canonical bytes of the value that an object becomes.
template <class T>
std::string to_value_bytes(const T& object) {
  if constexpr (std::same_as<T, Value>) {
    return object.to_bytes();
  } else {
    return ValueTraits<T>::to_value(object).to_bytes();
  }
}

// The object that canonical bytes stand for.
template <class T>
std::optional<T> from_value_bytes(std::string_view bytes) {
  auto value = Value::from_bytes(bytes);
  return value ? ValueTraits<T>::from_value(std::move(*value)) : std::nullopt;
}

}  // namespace syncline
