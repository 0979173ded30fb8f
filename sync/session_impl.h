// The session's inside. Internal to sync/: session.cc greets, keeps time and
// makes frames; session_receive.cc takes messages; session_pass.cc moves state;
// session_names.cc names actors; session_cut.cc says and hears what members have;
// session_ask.cc asks.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "sync/dictionary.h"
#include "sync/engine_impl.h"
#include "sync/outbound_pass.h"
#include "sync/session.h"

namespace syncline {

struct Session::Impl {
  using Millis = std::chrono::milliseconds;

  // One keyspace that both sides serve.
  struct Shared {
    KeyspaceState* state = nullptr;
    std::uint32_t mine = 0;  // Its place in our list and in the peer's.
    std::uint32_t theirs = 0;
    // Who is named, and what a hash tells of the others: session_names.cc.
    Dictionary names;                  // Named by us...
    bool told = false;                 // ...and something was told of all others, too...
    Rest rest;                         // ...this, by the newest statement...
    std::size_t rest_count = 0;        // ...of so many; 0 if nothing is left to be told so.
    bool rest_told = false;            // The last status with digests told one.
    std::uint32_t peer_knows = 0;      // The newest statement that the peer knows all by.
    std::size_t names_wanted = 0;      // So many are named unasked.
    bool more_asked = false;           // The next status is to name more.
    Dictionary peer_names;             // Named by the peer.
    std::uint32_t peer_statement = 0;  // Its newest statement...
    std::uint32_t said_knows = 0;      // ...and the newest that we said we know all by.
    bool whole = true;                 // Nothing of what it told by a rest is unknown.
    bool more_due = false;             // The next status asks for more names.

    bool known = false;                      // The peer's version is known, at least once.
    Counters peer_version;                   // What the peer said it has on disk.
    Counters sent_version;                   // That, and what went out to it since.
    std::optional<DigestPair> peer_digests;  // Of exactly peer_version.
    std::uint64_t push_cursor = 0;           // Log entries before it need no push.

    Counters status_sent;                   // What our statuses told.
    std::optional<DigestPair> status_pair;  // The newest pair told.
    bool status_due = false;
    bool status_asks = false;               // The due status asks for one back.
    std::uint64_t passes_seen = 0;          // So many of the keyspace's passes on disk were noted...
    std::uint64_t pass_came = 0;            // ...and from that one on they hold what this peer's brought.
    std::vector<std::uint32_t> ack_actors;  // Whose changes are to be acknowledged...
    std::optional<Millis> ack_due;          // ...and when...
    bool ack_now = false;                   // ...or as soon as there is room.

    std::optional<Millis> behind_since;  // The peer has what we don't.
    bool repair_wanted = false;
    Millis repair_backoff{0};
    Millis repair_at{0};                   // Not before.
    std::optional<DigestPair> equal_pair;  // Of the last equal verdict.
    Millis mend_backoff{0};
    Millis mend_at{0};  // Lost leaves aren't asked for before.

    std::unique_ptr<OutboundPass> outbound;  // A pass we send...
    std::uint32_t outbound_id = 0;
    std::uint32_t outbound_number = 0;
    Millis outbound_progress{};  // Of the last that came for it.
    Counters outbound_asked;     // What the peer had when it asked...
    Counters outbound_version;   // ...and the version that chunks have told.

    std::uint32_t want_id = 0;  // Of the pass we receive, if state->inbound is ours.
    std::uint32_t chunk_number = 0;
    bool want_due = false;
    bool full_next = false;        // The next pass must be a full one.
    bool anew_next = false;        // In place: the peer couldn't go on where a pass was cut.
    unsigned digest_failures = 0;  // Digest passes in a row that missed something.
    std::uint64_t salt = 0;        // Of the pass asked for.
    Counters chunk_version;        // What its chunks have told.

    Acknowledgements peer_cut;   // What the peer's cuts told...
    bool cut_waits = false;      // ...and it isn't taken in yet: it goes by another list than ours.
    std::uint64_t cut_list = 0;  // How often our list had changed when that was last tried.
    std::uint64_t cut_told = 0;  // The revision of ours that was told, of this list...
    std::uint64_t cut_members = 0;
    std::uint64_t cut_sent = 0;  // The list of the last cut that we sent...
    Counters cut_floor;          // ...and the floor that it told.
    Millis cut_due{0};           // Not before...
    bool cut_now = false;        // ...but as soon as there is room.
  };

  Impl(Engine& engine, SessionOptions options, Time now);
  ~Impl();

  Engine::Impl& core() const { return *engine->impl_; }
  bool is_void() const { return closed || engine->generation() != generation; }

  // ---- messages out (session.cc) ----
  void send(const Message& message);
  Result<void> close(Errc code, std::string reason);
  void announce_keyspaces();
  // ---- who is named (session_names.cc) ----
  std::uint32_t name(Shared& each, std::uint32_t actor);
  IndexedDot named(Shared& each, const IndexedDot& dot);
  std::vector<IndexedDot> named(Shared& each, std::vector<IndexedDot> entries);
  std::vector<IndexedDot> named_entries(const Shared& each, const Counters& version) const;
  void name_differing(Shared& each, const Counters& a, const Counters& b);
  std::vector<ActorId> new_definitions(Shared& each);
  bool peer_knows_all(const Shared& each) const;
  bool has_much_news(const Shared& each) const;
  void choose_names(Shared& each);
  void begin_statement(Shared& each);
  void put_rest(Shared& each, Status& status);
  void name_latest(Shared& each);
  bool learn_rest(Shared& each, const Digest& sum_told);
  bool has_names_to_say(const Shared& each) const;
  bool is_settled(const Shared& each, const Rest& rest) const;
  void hear_rest(Shared& each, const Status& status);
  Counters beside_names(const Shared& each, Counters version) const;
  Counters unnamed_of_peer(const Shared& each) const;
  Result<Counters> version_of(const Shared& each, const std::vector<IndexedDot>& entries,
                              const Counters& base) const;

  Digest tick_hash() const;
  void send_tick(Time now);
  void note_passes(Shared& each, Time now);
  bool send_status(Shared& each, Time now);
  bool send_push(Shared& each);
  bool send_want(Shared& each, Time now);
  bool send_chunk(Shared& each);
  void send_refusal(const Shared& each, const Error& error);
  bool send_next(Time now);
  bool send_cut(Shared& each, Time now);
  bool has_cut_to_tell(const Shared& each) const;
  bool is_shorter_as_status(const Shared& each, const Counters& version, std::size_t entries) const;
  void put_floors(Shared& each, const Acknowledgements& known, Cut& cut);
  bool ask(std::string_view keyspace, std::string_view leaf, std::string_view request);
  bool send_ask();
  void emit(SessionEvent event);

  // ---- messages in (session_receive.cc) ----
  Result<void> receive(const Message& message, Time now);
  Result<void> on(const Hello& hello);
  Result<void> on(const Keyspaces& keyspaces);
  Result<void> on(const Tick& tick, Time now);
  Result<void> on(const Status& status, Time now);
  Result<void> on(const Push& push, Time now);
  Result<void> on(const Want& want, Time now);
  Result<void> on(const Chunk& chunk, Time now);
  Result<void> on(const Refuse& refuse, Time now);
  Result<void> on(const Cut& cut, Time now);
  Result<void> on(const Ask& ask, Time now);
  void merge_cut(Shared& each, Time now);
  // Of digest passes (session_digest.cc).
  Result<void> on(const Ranges& ranges, Time now);
  Result<void> on(const Sketch& sketch, Time now);
  Result<void> on(const MoreSymbols& more, Time now);
  void match_keyspaces();
  Result<Shared*> shared_of_peer(std::uint32_t theirs);
  Result<void> define(Shared& each, const std::vector<ActorId>& definitions);
  Result<Counters> counters_of(const Shared& each, const std::vector<IndexedDot>& entries) const;
  Result<IndexedDot> dot_of(const Shared& each, const IndexedDot& dot) const;
  Result<ChangeView> change_of(const Shared& each, const ChangeView& change);

  // ---- what to do about differences (session_pass.cc) ----
  void learn(Shared& each, const Counters& peer_has);
  void compare(Shared& each, Time now);
  void evaluate(Shared& each, Time now);
  bool can_mend(const Shared& each) const;
  void add_digests(Shared& each, Want& want);
  bool begin_digest_pass(Shared& each, const Want& want, const Counters& asked);
  void send_cells(Shared& each, RangeList list, std::uint64_t count);
  void ask_for_all(Shared& each);
  Result<void> stage_named(Shared& each, const Chunk& chunk, StagedChunk& staged) const;
  void refuse(Shared& each, const Error& error);
  bool owns_inbound(const Shared& each) const {
    return each.state->inbound && each.state->inbound->owner == this;
  }
  void begin_inbound(Shared& each, Time now);
  bool is_abandoned(Joining& joining, Time now) const;
  void begin_joining(Shared& each, Time now);
  void ask_for(Shared& each, std::unique_ptr<StagedPass> pass, Time now);
  void end_inbound(Shared& each, bool keep_staged);
  Result<void> begin_chunks(Shared& each, const Chunk& chunk);
  Result<void> stage(Shared& each, const Chunk& chunk, StagedChunk staged, Time now);
  Result<void> join(Shared& each, const Chunk& chunk, const StagedChunk& staged, Time now);
  Result<StagedChunk> stage_of(Shared& each, const Chunk& chunk) const;
  void missed_something(Shared& each, const StagedPass& pass, Time now);
  Result<void> close_inbound(Shared& each, const DigestPair& digests, Time now);
  Result<void> close_joining(Shared& each, const DigestPair& digests, Time now);
  void note_pass(Shared& each, const Counters& version, const DigestPair& digests, Time now);

  Engine* engine;
  SessionOptions options;
  std::uint64_t generation;
  Encoder encoder;
  Decoder decoder;
  std::deque<std::string> out;  // Frames made; more are made when it is empty.
  std::deque<SessionEvent> events;
  SessionMetrics metrics;

  bool greeted = false;  // The peer's Hello came and was right.
  bool closed = false;
  std::array<std::uint8_t, 16> peer_node{};
  std::vector<std::string> my_names;  // As announced.
  std::vector<std::string> peer_names;
  std::uint64_t keyspaces_seen = 0;  // Of the engine's count, when my_names was made.
  std::vector<std::unique_ptr<Shared>> shared;
  Millis tick_due;
  std::optional<Millis> ticked;  // When our last tick went out.
  bool first_tick_sent = false;

  static constexpr std::size_t asks_max = 64;  // That wait to be sent, and that a peer may send at once...
  static constexpr Millis ask_interval{50};    // ...and one more each such time.
  std::deque<Ask> asks;                        // To be sent, an object once.
  std::size_t asks_left = asks_max;            // So many of the peer's were still to be taken...
  Millis asks_counted;                         // ...then.

  // Scratch of change_of().
  std::vector<IndexedDot> dots;
  std::vector<RowView> rows;
};

}  // namespace syncline
