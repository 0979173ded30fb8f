#include "store/leaf_group.h"

#include <algorithm>
#include <vector>

namespace syncline {
namespace {

constexpr std::size_t batch_max = 256;      // Groups gathered by one scan...
constexpr std::size_t batch_first = 8;      // ...and by the first, in case the visitor soon has enough.
constexpr std::size_t same_group_max = 16;  // Leaves of one group to walk over rather than seek past.

}  // namespace

std::size_t parse_group(std::string_view leaf, LeafGroup& group) {
  group.key.clear();
  for (std::size_t i = 0; i + 2 < leaf.size(); ++i) {
    group.key.push_back(leaf[i]);
    if (leaf[i] != '\0') continue;
    if (leaf[i + 1] == '\x01') {
      group.key.pop_back();
      group.type = Type{static_cast<std::uint8_t>(leaf[i + 2])};
      return i + 3;
    }
    ++i;  // 0x00 0xFF: an escaped zero byte.
  }
  return 0;
}

void for_each_group(Reader& reader, std::string_view prefix,
                    absl::FunctionRef<bool(const LeafGroup& group)> visit) {
  std::string leaf_prefix;
  append_escaped_prefix(leaf_prefix, prefix);
  std::string from = leaf_prefix;
  std::size_t batch = batch_first;
  bool more = true;
  while (more) {
    more = false;
    std::vector<LeafGroup> groups;
    std::string current;  // What the leaves of the last group start with.
    std::size_t walked = 0;
    reader.scan_from(leaf_prefix, from, [&](std::string_view leaf, std::span<const LiveDotView>) {
      if (!current.empty() && leaf.starts_with(current)) {
        more = ++walked == same_group_max;
        return !more;
      }
      more = groups.size() == batch;
      if (more) return false;
      LeafGroup group;
      const std::size_t size = parse_group(leaf, group);
      if (size == 0) return true;
      current = leaf.substr(0, size);
      walked = 0;
      groups.push_back(std::move(group));
      return true;
    });
    if (reader.error()) return;
    for (const LeafGroup& group : groups) {
      if (!visit(group)) return;
    }
    from = prefix_end(current);
    more = more && !from.empty();
    batch = std::min(batch * 4, batch_max);
  }
}

}  // namespace syncline
