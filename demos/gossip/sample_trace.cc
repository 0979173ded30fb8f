// The trace that comes with the program, made instead of stored: a shop that
// eight tills keep. It draws from its own generator, so every machine makes the
// same bytes; a test holds their hash.
#include <fmt/format.h>

#include <array>
#include <set>

#include "demos/gossip/trace.h"

namespace gossip {
namespace {

constexpr std::size_t writers = 8;
constexpr std::size_t changes = 2'000;

class Shop {
 public:
  std::string make() {
    std::string out;
    for (std::size_t i = 0; i < changes; ++i) {
      const auto writer = draw(writers) + 1;  // One draw a statement: arguments have no order.
      out += fmt::format("{{\"peer\":{},{}}}\n", writer, operation());
    }
    return out;
  }

 private:
  // 0 ... below - 1.
  std::size_t draw(std::size_t below) { return hash_of("draw", ++drawn_) % below; }

  // Half sells and restocks, a third fills and empties carts, the rest writes names and prices.
  std::string operation() {
    const auto kind = draw(100);
    if (kind < 50) return count();
    if (kind < 83) return cart();
    return write();
  }

  std::string count() {
    const auto good = goods.at(draw(goods.size()));
    if (draw(10) == 0) return fmt::format(R"("op":"inc","key":"stock/{}","by":{})", good, 10 + draw(40));
    return fmt::format(R"("op":"inc","key":"stock/{}","by":-{})", good, 1 + draw(3));
  }

  // Adds what isn't in the cart; takes out, or now and then adds again, what is.
  std::string cart() {
    const auto customer = draw(40);
    const auto good = draw(goods.size());
    auto& held = carts_.at(customer);
    const bool take_out = held.contains(good) && draw(4) != 0;
    if (take_out) {
      held.erase(good);
    } else {
      held.insert(good);
    }
    return fmt::format(R"("op":"{}","key":"cart/{}","element":"{}")", take_out ? "rem" : "add", customer,
                       goods.at(good));
  }

  std::string write() {
    if (draw(3) == 0) {
      const auto good = goods.at(draw(goods.size()));
      const auto cents = 50 + draw(950);
      return fmt::format(R"("op":"put","key":"price/{}","value":{})", good, cents);
    }
    const auto customer = draw(40);
    const auto field = draw(2) == 0 ? "name" : "greeting";
    const auto name = names.at(draw(names.size()));
    return fmt::format(R"("op":"put","key":"customer/{}","field":"{}","value":"{}")", customer, field, name);
  }

  static constexpr std::array<const char*, 12> goods = {"apples", "bread",  "butter", "cheese",
                                                        "eggs",   "flour",  "honey",  "lemons",
                                                        "milk",   "olives", "pepper", "tea"};
  static constexpr std::array<const char*, 10> names = {"Ada",  "Barbara", "Edsger",  "Frances", "Grace",
                                                        "Ivan", "Leslie",  "Niklaus", "Radia",   "Tony"};
  std::uint64_t drawn_ = 0;
  std::array<std::set<std::size_t>, 40> carts_;
};

}  // namespace

std::string sample_trace() { return Shop().make(); }

}  // namespace gossip
