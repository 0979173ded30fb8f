// Two replicas that meet: what a network would carry changes hands.
#pragma once

#include <syncline/store.h>

#include <functional>

namespace stories {

// Ends the program if it was given arguments, which a story takes none of: --help tells `about`, anything
// else is answered with how to use it.
void take_no_arguments(int count, char** arguments, const char* about);
// Ends the program with a line that says what failed.
[[noreturn]] void give_up(const syncline::Error& error);

// What a call answered, or the end.
template <class T>
T must(syncline::Result<T> result) {
  if (!result) give_up(result.error());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// A replica in memory.
syncline::Replica open();
// Lets the two talk until each found the other equal; then, still on the line, does `meanwhile` and lets
// them talk on until they are equal again.
void meet(syncline::Replica& a, syncline::Replica& b, const std::function<void()>& meanwhile = {});

// One line of the story, and a check of it: prints `text`, and "  WRONG" if it isn't so.
void say(const char* text);
void check(bool is_so, const char* why);
// The exit status: 0 if all that was checked is so.
int outcome();

}  // namespace stories
