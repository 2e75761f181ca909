// SPDX-License-Identifier: Apache-2.0
// Variables of rule queries, bound in the parsed query (never in its text).
#pragma once

#include <string>

#include "agent/app/sensor.h"
#include "agent/base/expected.h"
#include "agent/promql/bind.h"

namespace rollguard::app {

// The query with every variable replaced, as text that asks the same on every server. The error
// names the first problem and where it stands in the query.
Expected<std::string> BindQuery(const std::string& query, const promql::Bindings& values);
// The same of a query that was parsed from `text` with its variables.
Expected<std::string> BindQuery(const promql::ParseResult& parsed, std::string_view text,
                                const promql::Bindings& values);

// $namespace, $workload, $service, $guard, $revision and the guard's own variables. The revision is
// the candidate's while there is a release, else stable's.
promql::Bindings GuardBindings(const spec::Guard& guard, const release::GuardState& state);

// Names of the pods of a revision as a regular expression, or "" when it has none that are known.
// Pods of a Deployment carry their ReplicaSet's name; those of other workloads are listed.
std::string PodPattern(const spec::Guard& guard, const release::Observation& observation,
                       const std::string& revision);
// Nothing known of a track's pods: no pod at all, never every pod.
promql::VariableValue PodsValue(const std::string& pattern);

}  // namespace rollguard::app
