#include "net/mailbox.h"

#include <utility>

#include "net/handle.h"

namespace syncline {

Result<std::shared_ptr<Mailbox>> Mailbox::open(uv_loop_t* loop, std::function<void()> answer) {
  auto async = std::make_unique<uv_async_t>();
  const int status = uv_async_init(loop, async.get(), [](uv_async_t* handle) noexcept {
    if (handle->data != nullptr) static_cast<Mailbox*>(handle->data)->answer_();
  });
  if (status != 0) return tl::unexpected(uv_failure(status, "waking a loop"));
  std::shared_ptr<Mailbox> mailbox(new Mailbox(std::move(answer)));
  async->data = mailbox.get();
  mailbox->async_ = async.release();
  return mailbox;
}

Mailbox::~Mailbox() { SYNCLINE_ASSERT(async_ == nullptr); }

bool Mailbox::post(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (async_ == nullptr) return false;
  work_.push_back(std::move(work));
  uv_async_send(async_);
  return true;
}

void Mailbox::ring() {
  // Under the lock, or close() might come between the look and the call.
  const std::lock_guard lock(mutex_);
  if (async_ != nullptr) uv_async_send(async_);
}

std::vector<std::function<void()>> Mailbox::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(work_, {});
}

void Mailbox::close() {
  const std::lock_guard lock(mutex_);
  if (async_ != nullptr) CloseHandle()(std::exchange(async_, nullptr));
}

}  // namespace syncline
