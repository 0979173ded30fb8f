#include "demos/notes/notebook.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace notes {
namespace {

using syncline::Errc;
using syncline::failure;
using syncline::Result;
using syncline::Update;
using syncline::Value;
using Text = syncline::MvRegister<Value>;

constexpr std::string_view folder = "note/";
constexpr std::size_t mark_letters = 4;

// Time first, so that keys are in the order of making; the mark keeps apart what was made at once.
std::string new_key(std::uint64_t time, std::uint64_t random) {
  constexpr std::string_view letters = "abcdefghjkmnpqrstuvwxyz";  // No i, l, o: they look like digits.
  std::string key = fmt::format("{}{:012x}", folder, time & 0xffff'ffff'ffffU);
  for (std::size_t i = 0; i < mark_letters; ++i, random /= letters.size()) {
    key += letters[random % letters.size()];
  }
  return key;
}

std::string mark_of(std::string_view key) { return std::string(key.substr(key.size() - mark_letters)); }

std::vector<std::string> texts_of(const std::vector<Value>& values) {
  std::vector<std::string> texts;
  for (const Value& value : values) {
    if (const auto* text = value.text()) texts.push_back(*text);
  }
  return texts;
}

}  // namespace

std::string shown(const Note& note) {
  std::string tags;
  for (const auto& tag : note.tags) tags += "  #" + tag;
  if (note.texts.empty()) return fmt::format("{}  (its text was deleted){}", note.mark, tags);
  if (note.texts.size() == 1) return fmt::format("{}  {}{}", note.mark, note.texts.front(), tags);
  std::string lines =
      fmt::format("{}  edited in {} places at once; edit it to settle{}", note.mark, note.texts.size(), tags);
  for (const auto& text : note.texts) lines += "\n      | " + text;
  return lines;
}

Notebook::Notebook(syncline::Keyspace keyspace, std::function<std::uint64_t()> draw,
                   std::function<std::uint64_t()> clock)
    : keyspace_(std::move(keyspace)), draw_(std::move(draw)), clock_(std::move(clock)) {}

Result<std::string> Notebook::add(const std::string& text) {
  const std::string key = new_key(clock_(), draw_());
  const auto written = keyspace_.update([&](Update& update) { update.at<Text>(key).set(Value(text)); });
  if (!written) return tl::unexpected(written.error());
  return mark_of(key);
}

Result<void> Notebook::write(std::string_view mark,
                             const std::function<void(Update&, const std::string&)>& write) {
  const auto key = find(mark);
  if (!key) return tl::unexpected(key.error());
  const auto written = keyspace_.update([&](Update& update) { write(update, *key); });
  if (!written) return tl::unexpected(written.error());
  return {};
}

Result<void> Notebook::edit(std::string_view mark, const std::string& text) {
  return write(mark, [&](Update& update, const std::string& key) { update.at<Text>(key).set(Value(text)); });
}

Result<void> Notebook::tag(std::string_view mark, const std::string& tag) {
  return write(mark, [&](Update& update, const std::string& key) { update.set(key).insert(Value(tag)); });
}

Result<void> Notebook::untag(std::string_view mark, const std::string& tag) {
  return write(mark, [&](Update& update, const std::string& key) { update.set(key).erase(Value(tag)); });
}

Result<void> Notebook::remove(std::string_view mark) {
  return write(mark, [](Update& update, const std::string& key) { update.erase(key); });
}

Result<std::string> Notebook::find(std::string_view mark) const {
  std::vector<std::string> found;
  const auto scanned = keyspace_.for_each_key(folder, [&](std::string_view key, syncline::Type) {
    if (key.ends_with(mark) && (found.empty() || found.back() != key)) found.emplace_back(key);
    return found.size() < 2;
  });
  if (!scanned) return tl::unexpected(scanned.error());
  if (found.empty() || mark.size() < mark_letters) {
    return failure(Errc::invalid_argument, fmt::format("no note is called {}; list shows all", mark));
  }
  if (found.size() > 1) {
    return failure(Errc::invalid_argument,
                   fmt::format("{} and {} are both called {}: write one out", found[0], found[1], mark));
  }
  return found.front();
}

Result<Note> Notebook::read(std::string_view mark) const {
  const auto key = find(mark);
  if (!key) return tl::unexpected(key.error());
  return read_key(*key);
}

Result<Note> Notebook::read_key(const std::string& key) const {
  const auto texts = keyspace_.at<Text>(key).values();
  if (!texts) return tl::unexpected(texts.error());
  const auto tags = keyspace_.set(key).elements();
  if (!tags) return tl::unexpected(tags.error());
  return Note{.mark = mark_of(key), .texts = texts_of(*texts), .tags = texts_of(*tags)};
}

Result<std::vector<Note>> Notebook::list(const std::string& tag) const {
  std::vector<std::string> keys;
  const auto scanned = keyspace_.for_each_key(folder, [&](std::string_view key, syncline::Type) {
    if (keys.empty() || keys.back() != key) keys.emplace_back(key);
    return true;
  });
  if (!scanned) return tl::unexpected(scanned.error());
  std::vector<Note> notes;
  for (const auto& key : keys) {
    auto note = read_key(key);
    if (!note) return tl::unexpected(note.error());
    const bool wanted = tag.empty() || std::binary_search(note->tags.begin(), note->tags.end(), tag);
    if (wanted) notes.push_back(std::move(*note));
  }
  return notes;
}

}  // namespace notes
