// SPDX-License-Identifier: Apache-2.0
// Users: a steady stream of requests per flow that follows the routes in the cluster to ready pods,
// counts what is lost on the way, and becomes metric samples at every scrape.
//
// Per tick a flow's requests are split by the weights its routing object holds (as it was
// `propagation` ago), then evenly over the ready pods of each destination. A request is lost when
// its destination has no ready pod or the pod it reaches has stopped answering. Answers of the
// application itself (500, slow) are not lost requests.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/random.h"
#include "agent/sim/api_server.h"
#include "agent/sim/behaviour.h"
#include "agent/sim/metric_sink.h"
#include "agent/sim/routes.h"

namespace rollguard::sim {

struct Flow {
  std::string ns = "default";
  std::string service;  // host users call; also the metric label `service`
  RouteSource source;   // what decides the split
  double requests_per_second = 100;
  std::map<std::string, std::string> headers;  // what these users send, for header matches
};

struct TrafficOptions {
  Duration tick{1'000};
  Duration scrape_interval{15'000};
  Duration propagation{500};  // from a route's write to the data plane obeying it
  uint64_t seed = 1;
  bool noise = true;  // random split and error counts; false: exact shares
};

// Totals of one flow, or of one pod template hash within it.
struct TrafficTotals {
  double requests = 0;
  double lost = 0;      // no ready pod, or a pod that stopped answering
  double failed = 0;    // answered 500; counted by revision and in Total(), not by flow
  double mirrored = 0;  // copies whose answers were thrown away
};

class Traffic {
 public:
  Traffic(ApiServer& api, Behaviours& behaviours, TrafficOptions options);
  ~Traffic();

  size_t Add(Flow flow);  // returns the flow's index
  void SetRate(size_t flow, double requests_per_second);
  void Replace(size_t flow, Flow changed);  // its totals go on
  // Samples go here from the next scrape on; null: nowhere. Not owned.
  void SetSink(MetricSink* sink) { sink_ = sink; }
  // A metrics outage: scrapes are skipped (and `up` is not written) while set.
  void SetScrapesDown(bool down) { scrapes_down_ = down; }
  void Start();  // begins ticking and scraping from now; once is enough
  void Stop();   // no more requests and scrapes, until Start

  const TrafficTotals& Totals(size_t flow) const;
  TrafficTotals Total() const;
  // By the pods' pod-template-hash (or controller-revision-hash) label.
  TrafficTotals Revision(std::string_view hash) const;
  // CPU used by a pod in the last tick, millicores; feeds the HPA.
  double PodCpu(std::string_view ns, std::string_view pod) const;
  // The share of the last tick's requests that reached pods carrying these labels, 0..1.
  double Share(size_t flow, const Json& labels) const;

 private:
  struct Impl;
  void NextTick();
  void NextScrape();
  std::unique_ptr<Impl> impl_;
  MetricSink* sink_ = nullptr;
  bool scrapes_down_ = false;
};

}  // namespace rollguard::sim
