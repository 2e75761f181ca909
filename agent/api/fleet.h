// SPDX-License-Identifier: Apache-2.0
// The rows of all guards, for lists. Built on the deciding thread a slice at a time, so that
// thousands of guards hold up no decision, and kept for a moment, so that hundreds of pages that
// load at once cost one reading.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "agent/app/controller.h"
#include "agent/app/loop.h"

namespace rollguard::api {

struct FleetRow {
  std::string id;
  std::string ns;
  Json row;  // GuardRow
};
using FleetRows = std::shared_ptr<const std::vector<FleetRow>>;  // by id

class Fleet {
 public:
  Fleet(app::Loop& loop, const Clock& clock, Duration keep)
      : loop_(loop), clock_(clock), keep_(keep) {}

  // Nothing when the loop is too busy. Thread-safe, for workers.
  std::optional<FleetRows> Read(app::Controller& controller);

 private:
  std::optional<FleetRows> Build(app::Controller& controller);

  app::Loop& loop_;
  const Clock& clock_;
  Duration keep_;
  std::mutex mutex_;  // also lets one worker build while others wait for it
  FleetRows rows_;
  std::chrono::nanoseconds built_{0};
};

}  // namespace rollguard::api
