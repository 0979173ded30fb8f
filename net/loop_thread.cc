#include "net/loop_thread.h"

#include <csignal>
#include <system_error>
#include <utility>

namespace syncline {
namespace {

// While it lives, threads begin with all signals blocked but those that speak of the thread's own
// faults and profilers'.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF})
      sigdelset(&all, own);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

bool has_handles(uv_loop_t* loop) {
  bool found = false;
  uv_walk(
      loop, [](uv_handle_t*, void* result) noexcept { *static_cast<bool*>(result) = true; }, &found);
  return found;
}

}  // namespace

struct LoopThread::State {
  uv_loop_t loop;
  std::unique_ptr<Mesh> mesh;
  std::promise<bool> closed;

  // Runs until what was closed is gone, then ends the loop.
  void close() {
    mesh.reset();
    uv_run(&loop, UV_RUN_DEFAULT);
    const int status = uv_loop_close(&loop);
    SYNCLINE_ASSERT(status == 0);
  }
};

LoopThread::LoopThread(std::shared_ptr<State> state)
    : state_(std::move(state)), mesh_(state_->mesh.get()), closed_(state_->closed.get_future()) {}

Result<std::unique_ptr<LoopThread>> LoopThread::open(Replica& replica, NodeOptions options,
                                                     std::shared_ptr<Board> board) {
  auto state = std::make_shared<State>();
  if (const int status = uv_loop_init(&state->loop); status != 0) {
    return tl::unexpected(uv_failure(status, "making a loop"));
  }
  auto mesh = Mesh::open(replica, std::move(options), &state->loop, std::move(board));
  if (!mesh) {
    state->close();
    return tl::unexpected(std::move(mesh.error()));
  }
  state->mesh = std::move(*mesh);
  return std::unique_ptr<LoopThread>(new LoopThread(std::move(state)));
}

Result<void> LoopThread::start() {
  try {
    const SignalsBlocked blocked;
    thread_ = std::thread([state = state_] { run(*state); });
  } catch (const std::system_error& error) {
    return failure(Errc::network, std::string("starting a thread: ") + error.what());
  }
  return {};
}

void LoopThread::run(State& state) {
  state.mesh->start();
  while (!state.mesh->drained()) uv_run(&state.loop, UV_RUN_ONCE);
  state.mesh.reset();
  while (has_handles(&state.loop)) uv_run(&state.loop, UV_RUN_ONCE);
  // A name server that doesn't answer can hold a request for long, and it can't be called off. Nobody
  // shall wait for that: the thread ends by itself, and has nothing left but the loop.
  const bool resolving = uv_loop_alive(&state.loop) != 0;
  state.closed.set_value(resolving);
  state.close();
}

LoopThread::~LoopThread() {
  if (!thread_.joinable()) {  // Never started.
    state_->close();
    return;
  }
  mesh_->mailbox()->post([mesh = mesh_] { mesh->drain(PeerLink::linger_max); });
  if (closed_.get()) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

}  // namespace syncline
