// A shop with a warehouse and two tills. The tills lose the network, sell on, and
// no apple is sold twice; one asks for more when it can; a customer's cart is edited in two places at once.
#include <cstdio>
#include <string>
#include <vector>

#include "demos/stories/meeting.h"

namespace {

using stories::check;
using stories::meet;
using stories::must;
using stories::say;
using syncline::BoundedCounter;
using syncline::Keyspace;
using syncline::OrMap;
using syncline::Update;
using Cart = syncline::OrSet<std::string>;

// Where apples are, by name.
struct Place {
  Keyspace shop;
  std::string name;
};
using Places = std::vector<Place>;

// `text` with names in place of the ids that people can't tell apart.
std::string with_names(std::string text, const Places& places) {
  for (const Place& place : places) {
    const std::string id = place.shop.actor() ? to_string(*place.shop.actor()) : std::string();
    for (auto at = text.find(id); !id.empty() && at != std::string::npos; at = text.find(id))
      text.replace(at, id.size(), "the " + place.name);
  }
  return text;
}

// Sells one apple. False, with the reason printed, if none may be sold here.
bool sell(Place& place, const Places& places) {
  Keyspace& shop = place.shop;
  const auto sold = shop.update([](Update& tx) {
    tx.at<BoundedCounter>("stock/apples").spend(1);
    tx.counter("sold").add(1);
  });
  if (sold) return true;
  std::printf("  %s: no sale (%s)\n", place.name.c_str(),
              with_names(to_string(sold.error()), places).c_str());
  return false;
}

std::string cart_of(const Keyspace& shop) {
  std::string all;
  for (const auto& item : must(shop.at<OrMap>("customer/7").at<Cart>("cart").elements())) all += " " + item;
  return all;
}

void tell_of_stock(Keyspace& warehouse, Place& left, Place& right, const Places& places) {
  int sold_left = 0;
  int sold_right = 0;
  while (sell(left, places)) ++sold_left;
  while (sell(right, places)) ++sold_right;
  std::printf("  the left till sold %d, the right till %d; the warehouse has heard of none\n", sold_left,
              sold_right);
  check(sold_left == 3 && sold_right == 2, "each till sold what it held the right to sell, and not one more");
  check(must(warehouse.at<BoundedCounter>("stock/apples").total()) == 5,
        "the warehouse still sees five: a cut delays news, not trade");
}

}  // namespace

int main(int argc, char** argv) {
  stories::take_no_arguments(argc, argv,
                             "A shop whose two tills are cut off and sell the last apples: none is oversold. "
                             "And a customer's cart.");
  auto warehouse_replica = stories::open();
  auto left_replica = stories::open();
  auto right_replica = stories::open();
  auto warehouse = warehouse_replica.keyspace("shop");
  auto left = left_replica.keyspace("shop");
  auto right = right_replica.keyspace("shop");

  say("The tills open, and tell their names.");
  for (Keyspace* till : {&left, &right}) must(till->update([](Update& tx) { tx.counter("opened").add(1); }));
  meet(warehouse_replica, left_replica);
  meet(warehouse_replica, right_replica);

  say("Five apples arrive. The warehouse hands three rights to sell to the left till, two to the right.");
  must(warehouse.update([&](Update& tx) {
    auto apples = tx.at<BoundedCounter>("stock/apples");
    apples.add(5);
    apples.give(*left.actor(), 3);
    apples.give(*right.actor(), 2);
    tx.at<OrMap>("customer/7").at<Cart>("cart").insert("apples");
    tx.at<OrMap>("customer/7").at<Cart>("cart").insert("bread");
  }));
  meet(warehouse_replica, left_replica);
  meet(warehouse_replica, right_replica);

  say("The network fails. Both tills sell until they are refused.");
  const Places places{{warehouse, "warehouse"}, {left, "left till"}, {right, "right till"}};
  Place left_till = places[1];
  Place right_till = places[2];
  tell_of_stock(warehouse, left_till, right_till, places);

  say("Meanwhile customer 7 takes bread out of the cart at the left till; at the right one their child");
  say("empties the cart and puts eggs in.");
  must(left.update([](Update& tx) { tx.at<OrMap>("customer/7").at<Cart>("cart").erase("bread"); }));
  must(right.update([](Update& tx) {
    tx.at<OrMap>("customer/7").erase("cart");
    tx.at<OrMap>("customer/7").at<Cart>("cart").insert("eggs");
  }));

  say("The warehouse is reached again by the left till, which asks for what may be sold. There is no more.");
  meet(warehouse_replica, left_replica, [&] { must(left.at<BoundedCounter>("stock/apples").request(2)); });
  check(!sell(left_till, places), "a request moves rights from where some are; it makes none");

  say("Four more apples arrive. The left till asks for two, and sells them.");
  must(warehouse.update([](Update& tx) { tx.at<BoundedCounter>("stock/apples").add(4); }));
  meet(warehouse_replica, left_replica, [&] { must(left.at<BoundedCounter>("stock/apples").request(2)); });
  check(sell(left_till, places) && sell(left_till, places) && !sell(left_till, places),
        "the warehouse gave two of its four on request; the left till sold these, and no third");

  say("The network is back.");
  meet(left_replica, right_replica);
  meet(left_replica, warehouse_replica);
  meet(right_replica, warehouse_replica);
  std::printf("  stock %lld, sold %lld, cart:%s\n",
              static_cast<long long>(must(warehouse.at<BoundedCounter>("stock/apples").total())),
              static_cast<long long>(must(warehouse.counter("sold").total())), cart_of(warehouse).c_str());
  check(must(warehouse.at<BoundedCounter>("stock/apples").total()) == 2 &&
            must(warehouse.counter("sold").total()) == 7,
        "nine came, seven were sold, two are left: none is oversold, however long the cut");
  check(cart_of(warehouse) == " eggs", "the cart was emptied of what was seen; the eggs came after that");
  check(warehouse.digests() == left.digests() && left.digests() == right.digests(),
        "all three have the same, byte for byte");
  return stories::outcome();
}
