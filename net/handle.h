// Ownership of libuv's handles.
#pragma once

#include <uv.h>

#include <memory>
#include <string>
#include <string_view>

#include "crdt/error.h"

namespace syncline {

// Closes a handle. Its memory goes once the loop, which must still run, is done
// with it; until then nobody is called for it: `data` is null.
struct CloseHandle {
  template <class H>
  void operator()(H* handle) const noexcept {
    handle->data = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(handle),
             [](uv_handle_t* closed) { delete reinterpret_cast<H*>(closed); });
  }
};

template <class H>
using Handle = std::unique_ptr<H, CloseHandle>;

// Both make no system call and so can't fail.
inline Handle<uv_timer_t> make_timer(uv_loop_t* loop, void* data) {
  Handle<uv_timer_t> timer(new uv_timer_t);
  uv_timer_init(loop, timer.get());
  timer->data = data;
  return timer;
}

inline Handle<uv_tcp_t> make_tcp(uv_loop_t* loop) {
  Handle<uv_tcp_t> tcp(new uv_tcp_t);
  uv_tcp_init(loop, tcp.get());
  tcp->data = nullptr;
  return tcp;
}

template <class H>
uv_stream_t* as_stream(H* handle) {
  return reinterpret_cast<uv_stream_t*>(handle);
}

// What libuv says of a failed call, after what was tried.
inline Error uv_failure(int status, std::string_view what) {
  return Error{Errc::network, std::string(what) + ": " + uv_strerror(status)};
}

}  // namespace syncline
