// The line between the orchestrator and a peer: messages over a stream socket.
//
// A message is its length (4 bytes), its kind (1 byte), then fields: numbers of
// 8 bytes, texts with their length before them. Both ends are this program.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gossip {

enum class MessageKind : std::uint8_t {
  // To a peer:
  start,   // number, name, cluster, log file
  join,    // address
  block,   // count, addresses
  apply,   // position, tokens, operations
  reach,   // id, version: say `reached` when you have it
  report,  // asks for `status`
  dump,    // asks for `contents`
  stop,
  // From a peer:
  ready,     // address
  blocked,   // the last `block` is in force
  waiting,   // position
  began,     // position
  done,      // position, actor, counter, version
  reached,   // id
  status,    // see PeerStatus
  contents,  // see put_contents()
  failed,    // a reason for people
};

class MessageWriter {
 public:
  explicit MessageWriter(MessageKind kind) : bytes_(4, '\0') { bytes_ += static_cast<char>(kind); }

  MessageWriter& number(std::uint64_t value);
  MessageWriter& text(std::string_view value);
  // The message as it goes over the line.
  std::string take();

 private:
  std::string bytes_;
};

// Reads the fields of a message in the order in which they were written. A
// field that isn't there reads as 0 or empty and is remembered.
class MessageReader {
 public:
  explicit MessageReader(std::string body) : body_(std::move(body)), rest_(body_) {}
  MessageReader(MessageReader&&) = delete;

  std::uint64_t number();
  std::string_view text();  // Lives as long as the reader.
  // Reads a number, then calls `read` so many times: for as long as there is something left.
  template <typename Read>
  void each(const Read& read) {
    for (auto left = number(); left > 0 && good_; --left) {
      if (rest_.empty()) {
        good_ = false;
      } else {
        read();
      }
    }
  }
  // Everything that was asked for was there, and nothing more.
  bool complete() const { return good_ && rest_.empty(); }

 private:
  std::string body_;
  std::string_view rest_;
  bool good_ = true;
};

struct Message {
  MessageKind kind{};
  std::string body;
};

// Our end of the line. Reading doesn't block. Writing doesn't either: what the
// other end doesn't take yet waits here until flush().
class Channel {
 public:
  explicit Channel(int fd);  // Owns it.
  Channel(const Channel&) = delete;
  ~Channel();

  int fd() const { return fd_; }
  bool wants_to_write() const { return !out_.empty(); }
  void send(std::string message);
  void flush();
  // Waits until the other end took everything, or is gone.
  void flush_all();
  // Takes what has come. False once the other end is gone.
  bool receive();
  std::optional<Message> poll_message();

 private:
  int fd_;
  bool gone_ = false;
  std::string in_;
  std::size_t taken_ = 0;  // Of `in_`.
  std::string out_;
};

}  // namespace gossip
