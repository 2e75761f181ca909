// SPDX-License-Identifier: Apache-2.0
// Writes what happens into the history: decisions, and a row per release that grows until it ends.
#pragma once

#include <map>
#include <string>

#include "agent/app/sensor.h"
#include "agent/ports/history.h"

namespace rollguard::app {

class Recorder : public Listener {
 public:
  explicit Recorder(History& history) : history_(history) {}

  void Decided(const spec::Guard& guard, const release::Decision& decision) override;
  void Changed(const spec::Guard& guard, const release::GuardState& before,
               const release::GuardState& after, const release::Observation& observation) override;
  void Told(const spec::Guard&, const release::Notify&) override {}
  void Removed(const std::string& guard) override;

 private:
  ReleaseRow RowOf(const spec::Guard& guard, const release::ReleaseState& state) const;

  History& history_;
  std::map<std::string, ReleaseRow> open_;  // by guard
};

}  // namespace rollguard::app
