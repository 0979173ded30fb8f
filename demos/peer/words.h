// A line that a person typed, as words and values.
#pragma once

#include <syncline/net.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace peer {

struct Word {
  std::string text;
  bool quoted = false;  // "36" in quotes is a text, 36 is a number.
};

// The words of `line`: apart by blanks, or within "..." where \" and \\ stand for themselves.
// `invalid_argument` for quotes that don't end.
syncline::Result<std::vector<Word>> split_words(std::string_view line);

// null, true, false, whole numbers, numbers with a point; all else is a text.
syncline::Value value_of(const Word& word);

// The whole number that the word is, or nothing.
std::optional<std::int64_t> integer_of(const Word& word);

// A value as a person would type it. Bytes that don't print become \xHH.
std::string shown(const syncline::Value& value);

}  // namespace peer
