// SPDX-License-Identifier: Apache-2.0
// The scenario as objects in the simulated cluster itself, so that `rollguard sim` is steered with
// kubectl while it runs (group sim.rollguard.dev, version v1):
//
//   kind: Behaviour                       kind: Flow
//   metadata: {name: bad-release}         metadata: {name: users}
//   spec:                                 spec:
//     image: "shop:2"    # else default     service: shop
//     errorRatio: 0.2                       requestsPerSecond: 50
//     readyAfter: 5s                        source: {virtualService: shop, route: primary}
//
// A source is one of virtualService, httpRoute, ingress, or generic {apiVersion, kind, name,
// backends: [{weight: /json/pointer, service: s}]}; without one the Service decides. What is wrong
// with an object is said in its status.message.
#pragma once

#include <memory>

#include "agent/sim/behaviour.h"
#include "agent/sim/controller.h"
#include "agent/sim/traffic.h"

namespace rollguard::sim {

std::unique_ptr<Controller> MakeScenarioController(const ControllerContext& context,
                                                   Behaviours& behaviours, Traffic& traffic);

}  // namespace rollguard::sim
