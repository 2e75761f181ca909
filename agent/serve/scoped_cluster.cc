// SPDX-License-Identifier: Apache-2.0
#include "agent/serve/scoped_cluster.h"

#include <algorithm>

#include "agent/kube/resources.h"

namespace rollguard::serve {

bool CoversNamespace(const spec::ClusterConfig& config, std::string_view ns) {
  return config.namespaces.empty() || std::find(config.namespaces.begin(), config.namespaces.end(),
                                                ns) != config.namespaces.end();
}

template <class Request>
void ScopedCluster::Narrow(Request& request) const {
  if (request.type.namespaced && request.ns.empty() && config_.namespaces.size() == 1)
    request.ns = config_.namespaces[0];
  if (request.type == kube::resources::Guards() && request.label_selector.empty())
    request.label_selector = config_.guard_selector;
}

void ScopedCluster::Call(ClusterRequest request, ClusterDone done) {
  if (request.verb == Verb::kList) Narrow(request);
  inner_.Call(std::move(request), std::move(done));
}

WatchId ScopedCluster::Watch(WatchRequest request, WatchHandler handler) {
  Narrow(request);
  return inner_.Watch(std::move(request), std::move(handler));
}

}  // namespace rollguard::serve
