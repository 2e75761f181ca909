// SPDX-License-Identifier: Apache-2.0
// The controllers of workloads that are not ours, played: what Argo Rollouts does with a Rollout
// (a canary by replicas) and Flagger with a Canary (a Deployment, its primary, a VirtualService).
// They know nothing of the agent but what it writes into the Rollout, or answers when asked.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/release/step.h"
#include "agent/sim/controller.h"

namespace rollguard::simulation {

// By which both name a revision: of the template as the API server would complete it.
std::string ForeignHash(const Json& pod_template);

// A new template begins at the first step; going back to stable's skips them. It obeys spec.paused,
// status.abort (undone by a new template or by taking it away), status.pauseConditions that are
// taken away, status.promoteFull. Without progress for spec.progressDeadlineSeconds it aborts.
std::unique_ptr<sim::Controller> MakeArgoController(const sim::ControllerContext& context);

// Every ten seconds it goes one step on, when its gates let it: more traffic, promotion, or back.
// `ask`: what its webhook is answered; false when nobody answers.
using AskGate = std::function<bool(release::FlaggerHook)>;
std::unique_ptr<sim::Controller> MakeFlaggerController(const sim::ControllerContext& context,
                                                       AskGate ask);

}  // namespace rollguard::simulation
