#include "net/dial.h"

#include <fmt/format.h>
#include <netdb.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>

namespace syncline {
namespace {

// Of one name; more than these aren't tried.
constexpr std::size_t candidates_max = 8;

// A connection to a free port of this machine may meet itself: the kernel can pick as its own port the very
// one it is dialling, and TCP allows that ("simultaneous open").
bool met_itself(const uv_tcp_t* handle) {
  sockaddr_storage here{};
  sockaddr_storage there{};
  int here_size = sizeof here;
  int there_size = sizeof there;
  return uv_tcp_getsockname(handle, reinterpret_cast<sockaddr*>(&here), &here_size) == 0 &&
         uv_tcp_getpeername(handle, reinterpret_cast<sockaddr*>(&there), &there_size) == 0 &&
         to_string(here) == to_string(there);
}

}  // namespace

struct Dial::Resolve {
  uv_getaddrinfo_t request;
  Dial* dial;  // Null once it is gone.
};

Dial::Dial(uv_loop_t* loop, const Address& address, std::chrono::milliseconds timeout,
           bool insecure_plaintext, std::function<void(Result<Connected>)> done)
    : loop_(loop),
      timeout_(timeout),
      insecure_plaintext_(insecure_plaintext),
      done_(std::move(done)),
      timer_(make_timer(loop, this)),
      error_{Errc::network, "the name has no address"} {
  if (const auto number = numeric(address)) {
    candidates_.push_back(*number);
    // In the loop's next round, for a failure must not call out of the constructor.
    uv_timer_start(
        timer_.get(), [](uv_timer_t* timer) noexcept { static_cast<Dial*>(timer->data)->connect_next(); }, 0,
        0);
  } else {
    resolve(address);
  }
}

Dial::~Dial() { abandon_resolve(); }

void Dial::abandon_resolve() {
  if (resolve_ == nullptr) return;
  resolve_->dial = nullptr;
  uv_cancel(
      reinterpret_cast<uv_req_t*>(&resolve_->request));  // Refused if it runs already; it ends by itself.
  resolve_ = nullptr;
}

void Dial::resolve(const Address& address) {
  auto resolve = std::make_unique<Resolve>();
  resolve->dial = this;
  resolve->request.data = resolve.get();
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  const int status = uv_getaddrinfo(
      loop_, &resolve->request,
      [](uv_getaddrinfo_t* request, int result, addrinfo* found) noexcept {
        const std::unique_ptr<Resolve> done(static_cast<Resolve*>(request->data));
        const std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(found, uv_freeaddrinfo);
        if (done->dial != nullptr) done->dial->handle_resolved(result, found);
      },
      address.host.c_str(), std::to_string(address.port).c_str(), &hints);
  if (status == 0) {
    resolve_ = resolve.release();
  } else {
    error_ = uv_failure(status, "resolving");
  }
  // Without a request it runs out at once, with that error.
  uv_timer_start(
      timer_.get(), [](uv_timer_t* timer) noexcept { static_cast<Dial*>(timer->data)->handle_timeout(); },
      status == 0 ? static_cast<std::uint64_t>(timeout_.count()) : 0, 0);
}

void Dial::handle_resolved(int status, const addrinfo* found) {
  resolve_ = nullptr;
  if (status != 0) return fail(uv_failure(status, "resolving"));
  for (; found != nullptr && candidates_.size() < candidates_max; found = found->ai_next) {
    if (found->ai_family != AF_INET && found->ai_family != AF_INET6) continue;
    std::memcpy(&candidates_.emplace_back(), found->ai_addr, found->ai_addrlen);
  }
  connect_next();
}

void Dial::connect_next() {
  while (next_ < candidates_.size()) {
    const sockaddr_storage& remote = candidates_[next_++];
    auto begun = connect(remote);
    if (begun) return;
    error_ = std::move(begun.error());
  }
  fail(error_);
}

Result<void> Dial::connect(const sockaddr_storage& remote) {
  if (auto allowed = check_plaintext(remote, insecure_plaintext_); !allowed) return allowed;
  handle_ = make_tcp(loop_);
  handle_->data = this;
  auto request = std::make_unique<uv_connect_t>();
  const int status = uv_tcp_connect(request.get(), handle_.get(), reinterpret_cast<const sockaddr*>(&remote),
                                    [](uv_connect_t* done, int result) noexcept {
                                      const std::unique_ptr<uv_connect_t> mine(done);
                                      // Null if the handle was closed meanwhile.
                                      if (done->handle->data != nullptr)
                                        static_cast<Dial*>(done->handle->data)->handle_connected(result);
                                    });
  if (status != 0) return tl::unexpected(uv_failure(status, "connecting"));
  static_cast<void>(request.release());
  uv_timer_start(
      timer_.get(), [](uv_timer_t* timer) noexcept { static_cast<Dial*>(timer->data)->handle_timeout(); },
      static_cast<std::uint64_t>(timeout_.count()), 0);
  return {};
}

void Dial::handle_connected(int status) {
  uv_timer_stop(timer_.get());
  if (status == 0 && met_itself(handle_.get())) status = UV_ECONNREFUSED;
  if (status != 0) {
    error_ = uv_failure(status, "connecting");
    return connect_next();
  }
  handle_->data = nullptr;
  const auto done = std::move(done_);  // Which may destroy this object.
  done(Connected{std::move(handle_), candidates_[next_ - 1]});
}

void Dial::handle_timeout() {
  if (resolve_ != nullptr) {
    abandon_resolve();
    return fail(Error{Errc::timeout, fmt::format("the name wasn't resolved within {} ms", timeout_.count())});
  }
  if (handle_) {
    error_ = Error{Errc::timeout, fmt::format("no connection within {} ms", timeout_.count())};
    handle_.reset();
  }
  connect_next();
}

void Dial::fail(Error error) {
  uv_timer_stop(timer_.get());
  handle_.reset();
  const auto done = std::move(done_);  // Which may destroy this object.
  done(tl::unexpected(std::move(error)));
}

}  // namespace syncline
