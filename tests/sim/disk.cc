#include "tests/sim/disk.h"

#include <utility>

namespace syncline::sim {
namespace {

constexpr std::string_view rotten = "\xff";  // The beginning of a number.

}  // namespace

Result<Head> Disk::load() {
  if (!proven_) forget_writers();
  Head head = proven_head();
  older_logs_.clear();
  for (KeyspaceHead& keyspace : head.keyspaces) {
    keyspace.log_later_max = keyspace.log.size();
    older_logs_.push_back({keyspace.name, std::exchange(keyspace.log, {})});
  }
  return head;
}

void Disk::heal() {
  full_ = fails_ = false;
  reads_until_failure_ = 0;
}

Result<void> Disk::commit(const Record& record) {
  if (full_) return failure(Errc::disk_full, "the simulated disk is full");
  if (std::exchange(fails_, false)) return failure(Errc::storage, "the simulated disk failed");
  for (const KeyspaceRecord& part : record.keyspaces) {
    const KeyspaceHead* const head = keyspace(part.name);
    const std::size_t actors = (head != nullptr ? head->actors.size() : 0) + part.actors.size();
    for (const IndexedDot& entry : part.version)
      if (entry.actor >= actors) return failure(Errc::damaged, "a version names no actor");
  }
  apply(record, head_);
  for (const KeyspaceRecord& part : record.keyspaces) {
    if (part.dropped) {
      leaves_.erase(part.name);
      versions_.erase(part.name);
      selves_.erase(part.name);
      continue;
    }
    if (part.self) selves_[part.name] = *part.self;
    Leaves& leaves = leaves_[part.name];
    for (const auto& [leaf, value] : part.leaves) {
      if (value.empty()) {
        leaves.erase(leaf);
      } else {
        leaves.insert_or_assign(leaf, value);
      }
    }
    const KeyspaceHead& head = *keyspace(part.name);
    for (const IndexedDot& entry : part.version)
      versions_[part.name].raise(head.actors[entry.actor], entry.counter);
  }
  return {};
}

bool Disk::read_fails() {
  if (reads_until_failure_ == 0 || --reads_until_failure_ != 0) return false;
  ++reads_failed_;
  return true;
}

Result<std::optional<std::string_view>> Disk::find(std::string_view keyspace, std::string_view leaf) {
  if (!read_fails()) return this->leaf(keyspace, leaf);
  if (hides_errors_) return std::nullopt;
  return failure(Errc::storage, "a simulated read failed");
}

Result<void> Disk::scan(std::string_view keyspace, std::string_view from,
                        absl::FunctionRef<bool(std::string_view leaf, std::string_view value)> visit) {
  if (read_fails()) return failure(Errc::storage, "a simulated read failed");
  const auto leaves = leaves_.find(keyspace);
  if (leaves == leaves_.end()) return {};
  for (auto at = leaves->second.lower_bound(from); at != leaves->second.end(); ++at)
    if (!visit(at->first, at->second)) break;
  return {};
}

Head Disk::proven_head() const {
  Head head = head_;
  for (KeyspaceHead& keyspace : head.keyspaces)
    if (const auto self = selves_.find(keyspace.name); self != selves_.end()) keyspace.self = self->second;
  return head;
}

const KeyspaceHead* Disk::keyspace(std::string_view name) const {
  for (const KeyspaceHead& head : head_.keyspaces)
    if (head.name == name) return &head;
  return nullptr;
}

const Version& Disk::version(std::string_view keyspace) const {
  static const Version none;
  const auto it = versions_.find(keyspace);
  return it == versions_.end() ? none : it->second;
}

std::optional<std::string_view> Disk::leaf(std::string_view keyspace, std::string_view leaf) const {
  const auto leaves = leaves_.find(keyspace);
  if (leaves == leaves_.end()) return std::nullopt;
  const auto found = leaves->second.find(leaf);
  if (found == leaves->second.end()) return std::nullopt;
  return found->second;
}

bool Disk::lose(std::string_view keyspace, std::string_view leaf) {
  const auto leaves = leaves_.find(keyspace);
  if (leaves == leaves_.end()) return false;
  const auto found = leaves->second.find(leaf);
  if (found == leaves->second.end()) return false;
  leaves->second.erase(found);
  return true;
}

bool Disk::rot(std::string_view keyspace, std::string_view leaf) {
  const auto leaves = leaves_.find(keyspace);
  if (leaves == leaves_.end()) return false;
  const auto found = leaves->second.find(leaf);
  if (found == leaves->second.end()) return false;
  found->second = rotten;
  return true;
}

bool Disk::is_rotten(std::string_view keyspace, std::string_view leaf) const {
  return this->leaf(keyspace, leaf) == rotten;
}

void Disk::set_digests(std::string_view keyspace, const DigestPair& digests) {
  for (KeyspaceHead& head : head_.keyspaces)
    if (head.name == keyspace) head.digests = digests;
}

}  // namespace syncline::sim
