#include "sync/record.h"

#include <algorithm>

namespace syncline {
namespace {

void raise(std::vector<IndexedDot>& version, const IndexedDot& entry) {
  const auto it = std::find_if(version.begin(), version.end(),
                               [&](const IndexedDot& known) { return known.actor == entry.actor; });
  if (it == version.end()) {
    version.push_back(entry);
  } else {
    it->counter = std::max(it->counter, entry.counter);
  }
}

}  // namespace

void apply(const Record& record, Head& head) {
  head.hlc = std::max(head.hlc, record.hlc);
  if (record.cluster) head.cluster = record.cluster;
  for (const KeyspaceRecord& keyspace : record.keyspaces) {
    const auto it = std::find_if(head.keyspaces.begin(), head.keyspaces.end(),
                                 [&](const KeyspaceHead& known) { return known.name == keyspace.name; });
    if (keyspace.dropped) {
      if (it != head.keyspaces.end()) head.keyspaces.erase(it);
      std::erase_if(head.tokens, [&](const TokenRecord& one) { return one.keyspace == keyspace.name; });
      continue;
    }
    KeyspaceHead& stored = it != head.keyspaces.end() ? *it : head.keyspaces.emplace_back();
    stored.name = keyspace.name;
    stored.actors.insert(stored.actors.end(), keyspace.actors.begin(), keyspace.actors.end());
    for (const IndexedDot& entry : keyspace.version) raise(stored.version, entry);
    stored.digests = keyspace.digests;
    stored.frontier = keyspace.frontier;
    stored.leaf_count = keyspace.leaf_count;
    for (const auto& cut : keyspace.log_cut)
      std::erase_if(stored.log, [&](const LogRecord& entry) {
        return entry.actor == cut.first && entry.first == cut.second;
      });
    stored.log.insert(stored.log.end(), keyspace.log.begin(), keyspace.log.end());
    if (keyspace.staged_cleared) stored.staged.clear();
    stored.staged.insert(stored.staged.end(), keyspace.staged.begin(), keyspace.staged.end());
  }
  head.tokens.insert(head.tokens.end(), record.tokens.begin(), record.tokens.end());
  if (head.tokens.size() > Record::tokens_max)
    head.tokens.erase(head.tokens.begin(), head.tokens.end() - std::ptrdiff_t{Record::tokens_max});
}

}  // namespace syncline
