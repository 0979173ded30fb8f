#include "demos/gossip/plan.h"

#include <fmt/format.h>

#include <algorithm>

namespace gossip {
namespace {

// splitmix64's finaliser.
std::uint64_t mixed(std::uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9U;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebU;
  x ^= x >> 31;
  return x;
}

std::string shown(std::string_view canonical) {
  const auto value = syncline::Value::from_bytes(canonical);
  if (!value) return printable(canonical);
  if (const auto* text = value->text()) return '"' + printable(*text) + '"';
  if (const auto* blob = value->blob()) return '"' + printable(blob->bytes) + '"';
  if (const auto* integer = value->integer()) return fmt::format("{}", *integer);
  if (const auto* real = value->real()) return fmt::format("{}", *real);
  if (const auto* boolean = value->boolean()) return fmt::format("{}", *boolean);
  return "null";
}

// Collects differences; all are counted, the first ones kept.
class Listing {
 public:
  explicit Listing(std::size_t lines_max) : lines_max_(lines_max) {}

  void add(std::string line) {
    if (++count_ <= lines_max_) lines_.push_back(std::move(line));
  }
  std::vector<std::string> take() {
    if (count_ > lines_max_) lines_.push_back(fmt::format("... and {} more", count_ - lines_max_));
    return std::move(lines_);
  }

 private:
  std::size_t lines_max_;
  std::size_t count_ = 0;
  std::vector<std::string> lines_;
};

// Calls visit(key, expected or nullptr, found or nullptr) for each key of either.
template <typename T, typename Visit>
void side_by_side(const std::map<std::string, T>& expected, const std::map<std::string, T>& found,
                  Visit visit) {
  auto e = expected.begin();
  auto f = found.begin();
  while (e != expected.end() || f != found.end()) {
    if (f == found.end() || (e != expected.end() && e->first < f->first)) {
      visit(e->first, &e->second, static_cast<const T*>(nullptr));
      ++e;
    } else if (e == expected.end() || f->first < e->first) {
      visit(f->first, static_cast<const T*>(nullptr), &f->second);
      ++f;
    } else {
      visit(e->first, &e->second, &f->second);
      ++e, ++f;
    }
  }
}

void compare_sets(const std::string& key, const std::set<std::string>& expected,
                  const std::set<std::string>& found, Listing& out) {
  for (const auto& element : expected) {
    if (!found.contains(element)) out.add(fmt::format("set {} lacks {}", printable(key), shown(element)));
  }
  for (const auto& element : found) {
    if (!expected.contains(element)) {
      out.add(fmt::format("set {} has {} which isn't expected", printable(key), shown(element)));
    }
  }
}

void compare_values(const std::string& place, const std::string* expected, const std::string* found,
                    Listing& out) {
  if (expected != nullptr && found != nullptr && *expected == *found) return;
  out.add(fmt::format("{} is {}, expected {}", printable(place), found != nullptr ? shown(*found) : "absent",
                      expected != nullptr ? shown(*expected) : "absent"));
}

}  // namespace

std::uint64_t hash_of(std::string_view text, std::uint64_t seed) {
  std::uint64_t hash = mixed(seed + 0x9e3779b97f4a7c15U);
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;  // FNV-1a.
  return mixed(hash);
}

const std::vector<std::size_t>& ElementOrder::after(const std::string& key, const std::string& element,
                                                    bool add, std::size_t position) {
  Runs& runs = elements_[key][element];
  if (runs.adding != add) {
    runs.adding = add;
    runs.before = std::move(runs.now);
    runs.now.clear();
  }
  runs.now.push_back(position);
  return runs.before;
}

std::uint64_t own_bytes(const Plan& plan) {
  std::uint64_t sum = 0;
  for (const auto& change : plan.changes) {
    for (const auto& operation : change.operations) {
      sum += operation.key.size();
      if (operation.field) sum += operation.field->size();
      if (operation.kind == OperationKind::inc) {
        sum += sizeof operation.by;
      } else if (const auto* text = operation.value.text()) {
        sum += text->size();
      } else if (const auto* blob = operation.value.blob()) {
        sum += blob->bytes.size();
      } else {
        sum += operation.value.to_bytes().size();
      }
    }
  }
  return sum;
}

std::vector<std::string> differences(const Contents& expected, const Contents& found, std::size_t lines_max) {
  Listing out(lines_max);
  side_by_side(expected.counters, found.counters,
               [&](const std::string& key, const std::int64_t* e, const std::int64_t* f) {
                 const std::int64_t wanted = e != nullptr ? *e : 0;
                 const std::int64_t got = f != nullptr ? *f : 0;
                 if (wanted != got) {
                   out.add(fmt::format("counter {} is {}, expected {}", printable(key), got, wanted));
                 }
               });
  static const std::set<std::string> no_elements;
  side_by_side(expected.sets, found.sets,
               [&](const std::string& key, const std::set<std::string>* e, const std::set<std::string>* f) {
                 compare_sets(key, e != nullptr ? *e : no_elements, f != nullptr ? *f : no_elements, out);
               });
  using Fields = std::map<std::string, std::string>;
  static const Fields no_fields;
  side_by_side(expected.maps, found.maps, [&](const std::string& key, const Fields* e, const Fields* f) {
    side_by_side(e != nullptr ? *e : no_fields, f != nullptr ? *f : no_fields,
                 [&](const std::string& field, const std::string* wanted, const std::string* got) {
                   compare_values(key + "/" + field, wanted, got, out);
                 });
  });
  side_by_side(expected.registers, found.registers,
               [&](const std::string& key, const std::string* e, const std::string* f) {
                 compare_values(key, e, f, out);
               });
  return out.take();
}

std::string printable(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || byte == '\\' || byte == '"') {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace gossip
