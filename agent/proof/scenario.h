// SPDX-License-Identifier: Apache-2.0
// A scenario: the service as it is, the revisions that will come, and what happens when.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/alerts/alert.h"
#include "agent/base/diagnostic.h"
#include "agent/sim/behaviour.h"
#include "agent/sim/sim_metrics.h"

namespace rollguard::proof {

struct ScenarioService {
  int64_t replicas = 4;
  int64_t max_replicas = 0;  // over `replicas`: an HorizontalPodAutoscaler up to this
  double requests_per_second = 100;
};

// One thing that happens at a time; exactly one member of `what` is used.
struct ScenarioEvent {
  enum class Kind { kRelease, kFault, kAlert, kMetrics, kPod, kScale, kRate, kCommand, kCrash };
  Duration at{0};
  Kind kind = Kind::kRelease;
  std::string revision;  // release, fault
  Json behaviour;        // fault: changes over the revision's behaviour
  alerts::Alert alert;   // alert; times relative to the start are filled in when played
  sim::SimMetrics::Mood mood = sim::SimMetrics::Mood::kWell;
  std::string pod;    // pod: crashloop | imagePull | unready
  double number = 0;  // scale, rate
  std::string verb;   // command: promote, pause, resume, abort, rollback, approve, ...
  std::string actor = "someone@example.com";
  std::vector<std::string> groups;
  SourceSpan span;
};

enum class Outcome { kPromoted, kRolledBack, kHeld };
const char* ToString(Outcome outcome);

struct Scenario {
  std::string name;
  ScenarioService service;
  std::string stable = "v1";                  // the revision that runs when it begins
  std::map<std::string, Json> revisions;      // behaviour of each
  std::vector<ScenarioEvent> events;          // in order of time
  Duration duration = std::chrono::hours(2);  // gives up then
  std::optional<Outcome> expect;
  bool faults = false;  // the API server misbehaves, as seeds decide
};

// Every problem is reported; the value is usable only without errors.
Scenario ParseScenario(std::string_view file, std::string_view text, Diagnostics& diagnostics);

}  // namespace rollguard::proof
