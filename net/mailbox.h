// The way into a loop's thread from all others.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "crdt/error.h"

namespace syncline {

// Any thread may post() and ring(), also after the loop is gone: then nothing
// happens. Everything else belongs to the loop's thread.
class Mailbox {
 public:
  // Calls `answer` on the loop's thread after each post() or ring(); many of them may make one call.
  static Result<std::shared_ptr<Mailbox>> open(uv_loop_t* loop, std::function<void()> answer);
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
  ~Mailbox();

  // Leaves work to be taken. False if the mailbox was closed: then it is dropped.
  bool post(std::function<void()> work);
  void ring();

  // What was posted since the last call, in order.
  std::vector<std::function<void()>> take();
  // No call of `answer` from here on.
  void close();

 private:
  explicit Mailbox(std::function<void()> answer) : answer_(std::move(answer)) {}

  const std::function<void()> answer_;
  std::mutex mutex_;
  uv_async_t* async_ = nullptr;  // Null when closed.
  std::vector<std::function<void()>> work_;
};

}  // namespace syncline
