// The commands of the notebook: one line in, lines out.
#pragma once

#include <syncline/net.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace notes {

class Notebook {
 public:
  // Prints by `print`, which may be called from any thread. `node` joins nobody by itself.
  Notebook(syncline::Replica& replica, syncline::Node& node, std::function<void(const std::string&)> print);

  // Runs one line. False when it was the last.
  bool run(std::string_view line);

 private:
  struct Command {
    const char* name;
    const char* arguments;
    const char* help;
    std::size_t least;
    void (Notebook::*run)(const std::vector<std::string>& words);
  };
  static const std::vector<Command>& commands();

  void add(const std::vector<std::string>& words);
  void edit(const std::vector<std::string>& words);
  void tag(const std::vector<std::string>& words);
  void untag(const std::vector<std::string>& words);
  void remove(const std::vector<std::string>& words);
  void list(const std::vector<std::string>& words);
  void sync(const std::vector<std::string>& words);
  void help(const std::vector<std::string>& words);

  void write(const std::function<void(syncline::Update&)>& update);
  // The whole id of the note whose id begins so; complains if there isn't exactly one.
  std::optional<std::string> note_of(const std::string& start);
  std::vector<std::string> notes();
  std::string tags_of(const std::string& id);
  void tell(const syncline::Event& event) const;

  syncline::Keyspace keyspace_;
  syncline::Node& node_;
  std::function<void(const std::string&)> print_;
  syncline::Subscription watch_;  // Last: it calls what stands above.
};

}  // namespace notes
