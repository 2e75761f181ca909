// SPDX-License-Identifier: Apache-2.0
// The objects that stand around a guard when a rehearsal begins: the workload, its Services and its
// routing objects as an owner would have written them, and the flow of users that follows them.
#pragma once

#include <string>
#include <vector>

#include "agent/base/expected.h"
#include "agent/base/json.h"
#include "agent/proof/scenario.h"
#include "agent/sim/traffic.h"
#include "agent/spec/guard.h"

namespace rollguard::proof {

struct Stage {
  std::vector<Json> objects;        // without the Guard
  std::vector<ResourceType> types;  // custom kinds among them, to be registered first
  sim::Flow flow;
};

// An Error names a router that the simulated data plane cannot follow.
Expected<Stage> SetStage(const spec::Guard& guard, const Scenario& scenario);

// The target's pod template for a revision of the scenario.
Json TemplateFor(const spec::Guard& guard, const std::string& revision);
std::string ImageOf(const spec::Guard& guard, const std::string& revision);

}  // namespace rollguard::proof
