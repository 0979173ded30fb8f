#include "demos/notes/notebook.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>

namespace notes {
namespace {

using namespace std::chrono_literals;
using syncline::Value;

constexpr auto sync_patience = 10s;
constexpr std::string_view note_prefix = "note/";  // A map: its text.
constexpr std::string_view tags_prefix = "tags/";  // A set.

std::string note_key(const std::string& id) { return std::string(note_prefix) + id; }
std::string tags_key(const std::string& id) { return std::string(tags_prefix) + id; }

// The command's name, one word after it, and the rest of the line as it stands.
std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  for (const std::size_t most = 3; words.size() < most;) {
    const auto start = line.find_first_not_of(" \t");
    if (start == std::string_view::npos) break;
    line.remove_prefix(start);
    const auto end =
        words.size() + 1 == most ? line.size() : std::min(line.find_first_of(" \t"), line.size());
    words.emplace_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return words;
}

// Copies make ids without asking each other, so chance must keep them apart.
std::string fresh_id() {
  std::random_device random;
  return fmt::format("{:08x}", random());
}

std::string shown(const std::optional<Value>& value) {
  const std::string* const text = value ? value->text() : nullptr;
  return text != nullptr ? *text : "";
}

}  // namespace

Notebook::Notebook(syncline::Replica& replica, syncline::Node& node,
                   std::function<void(const std::string&)> print)
    : keyspace_(replica.keyspace("notes")), node_(node), print_(std::move(print)) {
  watch_ = keyspace_.watch("", [this](const syncline::Event& event) { tell(event); });
}

const std::vector<Notebook::Command>& Notebook::commands() {
  static const std::vector<Command> all{
      {"add", "TEXT", "write a note", 1, &Notebook::add},
      {"edit", "NOTE TEXT", "give it another text", 2, &Notebook::edit},
      {"tag", "NOTE TAG", "put a tag on it", 2, &Notebook::tag},
      {"untag", "NOTE TAG", "take a tag off", 2, &Notebook::untag},
      {"rem", "NOTE", "remove it", 1, &Notebook::remove},
      {"list", "[TAG]", "all notes, or those with a tag", 0, &Notebook::list},
      {"sync", "[ADDRESS]", "meet the copy there, or all that were met, now", 0, &Notebook::sync},
      {"help", "", "this", 0, &Notebook::help},
      {"quit", "", "end; so does the end of the input", 0, nullptr},
  };
  return all;
}

bool Notebook::run(std::string_view line) {
  auto words = words_of(line);
  if (words.empty()) return true;
  const auto command = std::find_if(commands().begin(), commands().end(),
                                    [&](const Command& known) { return known.name == words[0]; });
  if (command == commands().end()) {
    print_(words[0] + ": no such command; help lists them");
    return true;
  }
  if (command->run == nullptr) return false;
  words.erase(words.begin());
  if (words.size() < command->least) {
    print_(fmt::format("usage: {} {}   {}", command->name, command->arguments, command->help));
    return true;
  }
  (this->*command->run)(words);
  return true;
}

void Notebook::write(const std::function<void(syncline::Update&)>& update) {
  const auto written = keyspace_.update(update);
  if (!written) print_(syncline::to_string(written.error()));
}

std::vector<std::string> Notebook::notes() {
  std::vector<std::string> ids;
  const auto read = keyspace_.for_each_key(note_prefix, [&](std::string_view key, syncline::Type) {
    ids.emplace_back(key.substr(note_prefix.size()));
    return true;
  });
  if (!read) print_(syncline::to_string(read.error()));
  return ids;
}

std::optional<std::string> Notebook::note_of(const std::string& start) {
  std::vector<std::string> found = notes();
  std::erase_if(found, [&](const std::string& id) { return !id.starts_with(start); });
  if (found.size() == 1) return found.front();
  print_(fmt::format("{}: {}", start, found.empty() ? "no such note" : "more than one note begins so"));
  return std::nullopt;
}

std::string Notebook::tags_of(const std::string& id) {
  std::string tags;
  const auto elements = keyspace_.set(tags_key(id)).elements();
  if (!elements) return syncline::to_string(elements.error());
  for (const Value& tag : *elements) tags += " #" + shown(tag);
  return tags;
}

void Notebook::add(const std::vector<std::string>& words) {
  std::string text = words[0];
  if (words.size() > 1) text += " " + words[1];
  const std::string id = fresh_id();
  write([&](syncline::Update& update) { update.map(note_key(id)).set("text", text); });
  print_("  " + id + " " + text);
}

void Notebook::edit(const std::vector<std::string>& words) {
  const auto id = note_of(words[0]);
  if (id) write([&](syncline::Update& update) { update.map(note_key(*id)).set("text", words[1]); });
}

void Notebook::tag(const std::vector<std::string>& words) {
  const auto id = note_of(words[0]);
  if (id) write([&](syncline::Update& update) { update.set(tags_key(*id)).insert(words[1]); });
}

void Notebook::untag(const std::vector<std::string>& words) {
  const auto id = note_of(words[0]);
  if (id) write([&](syncline::Update& update) { update.set(tags_key(*id)).erase(words[1]); });
}

void Notebook::remove(const std::vector<std::string>& words) {
  const auto id = note_of(words[0]);
  if (!id) return;
  write([&](syncline::Update& update) {
    update.erase(note_key(*id));
    update.erase(tags_key(*id));
  });
}

void Notebook::list(const std::vector<std::string>& words) {
  for (const std::string& id : notes()) {
    const std::string tags = tags_of(id);
    if (!words.empty() && (tags + " ").find(" #" + words[0] + " ") == std::string::npos) continue;
    const auto text = keyspace_.map(note_key(id)).get("text");
    print_(fmt::format("  {} {}{}", id, text ? shown(*text) : syncline::to_string(text.error()), tags));
  }
  const auto pending = keyspace_.pending();
  if (pending > 0) print_(fmt::format("  {} changes that no other copy has yet", pending));
}

void Notebook::sync(const std::vector<std::string>& words) {
  if (!words.empty()) {
    const std::string address = words[0].find(':') == std::string::npos ? "127.0.0.1:" + words[0] : words[0];
    const auto joined = node_.join(address);
    if (!joined) return print_(syncline::to_string(joined.error()));
  }
  node_.sync_now();
  const auto synced = node_.wait_until_synced(sync_patience);
  print_(synced ? "  in sync" : "  not yet: " + syncline::to_string(synced.error()));
}

void Notebook::help(const std::vector<std::string>&) {
  for (const Command& command : commands())
    print_(fmt::format("  {:20}{}", fmt::format("{} {}", command.name, command.arguments), command.help));
  print_("  A NOTE is its id, or how that begins.");
}

// What the other copy brought.
void Notebook::tell(const syncline::Event& event) const {
  if (event.local) return;
  const std::string_view key = event.key;
  if (key.starts_with(note_prefix)) {
    const auto id = key.substr(note_prefix.size());
    print_(event.after ? fmt::format("* {} is now: {}", id, shown(event.after))
                       : fmt::format("* {} was removed", id));
  } else if (key.starts_with(tags_prefix)) {
    const auto tag = Value::from_bytes(event.element);
    print_(fmt::format("* {} {}#{}", key.substr(tags_prefix.size()), event.after ? "+" : "-",
                       tag ? shown(*tag) : ""));
  }
}

}  // namespace notes
