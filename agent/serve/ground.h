// SPDX-License-Identifier: Apache-2.0
// What every part of a running agent stands on: the configuration, the deciding thread, the way
// out to the network and the cluster, the metrics sources, the history. Made before the parts, gone
// after them. A new part takes a Ground and picks what it needs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/app/loop.h"
#include "agent/app/metrics_sources.h"
#include "agent/app/on_loop.h"
#include "agent/base/random.h"
#include "agent/history/sql_history.h"
#include "agent/kube/client.h"
#include "agent/kube/discovery.h"
#include "agent/net/curl_client.h"
#include "agent/serve/agent.h"
#include "agent/telemetry/metrics.h"

namespace rollguard::serve {

struct Ground {
  Ground(AgentOptions options, const Clock& clock, telemetry::Log& log);
  Ground(const Ground&) = delete;
  Ground& operator=(const Ground&) = delete;

  // Loads the cluster's configuration and makes `kube` and `cluster`.
  Status ReachCluster();
  // Opens the history that the configuration names.
  Status OpenHistory();
  // A stream of seeds: one for each part, in the order of asking.
  uint64_t NextSeed() { return random_.Next(); }

  const AgentOptions options;
  const spec::AgentConfig& config;
  const Clock& clock;
  telemetry::Log& log;
  telemetry::Metrics metrics;

  // The deciding thread. Outlives `net`, whose callbacks post to it.
  app::Loop loop;
  // Any thread; callbacks on the client's own thread.
  net::CurlClient net;
  // For calls to the cluster but lists and watches: no write waits until a watch's events are read.
  net::CurlClient calls_net;
  // For metrics sources alone: a round's questions take long to plan and its answers to read, and no
  // call to a cluster is to wait for that.
  net::CurlClient metrics_net;
  std::unique_ptr<kube::Discovery> discovery;  // outlives the calls that `kube` has under way
  std::unique_ptr<kube::KubeClient> kube;

  // Ports whose callbacks come on the deciding thread; used there only.
  std::unique_ptr<Cluster> cluster;
  app::HttpOnLoop http;
  app::MetricsSources sources;

  std::unique_ptr<history::SqlHistory> history;

 private:
  Random random_;
  std::unique_ptr<Cluster> scoped_;
  std::shared_ptr<void> data_lock_;
};

// Who this replica is: in leases, in the audit chain, in events.
const std::string& IdentityOf(const AgentOptions& options);

}  // namespace rollguard::serve
