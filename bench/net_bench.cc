// Two nodes over loopback, one writing small changes, against a raw libuv echo.
//
//   net_bench [CHANGES [REPETITIONS]]
//
// Ours: one replica increments a counter, one change each, and it is over when
// the other replica has them all. The floor: as many messages with as many bytes
// together as the nodes exchanged, each its own uv_write(), to a server that
// sends back what it reads; it is over when all came back. Both have a loop and a
// thread at each end; ours has the writing thread besides. They take turns, so
// that both see the machine in the same state. The ratio is of their medians,
// by the clock on the wall, for time here is time on the way.
#include <fmt/format.h>
#include <netinet/in.h>
#include <uv.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/record.h"
#include "net/node.h"
#include "store/replica.h"

namespace syncline::bench {
namespace {

using std::chrono::milliseconds;

struct Measured {
  Elapsed time;
  std::size_t bytes = 0;  // Both ways.
};

// ---- ours ----

Measured measure_nodes(std::size_t changes) {
  auto writer = Replica::open();
  auto reader = Replica::open();
  require(writer && reader, "no replica");
  Keyspace written = writer->keyspace("bench");
  const Keyspace read = reader->keyspace("bench");
  auto a = Node::start(*writer, {.cluster = "bench", .listen = "127.0.0.1:0"});
  require(a.has_value(), "no node");
  auto b = Node::start(*reader, {.cluster = "bench", .join = {a->address()}});
  require(b.has_value(), "no node");
  require(a->wait_until_synced(milliseconds(10'000)) && b->wait_until_synced(milliseconds(10'000)),
          "no link");

  const Stopwatch watch;
  Version last;
  for (std::size_t i = 0; i < changes; ++i) {
    auto version = written.update([](Update& tx) { tx.counter("likes").add(1); });
    require(version.has_value(), "an update failed");
    last = std::move(*version);
  }
  require(read.wait_for(last, milliseconds(60'000)).has_value(), "the changes didn't arrive");
  const Elapsed time = watch.elapsed();
  require(read.counter("likes").total() == static_cast<std::int64_t>(changes), "a wrong total");
  const SessionMetrics traffic = a->traffic();
  return {time, traffic.bytes_in + traffic.bytes_out};
}

// ---- the floor ----

// The server: one connection, and what it reads goes back.
class Echo {
 public:
  Echo() {
    uv_loop_init(&loop_);
    uv_tcp_init(&loop_, &listener_);
    uv_tcp_init(&loop_, &connection_);
    listener_.data = connection_.data = this;
    sockaddr_in address{};
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_bind(&listener_, reinterpret_cast<const sockaddr*>(&address), 0);
    const int status = uv_listen(reinterpret_cast<uv_stream_t*>(&listener_), 1, [](uv_stream_t* server, int) {
      auto* connection = reinterpret_cast<uv_stream_t*>(&static_cast<Echo*>(server->data)->connection_);
      uv_accept(server, connection);
      uv_tcp_nodelay(&static_cast<Echo*>(server->data)->connection_, 1);
      uv_read_start(connection, on_alloc, on_read);
    });
    require(status == 0, "the echo can't listen");
    thread_ = std::thread([this] { uv_run(&loop_, UV_RUN_DEFAULT); });
  }
  ~Echo() {
    thread_.join();
    uv_loop_close(&loop_);
  }
  Echo(const Echo&) = delete;
  Echo& operator=(const Echo&) = delete;

  sockaddr_in address() const {
    sockaddr_in address{};
    int size = sizeof address;
    uv_tcp_getsockname(&listener_, reinterpret_cast<sockaddr*>(&address), &size);
    return address;
  }

 private:
  struct Write {
    uv_write_t request;
    std::string bytes;
  };

  static void on_alloc(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
    auto& memory = static_cast<Echo*>(handle->data)->memory_;
    *buffer = uv_buf_init(memory.data(), static_cast<unsigned>(memory.size()));
  }
  static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
    auto* self = static_cast<Echo*>(stream->data);
    if (size < 0) {
      uv_close(reinterpret_cast<uv_handle_t*>(&self->connection_), nullptr);
      uv_close(reinterpret_cast<uv_handle_t*>(&self->listener_), nullptr);
    } else if (size > 0) {
      auto write = std::make_unique<Write>();
      write->bytes.assign(buffer->base, static_cast<std::size_t>(size));
      write->request.data = write.get();
      uv_buf_t out = uv_buf_init(write->bytes.data(), static_cast<unsigned>(write->bytes.size()));
      uv_write(&write.release()->request, stream, &out, 1,
               [](uv_write_t* request, int) { delete static_cast<Write*>(request->data); });
    }
  }

  uv_loop_t loop_{};
  uv_tcp_t listener_{};
  uv_tcp_t connection_{};
  std::vector<char> memory_ = std::vector<char>(65'536);
  std::thread thread_;
};

// The client: so many messages out, as many bytes back.
class EchoClient {
 public:
  EchoClient(std::size_t messages, std::size_t message_bytes)
      : left_(messages), awaited_(messages * message_bytes), message_(message_bytes, 'm') {
    uv_loop_init(&loop_);
    uv_tcp_init(&loop_, &connection_);
    uv_idle_init(&loop_, &rounds_);
    connection_.data = rounds_.data = this;
  }
  ~EchoClient() { uv_loop_close(&loop_); }
  EchoClient(const EchoClient&) = delete;
  EchoClient& operator=(const EchoClient&) = delete;

  Elapsed run(const sockaddr_in& server) {
    uv_connect_t connect;
    uv_tcp_connect(&connect, &connection_, reinterpret_cast<const sockaddr*>(&server),
                   [](uv_connect_t* request, int status) {
                     require(status == 0, "no connection to the echo");
                     auto* self = static_cast<EchoClient*>(request->handle->data);
                     uv_tcp_nodelay(&self->connection_, 1);
                     uv_read_start(request->handle, on_alloc, on_read);
                     self->watch_ = Stopwatch();
                     uv_idle_start(&self->rounds_,
                                   [](uv_idle_t* idle) { static_cast<EchoClient*>(idle->data)->pump(); });
                   });
    uv_run(&loop_, UV_RUN_DEFAULT);
    return time_;
  }

 private:
  // Once a round of the loop, so that it reads in between: as much under way as a node allows itself.
  void pump() {
    auto* stream = reinterpret_cast<uv_stream_t*>(&connection_);
    for (int i = 0; i < 1'000 && left_ > 0 && uv_stream_get_write_queue_size(stream) < 1'048'576;
         ++i, --left_) {
      uv_buf_t out = uv_buf_init(message_.data(), static_cast<unsigned>(message_.size()));
      uv_write(new uv_write_t, stream, &out, 1, [](uv_write_t* done, int) { delete done; });
    }
    if (left_ == 0) uv_close(reinterpret_cast<uv_handle_t*>(&rounds_), nullptr);
  }
  static void on_alloc(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
    auto& memory = static_cast<EchoClient*>(handle->data)->memory_;
    *buffer = uv_buf_init(memory.data(), static_cast<unsigned>(memory.size()));
  }
  static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t*) {
    auto* self = static_cast<EchoClient*>(stream->data);
    require(size >= 0, "the echo hung up");
    self->awaited_ -= static_cast<std::size_t>(size);
    if (self->awaited_ > 0) return;
    self->time_ = self->watch_.elapsed();
    uv_close(reinterpret_cast<uv_handle_t*>(stream), nullptr);
  }

  uv_loop_t loop_{};
  uv_tcp_t connection_{};
  uv_idle_t rounds_{};
  std::size_t left_;
  std::size_t awaited_;
  std::string message_;
  Stopwatch watch_;
  Elapsed time_;
  std::vector<char> memory_ = std::vector<char>(65'536);
};

// `bytes` both ways: half of them out, in `messages` messages.
Measured measure_echo(std::size_t messages, std::size_t bytes) {
  const std::size_t message_bytes = (bytes / 2 + messages - 1) / messages;
  Echo echo;
  EchoClient client(messages, message_bytes);
  return {client.run(echo.address()), 2 * messages * message_bytes};
}

double median_ms(std::vector<Measured> all) {
  std::sort(all.begin(), all.end(),
            [](const Measured& a, const Measured& b) { return a.time.wall_ms < b.time.wall_ms; });
  return all[all.size() / 2].time.wall_ms;
}

int run(int argc, char** argv) {
  const std::size_t changes = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 200'000;
  const std::size_t repetitions = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 5;
  require(changes > 0 && repetitions > 0, "usage: net_bench [CHANGES [REPETITIONS]]");
  std::vector<Measured> ours;
  std::vector<Measured> floors;
  for (std::size_t rep = 0; rep < repetitions; ++rep) {
    ours.push_back(measure_nodes(changes));
    floors.push_back(measure_echo(changes, ours.back().bytes));
    Record("syncline", "net", "Node", changes, "push")
        .took(ours.back().time)
        .ops(changes)
        .bytes(static_cast<double>(ours.back().bytes))
        .print();
    Record("floor", "net", "libuv", changes, "echo")
        .took(floors.back().time)
        .ops(changes)
        .bytes(static_cast<double>(floors.back().bytes))
        .print();
  }
  Record("syncline", "net", "Node", changes, "ratio")
      .number("ratio", median_ms(floors) / median_ms(ours))
      .print();
  return 0;
}

}  // namespace
}  // namespace syncline::bench

int main(int argc, char** argv) { return syncline::bench::run(argc, argv); }
