// SPDX-License-Identifier: Apache-2.0
// Whose memory it is: the agent's, or the simulated world's around it. Both run in one process and
// on one thread, so each allocation is counted to whoever ran when it was made. What crosses over
// (a request's body, an answer) is counted to who made it until it goes.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "agent/ports/cluster.h"
#include "agent/ports/metrics_source.h"

namespace rollguard::soak {

enum class Owner { kAgent, kWorld };

// From here to the end of the scope this thread allocates for `owner`. A new thread allocates for
// the agent: the simulation has none.
class Allocates {
 public:
  explicit Allocates(Owner owner);
  ~Allocates();
  Allocates(const Allocates&) = delete;
  Allocates& operator=(const Allocates&) = delete;

 private:
  Owner before_;
};

// Bytes that are held now.
size_t Held(Owner owner);

// The door between the two: calls go to the world, answers and events to the agent.
class ClusterDoor final : public Cluster {
 public:
  explicit ClusterDoor(Cluster& world) : world_(world) {}
  void Call(ClusterRequest request, ClusterDone done) override;
  WatchId Watch(WatchRequest request, WatchHandler handler) override;
  void CancelWatch(WatchId id) override;

 private:
  Cluster& world_;
};

class MetricsDoor final : public MetricsSource {
 public:
  explicit MetricsDoor(MetricsSource& world) : world_(world) {}
  void Query(MetricQuery query, MetricDone done) override;

 private:
  MetricsSource& world_;
};

}  // namespace rollguard::soak
