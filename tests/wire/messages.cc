#include "tests/wire/messages.h"

#include <xxhash.h>

#include <algorithm>
#include <set>
#include <utility>

#include "crdt/leaf_key.h"
#include "crdt/row.h"

namespace syncline::test {
namespace {

IndexedDot random_dot(Random& random) {
  return {.actor = static_cast<std::uint32_t>(random.one_in(50) ? random.next() : random.below(6)),
          .counter = std::max<std::uint64_t>(random.skewed(), 1)};
}

std::vector<IndexedDot> random_dots(Random& random, std::size_t count) {
  std::vector<IndexedDot> dots;
  for (std::size_t i = 0; i < count; ++i) dots.push_back(random_dot(random));
  return dots;
}

std::vector<ActorId> random_actors(Random& random, std::size_t count) {
  std::vector<ActorId> actors;
  for (std::size_t i = 0; i < count; ++i) actors.push_back(*ActorId::from(random.bytes(16)));
  return actors;
}

std::vector<std::string> random_texts(Random& random, std::size_t count) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < count; ++i) texts.push_back(random.bytes(random.below(30)));
  return texts;
}

std::string random_leaf(Random& random) {
  LeafPath path{.key = random.one_in(3) ? "customers" : random.bytes(random.below(8)), .elements = {}};
  const std::size_t depth = 1 + random.below(random.one_in(20) ? 16 : 2);
  for (std::size_t i = 0; i < depth; ++i) {
    path.elements.emplace_back(static_cast<Type>(1 + random.below(random.one_in(10) ? 255 : 5)),
                               random.bytes(random.below(20)));
  }
  return leaf_key(path);
}

std::set<std::string> random_leaves(Random& random, std::size_t count) {
  std::set<std::string> leaves;
  for (std::size_t i = 0; i < count; ++i) leaves.insert(random_leaf(random));
  return leaves;
}

std::string_view random_payload(Random& random, MessageBox& box) {
  return box.keep(random.bytes(random.one_in(3) ? random.below(100) : 5));
}

DigestPair random_digests(Random& random) {
  return {{random.next(), random.next()}, {random.next(), random.next()}};
}

ChangeView random_change(Random& random, MessageBox& box, std::size_t rows_max) {
  ChangeView change;
  const auto leaves = random_leaves(random, 1 + random.below(rows_max));
  change.actor = random_dot(random).actor;
  change.hlc = random.skewed();
  change.first = 1 + random.below(1000);
  if (random.one_in(10)) change.first = pending_counter - leaves.size();  // The last that fit.
  change.dependencies = box.keep(random_dots(random, random.below(4)));
  std::vector<RowView> rows;
  for (const std::string& leaf : leaves) {
    RowView row{.leaf = box.keep(leaf), .removed = box.keep(random_dots(random, random.below(3)))};
    row.has_payload = !random.one_in(3);
    if (row.has_payload) {
      row.payload = random_payload(random, box);
      row.stamp = random.one_in(2) ? change.hlc : random.one_in(2) ? 0 : random.next();
    }
    rows.push_back(row);
  }
  change.rows = box.keep(std::move(rows));
  return change;
}

Push random_push(Random& random, MessageBox& box, std::size_t size) {
  Push push;
  push.keyspace = static_cast<std::uint32_t>(random.below(3));
  push.definitions = random_actors(random, random.below(4));
  const std::size_t changes = random.one_in(2) ? 1 : random.below(size + 1);
  for (std::size_t i = 0; i < changes; ++i) {
    push.changes.push_back(random_change(random, box, random.one_in(4) ? size : 2));
  }
  return push;
}

Chunk random_chunk(Random& random, MessageBox& box, std::size_t size) {
  Chunk chunk;
  chunk.keyspace = static_cast<std::uint32_t>(random.below(3));
  chunk.pass = static_cast<std::uint32_t>(random.skewed());
  chunk.number = static_cast<std::uint32_t>(random.skewed());
  chunk.definitions = random_actors(random, random.below(4));
  chunk.version = random_dots(random, random.below(12));
  chunk.new_round = random.one_in(2);
  chunk.full = random.one_in(2);
  chunk.closing = random.one_in(2);
  if (chunk.closing) chunk.digests = random_digests(random);
  if (chunk.closing && random.one_in(2))
    for (std::size_t i = 1 + random.below(4); i > 0; --i) chunk.frontier.push_back(random_dot(random).actor);
  chunk.by_digests = random.one_in(3);
  if (chunk.by_digests)
    for (std::size_t i = random.below(5); i > 0; --i)
      chunk.symbols.push_back((chunk.symbols.empty() ? 0 : chunk.symbols.back()) + (random.next() >> 20));
  for (const std::string& leaf : random_leaves(random, random.below(size + 1))) {
    std::vector<IndexedLiveDot> live;
    const std::size_t dots = random.one_in(3) ? random.below(4) : 1;
    for (std::size_t i = 0; i < dots; ++i) {
      live.push_back({.dot = random_dot(random),
                      .stamp = random.one_in(3) ? 0 : random.skewed(),
                      .payload = random_payload(random, box)});
    }
    chunk.leaves.push_back({box.keep(leaf), box.keep(std::move(live))});
  }
  const std::size_t dead = random.below(size + 1);
  for (std::size_t i = 0; i < dead; ++i) {
    chunk.dead.push_back({random_dot(random), box.keep(random_leaf(random))});
  }
  return chunk;
}

RangeList random_ranges(Random& random, bool digests) {
  RangeList list;
  list.bits = static_cast<unsigned>(random.below(RangeList::bits_max + 1));
  const std::uint64_t skipped = 1 + random.below(4);
  for (std::uint32_t range = 0; range < std::uint32_t{1} << list.bits; ++range) {
    if (!random.one_in(skipped)) continue;
    list.ranges.push_back(range);
    if (digests) list.digests.push_back(static_cast<std::uint16_t>(random.next()));
  }
  return list;
}

Sketch random_sketch(Random& random) {
  Sketch sketch{.keyspace = static_cast<std::uint32_t>(random.below(3)),
                .pass = static_cast<std::uint32_t>(random.skewed())};
  if (random.one_in(2)) {
    sketch.list = random_ranges(random, false);
  } else {
    sketch.first = 1 + random.below(1'000);
  }
  for (std::size_t i = random.below(30); i > 0; --i) sketch.cells.push_back(random.next());
  return sketch;
}

Want random_want(Random& random) {
  Want want;
  want.keyspace = static_cast<std::uint32_t>(random.below(3));
  want.definitions = random_actors(random, random.below(4));
  want.version = random_dots(random, random.below(12));
  want.pass = static_cast<std::uint32_t>(random.skewed());
  want.full = random.one_in(2);
  want.has_resume = random.one_in(2);
  if (want.has_resume) {
    want.resume.base = random_dots(random, random.below(5));
    want.resume.start = random_dots(random, random.below(5));
    want.resume.from_nothing = random.one_in(2);
    if (!random.one_in(3)) want.resume.cursor = random_leaf(random);
  }
  want.knows_digests = random.one_in(2);
  if (!want.knows_digests) return want;
  want.by_digests = random.one_in(2);
  want.repair = random.one_in(2);
  want.leaves = random.skewed();
  want.salt = random.next();
  if (want.by_digests) want.ranges = random_ranges(random, true);
  for (std::size_t i = random.below(4); i > 0; --i) want.lost.push_back(random_leaf(random));
  return want;
}

Status random_status(Random& random) {
  Status status;
  status.keyspace = static_cast<std::uint32_t>(random.below(3));
  status.definitions = random_actors(random, random.below(4));
  status.version = random_dots(random, random.below(12));
  status.has_digests = random.one_in(2);
  if (status.has_digests) status.digests = random_digests(random);
  status.reply = random.one_in(2);
  if (!status.has_digests) return status;
  const auto statement = static_cast<std::uint32_t>(1 + random.below(300));
  if (random.one_in(2))
    status.rest = Rest{random_digests(random).context, statement, random.below(300) > 9 ? 4U : 0U};
  if (random.one_in(2)) status.knows = statement;
  status.more = random.one_in(2);
  return status;
}

Cut random_cut(Random& random) {
  Cut cut;
  cut.keyspace = static_cast<std::uint32_t>(random.below(3));
  cut.definitions = random_actors(random, random.below(4));
  cut.members = random.next();
  cut.epoch = random.skewed();
  cut.acknowledged = random.bytes(random.below(4));
  cut.floor = random_dots(random, random.below(5));
  cut.floor_heard = random_dots(random, random.below(5));
  cut.floor_as_status = random.one_in(2);
  if (cut.acknowledged.empty()) return cut;
  cut.met = random_dots(random, random.below(5));
  cut.heard = random_dots(random, random.below(5));
  cut.met_as_status = random.one_in(2);
  return cut;
}

Hello random_hello(Random& random) {
  Hello hello{.protocol = static_cast<std::uint16_t>(random.below(65536)),
              .reads = static_cast<std::uint16_t>(random.skewed()),
              .cluster = random.bytes(random.below(30))};
  for (std::uint8_t& byte : hello.node) byte = static_cast<std::uint8_t>(random.next());
  hello.address = random.bytes(random.below(30));
  return hello;
}

// Finds what flaw() tells.
class Inspector {
 public:
  std::string take() { return std::move(flaw_); }

  void operator()(const Push& push) {
    for (const ChangeView& change : push.changes) {
      check(!change.rows.empty(), "a change without rows");
      check(change.first > 0 && change.first <= pending_counter - change.rows.size(),
            "counters out of range");
      dots(change.dependencies);
      std::string_view before;
      for (const RowView& row : change.rows) {
        leaf(row.leaf);
        check(before < row.leaf, "rows out of order");
        before = row.leaf;
        check(row.has_payload || (row.stamp == 0 && row.payload.empty()), "a stamp without payload");
        dots(row.removed);
      }
    }
  }
  void operator()(const Chunk& chunk) {
    dots(chunk.version);
    std::string_view before;
    for (const LeafView& view : chunk.leaves) {
      leaf(view.leaf);
      check(before < view.leaf, "leaves out of order");
      before = view.leaf;
      for (const IndexedLiveDot& live : view.dots) dots({&live.dot, 1});
    }
    for (const RowName& row : chunk.dead) {
      leaf(row.leaf);
      dots({&row.dot, 1});
    }
  }
  void operator()(const Want& want) {
    dots(want.version);
    dots(want.resume.base);
    dots(want.resume.start);
    if (!want.resume.cursor.empty()) leaf(want.resume.cursor);
  }
  void operator()(const Status& status) { dots(status.version); }
  void operator()(const Cut& cut) {
    for (const auto* version : {&cut.floor, &cut.floor_heard, &cut.met, &cut.heard}) dots(*version);
  }
  template <class Other>
  void operator()(const Other&) {}

 private:
  void check(bool fine, const char* otherwise) {
    if (!fine && flaw_.empty()) flaw_ = otherwise;
  }
  void leaf(std::string_view bytes) { check(parse_leaf_key(bytes).has_value(), "not a leaf key"); }
  void dots(std::span<const IndexedDot> dots) {
    for (const IndexedDot& dot : dots) {
      check(dot.counter > 0 && dot.counter < pending_counter, "counter out of range");
    }
  }

  std::string flaw_;
};

// Builds the text of describe().
class Describer {
 public:
  std::string take() { return std::move(text_); }

  void operator()(const Hello& hello) {
    add("hello", hello.protocol, hello.reads, hello.cluster, hello.address);
    add(ActorId{hello.node}.view());
  }
  void operator()(const Keyspaces& keyspaces) { list("keyspaces", keyspaces.names); }
  void operator()(const Tick& tick) { add("tick", tick.hash.low, tick.hash.high); }
  void operator()(const Status& status) {
    add("status", status.keyspace, status.has_digests, status.reply);
    definitions(status.definitions);
    dots("version", status.version);
    digests(status.digests);
    if (status.rest)
      add("rest", status.rest->sum.low, status.rest->sum.high, status.rest->statement, status.rest->heard);
    add("knows", status.knows, status.more);
  }
  void operator()(const Push& push) {
    add("push", push.keyspace);
    definitions(push.definitions);
    for (const ChangeView& change : push.changes) {
      add("\nchange", change.actor, change.first, change.hlc);
      dots("after", change.dependencies);
      for (const RowView& row : change.rows) {
        add("\n row", row.leaf, row.has_payload, row.stamp, row.payload);
        dots("removes", row.removed);
      }
    }
  }
  void operator()(const Want& want) {
    add("want", want.keyspace, want.pass, want.full, want.has_resume, want.resume.from_nothing,
        want.resume.cursor);
    definitions(want.definitions);
    dots("version", want.version);
    dots("base", want.resume.base);
    dots("start", want.resume.start);
    if (!want.knows_digests) return;
    add(" request", want.by_digests, want.repair, want.leaves, want.salt);
    ranges(want.ranges);
    list("lost", want.lost);
  }
  void operator()(const Ranges& told) {
    add("ranges", told.keyspace, told.pass, told.leaves);
    ranges(told.list);
  }
  void operator()(const Sketch& sketch) {
    add("sketch", sketch.keyspace, sketch.pass, sketch.first);
    ranges(sketch.list);
    for (const std::uint64_t cell : sketch.cells) add(cell);
  }
  void operator()(const MoreSymbols& more) { add("more", more.keyspace, more.pass, more.count); }
  void operator()(const Chunk& chunk) {
    add("chunk", chunk.keyspace, chunk.pass, chunk.number, chunk.new_round, chunk.full, chunk.closing);
    if (chunk.by_digests) add("by digests");
    for (const std::uint64_t symbol : chunk.symbols) add(symbol);
    definitions(chunk.definitions);
    dots("version", chunk.version);
    digests(chunk.digests);
    for (const std::uint32_t actor : chunk.frontier) add("frontier", actor);
    for (const LeafView& leaf : chunk.leaves) {
      add("\nleaf", leaf.leaf);
      for (const IndexedLiveDot& live : leaf.dots) {
        add("\n dot", live.dot.actor, live.dot.counter, live.stamp, live.payload);
      }
    }
    for (const RowName& row : chunk.dead) add("\ndead", row.dot.actor, row.dot.counter, row.leaf);
  }
  void operator()(const Refuse& refuse) { add("refuse", refuse.keyspace, refuse.pass, refuse.reason); }
  void operator()(const Addresses& addresses) { list("addresses", addresses.addresses); }
  void operator()(const Bye& bye) { add("bye", bye.code, bye.reason); }
  void operator()(const Ask& ask) {
    add("ask", ask.keyspace, std::string_view(ask.asker.view()), std::string_view(ask.leaf),
        std::string_view(ask.bytes));
  }
  void operator()(const Cut& cut) {
    add("cut", cut.keyspace, cut.members, cut.epoch, std::string_view(cut.acknowledged));
    definitions(cut.definitions);
    dots("floor", cut.floor);
    dots("heard below", cut.floor_heard);
    dots("met", cut.met);
    dots("heard", cut.heard);
    add("as status", cut.floor_as_status, cut.met_as_status);
  }

 private:
  template <class... Parts>
  void add(const Parts&... parts) {
    (one(parts), ...);
  }
  void one(std::string_view bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    text_ += ' ';
    for (const char byte : bytes) {
      const auto value = static_cast<std::uint8_t>(byte);
      if (byte == '\n' || byte == ' ' || (value > 0x20 && value < 0x7f && byte != '%')) {
        text_ += byte;
      } else {
        text_ += {'%', digits[value >> 4], digits[value & 15]};
      }
    }
    text_ += '\'';
  }
  void one(const char* word) { text_ += word; }
  void one(std::uint64_t number) { text_ += ' ' + std::to_string(number); }
  void list(const char* what, const std::vector<std::string>& texts) {
    add(what, texts.size());
    for (const std::string& text : texts) one(std::string_view(text));
  }
  void definitions(const std::vector<ActorId>& actors) {
    add(" defines", actors.size());
    for (const ActorId& actor : actors) one(actor.view());
  }
  void ranges(const RangeList& list) {
    add(" ranges", list.bits);
    for (const std::uint32_t range : list.ranges) add(range);
    for (const std::uint16_t digest : list.digests) add(digest);
  }
  void dots(const char* what, std::span<const IndexedDot> dots) {
    add(" ", what, dots.size());
    for (const IndexedDot& dot : dots) add(dot.actor, dot.counter);
  }
  void digests(const DigestPair& digests) {
    add(" digests", digests.context.low, digests.context.high, digests.state.low, digests.state.high);
  }

  std::string text_;
};

}  // namespace

std::string Random::bytes(std::size_t count) {
  std::string bytes(count, '\0');
  // Zeros are frequent: they are what escaping and padding are about.
  for (char& byte : bytes) byte = one_in(8) ? '\0' : static_cast<char>(next());
  return bytes;
}

Message random_message(Random& random, MessageBox& box, std::size_t index, std::size_t size) {
  switch (index) {
    case 0:
      return random_hello(random);
    case 1:
      return Keyspaces{random_texts(random, random.below(5))};
    case 2:
      return Tick{{random.skewed(), random.skewed()}};
    case 3:
      return random_status(random);
    case 4:
      return random_push(random, box, size);
    case 5:
      return random_want(random);
    case 6:
      return random_chunk(random, box, size);
    case 7:
      return Refuse{static_cast<std::uint32_t>(random.skewed()), static_cast<std::uint32_t>(random.skewed()),
                    random.bytes(random.below(40))};
    case 8:
      return Addresses{random_texts(random, random.below(5))};
    case 9:
      return Bye{static_cast<std::uint16_t>(random.below(20)), random.bytes(random.below(40))};
    case 10:
      return random_cut(random);
    case 11:
      return Ranges{static_cast<std::uint32_t>(random.below(3)), static_cast<std::uint32_t>(random.skewed()),
                    random.skewed(), random_ranges(random, random.one_in(2))};
    case 12:
      return random_sketch(random);
    case 13:
      return MoreSymbols{static_cast<std::uint32_t>(random.below(3)),
                         static_cast<std::uint32_t>(random.skewed()), random.skewed()};
    default:
      return Ask{static_cast<std::uint32_t>(random.below(3)), random_actors(random, 1).front(),
                 leaf_key(random.bytes(random.below(20)), Type::bounded_counter, {}),
                 random.bytes(random.below(Ask::bytes_max))};
  }
}

std::string describe(const Message& message) {
  Describer describer;
  std::visit(describer, message);
  return describer.take();
}

std::string flaw(const Message& message) {
  Inspector inspector;
  std::visit(inspector, message);
  if (std::string found = inspector.take(); !found.empty()) return found;
  Encoder encoder;
  Decoder decoder;
  decoder.accept_all();
  const auto again = decode_all(decoder, encoder.encode(message));
  if (!again) return "not decoded again: " + to_string(again.error());
  const std::string first = describe(message);
  const std::string second = describe(again->message);
  return first == second ? "" : "decoded another time it is\n" + second + "\ninstead of\n" + first;
}

Result<Decoded> decode_all(Decoder& decoder, const std::vector<std::string>& frames) {
  for (std::size_t i = 0; i < frames.size(); ++i) {
    auto decoded = decoder.decode(frames[i]);
    if (!decoded) return tl::unexpected(decoded.error());
    if (decoded->has_value() != (i + 1 == frames.size())) {
      return failure(Errc::invalid_argument, "a message ended early or not at all");
    }
    if (decoded->has_value()) return std::move(**decoded);
  }
  return failure(Errc::invalid_argument, "no frames");
}

std::string little_endian_word(std::uint64_t word) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(word >> (8 * i)));
  return bytes;
}

void reseal(std::string& frame) {
  const std::uint32_t first = static_cast<std::uint32_t>(frame.size()) |
                              static_cast<std::uint32_t>(static_cast<std::uint8_t>(frame[3])) << 24;
  const auto body = std::string_view(frame).substr(frame_header_bytes);
  const std::uint64_t hash = XXH3_64bits_withSeed(body.data(), body.size(), first);
  frame.replace(0, frame_header_bytes, little_endian_word(first | hash << 32));
}

std::string make_frame(std::uint8_t type, std::string_view body, bool continued) {
  std::string frame(frame_header_bytes, '\0');
  frame[3] = static_cast<char>(type | (continued ? 0x80 : 0));
  frame.append(body);
  reseal(frame);
  return frame;
}

std::string make_column_frame(std::uint8_t type, std::string_view columns) {
  return make_frame(type, little_endian_word(std::uint64_t{1} << 48) +
                              little_endian_word(1 | (std::uint64_t{columns.size()} << 3 | 2) << 32) +
                              std::string(columns));
}

}  // namespace syncline::test
