#include "crdt/value.h"

#include <bit>
#include <cmath>

namespace syncline {
namespace {

// Part of the formats on wire and disk; they never change. In the order of kinds.
enum Tag : std::uint8_t {
  tag_null = 0x01,
  tag_false = 0x02,
  tag_true = 0x03,
  tag_zero = 0x0c,  // n bytes of a positive integer: tag_zero + n; of a negative one: tag_zero - n.
  tag_real = 0x15,
  tag_text = 0x16,
  tag_blob = 0x17,
};
constexpr int integer_bytes_max = 8;
constexpr std::uint64_t sign_bit = std::uint64_t{1} << 63;
constexpr std::uint64_t canonical_nan = 0x7ff8'0000'0000'0000;

int bytes_needed(std::uint64_t value) { return (static_cast<int>(std::bit_width(value)) + 7) / 8; }

void append_big_endian(std::string& out, std::uint64_t value, int count) {
  for (int shift = 8 * (count - 1); shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<std::uint8_t>(byte);
  return value;
}

// All ones in the lowest `count` bytes.
std::uint64_t ones(int count) { return ~std::uint64_t{0} >> (64 - 8 * count); }

void append_integer(std::string& out, std::int64_t value) {
  const bool negative = value < 0;
  const auto bits = static_cast<std::uint64_t>(value);
  const std::uint64_t magnitude = negative ? 0 - bits : bits;
  const int count = bytes_needed(magnitude);
  out.push_back(static_cast<char>(negative ? tag_zero - count : tag_zero + count));
  if (count > 0) append_big_endian(out, negative ? ones(count) - magnitude : magnitude, count);
}

void append_real(std::string& out, double value) {
  const std::uint64_t bits = std::isnan(value) ? canonical_nan : std::bit_cast<std::uint64_t>(value);
  out.push_back(static_cast<char>(tag_real));
  // Negative doubles order backwards by their bits, positive ones forwards and above.
  append_big_endian(out, (bits & sign_bit) != 0 ? ~bits : bits | sign_bit, 8);
}

tl::unexpected<Error> not_canonical(const char* what) {
  return failure(Errc::malformed, std::string("value: ") + what);
}

Result<Value> take_integer(int signed_count, std::string_view content) {
  const bool negative = signed_count < 0;
  const int count = negative ? -signed_count : signed_count;
  if (content.size() != static_cast<std::size_t>(count)) return not_canonical("integer of another length");
  if (count == 0) return Value(std::int64_t{0});
  const std::uint64_t coded = big_endian(content);
  const std::uint64_t magnitude = negative ? ones(count) - coded : coded;
  if (bytes_needed(magnitude) != count) return not_canonical("integer longer than need be");
  if (magnitude > (negative ? sign_bit : sign_bit - 1)) return not_canonical("integer beyond 64 bits");
  return Value(static_cast<std::int64_t>(negative ? 0 - magnitude : magnitude));
}

Result<Value> take_real(std::string_view content) {
  if (content.size() != 8) return not_canonical("real of another length");
  const std::uint64_t coded = big_endian(content);
  const std::uint64_t bits = (coded & sign_bit) != 0 ? coded & ~sign_bit : ~coded;
  const auto value = std::bit_cast<double>(bits);
  if (std::isnan(value) && bits != canonical_nan) return not_canonical("another NaN");
  return Value(value);
}

}  // namespace

void Value::append_bytes(std::string& out) const {
  switch (kind()) {
    case Kind::null:
      out.push_back(static_cast<char>(tag_null));
      return;
    case Kind::boolean:
      out.push_back(static_cast<char>(*boolean() ? tag_true : tag_false));
      return;
    case Kind::integer:
      append_integer(out, *integer());
      return;
    case Kind::real:
      append_real(out, *real());
      return;
    case Kind::text:
      out.push_back(static_cast<char>(tag_text));
      out.append(*text());
      return;
    case Kind::blob:
      out.push_back(static_cast<char>(tag_blob));
      out.append(blob()->bytes);
      return;
  }
}

std::string Value::to_bytes() const {
  std::string out;
  if (const std::string* t = text()) out.reserve(1 + t->size());
  if (const Blob* b = blob()) out.reserve(1 + b->bytes.size());
  append_bytes(out);
  return out;
}

Result<Value> Value::from_bytes(std::string_view bytes) {
  if (bytes.empty()) return not_canonical("no tag");
  const auto tag = static_cast<std::uint8_t>(bytes.front());
  const std::string_view content = bytes.substr(1);
  if (tag >= tag_zero - integer_bytes_max && tag <= tag_zero + integer_bytes_max)
    return take_integer(int{tag} - int{tag_zero}, content);
  switch (tag) {
    case tag_real:
      return take_real(content);
    case tag_text:
      return Value(content);
    case tag_blob:
      return Value(Blob{std::string(content)});
    case tag_null:
    case tag_false:
    case tag_true:
      break;
    default:
      return not_canonical("unknown tag");
  }
  if (!content.empty()) return not_canonical("bytes left over");
  Result<Value> value;  // Null.
  if (tag != tag_null) *value = tag == tag_true;
  return value;
}

}  // namespace syncline
