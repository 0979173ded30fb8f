// What a replica does when a peer asks it for a change that only it can make.
#pragma once

#include <string_view>
#include <utility>

#include "crdt/bounded_logic.h"

namespace syncline {

// Writes what answers a request about the object, type by type: of a bounded counter rights for the
// asker, as many as rule(lacking, held) says. Whether anything was written. Bytes that are no request
// of the type, and types that nobody asks, are passed over.
template <LeafAccess A, class Rule>
bool answer_request(A& access, Place place, Type type, const ActorId& asker, std::string_view request,
                    Rule&& rule) {
  if (type != Type::bounded_counter) return false;
  return bounded_answer(access, place, asker, request, std::forward<Rule>(rule)) > 0;
}

}  // namespace syncline
