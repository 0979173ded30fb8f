// What can go wrong, and what it means for the state.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "crdt/export.h"

namespace syncline {

// Each code says whether state changed and what to do about it.
enum class Errc {
  invalid_argument,  // The call was wrong. Nothing changed; mend the call.
  too_large,         // A value, key or change is over its limit. Nothing changed; split it.
  overflow,          // A counter would pass what 64 bits hold. Nothing changed.
  no_rights,         // A bounded counter: too few rights are held here. Nothing changed; ask their holder.
  wrong_type,        // The operation doesn't fit the type found under the key. Nothing changed.
  unknown_type,      // Only newer code knows how to do this to the type. Nothing changed; upgrade.
  malformed,         // Bytes from outside aren't what they claim to be. Nothing was merged.
  unsupported,       // The peer speaks a version of the protocol that we don't. Nothing changed.
  wrong_cluster,     // The peer or the store belongs to another cluster. Nothing changed.
  limit,             // A cap on a queue or a count was reached. Nothing changed; anti-entropy repairs.
  storage,           // The disk failed. The commit was undone; the detail has the reason.
  damaged,           // What is stored isn't what was written: a leaf waits for repair, or a store can't be
                     // opened; the detail has the place. Nothing changed.
  timeout,           // The wait ended first. What was waited for may still happen.
  version_too_old,   // The log no longer reaches back so far. Iterate anew.
  network,           // A socket or a name failed; the detail has the reason. Data is untouched.
  aborted,           // The update's own function gave up. Nothing changed.
  closed,            // The object was closed or stopped. Nothing changed.
  disk_full,         // No room for the commit, which was undone. Reads go on; make room and write again.
  joining,           // The keyspace takes in a peer's whole state and isn't complete. Nothing changed; wait.
  no_peer,           // Nobody is linked who could be asked. Nothing changed; try again when somebody is.
};

// The code's name, as it stands in this file.
SYNCLINE_EXPORT const char* name(Errc code) noexcept;

// An error as callers see it: a code to act on, a detail for people.
struct Error {
  Errc code;
  std::string detail;

  friend bool operator==(const Error&, const Error&) = default;
};

// "code: detail".
SYNCLINE_EXPORT std::string to_string(const Error& error);

template <class T>
using Result = tl::expected<T, Error>;

// Shorthand for `return failure(Errc::malformed, "why")`.
inline tl::unexpected<Error> failure(Errc code, std::string detail) {
  return tl::unexpected<Error>(Error{code, std::move(detail)});
}

// Ends the process with the place of a broken invariant of our own. On in
// every build: a corrupt replica infects its peers. Bytes from outside must
// never reach one.
[[noreturn]] SYNCLINE_EXPORT void assertion_failed(const char* what, const char* file, int line) noexcept;

}  // namespace syncline

#define SYNCLINE_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::syncline::assertion_failed(#condition, __FILE__, __LINE__))
