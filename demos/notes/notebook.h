// Notes in a keyspace.
//
// A note is two objects under one key, "note/<time><mark>": its text, a register that
// keeps concurrent edits side by side, and its tags, a set in which adding wins.
#pragma once

#include <syncline/net.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace notes {

struct Note {
  std::string mark;                // Four letters, to call it by.
  std::vector<std::string> texts;  // Several when it was edited in several places at once.
  std::vector<std::string> tags;   // Sorted.
};

// One line, or one a text: "rmtk  Buy milk  #shopping".
std::string shown(const Note& note);

class Notebook {
 public:
  // `draw` gives random bits, for marks; `clock` milliseconds since 1970, for the order of notes.
  Notebook(syncline::Keyspace keyspace, std::function<std::uint64_t()> draw,
           std::function<std::uint64_t()> clock);

  // Each is one atomic change. A note can be called by its mark or by more of its key's end, should
  // two have one mark.
  syncline::Result<std::string> add(const std::string& text);  // Returns the new note's mark.
  syncline::Result<void> edit(std::string_view mark, const std::string& text);
  syncline::Result<void> tag(std::string_view mark, const std::string& tag);
  syncline::Result<void> untag(std::string_view mark, const std::string& tag);
  // Deletes what is seen of it here: an edit made elsewhere at the same time brings it back with that text.
  syncline::Result<void> remove(std::string_view mark);

  syncline::Result<Note> read(std::string_view mark) const;
  // All, or those with that tag, in the order in which they were made.
  syncline::Result<std::vector<Note>> list(const std::string& tag = {}) const;

  const syncline::Keyspace& keyspace() const { return keyspace_; }

 private:
  // The note's key; `invalid_argument` if there is none, or more than one.
  syncline::Result<std::string> find(std::string_view mark) const;
  syncline::Result<Note> read_key(const std::string& key) const;
  syncline::Result<void> write(std::string_view mark,
                               const std::function<void(syncline::Update&, const std::string& key)>& write);

  syncline::Keyspace keyspace_;
  std::function<std::uint64_t()> draw_;
  std::function<std::uint64_t()> clock_;
};

}  // namespace notes
