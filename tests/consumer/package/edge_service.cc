// An edge service: two nodes over loopback, one joins the other.
#include <syncline/net.h>

#include <chrono>
#include <cstdio>

int main() {
  auto here = syncline::Replica::open();
  auto there = syncline::Replica::open();
  if (!here || !there) return 1;

  syncline::NodeOptions options;
  options.cluster = "corner-shop";
  options.listen = "127.0.0.1:0";
  auto first = syncline::Node::start(*here, options);
  if (!first) return 1;
  options.join = {first->address()};
  auto second = syncline::Node::start(*there, options);
  if (!second) return 1;

  const auto written = here->keyspace("shop").update([](syncline::Update& tx) { tx.counter("sold").add(3); });
  if (!written) return 1;
  auto shop = there->keyspace("shop");
  if (!shop.wait_for(*written, std::chrono::seconds(30))) return 1;
  const auto sold = shop.counter("sold").total();
  if (!sold || *sold != 3) return 1;
  std::puts("3 sold, known on both nodes");
  return 0;
}
