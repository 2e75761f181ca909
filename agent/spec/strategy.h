// SPDX-License-Identifier: Apache-2.0
// Named strategies, and the matrix that picks one by the kind of service and the risk of a change.
#pragma once

#include <string>
#include <vector>

#include "agent/spec/guard.h"

namespace rollguard::spec {

// A strategy without routing settings and service names, which stay in the guard
// (`strategy.routing`, `stableService`, ...): `spec` has the keys of the guard's `strategy`, and
// may have bake, progressDeadline, confidence.
struct ReleaseStrategy {
  Metadata metadata;
  yaml::Node spec;
  Origin origin;
};

struct StrategyChoice {
  std::string service_type;  // "*": any
  std::string risk;          // low, medium, high, critical; "*": any
  std::string strategy;      // a ReleaseStrategy's name
  std::string reason;        // shown to people
  SourceSpan span;
};

// The first choice that matches holds.
struct StrategyMatrix {
  Metadata metadata;
  std::vector<StrategyChoice> choices;
  Origin origin;

  // nullptr when nothing matches.
  const StrategyChoice* Choose(std::string_view service_type, std::string_view risk) const;
};

}  // namespace rollguard::spec
