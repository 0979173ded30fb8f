// A machine's end of a connection: one unmodified Session, with everything that
// it says and is told looked at.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/sim_impl.h"
#include "tests/sim/tamper.h"

namespace syncline::sim {

WireLimits limits_of(const Shape& shape);

class SessionEnd : public End {
 public:
  SessionEnd(Sim::Impl& sim, std::uint32_t host, std::uint32_t peer);
  ~SessionEnd() override;

  Result<void> receive(std::string_view bytes) override;
  std::optional<std::string> send() override;
  void run() override;
  std::chrono::milliseconds deadline() const override;

  const Session& session() const { return session_; }

 private:
  std::optional<std::string> make_frame();
  void take_events();
  // What the session says of its peer's disk must be there.
  void check_acknowledged() const;

  Sim::Impl& sim_;
  std::uint32_t host_;
  std::uint32_t peer_;
  std::uint64_t peer_life_;
  Session session_;
  FrameSplitter splitter_;
  FrameInspector inspector_;          // Of what this side sends.
  std::unique_ptr<Tamper> tamper_;    // Of the same; only where a defect is planted.
  std::vector<std::string> altered_;  // Made by the tamper, not sent yet.
  std::vector<std::string> history_;  // The first frames sent.
  std::uint64_t taken_ = 0;
};

}  // namespace syncline::sim
