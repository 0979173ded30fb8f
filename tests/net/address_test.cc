#include "net/address.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "net/address_book.h"

namespace syncline {
namespace {

using std::chrono::milliseconds;

TEST(Address, IsTakenApartAndPutTogether) {
  const std::map<std::string, std::string> normal = {
      {"127.0.0.1:7946", "127.0.0.1:7946"}, {"edge-1.example:1", "edge-1.example:1"},
      {"[::1]:65535", "[::1]:65535"},       {"[0:0::0:1]:5", "[::1]:5"},
      {"0.0.0.0:0", "0.0.0.0:0"},           {"[fe80::1%eth0]:9", "[fe80::1%eth0]:9"},
  };
  for (const auto& [text, expected] : normal) {
    const auto address = parse_address(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(to_string(*address), expected);
  }
}

TEST(Address, RefusesWhatIsNone) {
  const std::vector<std::string> bad = {"",
                                        "7946",
                                        ":7946",
                                        "host",
                                        "host:",
                                        "host:x",
                                        "host:65536",
                                        "host:-1",
                                        "host:1 ",
                                        "::1:7946",
                                        "[::1]",
                                        "[host]:1",
                                        "[1.2.3.4]:1",
                                        "ho st:1",
                                        "host/x:1",
                                        "[]:1",
                                        "host\n:1",
                                        std::string("ho\0st:1", 7),
                                        std::string(254, 'a') + ":1",
                                        "fe80::1%eth0:1"};
  for (const std::string& text : bad) {
    const auto address = parse_address(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code, Errc::invalid_argument);
    EXPECT_LT(address.error().detail.size(), 200U);  // However much a stranger sent.
  }
  EXPECT_TRUE(parse_address(std::string(253, 'a') + ":1"));
}

TEST(Address, KnowsThisMachine) {
  for (const char* here : {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"}) {
    EXPECT_TRUE(is_loopback(*numeric(*parse_address(here)))) << here;
    EXPECT_TRUE(check_plaintext(*numeric(*parse_address(here)), false)) << here;
  }
  for (const char* there :
       {"192.0.2.1:1", "0.0.0.0:1", "[::]:1", "[2001:db8::1]:1", "[::ffff:192.0.2.1]:1"}) {
    EXPECT_FALSE(is_loopback(*numeric(*parse_address(there)))) << there;
    EXPECT_FALSE(check_plaintext(*numeric(*parse_address(there)), false)) << there;
    EXPECT_TRUE(check_plaintext(*numeric(*parse_address(there)), true)) << there;
  }
  EXPECT_FALSE(numeric(*parse_address("localhost:1")));
}

TEST(Address, AllAddressesMeansTheOneItIsSeenAt) {
  const auto seen = *numeric(*parse_address("192.0.2.7:50000"));
  EXPECT_EQ(to_string(reachable(*parse_address("0.0.0.0:7946"), seen)), "192.0.2.7:7946");
  EXPECT_EQ(to_string(reachable(*parse_address("[::]:7946"), seen)), "192.0.2.7:7946");
  EXPECT_EQ(to_string(reachable(*parse_address("198.51.100.1:7946"), seen)), "198.51.100.1:7946");
  const auto mapped = *numeric(*parse_address("[::ffff:192.0.2.7]:50000"));
  EXPECT_EQ(to_string(reachable(*parse_address("[::]:7946"), mapped)), "192.0.2.7:7946");
}

AddressBook::Options book_options() {
  return {.backoff_min = milliseconds(100),
          .backoff_max = milliseconds(3'000),
          .entries_max = 3,
          .failures_max = 5,
          .seed = 1};
}

TEST(AddressBook, RestsDoubleWithJitterUpToALimit_R_BLAST_3) {
  AddressBook book(book_options());
  for (const auto& [failures, most] :
       {std::pair<std::size_t, int>{1, 100}, {2, 200}, {3, 400}, {6, 3'000}, {99, 3'000}}) {
    milliseconds least = milliseconds::max();
    milliseconds greatest{0};
    for (int i = 0; i < 1'000; ++i) {
      const auto rest = book.backoff(failures);
      least = std::min(least, rest);
      greatest = std::max(greatest, rest);
    }
    EXPECT_GE(least, milliseconds(most) / 2);
    EXPECT_LT(least, milliseconds(most) * 6 / 10);
    EXPECT_GT(greatest, milliseconds(most) * 9 / 10);
    EXPECT_LE(greatest, milliseconds(most));
  }
}

TEST(AddressBook, EqualSeedsJitterAlike) {
  AddressBook a(book_options());
  AddressBook b(book_options());
  for (std::size_t i = 1; i < 20; ++i) EXPECT_EQ(a.backoff(i), b.backoff(i));
}

TEST(AddressBook, ForgetsWhatNobodyAskedForAfterSoManyFailures) {
  AddressBook book(book_options());
  const milliseconds now{1'000};
  book.add("127.0.0.1:1", true, now);
  book.add("127.0.0.1:2", false, now);
  for (int i = 0; i < 4; ++i) {
    book.handle_failure("127.0.0.1:1", "no", false, now);
    book.handle_failure("127.0.0.1:2", "no", false, now);
  }
  ASSERT_NE(book.find("127.0.0.1:2"), nullptr);
  EXPECT_EQ(book.find("127.0.0.1:2")->last_error, "no");
  book.handle_failure("127.0.0.1:1", "no", false, now);
  book.handle_failure("127.0.0.1:2", "no", false, now);
  EXPECT_NE(book.find("127.0.0.1:1"), nullptr);
  EXPECT_EQ(book.find("127.0.0.1:2"), nullptr);
}

TEST(AddressBook, AHopelessFailureRestsLongestAtOnce) {
  AddressBook book(book_options());
  book.add("127.0.0.1:1", true, milliseconds(0));
  book.handle_failure("127.0.0.1:1", "wrong_cluster", true, milliseconds(10));
  EXPECT_EQ(book.find("127.0.0.1:1")->due, milliseconds(3'010));
}

TEST(AddressBook, AGoodLinkThatEndedStartsAfresh) {
  AddressBook book(book_options());
  auto* entry = book.add("127.0.0.1:1", true, milliseconds(0));
  for (int i = 0; i < 9; ++i) book.handle_failure("127.0.0.1:1", "no", false, milliseconds(0));
  EXPECT_GE(entry->due, milliseconds(1'500));
  book.handle_lost(*entry, "closed", milliseconds(0));
  EXPECT_LE(entry->due, milliseconds(100));
  EXPECT_EQ(entry->failures, 0U);
}

TEST(AddressBook, WhenFullGivesUpWhatFailedMost) {
  AddressBook book(book_options());
  const milliseconds now{0};
  book.add("127.0.0.1:1", false, now);
  book.add("127.0.0.1:2", false, now);
  book.add("127.0.0.1:3", false, now);
  EXPECT_EQ(book.add("127.0.0.1:4", false, now), nullptr);  // Nothing failed yet.
  book.handle_failure("127.0.0.1:1", "no", false, now);
  book.handle_failure("127.0.0.1:2", "no", false, now);
  book.handle_failure("127.0.0.1:2", "no", false, now);
  EXPECT_NE(book.add("127.0.0.1:4", false, now), nullptr);
  EXPECT_EQ(book.find("127.0.0.1:2"), nullptr);
  EXPECT_NE(book.add("127.0.0.1:5", true, now), nullptr);  // The application's own wish.
  EXPECT_EQ(book.entries().size(), 4U);
}

TEST(AddressBook, TakesNothingThatCannotBeDialled) {
  AddressBook book(book_options());
  EXPECT_EQ(book.add("127.0.0.1:0", true, milliseconds(0)), nullptr);
  EXPECT_EQ(book.add("nonsense", true, milliseconds(0)), nullptr);
  EXPECT_TRUE(book.entries().empty());
}

}  // namespace
}  // namespace syncline
