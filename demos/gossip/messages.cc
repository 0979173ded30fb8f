#include "demos/gossip/messages.h"

namespace gossip {
namespace {

using syncline::Errc;
using syncline::failure;
using syncline::Result;
using syncline::Value;
using syncline::Version;

constexpr const char* broken = "a message between the processes of this program is broken";

Version read_version(MessageReader& in, bool& good) {
  auto version = Version::from_bytes(in.text());
  good = good && version;
  return version ? std::move(*version) : Version{};
}

}  // namespace

std::string encode(const PeerStatus& status) {
  MessageWriter out(MessageKind::status);
  out.text(status.version.to_bytes()).text(status.digest).number(status.connected.size());
  for (const auto& address : status.connected) out.text(address);
  out.number(status.bytes_in).number(status.bytes_out).number(status.pushed).number(status.duplicates);
  return out.number(status.early).take();
}

Result<PeerStatus> decode_status(std::string body) {
  MessageReader in(std::move(body));
  bool good = true;
  PeerStatus status;
  status.version = read_version(in, good);
  status.digest = in.text();
  in.each([&] { status.connected.emplace_back(in.text()); });
  status.bytes_in = in.number();
  status.bytes_out = in.number();
  status.pushed = in.number();
  status.duplicates = in.number();
  status.early = in.number();
  if (!good || !in.complete()) return failure(Errc::malformed, broken);
  return status;
}

std::string encode(const Task& task) {
  MessageWriter out(MessageKind::apply);
  out.number(task.position).number(task.tokens.size());
  for (const auto& token : task.tokens) out.text(token.to_bytes());
  out.number(task.operations.size());
  for (const auto& operation : task.operations) {
    out.number(static_cast<std::uint64_t>(operation.kind)).text(operation.key);
    out.number(operation.field.has_value() ? 1 : 0).text(operation.field.value_or(""));
    out.number(static_cast<std::uint64_t>(operation.by)).text(operation.value.to_bytes());
  }
  return out.take();
}

Result<Task> decode_task(std::string body) {
  MessageReader in(std::move(body));
  bool good = true;
  Task task;
  task.position = in.number();
  in.each([&] { task.tokens.push_back(read_version(in, good)); });
  in.each([&] {
    Operation operation;
    operation.kind = static_cast<OperationKind>(in.number());
    operation.key = in.text();
    const bool has_field = in.number() != 0;
    const auto field = in.text();
    if (has_field) operation.field = field;
    operation.by = static_cast<std::int64_t>(in.number());
    auto value = Value::from_bytes(in.text());
    good = good && value;
    if (value) operation.value = std::move(*value);
    task.operations.push_back(std::move(operation));
  });
  if (!good || !in.complete()) return failure(Errc::malformed, broken);
  return task;
}

std::string encode(const Contents& contents) {
  MessageWriter out(MessageKind::contents);
  out.number(contents.counters.size());
  for (const auto& [key, total] : contents.counters) out.text(key).number(static_cast<std::uint64_t>(total));
  out.number(contents.sets.size());
  for (const auto& [key, elements] : contents.sets) {
    out.text(key).number(elements.size());
    for (const auto& element : elements) out.text(element);
  }
  out.number(contents.maps.size());
  for (const auto& [key, fields] : contents.maps) {
    out.text(key).number(fields.size());
    for (const auto& [field, value] : fields) out.text(field).text(value);
  }
  out.number(contents.registers.size());
  for (const auto& [key, value] : contents.registers) out.text(key).text(value);
  return out.take();
}

Result<Contents> decode_contents(std::string body) {
  MessageReader in(std::move(body));
  Contents contents;
  in.each([&] {
    const auto key = in.text();
    contents.counters[std::string(key)] = static_cast<std::int64_t>(in.number());
  });
  in.each([&] {
    auto& elements = contents.sets[std::string(in.text())];
    in.each([&] { elements.emplace(in.text()); });
  });
  in.each([&] {
    auto& fields = contents.maps[std::string(in.text())];
    in.each([&] {
      const auto field = in.text();
      fields[std::string(field)] = in.text();
    });
  });
  in.each([&] {
    const auto key = in.text();
    contents.registers[std::string(key)] = in.text();
  });
  if (!in.complete()) return failure(Errc::malformed, broken);
  return contents;
}

std::string encode_version(MessageKind kind, std::uint64_t id, const Version& version) {
  return MessageWriter(kind).number(id).text(version.to_bytes()).take();
}

}  // namespace gossip
