#include "demos/peer/words.h"

#include <fmt/format.h>

#include <charconv>

namespace peer {
namespace {

constexpr std::string_view blanks = " \t\r\n";

template <typename T>
std::optional<T> number(const std::string& text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || text.empty()) return std::nullopt;
  return value;
}

std::string shown_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  const bool plain = !out.empty() && out.find_first_of(" \"\\") == std::string::npos &&
                     value_of({.text = out, .quoted = false}).text() != nullptr;
  return plain ? out : '"' + out + '"';
}

}  // namespace

syncline::Result<std::vector<Word>> split_words(std::string_view line) {
  std::vector<Word> words;
  for (auto at = line.find_first_not_of(blanks); at != std::string_view::npos;
       at = line.find_first_not_of(blanks, at)) {
    Word word{.text = {}, .quoted = line[at] == '"'};
    if (!word.quoted) {
      const auto end = std::min(line.find_first_of(blanks, at), line.size());
      word.text = line.substr(at, end - at);
      at = end;
    } else {
      for (++at; at < line.size() && line[at] != '"'; ++at) {
        if (line[at] == '\\' && at + 1 < line.size()) ++at;
        word.text += line[at];
      }
      if (at >= line.size())
        return syncline::failure(syncline::Errc::invalid_argument, "a closing \" is missing");
      ++at;
    }
    words.push_back(std::move(word));
  }
  return words;
}

syncline::Value value_of(const Word& word) {
  if (word.quoted) return word.text;
  if (word.text == "null") return nullptr;
  if (word.text == "true" || word.text == "false") return word.text == "true";
  if (const auto integer = number<std::int64_t>(word.text)) return *integer;
  const bool digits = word.text.find_first_of("0123456789") != std::string::npos;  // "inf" is a text.
  if (const auto real = number<double>(word.text); real && digits) return *real;
  return word.text;
}

std::optional<std::int64_t> integer_of(const Word& word) { return number<std::int64_t>(word.text); }

std::string shown(const syncline::Value& value) {
  if (const auto* text = value.text()) return shown_text(*text);
  if (const auto* blob = value.blob()) return shown_text(blob->bytes);
  if (const auto* integer = value.integer()) return fmt::format("{}", *integer);
  if (const auto* real = value.real()) return fmt::format("{}", *real);
  if (const auto* boolean = value.boolean()) return fmt::format("{}", *boolean);
  return "null";
}

}  // namespace peer
