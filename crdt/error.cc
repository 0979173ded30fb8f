#include "crdt/error.h"

#include <cstdio>
#include <cstdlib>

namespace syncline {

const char* name(Errc code) noexcept {
  switch (code) {
    case Errc::invalid_argument:
      return "invalid_argument";
    case Errc::too_large:
      return "too_large";
    case Errc::overflow:
      return "overflow";
    case Errc::no_rights:
      return "no_rights";
    case Errc::wrong_type:
      return "wrong_type";
    case Errc::unknown_type:
      return "unknown_type";
    case Errc::malformed:
      return "malformed";
    case Errc::unsupported:
      return "unsupported";
    case Errc::wrong_cluster:
      return "wrong_cluster";
    case Errc::limit:
      return "limit";
    case Errc::storage:
      return "storage";
    case Errc::damaged:
      return "damaged";
    case Errc::timeout:
      return "timeout";
    case Errc::version_too_old:
      return "version_too_old";
    case Errc::network:
      return "network";
    case Errc::aborted:
      return "aborted";
    case Errc::closed:
      return "closed";
    case Errc::disk_full:
      return "disk_full";
    case Errc::joining:
      return "joining";
    case Errc::no_peer:
      return "no_peer";
  }
  return "unknown";
}

std::string to_string(const Error& error) {
  return error.detail.empty() ? name(error.code) : std::string(name(error.code)) + ": " + error.detail;
}

void assertion_failed(const char* what, const char* file, int line) noexcept {
  std::fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line, what);
  std::abort();
}

}  // namespace syncline
