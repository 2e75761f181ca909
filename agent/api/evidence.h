// SPDX-License-Identifier: Apache-2.0
// Every signal of one guard as it stands now: rules, analysis metrics, alerts, health. Asked of the
// sensors as the next look would ask them. On the deciding thread.
#pragma once

#include "agent/app/analysis_sensor.h"
#include "agent/app/controller.h"
#include "agent/app/rule_sensor.h"

namespace rollguard::api {

struct EvidenceSources {
  const std::vector<app::Sensor*>& sensors;
  const app::RuleSensor* rules = nullptr;
  const app::AnalysisSensor* analysis = nullptr;
  // Where browsers find metrics sources, by name; "" is the default one.
  const std::map<std::string, std::string>* links = nullptr;
};

// Where a browser opens the query, as Prometheus' own page takes it; "" when it still has variables
// in it or nobody said where the source is found.
std::string LinkOf(const EvidenceSources& sources, const std::string& source,
                   const std::string& query);

// [Evidence]: what fires first, then by source and name.
Json EvidenceJson(const EvidenceSources& sources, const spec::Guard& guard,
                  const release::GuardState& state, Time now);

}  // namespace rollguard::api
