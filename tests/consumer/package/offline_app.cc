// An offline app: a replica in memory, no network.
#include <syncline/store.h>

#include <cstdio>

int main() {
  auto replica = syncline::Replica::open();
  if (!replica) return 1;
  auto shop = replica->keyspace("shop");
  const auto written = shop.update([](syncline::Update& tx) {
    tx.counter("stock/apples").add(7);
    tx.counter("stock/apples").add(-2);
    tx.set("cart/42").insert("apples");
  });
  if (!written) return 1;
  const auto left = shop.counter("stock/apples").total();
  const auto has = shop.set("cart/42").contains("apples");
  if (!left || *left != 5 || !has || !*has) return 1;
  std::puts("5 apples left");
  return 0;
}
