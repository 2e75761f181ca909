// SPDX-License-Identifier: Apache-2.0
// From a check and the pods of a track to what is asked over the network, and the check of the pods
// themselves. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "agent/app/health_window.h"
#include "agent/base/json.h"

namespace rollguard::app {

// What health checks need to know of one pod.
struct PodFacts {
  std::string name;
  std::string uid;
  std::string ip;
  bool ready = false;
  bool was_ready = false;  // at any time: only then can a check of it fail
  int64_t restarts = 0;    // since the release began
  std::string pull_problem;
  std::vector<std::pair<std::string, int>> ports;  // named container ports
};

// Reads a Pod object; `restarts` is the sum over its containers as Kubernetes counts it. Nothing
// when it is terminating or has ended.
std::optional<PodFacts> ReadPod(const Json& pod);

// The most pods of a track that one turn asks; larger tracks are asked in turns.
inline constexpr size_t kPodsPerTurn = 20;

struct PlannedProbe {
  std::string subject;  // the pod's name, or empty
  ProbeRequest request;
};

// What one turn of the check asks. `variables`: service, namespace, workload, guard and the guard's
// own; `turn` counts from 0. kNotFound: there is nobody to ask yet. Other errors: it can never be
// asked like this.
Expected<std::vector<PlannedProbe>> PlanProbes(const spec::HealthCheck& check,
                                               const spec::StringMap& variables,
                                               const std::vector<PodFacts>& pods, uint64_t turn);

// The pods check itself.
HealthSample JudgePods(const spec::PodsCheck& check, const std::vector<PodFacts>& pods);

// ${name} in `text`. An unknown name is an error.
Expected<std::string> FillIn(std::string_view text, const spec::StringMap& variables);

}  // namespace rollguard::app
