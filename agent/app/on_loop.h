// SPDX-License-Identifier: Apache-2.0
// Ports whose callbacks come on the deciding thread, whatever thread carried the work.
#pragma once

#include <memory>
#include <unordered_map>

#include "agent/app/loop.h"
#include "agent/ports/cluster.h"
#include "agent/ports/http_client.h"
#include "agent/ports/metrics_source.h"
#include "agent/ports/prober.h"

namespace rollguard::app {

// Used on the loop only; the inner port and the loop outlive it.
class ClusterOnLoop : public Cluster {
 public:
  ClusterOnLoop(Cluster& inner, Loop& loop) : inner_(inner), loop_(loop) {}
  void Call(ClusterRequest request, ClusterDone done) override;
  WatchId Watch(WatchRequest request, WatchHandler handler) override;
  void CancelWatch(WatchId id) override;

 private:
  Cluster& inner_;
  Loop& loop_;
  // A cancelled watch may still have events queued on the loop: the flag stops them.
  std::unordered_map<WatchId, std::shared_ptr<bool>> open_;
};

class HttpOnLoop : public HttpClient {
 public:
  HttpOnLoop(HttpClient& inner, Loop& loop) : inner_(inner), loop_(loop) {}
  HttpId Send(HttpRequest request, HttpDone done) override;
  HttpId Stream(HttpRequest request, HttpStream stream) override;
  void Cancel(HttpId id) override { inner_.Cancel(id); }

 private:
  HttpClient& inner_;
  Loop& loop_;
};

class MetricsOnLoop : public MetricsSource {
 public:
  MetricsOnLoop(MetricsSource& inner, Loop& loop) : inner_(inner), loop_(loop) {}
  void Query(MetricQuery query, MetricDone done) override;
  void Ask(Round round) override;

 private:
  MetricDone Carry(MetricDone done);
  MetricsSource& inner_;
  Loop& loop_;
};

class ProberOnLoop : public Prober {
 public:
  ProberOnLoop(Prober& inner, Loop& loop) : inner_(inner), loop_(loop) {}
  ProbeId Probe(ProbeRequest request, ProbeDone done) override;
  // An answer that is queued on the loop already still comes.
  void Cancel(ProbeId id) override { inner_.Cancel(id); }

 private:
  Prober& inner_;
  Loop& loop_;
};

}  // namespace rollguard::app
