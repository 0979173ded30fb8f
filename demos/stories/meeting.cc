#include "demos/stories/meeting.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>

namespace stories {
namespace {

using syncline::Replica;

bool all_so = true;

// Carries what one side has to say to the other. False when there was nothing.
bool carry(Replica::Link& from, Replica::Link& to) {
  bool any = false;
  while (const auto frame = from.send()) any = to.receive(*frame).has_value();
  return any;
}

}  // namespace

void take_no_arguments(int count, char** arguments, const char* about) {
  if (count < 2) return;
  const std::string_view first = arguments[1];
  if (count == 2 && (first == "--help" || first == "-h")) {
    std::printf("usage: %s\n%s\nIt takes no options; the status is 1 if anything it tells isn't so.\n",
                arguments[0], about);
    std::exit(0);
  }
  std::fprintf(stderr, "%s: a story takes no options; --help tells what it is about\n", arguments[1]);
  std::exit(2);
}

void give_up(const syncline::Error& error) {
  std::fprintf(stderr, "%s\n", to_string(error).c_str());
  std::exit(2);
}

Replica open() { return must(Replica::open()); }

void meet(Replica& a, Replica& b, const std::function<void()>& meanwhile) {
  const auto to_b = a.connect({}, {});
  const auto to_a = b.connect({}, {});
  const auto talk = [&] {
    while (carry(*to_b, *to_a) || carry(*to_a, *to_b)) continue;
    while (!to_b->in_sync() || !to_a->in_sync()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      to_b->run();  // Timers: who waits for something asks for it when its time has come.
      to_a->run();
      while (carry(*to_b, *to_a) || carry(*to_a, *to_b)) continue;
    }
  };
  talk();
  if (!meanwhile) return;
  meanwhile();
  talk();
}

void say(const char* text) { std::printf("%s\n", text); }

void check(bool is_so, const char* why) {
  std::printf("  %s %s\n", is_so ? "right:" : "WRONG:", why);
  all_so = all_so && is_so;
}

int outcome() { return all_so ? 0 : 1; }

}  // namespace stories
