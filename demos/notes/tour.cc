#include "demos/notes/tour.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

namespace notes {
namespace {

using namespace std::chrono_literals;
using syncline::Node;
using syncline::Replica;

// Removed with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "notes-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;  // Empty if there is none.
};

// One copy: its store, its links, and somebody who types.
class Copy {
 public:
  static std::unique_ptr<Copy> open(const std::string& name, const std::string& path,
                                    std::vector<std::string> join, const Shell::Print& print) {
    auto replica = Replica::open({.path = path});
    if (!replica) {
      print(syncline::to_string(replica.error()));
      return nullptr;
    }
    std::unique_ptr<Copy> copy(new Copy(name, std::move(*replica), print));
    auto node = Node::start(copy->replica_, {.cluster = "tour",
                                             .listen = "127.0.0.1:0",
                                             .join = std::move(join),
                                             .tick_interval = 50ms,
                                             .backoff_min = 10ms,
                                             .backoff_max = 50ms});
    if (!node) {
      print(syncline::to_string(node.error()));
      return nullptr;
    }
    copy->node_ = std::make_unique<Node>(std::move(*node));
    copy->shell_ = std::make_unique<Shell>(copy->notebook_, *copy->node_, print);
    return copy;
  }

  void type(const std::string& line) {
    print_(name_ + "> " + line);
    shell_->run(line);
  }
  std::string address() const { return node_->address(); }
  const Notebook& notebook() const { return notebook_; }
  // The mark of the note that was made `index`-th.
  std::string mark(std::size_t index) const {
    const auto notes = notebook_.list();
    return notes && index < notes->size() ? (*notes)[index].mark : std::string("none");
  }
  std::string all() const {
    const auto notes = notebook_.list();
    std::string text;
    if (!notes) return syncline::to_string(notes.error());
    for (const Note& note : *notes) text += shown(note) + '\n';
    return text;
  }

 private:
  Copy(std::string name, Replica replica, Shell::Print print)
      : name_(std::move(name)),
        print_(std::move(print)),
        replica_(std::move(replica)),
        // Counted, so that each tour shows the same marks.
        notebook_(
            replica_.keyspace("notes"), [this] { return ++drawn_ * 7'919; }, [this] { return ++drawn_; }) {}

  std::string name_;
  Shell::Print print_;
  Replica replica_;
  std::uint64_t drawn_ = 0;
  Notebook notebook_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<Shell> shell_;
};

bool agree(const Copy& a, const Copy& b) {
  return a.notebook().keyspace().digests() == b.notebook().keyspace().digests() && a.all() == b.all();
}

// What two people do; true if the copies agree in the end.
bool tell(Copy& laptop, Copy& phone, const Shell::Print& print) {
  laptop.type("add Call the plumber");
  laptop.type("add Buy milk");
  laptop.type("sync");
  phone.type("sync");
  phone.type("list");
  const auto plumber = laptop.mark(0);
  const auto milk = laptop.mark(1);

  print("\n-- Both go offline, and both go on writing.");
  laptop.type("offline");
  phone.type("offline");
  laptop.type("edit " + milk + " Buy milk and eggs");
  laptop.type("tag " + milk + " shopping");
  laptop.type("del " + plumber);
  phone.type("edit " + milk + " Buy oat milk");
  phone.type("edit " + plumber + " Call the plumber before noon");

  print("\n-- They meet.");
  laptop.type("online");
  phone.type("online");
  laptop.type("sync");
  phone.type("sync");
  laptop.type("list");
  phone.type("list");
  print(
      "-- The milk was edited twice at once: both texts are there, none is lost, and the tag is on it. The");
  print(
      "-- plumber was deleted by one who hadn't seen the other's edit: that edit stays. Once more, with both "
      "seen:");
  phone.type("edit " + milk + " Buy oat milk and eggs");
  phone.type("sync");
  laptop.type("sync");
  laptop.type("list");
  return agree(laptop, phone);
}

}  // namespace

int run_tour(const Shell::Print& print) {
  const TemporaryFolder folder;
  if (folder.path().empty()) {
    print("the tour needs a temporary folder, and can't make one: TMPDIR names where");
    return 1;
  }
  std::string before;
  for (const bool again : {false, true}) {
    const auto laptop = Copy::open("laptop", folder.path() + "/laptop.db", {}, print);
    if (!laptop) return 1;
    const auto phone = Copy::open("phone", folder.path() + "/phone.db", {laptop->address()}, print);
    if (!phone) return 1;
    if (!again) {
      if (!tell(*laptop, *phone, print)) return 1;
      before = phone->all();
      print("\n-- Both are closed, and opened again from their files.");
    } else {
      phone->type("list");
      if (!agree(*laptop, *phone) || phone->all() != before) return 1;
    }
  }
  print("-- Both copies are equal, and as they were.");
  return 0;
}

}  // namespace notes
