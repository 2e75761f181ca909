// SPDX-License-Identifier: Apache-2.0
// Replays every decision the moment it is taken, through the text that the history would keep.
// Always on in simulation and rehearsal: a decision that cannot be shown again is a bug of ours.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/app/sensor.h"

namespace rollguard::app {

class ReplayCheck : public Listener {
 public:
  void Stepped(const SteppedView& view) override;
  void Decided(const spec::Guard&, const release::Decision&) override {}
  void Changed(const spec::Guard&, const release::GuardState&, const release::GuardState&,
               const release::Observation&) override {}
  void Told(const spec::Guard&, const release::Notify&) override {}
  void Removed(const std::string&) override {}

  uint64_t replayed() const { return replayed_; }
  uint64_t bytes() const { return bytes_; }  // of all records
  // One line each, at most 20; empty: every decision came out the same.
  const std::vector<std::string>& differences() const { return differences_; }

 private:
  uint64_t replayed_ = 0;
  uint64_t bytes_ = 0;
  std::vector<std::string> differences_;
};

}  // namespace rollguard::app
