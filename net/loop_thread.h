// A mesh on a libuv loop and a thread of its own.
#pragma once

#include <future>
#include <memory>
#include <thread>

#include "net/mesh.h"

namespace syncline {

class LoopThread {
 public:
  // Opens the mesh: it listens, and nobody is answered yet.
  static Result<std::unique_ptr<LoopThread>> open(Replica& replica, NodeOptions options,
                                                  std::shared_ptr<Board> board);
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;
  // Drains the mesh, for at most Mesh's limit, and waits until it is gone. Not from the loop's thread.
  ~LoopThread();

  // Runs it. Once.
  Result<void> start();

  // To be used on its thread only, apart from what never changes.
  Mesh& mesh() { return *mesh_; }
  std::thread::id id() const { return thread_.get_id(); }

 private:
  struct State;
  explicit LoopThread(std::shared_ptr<State> state);
  static void run(State& state);

  std::shared_ptr<State> state_;
  Mesh* mesh_;
  std::future<bool> closed_;  // True if the resolver still holds the loop.
  std::thread thread_;
};

}  // namespace syncline
