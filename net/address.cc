#include "net/address.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace syncline {
namespace {

// Quotes what a stranger may have sent.
tl::unexpected<Error> bad(std::string_view text, std::string_view why) {
  std::string shown(text.substr(0, 64));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return failure(Errc::invalid_argument,
                 fmt::format("address \"{}{}\": {}", shown, text.size() > 64 ? "..." : "", why));
}

bool may_stand_in_host(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == ':' || c == '%';
}

sockaddr_in as_v4(const sockaddr_storage& address) {
  sockaddr_in v4;
  std::memcpy(&v4, &address, sizeof v4);
  return v4;
}

sockaddr_in6 as_v6(const sockaddr_storage& address) {
  sockaddr_in6 v6;
  std::memcpy(&v6, &address, sizeof v6);
  return v6;
}

// Host and port of a system address, without a scope.
Address taken_apart(const sockaddr_storage& address) {
  std::array<char, 64> host{};
  std::uint16_t port = 0;
  if (address.ss_family == AF_INET) {
    const sockaddr_in v4 = as_v4(address);
    uv_ip4_name(&v4, host.data(), host.size());
    port = ntohs(v4.sin_port);
  } else if (address.ss_family == AF_INET6) {
    const sockaddr_in6 v6 = as_v6(address);
    uv_ip6_name(&v6, host.data(), host.size());
    port = ntohs(v6.sin6_port);
  }
  return Address{host.data(), port};
}

}  // namespace

Result<Address> parse_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad(text, "wants host:port");
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);

  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host.empty()) return bad(text, "has no host");
  if (host.size() > host_bytes_max) return bad(text, "the host is longer than 253 bytes");
  if (!std::all_of(host.begin(), host.end(), may_stand_in_host))
    return bad(text, "no such character in a host");
  if (!bracketed && host.find_first_of(":%") != std::string_view::npos) {
    return bad(text, "an IPv6 address wants brackets, like [::1]:7946");
  }

  Address address;
  const auto [end, status] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (status != std::errc() || end != port.data() + port.size())
    return bad(text, "the port is a number up to 65535");

  address.host = host;
  const auto number = numeric(address);
  if (bracketed && (!number || number->ss_family != AF_INET6))
    return bad(text, "no IPv6 address in the brackets");
  // A scope ("%eth0") gets lost on the way through the system's form, so it stays as written.
  if (number && host.find('%') == std::string_view::npos) address.host = taken_apart(*number).host;
  return address;
}

std::string to_string(const Address& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", address.host, address.port)
            : fmt::format("{}:{}", address.host, address.port);
}

std::optional<sockaddr_storage> numeric(const Address& address) {
  sockaddr_storage storage{};
  sockaddr_in v4{};
  if (uv_ip4_addr(address.host.c_str(), address.port, &v4) == 0) {
    std::memcpy(&storage, &v4, sizeof v4);
    return storage;
  }
  sockaddr_in6 v6{};
  if (uv_ip6_addr(address.host.c_str(), address.port, &v6) == 0) {
    std::memcpy(&storage, &v6, sizeof v6);
    return storage;
  }
  return std::nullopt;
}

std::string to_string(const sockaddr_storage& address) {
  const Address parts = taken_apart(address);
  return parts.host.empty() ? "?" : to_string(parts);
}

bool is_loopback(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) return ntohl(as_v4(address).sin_addr.s_addr) >> 24U == 127;
  if (address.ss_family != AF_INET6) return false;
  const in6_addr v6 = as_v6(address).sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

bool is_wildcard(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) return as_v4(address).sin_addr.s_addr == htonl(INADDR_ANY);
  if (address.ss_family != AF_INET6) return false;
  const in6_addr v6 = as_v6(address).sin6_addr;
  return IN6_IS_ADDR_UNSPECIFIED(&v6);
}

Address reachable(const Address& told, const sockaddr_storage& seen) {
  const auto number = numeric(told);
  if (!number || !is_wildcard(*number)) return told;
  Address address = taken_apart(seen);
  // Seen through a socket for both families, an IPv4 address looks like this.
  constexpr std::string_view mapped = "::ffff:";
  if (address.host.starts_with(mapped) && address.host.find('.') != std::string::npos) {
    address.host.erase(0, mapped.size());
  }
  address.port = told.port;
  return address;
}

Result<void> check_plaintext(const sockaddr_storage& address, bool allowed) {
  if (allowed || is_loopback(address)) return {};
  return failure(
      Errc::invalid_argument,
      fmt::format("{} is not on this machine, and what travels there can be read and changed on the way: "
                  "set insecure_plaintext if that is what you want",
                  to_string(address)));
}

}  // namespace syncline
