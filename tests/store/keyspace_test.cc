#include "store/keyspace.h"

#include <limits>
#include <stdexcept>

#include "crdt/set_logic.h"
#include "tests/store/harness.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

class KeyspaceTest : public ::testing::Test {
 protected:
  TestClock clock;
  Replica replica = open_replica(clock, 1);
  Keyspace shop = replica.keyspace("shop");
};

TEST_F(KeyspaceTest, ReadsItsOwnWrites) {
  must(shop.update([](auto& tx) {
    tx.counter("stock/apples").add(-2);
    tx.set("cart/42").insert("apples");
    tx.map("customer/42").set("name", "Ada");
    tx.reg("motto").set(true);
  }));
  EXPECT_EQ(must(shop.counter("stock/apples").total()), -2);
  EXPECT_TRUE(must(shop.counter("stock/apples").exists()));
  EXPECT_TRUE(must(shop.set("cart/42").contains("apples")));
  EXPECT_FALSE(must(shop.set("cart/42").contains("pears")));
  EXPECT_THAT(must(shop.set("cart/42").elements()), ElementsAre(Value("apples")));
  EXPECT_EQ(must(shop.map("customer/42").get("name")), Value("Ada"));
  EXPECT_EQ(must(shop.map("customer/42").get("age")), std::nullopt);
  EXPECT_EQ(must(shop.reg("motto").get()), Value(true));
}

TEST_F(KeyspaceTest, WhatIsNotThereReadsAsEmpty) {
  EXPECT_EQ(must(shop.counter("k").total()), 0);
  EXPECT_FALSE(must(shop.counter("k").exists()));
  EXPECT_THAT(must(shop.set("k").elements()), IsEmpty());
  EXPECT_EQ(must(shop.set("k").size()), 0U);
  EXPECT_EQ(must(shop.map("k").size()), 0U);
  EXPECT_EQ(must(shop.reg("k").get()), std::nullopt);
  EXPECT_EQ(must(shop.to_json()), "{}");
  EXPECT_TRUE(shop.version().empty());
}

TEST_F(KeyspaceTest, UpdatesSeeTheirOwnWrites) {
  must(shop.update([](Update& tx) {
    tx.counter("n").add(3);
    EXPECT_EQ(tx.counter("n").total(), 3);
    EXPECT_TRUE(tx.counter("n").exists());
    tx.set("s").insert(1);
    EXPECT_TRUE(tx.set("s").contains(1));
    EXPECT_TRUE(tx.set("s").erase(1));
    EXPECT_FALSE(tx.set("s").erase(1));
    tx.map("m").set("f", 1);
    EXPECT_EQ(tx.map("m").get("f"), Value(1));
    EXPECT_TRUE(tx.map("m").erase("f"));
    tx.reg("r").set("x");
    EXPECT_EQ(tx.reg("r").get(), Value("x"));
    EXPECT_TRUE(tx.reg("r").clear());
    EXPECT_FALSE(tx.reg("r").clear());
  }));
  EXPECT_EQ(must(shop.to_json()), R"({"n":3})");
}

TEST_F(KeyspaceTest, VersionCoversTheChangeAndGrowsOnlyWithChanges) {
  const Version first = must(shop.update([](auto& tx) { tx.set("s").insert(1); }));
  EXPECT_EQ(first, shop.version());
  EXPECT_EQ(first.size(), 1U);
  EXPECT_TRUE(shop.durable(first));
  EXPECT_EQ(must(shop.update([](auto& tx) { tx.set("s").erase(7); })), first);
  EXPECT_EQ(must(shop.update([](auto&) {})), first);
  const Version second = must(shop.update([](auto& tx) { tx.set("s").insert(2); }));
  EXPECT_TRUE(second.includes(first));
  EXPECT_EQ(second.size(), 2U);
  EXPECT_FALSE(replica.keyspace("other").durable(second));
  must(shop.flush());
}

TEST_F(KeyspaceTest, TheActorIsTheOneThatVersionsName) {
  EXPECT_EQ(shop.actor(), std::nullopt);
  const Version written = must(shop.update([](auto& tx) { tx.set("s").insert(1); }));
  EXPECT_EQ(shop.actor(), written.entries().front().first);
}

TEST_F(KeyspaceTest, FailedUpdatesWriteNothing) {
  EXPECT_EQ(shop.update([](auto& tx) {
                  tx.set("s").insert(1);
                  EXPECT_FALSE(tx.failed());
                  tx.fail({Errc::wrong_type, "my own reason"});
                  EXPECT_TRUE(tx.failed());
                  tx.fail({Errc::limit, "a later one"});
                })
                .error(),
            (Error{Errc::wrong_type, "my own reason"}));
  EXPECT_EQ(code_of(shop.update([](auto& tx) {
              tx.counter("n").add(std::numeric_limits<std::int64_t>::max());
              tx.counter("n").add(std::numeric_limits<std::int64_t>::max());
              tx.counter("n").add(2);
            })),
            "overflow");
  EXPECT_EQ(code_of(shop.update([](auto& tx) { tx.map("m").set("f", 1, std::uint64_t{1} << 62); })),
            "invalid_argument");
  EXPECT_TRUE(shop.version().empty());
  EXPECT_EQ(must(shop.to_json()), "{}");
}

TEST_F(KeyspaceTest, LimitsAreErrorsAndTheirEdgesAreNot) {
  const std::size_t value_max = EngineOptions{}.value_bytes_max;
  const auto put = [&](std::size_t bytes) {
    return shop.update([&](auto& tx) { tx.reg("r").set(std::string(bytes, 'x')); });
  };
  EXPECT_EQ(code_of(put(value_max + 1)), "too_large");
  must(put(value_max - 8));  // The value's tag is in the payload, too.
  const std::size_t key_max = EngineOptions{}.key_bytes_max;
  const auto put_key = [&](std::size_t bytes) {
    return shop.update([&](auto& tx) { tx.reg(std::string(bytes, 'k')).set(1); });
  };
  EXPECT_EQ(code_of(put_key(key_max + 1)), "too_large");
  must(put_key(key_max - 8));  // So is the leaf's type and its ends.
}

TEST_F(KeyspaceTest, ChangesOverTheLimitAreRefusedWhole) {
  ReplicaOptions options;
  options.engine.change_bytes_max = 4'096;
  Replica small = open_replica(clock, 2, options);
  Keyspace notes = small.keyspace("notes");
  EXPECT_EQ(code_of(notes.update([](auto& tx) {
              for (int i = 0; i < 100; ++i) tx.map("m").set(std::to_string(i), std::string(100, 'x'));
            })),
            "too_large");
  EXPECT_EQ(must(notes.map("m").size()), 0U);
  must(notes.update([](auto& tx) { tx.map("m").set("1", std::string(100, 'x')); }));
}

TEST_F(KeyspaceTest, CallerTimestampsOnlyBeatLowerOnes) {
  must(shop.update([](auto& tx) { EXPECT_TRUE(tx.map("last").set("f", "one", 5)); }));
  must(shop.update([](auto& tx) { EXPECT_FALSE(tx.map("last").set("f", "two", 5)); }));
  EXPECT_EQ(must(shop.map("last").get("f")), Value("one"));
  must(shop.update([](auto& tx) { EXPECT_TRUE(tx.reg("r").set("x", 7)); }));
  must(shop.update([](auto& tx) { EXPECT_FALSE(tx.reg("r").set("y", 6)); }));
  EXPECT_EQ(must(shop.reg("r").get()), Value("x"));
}

TEST_F(KeyspaceTest, EraseTakesEveryTypeUnderTheKeyAndNothingElse) {
  must(shop.update([](auto& tx) {
    for (const char* key : {"a", "ab"}) {
      tx.counter(key).add(1);
      tx.set(key).insert(1);
      tx.map(key).set("f", 1);
      tx.reg(key).set(1);
    }
  }));
  must(shop.update([](auto& tx) {
    EXPECT_TRUE(tx.erase("a"));
    EXPECT_FALSE(tx.erase("a"));
  }));
  EXPECT_EQ(must(shop.to_json("a")), must(shop.to_json("ab")));
  EXPECT_EQ(must(shop.counter("ab").total()), 1);
}

TEST_F(KeyspaceTest, CountersReset) {
  must(shop.update([](auto& tx) { tx.counter("n").add(5); }));
  must(shop.update([](auto& tx) { EXPECT_TRUE(tx.counter("n").reset()); }));
  EXPECT_FALSE(must(shop.counter("n").exists()));
  must(shop.update([](auto& tx) { tx.counter("n").add(1); }));
  EXPECT_EQ(must(shop.counter("n").total()), 1);
}

TEST_F(KeyspaceTest, EveryTypeHasItsDoor) {
  must(shop.update([](auto& tx) {
    tx.template at<GCounter>("visits").add(2);
    tx.template at<PnCounter>("stock").add(-1);
    tx.template at<OrSet<Value>>("tags").insert("new");
    tx.template at<LwwMap<Value>>("profile").set("name", "Ada");
    tx.template at<LwwRegister<Value>>("title").set("x");
  }));
  EXPECT_EQ(must(shop.at<GCounter>("visits").total()), 2);
  EXPECT_EQ(must(shop.counter("visits").total()), 0) << "another type, another place";
  EXPECT_EQ(must(shop.counter("stock").total()), -1);
  EXPECT_TRUE(must(shop.at<OrSet<Value>>("tags").contains("new")));
  EXPECT_EQ(must(shop.at<LwwMap<Value>>("profile").get("name")), Value("Ada"));
  EXPECT_EQ(must(shop.at<LwwRegister<Value>>("title").get()), Value("x"));
  EXPECT_EQ(code_of(shop.update([](Update& tx) { tx.at<GCounter>("visits").add(-1); })), "invalid_argument");
}

// A type of a user's own: a set of words, kept in lower case.
struct Words {
  template <class Home>
  class View {
   public:
    explicit View(Home home) : home_(std::move(home)) {}
    typename Home::template Answer<std::size_t> count() const {
      return home_.look([](auto& reader, Place place) {
        std::size_t count = 0;
        set_for_each(reader, Type::or_set, place, [&count](std::string_view) { return ++count, true; });
        return count;
      });
    }

   private:
    Home home_;
  };
  template <LeafAccess A>
  class Writer {
   public:
    Writer(A& access, Place place) : access_(access), place_(place) {}
    void insert(std::string word) {
      for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      set_insert(access_, Type::or_set, place_, Value(std::move(word)).to_bytes());
    }

   private:
    A& access_;
    Place place_;
  };
};

TEST_F(KeyspaceTest, UsersTypesComeThroughTheSameDoor) {
  must(shop.update([](Update& tx) {
    tx.at<Words>("w").insert("Apple");
    tx.at<Words>("w").insert("APPLE");
    tx.at<Words>("w").insert("pear");
  }));
  EXPECT_EQ(must(shop.at<Words>("w").count()), 2U);
}

TEST_F(KeyspaceTest, MapsIterateInFieldOrderFromAnywhere) {
  const std::string zero("b\0c", 3);
  must(shop.update([&](auto& tx) {
    for (const std::string& field : {std::string("b"), std::string("a"), zero, std::string("c")})
      tx.map("m").set(field, field);
    tx.map("m2").set("x", 1);
    tx.set("m").insert("z");
  }));
  const auto fields_from = [&](std::string_view from, std::size_t limit) {
    std::vector<std::string> fields;
    must(shop.map("m").for_each(from, [&](std::string_view field, const Value& value) {
      EXPECT_EQ(value, Value(field));
      fields.emplace_back(field);
      return fields.size() < limit;
    }));
    return fields;
  };
  EXPECT_THAT(fields_from("", 9), ElementsAre("a", "b", zero, "c"));
  EXPECT_THAT(fields_from("b", 9), ElementsAre("b", zero, "c"));
  EXPECT_THAT(fields_from("bb", 9), ElementsAre("c"));
  EXPECT_THAT(fields_from("", 2), ElementsAre("a", "b"));
  EXPECT_THAT(fields_from("d", 2), IsEmpty());
  EXPECT_EQ(must(shop.map("m").size()), 4U);
}

TEST_F(KeyspaceTest, KeysIterateByPrefixAcrossTypes) {
  must(shop.update([](auto& tx) {
    tx.reg("a/2").set(1);
    tx.counter("a/1").add(1);
    tx.set("a/1").insert(1);
    tx.counter("a/reset").add(1);
    tx.map(std::string_view("a/\0", 3)).set("f", 1);
    tx.reg("b").set(1);
  }));
  must(shop.update([](auto& tx) { tx.counter("a/reset").reset(); }));
  const auto keys = [&](std::string_view prefix, std::size_t limit) {
    std::vector<std::pair<std::string, Type>> found;
    must(shop.for_each_key(prefix, [&](std::string_view key, Type type) {
      found.emplace_back(key, type);
      return found.size() < limit;
    }));
    return found;
  };
  EXPECT_THAT(keys("a/", 99),
              ElementsAre(Pair(std::string("a/\0", 3), Type::lww_map), Pair("a/1", Type::pn_counter),
                          Pair("a/1", Type::or_set), Pair("a/2", Type::lww_register)));
  EXPECT_THAT(keys("", 2),
              ElementsAre(Pair(std::string("a/\0", 3), Type::lww_map), Pair("a/1", Type::pn_counter)));
  EXPECT_THAT(keys("b", 99), ElementsAre(Pair("b", Type::lww_register)));
  EXPECT_THAT(keys("c", 99), IsEmpty());
}

// Scans gather keys in batches and seek past big collections: all sizes around those must give each key once.
TEST_F(KeyspaceTest, KeysIterateOnceEachAmongBigAndSmallCollections) {
  std::vector<std::string> expected;
  must(shop.update([&](auto& tx) {
    for (int i = 0; i < 700; ++i) {
      const std::string key = "k" + std::to_string(1000 + i);
      expected.push_back(key);
      const int elements = i % 40 == 0 ? 15 + i / 40 : 1;
      for (int e = 0; e < elements; ++e) tx.set(key).insert(e);
    }
  }));
  std::vector<std::string> found;
  must(shop.for_each_key("k", [&](std::string_view key, Type) {
    found.emplace_back(key);
    return true;
  }));
  EXPECT_EQ(found, expected);
}

TEST_F(KeyspaceTest, TellsWhatChangedSinceAVersion) {
  must(shop.update([](auto& tx) { tx.set("old").insert(1); }));
  const Version then = shop.version();
  EXPECT_THAT(must(shop.changes_since(then)), IsEmpty());
  must(shop.update([](auto& tx) {
    tx.set("b").insert(1);
    tx.set("b").insert(2);
    tx.counter("a").add(1);
  }));
  must(shop.update([](auto& tx) { tx.set("old").erase(1); }));
  EXPECT_THAT(must(shop.changes_since(then)), ElementsAre("a", "b", "old"));
  EXPECT_THAT(must(shop.changes_since({})), ElementsAre("a", "b", "old"));
}

TEST_F(KeyspaceTest, BelowTheLogChangesSinceSaysSo) {
  ReplicaOptions options;
  options.engine.log_bytes_max = 2'000;
  Replica small = open_replica(clock, 2, options);
  Keyspace notes = small.keyspace("notes");
  must(notes.update([](auto& tx) { tx.reg("first").set(1); }));
  const Version then = notes.version();
  for (int i = 0; i < 200; ++i)
    must(notes.update([&](auto& tx) { tx.reg("n" + std::to_string(i)).set(std::string(100, 'x')); }));
  EXPECT_EQ(code_of(notes.changes_since(then)), "version_too_old");
  EXPECT_THAT(must(notes.changes_since(notes.version())), IsEmpty());
}

TEST_F(KeyspaceTest, TokensMakeUpdatesIdempotent) {
  const auto order = [&](std::string_view token) {
    return shop.update(token, [](auto& tx) { tx.counter("orders").add(1); });
  };
  const Version first = must(order("request-1"));
  EXPECT_TRUE(must(order("request-1")).includes(first));
  must(order("request-2"));
  EXPECT_EQ(must(shop.counter("orders").total()), 2);

  EXPECT_EQ(code_of(order("")), "invalid_argument");
  EXPECT_EQ(code_of(order(std::string(Keyspace::token_bytes_max + 1, 't'))), "invalid_argument");
  must(order(std::string(Keyspace::token_bytes_max, 't')));

  Keyspace other = replica.keyspace("other");
  must(other.update("request-1", [](auto& tx) { tx.counter("orders").add(1); }));
  EXPECT_EQ(must(other.counter("orders").total()), 1) << "a token belongs to its keyspace";
}

TEST_F(KeyspaceTest, TokensOfFailedUpdatesCanBeUsedAgain) {
  EXPECT_FALSE(shop.update("t", [](auto& tx) { tx.fail({Errc::limit, "not yet"}); }));
  must(shop.update("t", [](auto& tx) { tx.counter("n").add(1); }));
  EXPECT_EQ(must(shop.counter("n").total()), 1);
}

TEST_F(KeyspaceTest, TheOldestTokenIsForgottenWhenThereAreTooMany) {
  const auto count = [&](std::size_t token) {
    must(shop.update(std::to_string(token), [](auto& tx) { tx.counter("n").add(1); }));
  };
  for (std::size_t i = 0; i < Keyspace::tokens_max; ++i) count(i);
  count(0);  // Still known.
  EXPECT_EQ(must(shop.counter("n").total()), static_cast<std::int64_t>(Keyspace::tokens_max));
  count(Keyspace::tokens_max);  // Takes the place of 0.
  count(1);
  count(0);
  EXPECT_EQ(must(shop.counter("n").total()), static_cast<std::int64_t>(Keyspace::tokens_max) + 2);
}

TEST_F(KeyspaceTest, WaitForReturnsAtOnceOrTimesOut) {
  must(shop.update([](auto& tx) { tx.set("s").insert(1); }));
  must(shop.wait_for(shop.version(), 0ms));
  must(shop.wait_for({}, 0ms));
  Version beyond = shop.version();
  beyond.raise(beyond.entries().front().first, 2);
  EXPECT_EQ(code_of(shop.wait_for(beyond, 0ms)), "timeout");
  EXPECT_EQ(code_of(shop.wait_for(beyond, 1ms)), "timeout");
}

TEST_F(KeyspaceTest, PendingCountsAllWithoutPeers) {
  EXPECT_EQ(shop.pending(), 0U);
  must(shop.update([](auto& tx) {
    tx.set("s").insert(1);
    tx.set("s").insert(2);
  }));
  EXPECT_EQ(shop.pending(), 2U);
}

TEST_F(KeyspaceTest, EqualContentsOfDifferentOriginHaveDifferentContexts) {
  Replica other = open_replica(clock, 2);
  Keyspace theirs = other.keyspace("shop");
  EXPECT_EQ(shop.digests(), theirs.digests());
  must(shop.update([](auto& tx) { tx.set("s").insert(1); }));
  must(theirs.update([](auto& tx) { tx.set("s").insert(1); }));
  EXPECT_NE(shop.digests().context, theirs.digests().context);
}

TEST_F(KeyspaceTest, CallsFromInsideAreRefusedAndNotDeadlocked) {
  must(shop.update([&](auto& tx) {
    tx.set("s").insert(1);
    EXPECT_EQ(code_of(shop.update([](auto&) {})), "invalid_argument");
    EXPECT_EQ(code_of(shop.set("s").contains(1)), "invalid_argument");
    EXPECT_EQ(code_of(shop.wait_for({}, 1h)), "invalid_argument");
    EXPECT_EQ(code_of(shop.flush()), "invalid_argument");
    EXPECT_EQ(code_of(replica.drop_keyspace("shop")), "invalid_argument");
    EXPECT_EQ(code_of(replica.bind_cluster("c")), "invalid_argument");
  }));
  must(shop.for_each_key("", [&](std::string_view, Type) {
    EXPECT_EQ(code_of(shop.to_json()), "invalid_argument");
    return true;
  }));
  must(shop.read([&](Reader&) { EXPECT_EQ(code_of(shop.changes_since({})), "invalid_argument"); }));
  EXPECT_EQ(must(shop.to_json()), R"({"s":[1]})");
  EXPECT_DEATH(must(shop.read([&](Reader&) { shop.version(); })), "no call on the replica inside");
}

TEST_F(KeyspaceTest, AThrowingUpdateWritesNothingAndFreesTheLock_R_BLAST_2) {
  EXPECT_THROW(static_cast<void>(shop.update([](auto& tx) {
                 tx.set("s").insert(1);
                 throw std::runtime_error("out of apples");
               })),
               std::runtime_error);
  EXPECT_EQ(must(shop.to_json()), "{}");
  must(shop.update([](auto& tx) { tx.set("s").insert(2); }));
  EXPECT_EQ(must(shop.to_json()), R"({"s":[2]})");
}

TEST_F(KeyspaceTest, ReadLooksAtSeveralPlacesAtOnce) {
  must(shop.update([](auto& tx) {
    tx.reg("a").set(1);
    tx.counter("b").add(2);
  }));
  std::optional<Value> a;
  std::int64_t b = 0;
  must(shop.read([&](Reader& reader) {
    a = register_get(reader, "a");
    b = counter_total(reader, Type::pn_counter, "b").total;
  }));
  EXPECT_EQ(a, Value(1));
  EXPECT_EQ(b, 2);
}

TEST_F(KeyspaceTest, ViewsOutliveTheHandlesTheyCameFrom) {
  must(shop.update([](auto& tx) { tx.counter("n").add(4); }));
  const auto view = replica.keyspace(std::string("sh") + "op").counter(std::string("n"));
  EXPECT_EQ(must(view.total()), 4);
}

}  // namespace
}  // namespace syncline
