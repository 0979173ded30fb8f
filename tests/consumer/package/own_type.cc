// A type of a program's own, written outside the library: votes of one to five
// stars, the last of each voter counts. Used in a keyspace and inside a map.
#include <syncline/store.h>

#include <cstdio>
#include <map>
#include <string>
#include <utility>

using syncline::LeafAccess;
using syncline::LiveDotView;
using syncline::Place;

// Numbers from 128 on are for types of programs.
constexpr syncline::Type stars_type{128};

// Rule: of one voter's votes made at once on two replicas, the one with the greater dot counts. One leaf per
// voter, named by the voter; its payload is the number of stars.
struct Stars {
  // Reads: from a keyspace, from a change, from a map used alone.
  template <class Home>
  class View {
   public:
    explicit View(Home home) : home_(std::move(home)) {}

    // Stars of each voter.
    typename Home::template Answer<std::map<std::string, int>> votes() const {
      return home_.look([](auto& reader, Place place) {
        const std::string prefix = leaf_prefix(place, stars_type);
        std::map<std::string, int> votes;
        std::string buffer;
        reader.scan(std::string_view(prefix), [&](std::string_view leaf, std::span<const LiveDotView> live) {
          std::string_view voter;
          // Dots come in order; bytes may be anybody's.
          if (syncline::flat_element(leaf, prefix.size(), buffer, voter) && live.back().bytes.size() == 1)
            votes[std::string(voter)] = live.back().bytes.front();
          return true;
        });
        return votes;
      });
    }

   private:
    Home home_;
  };

  // Writes, within a change.
  template <LeafAccess A>
  class Writer {
   public:
    Writer(A& access, Place place) : access_(access), place_(place) {}

    void vote(const std::string& voter, char stars) {
      if (stars < 1 || stars > 5)
        return access_.fail(
            refused(syncline::Errc::invalid_argument, "vote in", stars_type, place_, "one to five stars"));
      access_.put(access_.open(leaf_key(place_, stars_type, voter)), 0, std::string_view(&stars, 1));
    }

   private:
    A& access_;
    Place place_;
  };
};

int main() {
  auto replica = syncline::Replica::open();
  if (!replica) return 1;
  auto films = replica->keyspace("films");
  const auto voted = films.update([](syncline::Update& tx) {
    tx.at<Stars>("film/1").vote("ada", 3);
    tx.at<Stars>("film/1").vote("ada", 4);
    tx.at<syncline::OrMap>("film/2").at<Stars>("votes").vote("bob", 5);
  });
  const auto refused = films.update([](syncline::Update& tx) { tx.at<Stars>("film/1").vote("eve", 6); });
  if (!voted || refused) return 1;
  if (refused.error().detail != "vote in type_128 \"film/1\": one to five stars") return 1;
  const auto first = films.at<Stars>("film/1").votes();
  const auto second = films.at<syncline::OrMap>("film/2").at<Stars>("votes").votes();
  if (!first || *first != std::map<std::string, int>{{"ada", 4}}) return 1;
  if (!second || *second != std::map<std::string, int>{{"bob", 5}}) return 1;
  std::puts("ada gives 4 stars, bob 5");
  return 0;
}
