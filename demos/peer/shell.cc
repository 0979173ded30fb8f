#include "demos/peer/shell.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace peer {
namespace {

using namespace std::chrono_literals;
using syncline::Errc;
using syncline::PeerState;
using syncline::Result;
using syncline::Type;
using syncline::Value;

constexpr auto sync_patience = 10s;

const char* name_of(Type type) {
  switch (type) {
    case Type::g_counter:
    case Type::pn_counter:
      return "counter";
    case Type::or_set:
      return "set";
    case Type::lww_register:
      return "register";
    case Type::lww_map:
      return "map";
    default:
      return "of a type that this program doesn't show";
  }
}

const char* name_of(PeerState::State state) {
  switch (state) {
    case PeerState::State::dialling:
      return "dialling";
    case PeerState::State::handshaking:
      return "greeting";
    case PeerState::State::connected:
      return "connected";
    case PeerState::State::waiting:
      return "waiting to dial again";
    case PeerState::State::blocked:
      return "blocked";
    case PeerState::State::refused:
      return "refused";
  }
  return "";
}

// What can be seen in a set element's canonical bytes.
std::string shown_element(const std::string& bytes) {
  const auto value = Value::from_bytes(bytes);
  return value ? shown(*value) : shown(Value(bytes));
}

}  // namespace

Shell::Shell(syncline::Keyspace keyspace, syncline::Node& node, std::function<void(const std::string&)> print)
    : keyspace_(std::move(keyspace)), node_(node), print_(std::move(print)) {}

const std::vector<Shell::Command>& Shell::commands() {
  static const std::vector<Command> all{
      {"inc", "KEY [BY]", "count up, or down: inc likes 3", 1, 2, &Shell::inc},
      {"add", "KEY ELEMENT", "into a set: add tags blue", 2, 2, &Shell::add},
      {"rem", "KEY ELEMENT", "out of a set", 2, 2, &Shell::rem},
      {"put", "KEY [FIELD] VALUE", "write a register or a map's field: put profile name Ada", 2, 3,
       &Shell::put},
      {"get", "KEY [FIELD]", "read one", 1, 2, &Shell::get},
      {"del", "KEY", "remove all that is seen under a key", 1, 1, &Shell::erase},
      {"show", "[PREFIX]", "all keys, or those that start so", 0, 1, &Shell::show},
      {"peers", "", "who is linked, and since when equal", 0, 0, &Shell::peers},
      {"watch", "[PREFIX]", "tell of changes as they come", 0, 1, &Shell::watch},
      {"unwatch", "", "no more of that", 0, 0, &Shell::unwatch},
      {"status", "", "what is pending, version and digest", 0, 0, &Shell::status},
      {"sync", "", "wait until all linked peers are equal", 0, 0, &Shell::sync},
      {"help", "", "this", 0, 0, &Shell::help},
      {"quit", "", "end; so does the end of the input", 0, 0, nullptr},
  };
  return all;
}

bool Shell::run(std::string_view line) {
  const auto words = split_words(line);
  if (!words) {
    complain(words.error());
    return true;
  }
  if (words->empty()) return true;
  const auto& name = words->front().text;
  const auto command = std::find_if(commands().begin(), commands().end(),
                                    [&](const Command& known) { return known.name == name; });
  if (command == commands().end()) {
    print_(fmt::format("{}: no such command; help lists them", shown(Value(name))));
    return true;
  }
  if (command->run == nullptr) return false;
  const auto given = words->size() - 1;
  if (given < command->least || given > command->most) {
    print_(fmt::format("usage: {} {}   {}", command->name, command->arguments, command->help));
    return true;
  }
  (this->*command->run)({words->begin() + 1, words->end()});
  return true;
}

std::string Shell::standing() const {
  const syncline::Version has = keyspace_.version();
  std::string version;
  for (const auto& [actor, counter] : has.entries()) {
    version += (version.empty() ? "" : " ") + syncline::to_string(syncline::Dot{actor, counter});
  }
  return fmt::format("pending {}, version {}", keyspace_.pending(), version.empty() ? "empty" : version);
}

void Shell::update(const std::function<void(syncline::Update&)>& write, const std::string& key) {
  const auto version = keyspace_.update(write);
  if (!version) return complain(version.error());
  list(key, true);
  print_("  " + standing());
}

void Shell::inc(const Words& words) {
  const auto by = words.size() > 1 ? integer_of(words[1]) : 1;
  if (!by)
    return print_(fmt::format("inc counts in whole numbers, and {} is none", shown(Value(words[1].text))));
  update([&](syncline::Update& update) { update.counter(words[0].text).add(*by); }, words[0].text);
}

void Shell::add(const Words& words) {
  update([&](syncline::Update& update) { update.set(words[0].text).insert(value_of(words[1])); },
         words[0].text);
}

void Shell::rem(const Words& words) {
  const auto held = keyspace_.set(words[0].text).contains(value_of(words[1]));
  if (!held) return complain(held.error());
  if (!*held) return print_(fmt::format("{} isn't in {} here", words[1].text, words[0].text));
  update([&](syncline::Update& update) { update.set(words[0].text).erase(value_of(words[1])); },
         words[0].text);
}

void Shell::put(const Words& words) {
  update(
      [&](syncline::Update& update) {
        if (words.size() == 2) {
          update.reg(words[0].text).set(value_of(words[1]));
        } else {
          update.map(words[0].text).set(words[1].text, value_of(words[2]));
        }
      },
      words[0].text);
}

void Shell::get(const Words& words) {
  if (words.size() == 1) return list(words[0].text, true);
  const auto value = keyspace_.map(words[0].text).get(words[1].text);
  if (!value) return complain(value.error());
  print_(*value ? "  " + shown(**value) : fmt::format("{} has no field {}", words[0].text, words[1].text));
}

void Shell::erase(const Words& words) {
  update([&](syncline::Update& update) { update.erase(words[0].text); }, words[0].text);
}

void Shell::show(const Words& words) {
  list(words.empty() ? "" : words[0].text, false);
  print_("  " + standing());
}

void Shell::list(const std::string& prefix, bool exactly) {
  std::vector<std::pair<std::string, Type>> keys;
  const auto read = keyspace_.for_each_key(prefix, [&](std::string_view key, Type type) {
    if (!exactly || key == prefix) keys.emplace_back(key, type);
    return true;
  });
  if (!read) return complain(read.error());
  for (const auto& [key, type] : keys) {
    const auto text = content(key, type);
    if (!text) return complain(text.error());
    print_(fmt::format("  {} ({}) = {}", key, name_of(type), *text));
  }
  if (keys.empty()) print_(exactly ? fmt::format("  {} is empty", prefix) : "  nothing here");
}

Result<std::string> Shell::content(const std::string& key, Type type) const {
  std::string text;
  switch (type) {
    case Type::g_counter:
    case Type::pn_counter: {
      const auto total = keyspace_.counter(key).total();
      if (!total) return tl::unexpected(total.error());
      return fmt::format("{}", *total);
    }
    case Type::or_set: {
      const auto elements = keyspace_.set(key).elements();
      if (!elements) return tl::unexpected(elements.error());
      for (const auto& element : *elements) text += (text.empty() ? "" : ", ") + shown(element);
      return "{" + text + "}";
    }
    case Type::lww_map: {
      const auto read = keyspace_.map(key).for_each({}, [&](std::string_view field, const Value& value) {
        text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", shown(Value(field)), shown(value));
        return true;
      });
      if (!read) return tl::unexpected(read.error());
      return "{" + text + "}";
    }
    case Type::lww_register: {
      const auto value = keyspace_.reg(key).get();
      if (!value) return tl::unexpected(value.error());
      return *value ? shown(**value) : "nothing";
    }
    default:
      return "?";
  }
}

void Shell::peers(const Words&) {
  const auto all = node_.peers();
  for (const auto& peer : all) {
    std::string line = fmt::format("  {} {}", peer.address.empty() ? "(can't be dialled)" : peer.address,
                                   name_of(peer.state));
    if (peer.state == PeerState::State::connected) line += peer.in_sync ? ", equal" : ", comparing";
    if (!peer.last_error.empty()) line += ": " + peer.last_error;
    print_(line);
  }
  if (all.empty()) print_(fmt::format("  none yet; others join with --join {}", node_.address()));
}

void Shell::watch(const Words& words) {
  const std::string prefix = words.empty() ? "" : words[0].text;
  watch_.reset();
  watch_ = keyspace_.watch(prefix, [this](const syncline::EventBatch& batch) { tell(batch); });
  print_(prefix.empty() ? "  watching everything; unwatch ends it"
                        : fmt::format("  watching keys that start with {}; unwatch ends it", prefix));
}

void Shell::unwatch(const Words&) { watch_.reset(); }

// A line for each thing that a change changed.
void Shell::tell(const syncline::EventBatch& batch) const {
  for (const syncline::Event& event : batch.events) {
    std::string what;
    if (event.type == Type::or_set) {
      what = fmt::format("{} {}", event.after ? "+" : "-", shown_element(event.element));
    } else {
      const std::string place = event.type == Type::lww_map ? shown(Value(event.element)) + ": " : "";
      what = fmt::format("{}{} -> {}", place, event.before ? shown(*event.before) : "nothing",
                         event.after ? shown(*event.after) : "nothing");
    }
    print_(fmt::format("* {} {}{}", event.key, what, batch.local ? "" : "   (from a peer)"));
  }
}

void Shell::status(const Words&) {
  print_("  " + standing());
  print_(fmt::format("  digest {:016x}, listening on {}", keyspace_.digests().state.low, node_.address()));
}

void Shell::sync(const Words&) {
  const auto synced = node_.wait_until_synced(sync_patience);
  print_(synced ? "  all linked peers are equal" : "  not yet: " + syncline::to_string(synced.error()));
}

void Shell::help(const Words&) {
  for (const auto& command : commands()) {
    print_(fmt::format("  {:26}{}", fmt::format("{} {}", command.name, command.arguments), command.help));
  }
  print_("  Words with blanks go in \"quotes\". 36 is a number, \"36\" a text.");
}

void Shell::complain(const syncline::Error& error) const { print_(syncline::to_string(error)); }

}  // namespace peer
