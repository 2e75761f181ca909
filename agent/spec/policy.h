// SPDX-License-Identifier: Apache-2.0
// Named rollback policies that guards refer to, with overrides per environment.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "agent/spec/guard.h"

namespace rollguard::spec {

// `spec` holds any of the guard's own keys rollback, confidence, noData, blind, health, bake,
// progressDeadline, rollbackWindow, vars; `environments.NAME` the same, merged over it. The
// guard's own keys win over both. Mappings are merged key by key, lists are replaced.
struct RollbackPolicy {
  Metadata metadata;
  yaml::Node spec;
  std::vector<std::pair<std::string, yaml::Node>> environments;
  Origin origin;
};

}  // namespace rollguard::spec
