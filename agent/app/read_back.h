// SPDX-License-Identifier: Apache-2.0
// What a starting agent reads back from its history: alerts that were accepted and perhaps not
// acted on, releases that had not ended, and how far guards had come. Reads block: not on the
// deciding thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/alerts/alert.h"
#include "agent/ports/history.h"

namespace rollguard::app {

struct ReadBack {
  std::vector<alerts::Alert> alerts;  // events in the order they came: for AlertDesk::Receive
  std::vector<ReleaseRow> running;    // for Recorder::Restore
  std::map<std::string, std::string> newest;  // guard -> its newest decision, for the controller
};

// Alerts of the last `alerts_for` (what has been silent for longer is polled or sent again).
Expected<ReadBack> ReadBackFrom(History& history, Time now,
                                Duration alerts_for = std::chrono::hours(24));

}  // namespace rollguard::app
