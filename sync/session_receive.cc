// What a session does with each message. Everything in one is checked against
// what the connection has agreed on before it reaches the engine.
#include <algorithm>
#include <utility>

#include "sync/session_impl.h"

namespace syncline {

Result<void> Session::Impl::receive(const Message& message, Time now) {
  if (const auto* hello = std::get_if<Hello>(&message)) return on(*hello);
  if (!greeted) return failure(Errc::malformed, "no greeting came first");
  if (const auto* keyspaces = std::get_if<Keyspaces>(&message)) {
    if (const auto done = on(*keyspaces); !done) return done;
    if (!std::exchange(first_tick_sent, true)) send_tick(now);
    return {};
  }
  if (const auto* tick = std::get_if<Tick>(&message)) return on(*tick, now);
  if (const auto* status = std::get_if<Status>(&message)) return on(*status, now);
  if (const auto* push = std::get_if<Push>(&message)) return on(*push, now);
  if (const auto* want = std::get_if<Want>(&message)) return on(*want, now);
  if (const auto* chunk = std::get_if<Chunk>(&message)) return on(*chunk, now);
  if (const auto* refuse = std::get_if<Refuse>(&message)) return on(*refuse, now);
  if (const auto* cut = std::get_if<Cut>(&message)) return on(*cut, now);
  if (const auto* ask = std::get_if<Ask>(&message)) return on(*ask, now);
  if (const auto* addresses = std::get_if<Addresses>(&message)) {
    emit(PeersLearned{addresses->addresses});
    return {};
  }
  if (const auto* bye = std::get_if<Bye>(&message)) {
    closed = true;
    return failure(Errc::closed, "the peer ended it: " + bye->reason);
  }
  if (const auto* ranges = std::get_if<Ranges>(&message)) return on(*ranges, now);
  if (const auto* sketch = std::get_if<Sketch>(&message)) return on(*sketch, now);
  return on(std::get<MoreSymbols>(message), now);
}

Result<void> Session::Impl::on(const Hello& hello) {
  if (greeted) return failure(Errc::malformed, "greeted twice");
  if (hello.cluster != options.cluster)
    return failure(Errc::wrong_cluster,
                   "this is cluster '" + options.cluster + "', not '" + hello.cluster + "'");
  if (hello.protocol != Hello{}.protocol)
    return failure(Errc::unsupported, "protocol " + std::to_string(hello.protocol) + "; this is " +
                                          std::to_string(Hello{}.protocol));
  greeted = true;
  peer_node = hello.node;
  // The first half is the same in all copies of a store (R-ID-4).
  const auto half = static_cast<std::ptrdiff_t>(peer_node.size() / 2);
  if (peer_node != options.node &&
      std::equal(peer_node.begin(), peer_node.begin() + half, options.node.begin()))
    core().notice_copy(hello.address);
  decoder.accept_all();
  if (options.compress && (hello.reads & Hello::reads_zstd) != 0) encoder.compress_chunks();
  emit(PeerGreeted{hello.node, hello.address});
  announce_keyspaces();
  return {};
}

Result<void> Session::Impl::on(const Keyspaces& keyspaces) {
  if (peer_names.size() + keyspaces.names.size() > options.limits.list_entries_max)
    return failure(Errc::limit, "too many keyspaces");
  for (const std::string& name : keyspaces.names) {
    if (std::find(peer_names.begin(), peer_names.end(), name) != peer_names.end())
      return failure(Errc::malformed, "a keyspace announced twice");
    peer_names.push_back(name);
    // The list of members reaches everybody; announced in turn, it is shared.
    if (name == members_keyspace) static_cast<void>(engine->open_keyspace(name));
  }
  match_keyspaces();
  return {};
}

// Begins to share what is on both lists.
void Session::Impl::match_keyspaces() {
  for (std::uint32_t theirs = 0; theirs < peer_names.size(); ++theirs) {
    const auto mine = std::find(my_names.begin(), my_names.end(), peer_names[theirs]);
    if (mine == my_names.end()) continue;
    const bool known =
        std::any_of(shared.begin(), shared.end(), [&](const auto& each) { return each->theirs == theirs; });
    KeyspaceState* const state = engine->find_keyspace(*mine);
    if (known || state == nullptr) continue;
    auto fresh = std::make_unique<Shared>();
    fresh->state = state;
    fresh->mine = static_cast<std::uint32_t>(mine - my_names.begin());
    fresh->theirs = theirs;
    fresh->push_cursor = state->persisted_log_end();
    fresh->passes_seen = state->persisted_passes();
    if (first_tick_sent) fresh->status_due = fresh->status_asks = true;  // Too late for the first tick.
    shared.push_back(std::move(fresh));
  }
}

Result<Session::Impl::Shared*> Session::Impl::shared_of_peer(std::uint32_t theirs) {
  for (const auto& each : shared)
    if (each->theirs == theirs) return each.get();
  return failure(Errc::malformed, "a keyspace that isn't shared");
}

Result<void> Session::Impl::define(Shared& each, const std::vector<ActorId>& definitions) {
  if (each.peer_names.size() + definitions.size() > options.limits.actors_max)
    return failure(Errc::limit, "too many actors");
  for (const ActorId& id : definitions) {
    const std::uint32_t actor = each.state->actors.intern(id);
    if (each.peer_names.has(actor)) return failure(Errc::malformed, "an actor named twice");
    each.peer_names.place(actor);
  }
  // Answered, so that both leave out the same; session_names.cc.
  if (!definitions.empty() && !peer_knows_all(each)) each.status_due = true;
  return {};
}

Result<IndexedDot> Session::Impl::dot_of(const Shared& each, const IndexedDot& dot) const {
  if (dot.actor >= each.peer_names.size()) return failure(Errc::malformed, "an actor without definition");
  return IndexedDot{each.peer_names.actors()[dot.actor], dot.counter};
}

Result<Counters> Session::Impl::counters_of(const Shared& each,
                                            const std::vector<IndexedDot>& entries) const {
  Counters counters;
  for (const IndexedDot& entry : entries) {
    const auto dot = dot_of(each, entry);
    if (!dot) return tl::unexpected(dot.error());
    counters.raise(dot->actor, dot->counter);
  }
  return counters;
}

Result<void> Session::Impl::on(const Tick& tick, Time now) {
  if (tick.hash != tick_hash()) {
    ++metrics.ticks_unequal;
    for (const auto& each : shared) {
      // Told already, and the peer's side is known: what is missing is on its way.
      const bool told = each->status_pair && *each->status_pair == each->state->persisted_digests();
      if (told && each->peer_digests) continue;
      each->status_due = true;
      each->status_asks = true;
    }
    return {};
  }
  ++metrics.ticks_equal;
  for (const auto& each : shared) {
    learn(*each, each->state->persisted_version());
    each->peer_digests = each->state->persisted_digests();
    compare(*each, now);
  }
  // The peer can't know that it was equal: answer, unless a tick just went out.
  if (!ticked || *ticked + options.tick_interval / 2 <= now.monotonic) send_tick(now);
  return {};
}

Result<void> Session::Impl::on(const Status& status, Time now) {
  const auto found = shared_of_peer(status.keyspace);
  if (!found) return tl::unexpected(found.error());
  Shared& each = **found;
  if (const auto defined = define(each, status.definitions); !defined) return defined;
  const auto version = counters_of(each, status.version);
  if (!version) return tl::unexpected(version.error());
  learn(each, *version);
  if (status.has_digests) {
    each.peer_digests = status.digests;
    hear_rest(each, status);
  }
  core().check_amnesia(*each.state, each.peer_version);
  if (status.reply) {
    const bool told = each.status_pair && *each.status_pair == each.state->persisted_digests();
    each.status_due = each.status_due || !told;
  }
  if (status.has_digests) {
    each.known = each.known || each.whole;
    compare(each, now);
  }
  evaluate(each, now);
  return {};
}

// The change in our own indices. Views live until the next call.
Result<ChangeView> Session::Impl::change_of(const Shared& each, const ChangeView& change) {
  dots.clear();
  rows.clear();
  const auto actor = dot_of(each, {change.actor, change.first});
  if (!actor) return tl::unexpected(actor.error());
  std::size_t count = change.dependencies.size();
  for (const RowView& row : change.rows) count += row.removed.size();
  dots.reserve(count);  // So that spans into it stay.
  const auto translate = [&](std::span<const IndexedDot> from) -> Result<std::span<const IndexedDot>> {
    const std::size_t at = dots.size();
    for (const IndexedDot& each_dot : from) {
      const auto dot = dot_of(each, each_dot);
      if (!dot) return tl::unexpected(dot.error());
      dots.push_back(*dot);
    }
    return std::span<const IndexedDot>(dots.data() + at, from.size());
  };
  ChangeView mapped{actor->actor, change.first, change.hlc, {}, {}};
  const auto dependencies = translate(change.dependencies);
  if (!dependencies) return tl::unexpected(dependencies.error());
  mapped.dependencies = *dependencies;
  for (const RowView& row : change.rows) {
    const auto removed = translate(row.removed);
    if (!removed) return tl::unexpected(removed.error());
    rows.push_back(row);
    rows.back().removed = *removed;
  }
  mapped.rows = rows;
  return mapped;
}

Result<void> Session::Impl::on(const Push& push, Time now) {
  const auto found = shared_of_peer(push.keyspace);
  if (!found) return tl::unexpected(found.error());
  Shared& each = **found;
  if (const auto defined = define(each, push.definitions); !defined) return defined;
  for (const ChangeView& change : push.changes) {
    if (change.rows.empty()) return failure(Errc::malformed, "a change without rows");
    const auto mapped = change_of(each, change);
    if (!mapped) return tl::unexpected(mapped.error());
    const std::uint32_t actor = mapped->actor;
    const std::uint64_t last = mapped->first + mapped->rows.size() - 1;
    ++metrics.changes_in;
    const auto applied = core().take(*each.state, *mapped, now);
    if (!applied) return tl::unexpected(applied.error());
    // Who sends a change has it on disk, and all before it.
    each.peer_version.raise(actor, last);
    each.sent_version.raise(actor, last);
    if (std::find(each.ack_actors.begin(), each.ack_actors.end(), actor) == each.ack_actors.end())
      each.ack_actors.push_back(actor);
    if (!each.ack_due) each.ack_due = now.monotonic + options.ack_delay;
  }
  each.peer_digests.reset();  // Theirs are newer than what we were told.
  evaluate(each, now);
  return {};
}

Result<void> Session::Impl::on(const Want& want, Time now) {
  const auto found = shared_of_peer(want.keyspace);
  if (!found) return tl::unexpected(found.error());
  Shared& each = **found;
  if (const auto defined = define(each, want.definitions); !defined) return defined;
  each.outbound_id = want.pass;
  if (!each.whole) {
    each.more_due = each.status_due = true;
    return refuse(each, Error{Errc::invalid_argument, "not before all that you have is known here"}),
           Result<void>();
  }
  const auto asked = version_of(each, want.version, unnamed_of_peer(each));
  if (!asked) return tl::unexpected(asked.error());
  const auto base = version_of(each, want.resume.base, *asked);
  const auto start = version_of(each, want.resume.start, *asked);
  if (!base || !start) return failure(Errc::malformed, "an actor without definition");
  learn(each, *asked);
  each.known = true;
  each.outbound_asked = *asked;
  each.outbound_number = 0;
  each.outbound_version = {};
  each.outbound_progress = now.monotonic;
  if (!each.state->is_whole()) {
    send_refusal(each, each.state->joining_error());
    return {};
  }
  if (each.state->distrusted)
    return refuse(each, Error{Errc::damaged, "leaves were lost here, and it isn't known which"}),
           Result<void>();
  if (want.has_resume) {
    auto resumed =
        OutboundPass::resume(*each.state, *base, *start, want.resume.from_nothing, want.resume.cursor);
    if (resumed) {
      each.outbound = std::make_unique<OutboundPass>(std::move(*resumed));
      return {};
    }
  }
  if (begin_digest_pass(each, want, *asked)) return {};
  const bool full = want.full || want.by_digests || !each.state->names_all_since(*asked);
  each.outbound = std::make_unique<OutboundPass>(*each.state, *asked, full, want.lost);
  return {};
}

Result<void> Session::Impl::on(const Refuse& refuse, Time now) {
  const auto found = shared_of_peer(refuse.keyspace);
  if (!found) return tl::unexpected(found.error());
  Shared& each = **found;
  if (!owns_inbound(each) || refuse.pass != each.want_id) return {};
  // What was refused at once isn't given a moment later, either.
  const bool by_digests = each.state->inbound->basis != nullptr;
  const Millis pause = each.chunk_number == 0 && !by_digests ? options.tick_interval : Millis{0};
  // Once more, for its log may have been short only since the pass began; then in full.
  if (by_digests) each.full_next = ++each.digest_failures > 1;
  each.anew_next = each.state->inbound->resumes;
  end_inbound(each, false);
  each.behind_since = now.monotonic + pause;  // Asked anew after the grace.
  return {};
}

Result<void> Session::Impl::on(const Chunk& chunk, Time now) {
  const auto found = shared_of_peer(chunk.keyspace);
  if (!found) return tl::unexpected(found.error());
  Shared& each = **found;
  if (const auto defined = define(each, chunk.definitions); !defined) return defined;
  if (!owns_inbound(each) || each.want_due || chunk.pass != each.want_id) return {};  // Of a pass given up.
  if (chunk.number != each.chunk_number) return failure(Errc::malformed, "a chunk out of turn");
  if (chunk.number == 0) {
    each.chunk_version = beside_names(each, each.state->inbound->asked);
    if (const auto begun = begin_chunks(each, chunk); !begun) return begun;
  }
  ++each.chunk_number;
  auto staged = stage_of(each, chunk);
  if (!staged) return tl::unexpected(staged.error());
  if (const auto named = stage_named(each, chunk, *staged); !named) return named;
  metrics.leaves_in += chunk.leaves.size();
  each.state->inbound->progress = now.monotonic;
  each.state->inbound->frontier.clear();
  for (const std::uint32_t actor : chunk.frontier) {
    const auto dot = dot_of(each, {actor, 0});
    if (!dot) return tl::unexpected(dot.error());
    each.state->inbound->frontier.push_back(dot->actor);
  }
  return each.state->inbound->in_place ? join(each, chunk, *staged, now)
                                       : stage(each, chunk, std::move(*staged), now);
}

// Before chunk 0: what it goes on with, or that nothing of an earlier pass does.
Result<void> Session::Impl::begin_chunks(Shared& each, const Chunk& chunk) {
  KeyspaceState& state = *each.state;
  StagedPass& pass = *state.inbound;
  // Something was written here since it was asked for.
  if (pass.in_place && !state.is_joining() && !state.is_empty()) pass.in_place = false;
  if (!chunk.new_round) {
    const bool goes_on = pass.in_place ? pass.resumes && state.is_joining() : !pass.chunks.empty();
    return goes_on ? Result<void>() : failure(Errc::malformed, "a chunk that goes on with nothing");
  }
  if (pass.in_place) {
    if (!chunk.full) return failure(Errc::malformed, "not the full pass that was asked for");
    state.begin_joining();
    return {};
  }
  pass.chunks.clear();
  pass.bytes = 0;
  pass.full = chunk.full;
  return {};
}

Result<void> Session::Impl::stage(Shared& each, const Chunk& chunk, StagedChunk staged, Time now) {
  StagedPass& pass = *each.state->inbound;
  if (pass.bytes + staged.memory_bytes() > core().options.staged_bytes_max) {
    end_inbound(each, false);
    return failure(Errc::limit, "a pass larger than staged_bytes_max; an empty keyspace may join_in_place");
  }
  if (!pass.chunks.empty() && !staged.version.includes(pass.version())) {
    // What was staged over an earlier connection isn't what this peer had then: it is asked anew.
    end_inbound(each, false);
    each.behind_since = now.monotonic;
    return {};
  }
  if (!chunk.closing && !each.state->in_memory() && pass.basis == nullptr) {
    if (pass.chunks.empty()) each.state->stage_for_record(pass.header_bytes(), true);
    each.state->stage_for_record(staged.to_bytes(), false);
  }
  pass.stage(std::move(staged));
  return chunk.closing ? close_inbound(each, chunk.digests, now) : Result<void>();
}

Result<void> Session::Impl::join(Shared& each, const Chunk& chunk, const StagedChunk& staged, Time now) {
  // What waits for the disk, that is: in memory the leaves are the state.
  const bool too_much =
      !each.state->in_memory() && each.state->leaf_memory_bytes() > core().options.staged_bytes_max;
  if (too_much) return failure(Errc::limit, "the store is too slow for the pass that comes");
  const auto joined = each.state->join(staged, peer_node, now.monotonic);
  if (!joined || !chunk.closing) return joined;
  return close_joining(each, chunk.digests, now);
}

}  // namespace syncline
