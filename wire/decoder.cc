#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "crdt/leaf_key.h"
#include "wire/body.h"
#include "wire/codec.h"
#include "wire/compressed.h"
#include "wire/frame.h"
#include "wire/schema.capnp.h"

namespace syncline {
namespace {

constexpr std::size_t word_bytes = sizeof(capnp::word);
constexpr std::size_t hello_bytes_max = 4 * 1024;  // What a stranger may make us parse.
constexpr int nesting_max = 16;

std::string_view view(capnp::Data::Reader data) {
  return {reinterpret_cast<const char*>(data.begin()), data.size()};  // Bytes as characters.
}

Result<void> take_text(capnp::Data::Reader data, std::string& text, std::size_t bytes_max) {
  if (data.size() > bytes_max) return failure(Errc::limit, "text: too long");
  text = view(data);
  return {};
}

Result<void> take_texts(capnp::List<capnp::Data>::Reader list, std::vector<std::string>& texts,
                        const WireLimits& limits) {
  if (list.size() > limits.list_entries_max) return failure(Errc::limit, "list: too many texts");
  texts.resize(list.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (auto ok = take_text(list[static_cast<unsigned>(i)], texts[i], limits.text_bytes_max); !ok) return ok;
  }
  return {};
}

}  // namespace

struct Decoder::State {
  explicit State(WireLimits wire_limits) : limits(wire_limits) {}

  Result<std::optional<Decoded>> decode(std::string_view frame) {
    if (frame.size() < FrameHeader::size_bytes) return failure(Errc::malformed, "frame: no header");
    const FrameHeader header = read_frame_header(frame);
    if (header.frame_bytes != frame.size() || frame.size() > limits.frame_bytes_max) {
      return failure(Errc::malformed, "frame: length out of range");
    }
    if (!everything_allowed) {
      if (header.type != static_cast<std::uint8_t>(MessageType::hello) || header.continued ||
          frame.size() > hello_bytes_max) {
        return failure(Errc::malformed, "frame: not a hello");
      }
    }
    if (header.checksum != frame_checksum(frame)) return failure(Errc::malformed, "frame: wrong checksum");
    if (auto ok = join(header, frame.substr(FrameHeader::size_bytes)); !ok) return tl::unexpected(ok.error());
    if (header.continued) return std::nullopt;
    return parse();
  }

  // Appends a body to the message under way. Memory grows with what came, not with what is announced.
  Result<void> join(const FrameHeader& header, std::string_view body) {
    if (storage == nullptr) {
      storage = std::make_unique<MessageStorage>();
      type = header.type;
      joined_bytes = 0;
    } else if (type != header.type) {
      return failure(Errc::malformed, "frame: another type within a message");
    }
    if (body.empty()) return failure(Errc::malformed, "frame: empty");
    if (body.size() > limits.message_bytes_max - joined_bytes) {
      return failure(Errc::limit, "message: too long");
    }
    auto& words = storage->words;
    const std::size_t bytes =
        word_bytes + joined_bytes + body.size();  // The first word is the segment table.
    words.resize((bytes + word_bytes - 1) / word_bytes);
    std::memcpy(reinterpret_cast<char*>(words.data()) + word_bytes + joined_bytes, body.data(), body.size());
    joined_bytes += body.size();
    return {};
  }

  Result<std::optional<Decoded>> parse() {
    const std::shared_ptr<MessageStorage> whole = std::move(storage);
    auto& words = whole->words;
    // What the wire leaves out: one segment, and how many words it has.
    const std::uint64_t segment_words = words.size() - 1;
    words.front() = column::little_endian(segment_words << 32);
    Decoded decoded;
    try {
      capnp::ReaderOptions options;
      options.traversalLimitInWords = words.size() + 1;  // Each word once; the root's pointer counts.
      options.nestingLimit = nesting_max;
      capnp::FlatArrayMessageReader reader(
          kj::arrayPtr(reinterpret_cast<const capnp::word*>(words.data()), words.size()), options);
      if (auto ok = take(reader, decoded.message, *whole); !ok) return tl::unexpected(ok.error());
    } catch (const kj::Exception& exception) {
      return failure(Errc::malformed, std::string("message: ") + exception.getDescription().cStr());
    }
    decoded.storage = whole;
    return std::optional<Decoded>(std::move(decoded));
  }

  Result<void> take(capnp::MessageReader& reader, Message& message, MessageStorage& whole) {
    switch (static_cast<MessageType>(type)) {
      case MessageType::hello:
        return take(reader.getRoot<schema::Hello>(), message.emplace<Hello>());
      case MessageType::keyspaces:
        return take_texts(reader.getRoot<schema::Keyspaces>().getNames(), message.emplace<Keyspaces>().names,
                          limits);
      case MessageType::tick: {
        const auto root = reader.getRoot<schema::Tick>();
        message = Tick{.hash = {root.getLow(), root.getHigh()}};
        return {};
      }
      case MessageType::status:
        return take_status(view(reader.getRoot<schema::Status>().getBody()), message.emplace<Status>(),
                           streams, limits);
      case MessageType::push:
        return take_push(view(reader.getRoot<schema::Push>().getBody()), message.emplace<Push>(), whole,
                         streams, limits);
      case MessageType::want:
        return take(reader.getRoot<schema::Want>(), message.emplace<Want>(), whole);
      case MessageType::chunk:
        return take(reader.getRoot<schema::Chunk>(), message.emplace<Chunk>(), whole);
      case MessageType::refuse:
        return take(reader.getRoot<schema::Refuse>(), message.emplace<Refuse>());
      case MessageType::addresses:
        return take_texts(reader.getRoot<schema::Addresses>().getAddresses(),
                          message.emplace<Addresses>().addresses, limits);
      case MessageType::bye: {
        const auto root = reader.getRoot<schema::Bye>();
        Bye& bye = message.emplace<Bye>();
        bye.code = root.getCode();
        return take_text(root.getReason(), bye.reason, limits.text_bytes_max);
      }
      case MessageType::cut:
        return take_cut(view(reader.getRoot<schema::Cut>().getBody()), message.emplace<Cut>(), streams,
                        limits);
      case MessageType::ranges: {
        const auto root = reader.getRoot<schema::Ranges>();
        Ranges& ranges = message.emplace<Ranges>();
        ranges.keyspace = root.getKeyspace();
        ranges.pass = root.getPass();
        return take_ranges(view(root.getBody()), ranges);
      }
      case MessageType::sketch: {
        const auto root = reader.getRoot<schema::Sketch>();
        Sketch& sketch = message.emplace<Sketch>();
        sketch.keyspace = root.getKeyspace();
        sketch.pass = root.getPass();
        return take_sketch(view(root.getBody()), sketch, limits);
      }
      case MessageType::more_symbols: {
        const auto root = reader.getRoot<schema::MoreSymbols>();
        message =
            MoreSymbols{.keyspace = root.getKeyspace(), .pass = root.getPass(), .count = root.getCount()};
        return {};
      }
      case MessageType::ask:
        return take_ask(view(reader.getRoot<schema::Ask>().getBody()), message.emplace<Ask>(), limits);
    }
    return failure(Errc::unsupported, "message: unknown type " + std::to_string(type));
  }

  Result<void> take(schema::Hello::Reader root, Hello& hello) const {
    hello.protocol = root.getProtocol();
    hello.reads = root.getReads();
    const auto node = root.getNode();
    if (node.size() != hello.node.size()) return failure(Errc::malformed, "hello: node isn't 16 bytes");
    std::copy(node.begin(), node.end(), hello.node.begin());
    if (auto ok = take_text(root.getCluster(), hello.cluster, limits.text_bytes_max); !ok) return ok;
    return take_text(root.getAddress(), hello.address, limits.text_bytes_max);
  }

  Result<void> take(schema::Want::Reader root, Want& want, MessageStorage& whole) {
    want.keyspace = root.getKeyspace();
    want.pass = root.getPass();
    want.full = root.getFull();
    want.has_resume = root.getHasResume();
    if (want.has_resume) {
      want.resume.from_nothing = root.getFromNothing();
      const auto cursor = root.getCursor();
      if (cursor.size() > limits.leaf_key_bytes_max) return failure(Errc::limit, "want: cursor too long");
      want.resume.cursor = view(cursor);
      if (!want.resume.cursor.empty() && !is_leaf_key(want.resume.cursor)) {
        return failure(Errc::malformed, "want: cursor isn't a leaf key");
      }
    }
    if (root.hasRequest())
      if (auto ok = take_request(view(root.getRequest()), want, whole, limits); !ok) return ok;
    return take_want(view(root.getBody()), want, streams, limits);
  }

  Result<void> take(schema::Chunk::Reader root, Chunk& chunk, MessageStorage& whole) {
    chunk.keyspace = root.getKeyspace();
    chunk.pass = root.getPass();
    chunk.number = root.getNumber();
    chunk.new_round = root.getNewRound();
    chunk.full = root.getFull();
    chunk.closing = root.getClosing();
    chunk.by_digests = root.getByDigests();
    const bool frontier = root.getHasFrontier();
    const std::string_view body = view(root.getBody());
    if (root.getCoding() == static_cast<std::uint8_t>(BodyCoding::none))
      return take_chunk(body, Budget(body.size(), limits), frontier, chunk, whole, streams, limits);
    if (root.getCoding() != static_cast<std::uint8_t>(BodyCoding::zstd))
      return failure(Errc::malformed, "chunk: a coding that we don't claim to read");
    auto plain = decompress(body, limits);
    if (!plain) return tl::unexpected(plain.error());
    whole.body = std::move(*plain);
    return take_chunk(whole.body, Budget::of_compressed(body.size(), limits), frontier, chunk, whole, streams,
                      limits);
  }

  Result<void> take(schema::Refuse::Reader root, Refuse& refuse) const {
    refuse.keyspace = root.getKeyspace();
    refuse.pass = root.getPass();
    return take_text(root.getReason(), refuse.reason, limits.text_bytes_max);
  }

  WireLimits limits;
  KeyspaceStreams streams;
  bool everything_allowed = false;
  std::unique_ptr<MessageStorage> storage;  // Of the message under way; null between messages.
  std::uint8_t type = 0;                    // Of that message.
  std::size_t joined_bytes = 0;
};

Decoder::Decoder(WireLimits limits) : state_(std::make_unique<State>(limits)) {}
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;

Result<std::optional<Decoded>> Decoder::decode(std::string_view frame) { return state_->decode(frame); }

void Decoder::accept_all() { state_->everything_allowed = true; }

}  // namespace syncline
