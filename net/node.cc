#include "net/node.h"

#include <csignal>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "net/board.h"
#include "net/check_options.h"
#include "net/loop_thread.h"
#include "net/mesh.h"

namespace syncline {
namespace {

void block_sigpipe_here() {
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
}

}  // namespace

struct Node::Impl {
  std::shared_ptr<Board> board = std::make_shared<Board>();
  bool insecure_plaintext = false;
  std::thread::id loop_thread;
  Mesh* mesh = nullptr;  // For work that is posted: it runs only while the mesh lives.
  std::shared_ptr<Mailbox> mailbox;
  std::uint16_t port = 0;
  std::string address;

  std::mutex stopping;              // One at a time.
  std::unique_ptr<LoopThread> own;  // One of the two,
  std::unique_ptr<Mesh> attached;   // until stopped.

  ~Impl() { stop(); }

  void know(Mesh& opened) {
    mesh = &opened;
    mailbox = opened.mailbox();
    port = opened.port();
    address = opened.address();
  }

  void stop() {
    const std::lock_guard lock(stopping);
    if (own) {
      SYNCLINE_ASSERT(std::this_thread::get_id() != loop_thread);
      own.reset();
    }
    if (attached) {
      SYNCLINE_ASSERT(std::this_thread::get_id() == loop_thread);
      attached->drain_now(PeerLink::linger_max);
      attached.reset();
    }
  }
};

Node::Node(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Node::Node(Node&&) noexcept = default;
Node& Node::operator=(Node&&) noexcept = default;
Node::~Node() = default;

Result<Node> Node::start(Replica& replica, NodeOptions options) {
  auto good = checked(std::move(options));
  if (!good) return tl::unexpected(std::move(good.error()));
  const std::string cluster = good->cluster;
  auto impl = std::make_unique<Impl>();
  impl->insecure_plaintext = good->insecure_plaintext;

  // Only a node that can start binds its replica, so the cluster comes after the address...
  if (uv_loop_t* loop = good->loop) {
    auto mesh = Mesh::open(replica, std::move(*good), loop, impl->board);
    if (!mesh) return tl::unexpected(std::move(mesh.error()));
    if (auto bound = replica.bind_cluster(cluster); !bound) return tl::unexpected(std::move(bound.error()));
    block_sigpipe_here();
    impl->loop_thread = std::this_thread::get_id();
    impl->attached = std::move(*mesh);
    impl->know(*impl->attached);
    impl->attached->start();
    return Node(std::move(impl));
  }
  auto own = LoopThread::open(replica, std::move(*good), impl->board);
  if (!own) return tl::unexpected(std::move(own.error()));
  // ...and before the first peer is spoken to.
  if (auto bound = replica.bind_cluster(cluster); !bound) return tl::unexpected(std::move(bound.error()));
  impl->own = std::move(*own);
  impl->know(impl->own->mesh());
  if (auto running = impl->own->start(); !running) return tl::unexpected(std::move(running.error()));
  impl->loop_thread = impl->own->id();
  return Node(std::move(impl));
}

void Node::stop() { impl_->stop(); }

std::uint16_t Node::port() const { return impl_->port; }
std::string Node::address() const { return impl_->address; }

Result<void> Node::join(std::string address) {
  auto parsed = check_join(address, impl_->insecure_plaintext);
  if (!parsed) return tl::unexpected(std::move(parsed.error()));
  const bool posted =
      impl_->mailbox->post([mesh = impl_->mesh, text = to_string(*parsed)] { mesh->join(text); });
  if (!posted) return failure(Errc::closed, "the node was stopped");
  return {};
}

std::vector<PeerState> Node::peers() const { return impl_->board->peers(); }

Result<void> Node::wait_until_synced(std::chrono::milliseconds timeout) {
  if (std::this_thread::get_id() == impl_->loop_thread) {
    return failure(Errc::invalid_argument, "the node's own thread can't wait for it");
  }
  return impl_->board->wait_until_synced(timeout);
}

void Node::sync_now() {
  impl_->mailbox->post([mesh = impl_->mesh] { mesh->sync_now(); });
}

void Node::pause() {
  impl_->mailbox->post([mesh = impl_->mesh] { mesh->pause(); });
}

void Node::resume() {
  impl_->mailbox->post([mesh = impl_->mesh] { mesh->resume(); });
}

void Node::block(std::vector<std::string> addresses) {
  std::set<std::string> blocked;
  for (const std::string& address : addresses) {
    if (const auto parsed = parse_address(address)) blocked.insert(to_string(*parsed));
  }
  impl_->mailbox->post(
      [mesh = impl_->mesh, blocked = std::move(blocked)]() mutable { mesh->block(std::move(blocked)); });
}

void Node::post(std::function<void()> work) { impl_->mailbox->post(std::move(work)); }

SessionMetrics Node::traffic() const { return impl_->board->traffic(); }

}  // namespace syncline
