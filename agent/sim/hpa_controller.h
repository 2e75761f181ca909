// SPDX-License-Identifier: Apache-2.0
// Horizontal pod autoscaling on CPU, from the simulated load.
#pragma once

#include <functional>
#include <memory>

#include "agent/sim/controller.h"

namespace rollguard::sim {

// `cpu` tells a pod's use in millicores.
std::unique_ptr<Controller> MakeHpaController(const ControllerContext& context,
                                              std::function<double(const Json& pod)> cpu);

// "250m" -> 250, "2" -> 2000; 0 when it is no quantity.
double CpuMillis(std::string_view quantity);

}  // namespace rollguard::sim
