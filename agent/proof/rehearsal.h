// SPDX-License-Identifier: Apache-2.0
// Plays a scenario: the agent's own controller in a simulated cluster under virtual time. The same
// guard, rules, scenario and seed give the same story.
#pragma once

#include <string>
#include <vector>

#include "agent/proof/scenario.h"
#include "agent/release/decision.h"
#include "agent/spec/load.h"

namespace rollguard::proof {

// How things stood at one moment, for charts.
struct Moment {
  Duration at{0};
  int64_t weight = 0;
  double stable_ready = 0, candidate_ready = 0;
  double stable_errors = 0, candidate_errors = 0;  // share of their requests since the last moment
  double score = -1;                               // -1: none
};

struct TimelineEntry {
  Duration at{0};
  std::string kind;  // event, decision, phase
  std::string text;
  int64_t weight = 0;
};

struct Play {
  uint64_t seed = 0;
  Outcome outcome = Outcome::kHeld;
  double seconds = 0;  // from the release's start to its end
  std::string reason;
  int64_t max_weight = 0;
  double requests = 0;
  double lost_requests = 0;
  std::vector<TimelineEntry> timeline;
  std::vector<Moment> moments;
  std::vector<release::Decision> decisions;
};

// One run. `guard` is resolved; `library` has what it refers to.
Expected<Play> PlayScenario(const spec::Guard& guard, const spec::Library& library,
                            const Scenario& scenario, uint64_t seed);

Json ToJson(const std::vector<Play>& plays, const Scenario& scenario);
std::string TimelineText(const Play& play);
// A self-contained page: no script or style from elsewhere.
std::string ReportHtml(const spec::Guard& guard, const Scenario& scenario,
                       const std::vector<Play>& plays);

}  // namespace rollguard::proof
