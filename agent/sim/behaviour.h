// SPDX-License-Identifier: Apache-2.0
// How pods of a revision behave: how long they take to be ready, whether they crash, how many of
// their requests fail and how slow they are. Decided by the scenario, looked up by image, by
// workload annotation or by default, and changeable while the simulation runs.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/expected.h"
#include "agent/base/json.h"
#include "agent/base/time.h"

namespace rollguard::sim {

struct RevisionBehaviour {
  Duration ready_after{3'000};   // from start to Ready
  Duration ready_jitter{1'000};  // plus up to so much
  bool never_ready = false;
  bool image_pull_fails = false;
  Duration crash_after{0};          // the container exits so long after it started; 0: never
  Duration drain{5'000};            // still answers requests for so long after it was told to stop
  Duration terminate_after{8'000};  // gone so long after; the grace period is the limit

  double error_ratio = 0;       // share of requests answered 500
  Duration latency{50};         // median
  double latency_spread = 0.5;  // sigma of the log-normal
  double capacity = 0;          // requests per second a pod can serve, 0: any; what is beyond fails
  double cpu_millis_per_request = 2;  // CPU milliseconds; feeds the HPA

  Duration job_runs{5'000};  // Jobs: so long until the pod ends
  bool job_fails = false;

  // Reads {readyAfter: 3s, neverReady: true, imagePullFails, crashAfter, drain, terminateAfter,
  // errorRatio, latency, latencySpread, capacity, cpuMillisPerRequest, jobRuns, jobFails} over
  // `base`; unknown keys are errors.
  static Expected<RevisionBehaviour> FromJson(const Json& json, const RevisionBehaviour& base);
};

// The scenario's table. A pod's behaviour is, first match wins: its annotation
// `sim.rollguard.dev/behaviour` (the JSON above, inline), the longest registered text that occurs
// in one of its images, the default.
class Behaviours {
 public:
  void SetDefault(const RevisionBehaviour& behaviour);
  void SetImage(std::string_view image_part, const RevisionBehaviour& behaviour);
  void ClearImage(std::string_view image_part);
  // Of that one pod by namespace/name, before everything else: for faults on a single pod.
  void SetPod(std::string_view ns, std::string_view name, const RevisionBehaviour& behaviour);

  RevisionBehaviour For(const Json& pod) const;
  const RevisionBehaviour& Default() const { return default_; }

  // Counts changes, so that what was looked up can be cached.
  uint64_t version() const { return version_; }
  void OnChange(std::function<void()> listener);

 private:
  void Changed();
  RevisionBehaviour default_;
  std::map<std::string, RevisionBehaviour, std::less<>> by_image_;
  std::map<std::string, RevisionBehaviour, std::less<>> by_pod_;
  uint64_t version_ = 1;
  std::vector<std::function<void()>> listeners_;
};

}  // namespace rollguard::sim
