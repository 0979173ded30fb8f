#include "crdt/dot.h"

namespace syncline {

std::string to_string(const ActorId& actor) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * ActorId::size_bytes);
  for (const std::uint8_t byte : actor.bytes) {
    text.push_back(digits[byte >> 4]);
    text.push_back(digits[byte & 15]);
  }
  return text;
}

std::string to_string(const Dot& dot) {
  return to_string(dot.actor).substr(0, 8) + ":" + std::to_string(dot.counter);
}

}  // namespace syncline
