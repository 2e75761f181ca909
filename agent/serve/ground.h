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
#include "agent/history/sql_history.h"
#include "agent/kube/client.h"
#include "agent/net/curl_client.h"
#include "agent/serve/agent.h"

namespace rollguard::serve {

struct Ground {
  Ground(AgentOptions options, const Clock& clock, telemetry::Log& log);
  ~Ground();
  Ground(const Ground&) = delete;
  Ground& operator=(const Ground&) = delete;

  // A stream of seeds: one for each part, in the order of asking.
  uint64_t NextSeed();

  AgentOptions options;
  const spec::AgentConfig& config;
  const Clock& clock;
  telemetry::Log& log;

  // Any thread; callbacks on the client's own thread.
  net::CurlClient net;
  std::unique_ptr<kube::KubeClient> kube;

  // The deciding thread, and ports whose callbacks come on it.
  app::Loop loop;
  std::unique_ptr<app::ClusterOnLoop> cluster;
  app::HttpOnLoop http;
  app::MetricsSources sources;

  std::unique_ptr<history::SqlHistory> history;

 private:
  Random random_;
};

}  // namespace rollguard::serve
