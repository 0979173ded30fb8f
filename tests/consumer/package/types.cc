// The types alone, in a program without exceptions.
#include <syncline/crdt.h>

#include <cstdio>

int main() {
  syncline::ActorId ada;
  ada.bytes[0] = 1;
  syncline::Version version;
  version.raise(ada, 3);

  const auto copy = syncline::Version::from_bytes(version.to_bytes());
  if (!copy || !copy->contains({ada, 3}) || copy->contains({ada, 4})) return 1;
  const auto error = syncline::Version::from_bytes("no version");
  if (error) return 1;
  std::puts(syncline::to_string(error.error()).c_str());
  return 0;
}
