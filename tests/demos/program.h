// A program under test: started, talked to and ended as a person would.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace gossip {

struct TerminalSize {
  unsigned short rows = 24;
  unsigned short columns = 80;
};

class Program {
 public:
  // Runs `arguments` in a session of its own. Its input and output are a
  // terminal of that size, or pipes; errors go with the output.
  explicit Program(const std::vector<std::string>& arguments,
                   std::optional<TerminalSize> terminal = std::nullopt);
  Program(const Program&) = delete;
  ~Program();  // Ends what still runs.

  pid_t pid() const { return pid_; }
  void write(const std::string& text);
  void close_input();
  // Reads on until `text` was there; gives all that was read so far. Empty if the output ended before.
  std::string read_until(const std::string& text);
  // Reads to the end: until all that hold the output have ended. Gives all output from the start.
  std::string read_all();
  // The exit status, or 128 and the signal that ended it.
  int wait();

 private:
  bool read_more();

  pid_t pid_ = 0;
  int in_ = -1;   // What we write to.
  int out_ = -1;  // What we read from.
  bool waited_ = false;
  int status_ = 0;
  std::string output_;
};

// Runs a program to its end.
struct Outcome {
  int status = 0;
  std::string output;
};
Outcome run(const std::vector<std::string>& arguments, const std::string& input = {});

// A new folder, removed with its content at the end.
class Folder {
 public:
  Folder();
  Folder(const Folder&) = delete;
  ~Folder();
  std::string path(const std::string& name = {}) const { return name.empty() ? path_ : path_ + "/" + name; }
  std::string read(const std::string& name) const;

 private:
  std::string path_;
};

}  // namespace gossip
