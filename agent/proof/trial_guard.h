// SPDX-License-Identifier: Apache-2.0
// Guards for trials: made from nothing, or from a person's guard with everything left out that has
// no meaning in the past.
#pragma once

#include <string>
#include <vector>

#include "agent/base/expected.h"
#include "agent/spec/guard.h"
#include "agent/spec/load.h"

namespace rollguard::proof {

struct TrialTarget {
  std::string ns = "default";
  std::string workload = "app";
  std::string service;  // empty: the workload's name
  spec::StringMap vars;
};

// A canary of that workload that stays at a quarter of the traffic, judged by every group of the
// library; critical alerts take it back too.
Expected<spec::Guard> MakeTrialGuard(const TrialTarget& target, const spec::Library& library);

// The guard as it is, with these variables over its own. A router that the simulated cluster does
// not have is stood in for by a mesh: how traffic is split is not what a trial is about.
Expected<spec::Guard> GuardWith(const spec::Guard& guard, const spec::StringMap& vars,
                                const spec::Library& library);

// The guard's own rules, limits, confidence and variables around such a canary; `vars` win over its
// own. `groups` instead of its rules when there are some.
Expected<spec::Guard> TrialGuardOf(const spec::Guard& guard, const spec::StringMap& vars,
                                   const std::vector<std::string>& groups,
                                   const spec::Library& library);

}  // namespace rollguard::proof
