#include "tests/tidy/house_rules.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <optional>

namespace syncline::tidy {
namespace {

using Words = std::vector<std::string_view>;

// In the order in which they may know each other.
constexpr std::array<std::string_view, 5> rooms = {"crdt", "wire", "sync", "store", "net"};

bool is_one_of(std::string_view word, const Words& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string_view first_folder(std::string_view path) {
  const auto slash = path.find('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

// The place of a folder in the line, or nothing for what is no room.
std::optional<std::size_t> rank(std::string_view folder) {
  const auto at = std::find(rooms.begin(), rooms.end(), folder);
  if (at == rooms.end()) return std::nullopt;
  return static_cast<std::size_t>(at - rooms.begin());
}

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// `text` with comments and the contents of string and character literals blanked. Line breaks stay,
// and so do the names in #include "...": they are literals only by looks.
std::string code_of(std::string_view text) {
  std::string code(text);
  const auto blank = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to && i < code.size(); ++i) {
      if (code[i] != '\n') code[i] = ' ';
    }
  };
  const auto line_is_include = [&](std::size_t at) {
    const auto start = text.rfind('\n', at) + 1;  // npos + 1 is 0: the first line.
    const auto hash = text.find_first_not_of(" \t", start);
    return text[hash] == '#' && text.find("include", hash) < at;
  };
  // Where the next `mark` from `from` on ends: at the end of the text if there is none.
  const auto past = [&](std::string_view mark, std::size_t from) {
    const auto at = text.find(mark, from);
    return at == std::string_view::npos ? text.size() : at + mark.size();
  };
  std::size_t i = 0;
  while (i < text.size()) {
    const auto rest = text.substr(i);
    std::size_t end = i + 1;
    if (rest.starts_with("//")) {
      end = std::min(text.find('\n', i), text.size());
      blank(i, end);
    } else if (rest.starts_with("/*")) {
      end = past("*/", i + 2);
      blank(i, end);
    } else if (rest.starts_with("R\"") && (i == 0 || !is_word(text[i - 1]))) {
      const auto open = std::min(text.find('(', i), text.size());
      const std::string close = ")" + std::string(text.substr(i + 2, open - i - 2)) + "\"";
      end = past(close, open);
      blank(i + 2, end - 1);
    } else if (text[i] == '"' || (text[i] == '\'' && (i == 0 || !is_word(text[i - 1])))) {
      // A ' after a word character separates digits.
      while (end < text.size() && text[end] != text[i] && text[end] != '\n') {
        end += text[end] == '\\' ? 2U : 1U;
      }
      if (!line_is_include(i)) blank(i + 1, end);
      ++end;
    }
    i = end;
  }
  return code;
}

// Whether `token` occurs in `line` with no word character going on at either end.
bool mentions(std::string_view line, std::string_view token) {
  for (auto at = line.find(token); at != std::string_view::npos; at = line.find(token, at + 1)) {
    const auto after = at + token.size();
    const bool starts = at == 0 || !is_word(token.front()) || !is_word(line[at - 1]);
    const bool ends = after >= line.size() || !is_word(token.back()) || !is_word(line[after]);
    if (starts && ends) return true;
  }
  return false;
}

struct Include {
  std::string_view name;
  bool quoted;
};

std::optional<Include> include_of(std::string_view line) {
  const auto hash = line.find_first_not_of(" \t");
  if (hash == std::string_view::npos || line[hash] != '#') return std::nullopt;
  const auto word = line.find_first_not_of(" \t", hash + 1);
  if (word == std::string_view::npos || !line.substr(word).starts_with("include")) return std::nullopt;
  const auto open = line.find_first_of("<\"", word);
  if (open == std::string_view::npos) return std::nullopt;
  const bool quoted = line[open] == '"';
  const auto close = line.find(quoted ? '"' : '>', open + 1);
  if (close == std::string_view::npos) return std::nullopt;
  return Include{line.substr(open + 1, close - open - 1), quoted};
}

// The C++ library names its headers without a dot.
bool is_standard(std::string_view name) { return name.find_first_of("./") == std::string_view::npos; }

bool is_posix(std::string_view name) {
  static const Words headers = {"arpa/inet.h",    "dirent.h",   "errno.h",      "fcntl.h",     "netdb.h",
                                "poll.h",         "pthread.h",  "signal.h",     "spawn.h",     "stdio.h",
                                "stdlib.h",       "string.h",   "termios.h",    "time.h",      "unistd.h",
                                "wchar.h",        "locale.h",   "netinet/in.h", "sys/un.h",    "sys/wait.h",
                                "sys/types.h",    "sys/stat.h", "sys/socket.h", "sys/ioctl.h", "sys/prctl.h",
                                "sys/resource.h", "sys/time.h"};
  return is_one_of(name, headers);
}

bool is_pure_room(std::string_view folder) {
  return folder == "crdt" || folder == "wire" || folder == "sync";
}

// The test folder of a room may look where its room may.
bool is_at_home(std::string_view path, std::string_view room) {
  return path.starts_with(std::string(room) + "/") || path.starts_with("tests/" + std::string(room) + "/");
}

class Checker {
 public:
  explicit Checker(std::string_view path) : path_(path), folder_(first_folder(path)) {}

  void check_cpp(std::string_view text) {
    const std::string code = code_of(text);
    if (path_.ends_with(".h")) {
      if (code.find("#pragma once") == std::string::npos) report(1, "a header without #pragma once");
      check_header_name();
    }
    each_line(code, [this](std::string_view line) {
      if (const auto include = include_of(line)) {
        check_include(*include);
      } else {
        check_tokens(line);
      }
    });
  }

  void check_machine_paths(std::string_view text) {
    // In two halves, or this file would be the first that it finds.
    static const std::vector<std::string> places = {std::string("/ho") + "me/", std::string("/ro") + "ot/",
                                                    std::string("/wo") + "rk/", std::string("/fa") + "rm/"};
    each_line(text, [this](std::string_view line) {
      for (const auto& place : places) {
        const auto at = line.find(place);
        if (at == std::string_view::npos) continue;
        // "framework/..." and "$HOME/..." are names of something else.
        const bool begins = at == 0 || (!is_word(line[at - 1]) && line[at - 1] != '.' && line[at - 1] != '}');
        if (begins) report("a path of one machine: " + place);
      }
    });
  }

  std::vector<std::string> take() { return std::move(found_); }

 private:
  void report(std::size_t line, std::string_view what) {
    found_.push_back(std::string(path_) + ":" + std::to_string(line) + ": " + std::string(what));
  }
  void report(std::string_view what) { report(line_, what); }

  template <typename Do>
  void each_line(std::string_view text, Do&& check) {
    line_ = 0;
    while (!text.empty()) {
      ++line_;
      const auto end = std::min(text.find('\n'), text.size());
      check(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  void check_header_name() {
    // Installed headers share an include path with glibc's folder net/.
    static const Words taken = {"net/ethernet.h", "net/if.h",      "net/if_arp.h",   "net/if_packet.h",
                                "net/if_ppp.h",   "net/if_slip.h", "net/ppp_defs.h", "net/route.h"};
    if (is_one_of(path_, taken)) report(1, "glibc has a header of this name");
  }

  void check_include(const Include& include) {
    const auto name = include.name;
    const auto target = first_folder(name);
    const auto mine = rank(folder_);
    const auto its = rank(target);
    const bool aside = is_one_of(target, {"tests", "demos", "bench"});
    if (include.quoted) {
      if (mine && its && *its > *mine) report("points the wrong way: " + std::string(name));
      if (aside && target != folder_ && !is_at_home(path_, target)) {
        report("nothing includes " + std::string(target) + "/: " + std::string(name));
      }
      if (target.empty()) report("own headers are named from the root: " + std::string(name));
    }
    check_owner(name);
    const bool own = include.quoted && (its || aside || target.empty());
    if (folder_ == "crdt" && !own && !is_standard(name) && name != "tl/expected.hpp") {
      report("crdt/ includes only std and tl/expected: " + std::string(name));
    }
    if (is_pure_room(folder_) && !include.quoted) check_pure_include(name);
    if (folder_ == "demos") check_demo_include(include);
  }

  void check_owner(std::string_view name) {
    const bool bench = folder_ == "bench";  // Floors are measured against the raw library.
    if ((name == "uv.h" || name.starts_with("uv/")) && !is_at_home(path_, "net") && !bench) {
      report("only net/ includes uv.h");
    }
    if (name == "sqlite3.h" && !is_at_home(path_, "store") && !bench) {
      report("only store/ includes sqlite3.h");
    }
    if (name.starts_with("capnp/") || name.starts_with("kj/") || name.ends_with(".capnp.h")) {
      if (!is_at_home(path_, "wire")) {
        report("only wire/ includes Cap'n Proto: " + std::string(name));
      } else if (path_.ends_with(".h")) {
        report("no header shows Cap'n Proto: " + std::string(name));
      }
    }
  }

  void check_pure_include(std::string_view name) {
    static const Words banned = {"thread",     "mutex",     "shared_mutex", "condition_variable",
                                 "future",     "semaphore", "latch",        "barrier",
                                 "stop_token", "fstream",   "filesystem",   "random",
                                 "iostream",   "ctime",     "csignal"};
    if (is_one_of(name, banned) || (!is_standard(name) && is_posix(name)) || name.starts_with("sys/")) {
      report("the core has no thread, file, clock or chance: <" + std::string(name) + ">");
    }
  }

  void check_demo_include(const Include& include) {
    const auto name = include.name;
    const bool own = include.quoted && name.starts_with("demos/");
    const bool known =
        !include.quoted && (is_standard(name) || name.starts_with("syncline/") || name.starts_with("fmt/") ||
                            name.starts_with("nlohmann/") || is_posix(name));
    if (!own && !known)
      report("demos include <syncline/...>, fmt, nlohmann and the system: " + std::string(name));
  }

  void check_tokens(std::string_view line) {
    static const Words impure = {
        "::now(",  "std::thread",  "std::jthread",  "std::mutex", "std::async",     "fopen",
        "freopen", "std::rand",    "rand(",         "srand",      "getenv",         "random_device",
        "mt19937", "gettimeofday", "clock_gettime", "getrandom",  "pthread_create", "time(nullptr)"};
    static const Words waits = {"sleep_for", "sleep_until", "usleep", "nanosleep", "sleep("};
    for (const auto token : impure) {
      if (is_pure_room(folder_) && mentions(line, token)) {
        report("the core has no thread, file, clock or chance: " + std::string(token));
      }
    }
    for (const auto token : waits) {
      if ((is_pure_room(folder_) || folder_ == "tests") && mentions(line, token)) {
        report("nothing here sleeps: " + std::string(token));
      }
    }
  }

  std::string_view path_;
  std::string_view folder_;
  std::size_t line_ = 0;
  std::vector<std::string> found_;
};

}  // namespace

std::vector<std::string> check_file(std::string_view path, std::string_view text) {
  Checker checker(path);
  checker.check_machine_paths(text);
  // Consumers are somebody else's programs: they see the installed package only.
  const bool outside = path.starts_with("tests/consumer/");
  if (!outside && (path.ends_with(".h") || path.ends_with(".cc"))) checker.check_cpp(text);
  return checker.take();
}

}  // namespace syncline::tidy
