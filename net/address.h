// "host:port": where a peer can be reached.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crdt/error.h"

namespace syncline {

inline constexpr std::size_t host_bytes_max = 253;  // RFC 1035: the longest name in text.

struct Address {
  std::string host;  // A name or a number, without brackets.
  std::uint16_t port = 0;

  friend bool operator==(const Address&, const Address&) = default;
};

// Takes "name:port", "1.2.3.4:port" or "[::1]:port" apart. Numbers come out in their shortest
// form, so that equal addresses are equal text. `invalid_argument` says what is wrong.
Result<Address> parse_address(std::string_view text);
// The text that parse_address() takes.
std::string to_string(const Address& address);

// A numeric address for the system; nothing for names, which need a resolver.
std::optional<sockaddr_storage> numeric(const Address& address);
// An address of the system as text; "?" if it is neither IPv4 nor IPv6.
std::string to_string(const sockaddr_storage& address);

// 127.0.0.0/8, ::1, or the former written as IPv6.
bool is_loopback(const sockaddr_storage& address);
// 0.0.0.0 or ::, "all of my addresses".
bool is_wildcard(const sockaddr_storage& address);

// `told` with the host of `seen` if it names all of its sender's addresses: who says "0.0.0.0:7946"
// can be dialled at the address that it is seen at.
Address reachable(const Address& told, const sockaddr_storage& seen);

// Refuses an address off this machine unless `allowed`: what travels there can be read on the way.
Result<void> check_plaintext(const sockaddr_storage& address, bool allowed);

}  // namespace syncline
