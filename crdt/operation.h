// How errors name what was tried, and where: insert into or_set "cart/42".
//
// Text is built when something is refused, never before.
#pragma once

#include <string>
#include <string_view>

#include "crdt/error.h"
#include "crdt/export.h"
#include "crdt/leaf_key.h"

namespace syncline {

// For people: "cart/42", or "users" / "7" / "name" for what is in maps. Names are cut where they are long,
// and the middle of a long path is left out; what isn't printable shows as '?'. Nothing for the empty key,
// where types used alone are.
SYNCLINE_EXPORT std::string place_text(Place place);

// The operation and where it was tried: "add to", pn_counter and its place become
// add to pn_counter "visits".
SYNCLINE_EXPORT std::string operation_text(std::string_view operation, Type type, Place place);

// The same of a write, as its leaf and what it puts there tell: which operation of the type makes it.
// `payload` counts only if something is put.
SYNCLINE_EXPORT std::string write_text(std::string_view leaf, bool put, std::string_view payload);

// The error of an operation that is refused: operation_text() and why.
SYNCLINE_EXPORT Error refused(Errc code, std::string_view operation, Type type, Place place,
                              std::string_view why);
// The same of a write to a leaf.
SYNCLINE_EXPORT Error refused_write(Errc code, std::string_view leaf, bool put, std::string_view payload,
                                    std::string_view why);

}  // namespace syncline
