#include "demos/gossip/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>

namespace gossip {
namespace {

using syncline::Errc;
using syncline::failure;
using syncline::Result;
using syncline::Value;
using Json = nlohmann::json;

// What one change may hold at most here: well below the engine's own limits.
constexpr std::size_t name_bytes_max = 4 * 1024;
constexpr std::size_t value_bytes_max = 32 * 1024;

// Reads the fields of one line and remembers the first thing that is wrong.
class Line {
 public:
  explicit Line(const Json& json) : json_(json) {}

  const std::string& error() const { return error_; }

  const Json* field(const char* name) const {
    const auto at = json_.find(name);
    return at == json_.end() ? nullptr : &*at;
  }

  std::string text(const char* name) {
    const Json* found = field(name);
    if (found == nullptr) return fail(fmt::format("\"{}\" is missing", name));
    if (!found->is_string()) return fail(fmt::format("\"{}\" must be a text", name));
    const auto& text = found->get_ref<const std::string&>();
    if (text.size() > name_bytes_max)
      return fail(fmt::format("\"{}\" is over {} bytes", name, name_bytes_max));
    return text;
  }

  std::int64_t integer(const char* name, std::int64_t least, std::int64_t most) {
    const Json* found = field(name);
    const bool fits = found != nullptr && found->is_number_integer() &&
                      (!found->is_number_unsigned() || found->get<std::uint64_t>() <= INT64_MAX) &&
                      found->get<std::int64_t>() >= least && found->get<std::int64_t>() <= most;
    if (!fits) {
      fail(found == nullptr ? fmt::format("\"{}\" is missing", name)
                            : fmt::format("\"{}\" must be a whole number from {} to {}", name, least, most));
      return least;
    }
    return found->get<std::int64_t>();
  }

  Value scalar(const char* name) {
    const Json* found = field(name);
    if (found == nullptr) return fail(fmt::format("\"{}\" is missing", name));
    if (found->is_null()) return nullptr;
    if (found->is_boolean()) return found->get<bool>();
    if (found->is_number_integer()) return integer(name, INT64_MIN, INT64_MAX);
    if (found->is_number()) return found->get<double>();
    if (!found->is_string()) return fail(fmt::format("\"{}\" must be a scalar", name));
    const auto& text = found->get_ref<const std::string&>();
    if (text.size() > value_bytes_max)
      return fail(fmt::format("\"{}\" is over {} bytes", name, value_bytes_max));
    return text;
  }

  void allow_only(std::initializer_list<std::string_view> names) {
    for (const auto& [name, value] : json_.items()) {
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        fail(fmt::format("\"{}\" has no meaning here", printable(name)));
      }
    }
  }

  // Notes what is wrong, if it is the first thing.
  std::string fail(std::string what) {
    if (error_.empty()) error_ = std::move(what);
    return {};
  }

 private:
  const Json& json_;
  std::string error_;
};

Operation read_operation(Line& line) {
  const std::string op = line.text("op");
  Operation operation;
  operation.key = line.text("key");
  if (op == "inc") {
    operation.kind = OperationKind::inc;
    line.allow_only({"peer", "op", "key", "by"});
    operation.by = line.field("by") != nullptr ? line.integer("by", INT64_MIN, INT64_MAX) : 1;
    if (operation.by == 0) line.fail("\"by\" must not be 0");
  } else if (op == "add" || op == "rem") {
    operation.kind = op == "add" ? OperationKind::add : OperationKind::rem;
    line.allow_only({"peer", "op", "key", "element"});
    operation.value = line.scalar("element");
  } else if (op == "put") {
    operation.kind = OperationKind::put;
    line.allow_only({"peer", "op", "key", "field", "value"});
    if (line.field("field") != nullptr) operation.field = line.text("field");
    operation.value = line.scalar("value");
  } else {
    line.fail(fmt::format("\"op\" must be inc, add, rem or put, not \"{}\"", printable(op)));
  }
  return operation;
}

// Does the operations one after the other in plain containers: the reference
// that the peers' state is compared with.
class Reference {
 public:
  // Empty, or why the operation can't follow those before it.
  std::string apply(const Operation& operation, std::size_t line) {
    const char* type = type_of(operation);
    const auto [known, fresh] = types_.try_emplace(operation.key, type, line);
    if (known->second.first != type) {
      return fmt::format("\"{}\" is a {} since line {}", printable(operation.key), known->second.first,
                         known->second.second);
    }
    const std::string value = operation.value.to_bytes();
    switch (operation.kind) {
      case OperationKind::inc:
        return count(operation.key, operation.by);
      case OperationKind::add:
        contents_.sets[operation.key].insert(value);
        break;
      case OperationKind::rem:
        contents_.sets[operation.key].erase(value);
        break;
      case OperationKind::put:
        (operation.field ? contents_.maps[operation.key][*operation.field]
                         : contents_.registers[operation.key]) = value;
        break;
    }
    return {};
  }

  Contents take() { return std::move(contents_); }

 private:
  // The pointer is the identity: each literal stands here only.
  static const char* type_of(const Operation& operation) {
    static const char* const names[] = {"counter", "set", "map", "register"};
    if (operation.kind == OperationKind::inc) return names[0];
    if (operation.kind != OperationKind::put) return names[1];
    return operation.field ? names[2] : names[3];
  }

  // All that is ever counted, up and down, must fit: then no order of it overflows.
  std::string count(const std::string& key, std::int64_t by) {
    auto& moved = moved_[key];
    const auto size = by < 0 ? 0 - static_cast<std::uint64_t>(by) : static_cast<std::uint64_t>(by);
    if (size > static_cast<std::uint64_t>(INT64_MAX) - moved) return "the counter would leave its range";
    moved += size;
    contents_.counters[key] += by;
    return {};
  }

  std::map<std::string, std::pair<const char*, std::size_t>> types_;
  std::map<std::string, std::uint64_t> moved_;
  Contents contents_;
};

std::string parse_line(std::string_view text, std::size_t line_number, Reference& reference,
                       ElementOrder& order, Plan& plan) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return "not JSON";
  if (!json.is_object()) return "not an object {...}";
  Line line(json);
  Change change;
  change.peer = static_cast<std::size_t>(line.integer("peer", 1, peers_max)) - 1;
  change.operations.push_back(read_operation(line));
  if (!line.error().empty()) return line.error();
  const Operation& operation = change.operations.front();
  if (operation.kind == OperationKind::add || operation.kind == OperationKind::rem) {
    change.after = order.after(operation.key, operation.value.to_bytes(),
                               operation.kind == OperationKind::add, plan.changes.size());
  }
  auto wrong = reference.apply(operation, line_number);
  if (wrong.empty()) plan.changes.push_back(std::move(change));
  return wrong;
}

}  // namespace

Result<Plan> parse_trace(std::string_view text, std::string_view name, std::optional<std::size_t> peers) {
  Plan plan;
  plan.source = name;
  Reference reference;
  ElementOrder order;
  std::size_t line_number = 0;
  while (!text.empty()) {
    ++line_number;
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto wrong = parse_line(line, line_number, reference, order, plan);
    if (!wrong.empty()) return failure(Errc::malformed, fmt::format("{}:{}: {}", name, line_number, wrong));
  }
  if (plan.changes.empty()) return failure(Errc::malformed, fmt::format("{}:1: no operations", name));
  plan.peers = 2;
  for (const auto& change : plan.changes) plan.peers = std::max(plan.peers, change.peer + 1);
  if (peers) plan.peers = *peers;
  for (auto& change : plan.changes) change.peer %= plan.peers;
  plan.expected = reference.take();
  const auto& e = plan.expected;
  plan.claims = {
      fmt::format("{} counters, {} sets, {} maps and {} registers: as if one hand had done all in order",
                  e.counters.size(), e.sets.size(), e.maps.size(), e.registers.size())};
  return plan;
}

}  // namespace gossip
