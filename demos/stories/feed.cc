// A feed: people post, like and follow from two phones that are out of reach of each other.
#include <cstdio>
#include <string>

#include "demos/stories/meeting.h"

namespace {

using stories::check;
using stories::meet;
using stories::must;
using stories::say;
using syncline::Keyspace;
using syncline::OrMap;
using syncline::PnCounter;
using syncline::Update;
using Text = syncline::LwwRegister<std::string>;
using People = syncline::OrSet<std::string>;   // An add wins.
using Blocked = syncline::RwSet<std::string>;  // A removal wins.

std::string names(const std::vector<std::string>& all) {
  std::string text;
  for (const std::string& name : all) text += " " + name;
  return text.empty() ? " nobody" : text;
}

void post(Keyspace& feed, const char* id, const char* text) {
  must(feed.update([&](Update& tx) {
    auto entry = tx.at<OrMap>("user/ada").at<OrMap>("posts").at<OrMap>(id);
    entry.at<Text>("text").set(text);
    entry.at<PnCounter>("likes").add(1);  // One likes one's own.
  }));
}

void like(Keyspace& feed, const char* id, int times) {
  must(feed.update([&](Update& tx) {
    tx.at<OrMap>("user/ada").at<OrMap>("posts").at<OrMap>(id).at<PnCounter>("likes").add(times);
  }));
}

}  // namespace

int main(int argc, char** argv) {
  stories::take_no_arguments(
      argc, argv, "A feed of posts, likes and follows, written on a phone and a laptop that are cut off.");
  auto phone_replica = stories::open();
  auto laptop_replica = stories::open();
  auto phone = phone_replica.keyspace("feed");
  auto laptop = laptop_replica.keyspace("feed");

  say("Ada posts twice; Bob follows her and may read her diary.");
  post(phone, "1", "Hello");
  post(phone, "2", "Rain again");
  must(phone.update([](Update& tx) {
    tx.at<OrMap>("user/ada").at<People>("followers").insert("bob");
    tx.at<OrMap>("user/ada").at<Blocked>("diary readers").insert("bob");
  }));
  meet(phone_replica, laptop_replica);

  say("In a tunnel: on her phone Ada deletes post 1, and takes Bob off both lists.");
  must(phone.update([](Update& tx) {
    auto ada = tx.at<OrMap>("user/ada");
    ada.at<OrMap>("posts").erase("1");
    ada.at<People>("followers").erase("bob");
    ada.at<Blocked>("diary readers").erase("bob");
  }));
  say("At once, at the laptop: three like post 1, two like post 2, Bob follows anew and is listed anew.");
  like(laptop, "1", 3);
  like(laptop, "2", 2);
  must(laptop.update([](Update& tx) {
    tx.at<OrMap>("user/ada").at<People>("followers").insert("bob");
    tx.at<OrMap>("user/ada").at<Blocked>("diary readers").insert("bob");
    tx.at<OrMap>("user/ada").at<OrMap>("about").at<Text>("city").set("Ghent");
  }));
  must(phone.update(
      [](Update& tx) { tx.at<OrMap>("user/ada").at<OrMap>("about").at<Text>("language").set("Dutch"); }));

  say("They meet.");
  meet(phone_replica, laptop_replica);
  std::printf("%s\n", must(phone.to_json()).c_str());

  const auto ada = phone.at<OrMap>("user/ada");
  const auto first = ada.at<OrMap>("posts").at<OrMap>("1");
  check(must(first.at<PnCounter>("likes").total()) == 3 && !must(first.at<Text>("text").get()),
        "of post 1 the three likes are left that the deletion hadn't seen; its text and the like before are "
        "gone");
  check(must(ada.at<OrMap>("posts").at<OrMap>("2").at<PnCounter>("likes").total()) == 3,
        "all likes of post 2 count");
  const auto followers = must(ada.at<People>("followers").elements());
  std::printf("  followers:%s\n", names(followers).c_str());
  check(followers.size() == 1, "followers are a set in which adds win: to follow anew beats the unfollow");
  const auto readers = must(ada.at<Blocked>("diary readers").elements());
  std::printf("  diary readers:%s\n", names(readers).c_str());
  check(readers.empty(), "diary readers are a set in which removals win: who was taken off stays off");
  check(must(ada.at<OrMap>("about").children()).size() == 2,
        "both wrote the first line about Ada at once: it is one page with both");
  check(phone.digests() == laptop.digests(), "phone and laptop have the same, byte for byte");

  say("Bob is listed once more, by one who has seen that he was taken off.");
  must(
      laptop.update([](Update& tx) { tx.at<OrMap>("user/ada").at<Blocked>("diary readers").insert("bob"); }));
  meet(phone_replica, laptop_replica);
  check(must(ada.at<Blocked>("diary readers").contains("bob")), "an add that has seen the removal counts");
  return stories::outcome();
}
