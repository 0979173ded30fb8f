// Which actors a session names, and what it tells of all others by a hash.
//
// Every opening of a store that can't prove its past writes under a fresh actor
// (I5), and none is ever forgotten; so of very many nearly all are cold: they
// write no more, and everybody has what they wrote. A session names the latest
// `actors_named` and tells the sum over the entries of the rest. The peer leaves
// what was named out of its own version: if that adds up to the same, it is the
// same, and both know all of each other for the price of a few.
//
// Two rules make the sums comparable and keep them true:
//   - Who hears a name while its own rest isn't known says that name in turn,
//     if its own entry is another one; so both soon leave out all that differs.
//   - Who has news of an actor without a name names it. So an entry that went by
//     the hash never changes.
// If the sums still differ, the difference is cold, too, as after a year away:
// the peer asks for more names, each time four times as many, and has them
// all at last. `NamesSearch` in tests/sync goes through every order of a few
// frames and two writes.
#include <algorithm>
#include <utility>

#include "sync/session_impl.h"

namespace syncline {

namespace {
constexpr std::size_t more_names = 4;
}  // namespace

std::uint32_t Session::Impl::name(Shared& each, std::uint32_t actor) {
  const std::uint64_t told = each.names.has(actor) ? 0 : each.status_sent[actor];
  if (told > 0) {
    const bool known = peer_knows_all(each);
    each.rest.sum -= hash_entry(each.state->actors[actor], told);
    --each.rest_count;
    if (!known) each.status_sent.forget(actor);  // Its entry is told with the next status.
  }
  return each.names.place(actor);
}

IndexedDot Session::Impl::named(Shared& each, const IndexedDot& dot) {
  return {name(each, dot.actor), dot.counter};
}

std::vector<IndexedDot> Session::Impl::named(Shared& each, std::vector<IndexedDot> entries) {
  for (IndexedDot& entry : entries) entry = named(each, entry);
  std::sort(entries.begin(), entries.end());
  return entries;
}

std::vector<ActorId> Session::Impl::new_definitions(Shared& each) {
  std::vector<ActorId> definitions;
  for (const std::uint32_t actor : each.names.take_new()) definitions.push_back(each.state->actors[actor]);
  return definitions;
}

// What a message says of all actors that are named so far.
std::vector<IndexedDot> Session::Impl::named_entries(const Shared& each, const Counters& version) const {
  std::vector<IndexedDot> entries;
  for (std::uint32_t place = 0; place < each.names.size(); ++place)
    if (const std::uint64_t counter = version[each.names.actors()[place]]; counter > 0)
      entries.push_back({place, counter});
  return entries;
}

// Names all actors of which the two say different things.
void Session::Impl::name_differing(Shared& each, const Counters& a, const Counters& b) {
  for (const Counters* const version : {&a, &b})
    for (const IndexedDot& entry : version->since(version == &a ? b : a)) name(each, entry.actor);
}

// Whether all that we have on disk follows from what the peer was told.
bool Session::Impl::peer_knows_all(const Shared& each) const {
  if (each.told) return each.rest_count == 0 || each.peer_knows == each.rest.statement;
  return each.state->actors.size() <= options.actors_named;  // Few enough to be named in any message.
}

// Whether so many without a name have news that it is better told by another rest.
bool Session::Impl::has_much_news(const Shared& each) const {
  const auto news = each.state->persisted_version().since(each.status_sent);
  if (news.size() <= options.actors_named) return false;
  const auto count = std::count_if(news.begin(), news.end(),
                                   [&](const IndexedDot& entry) { return !each.names.has(entry.actor); });
  return static_cast<std::size_t>(count) > options.actors_named;
}

// From here on `rest` speaks of all actors that have no name now.
void Session::Impl::begin_statement(Shared& each) {
  const Counters& persisted = each.state->persisted_version();
  Counters sent = persisted;
  each.rest = {each.state->persisted_digests().context, each.rest.statement + 1};
  each.rest_count = persisted.since({}).size();
  for (const std::uint32_t actor : each.names.actors()) {
    if (persisted[actor] > 0) {
      each.rest.sum -= hash_entry(each.state->actors[actor], persisted[actor]);
      --each.rest_count;
    }
    sent.forget(actor);
    if (each.status_sent[actor] > 0) sent.raise(actor, each.status_sent[actor]);
  }
  each.status_sent = std::move(sent);
  each.told = true;
  each.names_wanted = std::max<std::size_t>(options.actors_named, 1);  // More are so many times as many.
  name_latest(each);
}

void Session::Impl::name_latest(Shared& each) {
  for (const std::uint32_t actor : each.state->latest_actors(each.names_wanted)) name(each, actor);
}

// Names whom the due status is to name.
void Session::Impl::choose_names(Shared& each) {
  if (!each.told || has_much_news(each)) begin_statement(each);
  if (std::exchange(each.more_asked, false) || each.more_due) {
    each.names_wanted *= more_names;
    name_latest(each);
  }
  if (!peer_knows_all(each)) {
    const Counters& persisted = each.state->persisted_version();
    for (const std::uint32_t actor : each.peer_names.actors())
      if (persisted[actor] != each.peer_version[actor]) name(each, actor);
  }
  for (const IndexedDot& entry : each.state->persisted_version().since(each.status_sent))
    name(each, entry.actor);
}

void Session::Impl::put_rest(Shared& each, Status& status) {
  each.rest.heard = each.peer_names.size();
  if (!peer_knows_all(each)) status.rest = each.rest;
  each.rest_told = status.rest.has_value();
  if (each.whole && std::exchange(each.said_knows, each.peer_statement) != each.peer_statement)
    status.knows = each.peer_statement;
  status.more = std::exchange(each.more_due, false);
}

// What the peer has of those that it named is as its messages said; of all others as here, if that adds
// up to its rest.
bool Session::Impl::learn_rest(Shared& each, const Digest& sum_told) {
  Counters beside = each.state->persisted_version();
  Digest sum = each.state->persisted_digests().context;
  for (const std::uint32_t actor : each.peer_names.actors()) {
    if (beside[actor] > 0) sum -= hash_entry(each.state->actors[actor], beside[actor]);
    beside.forget(actor);
  }
  if (sum != sum_told) return false;
  learn(each, beside);
  return true;
}

// Of the peer's status with digests.
void Session::Impl::hear_rest(Shared& each, const Status& status) {
  if (status.knows == each.rest.statement) each.peer_knows = status.knows;
  if (status.more && !peer_knows_all(each)) each.more_asked = each.status_due = true;
  if (!status.rest) {
    each.whole = true;
    return;
  }
  if (std::exchange(each.peer_statement, status.rest->statement) != status.rest->statement)
    each.whole = false;
  each.whole = each.whole || learn_rest(each, status.rest->sum);
  if (each.whole) {
    each.status_due = each.status_due || each.said_knows != each.peer_statement;
  } else if (!is_settled(each, *status.rest)) {
    each.status_due = each.status_due || has_names_to_say(each);
  } else if (!peer_knows_all(each) || each.state->version.includes(each.peer_version)) {
    each.more_due = each.status_due = true;
  }  // Else a pass will tell all.
}

// Whether we owe the peer names.
bool Session::Impl::has_names_to_say(const Shared& each) const {
  const auto news = each.state->persisted_version().since(each.status_sent);
  return !each.told || std::any_of(news.begin(), news.end(),
                                   [&](const IndexedDot& entry) { return !each.names.has(entry.actor); });
}

// Whether both have said all names that they owe each other: what differs then is in the rest.
bool Session::Impl::is_settled(const Shared& each, const Rest& rest) const {
  return !has_names_to_say(each) && rest.heard == each.names.size();
}

// What the peer's statuses say of actors that it hasn't named.
Counters Session::Impl::unnamed_of_peer(const Shared& each) const {
  if (each.peer_statement == 0 || !each.whole) return {};  // It told of none, or what isn't known.
  return beside_names(each, each.peer_version);
}

Counters Session::Impl::beside_names(const Shared& each, Counters version) const {
  for (const std::uint32_t actor : each.peer_names.actors()) version.forget(actor);
  return version;
}

// A version of which the peer told the entries of those that it named; of others it is as `base`.
Result<Counters> Session::Impl::version_of(const Shared& each, const std::vector<IndexedDot>& entries,
                                           const Counters& base) const {
  const auto told = counters_of(each, entries);
  if (!told) return told;
  Counters version = beside_names(each, base);
  version.merge(*told);
  return version;
}

}  // namespace syncline
