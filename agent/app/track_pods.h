// SPDX-License-Identifier: Apache-2.0
// Which pods are which track's, as metrics name them.
#pragma once

#include <string>

#include "agent/app/sensor.h"

namespace rollguard::app {

// The track's pods as a regular expression over their names; empty while it has none, or no release
// runs. Pods of a Deployment carry their ReplicaSet's name; those of other workloads are not told
// apart by name.
std::string PodsPattern(const GuardView& view, bool candidate);

}  // namespace rollguard::app
