// A node on the caller's own libuv loop.
#include <gtest/gtest.h>
#include <uv.h>

#include <thread>

#include "net/node.h"
#include "tests/net/fixture.h"

namespace syncline {
namespace {

using namespace test;

// A loop that the test runs by hand.
class Loop {
 public:
  Loop() {
    EXPECT_EQ(uv_loop_init(&loop_), 0);
    EXPECT_EQ(uv_timer_init(&loop_, &beat_), 0);
    // So that run_until() looks again when nothing else happens.
    EXPECT_EQ(uv_timer_start(
                  &beat_, [](uv_timer_t*) {}, 2, 2),
              0);
  }
  ~Loop() {
    uv_close(reinterpret_cast<uv_handle_t*>(&beat_), nullptr);
    uv_run(&loop_, UV_RUN_DEFAULT);
    EXPECT_EQ(uv_loop_close(&loop_), 0);  // Nothing of a node was left behind.
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  uv_loop_t* get() { return &loop_; }

  template <class Condition>
  bool run_until(Condition holds) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!holds()) {
      if (std::chrono::steady_clock::now() >= until) return false;
      uv_run(&loop_, UV_RUN_ONCE);
    }
    return true;
  }

 private:
  uv_loop_t loop_{};
  uv_timer_t beat_{};
};

NodeOptions on(Loop& loop, std::vector<std::string> join = {}) {
  auto options = quick(std::move(join));
  options.loop = loop.get();
  return options;
}

TEST(AttachedNode, SharesTheCallersLoop) {
  Loop loop;
  Peer a(on(loop));
  Peer b(on(loop, {a.address()}));  // Two on one loop,
  Peer c(quick({a.address()}));     // and one elsewhere.
  a.put("k", "v");
  EXPECT_TRUE(loop.run_until([&] { return agree(a, b) && agree(a, c) && c.get("k") == Value("v"); }));
  EXPECT_TRUE(loop.run_until([&] { return a.connected() == 2 && b.connected() == 2; }));
  a.node.reset();
  b.node.reset();
  EXPECT_TRUE(loop.run_until([&] { return c.connected() == 0; }));
}

TEST(AttachedNode, RunsWhatOtherThreadsPost) {
  Loop loop;
  Peer a(on(loop));
  std::thread::id ran_on;
  std::thread other([&] { a.node->post([&] { ran_on = std::this_thread::get_id(); }); });
  other.join();
  EXPECT_TRUE(loop.run_until([&] { return ran_on != std::thread::id(); }));
  EXPECT_EQ(ran_on, std::this_thread::get_id());
  const auto waited = a.node->wait_until_synced(patience);
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code, Errc::invalid_argument);
  a.node.reset();
}

TEST(AttachedNode, StoppingFlushesAsTheLoopRunsOnWithoutTheReplica) {
  Loop loop;
  Peer b(quick());
  Version last;
  {
    Peer a(on(loop, {b.address()}));
    ASSERT_TRUE(loop.run_until([&] { return b.connected() == 1 && a.connected() == 1; }));
    ASSERT_TRUE(loop.run_until([&] { return a.peers(State::connected)[0].in_sync; }));
    for (int i = 0; i < 100; ++i) last = a.put(std::to_string(i), "in the last moment");
    a.node->stop();
  }
  EXPECT_TRUE(loop.run_until([&] { return b.has(last) && b.connected() == 0; }));
}

TEST(AttachedNode, StopsWhileNobodyAnswersYet) {
  Loop loop;
  Peer a(on(loop, {"no-such-name.invalid:1", "127.0.0.1:1"}));
  a.node->stop();
}

TEST(AttachedNode, ALoopThatCannotListenIsLeftClean) {
  Loop loop;
  Peer a(on(loop));
  Peer b;
  auto options = on(loop);
  options.listen = a.address();
  EXPECT_FALSE(Node::start(b.replica, std::move(options)));
  a.node.reset();
}

}  // namespace
}  // namespace syncline
