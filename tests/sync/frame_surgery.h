// Reads and rewrites the frames of one direction of a connection.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crdt/error.h"
#include "wire/codec.h"

namespace syncline {

class FrameSurgeon {
 public:
  FrameSurgeon() { decoder_.accept_all(); }

  // The frames that go on instead of `frame` after `alter` has had its message;
  // none where it returns false. Whatever views `alter` puts in must outlive the call.
  std::vector<std::string> operate(std::string_view frame, const std::function<bool(Message&)>& alter) {
    auto decoded = decoder_.decode(frame);
    SYNCLINE_ASSERT(decoded.has_value());
    if (!*decoded) return {};
    Message& message = (**decoded).message;
    return alter(message) ? encoder_.encode(message) : std::vector<std::string>();
  }

 private:
  Decoder decoder_;
  Encoder encoder_;
};

}  // namespace syncline
