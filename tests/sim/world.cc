#include "tests/sim/world.h"

#include <algorithm>
#include <array>
#include <deque>
#include <utility>
#include <vector>

#include "tests/sim/clock.h"
#include "tests/sim/disk.h"

namespace syncline::sim {
namespace {

constexpr std::size_t snapshots_max = 3;
constexpr std::uint64_t snapshot_in = 50;  // Beats of a machine.
constexpr Micros day = 24 * 3'600 * second;

// One replica of the app, on its machine.
struct Node {
  std::shared_ptr<Disk> disk = std::make_shared<Disk>();
  std::deque<Disk> snapshots;
  std::optional<Replica> replica;  // None while it is down.
  Clock clock;
  std::array<std::uint8_t, 16> id{};  // Of this run of it.
  Micros paused_until = 0;
  Micros full_until = 0;
  std::uint64_t life = 0;
};

class LinkEnd : public End {
 public:
  explicit LinkEnd(std::unique_ptr<Replica::Link> link) : link_(std::move(link)) {}

  Result<void> receive(std::string_view bytes) override { return link_->receive(bytes); }
  std::optional<std::string> send() override { return link_->send(); }
  void run() override { link_->run(); }
  std::chrono::milliseconds deadline() const override { return link_->deadline(); }

  bool in_sync() const { return link_->in_sync(); }

 private:
  std::unique_ptr<Replica::Link> link_;
};

Faults faults_of(const WorldOptions& options) {
  if (options.faults) return *options.faults;
  Rng rng(options.seed);
  return Faults::draw(rng);
}

}  // namespace

struct World::Impl : Hosts {
  explicit Impl(WorldOptions given);
  ~Impl() override { network.close(); }  // Before the replicas.

  bool is_up(std::uint32_t host) const override { return nodes[host].replica.has_value(); }
  std::unique_ptr<End> connect(std::uint32_t host, std::uint32_t peer) override;
  const Clock& clock(std::uint32_t host) const override { return nodes[host].clock; }
  void settle(std::uint32_t host) override;
  void refused(std::uint32_t host, std::uint32_t peer, const Error& error, bool damaged) override;
  void found(std::string finding) override;

  void start(std::uint32_t r, bool proven);
  void stop(std::uint32_t r, Micros rest, bool proven);
  void break_something(std::uint32_t r);
  void disturb_machine(std::uint32_t r);
  void disturb_disk(std::uint32_t r);
  void pause(std::uint32_t r, Micros length);
  void disturb_clock(std::uint32_t r);
  void beat(const Act& act);
  bool run_until(Micros end);
  bool agree();
  void look(std::uint32_t r);

  WorldOptions options;
  Rng rng;
  Schedule schedule;
  Dice dice;
  Network network;
  std::vector<Node> nodes;
  Check check;
  bool disks_fail = false;  // A disk failed at some time: links may say so.
  std::optional<std::string> violation;
};

World::Impl::Impl(WorldOptions given)
    : options(std::move(given)),
      rng(mix(options.seed, 1)),
      dice(faults_of(options), mix(options.seed, 2)),
      network(schedule, dice, *this, mix(options.seed, 3), options.link),
      nodes(options.replicas) {
  SYNCLINE_ASSERT(options.replicas >= 2);
  for (std::uint32_t r = 0; r < options.replicas; ++r) start(r, false);
  for (std::uint32_t a = 0; a < options.replicas; ++a)
    for (std::uint32_t b = a + 1; b < options.replicas; ++b) network.add_link(a, b);
}

// ---- what the network asks ----

std::unique_ptr<End> World::Impl::connect(std::uint32_t host, std::uint32_t) {
  SessionOptions session = options.session;
  session.cluster = "sim";
  session.node = nodes[host].id;
  session.address = "replica-" + std::to_string(host);
  return std::make_unique<LinkEnd>(nodes[host].replica->connect(std::move(session), [] {}));
}

void World::Impl::settle(std::uint32_t host) {
  if (!nodes[host].replica || violation) return;
  network.pump(host);
  look(host);
}

void World::Impl::refused(std::uint32_t host, std::uint32_t, const Error& error, bool damaged) {
  const bool of_disk = disks_fail && (error.code == Errc::storage || error.code == Errc::disk_full);
  // `closed`: the app dropped a keyspace, which ends all links.
  if (damaged || of_disk || error.code == Errc::closed) return;
  found("replica " + std::to_string(host) + " refused an honest frame: " + to_string(error));
}

void World::Impl::found(std::string finding) {
  if (finding.empty() || violation) return;
  violation = std::to_string(schedule.now() / millisecond) + " ms: " + std::move(finding);
}

void World::Impl::look(std::uint32_t r) {
  if (check && nodes[r].replica && !violation) found(check(r, *nodes[r].replica));
}

// ---- lives ----

void World::Impl::start(std::uint32_t r, bool proven) {
  Node& node = nodes[r];
  ReplicaOptions replica;
  replica.engine = options.engine;
  for (std::uint64_t& word : replica.engine.entropy) word = rng.next();
  for (std::uint8_t& byte : node.id) byte = static_cast<std::uint8_t>(rng.next());
  replica.clock = [this, r] { return nodes[r].clock.read(schedule.now()); };
  node.disk->set_proven(proven);
  replica.store = node.disk;
  auto opened = Replica::open(std::move(replica));
  if (!opened) return found("a replica can't start from its disk: " + to_string(opened.error()));
  ++node.life;
  node.replica.emplace(std::move(*opened));
}

// Ends the replica and starts it again later, from what its disk has by now.
void World::Impl::stop(std::uint32_t r, Micros rest, bool proven) {
  Node& node = nodes[r];
  network.drop(r);
  node.replica.reset();
  schedule.after(rest, [this, r, proven, life = ++node.life] {
    if (nodes[r].life != life || nodes[r].replica) return;
    start(r, proven);
    settle(r);
  });
}

// ---- chaos ----

void World::Impl::break_something(std::uint32_t r) {
  network.disturb();
  disturb_clock(r);
  if (dice.strikes(Fault::night))
    network.jump(std::min<Micros>(draw_exponential(dice.rng(Fault::night), day), 400 * day));
  if (!nodes[r].replica) return;
  disturb_disk(r);
  disturb_machine(r);
}

void World::Impl::disturb_clock(std::uint32_t r) {
  Clock& clock = nodes[r].clock;
  if (dice.strikes(Fault::drift))
    clock.drift(static_cast<std::int64_t>(dice.rng(Fault::drift).below(100'001)) - 50'000, schedule.now());
  if (dice.strikes(Fault::step)) {
    Rng& random = dice.rng(Fault::step);
    const std::chrono::hours off(random.below(10 * 365 * 24));
    clock.step(random.one_in(2) ? off : -off);
  }
  if (dice.strikes(Fault::freeze)) clock.freeze(!clock.frozen(), schedule.now());
}

void World::Impl::disturb_disk(std::uint32_t r) {
  Node& node = nodes[r];
  const Micros now = schedule.now();
  if (rng.one_in(snapshot_in)) {
    node.snapshots.push_back(*node.disk);
    if (node.snapshots.size() > snapshots_max) node.snapshots.pop_front();
  }
  if (dice.strikes(Fault::full)) {
    node.full_until = now + dice.rng(Fault::full).between(10, 10'000) * millisecond;
    disks_fail = true;
  }
  node.disk->set_full(now < node.full_until);
  if (dice.strikes(Fault::write_error)) {
    node.disk->fail_commit();
    disks_fail = true;
  }
  if (dice.strikes(Fault::read_error)) {
    node.disk->fail_read(dice.rng(Fault::read_error).between(1, 20));
    disks_fail = true;
  }
  // A replica waits for its commits and reads.
  for (const Fault fault : {Fault::slow_write, Fault::slow_read})
    if (dice.strikes(fault)) pause(r, draw_slowness(dice.rng(fault)));
}

void World::Impl::pause(std::uint32_t r, Micros length) {
  Micros& until = nodes[r].paused_until;
  until = std::max(until, schedule.now() + length);
  network.hold(r, length);
}

void World::Impl::disturb_machine(std::uint32_t r) {
  Node& node = nodes[r];
  if (dice.strikes(Fault::pause))
    pause(r, std::min(draw_exponential(dice.rng(Fault::pause), 20 * second), day));
  const Micros rest = rng.between(1, 3'000) * millisecond;
  if (dice.strikes(Fault::restart)) return stop(r, 1, true);
  if (dice.strikes(Fault::crash)) return stop(r, rest, false);
  const bool older = !node.snapshots.empty() && dice.strikes(Fault::restore);
  if (!older && !dice.strikes(Fault::amnesia)) return;
  stop(r, rest, false);
  *node.disk = older ? Disk(node.snapshots[dice.rng(Fault::restore).below(node.snapshots.size())]) : Disk();
}

void World::Impl::beat(const Act& act) {
  const auto r = static_cast<std::uint32_t>(rng.below(options.replicas));
  break_something(r);
  Node& node = nodes[r];
  if (!node.replica || node.paused_until > schedule.now()) return;
  Rng own(rng.next());  // What the app draws changes nothing else.
  act(r, *node.replica, own);
  settle(r);
}

bool World::Impl::run_until(Micros end) {
  schedule.after(end > schedule.now() ? end - schedule.now() : 0, [] {});
  while (!violation && schedule.now() < end && schedule.step()) {
  }
  return !violation;
}

// ---- calm ----

bool World::Impl::agree() {
  for (std::uint32_t a = 0; a < options.replicas; ++a) {
    if (!nodes[a].replica) return false;
    for (std::uint32_t b = a + 1; b < options.replicas; ++b)
      if (network.lacks_connection(a, b)) return false;
  }
  bool equal = true;
  network.for_each_end([&equal](std::uint32_t, std::uint32_t, End& end) {
    const auto& link = static_cast<LinkEnd&>(end);
    equal = equal && link.in_sync();
  });
  return equal;
}

World::World(WorldOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
World::~World() = default;

void World::check(Check check) { impl_->check = std::move(check); }

bool World::play(std::uint64_t beats, const Act& act) {
  Impl& impl = *impl_;
  for (; beats != 0 && !impl.violation; --beats) {
    impl.run_until(impl.schedule.now() + impl.rng.below(2 * impl.options.beat) + 1);
    if (!impl.violation) impl.beat(act);
  }
  return !impl.violation;
}

bool World::run_for(Micros length) { return impl_->run_until(impl_->schedule.now() + length); }

bool World::heal(Micros within) {
  Impl& impl = *impl_;
  impl.dice.rest();
  impl.network.heal();
  for (std::uint32_t r = 0; r < impl.options.replicas; ++r) {
    Node& node = impl.nodes[r];
    node.clock.drift(0, impl.schedule.now());
    node.disk->heal();
    node.paused_until = node.full_until = 0;
    if (!node.replica) impl.start(r, false);
  }
  impl.network.dial_all();
  for (std::uint32_t r = 0; r < impl.options.replicas; ++r) impl.settle(r);
  const Micros end = impl.schedule.now() + within;
  while (!impl.violation && !impl.agree() && impl.schedule.now() < end)
    impl.run_until(impl.schedule.now() + 50 * millisecond);
  if (!impl.agree()) impl.found("the replicas aren't equal in time");
  for (std::uint32_t r = 0; r < impl.options.replicas; ++r) impl.look(r);
  return !impl.violation;
}

std::uint32_t World::size() const { return impl_->options.replicas; }

Replica* World::replica(std::uint32_t index) {
  auto& replica = impl_->nodes[index].replica;
  return replica ? &*replica : nullptr;
}

Micros World::now() const { return impl_->schedule.now(); }
const std::optional<std::string>& World::violation() const { return impl_->violation; }
std::uint64_t World::struck(Fault fault) const {
  return impl_->dice.struck()[static_cast<std::size_t>(fault)];
}
std::uint64_t World::frames() const { return impl_->network.frames(); }
std::uint64_t World::trace_hash() const { return impl_->network.trace_hash(); }

std::string World::describe() const {
  std::string text = "seed " + std::to_string(impl_->options.seed) + ", " +
                     impl_->violation.value_or("nothing found wrong") + "; faults that struck:";
  for (const Fault fault : all_faults())
    if (struck(fault) != 0) text += std::string(" ") + name(fault) + " " + std::to_string(struck(fault));
  return text;
}

}  // namespace syncline::sim
