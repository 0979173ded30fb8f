#include "tests/sim/network.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

namespace syncline::sim {
namespace {

constexpr Micros for_ever = std::numeric_limits<Micros>::max() / 4;
constexpr Micros resend_first = 200 * millisecond;
constexpr Micros resend_last = 10 * second;
constexpr Micros tail_max = 60 * second;
// A healthy link has room for many frames and for many bytes, as a socket has: or a
// pass in many small frames would measure the link and not who sends it.
constexpr std::size_t frames_in_calm = 256;
constexpr std::size_t bytes_in_calm = 256 * 1024;

}  // namespace

Micros draw_length(Rng& rng, Micros least, Micros most) {
  Micros length = least;
  while (length < most && !rng.one_in(8)) length *= 2;
  length += rng.below(length);
  return length < most ? length : most;
}

Micros draw_slowness(Rng& rng) { return draw_length(rng, 10 * millisecond, 30 * second); }

Micros draw_exponential(Rng& rng, Micros mean) {
  // A geometric number of half-lives, each 0.69 of the mean, and a part of one.
  const Micros half_life = mean * 69 / 100;
  const auto half_lives = static_cast<Micros>(std::countr_one(rng.next()));
  return half_lives * half_life + rng.below(half_life + 1);
}

Network::Network(Schedule& schedule, Dice& dice, Hosts& hosts, std::uint64_t seed, LinkOptions options)
    : schedule_(schedule), dice_(dice), hosts_(hosts), rng_(seed), options_(options) {}

void Network::add_link(std::uint32_t a, std::uint32_t b) {
  host_count_ = std::max({host_count_, a + 1, b + 1});
  held_until_.resize(host_count_);
  sides_.resize(host_count_);
  blocked_until_.resize(host_count_);
  for (auto& row : blocked_until_) row.resize(host_count_);
  const auto link = static_cast<std::uint32_t>(redialling_.size());
  for (std::uint32_t slot = 0; slot < slots; ++slot) {
    Connection& connection = connections_.emplace_back();
    connection.link = link;
    connection.hosts = {a, b};
    const auto c = static_cast<std::uint32_t>(connections_.size() - 1);
    sides_[a].emplace_back(c, 0);
    sides_[b].emplace_back(c, 1);
  }
  redialling_.push_back(false);
  redial(link);
}

Network::Connection* Network::find(const Place& place) {
  Connection& connection = connections_[place.connection];
  return connection.up && connection.epoch == place.epoch ? &connection : nullptr;
}

// ---- connections ----

bool Network::is_served(std::uint32_t link) const {
  for (std::uint32_t slot = 0; slot < slots; ++slot)
    if (connections_[link * slots + slot].is_whole()) return true;
  return false;
}

void Network::redial(std::uint32_t link) {
  if (closed_ || redialling_[link]) return;
  redialling_[link] = true;
  const Micros pause = calm_ ? 50 : rng_.one_in(10) ? rng_.between(500, 5'000) : rng_.between(1, 300);
  schedule_.after(pause * millisecond, [this, link] {
    redialling_[link] = false;
    dial(link);
  });
}

void Network::dial(std::uint32_t link) {
  if (closed_ || is_served(link)) return;
  const auto [a, b] = connections_[link * slots].hosts;
  const bool reachable = hosts_.is_up(a) && hosts_.is_up(b) && wait(a, b) == 0 && wait(b, a) == 0;
  bool opened = false;
  for (std::uint32_t slot = 0; reachable && slot < slots; ++slot) {
    const std::uint32_t c = link * slots + slot;
    if (connections_[c].up) continue;
    if (opened && !dice_.strikes(Fault::twin)) break;
    open(c);
    opened = true;
  }
  if (!opened) return redial(link);
  hosts_.settle(a);
  hosts_.settle(b);
}

void Network::open(std::uint32_t c) {
  Connection& connection = connections_[c];
  connection.up = true;
  for (std::uint32_t s = 0; s < 2; ++s) {
    Side& side = connection.sides[s];
    side = Side();
    side.end = hosts_.connect(connection.hosts[s], connection.hosts[1 - s]);
    side.heard = schedule_.now();
    watch({c, s, connection.epoch});
  }
}

void Network::cut(std::uint32_t c) {
  Connection& connection = connections_[c];
  if (!connection.up) return;
  connection.up = false;
  ++connection.epoch;
  for (Side& side : connection.sides) {
    side.end.reset();
    side.flights.clear();
    side.bytes = 0;
  }
  redial(connection.link);
}

// This side is gone; what it sent still arrives, and the other side knows of nothing.
void Network::leave(std::uint32_t c, std::uint32_t s) {
  Connection& connection = connections_[c];
  connection.sides[s].end.reset();
  if (!connection.sides[1 - s].end) return cut(c);
  redial(connection.link);
}

void Network::drop(std::uint32_t host) {
  for (std::uint32_t c = 0; c < connections_.size(); ++c) {
    Connection& connection = connections_[c];
    for (std::uint32_t s = 0; s < 2; ++s) {
      if (!connection.up || connection.hosts[s] != host) continue;
      if (dice_.strikes(Fault::half_open)) {
        leave(c, s);
      } else {
        cut(c);
      }
    }
  }
}

void Network::close() {
  closed_ = true;
  for (std::uint32_t c = 0; c < connections_.size(); ++c) cut(c);
}

// Ends the connection when this side hears nothing for too long.
void Network::watch(const Place& place) {
  Connection* const connection = find(place);
  if (connection == nullptr) return;
  const Side& side = connection->sides[place.side];
  if (!side.end) return;
  const std::uint32_t host = connection->hosts[place.side];
  Micros& heard = connection->sides[place.side].heard;
  heard = std::max(heard, std::min(held_until_[host], schedule_.now()));
  const Micros due = heard + options_.silence_max;
  if (schedule_.now() < due) return schedule_.after(due - schedule_.now(), [this, place] { watch(place); });
  const auto hosts = connection->hosts;
  ++silenced_;
  cut(place.connection);
  for (const std::uint32_t each : hosts) hosts_.settle(each);
}

// ---- frames ----

void Network::pump(std::uint32_t host) {
  if (host >= sides_.size()) return;  // It isn't linked yet.
  for (const auto& [c, s] : sides_[host])
    if (connections_[c].up) pump_side(c, s);
}

void Network::pump_side(std::uint32_t c, std::uint32_t s) {
  Side& side = connections_[c].sides[s];
  if (!side.end || wait(connections_[c].hosts[s], connections_[c].hosts[s]) > 0) return;
  const auto has_room = [&] {
    const std::size_t frames = side.flights.size();
    return frames < options_.window || (calm_ && (frames < frames_in_calm || side.bytes < bytes_in_calm));
  };
  while (has_room()) {
    auto frame = side.end->send();
    if (!frame) break;
    send(c, s, std::move(*frame));
  }
  arm(c, s);
}

void Network::arm(std::uint32_t c, std::uint32_t s) {
  Connection& connection = connections_[c];
  Side& side = connection.sides[s];
  const auto deadline = side.end->deadline();
  if (deadline == std::chrono::milliseconds::max()) return;
  const Micros now = schedule_.now();
  const Micros due = std::max(hosts_.clock(connection.hosts[s]).due(deadline, now), now + 1);
  if (side.timer > now && side.timer <= due) return;
  side.timer = due;
  const Place place{c, s, connection.epoch};
  schedule_.after(due - now, [this, place, due] { run(place, due); });
}

void Network::run(const Place& place, Micros due) {
  Connection* const connection = find(place);
  if (connection == nullptr) return;
  Side& side = connection->sides[place.side];
  if (!side.end || side.timer != due) return;  // A newer one is set.
  const std::uint32_t host = connection->hosts[place.side];
  if (const Micros still = wait(host, host); still > 0)
    return schedule_.after(still, [this, place, due] { run(place, due); });
  side.end->run();
  if (side.end->deadline() <= hosts_.clock(host).read(schedule_.now()).monotonic)
    hosts_.found("a deadline stays in the past: its loop would spin");
  hosts_.settle(host);
  if (find(place) != nullptr && side.end) arm(place.connection, place.side);
}

void Network::send(std::uint32_t c, std::uint32_t s, std::string frame) {
  Connection& connection = connections_[c];
  Side& side = connection.sides[s];
  ++frames_sent_;
  bytes_sent_ += frame.size();
  Micros delay = rng_.below(options_.latency_max) + 1;
  for (Micros resend = resend_first; resend <= resend_last && dice_.strikes(Fault::loss); resend *= 2)
    delay += resend;
  if (dice_.strikes(Fault::tail))
    delay += std::min(draw_exponential(dice_.rng(Fault::tail), second), tail_max);
  const Micros now = schedule_.now();
  side.busy_until = std::max(side.busy_until, now);
  if (options_.bytes_per_second != 0 && !calm_)
    side.busy_until += frame.size() * second / options_.bytes_per_second;
  const Micros earliest = side.flights.empty() ? now : side.flights.back().at;
  const Micros at = std::max(earliest, side.busy_until + delay);
  side.bytes += frame.size();
  side.flights.push_back(Flight{at, std::move(frame)});
  const Place place{c, s, connection.epoch};
  schedule_.after(at - now, [this, place] { deliver(place); });
}

// Alters what arrives; whether the connection is reset behind it.
Network::Damage Network::damage(Side& sender, std::string& bytes) {
  if (dice_.strikes(Fault::corrupt)) {
    Rng& rng = dice_.rng(Fault::corrupt);
    bytes[rng.below(bytes.size())] ^= static_cast<char>(1 << rng.below(8));
    sender.damaged = true;
  }
  if (dice_.strikes(Fault::truncate)) {
    bytes.resize(dice_.rng(Fault::truncate).between(1, bytes.size() - 1));
    sender.damaged = true;
  }
  if (!dice_.strikes(Fault::tear)) return Damage::none;
  bytes.resize(dice_.rng(Fault::tear).below(bytes.size() + 1));
  return Damage::reset;
}

void Network::deliver(const Place& place) {
  Connection* const connection = find(place);
  if (connection == nullptr) return;
  const std::uint32_t from = connection->hosts[place.side];
  const std::uint32_t to = connection->hosts[1 - place.side];
  if (const Micros later = wait(from, to); later > 0)
    return schedule_.after(later, [this, place] { deliver(place); });
  Side& sender = connection->sides[place.side];
  Side& receiver = connection->sides[1 - place.side];
  std::string bytes = std::move(sender.flights.front().bytes);
  sender.flights.pop_front();
  sender.bytes -= bytes.size();
  if (!receiver.end) return pump_side(place.connection, place.side);  // Nobody hears it.
  if (dice_.strikes(Fault::cut)) {
    cut(place.connection);
    hosts_.settle(from);
    return hosts_.settle(to);
  }
  const Damage damaged = bytes.empty() ? Damage::none : damage(sender, bytes);
  ++frames_;
  receiver.heard = schedule_.now();
  trace_ = mix(trace_, hash_bytes(bytes) + schedule_.now());
  const auto taken = receiver.end->receive(bytes);
  if (!taken) hosts_.refused(to, from, taken.error(), sender.damaged);
  if (!taken || damaged == Damage::reset) cut(place.connection);
  hosts_.settle(to);
  if (find(place) == nullptr) return hosts_.settle(from);
  if (sender.end) pump_side(place.connection, place.side);
}

// ---- what stands in the way ----

Micros Network::wait(std::uint32_t from, std::uint32_t to) const {
  const Micros now = schedule_.now();
  const Micros until = std::max(held_until_[to], from == to ? 0 : blocked_until_[from][to]);
  return until > now ? until - now : 0;
}

void Network::hold(std::uint32_t host, Micros length) {
  held_until_[host] = std::max(held_until_[host], schedule_.now() + length);
}

void Network::block(std::uint32_t from, std::uint32_t to, Micros length) {
  blocked_until_[from][to] = std::max(blocked_until_[from][to], schedule_.now() + length);
}

void Network::jump(Micros length) {
  schedule_.jump(length);
  for (Connection& connection : connections_)
    for (Side& side : connection.sides) side.heard += length;
}

// Blocks, for a while, whoever is apart; half of the time their connections are reset as well.
void Network::block_all(Fault fault, absl::FunctionRef<bool(std::uint32_t, std::uint32_t)> apart) {
  Rng& rng = dice_.rng(fault);
  const Micros length = rng.between(100, 20'000) * millisecond;
  for (std::uint32_t from = 0; from < host_count_; ++from)
    for (std::uint32_t to = 0; to < host_count_; ++to)
      if (from != to && apart(from, to)) block(from, to, length);
  if (rng.one_in(2)) return;
  for (std::uint32_t c = 0; c < connections_.size(); ++c) {
    const auto [a, b] = connections_[c].hosts;
    if (apart(a, b) || apart(b, a)) cut(c);
  }
}

void Network::flap() {
  Rng& rng = dice_.rng(Fault::flap);
  const auto link = static_cast<std::uint32_t>(rng.below(redialling_.size()));
  Micros after = 0;
  for (std::uint64_t n = rng.between(3, 10); n != 0; --n) {
    after += rng.between(20, 600) * millisecond;
    schedule_.after(after, [this, link] {
      if (calm_) return;
      for (std::uint32_t slot = 0; slot < slots; ++slot) cut(link * slots + slot);
    });
  }
}

void Network::disturb() {
  if (dice_.strikes(Fault::partition)) {
    const std::uint64_t half = dice_.rng(Fault::partition).next();
    block_all(Fault::partition,
              [half](std::uint32_t a, std::uint32_t b) { return ((half >> a ^ half >> b) & 1) != 0; });
  }
  if (dice_.strikes(Fault::isolate)) {
    const auto alone = static_cast<std::uint32_t>(dice_.rng(Fault::isolate).below(host_count_));
    block_all(Fault::isolate, [alone](std::uint32_t a, std::uint32_t b) { return a == alone || b == alone; });
  }
  if (dice_.strikes(Fault::one_way)) {
    Rng& rng = dice_.rng(Fault::one_way);
    const auto link = static_cast<std::uint32_t>(rng.below(redialling_.size()));
    auto [from, to] = connections_[link * slots].hosts;
    if (rng.one_in(2)) std::swap(from, to);
    block(from, to, rng.between(100, 20'000) * millisecond);
  }
  if (dice_.strikes(Fault::flap)) flap();
}

// Whether all that is on its way arrives, and soon.
bool Network::is_sound(const Connection& connection) const {
  if (!connection.is_whole()) return false;
  const Micros now = schedule_.now();
  for (const Side& side : connection.sides) {
    // A damaged stream may wait for the rest of a frame that never was that long.
    if (side.damaged) return false;
    if (side.flights.empty()) continue;
    if (side.flights.front().at < now || side.flights.back().at > now + options_.latency_max) return false;
  }
  return true;
}

void Network::heal() {
  calm_ = true;
  std::fill(held_until_.begin(), held_until_.end(), 0);
  for (auto& row : blocked_until_) std::fill(row.begin(), row.end(), 0);
  for (std::uint32_t c = 0; c < connections_.size(); ++c)
    if (!is_sound(connections_[c])) cut(c);
}

void Network::dial_all() {
  for (std::uint32_t link = 0; link < redialling_.size(); ++link) dial(link);
}

void Network::cut_off(std::uint32_t host) {
  for (std::uint32_t other = 0; other < host_count_; ++other) {
    if (other == host) continue;
    block(host, other, for_ever);
    block(other, host, for_ever);
  }
  for (std::uint32_t c = 0; c < connections_.size(); ++c) {
    const auto& ends = connections_[c].hosts;
    if (ends[0] == host || ends[1] == host) cut(c);
  }
}

// ---- looking ----

void Network::for_each_end(absl::FunctionRef<void(std::uint32_t, std::uint32_t, End&)> fn) {
  for (Connection& connection : connections_) {
    if (!connection.is_whole()) continue;
    for (std::uint32_t s = 0; s < 2; ++s)
      fn(connection.hosts[s], connection.hosts[1 - s], *connection.sides[s].end);
  }
}

bool Network::lacks_connection(std::uint32_t a, std::uint32_t b) const {
  bool linked = false;
  for (const Connection& connection : connections_) {
    const auto& [x, y] = connection.hosts;
    if (!((x == a && y == b) || (x == b && y == a))) continue;
    linked = true;
    if (connection.is_whole()) return false;
  }
  return linked;
}

}  // namespace syncline::sim
