// The commands of the interactive peer.
#pragma once

#include <syncline/net.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "demos/peer/words.h"

namespace peer {

class Shell {
 public:
  // `print` gets whole lines, from any thread. All must outlive the shell.
  Shell(syncline::Keyspace keyspace, syncline::Node& node, std::function<void(const std::string&)> print);

  // Does what the line says. False when it says quit.
  bool run(std::string_view line);
  // What others don't have yet, and how far this peer is.
  std::string standing() const;

 private:
  using Words = std::vector<Word>;

  struct Command {
    const char* name;
    const char* arguments;
    const char* help;
    std::size_t least, most;  // Words behind the name.
    void (Shell::*run)(const Words&);
  };
  static const std::vector<Command>& commands();

  void inc(const Words& words);
  void add(const Words& words);
  void rem(const Words& words);
  void put(const Words& words);
  void get(const Words& words);
  void erase(const Words& words);
  void show(const Words& words);
  void peers(const Words& words);
  void watch(const Words& words);
  void unwatch(const Words& words);
  void status(const Words& words);
  void sync(const Words& words);
  void help(const Words& words);

  // Commits what `write` writes and says how it stands then.
  void update(const std::function<void(syncline::Update&)>& write, const std::string& key);
  // One line a key, of those that start with `prefix` or are `prefix`.
  void list(const std::string& prefix, bool exactly);
  syncline::Result<std::string> content(const std::string& key, syncline::Type type) const;
  void tell(const syncline::EventBatch& batch) const;
  void complain(const syncline::Error& error) const;

  syncline::Keyspace keyspace_;
  syncline::Node& node_;
  std::function<void(const std::string&)> print_;
  std::optional<syncline::Subscription> watch_;
};

}  // namespace peer
