// Two replicas edit the same shop offline, meet, and print the same.
#include <syncline/store.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

using syncline::Replica;

// Carries what one side has to say to the other. False when there was nothing.
bool carry(Replica::Link& from, Replica::Link& to) {
  bool any = false;
  while (const auto frame = from.send()) any = to.receive(*frame).has_value();
  return any;
}

// Lets two replicas talk until they found each other equal. A network would
// carry the bytes (syncline::Node does); here they only change hands.
void meet(Replica& a, Replica& b) {
  const auto to_b = a.connect({}, {});
  const auto to_a = b.connect({}, {});
  while (!to_b->in_sync() || !to_a->in_sync()) {
    while (carry(*to_b, *to_a) || carry(*to_a, *to_b)) continue;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    to_b->run();  // Timers: who waits for something asks for it when its time has come.
    to_a->run();
  }
}

int main() {
  auto phone = Replica::open();  // In memory.
  auto till = Replica::open();
  if (!phone || !till) return 1;
  auto on_phone = phone->keyspace("shop");
  auto at_till = till->keyspace("shop");

  // Each edits with nobody near; each update is one atomic change.
  const auto ordered = on_phone.update([](syncline::Update& update) {
    update.counter("stock/apples").add(-2);
    update.set("cart/42").insert("apples");
    update.map("customer/42").set("name", "Ada");
  });
  const auto restocked = at_till.update([](syncline::Update& update) {
    update.counter("stock/apples").add(10);
    update.set("cart/42").insert("bread");
  });
  if (!ordered || !restocked) return 1;

  meet(*phone, *till);
  const auto one = on_phone.to_json();
  const auto other = at_till.to_json();
  if (!one || !other) return 1;
  std::printf("phone: %s\ntill:  %s\n", one->c_str(), other->c_str());
  return *one == *other && on_phone.digests() == at_till.digests() ? 0 : 1;
}
