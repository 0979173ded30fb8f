// Makes the sample store, and finds out whether a file holds it: what one commit
// made, another's program checks (tests/store/earlier_commit). A golden store of a
// new format is one that this made.
#include "tests/store/sample_store.h"

#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>

namespace syncline {
namespace {

// The same ids and times each time: equal stores have equal digests.
ReplicaOptions options(std::string path, std::uint64_t seed) {
  constexpr Time then{std::chrono::hours(1), std::chrono::hours(24 * 365 * 50)};
  ReplicaOptions all;
  all.path = std::move(path);
  all.engine.entropy = {seed, seed + 1, seed + 2, seed + 3};
  all.clock = [=] { return then; };
  return all;
}

int failed(const std::string& what) {
  std::fprintf(stderr, "sample_store: %s\n", what.c_str());
  return 1;
}

int make(const std::string& path, bool killed) {
  auto replica = Replica::open(options(path, 1'000));
  if (!replica) return failed(to_string(replica.error()));
  if (const auto filled = fill_sample(*replica); !filled) return failed(to_string(filled.error()));
  if (killed) ::_exit(0);  // The write-ahead log stays.
  return 0;
}

// Why what is in the keyspace isn't what it is in `twin`; nothing if it is.
std::string difference(Replica& replica, Replica& twin, const char* name) {
  const auto found = replica.keyspace(name).to_json();
  const auto wanted = twin.keyspace(name).to_json();
  if (!found || !wanted) return to_string((!found ? found : wanted).error());
  if (*found != *wanted) return std::string(name) + " holds " + *found;
  if (replica.keyspace(name).digests() != twin.keyspace(name).digests())
    return std::string(name) + " has other digests";
  return {};
}

int check(const std::string& path) {
  auto twin = Replica::open(options({}, 1'000));
  auto replica = Replica::open(options(path, 2'000));
  if (!replica) return failed(to_string(replica.error()));
  if (const auto filled = fill_sample(*twin); !filled) return failed(to_string(filled.error()));
  for (const char* name : {"shop", "diary"})
    if (const auto other = difference(*replica, *twin, name); !other.empty()) return failed(other);
  Keyspace shop = replica->keyspace("shop");
  const auto changed = shop.changes_since({});
  if (!changed || changed->size() != 4) return failed("the log doesn't name what changed");
  const auto again = shop.update("a request", [](auto& tx) { tx.counter("stock/apples").add(-2); });
  const auto fresh = shop.update([](auto& tx) { tx.counter("stock/apples").add(1); });
  if (!again || !fresh) return failed(to_string((!again ? again : fresh).error()));
  const auto apples = shop.counter("stock/apples").total();
  if (!apples || *apples != 11) return failed("a request was done twice");
  std::printf("%s opens, holds what it held, and is written to\n", path.c_str());
  return 0;
}

int run(int argc, char** argv) {
  const std::string what = argc == 3 ? argv[1] : "";
  if (what == "make" || what == "make-killed") return make(argv[2], what == "make-killed");
  if (what == "check") return check(argv[2]);
  std::fprintf(stderr, "usage: sample_store make|make-killed|check FILE\n");
  return 2;
}

}  // namespace
}  // namespace syncline

int main(int argc, char** argv) { return syncline::run(argc, argv); }
