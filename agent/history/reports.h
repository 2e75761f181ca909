// SPDX-License-Identifier: Apache-2.0
// The figures people ask a release tool for, computed from release rows. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/ports/history.h"

namespace rollguard::history {

struct Precision {
  int64_t fired = 0, right = 0, wrong = 0;  // wrong: the trigger did not go away afterwards
};

// Medians are absent when nothing was measured: unknown is not zero.
struct Dora {
  int64_t releases = 0;  // that have ended within the time looked at
  int64_t promoted = 0, rolled_back = 0, superseded = 0, aborted = 0, rejected = 0;
  double per_day = 0;                              // promotions: deployment frequency
  std::optional<double> change_failure_rate;       // rolled back / (promoted + rolled back)
  std::optional<Duration> median_time_to_restore;  // trigger began -> traffic off the candidate
  std::optional<Duration> p99_time_to_restore;
  std::optional<Duration> median_lead_time;  // commit -> promoted
  std::map<std::string, int64_t> rollbacks_by_trigger_kind;
  std::map<int, int64_t> rollbacks_by_hour;  // of the day, UTC
  std::map<std::string, Precision> precision_by_trigger;
};

Dora Report(const std::vector<ReleaseRow>& releases, Time since, Time until);
std::map<std::string, Dora> ReportByGuard(const std::vector<ReleaseRow>& releases, Time since,
                                          Time until);
Json ToJson(const Dora& report);

}  // namespace rollguard::history
