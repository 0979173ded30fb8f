#include "demos/gossip/screen.h"

#include <fmt/format.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "demos/gossip/plan.h"

namespace gossip {
namespace {

constexpr double live_interval = 0.1;   // Seconds between pictures...
constexpr double plain_interval = 1.0;  // ...and between lines.

struct Column {
  const char* title;
  std::size_t width;
  int rank;  // The greatest goes first where there is no room.
  std::string (*cell)(const PeerView&);
};

const std::array<Column, 9>& columns() {
  static const std::array<Column, 9> all{{
      {"peer", 4, 0, [](const PeerView& p) { return p.name; }},
      {"port", 6, 7, [](const PeerView& p) { return p.port; }},
      {"links", 6, 6, [](const PeerView& p) { return fmt::format("{}", p.links); }},
      {"made", 8, 3, [](const PeerView& p) { return grouped(p.made); }},
      {"received", 10, 4, [](const PeerView& p) { return grouped(p.received); }},
      {"behind", 8, 2, [](const PeerView& p) { return grouped(p.behind); }},
      {"in", 9, 9, [](const PeerView& p) { return human_bytes(p.bytes_in); }},
      {"out", 9, 8, [](const PeerView& p) { return human_bytes(p.bytes_out); }},
      {"digest", 10, 1, [](const PeerView& p) { return short_digest(p.digest); }},
  }};
  return all;
}

std::vector<const Column*> fitting_columns(std::size_t width) {
  std::vector<const Column*> chosen;
  std::size_t sum = 0;
  for (const auto& column : columns()) {
    chosen.push_back(&column);
    sum += column.width;
  }
  while (sum > width && chosen.size() > 1) {
    const auto last = std::max_element(chosen.begin(), chosen.end(),
                                       [](const Column* a, const Column* b) { return a->rank < b->rank; });
    sum -= (*last)->width;
    chosen.erase(last);
  }
  return chosen;
}

std::string cut_to(const std::string& line, std::size_t width) {
  if (line.size() <= width) return line;
  std::size_t end = width;  // Not within a UTF-8 sequence.
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xc0) == 0x80) --end;
  return line.substr(0, end);
}

// One of the cube colours that show on dark and light ground.
std::string coloured(const std::string& text, std::string_view digest) {
  static constexpr std::array<int, 14> inks = {196, 34, 33, 201, 172, 37, 99, 161, 70, 27, 208, 135, 64, 167};
  return fmt::format("\x1b[1;38;5;{}m{}\x1b[0m", inks.at(hash_of(digest, 0) % inks.size()), text);
}

std::string row(const std::vector<const Column*>& chosen, const PeerView& peer, std::size_t width,
                bool colour) {
  std::string line;
  std::size_t used = 0;
  for (const auto* column : chosen) {
    const auto room = std::min(column->width, width - used);
    auto cell = cut_to(column->cell(peer), room);
    const bool inked = colour && column->rank == 1 && !peer.digest.empty();
    line += std::string(room - cell.size(), ' ') + (inked ? coloured(cell, peer.digest) : cell);
    used += room;
  }
  return line;
}

std::string header(const std::vector<const Column*>& chosen) {
  std::string line;
  for (const auto* column : chosen) line += fmt::format("{:>{}}", column->title, column->width);
  return line;
}

std::string progress(const View& view, std::size_t width) {
  const std::string text =
      fmt::format(" {} of {}, {:.1f} s", grouped(view.done), grouped(view.total), view.seconds);
  if (width < text.size() + 12) return cut_to(text.substr(1), width);
  const auto bar = std::min<std::size_t>(width - text.size() - 2, 50);
  const auto full = view.total == 0 ? bar : bar * view.done / view.total;
  return "[" + std::string(full, '#') + std::string(bar - full, '.') + "]" + text;
}

std::size_t distinct_digests(const View& view) {
  std::vector<std::string_view> all;
  for (const auto& peer : view.peers) all.push_back(peer.digest);
  std::sort(all.begin(), all.end());
  return static_cast<std::size_t>(std::unique(all.begin(), all.end()) - all.begin());
}

std::size_t most_behind(const View& view) {
  std::size_t most = 0;
  for (const auto& peer : view.peers) most = std::max(most, peer.behind);
  return most;
}

void write_out(const std::string& text) {
  ::fputs(text.c_str(), stdout);
  ::fflush(stdout);
}

}  // namespace

std::string grouped(std::uint64_t count) {
  std::string digits = fmt::format("{}", count);
  for (auto at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string human_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  static constexpr std::array<const char*, 5> units = {"B", "kB", "MB", "GB", "TB"};
  while (value >= 999.5 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", value, value < 9.95 ? 1 : 0, units.at(unit));
}

std::string short_digest(std::string_view digest) {
  std::string digits;
  for (const char c : digest.substr(0, 4)) digits += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return digits;
}

std::vector<std::string> render(const View& view, std::size_t width, std::size_t height, bool colour) {
  // Title, header, progress, state and two empty lines; the rest is shared by peers and events.
  constexpr std::size_t fixed = 6;
  const std::size_t room = height == 0 ? SIZE_MAX : height > fixed + 1 ? height - fixed : 1;
  std::size_t peers = view.peers.size();
  if (peers > room) peers = room - 1;  // One line says how many more.
  const std::size_t left = room - std::min(room, peers + (peers < view.peers.size() ? 1 : 0));
  const std::size_t events = std::min(view.events.size(), left);

  std::vector<std::string> lines{cut_to(view.title, width), ""};
  const auto chosen = fitting_columns(width);
  lines.push_back(cut_to(header(chosen), width));
  for (std::size_t i = 0; i < peers; ++i) lines.push_back(row(chosen, view.peers[i], width, colour));
  if (peers < view.peers.size()) {
    lines.push_back(cut_to(fmt::format("... and {} more peers", view.peers.size() - peers), width));
  }
  lines.emplace_back();
  lines.push_back(progress(view, width));
  const auto digests = distinct_digests(view);
  lines.push_back(cut_to(fmt::format("{}{} different digest{}", view.state.empty() ? "" : view.state + ", ",
                                     digests, digests == 1 ? "" : "s"),
                         width));
  for (auto i = view.events.size() - events; i < view.events.size(); ++i) {
    lines.push_back(cut_to(view.events[i], width));
  }
  return lines;
}

Screen::Screen() {
  const char* term = ::getenv("TERM");
  const char* no_color = ::getenv("NO_COLOR");
  live_ = ::isatty(STDOUT_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
  colour_ = live_ && (no_color == nullptr || *no_color == '\0');
}

std::size_t Screen::width() const {
  winsize size{};
  if (!live_ || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 100;
  return size.ws_col;
}

void Screen::event(double seconds, const std::string& text) {
  last_.events.push_back(fmt::format("{:7.2f} s  {}", seconds, text));
  if (!live_) write_out(last_.events.back() + "\n");
}

bool Screen::due(double seconds) const {
  return shown_at_ < 0 || seconds - shown_at_ >= (live_ ? live_interval : plain_interval);
}

void Screen::show(const View& view) {
  auto events = std::move(last_.events);
  last_ = view;
  last_.events = std::move(events);
  shown_at_ = view.seconds;
  if (!live_) {
    write_out(fmt::format("{:7.2f} s  {} of {} changes, {} different digests, the last one {} behind\n",
                          view.seconds, grouped(view.done), grouped(view.total), distinct_digests(view),
                          grouped(most_behind(view))));
    return;
  }
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0;
  // Another screen, no cursor; then from the top, each line to its end, and nothing below.
  std::string out = open_ ? "\x1b[H" : "\x1b[?1049h\x1b[?25l\x1b[H";
  open_ = true;
  const auto lines = render(last_, width(), known ? size.ws_row : 24, colour_);
  for (std::size_t i = 0; i < lines.size(); ++i) out += (i == 0 ? "" : "\n") + lines[i] + "\x1b[K";
  write_out(out + "\x1b[J");
}

void Screen::close() {
  if (!open_) return;
  open_ = false;
  std::string out = "\x1b[?25h\x1b[?1049l";
  for (const auto& line : render(last_, width(), 0, colour_)) out += line + "\n";
  write_out(out + "\n");
}

}  // namespace gossip
