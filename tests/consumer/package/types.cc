// The types alone, in a program without exceptions: two people edit a set at
// once, exchange deltas in any order, and agree. An error arrives as a value.
#include <syncline/crdt.h>

#include <cstdio>
#include <string>

int main() {
  syncline::ActorId a, b;
  a.bytes[0] = 1;
  b.bytes[0] = 2;

  syncline::OrSet<std::string> ada, bob;
  bob.merge(ada.insert(a, "milk"));
  const auto gone = ada.erase(a, "milk");
  const auto back = bob.insert(b, "milk");
  ada.merge(back);
  bob.merge(gone);
  if (!ada.contains("milk") || !bob.contains("milk") || ada.size() != 1) return 1;

  const auto error = syncline::Version::from_bytes("no version");
  if (error) return 1;
  std::puts(syncline::to_string(error.error()).c_str());
  return 0;
}
