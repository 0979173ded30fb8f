// Requests between replicas: asking those that are linked, and answering them.
#include "crdt/asking.h"

#include <utility>

#include "store/replica_state.h"

namespace syncline {

Result<void> Keyspace::ask(std::string_view leaf, std::string_view request) const {
  if (is_inside(*state_)) return tl::unexpected(inside_error());
  Turn turn(state_);
  const KeyspaceState* const keyspace = turn->find(*slot_);
  if (keyspace == nullptr) return tl::unexpected(slot_->problem);
  if (const auto joined = turn->engine->check_joined(*keyspace); !joined) return joined;
  if (const auto refused = turn->refusal()) return tl::unexpected(*refused);  // Nothing could be taken in.
  bool asked = false;
  for (const auto& link : turn->links)
    if (link->session) asked = link->session->ask(slot_->name, leaf, request) || asked;
  if (!asked) return failure(Errc::no_peer, "no peer is linked that has the keyspace and can be asked now");
  turn->wake_all = true;
  return {};
}

// Whether a change was made for it.
bool ReplicaState::answer(const Asked& asked) {
  const auto found = slots.find(asked.keyspace);
  const auto object = object_leaf(asked.leaf);
  KeyspaceState* const keyspace = found == slots.end() ? nullptr : find(found->second);
  // Who never wrote here has nothing to give.
  if (keyspace == nullptr || !object || !engine->own_actor(*keyspace) || refusal()) return false;
  Transaction transaction = engine->begin(*keyspace, now());
  const auto rule = [&](std::int64_t lacking, std::int64_t held) {
    if (!give_rights) return rights_to_give(lacking, held);
    RightsAsked rights{asked.keyspace, {}, {}, asked.asker, lacking, held};
    PathNames names = path_names(object->place);
    rights.key = std::move(names.key);
    for (auto& [map, name] : names.names) rights.path.push_back(std::move(name));
    const Inside caller(*this);
    std::int64_t given = 0;
    if (const auto thrown = guarded([&] { given = give_rights(rights); }); thrown && log)
      log_lines.push_back({LogLevel::error, "give_rights threw", {{"what", *thrown}}});
    return given;
  };
  if (!answer_request(transaction, Place::at(object->place), object->type, asked.asker, asked.request, rule))
    return false;
  return engine->commit(std::move(transaction)).has_value();
}

}  // namespace syncline
