// SPDX-License-Identifier: Apache-2.0
// The part of a cluster that the configuration allows: lists and watches of Guards carry the
// selector, and when one namespace is named nothing is asked beyond it, so that a Role suffices.
#pragma once

#include "agent/ports/cluster.h"
#include "agent/spec/agent_config.h"

namespace rollguard::serve {

// As thread-safe as `inner`, which must outlive it, as must `config`.
class ScopedCluster : public Cluster {
 public:
  ScopedCluster(Cluster& inner, const spec::ClusterConfig& config)
      : inner_(inner), config_(config) {}

  void Call(ClusterRequest request, ClusterDone done) override;
  WatchId Watch(WatchRequest request, WatchHandler handler) override;
  void CancelWatch(WatchId id) override { inner_.CancelWatch(id); }

 private:
  template <class Request>
  void Narrow(Request& request) const;

  Cluster& inner_;
  const spec::ClusterConfig& config_;
};

// Whether the configuration lets this replica look at guards of the namespace.
bool CoversNamespace(const spec::ClusterConfig& config, std::string_view ns);

}  // namespace rollguard::serve
