// SPDX-License-Identifier: Apache-2.0
// What a Deployment's status says: counts, Available, Progressing and its deadline.
#pragma once

#include <vector>

#include "agent/sim/object.h"

namespace rollguard::sim {

// The ReplicaSets of a Deployment: the one with its present template (may be null), and the others,
// oldest first.
struct SetsOf {
  ObjectPtr current;
  std::vector<ObjectPtr> old;
  std::vector<ObjectPtr> all() const;
};

// Counts and the Available condition, the other conditions as they were.
Json DeploymentCounts(const Json& deployment, const SetsOf& sets, Time now);

// Moves the Progressing condition in `status` (from DeploymentCounts). Not called while paused.
void JudgeProgress(const Json& deployment, const SetsOf& sets, Json& status, Time now);

// When the progress deadline passes, unless something moves before; zero: nothing to wait for.
Duration UntilProgressDeadline(const Json& deployment, const Json& status, Time now);

// Sets Progressing with lastUpdateTime = now, even when only the time changes.
void SetProgressing(Json& status, std::string_view value, std::string_view reason,
                    std::string_view message, Time now);

}  // namespace rollguard::sim
