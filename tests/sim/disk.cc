#include "tests/sim/disk.h"

namespace syncline::sim {

Disk::Disk(const Disk& other) : versions_(other.versions_), head_(other.head_) {
  for (const auto& [name, leaves] : other.leaves_) {
    for (auto at = leaves.begin(); at.valid(); at.next()) leaves_[name].put(at.key(), at.value());
  }
}

void Disk::commit(const Record& record) {
  apply(record, head_);
  for (const KeyspaceRecord& part : record.keyspaces) {
    if (part.dropped) {
      leaves_.erase(part.name);
      versions_.erase(part.name);
      continue;
    }
    LeafTable& leaves = leaves_[part.name];
    for (const auto& [leaf, value] : part.leaves) {
      if (value.empty()) {
        leaves.erase(leaf);
      } else {
        leaves.put(leaf, value);
      }
    }
    const KeyspaceHead& head = *keyspace(part.name);
    for (const IndexedDot& entry : part.version)
      versions_[part.name].raise(head.actors.at(entry.actor), entry.counter);
  }
}

Result<std::optional<std::string_view>> Disk::find(std::string_view keyspace, std::string_view leaf) {
  return leaves(keyspace).find(leaf);
}

Result<void> Disk::scan(std::string_view keyspace, std::string_view from,
                        absl::FunctionRef<bool(std::string_view leaf, std::string_view value)> visit) {
  for (auto at = leaves(keyspace).lower_bound(from); at.valid(); at.next()) {
    if (!visit(at.key(), at.value())) break;
  }
  return {};
}

const KeyspaceHead* Disk::keyspace(std::string_view name) const {
  for (const KeyspaceHead& head : head_.keyspaces) {
    if (head.name == name) return &head;
  }
  return nullptr;
}

const Version& Disk::version(std::string_view keyspace) const {
  static const Version none;
  const auto it = versions_.find(keyspace);
  return it == versions_.end() ? none : it->second;
}

const LeafTable& Disk::leaves(std::string_view keyspace) const {
  static const LeafTable none;
  const auto it = leaves_.find(keyspace);
  return it == leaves_.end() ? none : it->second;
}

void Disk::set_digests(std::string_view keyspace, const DigestPair& digests) {
  for (KeyspaceHead& head : head_.keyspaces)
    if (head.name == keyspace) head.digests = digests;
}

bool Disk::lose(std::string_view keyspace, std::string_view leaf) {
  const auto it = leaves_.find(keyspace);
  return it != leaves_.end() && it->second.erase(leaf);
}

}  // namespace syncline::sim
