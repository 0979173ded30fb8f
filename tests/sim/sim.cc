#include "tests/sim/sim.h"

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <queue>
#include <set>
#include <utility>
#include <vector>

#include "sync/session.h"
#include "tests/sim/disk.h"
#include "tests/sim/operations.h"
#include "tests/sim/oracle.h"
#include "tests/sim/rng.h"
#include "tests/sim/tamper.h"

namespace syncline::sim {
namespace {

using Micros = std::uint64_t;
constexpr Micros millisecond = 1000;
constexpr Micros tick = 1'000 * millisecond;
// Frames on the way that a link has room for. A healthy one has room for many:
// or a pass in many small frames would measure the link and not the session.
constexpr std::size_t flights_max = 6;
constexpr std::size_t flights_max_in_calm = 256;
constexpr std::size_t history_max = 64;  // Frames kept to be played again.
constexpr std::uint64_t full_check_every = 1'000;

// All that a seed decides once for a run.
struct Shape {
  std::uint32_t replicas;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> links;
  std::vector<std::vector<std::string>> keyspaces;  // By replica.
  std::vector<bool> in_memory;                      // Those keep no disk, and don't crash.
  bool relay;
  OperationLimits operations;
  std::size_t log_bytes, early_bytes, chunk_bytes, push_bytes, frame_bytes;
  Micros operation_gap, latency_max, commit_max;
  std::uint64_t cut_in, crash_in, fail_in, partition_in, replay_in;  // Once in so many.
};

Shape draw_shape(Rng& rng, Defect defect) {
  Shape shape{};
  shape.replicas = static_cast<std::uint32_t>(rng.between(3, 5));
  const std::uint64_t topology = rng.below(4);  // Half of the runs are a full mesh.
  for (std::uint32_t a = 0; a < shape.replicas; ++a) {
    for (std::uint32_t b = a + 1; b < shape.replicas; ++b) {
      const bool line = b == a + 1;
      if (topology <= 1 || (topology == 2 && line) || (topology == 3 && a == 0))
        shape.links.emplace_back(a, b);
    }
  }
  const bool second = topology <= 1 && rng.one_in(3);
  for (std::uint32_t r = 0; r < shape.replicas; ++r) {
    shape.keyspaces.push_back({"shop"});
    if (second && (r < 2 || rng.one_in(2))) shape.keyspaces.back().push_back("till");
    shape.in_memory.push_back(rng.one_in(5) && defect == Defect::none);
  }
  shape.relay = topology > 1 || rng.one_in(2);
  shape.operations.keys = rng.between(1, 4);
  shape.operations.value_bytes_max = rng.pick(std::array<std::size_t, 3>{4, 40, 3'000});
  shape.log_bytes = rng.pick(std::array<std::size_t, 4>{0, 1'000, 8'000, 64 << 20});
  shape.early_bytes = rng.pick(std::array<std::size_t, 3>{0, 1'000, 4 << 20});
  shape.chunk_bytes = rng.pick(std::array<std::size_t, 3>{1, 200, 128 * 1024});
  shape.push_bytes = rng.pick(std::array<std::size_t, 2>{100, 64 * 1024});
  shape.frame_bytes = rng.pick(std::array<std::size_t, 2>{1'024, 256 * 1024});
  shape.operation_gap = rng.pick(std::array<Micros, 3>{5, 15, 50}) * millisecond;
  shape.latency_max = rng.pick(std::array<Micros, 3>{2, 30, 200}) * millisecond;
  shape.commit_max = rng.pick(std::array<Micros, 3>{0, 5, 100}) * millisecond;
  shape.cut_in = rng.pick(std::array<std::uint64_t, 4>{0, 20, 100, 1'000});
  shape.crash_in = rng.pick(std::array<std::uint64_t, 3>{0, 500, 2'000});
  shape.fail_in = rng.pick(std::array<std::uint64_t, 3>{0, 300, 1'500});
  shape.partition_in = rng.pick(std::array<std::uint64_t, 2>{0, 300});
  shape.replay_in = rng.pick(std::array<std::uint64_t, 3>{0, 2, 10});
  // A defect needs its occasion.
  if (defect == Defect::acknowledges_before_storing || defect == Defect::restores_a_backup) {
    shape.crash_in = 100;
    shape.commit_max = 100 * millisecond;
  }
  if (defect == Defect::keeps_failed_writes) shape.fail_in = 100;
  if (defect == Defect::strips_a_leaf && shape.cut_in == 0) shape.cut_in = 100;
  return shape;
}

struct Replica {
  std::unique_ptr<Disk> disk;  // None for those in memory.
  std::unique_ptr<Disk> backup;
  std::unique_ptr<Engine> engine;  // None while it is down.
  std::array<std::uint64_t, 4> entropy{};
  std::array<std::uint8_t, 16> node{};
  std::map<std::string, KeyspaceState*> keyspaces;
  std::map<std::string, Oracle::View> views;
  std::deque<Record> writing;
  std::set<std::pair<std::string, std::string>> announceable;  // Leaves that reached the disk just now.
  bool commit_due = false;
  std::uint64_t life = 0;  // Grows with each start and each failed commit: older events are void.
  std::int64_t skew_ms = 0;
};

struct Flight {
  Micros at;
  std::string frame;
};

struct Side {
  std::unique_ptr<Session> session;
  std::unique_ptr<FrameInspector> inspector;  // Of what this side sends.
  std::unique_ptr<Tamper> tamper;             // Of the same; only where a defect is planted.
  std::deque<Flight> flights;                 // To the other side.
  std::vector<std::string> history;           // The first frames of this conversation...
  std::vector<std::string> old_history;       // ...and of the one before.
  Micros timer = 0;
};

struct Connection {
  std::array<std::uint32_t, 2> ends{};
  std::array<Side, 2> sides;
  bool up = false;
  std::uint64_t epoch = 0;  // Grows with each loss: older events are void.
};

struct Event {
  enum class Kind { operate, deliver, timer, commit, connect, restart };
  Micros at;
  std::uint64_t order;  // First come, first served among equals.
  Kind kind;
  std::uint32_t subject;  // A connection or a replica.
  std::uint32_t side;
  std::uint64_t epoch;
};
struct Later {
  bool operator()(const Event& a, const Event& b) const {
    return a.at != b.at ? a.at > b.at : a.order > b.order;
  }
};

}  // namespace

const char* name(Defect defect) {
  switch (defect) {
    case Defect::none:
      return "none";
    case Defect::acknowledges_before_storing:
      return "acknowledges_before_storing";
    case Defect::forgets_a_leaf:
      return "forgets_a_leaf";
    case Defect::stores_half_a_record:
      return "stores_half_a_record";
    case Defect::restores_a_backup:
      return "restores_a_backup";
    case Defect::loses_a_frame:
      return "loses_a_frame";
    case Defect::swaps_frames:
      return "swaps_frames";
    case Defect::strips_removals:
      return "strips_removals";
    case Defect::strips_dependencies:
      return "strips_dependencies";
    case Defect::strips_a_leaf:
      return "strips_a_leaf";
    case Defect::raises_a_version:
      return "raises_a_version";
    case Defect::keeps_failed_writes:
      return "keeps_failed_writes";
  }
  return "?";
}

void SimCounts::add(const SimCounts& other) {
  const auto sum = [](auto& a, const auto& b) { a += b; };
  sum(frames, other.frames), sum(operations, other.operations), sum(faults, other.faults),
      sum(rows, other.rows);
  sum(cuts, other.cuts), sum(crashes, other.crashes), sum(commits_failed, other.commits_failed);
  sum(replays, other.replays), sum(replays_refused, other.replays_refused);
  sum(full_checks, other.full_checks), sum(duplicates, other.duplicates), sum(early, other.early);
  sum(log_cut, other.log_cut), sum(passes, other.passes), sum(full_passes, other.full_passes);
  calm_ticks = std::max(calm_ticks, other.calm_ticks);
  sum(wire.frames, other.wire.frames), sum(wire.continued, other.wire.continued);
  sum(wire.pushes, other.wire.pushes), sum(wire.chunks, other.wire.chunks),
      sum(wire.closing, other.wire.closing);
  sum(wire.full_chunks, other.wire.full_chunks), sum(wire.dead_rows, other.wire.dead_rows);
  sum(wire.new_rounds, other.wire.new_rounds), sum(wire.wants, other.wire.wants);
  sum(wire.resumed, other.wire.resumed), sum(wire.refused, other.wire.refused);
}

struct Sim::Impl {
  SimOptions options;
  Rng rng;
  Shape shape;
  std::vector<Replica> replicas;
  std::vector<Connection> connections;
  std::map<std::string, Oracle, std::less<>> oracles;
  std::priority_queue<Event, std::vector<Event>, Later> events;
  std::uint64_t order = 0;
  Micros now = 0;
  bool chaos = true;
  std::optional<std::string> violation;
  SimCounts counts;
  std::uint64_t trace = 0;

  explicit Impl(SimOptions given) : options(given), rng(given.seed), shape(draw_shape(rng, given.defect)) {
    oracles["shop"];
    oracles["till"];
    replicas.resize(shape.replicas);
    for (std::uint32_t r = 0; r < shape.replicas; ++r) {
      if (!shape.in_memory[r]) replicas[r].disk = std::make_unique<Disk>();
      replicas[r].skew_ms = static_cast<std::int64_t>(rng.below(10'000)) - 5'000;
      start(r);
    }
    for (const auto& [a, b] : shape.links) {
      Connection& connection = connections.emplace_back();
      connection.ends = {a, b};
      schedule(rng.below(100 * millisecond), Event::Kind::connect,
               static_cast<std::uint32_t>(connections.size() - 1));
    }
    schedule(shape.operation_gap, Event::Kind::operate, 0);
  }

  // ---- time ----

  void schedule(Micros in, Event::Kind kind, std::uint32_t subject, std::uint32_t side = 0,
                std::uint64_t epoch = 0) {
    events.push(Event{now + in, order++, kind, subject, side, epoch});
  }

  Time time_of(std::uint32_t r) const {
    const auto ms = std::chrono::milliseconds(now / millisecond);
    // 2025, as the replica's own clock has it.
    return Time{ms, std::chrono::milliseconds(1'735'689'600'000 + replicas[r].skew_ms) + ms};
  }

  void found(Finding finding) {
    if (finding.empty() || violation) return;
    violation = "event " + std::to_string(counts.events()) + ", " + std::to_string(now / millisecond) +
                " ms: " + finding;
  }

  // ---- replicas ----

  void start(std::uint32_t r) {
    Replica& replica = replicas[r];
    const bool reuse = options.defect == Defect::restores_a_backup && replica.life != 0;
    if (!reuse)
      for (std::uint64_t& word : replica.entropy) word = rng.next();
    for (std::uint8_t& byte : replica.node) byte = static_cast<std::uint8_t>(rng.next());
    const EngineOptions engine_options{
        .entropy = replica.entropy, .log_bytes_max = shape.log_bytes, .early_bytes_max = shape.early_bytes};
    replica.engine = replica.disk ? *Engine::restore(engine_options, *replica.disk, replica.disk->head())
                                  : std::make_unique<Engine>(engine_options);
    ++replica.life;
    replica.commit_due = false;
    replica.keyspaces.clear();
    for (const std::string& name : shape.keyspaces[r]) {
      const auto opened = replica.engine->open_keyspace(name);
      SYNCLINE_ASSERT(opened.has_value());
      replica.keyspaces[name] = *opened;
      replica.engine->watch(**opened, r % 2 == 0);
      replica.views[name] = {};
      found(oracles.find(name)->second.check(replica.views[name], *replica.engine, **opened, true));
    }
  }

  void crash(std::uint32_t r) {
    Replica& replica = replicas[r];
    if (!replica.disk || !replica.engine) return;
    ++counts.crashes, ++counts.faults;
    // The disk may have got further than it said.
    for (std::uint64_t n = rng.below(replica.writing.size() + 1); n != 0; --n) {
      store(replica, replica.writing.front());
      replica.writing.pop_front();
    }
    fall(r);
    replica.engine.reset();
    ++replica.life;
    if (options.defect == Defect::restores_a_backup && replica.backup) *replica.disk = Disk(*replica.backup);
    schedule(rng.between(1, 3'000) * millisecond, Event::Kind::restart, r, 0, replica.life);
  }

  // The replica is back at what its disk has: connections end, lost rows never were.
  void fall(std::uint32_t r) {
    Replica& replica = replicas[r];
    replica.writing.clear();
    replica.announceable.clear();
    for (std::uint32_t c = 0; c < connections.size(); ++c) {
      if (connections[c].ends[0] == r || connections[c].ends[1] == r) disconnect(c);
    }
    for (const auto& [name, keyspace] : replica.keyspaces) {
      std::vector<const Oracle::View*> others;
      for (std::uint32_t other = 0; other < shape.replicas; ++other) {
        const auto view = replicas[other].views.find(name);
        if (other != r && replicas[other].engine && view != replicas[other].views.end())
          others.push_back(&view->second);
      }
      if (options.defect != Defect::restores_a_backup)
        found(oracles.find(name)->second.forget_beyond(r, replica.disk->version(name), others));
      replica.views[name] = {};
    }
  }

  void store(Replica& replica, const Record& record) {
    if (options.defect == Defect::restores_a_backup && rng.one_in(50))
      replica.backup = std::make_unique<Disk>(*replica.disk);
    const bool strikes = chaos && rng.one_in(50);
    for (const KeyspaceRecord& part : record.keyspaces)
      for (const auto& leaf : part.leaves) replica.announceable.emplace(part.name, leaf.first);
    if (!strikes) return replica.disk->commit(record);
    Record stored = record;
    for (KeyspaceRecord& part : stored.keyspaces) {
      if (options.defect == Defect::forgets_a_leaf && !part.leaves.empty()) part.leaves.pop_back();
      if (options.defect == Defect::stores_half_a_record) part.leaves.resize(part.leaves.size() / 2);
    }
    replica.disk->commit(stored);
  }

  void commit(std::uint32_t r) {
    Replica& replica = replicas[r];
    replica.commit_due = false;
    if (chaos && rng.one_in(shape.fail_in)) {
      ++counts.commits_failed, ++counts.faults;
      if (options.defect == Defect::keeps_failed_writes) store(replica, replica.writing.front());
      replica.engine->handle_failed(Error{Errc::storage, "the simulated disk is full"});
      ++replica.life;
      fall(r);
      for (const auto& [name, keyspace] : replica.keyspaces)
        found(oracles.find(name)->second.check(replica.views[name], *replica.engine, *keyspace, true));
    } else {
      for (std::uint64_t n = rng.between(1, replica.writing.size()); n != 0; --n) {
        const std::uint64_t sequence = replica.writing.front().sequence;
        store(replica, replica.writing.front());
        replica.writing.pop_front();
        if (options.defect != Defect::acknowledges_before_storing) replica.engine->handle_persisted(sequence);
      }
    }
    settle(r);
  }

  // ---- connections ----

  SessionOptions session_options(std::uint32_t r) {
    SessionOptions session;
    session.cluster = "sim";
    session.node = replicas[r].node;
    session.relay = shape.relay;
    session.chunk_bytes = shape.chunk_bytes;
    session.push_bytes = shape.push_bytes;
    session.limits.frame_bytes_max = shape.frame_bytes;
    session.address = "replica-" + std::to_string(r);
    return session;
  }

  void connect(std::uint32_t c) {
    Connection& connection = connections[c];
    if (connection.up) return;
    if (!replicas[connection.ends[0]].engine || !replicas[connection.ends[1]].engine) {
      reconnect_later(c);
      return;
    }
    connection.up = true;
    for (std::uint32_t s = 0; s < 2; ++s) {
      Side& side = connection.sides[s];
      const std::uint32_t r = connection.ends[s];
      side.old_history = std::exchange(side.history, {});
      side.session = std::make_unique<Session>(*replicas[r].engine, session_options(r), time_of(r));
      WireLimits limits;
      limits.frame_bytes_max = shape.frame_bytes;
      side.inspector = std::make_unique<FrameInspector>(limits);
      if (Tamper::is_for(options.defect)) side.tamper = std::make_unique<Tamper>(options.defect, limits);
      side.timer = 0;
    }
    if (chaos && rng.one_in(shape.replay_in)) replay_history(c);
    settle(connection.ends[0]);
    settle(connection.ends[1]);
  }

  // Plays the frames of the previous conversation into a session of its own,
  // beside the real one: it is refused, or it does no harm.
  void replay_history(std::uint32_t c) {
    Connection& connection = connections[c];
    const auto from = static_cast<std::uint32_t>(rng.below(2));
    const std::uint32_t r = connection.ends[1 - from];
    if (connection.sides[from].old_history.empty()) return;
    ++counts.replays, ++counts.faults;
    Session session(*replicas[r].engine, session_options(r), time_of(r));
    for (const std::string& frame : connection.sides[from].old_history) {
      const bool taken = session.handle_frame(time_of(r), frame).has_value();
      while (session.poll_frame(time_of(r))) {
      }
      check(r);
      if (!taken) {
        ++counts.replays_refused;
        break;
      }
    }
  }

  void disconnect(std::uint32_t c) {
    Connection& connection = connections[c];
    if (!connection.up) return;
    connection.up = false;
    ++connection.epoch;
    for (Side& side : connection.sides) {
      if (side.session) {
        counts.passes += side.session->metrics().passes_in;
        counts.full_passes += side.session->metrics().full_passes_in;
      }
      side.session.reset();
      side.flights.clear();
    }
    reconnect_later(c);
  }

  void cut(std::uint32_t c) {
    ++counts.cuts, ++counts.faults;
    const auto ends = connections[c].ends;
    disconnect(c);
    settle(ends[0]);
    settle(ends[1]);
  }

  void reconnect_later(std::uint32_t c) {
    const Micros wait = !chaos ? 50 : rng.one_in(10) ? rng.between(500, 5'000) : rng.between(1, 300);
    schedule(wait * millisecond, Event::Kind::connect, c, 0, connections[c].epoch);
  }

  // Lets a side say what it has to say, as far as its link has room.
  void pump(std::uint32_t c, std::uint32_t s) {
    Connection& connection = connections[c];
    Side& side = connection.sides[s];
    const std::uint32_t r = connection.ends[s];
    Replica& replica = replicas[r];
    while (side.flights.size() < (chaos ? flights_max : flights_max_in_calm)) {
      auto frame = side.session->poll_frame(time_of(r));
      if (!frame) break;
      found(side.inspector->inspect(*frame, *replica.engine, replica.disk.get(), oracles, counts.wire));
      if (side.history.size() < history_max) side.history.push_back(*frame);
      if (side.tamper) {
        for (std::string& altered : side.tamper->pass(*frame, chaos && rng.one_in(20)))
          send(c, s, std::move(altered));
      } else {
        send(c, s, std::move(*frame));
      }
    }
    while (auto event = side.session->poll_event()) {
      const auto* compared = std::get_if<KeyspaceCompared>(&*event);
      if (compared != nullptr && !compared->equal) found("equal versions were found with unequal digests");
    }
    const auto deadline = side.session->poll_deadline();
    if (deadline == std::chrono::milliseconds::max()) return;
    const Micros due = static_cast<Micros>(deadline.count()) * millisecond;
    if (side.timer <= now || due < side.timer) {
      side.timer = std::max(due, now + 1);
      schedule(side.timer - now, Event::Kind::timer, c, s, connection.epoch);
    }
  }

  void send(std::uint32_t c, std::uint32_t s, std::string frame) {
    Connection& connection = connections[c];
    Side& side = connection.sides[s];
    const Micros earliest = side.flights.empty() ? now : side.flights.back().at;
    const Micros at = std::max(earliest, now + rng.below(shape.latency_max) + 1);
    side.flights.push_back(Flight{at, std::move(frame)});
    schedule(at - now, Event::Kind::deliver, c, s, connection.epoch);
  }

  void deliver(std::uint32_t c, std::uint32_t s) {
    Connection& connection = connections[c];
    if (chaos && rng.one_in(shape.cut_in)) return cut(c);
    Side& side = connection.sides[s];
    std::string frame = std::move(side.flights.front().frame);
    side.flights.pop_front();
    if (chaos && options.defect == Defect::loses_a_frame && rng.one_in(200)) return;
    if (chaos && options.defect == Defect::swaps_frames && !side.flights.empty() && rng.one_in(50))
      std::swap(frame, side.flights.front().frame);
    ++counts.frames;
    trace = mix(trace, hash_bytes(frame) + now);
    const std::uint32_t r = connection.ends[1 - s];
    const auto taken = connection.sides[1 - s].session->handle_frame(time_of(r), frame);
    if (!taken) {
      found("a session refused an honest frame: " + to_string(taken.error()));
      return cut(c);
    }
    if (counts.frames % 16 == 0) check_acknowledged(c, 1 - s);
    settle(r);
    if (connection.up) pump(c, s);
  }

  // What a session says of its peer's disk must be there.
  void check_acknowledged(std::uint32_t c, std::uint32_t s) {
    const Connection& connection = connections[c];
    const Replica& peer = replicas[connection.ends[1 - s]];
    for (const auto& [name, keyspace] : peer.keyspaces) {
      const Version has = peer.disk ? peer.disk->version(name) : peer.engine->persisted_version(*keyspace);
      if (!has.includes(connection.sides[s].session->peer_version(name)))
        found("a peer is said to have on disk what it hasn't");
    }
  }

  // ---- after each event ----

  void check(std::uint32_t r) {
    Replica& replica = replicas[r];
    for (const auto& [name, keyspace] : replica.keyspaces)
      found(oracles.find(name)->second.check(replica.views[name], *replica.engine, *keyspace, false));
  }

  // Gives the replica's work to disk and links, and checks what became of it.
  void settle(std::uint32_t r) {
    Replica& replica = replicas[r];
    if (!replica.engine) return;
    check(r);
    collect_records(r);
    for (std::uint32_t c = 0; c < connections.size(); ++c) {
      for (std::uint32_t s = 0; s < 2; ++s) {
        if (connections[c].up && connections[c].ends[s] == r) pump(c, s);
      }
    }
    collect_records(r);
    while (auto event = replica.engine->poll_event()) take(r, *event);
    replica.announceable.clear();
  }

  void collect_records(std::uint32_t r) {
    Replica& replica = replicas[r];
    while (auto record = replica.engine->poll_record()) {
      const std::uint64_t sequence = record->sequence;
      replica.writing.push_back(std::move(*record));
      if (options.defect == Defect::acknowledges_before_storing) replica.engine->handle_persisted(sequence);
    }
    if (!replica.writing.empty() && !replica.commit_due) {
      replica.commit_due = true;
      schedule(rng.below(shape.commit_max + 1), Event::Kind::commit, r, 0, replica.life);
    }
  }

  void take(std::uint32_t r, const EngineEvent& event) {
    Replica& replica = replicas[r];
    if (const auto* changed = std::get_if<LeafChanged>(&event)) {
      if (replica.disk && !replica.announceable.contains({changed->keyspace, changed->leaf}))
        found("a watcher heard of a leaf that didn't reach the disk just now");
      return;
    }
    const Notice& notice = std::get<Notice>(event);
    using Kind = Notice::Kind;
    if (notice.kind == Kind::divergence_detected || notice.kind == Kind::repair_kept ||
        notice.kind == Kind::dot_reused || notice.kind == Kind::amnesia || notice.kind == Kind::clock_drift)
      found("a false alarm: " + notice.detail);
  }

  void check_all() {
    ++counts.full_checks;
    for (std::uint32_t r = 0; r < shape.replicas; ++r) {
      Replica& replica = replicas[r];
      if (!replica.engine) continue;
      for (const auto& [name, keyspace] : replica.keyspaces) {
        found(oracles.find(name)->second.check(replica.views[name], *replica.engine, *keyspace, true));
        if (!replica.disk) continue;
        if (replica.engine->persisted_version(*keyspace) != replica.disk->version(name))
          found("the persisted version isn't the disk's");
        const KeyspaceHead* head = replica.disk->keyspace(name);
        if (head != nullptr && replica.engine->persisted_digests(*keyspace) != head->digests)
          found("the persisted digests aren't the disk's");
      }
    }
  }

  // ---- chaos ----

  void operate() {
    schedule(rng.below(2 * shape.operation_gap) + 1, Event::Kind::operate, 0);
    const auto r = static_cast<std::uint32_t>(rng.below(shape.replicas));
    Replica& replica = replicas[r];
    if (!replica.engine) return;
    if (rng.one_in(shape.crash_in)) return crash(r);
    if (rng.one_in(shape.partition_in)) return partition();
    auto at = replica.keyspaces.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(rng.below(replica.keyspaces.size())));
    ++counts.operations;
    found(sim::operate(*replica.engine, *at->second, time_of(r), r, shape.operations, rng,
                       oracles.find(at->first)->second, replica.views[at->first]));
    settle(r);
  }

  // Cuts every link between two random halves.
  void partition() {
    const std::uint64_t half = rng.next();
    for (std::uint32_t c = 0; c < connections.size(); ++c) {
      const auto [a, b] = connections[c].ends;
      if (((half >> a ^ half >> b) & 1) != 0 && connections[c].up) cut(c);
    }
  }

  void step() {
    const Event event = events.top();
    events.pop();
    now = event.at;
    const bool alive = event.kind != Event::Kind::deliver && event.kind != Event::Kind::timer
                           ? true
                           : connections[event.subject].up && connections[event.subject].epoch == event.epoch;
    if (!alive) return;
    switch (event.kind) {
      case Event::Kind::operate:
        if (chaos) operate();
        break;
      case Event::Kind::deliver:
        deliver(event.subject, event.side);
        break;
      case Event::Kind::timer: {
        Side& side = connections[event.subject].sides[event.side];
        if (event.at != side.timer) break;  // A newer one is set.
        const std::uint32_t r = connections[event.subject].ends[event.side];
        side.session->handle_timeout(time_of(r));
        if (side.session->poll_deadline() <= time_of(r).monotonic)
          found("a deadline stays in the past: its loop would spin");
        settle(r);
        break;
      }
      case Event::Kind::commit:
        if (replicas[event.subject].engine && replicas[event.subject].life == event.epoch &&
            !replicas[event.subject].writing.empty())
          commit(event.subject);
        break;
      case Event::Kind::connect:
        connect(event.subject);
        break;
      case Event::Kind::restart:
        if (replicas[event.subject].life == event.epoch && !replicas[event.subject].engine) {
          start(event.subject);
          settle(event.subject);
        }
        break;
    }
  }

  void run_chaos() {
    std::uint64_t next_check = full_check_every;
    while (!violation && counts.events() < options.events) {
      step();
      if (counts.events() < next_check) continue;
      next_check += full_check_every;
      check_all();
    }
  }

  // ---- calm ----

  bool agree() const {
    for (const auto& [name, oracle] : oracles) {
      const Version all = oracle.everything();
      for (const Replica& replica : replicas) {
        const auto keyspace = replica.keyspaces.find(name);
        if (keyspace == replica.keyspaces.end()) continue;
        if (!replica.engine || replica.engine->persisted_version(*keyspace->second) != all) return false;
      }
    }
    for (const Connection& connection : connections) {
      if (!connection.up) return false;
      for (const Side& side : connection.sides)
        if (!side.session->established() || !side.session->in_sync()) return false;
    }
    return true;
  }

  // R-AE-3: digest-equal within ten tick intervals once faults stop.
  void run_calm() {
    if (violation) return;
    chaos = false;
    for (std::uint32_t r = 0; r < shape.replicas; ++r) {
      if (!replicas[r].engine) start(r);
      settle(r);
    }
    for (std::uint32_t c = 0; c < connections.size(); ++c) connect(c);
    const Micros began = now;
    constexpr Micros look_every = 50 * millisecond;
    Micros look = began + look_every;
    while (!violation && now < began + 10 * tick) {
      step();
      if (now < look) continue;
      look = now + look_every;
      if (agree()) break;
    }
    counts.calm_ticks = (now - began) / tick + 1;
    check_all();
    if (violation || agree()) return;
    std::string detail;
    for (std::uint32_t r = 0; r < shape.replicas; ++r) {
      for (const auto& [name, keyspace] : replicas[r].keyspaces)
        detail += "; " + std::to_string(r) + " has " +
                  std::to_string(replicas[r].engine->persisted_version(*keyspace).size()) + " of " +
                  std::to_string(oracles.find(name)->second.everything().size()) + " dots of " + name;
    }
    for (const Connection& connection : connections) {
      for (std::uint32_t s = 0; s < 2; ++s) {
        if (!connection.up || !connection.sides[s].session->in_sync())
          detail += "; " + std::to_string(connection.ends[s]) + " isn't in sync with " +
                    std::to_string(connection.ends[1 - s]);
      }
    }
    found("no agreement after ten tick intervals of calm" + detail);
  }

  void finish() {
    for (Connection& connection : connections) {
      for (Side& side : connection.sides) {
        if (!side.session) continue;
        counts.passes += side.session->metrics().passes_in;
        counts.full_passes += side.session->metrics().full_passes_in;
        side.session.reset();
      }
    }
    for (const Replica& replica : replicas) {
      if (!replica.engine) continue;
      counts.duplicates += replica.engine->metrics().changes_duplicate;
      counts.early += replica.engine->metrics().early_dropped;
      counts.log_cut += replica.engine->metrics().log_cut;
    }
    for (const auto& [name, oracle] : oracles) counts.rows += oracle.row_count();
  }

  ~Impl() {
    for (Connection& connection : connections)
      for (Side& side : connection.sides) side.session.reset();  // Before their engines.
  }
};

Sim::Sim(SimOptions options) : impl_(std::make_unique<Impl>(options)) {}
Sim::~Sim() = default;

bool Sim::run() {
  impl_->run_chaos();
  impl_->run_calm();
  impl_->finish();
  return !impl_->violation;
}

const std::optional<std::string>& Sim::violation() const { return impl_->violation; }
const SimCounts& Sim::counts() const { return impl_->counts; }
std::uint64_t Sim::trace_hash() const { return impl_->trace; }

std::string Sim::replay() const {
  std::string command = "sim_run --seed " + std::to_string(impl_->options.seed) + " --events " +
                        std::to_string(impl_->options.events);
  if (impl_->options.defect != Defect::none)
    command += std::string(" --defect ") + name(impl_->options.defect);
  return command;
}

}  // namespace syncline::sim
