// SPDX-License-Identifier: Apache-2.0
// The kinds of objects the agent works with. The versions are those asked for first; where servers
// of the last years differ (autoscaling, policy, discovery, routes), Discovery finds the served
// one.
#pragma once

#include <span>
#include <string_view>

#include "agent/ports/cluster.h"

namespace rollguard::kube::resources {

inline ResourceType Namespaces() { return {"", "v1", "namespaces", "Namespace", false}; }
inline ResourceType Nodes() { return {"", "v1", "nodes", "Node", false}; }
inline ResourceType Pods() { return {"", "v1", "pods", "Pod", true}; }
inline ResourceType Services() { return {"", "v1", "services", "Service", true}; }
inline ResourceType Endpoints() { return {"", "v1", "endpoints", "Endpoints", true}; }
inline ResourceType ConfigMaps() { return {"", "v1", "configmaps", "ConfigMap", true}; }
inline ResourceType Secrets() { return {"", "v1", "secrets", "Secret", true}; }
inline ResourceType ServiceAccounts() {
  return {"", "v1", "serviceaccounts", "ServiceAccount", true};
}
inline ResourceType CoreEvents() { return {"", "v1", "events", "Event", true}; }
inline ResourceType Events() { return {"events.k8s.io", "v1", "events", "Event", true}; }
inline ResourceType Deployments() { return {"apps", "v1", "deployments", "Deployment", true}; }
inline ResourceType ReplicaSets() { return {"apps", "v1", "replicasets", "ReplicaSet", true}; }
inline ResourceType StatefulSets() { return {"apps", "v1", "statefulsets", "StatefulSet", true}; }
inline ResourceType DaemonSets() { return {"apps", "v1", "daemonsets", "DaemonSet", true}; }
inline ResourceType ControllerRevisions() {
  return {"apps", "v1", "controllerrevisions", "ControllerRevision", true};
}
inline ResourceType Jobs() { return {"batch", "v1", "jobs", "Job", true}; }
inline ResourceType EndpointSlices() {
  return {"discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", true};
}
inline ResourceType HorizontalPodAutoscalers() {
  return {"autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", true};
}
inline ResourceType PodDisruptionBudgets() {
  return {"policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", true};
}
inline ResourceType Leases() { return {"coordination.k8s.io", "v1", "leases", "Lease", true}; }
inline ResourceType Ingresses() {
  return {"networking.k8s.io", "v1", "ingresses", "Ingress", true};
}
inline ResourceType TokenReviews() {
  return {"authentication.k8s.io", "v1", "tokenreviews", "TokenReview", false};
}
inline ResourceType SubjectAccessReviews() {
  return {"authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", false};
}
inline ResourceType SelfSubjectAccessReviews() {
  return {"authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview",
          false};
}
inline ResourceType CustomResourceDefinitions() {
  return {"apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition",
          false};
}
inline ResourceType Guards() { return {"rollguard.dev", "v1alpha1", "guards", "Guard", true}; }
inline ResourceType RollbackRules() {
  return {"rollguard.dev", "v1alpha1", "rollbackrules", "RollbackRules", true};
}
inline ResourceType Rollouts() { return {"argoproj.io", "v1alpha1", "rollouts", "Rollout", true}; }
inline ResourceType AnalysisTemplates() {
  return {"argoproj.io", "v1alpha1", "analysistemplates", "AnalysisTemplate", true};
}
inline ResourceType ClusterAnalysisTemplates() {
  return {"argoproj.io", "v1alpha1", "clusteranalysistemplates", "ClusterAnalysisTemplate", false};
}
inline ResourceType AnalysisRuns() {
  return {"argoproj.io", "v1alpha1", "analysisruns", "AnalysisRun", true};
}
inline ResourceType FlaggerCanaries() {
  return {"flagger.app", "v1beta1", "canaries", "Canary", true};
}
inline ResourceType VirtualServices() {
  return {"networking.istio.io", "v1beta1", "virtualservices", "VirtualService", true};
}
inline ResourceType DestinationRules() {
  return {"networking.istio.io", "v1beta1", "destinationrules", "DestinationRule", true};
}
inline ResourceType HttpRoutes() {
  return {"gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute", true};
}
inline ResourceType TraefikServices() {
  return {"traefik.io", "v1alpha1", "traefikservices", "TraefikService", true};
}
inline ResourceType HttpProxies() {
  return {"projectcontour.io", "v1", "httpproxies", "HTTPProxy", true};
}
inline ResourceType ApisixRoutes() {
  return {"apisix.apache.org", "v2", "apisixroutes", "ApisixRoute", true};
}
inline ResourceType TrafficSplits() {
  return {"split.smi-spec.io", "v1alpha2", "trafficsplits", "TrafficSplit", true};
}

// Every kind above, e.g. to find the one that an "apiVersion" and "kind" mean.
std::span<const ResourceType> All();

// The known kind of that API group ("apps" or "apps/v1"; "v1" and "" are the core group) and kind,
// with the version that `api_version` names when it names one. nullptr-like: plural empty when it
// is not known; Discovery can be asked then.
ResourceType ByKind(std::string_view api_version, std::string_view kind);

}  // namespace rollguard::kube::resources
