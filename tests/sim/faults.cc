#include "tests/sim/faults.h"

#include <iterator>

namespace syncline::sim {
namespace {

struct Row {
  Fault fault;
  const char* name;
  std::uint64_t often;  // When drawn: once in so many, between these.
  std::uint64_t seldom;
};

constexpr Row rows[] = {
    {Fault::loss, "loss", 4, 200},
    {Fault::tail, "tail", 50, 1'000},
    {Fault::cut, "cut", 20, 1'000},
    {Fault::tear, "tear", 100, 2'000},
    {Fault::corrupt, "corrupt", 100, 2'000},
    {Fault::truncate, "truncate", 100, 2'000},
    {Fault::replay, "replay", 2, 10},
    {Fault::twin, "twin", 2, 8},
    {Fault::half_open, "half_open", 2, 10},
    {Fault::partition, "partition", 100, 600},
    {Fault::one_way, "one_way", 100, 600},
    {Fault::isolate, "isolate", 100, 600},
    {Fault::flap, "flap", 100, 600},
    {Fault::crash, "crash", 100, 2'000},
    {Fault::restart, "restart", 100, 2'000},
    {Fault::pause, "pause", 200, 1'000},
    {Fault::amnesia, "amnesia", 500, 2'000},
    {Fault::restore, "restore", 300, 2'000},
    {Fault::clone, "clone", 200, 1'000},
    {Fault::night, "night", 500, 2'000},
    {Fault::drift, "drift", 50, 500},
    {Fault::step, "step", 100, 500},
    {Fault::freeze, "freeze", 100, 500},
    {Fault::write_error, "write_error", 100, 1'500},
    {Fault::full, "full", 500, 3'000},
    {Fault::read_error, "read_error", 100, 2'000},
    {Fault::slow_write, "slow_write", 20, 1'000},
    {Fault::slow_read, "slow_read", 200, 5'000},
    {Fault::rot, "rot", 0, 0},
    {Fault::resume, "resume", 0, 0},
    {Fault::lie, "lie", 0, 0},
};
static_assert(std::size(rows) == fault_count);

constexpr bool rows_in_order() {
  for (std::size_t i = 0; i < fault_count; ++i)
    if (static_cast<std::size_t>(rows[i].fault) != i) return false;
  return true;
}
static_assert(rows_in_order());

}  // namespace

const char* name(Fault fault) { return rows[static_cast<std::size_t>(fault)].name; }

std::optional<Fault> fault_of(std::string_view name) {
  for (const Row& row : rows)
    if (row.name == name) return row.fault;
  return std::nullopt;
}

std::vector<Fault> all_faults() {
  std::vector<Fault> all;
  for (const Row& row : rows) all.push_back(row.fault);
  return all;
}

Faults Faults::draw(Rng& rng) {
  Faults faults;
  Rng later(mix(Rng(rng).next(), 1));             // Of kinds that came later: the others stay what they were.
  const std::uint64_t kinds = rng.between(1, 4);  // Of four faults so many on average, or a few less.
  for (const Row& row : rows) {
    if (is_apart(row.fault)) continue;
    Rng& own = row.fault > Fault::read_error ? later : rng;
    const bool drawn = own.below(5) < kinds;
    const std::uint64_t once_in = row.often << own.below(8);
    if (drawn) faults.set(row.fault, once_in < row.seldom ? once_in : row.seldom);
  }
  return faults;
}

Dice::Dice(const Faults& faults, std::uint64_t seed) : faults_(faults) {
  rngs_.reserve(fault_count);
  for (std::size_t i = 0; i < fault_count; ++i) rngs_.emplace_back(mix(seed, i + 1));
}

bool Dice::strikes(Fault fault) {
  const auto i = static_cast<std::size_t>(fault);
  if (!rngs_[i].one_in(faults_[fault])) return false;
  ++struck_[i];
  ++total_;
  return true;
}

}  // namespace syncline::sim
