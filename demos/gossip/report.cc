#include "demos/gossip/report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "demos/gossip/messages.h"

namespace gossip {
namespace {

double ratio(std::uint64_t a, std::uint64_t b) {
  return b == 0 ? 0 : static_cast<double>(a) / static_cast<double>(b);
}

// The whole digest pair: state, then context.
std::string digest_digits(const std::string& digest) {
  std::string digits;
  for (const char c : digest) digits += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return digits;
}

std::string milliseconds(double seconds) { return fmt::format("{:.0f} ms", seconds * 1000); }

}  // namespace

double Report::changes_per_second() const {
  return replay_seconds > 0 ? static_cast<double>(changes - made_before) / replay_seconds : 0;
}
double Report::overhead() const { return ratio(bytes_sent, bytes_own); }
double Report::copies() const { return 1 + ratio(duplicates, pushed + by_pass); }

std::string to_text(const Report& report) {
  std::string out;
  const auto line = [&](std::string_view name, const std::string& text) {
    out += fmt::format("  {:<12}{}\n", name, text);
  };
  out += report.proven() ? "PROVEN: all peers agree, and on what was expected.\n"
                         : "NOT PROVEN: see the differences.\n";
  for (const auto& check : report.checks) line("equal", check);
  for (const auto& difference : report.differences) line("DIFFERENT", difference);
  line("changes",
       fmt::format("{} by {} peers in {:.1f} s ({:.0f} a second); {} had to wait for what they follow",
                   grouped(report.changes), report.peers, report.replay_seconds, report.changes_per_second(),
                   grouped(report.waited)));
  if (report.made_before > 0) {
    line("continued",
         fmt::format("{} of these were in the stores from a run before; rate and copies are of the rest",
                     grouped(report.made_before)));
  }
  if (report.killed) {
    line("killed",
         report.own_store
             ? fmt::format("peer {}; it came back with its own store, and what it had made was there",
                           *report.killed)
             : fmt::format("peer {}; {} of its changes were known to nobody else and were made again",
                           *report.killed, report.redone));
  }
  if (report.heal_seconds) {
    line("convergence",
         milliseconds(*report.heal_seconds) + " after the heal, each peer had all from before it");
  }
  line("settled", milliseconds(report.settle_seconds) + " after the last change");
  line("traffic",
       fmt::format("{} sent for {} of keys and values: {:.2f} times, {:.2f} per receiver",
                   human_bytes(report.bytes_sent), human_bytes(report.bytes_own), report.overhead(),
                   report.peers > 1 ? report.overhead() / static_cast<double>(report.peers - 1) : 0));
  line("copies", fmt::format("{:.3f} received per change and peer (least: 1); {} by push, {} by passes",
                             report.copies(), grouped(report.pushed), grouped(report.by_pass)));
  line("again", report.rerun);
  return out;
}

std::string to_json(const Report& report) {
  using Json = nlohmann::ordered_json;
  Json peers = Json::array();
  for (const auto& peer : report.peer_views) {
    peers.push_back({{"peer", peer.name},
                     {"port", peer.port},
                     {"links", peer.links},
                     {"made", peer.made},
                     {"received", peer.received},
                     {"bytes_in", peer.bytes_in},
                     {"bytes_out", peer.bytes_out},
                     {"digest", digest_digits(peer.digest)}});
  }
  Json json{{"proven", report.proven()},
            {"digests_equal", report.digests_equal},
            {"digest", digest_digits(report.digest)},
            {"checks", report.checks},
            {"differences", report.differences},
            {"source", report.source},
            {"seed", report.seed},
            {"rerun", report.rerun},
            {"changes", report.changes},
            {"waited", report.waited},
            {"killed", report.killed ? Json(*report.killed) : Json()},
            {"redone", report.redone},
            {"own_store", report.own_store},
            {"made_before", report.made_before},
            {"replay_seconds", report.replay_seconds},
            {"changes_per_second", report.changes_per_second()},
            {"convergence_after_heal_seconds", report.heal_seconds ? Json(*report.heal_seconds) : Json()},
            {"settle_seconds", report.settle_seconds},
            {"bytes_sent", report.bytes_sent},
            {"bytes_own", report.bytes_own},
            {"bytes_sent_over_own", report.overhead()},
            {"copies_per_change", report.copies()},
            {"changes_by_push", report.pushed},
            {"changes_by_pass", report.by_pass},
            {"peers", peers},
            {"events", report.events}};
  // Names are bytes; what isn't UTF-8 is replaced.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace gossip
