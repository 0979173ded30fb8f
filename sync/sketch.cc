#include "sync/sketch.h"

#include <algorithm>
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

// Walks the cells that hold a symbol, in ascending order: section 4.2 of the paper.
class Places {
 public:
  explicit Places(std::uint64_t symbol) : state_(mix(symbol)) {}

  std::uint64_t at() const { return at_; }
  void next() {
    state_ *= 0xda942042e4dd58b5;
    const double gap = std::ceil((static_cast<double>(at_) + 1.5) *
                                 (4294967296.0 / std::sqrt(static_cast<double>(state_) + 1.0) - 1.0));
    at_ = gap < 1e15 ? at_ + static_cast<std::uint64_t>(gap) : ~std::uint64_t{0};
  }

 private:
  std::uint64_t state_;
  std::uint64_t at_ = 0;
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

void add_symbol(std::uint64_t symbol, std::uint64_t first, std::span<std::uint64_t> cells) {
  for (Places places(symbol); places.at() < first + cells.size(); places.next())
    if (places.at() >= first) cells[static_cast<std::size_t>(places.at() - first)] ^= symbol;
}

std::optional<std::vector<std::uint64_t>> decode_symbols(std::vector<std::uint64_t> cells) {
  absl::flat_hash_set<std::uint64_t> found;
  std::vector<std::size_t> look(cells.size());
  for (std::size_t i = 0; i < look.size(); ++i) look[i] = look.size() - 1 - i;
  std::size_t peels = 2 * cells.size();  // One that wasn't a symbol is peeled off again.
  while (!look.empty()) {
    const std::size_t at = look.back();
    look.pop_back();
    const std::uint64_t symbol = cells[at];
    if (!is_symbol(symbol) || !is_held(symbol, at)) continue;
    if (peels-- == 0) return std::nullopt;
    if (const auto [it, fresh] = found.insert(symbol); !fresh) found.erase(it);
    for (Places places(symbol); places.at() < cells.size(); places.next()) {
      const auto place = static_cast<std::size_t>(places.at());
      cells[place] ^= symbol;
      look.push_back(place);
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
