#include "demos/notes/shell.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace notes {
namespace {

using namespace std::chrono_literals;
using syncline::PeerState;

constexpr auto sync_patience = 10s;
constexpr std::string_view blanks = " \t\r\n";

// Takes the first word off `line`.
std::string take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
  const auto end = std::min(line.find_first_of(blanks), line.size());
  std::string word(line.substr(0, end));
  line.remove_prefix(end);
  return word;
}

std::string rest_of(std::string_view line) {
  const auto first = line.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return std::string(line.substr(first, line.find_last_not_of(blanks) - first + 1));
}

}  // namespace

Shell::Shell(Notebook& notebook, syncline::Node& node, Print print)
    : notebook_(notebook), node_(node), print_(std::move(print)) {}

const std::vector<Shell::Command>& Shell::commands() {
  static const std::vector<Command> all{
      {"add", "TEXT", "a new note", false, true, &Shell::add},
      {"edit", "NOTE TEXT", "its text anew", true, true, &Shell::edit},
      {"tag", "NOTE TAG", "give it a tag", true, true, &Shell::tag},
      {"untag", "NOTE TAG", "take a tag off", true, true, &Shell::untag},
      {"del", "NOTE", "delete it", true, false, &Shell::remove},
      {"list", "[TAG]", "all notes, or those with a tag", false, false, &Shell::list},
      {"offline", "", "end all links; write on", false, false, &Shell::offline},
      {"online", "", "link up again", false, false, &Shell::online},
      {"sync", "", "now, and wait until all linked copies are equal", false, false, &Shell::sync},
      {"status", "", "who is linked, and what nobody else has yet", false, false, &Shell::status},
      {"help", "", "this", false, false, &Shell::help},
      {"quit", "", "end; so does the end of the input", false, false, nullptr},
  };
  return all;
}

bool Shell::run(std::string_view line) {
  const auto name = take_word(line);
  if (name.empty()) return true;
  const auto command = std::find_if(commands().begin(), commands().end(),
                                    [&](const Command& known) { return known.name == name; });
  if (command == commands().end()) {
    print_(fmt::format("{}: no such command; help lists them", name));
    return true;
  }
  if (command->run == nullptr) return false;
  const auto mark = command->wants_mark ? take_word(line) : std::string();
  const auto text = rest_of(line);
  if ((command->wants_mark && mark.empty()) || (command->wants_text && text.empty())) {
    print_(fmt::format("usage: {} {}   {}", command->name, command->arguments, command->help));
    return true;
  }
  (this->*command->run)(mark, text);
  return true;
}

void Shell::complain(const syncline::Error& error) { print_(syncline::to_string(error)); }

void Shell::show(const std::string& mark, const syncline::Result<void>& changed) {
  if (!changed) return complain(changed.error());
  const auto note = notebook_.read(mark);
  if (!note) return complain(note.error());
  print_("  " + shown(*note));
}

void Shell::add(const std::string&, const std::string& text) {
  const auto mark = notebook_.add(text);
  if (!mark) return complain(mark.error());
  show(*mark, {});
}

void Shell::edit(const std::string& mark, const std::string& text) { show(mark, notebook_.edit(mark, text)); }

void Shell::tag(const std::string& mark, const std::string& tag) { show(mark, notebook_.tag(mark, tag)); }

void Shell::untag(const std::string& mark, const std::string& tag) { show(mark, notebook_.untag(mark, tag)); }

void Shell::remove(const std::string& mark, const std::string&) {
  const auto removed = notebook_.remove(mark);
  if (!removed) return complain(removed.error());
  print_(fmt::format("  {} is deleted", mark));
}

void Shell::list(const std::string&, const std::string& tag) {
  const auto notes = notebook_.list(tag);
  if (!notes) return complain(notes.error());
  for (const auto& note : *notes) print_("  " + shown(note));
  if (notes->empty()) print_(tag.empty() ? "  no notes yet" : fmt::format("  no note has the tag {}", tag));
}

void Shell::offline(const std::string&, const std::string&) {
  node_.pause();
  offline_ = true;
  print_("  offline; write on");
}

void Shell::online(const std::string&, const std::string&) {
  node_.resume();
  offline_ = false;
  print_("  online");
}

void Shell::sync(const std::string&, const std::string&) {
  if (offline_) online({}, {});
  node_.sync_now();
  const auto synced = node_.wait_until_synced(sync_patience);
  print_(synced ? "  all linked copies are equal" : "  not yet: " + syncline::to_string(synced.error()));
}

void Shell::status(const std::string&, const std::string&) {
  std::string linked;
  for (const auto& peer : node_.peers()) {
    if (peer.state != PeerState::State::connected) continue;
    linked +=
        (linked.empty() ? "" : ", ") + (peer.address.empty() ? "one that can't be dialled" : peer.address);
  }
  print_(fmt::format("  {}, listening on {}",
                     offline_         ? "offline"
                     : linked.empty() ? "linked to nobody"
                                      : "linked to " + linked,
                     node_.address()));
  print_(fmt::format("  {} changed places are known to nobody else yet", notebook_.keyspace().pending()));
}

void Shell::help(const std::string&, const std::string&) {
  for (const auto& command : commands()) {
    print_(fmt::format("  {:17}{}", fmt::format("{} {}", command.name, command.arguments), command.help));
  }
  print_("  NOTE is the word in front of a note.");
}

}  // namespace notes
