#include <capnp/message.h>

#include <algorithm>
#include <utility>

#include "wire/body.h"
#include "wire/codec.h"
#include "wire/compressed.h"
#include "wire/frame.h"
#include "wire/schema.capnp.h"

namespace syncline {
namespace {

constexpr std::size_t word_bytes = sizeof(capnp::word);
constexpr std::size_t struct_words_max = 16;  // Root pointer and struct of any message.

std::size_t words_for(std::size_t bytes) { return (bytes + word_bytes - 1) / word_bytes; }

capnp::Data::Reader as_data(std::string_view bytes) {
  return {reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()};  // Characters as bytes.
}

std::size_t list_words(const std::vector<std::string>& texts) {
  std::size_t words = 0;
  for (const std::string& text : texts) words += 1 + words_for(text.size());
  return words;
}

// Sets `list` to `texts`.
template <class List>
void fill(List list, const std::vector<std::string>& texts) {
  for (std::size_t i = 0; i < texts.size(); ++i) {
    list.set(static_cast<unsigned>(i), as_data(texts[i]));
  }
}

}  // namespace

struct Encoder::State {
  explicit State(WireLimits wire_limits) : limits(wire_limits) {}

  // Builds a root of type `Root` in scratch memory with room for
  // `content_words` behind it, and cuts it into frames.
  template <class Root, class Fill>
  std::vector<std::string> build(MessageType type, std::size_t content_words, const Fill& fill_root) {
    // One segment, so that no segment table is needed on the wire. The builder
    // wants zeros and leaves zeros.
    scratch.resize(std::max(scratch.size(), struct_words_max + content_words));
    capnp::MallocMessageBuilder builder(
        kj::arrayPtr(reinterpret_cast<capnp::word*>(scratch.data()), scratch.size()));
    fill_root(builder.initRoot<Root>());
    const auto segments = builder.getSegmentsForOutput();
    SYNCLINE_ASSERT(segments.size() == 1);
    const auto bytes = segments[0].asChars();
    return cut(type, {bytes.begin(), bytes.size()});
  }

  // A message all of which is one body.
  template <class Root>
  std::vector<std::string> build_body(MessageType type) {
    return build<Root>(type, words_for(body.size()), [this](auto root) { root.setBody(as_data(body)); });
  }

  std::vector<std::string> cut(MessageType type, std::string_view message) const {
    SYNCLINE_ASSERT(message.size() <= limits.message_bytes_max);
    // Zeros at the end of the last word are what the receiver pads with.
    std::size_t padding = 0;
    while (padding + 1 < word_bytes && message[message.size() - 1 - padding] == '\0') ++padding;
    message.remove_suffix(padding);
    const std::size_t frame_bytes_max = std::min(limits.frame_bytes_max, FrameHeader::frame_bytes_max);
    const std::size_t piece_bytes_max = frame_bytes_max - FrameHeader::size_bytes;
    std::vector<std::string> frames;
    while (!message.empty()) {
      const std::string_view piece = message.substr(0, piece_bytes_max);
      message.remove_prefix(piece.size());
      std::string frame;
      frame.reserve(FrameHeader::size_bytes + piece.size());
      frame.resize(FrameHeader::size_bytes);
      frame.append(piece);
      write_frame_header({.frame_bytes = frame.size(),
                          .type = static_cast<std::uint8_t>(type),
                          .continued = !message.empty()},
                         frame.data());
      frames.push_back(std::move(frame));
    }
    return frames;
  }

  std::vector<std::string> encode(const Hello& hello) {
    const std::string_view node(reinterpret_cast<const char*>(hello.node.data()), hello.node.size());
    return build<schema::Hello>(
        MessageType::hello,
        words_for(hello.cluster.size()) + words_for(node.size()) + words_for(hello.address.size()),
        [&](schema::Hello::Builder root) {
          root.setProtocol(hello.protocol);
          root.setCluster(as_data(hello.cluster));
          root.setNode(as_data(node));
          root.setAddress(as_data(hello.address));
          root.setReads(hello.reads);
        });
  }

  std::vector<std::string> encode(const Keyspaces& keyspaces) {
    return build<schema::Keyspaces>(
        MessageType::keyspaces, list_words(keyspaces.names), [&](schema::Keyspaces::Builder root) {
          fill(root.initNames(static_cast<unsigned>(keyspaces.names.size())), keyspaces.names);
        });
  }

  std::vector<std::string> encode(const Tick& tick) {
    return build<schema::Tick>(MessageType::tick, 0, [&](schema::Tick::Builder root) {
      root.setLow(tick.hash.low);
      root.setHigh(tick.hash.high);
    });
  }

  std::vector<std::string> encode(const Status& status) {
    put_status(body, status, streams);
    return build_body<schema::Status>(MessageType::status);
  }

  std::vector<std::string> encode(const Push& push) {
    put_push(body, push, streams, limits);
    return build_body<schema::Push>(MessageType::push);
  }

  std::vector<std::string> encode(const Want& want) {
    put_want(body, want, streams);
    std::string request;
    if (want.knows_digests) put_request(request, want);
    return build<schema::Want>(
        MessageType::want,
        words_for(body.size()) + words_for(want.resume.cursor.size()) + words_for(request.size()),
        [&](schema::Want::Builder root) {
          root.setKeyspace(want.keyspace);
          root.setPass(want.pass);
          root.setFull(want.full);
          root.setHasResume(want.has_resume);
          root.setBody(as_data(body));
          if (want.knows_digests) root.setRequest(as_data(request));
          if (!want.has_resume) return;
          root.setFromNothing(want.resume.from_nothing);
          root.setCursor(as_data(want.resume.cursor));
        });
  }

  std::vector<std::string> encode(const Chunk& chunk) {
    const BodyContent content = put_chunk(body, chunk, streams, limits);
    const bool compressed = compresses && compress_body(content);
    return build<schema::Chunk>(MessageType::chunk, words_for(body.size()), [&](schema::Chunk::Builder root) {
      root.setKeyspace(chunk.keyspace);
      root.setPass(chunk.pass);
      root.setNumber(chunk.number);
      root.setNewRound(chunk.new_round);
      root.setFull(chunk.full);
      root.setClosing(chunk.closing);
      root.setByDigests(chunk.by_digests);
      root.setCoding(static_cast<std::uint8_t>(compressed ? BodyCoding::zstd : BodyCoding::none));
      root.setHasFrontier(!chunk.frontier.empty());
      root.setBody(as_data(body));
    });
  }

  // False, and the body is as it was, if that doesn't pay or would look like an attack.
  bool compress_body(const BodyContent& content) {
    auto compressed = compress(body);
    if (!compressed || body.size() > compressed->size() * limits.body_bytes_per_byte_max ||
        !Budget::of_compressed(compressed->size(), limits).take(content))
      return false;
    body = std::move(*compressed);
    return true;
  }

  std::vector<std::string> encode(const Refuse& refuse) {
    return build<schema::Refuse>(MessageType::refuse, words_for(refuse.reason.size()),
                                 [&](schema::Refuse::Builder root) {
                                   root.setKeyspace(refuse.keyspace);
                                   root.setPass(refuse.pass);
                                   root.setReason(as_data(refuse.reason));
                                 });
  }

  std::vector<std::string> encode(const Addresses& addresses) {
    return build<schema::Addresses>(
        MessageType::addresses, list_words(addresses.addresses), [&](schema::Addresses::Builder root) {
          fill(root.initAddresses(static_cast<unsigned>(addresses.addresses.size())), addresses.addresses);
        });
  }

  std::vector<std::string> encode(const Bye& bye) {
    return build<schema::Bye>(MessageType::bye, words_for(bye.reason.size()), [&](schema::Bye::Builder root) {
      root.setCode(bye.code);
      root.setReason(as_data(bye.reason));
    });
  }

  std::vector<std::string> encode(const Cut& cut) {
    put_cut(body, cut, streams);
    return build_body<schema::Cut>(MessageType::cut);
  }

  std::vector<std::string> encode(const Ranges& ranges) {
    put_ranges(body, ranges);
    return build<schema::Ranges>(MessageType::ranges, words_for(body.size()),
                                 [&](schema::Ranges::Builder root) { fill_part(root, ranges); });
  }

  std::vector<std::string> encode(const Sketch& sketch) {
    put_sketch(body, sketch);
    return build<schema::Sketch>(MessageType::sketch, words_for(body.size()),
                                 [&](schema::Sketch::Builder root) { fill_part(root, sketch); });
  }

  std::vector<std::string> encode(const MoreSymbols& more) {
    return build<schema::MoreSymbols>(MessageType::more_symbols, 0, [&](schema::MoreSymbols::Builder root) {
      root.setKeyspace(more.keyspace);
      root.setPass(more.pass);
      root.setCount(more.count);
    });
  }

  std::vector<std::string> encode(const Ask& ask) {
    put_ask(body, ask);
    return build_body<schema::Ask>(MessageType::ask);
  }

  // What all of a pass's messages with a body have.
  template <class Builder, class Part>
  void fill_part(Builder& root, const Part& part) const {
    root.setKeyspace(part.keyspace);
    root.setPass(part.pass);
    root.setBody(as_data(body));
  }

  WireLimits limits;
  bool compresses = false;
  KeyspaceStreams streams;
  std::string body;                    // Reused from message to message,
  std::vector<std::uint64_t> scratch;  // as is this, which is all zeros in between.
};

Encoder::Encoder(WireLimits limits) : state_(std::make_unique<State>(limits)) {}
Encoder::~Encoder() = default;
Encoder::Encoder(Encoder&&) noexcept = default;
Encoder& Encoder::operator=(Encoder&&) noexcept = default;

std::vector<std::string> Encoder::encode(const Message& message) {
  state_->body.clear();
  return std::visit([this](const auto& kind) { return state_->encode(kind); }, message);
}

void Encoder::compress_chunks() { state_->compresses = true; }

}  // namespace syncline
