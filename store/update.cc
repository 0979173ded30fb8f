#include "store/update.h"

#include "crdt/key_logic.h"

namespace syncline {

static_assert(LeafAccess<Transaction>);

bool Update::erase(std::string_view key) { return erase_place(transaction_, key); }

}  // namespace syncline
