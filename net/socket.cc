#include "net/socket.h"

#include <array>
#include <utility>

namespace syncline {
namespace {

// One write under way. It owns its bytes: the kernel may still read them when the socket's owner is gone.
struct Write {
  uv_write_t request;
  std::vector<std::string> frames;
};

Socket::User* user_of(const void* data) { return static_cast<Socket::User*>(const_cast<void*>(data)); }

void on_alloc(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) noexcept {
  const std::span<char> memory = user_of(handle->data)->read_buffer();
  *buffer = uv_buf_init(memory.data(), static_cast<unsigned>(memory.size()));
}

void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) noexcept {
  if (size == 0) return;  // The kernel had nothing after all.
  auto* user = user_of(stream->data);
  if (size > 0) {
    user->handle_bytes({buffer->base, static_cast<std::size_t>(size)});
  } else if (size == UV_EOF) {
    user->handle_end(Error{Errc::closed, "closed by the peer"});
  } else {
    user->handle_end(uv_failure(static_cast<int>(size), "reading"));
  }
}

void on_write(uv_write_t* request, int status) noexcept {
  const std::unique_ptr<Write> done(static_cast<Write*>(request->data));
  // Null once the handle is closing; then all writes end with UV_ECANCELED.
  if (request->handle->data == nullptr) return;
  auto* user = user_of(request->handle->data);
  if (status == 0) {
    user->handle_written();
  } else {
    user->handle_end(uv_failure(status, "writing"));
  }
}

// A socket on its way out; owns itself.
class Lingering final : public Socket::User {
 public:
  Lingering(Socket socket, Handle<uv_timer_t> timer, std::shared_ptr<std::size_t> count)
      : socket_(std::move(socket)), timer_(std::move(timer)), count_(std::move(count)) {
    ++*count_;
    timer_->data = this;
  }
  virtual ~Lingering() { --*count_; }

  void start(std::chrono::milliseconds limit) {
    uv_timer_start(
        timer_.get(), [](uv_timer_t* timer) noexcept { delete static_cast<Lingering*>(timer->data); },
        static_cast<std::uint64_t>(limit.count()), 0);
    if (!socket_.start(*this)) delete this;
  }

  std::span<char> read_buffer() override { return buffer_; }
  void handle_bytes(std::string_view) override {}
  void handle_written() override {}
  void handle_end(const Error&) override { delete this; }

 private:
  Socket socket_;
  Handle<uv_timer_t> timer_;
  std::shared_ptr<std::size_t> count_;
  std::array<char, 4096> buffer_{};
};

}  // namespace

Socket::~Socket() = default;

Result<void> Socket::start(User& user) {
  uv_tcp_nodelay(handle_.get(), 1);  // A socket without it works too.
  handle_->data = &user;
  const int status = uv_read_start(as_stream(handle_.get()), on_alloc, on_read);
  if (status != 0) return tl::unexpected(uv_failure(status, "reading"));
  return {};
}

Result<void> Socket::write(std::vector<std::string> frames) {
  auto write = std::make_unique<Write>();
  write->frames = std::move(frames);
  write->request.data = write.get();
  std::vector<uv_buf_t> buffers;
  buffers.reserve(write->frames.size());
  for (std::string& frame : write->frames) {
    buffers.push_back(uv_buf_init(frame.data(), static_cast<unsigned>(frame.size())));
  }
  const int status = uv_write(&write->request, as_stream(handle_.get()), buffers.data(),
                              static_cast<unsigned>(buffers.size()), on_write);
  if (status != 0) return tl::unexpected(uv_failure(status, "writing"));
  static_cast<void>(write.release());  // on_write() has it.
  return {};
}

std::size_t Socket::queue_bytes() const { return uv_stream_get_write_queue_size(as_stream(handle_.get())); }

void Socket::linger(Socket socket, std::chrono::milliseconds limit, std::shared_ptr<std::size_t> lingering) {
  uv_tcp_t* handle = socket.handle_.get();
  uv_read_stop(as_stream(handle));
  auto request = std::make_unique<uv_shutdown_t>();
  const int status =
      uv_shutdown(request.get(), as_stream(handle), [](uv_shutdown_t* done, int) noexcept { delete done; });
  if (status != 0 || limit.count() <= 0) {
    if (status == 0) static_cast<void>(request.release());
    return;  // Broken already, or no time: closed at once.
  }
  static_cast<void>(request.release());
  auto timer = make_timer(handle->loop, nullptr);
  (new Lingering(std::move(socket), std::move(timer), std::move(lingering)))->start(limit);
}

}  // namespace syncline
