#include "sync/session.h"

#include <algorithm>
#include <utility>

#include "sync/session_impl.h"
#include "wire/column.h"

namespace syncline {
namespace {

constexpr std::size_t events_max = 4'096;

// What entries take in a message.
std::size_t encoded_bytes(const std::vector<IndexedDot>& entries) {
  std::size_t bytes = 0;
  for (const IndexedDot& entry : entries)
    bytes += column::varint_bytes(entry.actor) + column::varint_bytes(entry.counter);
  return bytes;
}

}  // namespace

Session::Impl::Impl(Engine& engine_, SessionOptions options_, Time now)
    : engine(&engine_),
      options(std::move(options_)),
      generation(engine_.generation()),
      encoder(options.limits),
      decoder(options.limits),
      tick_due(now.monotonic + options.tick_interval),
      asks_counted(now.monotonic) {
  Hello hello;
  hello.cluster = options.cluster;
  hello.node = options.node;
  hello.address = options.address;
  hello.reads = Hello::reads_zstd;
  send(hello);
}

Session::Impl::~Impl() {
  if (engine->generation() != generation) return;  // The keyspaces may be gone.
  for (const auto& each : shared)
    if (owns_inbound(*each)) end_inbound(*each, true);
}

void Session::Impl::send(const Message& message) {
  for (std::string& frame : encoder.encode(message)) out.push_back(std::move(frame));
}

Result<void> Session::Impl::close(Errc code, std::string reason) {
  if (!closed) {
    Bye bye;
    bye.code = static_cast<std::uint16_t>(code);
    bye.reason = reason.substr(0, options.limits.text_bytes_max);
    send(bye);
    closed = true;
  }
  return failure(code, std::move(reason));
}

void Session::Impl::emit(SessionEvent event) {
  if (events.size() == events_max) events.pop_front();
  events.push_back(std::move(event));
}

// Tells of the keyspaces that came since the last time.
void Session::Impl::announce_keyspaces() {
  keyspaces_seen = core().keyspaces_opened;
  Keyspaces fresh;
  for (const std::string& name : engine->keyspace_names()) {
    const auto listed = [&](const std::vector<std::string>& names) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    const bool served = options.keyspaces.empty() || name == members_keyspace || listed(options.keyspaces);
    if (served && !listed(my_names)) fresh.names.push_back(name);
  }
  const bool first = my_names.empty();
  my_names.insert(my_names.end(), fresh.names.begin(), fresh.names.end());
  if (first || !fresh.names.empty()) send(fresh);
  match_keyspaces();
}

Digest Session::Impl::tick_hash() const {
  std::vector<const Shared*> by_name;
  for (const auto& each : shared) by_name.push_back(each.get());
  std::sort(by_name.begin(), by_name.end(),
            [](const Shared* a, const Shared* b) { return a->state->name < b->state->name; });
  Digest sum;
  for (const Shared* each : by_name) {
    const DigestPair& pair = each->state->persisted_digests();
    std::string bytes;
    for (const std::uint64_t word : {pair.context.low, pair.context.high, pair.state.low, pair.state.high})
      put_varint(bytes, word);
    bytes += each->state->name;
    sum += Digest{hash_bytes(bytes, 1), hash_bytes(bytes, 2)};
  }
  return sum;
}

void Session::Impl::send_tick(Time now) {
  send(Tick{tick_hash()});
  ticked = now.monotonic;
  tick_due = now.monotonic + options.tick_interval;
}

// What passes brought isn't pushed. Once it is on disk, who gave it is told that it is here, and who lacks
// it that there is news: at the next tick would be a tick for each machine of a row.
void Session::Impl::note_passes(Shared& each, Time now) {
  const std::uint64_t on_disk = each.state->persisted_passes();
  if (std::exchange(each.passes_seen, on_disk) == on_disk) return;
  const bool has_ours = each.pass_came != 0 && each.pass_came <= on_disk;
  if (has_ours) each.pass_came = 0;
  if (has_ours && each.peer_digests) compare(each, now);
  const bool is_news = each.known && !each.peer_version.includes(each.state->persisted_version());
  each.status_due = each.status_due || has_ours || is_news;
}

// A due status, or acknowledgements alone. False if there was nothing to tell.
bool Session::Impl::send_status(Shared& each, Time now) {
  const Counters& persisted = each.state->persisted_version();
  note_passes(each, now);
  if (!each.status_due && !each.ack_now && !(each.ack_due && *each.ack_due <= now.monotonic)) return false;
  Status status;
  status.keyspace = each.mine;
  if (each.status_due) {
    choose_names(each);
    status.version = persisted.since(each.status_sent);
    status.has_digests = true;
    status.digests = each.state->persisted_digests();
    status.reply = std::exchange(each.status_asks, false);
    put_rest(each, status);
    each.status_due = false;
    each.status_pair = status.digests;
    each.ack_actors.clear();
    each.ack_due.reset();
    each.ack_now = false;
  } else {
    each.ack_now = false;
    std::vector<std::uint32_t> waiting;  // Applied, but not on disk yet.
    for (const std::uint32_t actor : each.ack_actors) {
      if (persisted[actor] > each.status_sent[actor]) status.version.push_back({actor, persisted[actor]});
      if (each.state->version[actor] > persisted[actor]) waiting.push_back(actor);
    }
    each.ack_actors = std::move(waiting);
    each.ack_due = each.ack_actors.empty() ? std::nullopt : std::optional(now.monotonic + options.ack_delay);
    if (status.version.empty()) return false;
    std::sort(status.version.begin(), status.version.end());
  }
  std::vector<IndexedDot> told = std::exchange(status.version, {});
  status.version = named(each, told);
  for (const IndexedDot& entry : told) each.status_sent.raise(entry.actor, entry.counter);
  status.definitions = new_definitions(each);
  send(status);
  return true;
}

// The next changes that the peer lacks and can apply. What it can't is left to
// a pass; so nothing queues up for a peer that is far behind.
bool Session::Impl::send_push(Shared& each) {
  if (!each.known || (each.outbound != nullptr && !each.outbound->waits())) return false;
  const RecentLog& log = each.state->log;
  const std::uint64_t end = each.state->persisted_log_end();
  each.push_cursor = std::max(each.push_cursor, log.begin());
  std::vector<const LogEntry*> entries;
  std::size_t bytes = 0;
  for (; each.push_cursor < end && bytes < options.push_bytes; ++each.push_cursor) {
    const LogEntry& entry = log[each.push_cursor];
    if (!entry.whole || (!entry.own && !options.relay)) continue;
    // Coded with its removed dots it might not fit into a message: a pass brings it by the leaf.
    if (entry.bytes.size() > options.limits.message_bytes_max / 4) continue;
    if (each.sent_version[entry.actor] + 1 != entry.first) continue;
    each.sent_version.raise(entry.actor, entry.last());
    bytes += entry.bytes.size();
    entries.push_back(&entry);
  }
  if (entries.empty()) return false;
  ChangeReader reader;
  Push push;
  push.keyspace = each.mine;
  push.changes = reader.read(entries, [&](std::uint32_t actor) { return name(each, actor); });
  push.definitions = new_definitions(each);
  metrics.changes_out += push.changes.size();
  send(push);
  return true;
}

bool Session::Impl::send_want(Shared& each, Time now) {
  if (!each.want_due) return false;
  // Chunks may have named the last of a rest that the peer didn't know: it hears first that none is left.
  const bool rest_is_over = each.rest_told && each.rest_count == 0 && each.peer_knows != each.rest.statement;
  const bool must_tell = rest_is_over || has_much_news(each);
  if (owns_inbound(each) && (must_tell || !peer_knows_all(each))) {
    each.status_due = each.status_due || must_tell;
    return false;
  }
  each.want_due = false;
  if (!owns_inbound(each)) return false;
  StagedPass& pass = *each.state->inbound;
  const Counters persisted = each.state->persisted_version();
  Want want;
  want.keyspace = each.mine;
  name_differing(each, persisted, each.status_sent);
  want.pass = pass.id = each.want_id = core().next_pass++;
  want.full = pass.full;
  add_digests(each, want);
  const auto resume = [&](bool from_nothing, const Counters& base, const Counters& start,
                          std::string_view cursor) {
    name_differing(each, persisted, start);
    if (!from_nothing) name_differing(each, persisted, base);
    want.has_resume = true;
    want.resume.from_nothing = from_nothing;
    if (!from_nothing) want.resume.base = named_entries(each, base);
    want.resume.start = named_entries(each, start);
    want.resume.cursor = std::string(cursor);
  };
  if (const Joining* const joining = each.state->joining(); joining != nullptr && pass.resumes)
    resume(joining->from_nothing, joining->base, joining->start, joining->cursor);
  if (!pass.chunks.empty()) resume(pass.from_nothing, pass.base, pass.start, pass.cursor());
  want.version = named_entries(each, persisted);
  each.status_sent.merge(persisted);
  want.definitions = new_definitions(each);
  // Versions of very many actors may not fit thrice into a message: then it begins anew.
  const std::size_t bytes = want.definitions.size() * ActorId::size_bytes + encoded_bytes(want.version) +
                            encoded_bytes(want.resume.base) + encoded_bytes(want.resume.start);
  if (bytes > options.limits.message_bytes_max / 2) {
    want.has_resume = false;
    want.resume = {};
  }
  pass.asked = persisted;
  pass.progress = now.monotonic;
  each.chunk_number = 0;
  send(want);
  return true;
}

void Session::Impl::refuse(Shared& each, const Error& error) {
  each.outbound.reset();
  send_refusal(each, error);
}

void Session::Impl::send_refusal(const Shared& each, const Error& error) {
  Refuse message;
  message.keyspace = each.mine;
  message.pass = each.outbound_id;
  message.reason = to_string(error).substr(0, options.limits.text_bytes_max);
  send(message);
}

bool Session::Impl::send_chunk(Shared& each) {
  if (each.outbound == nullptr || each.outbound->waits()) return false;
  if (!each.state->is_whole()) return refuse(each, each.state->joining_error()), true;
  auto read = each.outbound->next(options.chunk_bytes);
  if (!read) return refuse(each, read.error()), true;
  if (read->more_cells > 0) {
    send(MoreSymbols{each.mine, each.outbound_id, read->more_cells});
    return true;
  }
  Chunk chunk;
  chunk.keyspace = each.mine;
  chunk.pass = each.outbound_id;
  chunk.number = each.outbound_number++;
  chunk.new_round = read->new_round;
  chunk.full = each.outbound->full();
  chunk.closing = read->closing;
  chunk.digests = read->digests;
  chunk.by_digests = each.outbound->is_by_digests();
  chunk.symbols = std::move(read->symbols);
  std::vector<IndexedLiveDot> live;
  std::size_t count = 0;
  for (const auto& [leaf, value] : read->leaves)
    for_each_live_in(value, [&](const IndexedLive&) { ++count; });
  live.reserve(count);
  for (const auto& [leaf, value] : read->leaves) {
    const std::size_t at = live.size();
    for_each_live_in(value, [&](const IndexedLive& one) {
      live.push_back({named(each, one.dot), one.payload.stamp, one.payload.bytes});
    });
    chunk.leaves.push_back({leaf, {live.data() + at, live.size() - at}});
  }
  for (const auto& [dot, leaf] : read->dead) chunk.dead.push_back({named(each, dot), leaf});
  std::sort(chunk.dead.begin(), chunk.dead.end(),
            [](const RowName& a, const RowName& b) { return a.dot < b.dot; });
  for (const std::uint32_t actor : read->frontier) chunk.frontier.push_back(name(each, actor));
  if (chunk.number == 0) {
    name_differing(each, read->version, each.outbound_asked);
    chunk.version = named_entries(each, read->version);  // Of all that this chunk names.
  } else {
    chunk.version = named(each, read->version.since(each.outbound_version));
  }
  chunk.definitions = new_definitions(each);
  // Dead rows name leaves of this chunk, and keys are front-coded: a dot each.
  std::size_t estimate = chunk.dead.size() * sizeof(RowName);
  for (const LeafView& leaf : chunk.leaves) estimate += encoded_bytes_estimate(leaf);
  if (estimate > options.limits.message_bytes_max / 2)
    return refuse(each, Error{Errc::too_large, "one leaf has more live dots than a message can hold"}), true;
  each.outbound_version = read->version;
  metrics.leaves_out += chunk.leaves.size();
  if (chunk.closing) {
    ++metrics.passes_out;
    each.sent_version.merge(read->version);
    each.outbound.reset();
  }
  send(chunk);
  return true;
}

// Makes the next frames. False when there is nothing to say.
bool Session::Impl::send_next(Time now) {
  if (core().keyspaces_opened != keyspaces_seen) {
    announce_keyspaces();
    if (!out.empty()) return true;
  }
  if (send_ask()) return true;
  for (const auto& each : shared)
    if (send_status(*each, now) || send_want(*each, now) || send_push(*each) || send_chunk(*each) ||
        send_cut(*each, now))
      return true;
  return false;
}

Session::Session(Engine& engine, SessionOptions options, Time now)
    : impl_(std::make_unique<Impl>(engine, std::move(options), now)) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

Result<void> Session::handle_frame(Time now, std::string_view frame) {
  Impl& impl = *impl_;
  if (impl.is_void()) return failure(Errc::closed, "the session is over");
  ++impl.metrics.frames_in;
  impl.metrics.bytes_in += frame.size();
  auto decoded = impl.decoder.decode(frame);
  if (!decoded) return impl.close(decoded.error().code, decoded.error().detail);
  if (!*decoded) return {};
  const auto received = impl.receive((*decoded)->message, now);
  if (!received && !impl.is_void()) return impl.close(received.error().code, received.error().detail);
  return received;
}

void Session::handle_timeout(Time now) {
  Impl& impl = *impl_;
  if (impl.is_void() || !impl.greeted) return;
  if (now.monotonic >= impl.tick_due && impl.first_tick_sent) impl.send_tick(now);
  for (const auto& each : impl.shared) {
    if (each->ack_due && *each->ack_due <= now.monotonic) {  // Told by poll_frame(), whenever there is room.
      each->ack_now = true;
      each->ack_due.reset();
    }
    each->cut_now = each->cut_due <= now.monotonic;  // The same.
    if (impl.owns_inbound(*each) &&
        each->state->inbound->progress + impl.options.pass_timeout <= now.monotonic) {
      impl.end_inbound(*each, true);
      const auto others_first = now.monotonic + impl.options.tick_interval;
      each->behind_since = others_first;
      each->repair_at = std::max(each->repair_at, others_first);
    }
    if (each->outbound != nullptr && each->outbound->waits() &&
        each->outbound_progress + impl.options.pass_timeout <= now.monotonic)
      each->outbound.reset();  // The peer gave it up.
    impl.evaluate(*each, now);
  }
}

std::optional<std::string> Session::poll_frame(Time now) {
  Impl& impl = *impl_;
  if (impl.engine->generation() != impl.generation) return std::nullopt;
  if (impl.out.empty() && (impl.closed || !impl.greeted || !impl.send_next(now))) return std::nullopt;
  std::string frame = std::move(impl.out.front());
  impl.out.pop_front();
  ++impl.metrics.frames_out;
  impl.metrics.bytes_out += frame.size();
  return frame;
}

std::chrono::milliseconds Session::poll_deadline() const {
  const Impl& impl = *impl_;
  if (impl.is_void() || !impl.greeted) return std::chrono::milliseconds::max();
  auto due = impl.first_tick_sent ? impl.tick_due : std::chrono::milliseconds::max();
  for (const auto& each : impl.shared) {
    if (each->ack_due) due = std::min(due, *each->ack_due);
    if (each->behind_since && !impl.owns_inbound(*each) && impl.peer_knows_all(*each))
      due = std::min(due, *each->behind_since + impl.options.pass_grace);
    if (impl.owns_inbound(*each))
      due = std::min(due, each->state->inbound->progress + impl.options.pass_timeout);
    if (!each->cut_now && impl.has_cut_to_tell(*each)) due = std::min(due, each->cut_due);
    if (impl.owns_inbound(*each) || impl.core().read_only || !impl.peer_knows_all(*each)) continue;
    if (each->repair_wanted) due = std::min(due, each->repair_at);
    if (impl.can_mend(*each)) due = std::min(due, each->mend_at);
  }
  return due;
}

std::optional<SessionEvent> Session::poll_event() {
  if (impl_->events.empty()) return std::nullopt;
  SessionEvent event = std::move(impl_->events.front());
  impl_->events.pop_front();
  return event;
}

void Session::send_addresses(std::vector<std::string> addresses) {
  if (impl_->is_void() || !impl_->greeted) return;
  Addresses message;
  message.addresses = std::move(addresses);
  impl_->send(message);
}

void Session::tick_now(Time now) {
  if (impl_->is_void() || !impl_->greeted || !impl_->first_tick_sent) return;
  impl_->send_tick(now);
}

bool Session::ask(std::string_view keyspace, std::string_view leaf, std::string_view request) {
  return established() && impl_->ask(keyspace, leaf, request);
}

bool Session::established() const { return impl_->greeted && !impl_->is_void(); }

bool Session::in_sync() const {
  return established() && impl_->first_tick_sent &&
         std::all_of(impl_->shared.begin(), impl_->shared.end(), [](const auto& each) {
           return each->state->is_whole() && each->state->lost().empty() && each->equal_pair &&
                  *each->equal_pair == each->state->persisted_digests();
         });
}

Version Session::peer_version(std::string_view keyspace) const {
  Version version;
  if (impl_->is_void()) return version;
  for (const auto& each : impl_->shared) {
    if (each->state->name != keyspace) continue;
    for (const IndexedDot& entry : each->peer_version.since({}))
      version.raise(each->state->actors[entry.actor], entry.counter);
  }
  return version;
}

const SessionMetrics& Session::metrics() const { return impl_->metrics; }

}  // namespace syncline
