#include "demos/gossip/worker.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>

#include <chrono>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "demos/gossip/messages.h"

namespace gossip {
namespace {

using namespace std::chrono_literals;
using syncline::Keyspace;
using syncline::Node;
using syncline::Replica;
using syncline::Type;
using syncline::Version;

// How often what waits is looked at again. Changes come in on the node's thread.
constexpr auto look_again = 5ms;
// Changes of others that come within it share a commit.
constexpr auto commit_window = 10ms;

// The peer's log file. Lines come from any thread.
class Log {
 public:
  explicit Log(const std::string& path) : file_(path, std::ios::trunc) {}

  void write(syncline::LogLevel level, std::string_view text,
             const std::vector<std::pair<std::string, std::string>>& fields) {
    static constexpr const char* names[] = {"debug", "info", "warning", "error"};
    const auto since = std::chrono::steady_clock::now() - start_;
    std::string line = fmt::format("{:9.3f} {:7} {}", std::chrono::duration<double>(since).count(),
                                   names[static_cast<std::size_t>(level)], text);
    for (const auto& [name, value] : fields) line += fmt::format(" {}={}", name, printable(value));
    const std::lock_guard lock(mutex_);
    file_ << line << '\n' << std::flush;  // Whole even when the peer is killed.
  }

 private:
  std::mutex mutex_;
  std::ofstream file_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

void write(syncline::Update& update, const Operation& operation, std::uint64_t timestamp) {
  switch (operation.kind) {
    case OperationKind::inc:
      update.counter(operation.key).add(operation.by);
      break;
    case OperationKind::add:
      update.set(operation.key).insert(operation.value);
      break;
    case OperationKind::rem:
      update.set(operation.key).erase(operation.value);
      break;
    case OperationKind::put:
      if (operation.field) {
        update.map(operation.key).set(*operation.field, operation.value, timestamp);
      } else {
        update.reg(operation.key).set(operation.value, timestamp);
      }
      break;
  }
}

std::string bytes_of(const syncline::DigestPair& pair) {
  MessageWriter out(MessageKind::status);
  out.number(pair.state.low).number(pair.state.high).number(pair.context.low).number(pair.context.high);
  return out.take().substr(5);
}

syncline::Result<void> read_key(const Keyspace& keyspace, const std::string& key, Type type, Contents& out) {
  switch (type) {
    case Type::g_counter:
    case Type::pn_counter: {
      const auto total = keyspace.counter(key).total();
      if (!total) return tl::unexpected(total.error());
      out.counters[key] = *total;
      return {};
    }
    case Type::or_set: {
      const auto elements = keyspace.set(key).elements();
      if (!elements) return tl::unexpected(elements.error());
      for (const auto& element : *elements) out.sets[key].insert(element.to_bytes());
      return {};
    }
    case Type::lww_map:
      return keyspace.map(key).for_each({}, [&](std::string_view field, const syncline::Value& value) {
        out.maps[key][std::string(field)] = value.to_bytes();
        return true;
      });
    case Type::lww_register: {
      const auto value = keyspace.reg(key).get();
      if (!value) return tl::unexpected(value.error());
      if (*value) out.registers[key] = (*value)->to_bytes();
      return {};
    }
    default:
      return {};  // Not written here.
  }
}

syncline::Result<Contents> read_all(const Keyspace& keyspace) {
  std::vector<std::pair<std::string, Type>> keys;
  auto read = keyspace.for_each_key({}, [&](std::string_view key, Type type) {
    keys.emplace_back(key, type);
    return true;
  });
  Contents contents;
  for (const auto& [key, type] : keys) {
    if (read) read = read_key(keyspace, key, type, contents);
  }
  if (!read) return tl::unexpected(read.error());
  return contents;
}

class Worker {
 public:
  explicit Worker(int fd) : channel_(fd) {}

  int run() {
    while (!stopped_) {
      const bool waits = !waiting_.empty() || !reaches_.empty();
      pollfd fd{channel_.fd(), static_cast<short>(channel_.wants_to_write() ? POLLIN | POLLOUT : POLLIN), 0};
      ::poll(&fd, 1, waits ? static_cast<int>(look_again.count()) : -1);
      if (!channel_.receive()) return 0;  // The orchestrator is gone: so are we.
      channel_.flush();
      while (auto message = channel_.poll_message()) {
        auto handled = handle(std::move(*message));
        if (!handled) fail(syncline::to_string(handled.error()));
      }
      look_at_waiting();
    }
    node_.reset();
    return 0;
  }

 private:
  syncline::Result<void> handle(Message message) {
    switch (message.kind) {
      case MessageKind::start:
        return start(std::move(message.body));
      case MessageKind::join:
        node_->join(std::string(MessageReader(std::move(message.body)).text()));
        return {};
      case MessageKind::block:
        return block(std::move(message.body));
      case MessageKind::apply:
        return take(std::move(message.body));
      case MessageKind::reach:
        return reach(std::move(message.body));
      case MessageKind::report:
        channel_.send(encode(status()));
        return {};
      case MessageKind::dump: {
        auto contents = read_all(*keyspace_);
        if (!contents) return tl::unexpected(contents.error());
        channel_.send(encode(*contents));
        return {};
      }
      case MessageKind::stop:
        stopped_ = true;
        return {};
      default:
        return syncline::failure(syncline::Errc::malformed, "an unexpected message");
    }
  }

  syncline::Result<void> start(std::string body) {
    MessageReader in(std::move(body));
    const std::string cluster(in.text());
    const std::string log_path(in.text());
    const std::string store_path(in.text());
    syncline::ReplicaOptions replica_options{.path = store_path};
    if (!store_path.empty()) replica_options.commit_window = commit_window;
    if (!log_path.empty()) {
      log_ = std::make_shared<Log>(log_path);
      replica_options.log = [log = log_](auto level, auto text, const auto& fields) {
        log->write(level, text, fields);
      };
    }
    auto replica = Replica::open(std::move(replica_options));
    if (!replica) return tl::unexpected(replica.error());
    replica_ = std::move(*replica);
    keyspace_ = replica_->keyspace("history");
    // A demonstration is watched: look for lost peers more often than a service would.
    auto node = Node::start(*replica_, {.cluster = cluster,
                                        .listen = "127.0.0.1:0",
                                        .tick_interval = 250ms,
                                        .backoff_min = 50ms,
                                        .backoff_max = 500ms});
    if (!node) return tl::unexpected(node.error());
    node_ = std::move(*node);
    channel_.send(MessageWriter(MessageKind::ready).text(node_->address()).take());
    return {};
  }

  syncline::Result<void> block(std::string body) {
    MessageReader in(std::move(body));
    std::vector<std::string> addresses;
    in.each([&] { addresses.emplace_back(in.text()); });
    node_->block(std::move(addresses));
    channel_.send(MessageWriter(MessageKind::blocked).take());
    return {};
  }

  syncline::Result<void> take(std::string body) {
    auto task = decode_task(std::move(body));
    if (!task) return tl::unexpected(task.error());
    if (has(keyspace_->version(), task->tokens)) return make(*task);
    const auto position = task->position;
    channel_.send(MessageWriter(MessageKind::waiting).number(position).take());
    waiting_[position] = std::move(*task);  // Sent once more, it has new tokens.
    return {};
  }

  syncline::Result<void> reach(std::string body) {
    MessageReader in(std::move(body));
    const auto id = in.number();
    auto version = Version::from_bytes(in.text());
    if (!version) return tl::unexpected(version.error());
    reaches_.emplace_back(id, std::move(*version));
    return {};
  }

  static bool has(const Version& version, const std::vector<Version>& tokens) {
    for (const auto& token : tokens) {
      if (!version.includes(token)) return false;
    }
    return true;
  }

  // Makes the change. It is announced first: should this process be killed in
  // between, the orchestrator knows which one change may be made without its
  // having heard so.
  syncline::Result<void> make(const Task& task) {
    channel_.send(MessageWriter(MessageKind::began).number(task.position).take());
    channel_.flush_all();
    // With a token: a store that has the change already, from before a kill or an interrupted run, skips it.
    bool made = false;
    const auto version =
        keyspace_->update(fmt::format("change {}", task.position), [&](syncline::Update& update) {
          made = true;
          for (const auto& operation : task.operations) write(update, operation, task.position + 1);
        });
    const auto stored = version ? keyspace_->flush() : tl::unexpected(version.error());
    if (!stored) {
      return syncline::failure(stored.error().code,
                               fmt::format("change {}: {}", task.position + 1, stored.error().detail));
    }
    const auto actor = made ? keyspace_->actor().value_or(syncline::ActorId{}) : syncline::ActorId{};
    channel_.send(MessageWriter(MessageKind::done)
                      .number(task.position)
                      .text(actor.view())
                      .number(version->counter(actor))
                      .text(version->to_bytes())
                      .number(made ? 1 : 0)
                      .take());
    return {};
  }

  void look_at_waiting() {
    if (waiting_.empty() && reaches_.empty()) return;
    Version version = keyspace_->version();
    if (version == looked_at_ && reaches_.empty()) return;
    for (auto next = waiting_.begin(); next != waiting_.end();) {
      if (!has(version, next->second.tokens)) {
        ++next;
        continue;
      }
      auto made = make(next->second);
      if (!made) fail(syncline::to_string(made.error()));
      next = waiting_.erase(next);
    }
    std::erase_if(reaches_, [&](const auto& reach) {
      if (!version.includes(reach.second)) return false;
      channel_.send(MessageWriter(MessageKind::reached).number(reach.first).take());
      return true;
    });
    looked_at_ = std::move(version);
  }

  PeerStatus status() const {
    // In this order: whoever sees no link and nothing waiting may trust that the version is all.
    PeerStatus status;
    for (const auto& peer : node_->peers()) {
      if (peer.state == syncline::PeerState::State::connected) status.connected.push_back(peer.address);
    }
    const auto metrics = replica_->metrics();
    status.pushed = metrics.changes_remote;
    status.duplicates = metrics.changes_duplicate;
    status.early = metrics.changes_waiting;
    const auto traffic = node_->traffic();
    status.bytes_in = traffic.bytes_in;
    status.bytes_out = traffic.bytes_out;
    status.version = keyspace_->version();
    status.digest = bytes_of(keyspace_->digests());
    return status;
  }

  void fail(std::string reason) {
    channel_.send(MessageWriter(MessageKind::failed).text(reason).take());
    channel_.flush_all();
    stopped_ = true;
  }

  Channel channel_;
  std::shared_ptr<Log> log_;
  std::optional<Replica> replica_;
  std::optional<Keyspace> keyspace_;
  std::optional<Node> node_;             // After the replica: it ends first.
  std::map<std::size_t, Task> waiting_;  // By position.
  std::vector<std::pair<std::uint64_t, Version>> reaches_;
  Version looked_at_;
  bool stopped_ = false;
};

}  // namespace

int run_worker(int fd) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // However the orchestrator ends, no peer stays behind.
  ::signal(SIGINT, SIG_IGN);           // Ctrl-C goes to the whole group; the orchestrator ends us.
  return Worker(fd).run();
}

}  // namespace gossip
