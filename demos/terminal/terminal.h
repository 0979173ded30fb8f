// Standard input and output of a program that a person talks to, or a pipe.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace terminal {

// From here on SIGINT, SIGTERM and SIGHUP end serve() instead of the process. Once, before
// other threads start. False if the system has no pipe for it.
bool catch_signals();

class Terminal {
 public:
  Terminal();

  // A whole line, from any thread. What comes while the person types goes on a line of its own;
  // what was typed still counts.
  void print(const std::string& line);
  // Gives `run` each line of the input, without its end, until it returns false or the input is
  // over. False if a signal ended it.
  bool serve(const std::function<bool(std::string_view line)>& run);
  // A person on both ends: then there is a prompt.
  bool interactive() const { return interactive_; }

 private:
  void prompt(bool on);

  std::mutex mutex_;
  const bool interactive_;
  bool prompted_ = false;
};

}  // namespace terminal
