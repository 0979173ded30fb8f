#include "demos/gossip/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace gossip {
namespace {

constexpr std::size_t header_bytes = 5;

}  // namespace

MessageWriter& MessageWriter::number(std::uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8) bytes_ += static_cast<char>((value >> shift) & 0xff);
  return *this;
}

MessageWriter& MessageWriter::text(std::string_view value) {
  number(value.size());
  bytes_ += value;
  return *this;
}

std::string MessageWriter::take() {
  const auto body = bytes_.size() - header_bytes;
  for (std::size_t i = 0; i < 4; ++i) bytes_[i] = static_cast<char>((body >> (8 * i)) & 0xff);
  return std::move(bytes_);
}

std::uint64_t MessageReader::number() {
  if (rest_.size() < 8) {
    good_ = false;
    rest_ = {};
    return 0;
  }
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    value |= std::uint64_t{static_cast<unsigned char>(rest_[i])} << (8 * i);
  }
  rest_.remove_prefix(8);
  return value;
}

std::string_view MessageReader::text() {
  const auto size = number();
  if (size > rest_.size()) {
    good_ = false;
    rest_ = {};
    return {};
  }
  const auto text = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return text;
}

Channel::Channel(int fd) : fd_(fd) {
  ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK);
  ::fcntl(fd_, F_SETFD, FD_CLOEXEC);
}

Channel::~Channel() { ::close(fd_); }

void Channel::send(std::string message) {
  out_ += message;
  flush();
}

void Channel::flush() {
  std::size_t sent = 0;
  while (sent < out_.size() && !gone_) {
    const auto n = ::send(fd_, out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL);
    if (n > 0) {
      sent += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      break;
    } else if (errno != EINTR) {
      gone_ = true;  // receive() will say so, after what had come before.
    }
  }
  if (gone_) sent = out_.size();
  out_.erase(0, sent);
}

void Channel::flush_all() {
  for (flush(); wants_to_write(); flush()) {
    pollfd ready{fd_, POLLOUT, 0};
    ::poll(&ready, 1, -1);
  }
}

bool Channel::receive() {
  std::array<char, 64 * 1024> buffer;
  for (;;) {
    const auto n = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (n > 0) {
      in_.append(buffer.data(), static_cast<std::size_t>(n));
    } else if (n == 0) {
      return false;
    } else if (errno != EINTR) {
      return errno == EAGAIN || errno == EWOULDBLOCK;
    }
  }
}

std::optional<Message> Channel::poll_message() {
  const auto rest = std::string_view(in_).substr(taken_);
  std::size_t body = 0;
  if (rest.size() >= header_bytes) {
    for (std::size_t i = 0; i < 4; ++i) body |= std::size_t{static_cast<unsigned char>(rest[i])} << (8 * i);
  }
  if (rest.size() < header_bytes || rest.size() - header_bytes < body) {
    in_.erase(0, taken_);
    taken_ = 0;
    return std::nullopt;
  }
  taken_ += header_bytes + body;
  return Message{static_cast<MessageKind>(rest[4]), std::string(rest.substr(header_bytes, body))};
}

}  // namespace gossip
