// Reads a git history as the replay needs it. Names and authors are bytes.
#pragma once

#include <syncline/net.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "demos/gossip/plan.h"

namespace gossip {

struct FileStatus {
  char status = 0;  // A, D, M or T, against the first parent.
  std::string name;
};

struct Commit {
  std::string id;
  std::string author;
  std::vector<FileStatus> files;
};

// Takes the output of `git log -z --name-status --format=%H%x00%aN` apart, piece by piece.
class HistoryParser {
 public:
  // Takes the next bytes. `malformed` at what git doesn't write.
  syncline::Result<void> feed(std::string_view bytes);
  // The output is over.
  syncline::Result<void> finish();
  // Commits whose files may still go on are not among them before finish().
  std::vector<Commit>& commits() { return commits_; }

 private:
  syncline::Result<void> handle_token(std::string_view token);

  enum class Expect { header, author, entry, name } expect_ = Expect::header;
  std::string rest_;  // A token that hasn't ended yet.
  Commit commit_;
  std::vector<Commit> commits_;
};

struct History {
  std::vector<Commit> commits;                   // The oldest first.
  std::vector<std::string> files;                // Of the last of them: `git ls-tree`.
  std::map<std::string, std::int64_t> authored;  // Commits by author: `git log --format=%aN`.
};

// Runs git in `path` and reads the first-parent history, its oldest `commits_max` commits at most.
syncline::Result<History> read_history(const std::string& path, std::optional<std::size_t> commits_max);

// What decides which peer makes a commit's change.
enum class Assign { by_commit, by_author };

// One change for each commit: counter commits/<author>, set files, map last. The
// expectation comes from git's own answers, not from the changes.
Plan plan_of(const History& history, std::size_t peers, std::uint64_t seed, Assign assign);

}  // namespace gossip
