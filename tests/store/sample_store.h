// What a sample store holds: each kind of table has something in it. The golden
// stores hold it, and those that an earlier commit's program makes.
#pragma once

#include <string>

#include "store/store.h"

namespace syncline {

inline Result<void> fill_sample(Replica& replica) {
  if (auto bound = replica.bind_cluster("corner-shop"); !bound) return bound;
  Keyspace shop = replica.keyspace("shop");
  auto written = shop.update([](auto& tx) {
    tx.counter("stock/apples").add(12);
    tx.set("cart/42").insert("apples");
    tx.set("cart/42").insert("pears");
    tx.map("customer/42").set("name", "Ada");
    tx.reg("motd").set(std::string(9'000, 'm'));
  });
  if (written) written = shop.update("a request", [](auto& tx) { tx.counter("stock/apples").add(-2); });
  if (written) written = shop.update([](auto& tx) { tx.set("cart/42").erase("pears"); });
  if (written) written = replica.keyspace("diary").update([](auto& tx) { tx.reg("today").set(1); });
  return written ? Result<void>() : tl::unexpected(written.error());
}

}  // namespace syncline
