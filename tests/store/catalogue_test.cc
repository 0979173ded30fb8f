// The catalogue in keyspaces: nested maps, registers, flags, remove-wins sets and
// bounded counters, written, read, watched, exported, gossiped.
#include <cmath>
#include <functional>
#include <limits>

#include "tests/store/harness.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

// An event in one line: "key/path/element type before->after".
std::string text(const Event& event) {
  const auto shown = [](const std::optional<Value>& value) -> std::string {
    if (!value) return "-";
    if (value->boolean() != nullptr) return *value->boolean() ? "true" : "false";
    if (value->integer() != nullptr) return std::to_string(*value->integer());
    return value->text() != nullptr ? *value->text() : "?";
  };
  std::string line = event.key;
  for (const std::string& name : event.path) line += "/" + name;
  if (shape_of(event.type) == Shape::fields || shape_of(event.type) == Shape::children)
    line += "/" + event.element;
  return line + " " + type_name(event.type) + " " + shown(event.before) + "->" + shown(event.after);
}

class CatalogueTest : public ::testing::Test {
 protected:
  Subscription note(Keyspace keyspace) {
    return keyspace.watch("", [this](const EventBatch& batch) {
      for (const Event& event : batch.events) seen.push_back(text(event));
    });
  }
  std::vector<std::string> take() { return std::exchange(seen, {}); }

  TestClock clock;
  std::vector<std::string> seen;
  Replica ada_replica = open_replica(clock, 1);
  Replica bob_replica = open_replica(clock, 2);
  Keyspace ada = ada_replica.keyspace("shop");
  Keyspace bob = bob_replica.keyspace("shop");
  Wire wire{clock, ada_replica, bob_replica};
};

TEST_F(CatalogueTest, ConcurrentWritesUnderOnePathMeetInOneChild) {
  must(ada.update([](Update& tx) {
    tx.at<OrMap>("user/1").at<OrMap>("address").at<LwwRegister<Value>>("city").set("Ghent");
  }));
  must(bob.update([](Update& tx) {
    auto user = tx.at<OrMap>("user/1");
    user.at<OrMap>("address").at<LwwRegister<Value>>("street").set("Veldstraat");
    user.at<PnCounter>("logins").add(2);
    EXPECT_EQ(user.at<PnCounter>("logins").total(), 2);
    EXPECT_THAT(user.children(),
                ElementsAre(Pair("address", Type::or_map), Pair("logins", Type::pn_counter)));
  }));
  ASSERT_TRUE(wire.sync());
  const std::string json = R"({"user/1":{"address":{"city":"Ghent","street":"Veldstraat"},"logins":2}})";
  EXPECT_EQ(must(ada.to_json()), json);
  EXPECT_EQ(must(bob.to_json()), json);
  const auto user = ada.at<OrMap>("user/1");
  EXPECT_EQ(must(user.at<OrMap>("address").at<LwwRegister<Value>>("city").get()), Value("Ghent"));
  EXPECT_TRUE(must(user.contains("logins")));
  EXPECT_EQ(must(user.at<PnCounter>("logins").total()), 2);
}

TEST_F(CatalogueTest, ErasingANameLeavesWhatRanBesideIt) {
  must(ada.update([](Update& tx) {
    auto posts = tx.at<OrMap>("blog").at<OrMap>("posts").at<OrMap>("1");
    posts.at<PnCounter>("likes").add(5);
    posts.at<OrSet<Value>>("tags").insert("old");
  }));
  ASSERT_TRUE(wire.sync());
  must(ada.update([](Update& tx) { EXPECT_TRUE(tx.at<OrMap>("blog").at<OrMap>("posts").erase("1")); }));
  EXPECT_EQ(must(ada.to_json()), "{}");
  std::vector<std::string> keys;
  must(ada.for_each_key("", [&](std::string_view key, Type) { return keys.emplace_back(key), true; }));
  EXPECT_THAT(keys, IsEmpty());
  must(bob.update([](Update& tx) {
    tx.at<OrMap>("blog").at<OrMap>("posts").at<OrMap>("1").at<PnCounter>("likes").add(2);
  }));
  ASSERT_TRUE(wire.sync());
  EXPECT_EQ(must(ada.to_json()), R"({"blog":{"posts":{"1":{"likes":2}}}})");
  EXPECT_EQ(must(bob.to_json()), must(ada.to_json()));
  EXPECT_EQ(ada.digests(), bob.digests());
}

TEST_F(CatalogueTest, JsonHasAShapeForEachType) {
  must(ada.update([](Update& tx) {
    tx.at<BoundedCounter>("bounded").add(3);
    tx.at<DwFlag>("dw").enable();
    tx.at<DwFlag>("dw off").disable();
    tx.at<EwFlag>("ew").enable();
    tx.at<GMap>("g").at<GSet<Value>>("set").insert(1);
    tx.at<MaxRegister<Value>>("max").set(2);
    tx.at<MinRegister<Value>>("min").set(3);
    tx.at<MvRegister<Value>>("mv").set("x");
    tx.at<RwSet<Value>>("rw").insert("a");
    tx.at<RwSet<Value>>("rw").erase("b");
    tx.at<OrMap>("two").at<EwFlag>("x").enable();
    tx.at<OrMap>("two").at<MaxRegister<Value>>("x").set(1);
  }));
  EXPECT_EQ(must(ada.to_json()),
            R"({"bounded":3,"dw":true,"ew":true,"g":{"set":[1]},"max":2,"min":3,"mv":["x"],)"
            R"("rw":["a"],"two":{"x":{"$types":{"ew_flag":true,"max_register":1}}}})");
}

TEST_F(CatalogueTest, WatchersHearWhatChangedOfEachTypeAndNoMore) {
  const auto hers = note(ada);
  must(ada.update([](Update& tx) {
    tx.at<BoundedCounter>("b").add(3);
    tx.at<DwFlag>("dw").disable();
    tx.at<EwFlag>("ew").enable();
    tx.at<MaxRegister<Value>>("max").set(2);
    tx.at<MvRegister<Value>>("mv").set("x");
    tx.at<RwSet<Value>>("rw").insert("a");
    tx.at<RwSet<Value>>("rw").erase("b");
  }));
  EXPECT_THAT(take(), ElementsAre("b bounded_counter -->3", "ew ew_flag -->true", "max max_register -->2",
                                  "mv mv_register -->x", "rw rw_set -->a"));
  must(ada.update([](Update& tx) {
    tx.at<BoundedCounter>("b").spend(1);
    tx.at<EwFlag>("ew").disable();
    tx.at<MaxRegister<Value>>("max").set(1);
    tx.at<MvRegister<Value>>("mv").set("y");
    tx.at<RwSet<Value>>("rw").insert("a");
    tx.at<RwSet<Value>>("rw").erase("b");
  }));
  EXPECT_THAT(take(), ElementsAre("b bounded_counter 3->2", "ew ew_flag true->-", "mv mv_register x->-",
                                  "mv mv_register -->y"));
}

TEST_F(CatalogueTest, WatchersHearOfChildrenThatCameAndWentBeforeWhatIsUnderThem) {
  const auto his = note(bob);
  must(ada.update([](Update& tx) {
    auto address = tx.at<OrMap>("user").at<OrMap>("address");
    address.at<LwwRegister<Value>>("city").set("Ghent");
    address.at<LwwMap<Value>>("more").set("zip", 9000);
  }));
  ASSERT_TRUE(wire.sync());
  EXPECT_THAT(take(),
              ElementsAre("user/address or_map -->true", "user/address/city or_map -->true",
                          "user/address/city lww_register -->Ghent", "user/address/more or_map -->true",
                          "user/address/more/zip lww_map -->9000"));
  must(ada.update([](Update& tx) {
    tx.at<OrMap>("user").at<OrMap>("address").at<LwwRegister<Value>>("city").set("Gent");
  }));
  ASSERT_TRUE(wire.sync());
  EXPECT_THAT(take(), ElementsAre("user/address/city lww_register Ghent->Gent"));
  must(ada.update([](Update& tx) { tx.at<OrMap>("user").erase("address"); }));
  ASSERT_TRUE(wire.sync());
  EXPECT_THAT(take(),
              ElementsAre("user/address or_map true->-", "user/address/city or_map true->-",
                          "user/address/city lww_register Gent->-", "user/address/more or_map true->-",
                          "user/address/more/zip lww_map 9000->-"));
}

TEST_F(CatalogueTest, TwoReplicasCutOffNeverSpendMoreThanThereIs) {
  must(ada.update([](Update& tx) { tx.at<BoundedCounter>("seats").add(5); }));
  must(bob.update([](Update& tx) { tx.counter("warm up").add(1); }));
  const ActorId bobs = *bob.actor();
  must(ada.update([&](Update& tx) { tx.at<BoundedCounter>("seats").give(bobs, 2); }));
  ASSERT_TRUE(wire.sync());
  const auto sell = [](Keyspace keyspace) {
    std::size_t sold = 0;
    while (keyspace.update([](Update& tx) { tx.at<BoundedCounter>("seats").spend(1); })) ++sold;
    return sold;
  };
  EXPECT_EQ(sell(ada), 3U);
  EXPECT_EQ(sell(bob), 2U);
  const auto refused = bob.update([](Update& tx) { tx.at<BoundedCounter>("seats").spend(1); });
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::no_rights);
  EXPECT_THAT(refused.error().detail, HasSubstr("0 held here, 3 by " + to_string(*ada.actor())));
  ASSERT_TRUE(wire.sync());
  EXPECT_EQ(must(ada.at<BoundedCounter>("seats").total()), 0);
  EXPECT_THAT(must(bob.at<BoundedCounter>("seats").holdings()), IsEmpty());
  EXPECT_EQ(must(bob.at<BoundedCounter>("seats").available(bobs)), 0);
}

TEST_F(CatalogueTest, ABoundedCounterCannotBeErasedNorWhatIsAboveIt) {
  must(ada.update([](Update& tx) {
    tx.at<OrMap>("shop").at<OrMap>("apples").at<BoundedCounter>("stock").add(1);
    tx.reg("other").set(1);
  }));
  const auto before = ada.digests();
  EXPECT_EQ(code_of(ada.update([](Update& tx) { tx.erase("shop"); })), "wrong_type");
  EXPECT_EQ(code_of(ada.update([](Update& tx) {
              tx.erase("other");
              tx.at<OrMap>("shop").erase("apples");
            })),
            "wrong_type");
  EXPECT_EQ(ada.digests(), before);
}

TEST_F(CatalogueTest, CollectingMarkersIsAnOrdinaryChangeThatNoReaderNotices) {
  const auto his = note(bob);
  must(ada.update([](Update& tx) {
    tx.at<RwSet<Value>>("s").insert("x");
    tx.at<RwSet<Value>>("s").insert("y");
  }));
  must(ada.update([](Update& tx) { tx.at<RwSet<Value>>("s").erase("x"); }));
  ASSERT_TRUE(wire.sync());
  take();
  const Version stable = bob.version();  // Of two members, what both have.
  must(ada.update([&](Update& tx) { EXPECT_EQ(tx.at<RwSet<Value>>("s").collect(stable), 1U); }));
  ASSERT_TRUE(wire.sync());
  EXPECT_THAT(take(), IsEmpty());
  EXPECT_EQ(must(bob.to_json()), R"({"s":["y"]})");
  EXPECT_EQ(ada.digests(), bob.digests());
}

// --- JSON in -----------------------------------------------------------------------

TEST_F(CatalogueTest, AKeyspaceGoesOutAsJsonAndComesInAsItWas) {
  must(ada.update([](Update& tx) {
    tx.at<BoundedCounter>("bounded").add(3);
    tx.counter("counter").add(-4);
    tx.at<GCounter>("counter").add(5);
    tx.at<DwFlag>("dw").enable();
    tx.at<EwFlag>("ew").enable();
    tx.at<GMap>("g").at<GSet<Value>>("set").insert(1);
    tx.at<MaxRegister<Value>>("max").set(2);
    tx.at<MinRegister<Value>>("min").set(Blob{"\xff"});
    tx.at<MvRegister<Value>>("mv").set("x");
    tx.at<RwSet<Value>>("rw").insert(std::nan(""));
    tx.at<OrMap>("$or").at<OrMap>("a").at<OrMap>(std::string_view("\0", 1)).at<OrSet<Value>>("s").insert("e");
    tx.map("map").set("\xfe", nullptr);
    tx.reg("reg").set("\x80");
  }));
  const std::string json = must(ada.to_json("", JsonTypes::always));
  must(bob.update([&](Update& tx) { tx.write_json(json); }));
  EXPECT_EQ(must(bob.to_json("", JsonTypes::always)), json);
  const Version before = bob.version();
  must(bob.update([&](Update& tx) { tx.write_json(json); }));
  EXPECT_EQ(bob.version(), before);  // It reads so already.
}

TEST_F(CatalogueTest, JsonWithoutTypesIsWrittenToWhatIsThere) {
  must(ada.update([](Update& tx) {
    tx.counter("stock").add(10);
    tx.at<RwSet<Value>>("tags").insert("a");
    tx.map("ada").set("name", "Ada");
    tx.at<EwFlag>("open").enable();
  }));
  must(ada.update([](Update& tx) {
    tx.write_json(R"({"stock":7,"tags":["b"],"ada":{"age":36},"open":false,
                      "new":{"value":1,"list":[2,2],"deep":{"x":null}}})");
  }));
  EXPECT_EQ(must(ada.to_json()),
            R"({"ada":{"age":36,"name":"Ada"},)"
            R"("new":{"deep":{"x":null},"list":[2],"value":1},"stock":7,"tags":["a","b"]})");
  EXPECT_EQ(must(ada.counter("stock").total()), 7);
  EXPECT_EQ(must(ada.at<OrMap>("new").at<LwwRegister<Value>>("value").get()), Value(1));
}

TEST_F(CatalogueTest, JsonThatCannotBeWrittenWritesNothing) {
  must(ada.update([](Update& tx) {
    tx.at<GCounter>("up").add(5);
    tx.at<BoundedCounter>("seats").add(1);
  }));
  const auto before = ada.digests();
  for (const char* json :
       {"", "[1]", "{", R"({"x":1,"up":4})", R"({"x":1,"seats":-1})", R"({"x":1,"up":true})",
        R"({"x":1,"y":{"$types":{"no_type":1}}})", R"({"x":1,"y":{"$types":{"or_set":1}}})",
        R"({"x":1,"$y":1})", R"({"x":1,"y":[[1]]})", R"({"x":18446744073709551615})",
        R"({"x":1,"y":{"$types":{"lww_map":{"f":[1]}}}})"}) {
    EXPECT_EQ(code_of(ada.update([&](Update& tx) { tx.write_json(json); })), "invalid_argument") << json;
  }
  std::string deep = "1";
  for (int i = 0; i < 40; ++i) deep = R"({"x":)" + deep + "}";
  EXPECT_EQ(code_of(ada.update([&](Update& tx) { tx.write_json(deep); })), "too_large");
  EXPECT_EQ(ada.digests(), before);
}

// --- Who wrote what, limits, giving up ---------------------------------------------

TEST_F(CatalogueTest, DescribeTellsWhoWroteWhatIsThereAndWhen) {
  must(ada.update([](Update& tx) { tx.reg("first").set(1); }));
  ASSERT_TRUE(wire.sync());  // From now on changes travel as such.
  must(ada.update([](Update& tx) { tx.at<OrMap>("k").at<MvRegister<Value>>("color").set("red"); }));
  clock.advance(1h);
  must(bob.update([](Update& tx) {
    tx.at<OrMap>("k").at<MvRegister<Value>>("color").set("blue");
    tx.reg("k").set(1);
  }));
  ASSERT_TRUE(wire.sync());
  const auto told = must(ada.describe("k"));
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(told[0].type, Type::lww_register);
  EXPECT_EQ(told[0].dot.actor, *bob.actor());
  std::vector<std::pair<ActorId, std::chrono::milliseconds>> writers;
  for (std::size_t i = 1; i < 3; ++i) {
    EXPECT_THAT(told[i].path, ElementsAre("color"));
    EXPECT_EQ(told[i].type, Type::mv_register);
    ASSERT_TRUE(told[i].time.has_value());
    writers.emplace_back(told[i].dot.actor, *told[i].time);
  }
  const auto first = clock.reader()().wall;
  for (const auto& [who, time] : writers) {
    if (who == *bob.actor()) {
      EXPECT_LT(first - time, 1min);
    } else {
      EXPECT_GE(first - time, 1h);
    }
  }
  EXPECT_THAT(must(ada.describe("none")), IsEmpty());
}

TEST_F(CatalogueTest, ATimeThatTheLogForgotIsStillToldOfRegisters) {
  ReplicaOptions options;
  options.engine.log_bytes_max = 0;
  Replica forgetful = open_replica(clock, 7, options);
  Keyspace keyspace = forgetful.keyspace("k");
  must(keyspace.update([](Update& tx) {
    tx.set("k").insert(1);
    tx.reg("k").set(1);
    tx.map("k").set("f", 1);
    tx.at<MvRegister<Value>>("k").set(1);
    tx.at<MaxRegister<Value>>("k").set(1);
    tx.at<MinRegister<Value>>("k").set(1);
  }));
  const auto told = must(keyspace.describe("k"));
  ASSERT_EQ(told.size(), 6U);
  EXPECT_EQ(told[0].type, Type::or_set);
  EXPECT_EQ(told[0].time, std::nullopt);
  for (std::size_t i = 1; i < told.size(); ++i)
    EXPECT_EQ(told[i].time, clock.reader()().wall) << type_name(told[i].type);
}

TEST_F(CatalogueTest, LimitsAreOptionsAndRefuseTheWholeUpdate) {
  ReplicaOptions options;
  options.engine.change_rows_max = 3;
  options.engine.path_depth_max = 2;
  Replica small = open_replica(clock, 7, options);
  Keyspace keyspace = small.keyspace("k");
  must(keyspace.update([](Update& tx) {
    for (int i = 0; i < 3; ++i) tx.set("s").insert(i);
  }));
  const auto rows = keyspace.update([](Update& tx) {
    for (int i = 3; i < 7; ++i) tx.set("s").insert(i);
  });
  ASSERT_FALSE(rows.has_value());
  EXPECT_EQ(rows.error(),
            (Error{Errc::too_large, R"(insert into or_set "s": a change of more than 3 rows)"}));
  must(keyspace.update([](Update& tx) { tx.at<OrMap>("m").at<OrMap>("1").at<EwFlag>("2").enable(); }));
  const auto deep = keyspace.update(
      [](Update& tx) { tx.at<OrMap>("m").at<OrMap>("1").at<OrMap>("2").at<EwFlag>("3").enable(); });
  ASSERT_FALSE(deep.has_value());
  EXPECT_EQ(deep.error(),
            (Error{Errc::too_large, R"(enable ew_flag "m" / "1" / "2" / "3": a path of 3 maps; at most 2)"}));
  EXPECT_EQ(must(keyspace.set("s").size()), 3U);
}

// What an update that writes something else, too, comes to: the error, and that nothing was written.
template <class Write>
std::string refusal(Keyspace& keyspace, Write&& write) {
  const auto before = keyspace.version();
  const auto done = keyspace.update([&](Update& tx) {
    tx.counter("beside").add(1);
    write(tx);
    tx.counter("beside").add(1);
  });
  EXPECT_EQ(keyspace.version(), before);
  EXPECT_FALSE(must(keyspace.counter("beside").exists()));
  return done ? "done" : to_string(done.error());
}

TEST_F(CatalogueTest, ALimitsErrorNamesTheOperationAndThePlace) {
  ReplicaOptions options;
  options.engine.key_bytes_max = 100;
  options.engine.value_bytes_max = 50;
  options.engine.change_bytes_max = 400;
  Replica small = open_replica(clock, 7, options);
  Keyspace keyspace = small.keyspace("k");
  const std::string key(120, 'k');
  const std::string shown = '"' + std::string(40, 'k') + "...\"";
  // Each by a key that is too long: what the leaf's own bytes add to it differs by type.
  const auto of_key = [&](auto&& write) {
    std::string told = refusal(keyspace, write);
    const std::string head = "too_large: ";
    const std::string tail = " " + shown + ": a key of ";
    const auto at = told.find(tail);
    EXPECT_TRUE(told.starts_with(head) && at != std::string::npos && told.ends_with(" bytes; at most 100"))
        << told;
    return at == std::string::npos ? told : told.substr(head.size(), at - head.size());
  };
  EXPECT_EQ(of_key([&](Update& tx) { tx.at<GCounter>(key).add(1); }), "add to g_counter");
  EXPECT_EQ(of_key([&](Update& tx) { tx.counter(key).add(-1); }), "add to pn_counter");
  EXPECT_EQ(of_key([&](Update& tx) { tx.set(key).insert(1); }), "insert into or_set");
  EXPECT_EQ(of_key([&](Update& tx) { tx.at<GSet<Value>>(key).insert(1); }), "insert into g_set");
  EXPECT_EQ(of_key([&](Update& tx) { tx.at<RwSet<Value>>(key).insert(1); }), "insert into rw_set");
  EXPECT_EQ(of_key([&](Update& tx) {
              tx.at<RwSet<Value>>(key).insert(1);
              tx.at<RwSet<Value>>(key).erase(1);
            }),
            "erase from rw_set");
  EXPECT_EQ(of_key([&](Update& tx) { tx.reg(key).set(1); }), "set lww_register");
  EXPECT_EQ(of_key([&](Update& tx) { tx.map(key).set("f", 1); }), "set a field of lww_map");
  EXPECT_EQ(of_key([&](Update& tx) { tx.at<MvRegister<Value>>(key).set(1); }), "set mv_register");
  EXPECT_EQ(of_key([&](Update& tx) { tx.at<MaxRegister<Value>>(key).set(1); }), "set max_register");
  EXPECT_EQ(of_key([&](Update& tx) { tx.at<MinRegister<Value>>(key).set(1); }), "set min_register");
  EXPECT_EQ(of_key([&](Update& tx) { tx.at<EwFlag>(key).enable(); }), "enable ew_flag");
  EXPECT_EQ(of_key([&](Update& tx) { tx.at<DwFlag>(key).enable(); }), "enable dw_flag");
  EXPECT_EQ(of_key([&](Update& tx) { tx.at<DwFlag>(key).disable(); }), "disable dw_flag");
  EXPECT_EQ(of_key([&](Update& tx) { tx.at<BoundedCounter>(key).add(1); }), "add to bounded_counter");
  EXPECT_EQ(of_key([&](Update& tx) {
              tx.at<BoundedCounter>(key).add(1);
              tx.at<BoundedCounter>(key).spend(1);
            }),
            "spend from bounded_counter");
  EXPECT_EQ(refusal(keyspace, [](Update& tx) { tx.reg("bio").set(std::string(60, 'x')); }),
            R"(too_large: set lww_register "bio": a value of 61 bytes; at most 50)");
  EXPECT_EQ(
      refusal(keyspace,
              [](Update& tx) {
                tx.at<OrMap>("users").at<OrMap>("7").at<MvRegister<Value>>("bio").set(std::string(60, 'x'));
              }),
      R"(too_large: set mv_register "users" / "7" / "bio": a value of 61 bytes; at most 50)");
  EXPECT_EQ(refusal(keyspace,
                    [](Update& tx) {
                      for (int i = 0; i < 9; ++i) tx.map("big").set(std::to_string(i), std::string(40, 'x'));
                    }),
            R"(too_large: set a field of lww_map "big": a change of more than 400 bytes)");
}

TEST_F(CatalogueTest, ATypesErrorNamesTheOperationAndThePlace) {
  must(ada.update([](Update& tx) {
    tx.at<OrMap>("shop").at<BoundedCounter>("stock").add(2);
    tx.at<GCounter>("full").add(std::numeric_limits<std::int64_t>::max());
    tx.at<GCounter>("full").add(std::numeric_limits<std::int64_t>::max());
    tx.at<GCounter>("visits").add(1);
    tx.set("s").insert(1);
  }));
  const auto told = [&](auto&& write) { return refusal(ada, write); };
  EXPECT_EQ(told([](Update& tx) { tx.at<GCounter>("visits").add(-1); }),
            R"(invalid_argument: add to g_counter "visits": a GCounter never counts down)");
  EXPECT_EQ(told([](Update& tx) { tx.at<GCounter>("full").add(2); }),
            R"(overflow: add to g_counter "full": a counter's total would pass 64 bits)");
  EXPECT_EQ(told([](Update& tx) { tx.at<OrMap>("shop").at<BoundedCounter>("stock").spend(3); }),
            R"(no_rights: spend from bounded_counter "shop" / "stock": 3 asked for, 2 held here)");
  EXPECT_EQ(told([](Update& tx) { tx.at<OrMap>("shop").at<BoundedCounter>("stock").give(ActorId{}, 3); }),
            R"(no_rights: give from bounded_counter "shop" / "stock": 3 asked for, 2 held here)");
  EXPECT_EQ(told([](Update& tx) { tx.at<BoundedCounter>("b").add(-1); }),
            R"(invalid_argument: add to bounded_counter "b": an amount below zero)");
  EXPECT_EQ(
      told([](Update& tx) { tx.erase("shop"); }),
      R"(wrong_type: erase "shop": there is a bounded_counter "shop" / "stock", which can't be removed)");
  EXPECT_EQ(
      told([](Update& tx) { tx.at<OrMap>("shop").erase("stock"); }),
      R"(wrong_type: erase "shop" / "stock": there is a bounded_counter "shop" / "stock", which can't be removed)");
  EXPECT_EQ(told([](Update& tx) { tx.map("m").set("f", 1, std::uint64_t{1} << 62); }),
            R"(invalid_argument: set a field of lww_map "m": timestamps of callers must be below 2^62)");
  EXPECT_EQ(told([](Update& tx) { tx.reg("r").set(1, std::uint64_t{1} << 62); }),
            R"(invalid_argument: set lww_register "r": timestamps of callers must be below 2^62)");
  EXPECT_EQ(told([](Update& tx) { tx.write_json(R"({"visits":"many"})"); }),
            R"(invalid_argument: assign to g_counter "visits": a value that doesn't fit)");
  EXPECT_EQ(told([](Update& tx) { tx.write_json(R"({"s":[[]]})"); }),
            R"(invalid_argument: write_json to "s": JSON where a value must be)");
  EXPECT_EQ(told([](Update& tx) { tx.write_json(R"({"a":{"b":{"$types":{"heap":1}}}})"); }),
            R"(invalid_argument: write_json to "a" / "b": a type that isn't known here: heap)");
  EXPECT_EQ(told([](Update& tx) { tx.write_json("[]"); }), "invalid_argument: write_json: no JSON object");
  EXPECT_EQ(told([](Update& tx) {
              const std::function<void(OrMap::Writer<Transaction>, int)> nest =
                  [&nest](OrMap::Writer<Transaction> map, int depth) {
                    if (depth == 0) return map.at<EwFlag>("on").enable();
                    nest(map.at<OrMap>(std::to_string(depth)), depth - 1);
                  };
              nest(tx.at<OrMap>("deep"), 33);
            }).substr(0, 40),
            R"(too_large: write below or_map "deep" / ")");
}

TEST_F(CatalogueTest, AnUpdateThatGivesUpWritesNothing) {
  const auto before = ada.version();
  EXPECT_EQ(code_of(ada.update([](Update& tx) {
              tx.counter("c").add(1);
              EXPECT_EQ(tx.counter("c").total(), 1);
              tx.abort();
            })),
            "aborted");
  EXPECT_EQ(ada.version(), before);
  EXPECT_EQ(must(ada.to_json()), "{}");
}

}  // namespace
}  // namespace syncline
