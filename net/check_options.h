// NodeOptions, checked once, at the door.
#pragma once

#include <string>

#include "net/address.h"
#include "net/node.h"

namespace syncline {

// The options with the gaps filled in, or `invalid_argument` with the first fault found.
Result<NodeOptions> checked(NodeOptions options);
// An address to dial: has a port, and if it is a number off this machine, plaintext must be allowed
// there. (Names are held to that once they are resolved.)
Result<Address> check_join(const std::string& address, bool insecure_plaintext);

}  // namespace syncline
