// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/resources.h"

#include <vector>

namespace rollguard::kube::resources {

std::span<const ResourceType> All() {
  static const std::vector<ResourceType> all = {
      Namespaces(),
      Nodes(),
      Pods(),
      Services(),
      Endpoints(),
      ConfigMaps(),
      Secrets(),
      ServiceAccounts(),
      CoreEvents(),
      Events(),
      Deployments(),
      ReplicaSets(),
      StatefulSets(),
      DaemonSets(),
      ControllerRevisions(),
      Jobs(),
      EndpointSlices(),
      HorizontalPodAutoscalers(),
      PodDisruptionBudgets(),
      Leases(),
      Ingresses(),
      TokenReviews(),
      SubjectAccessReviews(),
      SelfSubjectAccessReviews(),
      CustomResourceDefinitions(),
      Guards(),
      RollbackRules(),
      Rollouts(),
      AnalysisTemplates(),
      ClusterAnalysisTemplates(),
      AnalysisRuns(),
      FlaggerCanaries(),
      VirtualServices(),
      DestinationRules(),
      HttpRoutes(),
      TraefikServices(),
      HttpProxies(),
      ApisixRoutes(),
      TrafficSplits(),
  };
  return all;
}

ResourceType ByKind(std::string_view api_version, std::string_view kind) {
  size_t slash = api_version.find('/');
  bool core = slash == std::string_view::npos && (api_version.empty() || api_version == "v1");
  std::string_view group = core ? std::string_view() : api_version.substr(0, slash);
  for (const ResourceType& type : All()) {
    if (type.group != group || type.kind != kind) continue;
    ResourceType found = type;
    if (slash != std::string_view::npos) found.version = api_version.substr(slash + 1);
    return found;
  }
  return {};
}

}  // namespace rollguard::kube::resources
