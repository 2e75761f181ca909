// SPDX-License-Identifier: Apache-2.0
// One pod as its users and its metrics see it.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "agent/base/random.h"
#include "agent/sim/behaviour.h"
#include "agent/sim/metric_sink.h"
#include "agent/sim/object.h"
#include "agent/sim/sampling.h"

namespace rollguard::sim {

struct PodLoad {
  ObjectPtr pod;         // as it last was
  std::string service;   // metric label
  std::string revision;  // pod-template-hash or controller-revision-hash
  RevisionBehaviour behaviour;
  Time stops_answering{};  // zero: not told to stop
  bool ready = false;

  int64_t pending = 0;  // requests not yet judged
  int64_t tick = 0;     // requests in this tick
  double cpu = 0;       // millicores in the last tick

  // Counters the pod exposes.
  int64_t good = 0, bad = 0, over = 0;
  std::array<int64_t, kLatencyBounds.size() + 1> buckets{};
  double seconds = 0;

  std::vector<SeriesRef>
      series;  // of this pod, in the order of Write; empty before the first scrape

  bool Answers(Time now) const {
    return ready && (stops_answering == Time{} || now < stops_answering);
  }
};

// Decides what became of the pending requests: failures and latencies. Returns the failures.
int64_t JudgePending(PodLoad& load, Random& random, bool noise);

// Appends the pod's samples, registering its series the first time.
void WritePodMetrics(PodLoad& load, MetricSink& sink, Time now);
// Marks them stale.
void EndPodMetrics(PodLoad& load, MetricSink& sink, Time now);

}  // namespace rollguard::sim
