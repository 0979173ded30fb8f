// What the peers of a run shall do, and what must stand at its end.
//
// A plan is made from a git history (git_history.h) or from a trace (trace.h).
// Its changes have positions 0, 1, 2...; each names the peer that makes it and
// the changes that this peer must have seen before. Nothing else is ordered.
#pragma once

#include <syncline/net.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace gossip {

enum class OperationKind : std::uint8_t { inc, add, rem, put };

// One operation of a change. Keys and fields are bytes.
struct Operation {
  OperationKind kind{};
  std::string key;
  std::optional<std::string> field;  // put: of a map; without it a register is meant.
  std::int64_t by = 0;               // inc
  syncline::Value value;             // add, rem: the element; put: the value.
};

// One atomic change.
struct Change {
  std::size_t peer = 0;
  std::vector<Operation> operations;
  std::vector<std::size_t> after;  // Positions that its peer must have seen. All of them are smaller.
};

// What a keyspace holds, in plain containers. Elements and values are canonical bytes (Value::to_bytes).
struct Contents {
  std::map<std::string, std::int64_t> counters;
  std::map<std::string, std::set<std::string>> sets;
  std::map<std::string, std::map<std::string, std::string>> maps;
  std::map<std::string, std::string> registers;
};

struct Plan {
  std::string source;  // For people: where it comes from.
  std::size_t peers = 0;
  std::vector<Change> changes;
  Contents expected;
  std::vector<std::string> claims;  // For people: what it means that a peer holds what is expected.
};

// A well-mixed hash of `text`, the same on every machine; another seed gives another hash.
std::uint64_t hash_of(std::string_view text, std::uint64_t seed);

// Gives out the positions that an add or a remove of an element must come
// after: an add after the last removes, a remove after the last adds (you can
// only remove what you have). With that the outcome is that of the plan's order.
class ElementOrder {
 public:
  // Notes that the change at `position` adds or removes the element, and says what it must come after.
  const std::vector<std::size_t>& after(const std::string& key, const std::string& element, bool add,
                                        std::size_t position);

 private:
  struct Runs {
    bool adding = false;
    std::vector<std::size_t> before;  // The last changes of the other kind...
    std::vector<std::size_t> now;     // ...and those of this kind since.
  };
  std::map<std::string, std::map<std::string, Runs>> elements_;
};

// Bytes of the changes' own keys, fields, elements and values; a count is eight bytes.
std::uint64_t own_bytes(const Plan& plan);

// Where `found` differs from `expected`: one line each, at most `lines_max` and then how many more.
// Empty when they are equal. A counter of 0 and an empty collection are like none.
std::vector<std::string> differences(const Contents& expected, const Contents& found, std::size_t lines_max);

// `bytes` as one line for people: what isn't printable becomes \xHH.
std::string printable(std::string_view bytes);

}  // namespace gossip
