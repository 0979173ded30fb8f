// The law suite over all types: 100,000 seeds each (I1, I2; R-CRDT-1, -2, -7, -8).
#include <gtest/gtest.h>

#include "tests/crdt/flawed_types.h"
#include "tests/crdt/law_subjects.h"
#include "tests/support/scale.h"

namespace syncline {
namespace {

template <class Subject>
void expect_laws() {
  for (std::uint64_t seed = 0; seed < scaled(100'000); ++seed) {
    const auto broken = Laws<Subject>(seed).run();
    ASSERT_FALSE(broken.has_value()) << *broken << ", seed " << seed;
  }
}

TEST(Laws_R_CRDT_1_R_CRDT_2_R_CRDT_7_R_CRDT_8, OrSet) { expect_laws<SetLaws>(); }
TEST(Laws_R_CRDT_1_R_CRDT_2_R_CRDT_7_R_CRDT_8, LwwRegister) { expect_laws<RegisterLaws>(); }
TEST(Laws_R_CRDT_1_R_CRDT_2_R_CRDT_7_R_CRDT_8, LwwMap) { expect_laws<MapLaws>(); }
TEST(Laws_R_CRDT_1_R_CRDT_2_R_CRDT_7_R_CRDT_8, GCounter) { expect_laws<CounterLaws<GCounter>>(); }
TEST(Laws_R_CRDT_1_R_CRDT_2_R_CRDT_7_R_CRDT_8, PnCounter) { expect_laws<CounterLaws<PnCounter>>(); }

TEST(Laws_R_CRDT_1_R_CRDT_2_R_CRDT_7_R_CRDT_8, GSet) { expect_laws<GSetLaws>(); }
TEST(Laws_R_CRDT_1_R_CRDT_2_R_CRDT_7_R_CRDT_8, RwSet) { expect_laws<RwSetLaws>(); }
TEST(Laws_R_CRDT_1_R_CRDT_2_R_CRDT_7_R_CRDT_8, MvRegister) {
  expect_laws<MvLaws<MvRegister<std::int64_t>>>();
}
TEST(Laws_R_CRDT_1_R_CRDT_2_R_CRDT_7_R_CRDT_8, MaxRegister) {
  expect_laws<MvLaws<MaxRegister<std::int64_t>>>();
}
TEST(Laws_R_CRDT_1_R_CRDT_2_R_CRDT_7_R_CRDT_8, MinRegister) {
  expect_laws<MvLaws<MinRegister<std::int64_t>>>();
}
TEST(Laws_R_CRDT_1_R_CRDT_2_R_CRDT_7_R_CRDT_8, EwFlag) { expect_laws<FlagLaws<EwFlag>>(); }
TEST(Laws_R_CRDT_1_R_CRDT_2_R_CRDT_7_R_CRDT_8, DwFlag) { expect_laws<FlagLaws<DwFlag>>(); }
TEST(Laws_R_CRDT_1_R_CRDT_2_R_CRDT_7_R_CRDT_8, BoundedCounter) { expect_laws<BoundedLaws>(); }
TEST(Laws_R_CRDT_1_R_CRDT_2_R_CRDT_7_R_CRDT_8, OrMap) { expect_laws<NestedLaws<OrMap>>(); }
TEST(Laws_R_CRDT_1_R_CRDT_2_R_CRDT_7_R_CRDT_8, GMap) { expect_laws<NestedLaws<GMap>>(); }

// The suite finds what it is for. `Base` gives the mutations and states of the sound type.
template <class Base, class FlawedState>
struct FlawedLaws {
  using State = FlawedState;
  static State mutate(State& state, const ActorId& actor, Random& random) {
    return State(Base::mutate(*state, actor, random));
  }
  static State arbitrary(Random& random) { return State(Base::arbitrary(random)); }
};

template <class Subject>
std::size_t broken_runs() {
  std::size_t broken = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    if (Laws<Subject>(seed).run()) ++broken;
  }
  return broken;
}

TEST(LawsFind, AMergeThatDropsLosers) {
  EXPECT_GT((broken_runs<FlawedLaws<RegisterLaws, LoserDroppingRegister>>()), 100U);
}

TEST(LawsFind, AContextWithoutGaps) { EXPECT_GT((broken_runs<FlawedLaws<SetLaws, LastSeenSet>>()), 100U); }

TEST(LawsFind, AContextThatForgetsRemovals) {
  EXPECT_GT((broken_runs<FlawedLaws<SetLaws, ForgetfulSet>>()), 100U);
}

// Says what it merged in bytes that depend on the order of merging.
class OrderLeakingSet {
 public:
  OrderLeakingSet() = default;
  explicit OrderLeakingSet(OrSet<std::string> inner) : inner_(std::move(inner)) {}
  void merge(const OrderLeakingSet& other) {
    if (inner_ == other.inner_) return;
    inner_.merge(other.inner_);
    last_ = static_cast<char>(other.inner_.size());
  }
  std::string to_bytes() const { return inner_.to_bytes() + last_; }
  static Result<OrderLeakingSet> from_bytes(std::string_view bytes) {
    OrderLeakingSet set(*OrSet<std::string>::from_bytes(bytes.substr(0, bytes.size() - 1)));
    set.last_ = bytes.back();
    return set;
  }
  OrSet<std::string>& operator*() { return inner_; }
  friend bool operator==(const OrderLeakingSet& a, const OrderLeakingSet& b) { return a.inner_ == b.inner_; }

 private:
  OrSet<std::string> inner_;
  char last_ = 0;
};

TEST(LawsFind, BytesThatTellTheOrderOfArrival) {
  EXPECT_GT((broken_runs<FlawedLaws<SetLaws, OrderLeakingSet>>()), 100U);
}

}  // namespace
}  // namespace syncline
