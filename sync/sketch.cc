#include "sync/sketch.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "absl/container/flat_hash_set.h"

namespace syncline {
namespace {

constexpr unsigned name_bits = 48;

std::uint64_t mix(std::uint64_t word) {
  word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
  word = (word ^ word >> 27) * 0x94d049bb133111eb;
  return word ^ word >> 31;
}

bool is_symbol(std::uint64_t word) {
  const std::uint64_t name = symbol_name(word);
  return word != 0 && word >> name_bits == mix(name + 1) >> name_bits;
}

// The same as a cast. That looks at the top bit, which is as good as random here, and half of the time
// the processor guesses it wrong.
double to_double(std::uint64_t word) {
  const auto high = static_cast<std::int64_t>(word >> 32);
  const auto low = static_cast<std::int64_t>(word & 0xffffffff);
  return static_cast<double>(high) * 4294967296.0 +
         static_cast<double>(low);  // Rounds once: the rest is exact.
}

// Walks the cells that hold a symbol, in ascending order: section 4.2 of the paper.
class Places {
 public:
  explicit Places(std::uint64_t symbol) : state_(mix(symbol)) {}

  std::uint64_t at() const { return static_cast<std::uint64_t>(at_); }
  void next() {
    constexpr double far = 1e15;  // No sketch has so many cells.
    state_ *= 0xda942042e4dd58b5;
    const double gap = std::min(
        far, (static_cast<double>(at_) + 1.5) * (4294967296.0 / std::sqrt(to_double(state_) + 1.0) - 1.0));
    const auto whole = static_cast<std::int64_t>(gap);
    at_ += whole + (static_cast<double>(whole) < gap ? 1 : 0);  // Rounded up.
  }

 private:
  std::uint64_t state_;
  std::int64_t at_ = 0;
};

// Which cells may hold one symbol now, the later ones first. An early cell holds many symbols until the last,
// and nearly all symbols have a place there: each look at it is a chance that what they add up to is taken
// for one. That then comes and goes without end; with 200,000 symbols it did more often than not.
class CellsToLookAt {
 public:
  explicit CellsToLookAt(std::size_t cells) : waits_(cells) {
    for (std::size_t cell = 0; cell < cells; ++cell) add(cell);
  }
  void add(std::size_t cell) {
    if (waits_[cell]) return;
    waits_[cell] = true;
    by_width_[static_cast<std::size_t>(std::bit_width(cell))].push_back(cell);
  }
  std::optional<std::size_t> take() {
    for (auto cells = by_width_.rbegin(); cells != by_width_.rend(); ++cells) {
      if (cells->empty()) continue;
      const std::size_t cell = cells->back();
      cells->pop_back();
      waits_[cell] = false;
      return cell;
    }
    return std::nullopt;
  }

 private:
  std::vector<bool> waits_;
  std::array<std::vector<std::size_t>, 65> by_width_;  // By the number of bits.
};

bool is_held(std::uint64_t symbol, std::uint64_t cell) {
  Places places(symbol);
  while (places.at() < cell) places.next();
  return places.at() == cell;
}

}  // namespace

std::uint64_t make_symbol(const Digest& content, std::uint64_t salt) {
  const std::uint64_t name = symbol_name(mix(mix(content.low ^ salt) + content.high));
  const std::uint64_t symbol = mix(name + 1) >> name_bits << name_bits | name;
  return symbol != 0 ? symbol : make_symbol(content, salt + 1);
}

void add_symbols(std::span<const std::uint64_t> symbols, std::uint64_t first,
                 std::span<std::uint64_t> cells) {
  // The steps of one symbol wait for each other, with a root and a division each; those
  // of several are under way at once.
  constexpr std::size_t lanes = 8;
  struct Lane {
    explicit Lane(std::uint64_t word) : symbol(word), places(word) {}
    std::uint64_t symbol;
    Places places;
  };
  std::vector<Lane> walking;
  std::size_t next = 0;
  while (next < std::min(lanes, symbols.size())) walking.emplace_back(symbols[next++]);
  while (!walking.empty()) {
    for (std::size_t i = 0; i < walking.size();) {
      Lane& lane = walking[i];
      const std::uint64_t at = lane.places.at();
      if (at < first + cells.size()) {
        if (at >= first) cells[static_cast<std::size_t>(at - first)] ^= lane.symbol;
        lane.places.next();
        ++i;
      } else if (next < symbols.size()) {
        lane = Lane(symbols[next++]);
      } else {
        lane = walking.back();
        walking.pop_back();
      }
    }
  }
}

std::optional<std::vector<std::uint64_t>> decode_symbols(std::vector<std::uint64_t> cells) {
  absl::flat_hash_set<std::uint64_t> found;
  CellsToLookAt look(cells.size());
  std::size_t peels = 2 * cells.size();  // One that wasn't a symbol is peeled off again.
  while (const auto next = look.take()) {
    const std::size_t at = *next;
    const std::uint64_t symbol = cells[at];
    if (!is_symbol(symbol) || !is_held(symbol, at)) continue;
    if (peels-- == 0) return std::nullopt;
    if (const auto [it, fresh] = found.insert(symbol); !fresh) found.erase(it);
    for (Places places(symbol); places.at() < cells.size(); places.next()) {
      const auto place = static_cast<std::size_t>(places.at());
      cells[place] ^= symbol;
      look.add(place);
    }
  }
  if (std::any_of(cells.begin(), cells.end(), [](std::uint64_t cell) { return cell != 0; }))
    return std::nullopt;
  std::vector<std::uint64_t> symbols(found.begin(), found.end());
  std::sort(symbols.begin(), symbols.end());
  return symbols;
}

std::uint64_t cells_for(double differences) {
  return static_cast<std::uint64_t>(1.38 * differences + 5 * std::sqrt(differences)) + 4;
}

}  // namespace syncline
