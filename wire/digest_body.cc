// Bodies of the messages of digest passes.
#include <utility>

#include "wire/body.h"

namespace syncline {
namespace {

constexpr std::uint64_t request_by_digests = 1;
constexpr std::uint64_t request_repair = 2;
constexpr std::uint64_t request_flags_max = 3;
constexpr std::uint64_t symbol_max = (std::uint64_t{1} << 48) - 1;

template <class Word>
void put_words(std::string& out, const std::vector<Word>& words) {
  for (const Word word : words)
    for (unsigned shift = 0; shift < 8 * sizeof(Word); shift += 8)
      out.push_back(static_cast<char>(static_cast<std::uint64_t>(word) >> shift & 0xff));
}

// Fills `words`, whose size is right already.
template <class Word>
bool take_words(ByteReader& in, std::vector<Word>& words) {
  const auto bytes = in.take(words.size() * sizeof(Word));
  if (!bytes) return false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::uint64_t word = 0;
    for (std::size_t byte = 0; byte < sizeof(Word); ++byte)
      word |= std::uint64_t{static_cast<std::uint8_t>((*bytes)[i * sizeof(Word) + byte])} << 8 * byte;
    words[i] = static_cast<Word>(word);
  }
  return true;
}

void put_list(std::string& out, const RangeList& list) {
  put_varint(out, std::uint64_t{list.bits} << 1 | (list.digests.empty() ? 0U : 1U));
  put_varint(out, list.ranges.size());
  std::vector<std::uint64_t> gaps;
  gaps.reserve(list.ranges.size());
  std::uint64_t next = 0;
  for (const std::uint32_t range : list.ranges) gaps.push_back(range - std::exchange(next, range + std::uint64_t{1}));
  put_column(out, gaps);
  put_words(out, list.digests);
}

Result<void> take_list(ByteReader& in, RangeList& list) {
  const auto head = in.varint();
  const auto count = in.varint();
  if (!head || !count || *head >> 1 > RangeList::bits_max)
    return failure(Errc::malformed, "ranges: no count, or too fine");
  list.bits = static_cast<unsigned>(*head >> 1);
  if (*count > std::uint64_t{1} << list.bits) return failure(Errc::malformed, "ranges: more than there are");
  std::vector<std::uint64_t> gaps(static_cast<std::size_t>(*count));
  if (!take_column(in, gaps)) return failure(Errc::malformed, "ranges: bad column");
  list.ranges.reserve(gaps.size());
  std::uint64_t next = 0;
  for (const std::uint64_t gap : gaps) {
    if (gap >= (std::uint64_t{1} << list.bits) - next) return failure(Errc::malformed, "ranges: out of range");
    list.ranges.push_back(static_cast<std::uint32_t>(next + gap));
    next += gap + 1;
  }
  if ((*head & 1) == 0) return {};
  list.digests.resize(gaps.size());
  if (!take_words(in, list.digests)) return failure(Errc::malformed, "ranges: digests cut short");
  return {};
}

}  // namespace

void put_request(std::string& out, const Want& want) {
  put_varint(out, (want.by_digests ? request_by_digests : 0) | (want.repair ? request_repair : 0));
  put_varint(out, want.leaves);
  put_words(out, std::vector{want.salt});
  put_varint(out, want.lost.size());
  LeafWriter keys("", ColumnForm::literal);
  for (const std::string& leaf : want.lost) keys.add(leaf);
  keys.put(out);
  if (want.by_digests) put_list(out, want.ranges);
}

Result<void> take_request(std::string_view body, Want& want, MessageStorage& storage,
                          const WireLimits& limits) {
  ByteReader in(body);
  const auto flags = in.varint();
  const auto leaves = in.varint();
  std::vector<std::uint64_t> salt(1);
  if (!flags || *flags > request_flags_max || !leaves || !take_words(in, salt))
    return failure(Errc::malformed, "want: a request that can't be read");
  want.knows_digests = true;
  want.by_digests = (*flags & request_by_digests) != 0;
  want.repair = (*flags & request_repair) != 0;
  want.leaves = *leaves;
  want.salt = salt.front();
  const auto lost = in.varint();
  Budget budget(body.size(), limits);
  if (!lost || !budget.take_elements(*lost)) return failure(Errc::limit, "want: too many leaves");
  auto keys = take_leaves(in, static_cast<std::size_t>(*lost), "", budget, limits, storage.keys,
                          [&](std::string_view leaf) { want.lost.emplace_back(leaf); });
  if (!keys) return keys;
  if (want.by_digests)
    if (auto ok = take_list(in, want.ranges); !ok) return ok;
  if (in.left() != 0) return failure(Errc::malformed, "want: bytes left over");
  return {};
}

void put_symbols(std::string& out, const std::vector<std::uint64_t>& symbols) {
  put_varint(out, symbols.size());
  std::vector<std::uint64_t> gaps;
  gaps.reserve(symbols.size());
  std::uint64_t last = 0;
  for (const std::uint64_t symbol : symbols) gaps.push_back(symbol - std::exchange(last, symbol));
  put_column(out, gaps);  // Names are as good as random: never shorter than a byte each.
}

Result<void> take_symbols(ByteReader& in, std::vector<std::uint64_t>& symbols, const WireLimits& limits) {
  const auto count = in.varint();
  if (!count) return failure(Errc::malformed, "symbols: no count");
  if (*count > limits.sketch_cells_max) return failure(Errc::limit, "symbols: too many");
  if (*count > in.left()) return failure(Errc::malformed, "symbols: cut short");  // A byte each, at least.
  std::vector<std::uint64_t> gaps(static_cast<std::size_t>(*count));
  if (!take_column(in, gaps)) return failure(Errc::malformed, "symbols: bad column");
  symbols.reserve(gaps.size());
  std::uint64_t last = 0;
  for (const std::uint64_t gap : gaps) {
    if (gap > symbol_max - last) return failure(Errc::malformed, "symbols: out of range");
    last += gap;
    symbols.push_back(last);
  }
  return {};
}

void put_ranges(std::string& out, const Ranges& ranges) {
  put_varint(out, ranges.leaves);
  put_list(out, ranges.list);
}

Result<void> take_ranges(std::string_view body, Ranges& ranges) {
  ByteReader in(body);
  const auto leaves = in.varint();
  if (!leaves) return failure(Errc::malformed, "ranges: no count of leaves");
  ranges.leaves = *leaves;
  if (auto ok = take_list(in, ranges.list); !ok) return ok;
  if (in.left() != 0) return failure(Errc::malformed, "ranges: bytes left over");
  return {};
}

void put_sketch(std::string& out, const Sketch& sketch) {
  put_varint(out, sketch.first);
  if (sketch.first == 0) put_list(out, sketch.list);
  put_varint(out, sketch.cells.size());
  put_words(out, sketch.cells);
}

Result<void> take_sketch(std::string_view body, Sketch& sketch, const WireLimits& limits) {
  ByteReader in(body);
  const auto first = in.varint();
  if (!first) return failure(Errc::malformed, "sketch: no place");
  sketch.first = *first;
  if (sketch.first == 0)
    if (auto ok = take_list(in, sketch.list); !ok) return ok;
  const auto count = in.varint();
  if (!count) return failure(Errc::malformed, "sketch: no count");
  if (*first > limits.sketch_cells_max || *count > limits.sketch_cells_max - *first)
    return failure(Errc::limit, "sketch: too many symbols");
  if (*count * sizeof(std::uint64_t) != in.left()) return failure(Errc::malformed, "sketch: cut short");
  sketch.cells.resize(static_cast<std::size_t>(*count));
  if (!take_words(in, sketch.cells)) return failure(Errc::malformed, "sketch: cut short");
  return {};
}

}  // namespace syncline
