#include "demos/gossip/git_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "demos/gossip/subprocess.h"

namespace gossip {
namespace {

using syncline::Blob;
using syncline::Errc;
using syncline::failure;
using syncline::Result;
using syncline::Value;

bool is_commit_id(std::string_view token) {
  // SHA-1 or SHA-256.
  return (token.size() == 40 || token.size() == 64) &&
         token.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// `git` in `path`, whatever the user's configuration says.
std::vector<std::string> git(const std::string& path, const std::vector<std::string>& arguments) {
  std::vector<std::string> all{"git", "-C", path, "-c", "log.showRoot=true", "-c", "log.showSignature=false"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return all;
}

// Calls `take` with each NUL-ended piece of git's answer.
Result<void> each_piece(const std::vector<std::string>& arguments,
                        const std::function<void(std::string)>& take) {
  std::string rest;
  auto read = read_output(arguments, [&](std::string_view bytes) {
    for (auto end = bytes.find('\0'); end != std::string_view::npos; end = bytes.find('\0')) {
      take(rest.append(bytes.substr(0, end)));
      rest.clear();
      bytes.remove_prefix(end + 1);
    }
    rest += bytes;
    return true;
  });
  if (read && !rest.empty()) take(rest);
  return read;
}

Result<std::vector<Commit>> read_commits(const std::string& path, std::optional<std::size_t> commits_max) {
  HistoryParser parser;
  Result<void> parsed;
  const auto full = [&] { return commits_max && parser.commits().size() >= *commits_max; };
  const auto read = read_output(git(path, {"log", "--first-parent", "-m", "--no-renames", "--name-status",
                                           "-z", "--reverse", "--no-color", "--no-relative", "--no-ext-diff",
                                           "--ignore-submodules=none", "--format=%H%x00%aN"}),
                                [&](std::string_view bytes) {
                                  parsed = parser.feed(bytes);
                                  return parsed && !full();
                                });
  if (!read) return tl::unexpected(read.error());
  if (parsed && !full()) parsed = parser.finish();
  if (!parsed) return tl::unexpected(parsed.error());
  if (full()) parser.commits().resize(*commits_max);
  return std::move(parser.commits());
}

}  // namespace

Result<void> HistoryParser::feed(std::string_view bytes) {
  for (auto end = bytes.find('\0'); end != std::string_view::npos; end = bytes.find('\0')) {
    rest_ += bytes.substr(0, end);
    bytes.remove_prefix(end + 1);
    auto handled = handle_token(rest_);
    if (!handled) return handled;
    rest_.clear();
  }
  rest_ += bytes;
  return {};
}

Result<void> HistoryParser::handle_token(std::string_view token) {
  switch (expect_) {
    case Expect::author:
      commit_.author = token;
      expect_ = Expect::entry;
      return {};
    case Expect::name:
      if (token.empty()) return failure(Errc::malformed, "git log: an empty file name");
      commit_.files.back().name = token;
      expect_ = Expect::entry;
      return {};
    case Expect::entry:
      if (token.starts_with('\n')) token.remove_prefix(1);  // Git's line between a commit and its files.
      if (token.size() == 1 && std::string_view("ADMT").find(token[0]) != std::string_view::npos) {
        commit_.files.push_back({token[0], {}});
        expect_ = Expect::name;
        return {};
      }
      commits_.push_back(std::move(commit_));
      [[fallthrough]];
    case Expect::header:
      if (!is_commit_id(token)) {
        return failure(Errc::malformed, "git log: neither a commit nor a status: " + printable(token));
      }
      commit_ = {.id = std::string(token), .author = {}, .files = {}};
      expect_ = Expect::author;
      return {};
  }
  return {};
}

Result<void> HistoryParser::finish() {
  if (!rest_.empty() || expect_ == Expect::author || expect_ == Expect::name) {
    return failure(Errc::malformed, "git log: ends in the middle");
  }
  if (expect_ == Expect::entry) commits_.push_back(std::move(commit_));
  expect_ = Expect::header;
  return {};
}

Result<History> read_history(const std::string& path, std::optional<std::size_t> commits_max) {
  History history;
  auto commits = read_commits(path, commits_max);
  if (!commits) return tl::unexpected(commits.error());
  history.commits = std::move(*commits);
  if (history.commits.empty()) return failure(Errc::invalid_argument, "no commits");

  const std::string& last = history.commits.back().id;
  auto listed = each_piece(git(path, {"ls-tree", "--full-tree", "-rz", "--name-only", last}),
                           [&](std::string name) { history.files.push_back(std::move(name)); });
  if (!listed) return tl::unexpected(listed.error());
  auto counted = each_piece(git(path, {"log", "--first-parent", "-z", "--no-color", "--format=%aN", last}),
                            [&](std::string author) { ++history.authored[author]; });
  if (!counted) return tl::unexpected(counted.error());
  return history;
}

Plan plan_of(const History& history, std::size_t peers, std::uint64_t seed, Assign assign) {
  Plan plan;
  plan.peers = peers;
  ElementOrder order;
  for (const auto& commit : history.commits) {
    const auto position = plan.changes.size();
    Change change;
    change.peer = hash_of(assign == Assign::by_author ? commit.author : commit.id, seed) % peers;
    change.operations.push_back({.kind = OperationKind::inc, .key = "commits/" + commit.author, .by = 1});
    for (const auto& file : commit.files) {
      if (file.status == 'A' || file.status == 'D') {
        const bool add = file.status == 'A';
        const auto& after = order.after("files", file.name, add, position);
        change.after.insert(change.after.end(), after.begin(), after.end());
        change.operations.push_back({.kind = add ? OperationKind::add : OperationKind::rem,
                                     .key = "files",
                                     .value = Blob{file.name}});
      }
      change.operations.push_back(
          {.kind = OperationKind::put, .key = "last", .field = file.name, .value = commit.id});
      plan.expected.maps["last"][file.name] = Value(commit.id).to_bytes();
    }
    std::sort(change.after.begin(), change.after.end());
    change.after.erase(std::unique(change.after.begin(), change.after.end()), change.after.end());
    plan.changes.push_back(std::move(change));
  }
  for (const auto& name : history.files) plan.expected.sets["files"].insert(Value(Blob{name}).to_bytes());
  for (const auto& [author, commits] : history.authored) {
    plan.expected.counters["commits/" + author] = commits;
  }
  plan.claims = {
      fmt::format("files: the {} names of git ls-tree -rz --name-only {}", plan.expected.sets["files"].size(),
                  history.commits.back().id.substr(0, 10)),
      fmt::format("commits/<author>: the counts of {} authors in git log --first-parent --format=%aN",
                  plan.expected.counters.size()),
      fmt::format("last/<file>: the last commit of each of {} files", plan.expected.maps["last"].size())};
  return plan;
}

}  // namespace gossip
