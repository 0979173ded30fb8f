// The run as people see it: a live table on a terminal, plain lines elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gossip {

struct PeerView {
  std::string name;  // Its number; a replacement's has a mark.
  std::string port;
  std::size_t links = 0;
  std::size_t made = 0, received = 0, behind = 0;  // Changes.
  std::uint64_t bytes_in = 0, bytes_out = 0;
  std::string digest;  // Bytes; empty while it isn't known.
};

struct View {
  std::string title;
  std::vector<PeerView> peers;
  std::size_t done = 0, total = 0;  // Changes.
  double seconds = 0;
  std::string state;                // "two halves", "healed"...
  std::vector<std::string> events;  // The oldest first.
};

// "12,345". "1.2 MB".
std::string grouped(std::uint64_t count);
std::string human_bytes(std::uint64_t bytes);
// The first eight digits of a digest.
std::string short_digest(std::string_view digest);

// The view as lines of at most `width` columns: the table loses columns where it must, and peers and
// events where more than `height` lines (0: any number) would be needed.
std::vector<std::string> render(const View& view, std::size_t width, std::size_t height, bool colour);

// Where the view goes. On a terminal it is drawn over and over on a screen of
// its own, which close() takes away again; elsewhere there are lines of text.
class Screen {
 public:
  // Looks at standard output, TERM and NO_COLOR.
  Screen();
  Screen(const Screen&) = delete;
  ~Screen() { close(); }

  // Something happened at `seconds`.
  void event(double seconds, const std::string& text);
  // Whether it is time for the next picture, or line.
  bool due(double seconds) const;
  // How it stands.
  void show(const View& view);
  // Back to the ordinary screen. Then the last table and all events stay in view.
  void close();

 private:
  std::size_t width() const;

  bool live_ = false;  // Redraws.
  bool colour_ = false;
  bool open_ = false;  // The screen of its own is up.
  double shown_at_ = -1;
  View last_;
};

}  // namespace gossip
