// The commands of the notebook.
#pragma once

#include <syncline/net.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "demos/notes/notebook.h"

namespace notes {

class Shell {
 public:
  using Print = std::function<void(const std::string&)>;

  // `print` gets whole lines, from any thread. All must outlive the shell.
  Shell(Notebook& notebook, syncline::Node& node, Print print);

  // Does what the line says. False when it says quit.
  bool run(std::string_view line);

 private:
  struct Command {
    const char* name;
    const char* arguments;
    const char* help;
    bool wants_mark;  // The first word behind the name calls a note...
    bool wants_text;  // ...and there is something behind that.
    void (Shell::*run)(const std::string& mark, const std::string& text);
  };
  static const std::vector<Command>& commands();

  void add(const std::string&, const std::string& text);
  void edit(const std::string& mark, const std::string& text);
  void tag(const std::string& mark, const std::string& tag);
  void untag(const std::string& mark, const std::string& tag);
  void remove(const std::string& mark, const std::string&);
  void list(const std::string&, const std::string& tag);
  void offline(const std::string&, const std::string&);
  void online(const std::string&, const std::string&);
  void sync(const std::string&, const std::string&);
  void status(const std::string&, const std::string&);
  void help(const std::string&, const std::string&);

  // Shows the note after a change of it, or why there was none.
  void show(const std::string& mark, const syncline::Result<void>& changed);
  void complain(const syncline::Error& error);

  Notebook& notebook_;
  syncline::Node& node_;
  Print print_;
  bool offline_ = false;
};

}  // namespace notes
