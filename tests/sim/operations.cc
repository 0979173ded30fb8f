#include "tests/sim/operations.h"

#include <array>
#include <optional>
#include <utility>

#include "crdt/key_logic.h"
#include "crdt/reading.h"

namespace syncline::sim {
namespace {

std::string some_key(const OperationLimits& limits, Rng& rng) {
  return "k" + std::to_string(rng.below(limits.keys));
}
std::string some_element(Rng& rng) { return Value(static_cast<std::int64_t>(rng.below(3))).to_bytes(); }
std::string some_field(Rng& rng) { return std::string(1, static_cast<char>('f' + rng.below(2))); }
// What is drawn for two arguments of one call is drawn before it: compilers evaluate those in orders of their
// own.
Value some_value(const OperationLimits& limits, Rng& rng) {
  const char letter = static_cast<char>('a' + rng.below(26));
  return Value(std::string(static_cast<std::size_t>(rng.below(limits.value_bytes_max)), letter));
}
std::optional<std::uint64_t> some_timestamp(Rng& rng) {
  return rng.one_in(4) ? std::optional(rng.below(1000)) : std::nullopt;
}

// What must be readable after the commit, if nothing later in it undid it.
struct Promise {
  enum class Kind { none, contains, contains_not, counts, maps } kind = Kind::none;
  std::string key;
  std::string element;
  std::int64_t total = 0;
  Value value;
};

Promise write(Transaction& tx, const OperationLimits& limits, Rng& rng) {
  const std::string key = some_key(limits, rng);
  const Type counter = rng.one_in(3) ? Type::g_counter : Type::pn_counter;
  switch (rng.below(26)) {
    case 0:
    case 1:
    case 2: {
      std::int64_t by = static_cast<std::int64_t>(rng.between(1, 5));
      if (counter == Type::pn_counter && rng.one_in(2)) by = -by;
      const std::int64_t before = counter_total(tx, counter, key).total;
      counter_add(tx, counter, key, by);
      if (counter == Type::g_counter) return {};
      return Promise{.kind = Promise::Kind::counts, .key = key, .total = before + by};
    }
    case 3:
      counter_reset(tx, Type::pn_counter, key);
      return Promise{.kind = Promise::Kind::counts, .key = key, .total = 0};
    case 4:
    case 5:
    case 6:
    case 7: {
      const std::string element = some_element(rng);
      set_insert(tx, Type::or_set, key, element);
      return Promise{.kind = Promise::Kind::contains, .key = key, .element = element};
    }
    case 8:
    case 9:
    case 10: {
      const std::string element = some_element(rng);
      set_erase(tx, Type::or_set, key, element);
      return Promise{.kind = Promise::Kind::contains_not, .key = key, .element = element};
    }
    case 11:
    case 12: {
      const std::optional<std::uint64_t> timestamp = some_timestamp(rng);
      register_set(tx, key, some_value(limits, rng), timestamp);
      return {};
    }
    case 13:
      register_clear(tx, key);
      return {};
    case 14:
    case 15: {
      const std::string field = some_field(rng);
      const Value value = some_value(limits, rng);
      map_set(tx, key, field, value);
      return Promise{.kind = Promise::Kind::maps, .key = key, .element = field, .value = value};
    }
    case 16:
      map_remove(tx, key, some_field(rng));
      return {};
    case 17:
      erase_place(tx, key);
      return {};
    case 18:
      set_insert(tx, Type::g_set, key, some_element(rng));
      return {};
    case 19: {
      const std::string element = some_element(rng);
      set_insert(tx, Type::rw_set, key, element);
      if (rng.one_in(2)) set_erase(tx, Type::rw_set, key, element);
      return {};
    }
    case 20: {
      constexpr std::array registers{Type::mv_register, Type::max_register, Type::min_register};
      const Value value = some_value(limits, rng);
      mv_set(tx, registers[rng.below(registers.size())], key, value);
      return {};
    }
    case 21: {
      const Type flag = rng.one_in(2) ? Type::ew_flag : Type::dw_flag;
      rng.one_in(2) ? flag_enable(tx, flag, key) : flag_disable(tx, flag, key);
      return {};
    }
    case 22:
      bounded_add(tx, "bounded", 3);
      bounded_spend(tx, "bounded", static_cast<std::int64_t>(rng.between(1, 3)));
      return {};
    case 23: {
      const std::string child = child_path(key, Type::or_map, some_field(rng));
      counter_add(tx, Type::pn_counter, Place::at(child), 1);
      const Value value = some_value(limits, rng);
      map_set(tx, Place::at(child_path(Place::at(child), Type::or_map, "deep")), some_field(rng), value);
      return {};
    }
    case 24:
      erase_place(tx, Place::at(child_path(key, Type::or_map, some_field(rng))));
      return {};
    default: {
      const auto slot = tx.open(leaf_key(key, made_up_type, some_field(rng)));
      if (rng.one_in(2)) {
        tx.put(slot, rng.below(100), "newer");
      } else {
        tx.remove(slot);
      }
      return {};
    }
  }
}

Finding check_promise(const Promise& promise, const EngineReader& reader) {
  switch (promise.kind) {
    case Promise::Kind::none:
      return {};
    case Promise::Kind::contains:
      return set_contains(reader, Type::or_set, promise.key, promise.element) ? Finding()
                                                                              : "an own insert isn't read";
    case Promise::Kind::contains_not:
      return set_contains(reader, Type::or_set, promise.key, promise.element) ? "an own removal isn't read"
                                                                              : Finding();
    case Promise::Kind::counts:
      return counter_total(reader, Type::pn_counter, promise.key).total == promise.total
                 ? Finding()
                 : "an own count isn't read";
    case Promise::Kind::maps:
      return map_get(reader, promise.key, promise.element) == promise.value ? Finding()
                                                                            : "an own field isn't read";
  }
  return {};
}

}  // namespace

Finding operate(Engine& engine, KeyspaceState& keyspace, Time now, std::uint32_t replica,
                const OperationLimits& limits, Disk* disk, Rng& rng, Oracle& oracle, Oracle::View& view,
                bool loose) {
  const Version& before = view.version;  // Until the next check.
  const auto nothing_happened = [&] {
    view.mirror.refresh(engine, keyspace, false, false);
    return view.mirror.readable() && view.mirror.changed() == 0 && engine.version(keyspace) == before;
  };
  Transaction tx = engine.begin(keyspace, now);
  const ActorId self = tx.self();
  Promise promise = write(tx, limits, rng);
  for (std::uint64_t more = rng.one_in(3) ? rng.between(1, 2) : 0; more != 0; --more)
    promise = write(tx, limits, rng);
  if (rng.one_in(50)) {
    { const Transaction given_up = std::move(tx); }
    if (disk != nullptr) disk->fail_read(0);
    return nothing_happened() ? Finding() : "a transaction that was given up left something behind";
  }
  const bool fails = tx.failed();
  const auto token = engine.commit(std::move(tx));
  if (disk != nullptr) disk->fail_read(0);
  if (!token) {
    if (token.error().code == Errc::damaged && !engine.lost_leaves(keyspace).empty())
      return engine.version(keyspace) == before ? Finding() : "a failed transaction grew the version";
    if (!fails && token.error().code != Errc::storage)
      return "a sound transaction failed: " + to_string(token.error());
    return nothing_happened() ? Finding()
                              : "a failed transaction left something behind: " + to_string(token.error());
  }
  if (fails) return "a failed transaction was committed";
  Version after = engine.version(keyspace);
  if (!after.includes(*token) || token->counter(self) != after.counter(self))
    return "a write's token isn't what the replica has";
  const std::vector<LeafChange> changes = view.mirror.refresh(engine, keyspace, true, false);
  if (!view.mirror.readable()) return "the leaves can't be read";
  if (loose) {
    oracle.note_made(self, changes);
  } else {
    if (Finding finding = oracle.add_change(replica, self, view, after, changes); !finding.empty())
      return finding;
  }
  view.mirrored = std::move(after);
  view.mirrored_digests = engine.digests(keyspace);
  // Where dots were used twice a reset may have seen more of a share than there is of it here.
  if (loose && promise.kind == Promise::Kind::counts) return {};
  return check_promise(promise, EngineReader(engine, keyspace));
}

}  // namespace syncline::sim
