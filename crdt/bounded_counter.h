// A counter that never passes zero: BoundedCounter.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "crdt/bounded_logic.h"
#include "crdt/home.h"
#include "crdt/standalone.h"

namespace syncline {

// A home with a replica around it that can ask its peers: a keyspace.
template <class Home>
concept AskingHome = requires(const Home& home, std::string_view request) {
  home.ask(Type::bounded_counter, request);
};

// Reads a bounded counter. O(actors and pairs that gave) each.
template <class Home>
class BasicBoundedView {
 public:
  explicit BasicBoundedView(Home home) : home_(std::move(home)) {}

  // What is left of all that was added; 0 if nothing ever was.
  typename Home::template Answer<std::int64_t> total() const {
    return home_.look([](auto& reader, Place place) { return bounded_total(reader, place); });
  }
  // How much that actor can spend: of the writing replica's own actor (Keyspace::actor()), what can
  // still be spent here.
  typename Home::template Answer<std::int64_t> available(const ActorId& actor) const {
    return home_.look(
        [&actor](auto& reader, Place place) { return bounded_available(reader, place, actor); });
  }
  // Who holds rights, by actor. What a lost actor holds is stranded until an operator's take_over().
  typename Home::template Answer<std::vector<Holding>> holdings() const {
    return home_.look([](auto& reader, Place place) { return bounded_holdings(reader, place); });
  }

  // How much can be spent here: 0 before this replica's first write.
  Result<std::int64_t> available() const requires AskingHome<Home> {
    return home_.look([](auto& reader, Place place) {
      const auto self = reader.self();
      return self ? bounded_available(reader, place, *self) : 0;
    });
  }
  // Asks the linked peers for rights, so that `amount` can be spent here. Returns at once; what they
  // give comes as changes of theirs. Each that holds rights gives at most what this replica lacks as
  // seen there, and what its ReplicaOptions::give_rights says; several may give at once, so more may come.
  // What peers that aren't linked hold isn't asked for: ask again when others are. Errors: `no_peer` if
  // nobody who has the keyspace is linked, or none takes it just now; `invalid_argument` below zero;
  // `storage`, `disk_full` while this store takes nothing.
  Result<void> request(std::int64_t amount) const requires AskingHome<Home> {
    if (amount < 0) return failure(Errc::invalid_argument, "request: an amount below zero");
    return home_.ask(Type::bounded_counter, bounded_request(amount));
  }
  // Waits until `amount` can be spent here; `timeout` if that doesn't come. Not for a thread that carries
  // frames, or calls watchers.
  Result<void> wait_for_rights(std::int64_t amount,
                               std::chrono::milliseconds timeout) const requires AskingHome<Home> {
    return home_.wait(timeout, [amount](auto& reader, Place place) {
      const auto self = reader.self();
      return amount <= 0 || (self && bounded_available(reader, place, *self) >= amount);
    });
  }

 protected:
  Home home_;
};

// Writes a bounded counter within a change. Amounts below zero fail it with `invalid_argument`, totals
// above 64 bits with `overflow`; 0 writes nothing.
template <LeafAccess A>
class BasicBoundedWriter : public BasicBoundedView<WriteHome<A>> {
 public:
  BasicBoundedWriter(A& access, Place place) : BasicBoundedView<WriteHome<A>>(WriteHome<A>(access, place)) {}

  using BasicBoundedView<WriteHome<A>>::available;
  // How much this change can still spend.
  std::int64_t available() const { return this->available(this->home_.access().self()); }
  // Adds, and gives the writing actor as many rights. O(log leaves).
  void add(std::int64_t by) { bounded_add(this->home_.access(), this->home_.place(), by); }
  // Takes away. Fails the change with `no_rights`, which tells who holds some, unless this actor
  // holds as many. The spending counts once update() has returned. O(log leaves) while what this actor
  // added itself is enough, else O(actors and pairs that gave).
  void spend(std::int64_t by) { bounded_spend(this->home_.access(), this->home_.place(), by); }
  // Hands rights to another actor. Fails as spend() does.
  void give(const ActorId& to, std::int64_t by) {
    bounded_give(this->home_.access(), this->home_.place(), to, by);
  }
  // An operator's act: takes over the rights of an actor whose store is lost; how many. UNSAFE if
  // that store still lives, if two take over from it, or if it wrote what isn't here: then more can
  // be spent than there is.
  std::int64_t take_over(const ActorId& lost) {
    return bounded_take_over(this->home_.access(), this->home_.place(), lost);
  }
};

// A number that is never taken below zero, by however many at once and however
// cut off: seats, stock, money. Each actor spends only rights that it holds.
//
//   The warehouse adds 10 and gives each of two tills 5. Cut off from all, each sells 5; the sixth
//   is refused there, with `no_rights`. Together they have sold 10, never 11.
//
// Can't be reset or removed, nor can a map above it: a removal that didn't see a
// spending would take the rights and leave the spending. For an upper bound count
// what is left below it. Memory: a leaf for each actor that added, spent or gave, and one for
// each pair that gave. A copy from a backup must write under a fresh actor (I5); its rights
// of before are then stranded.
class BoundedCounter : public Standalone<BoundedCounter> {
 public:
  static constexpr Type type = Type::bounded_counter;
  template <class Home>
  using View = BasicBoundedView<Home>;
  template <LeafAccess A>
  using Writer = BasicBoundedWriter<A>;

  // See BasicBoundedWriter for effects and errors; on error nothing changed.
  [[nodiscard]] Result<BoundedCounter> add(const ActorId& actor, std::int64_t by) {
    return try_mutate(actor, 0, [&](LeafEdit& edit) { bounded_add(edit, {}, by); });
  }
  [[nodiscard]] Result<BoundedCounter> spend(const ActorId& actor, std::int64_t by) {
    return try_mutate(actor, 0, [&](LeafEdit& edit) { bounded_spend(edit, {}, by); });
  }
  [[nodiscard]] Result<BoundedCounter> give(const ActorId& actor, const ActorId& to, std::int64_t by) {
    return try_mutate(actor, 0, [&](LeafEdit& edit) { bounded_give(edit, {}, to, by); });
  }
  // Answers a request (bounded_request()) of `asker` with rule(lacking, held) rights; see bounded_answer().
  template <class Rule>
  [[nodiscard]] Result<BoundedCounter> answer(const ActorId& actor, const ActorId& asker,
                                              std::string_view request, Rule&& rule) {
    return try_mutate(actor, 0, [&](LeafEdit& edit) {
      bounded_answer(edit, {}, asker, request, std::forward<Rule>(rule));
    });
  }
  BoundedCounter take_over(const ActorId& actor, const ActorId& lost) {
    return mutate(actor, 0, [&](LeafEdit& edit) { bounded_take_over(edit, {}, lost); });
  }

  std::int64_t total() const { return bounded_total(state(), {}); }
  std::int64_t available(const ActorId& actor) const { return bounded_available(state(), {}, actor); }
  std::vector<Holding> holdings() const { return bounded_holdings(state(), {}); }

  static bool dot_is_valid(std::string_view element, const LiveDot& live) {
    return bounded_dot_is_valid(element, live);
  }
};

}  // namespace syncline
