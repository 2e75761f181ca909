// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/kube_metrics.h"

#include "agent/base/text.h"

namespace rollguard::sim {
namespace {

double Number(const Json& value) { return value.DoubleOr(0); }

double Created(const Json& object) {
  auto at = ParseRfc3339(Text(Meta(object).At("creationTimestamp")));
  return at.ok() ? static_cast<double>(ToUnixMillis(*at)) / 1000 : 0;
}

}  // namespace

void KubeMetrics::Put(MetricSink& sink, Time now, const Json& object, std::string_view kind,
                      std::string_view name, double value, std::string_view key,
                      std::string_view text) {
  Known& known = known_[StrCat(UidOf(object), name, text)];
  if (known.seen == Time{}) {
    MetricLabels labels = {{"__name__", std::string(name)},
                           {"job", "kube-state-metrics"},
                           {"namespace", std::string(NamespaceOf(object))},
                           {std::string(kind), std::string(NameOf(object))}};
    if (!key.empty()) labels.emplace_back(key, text);
    known.series = sink.Series(labels);
  }
  known.seen = now;
  sink.Append(known.series, now, value);
}

void KubeMetrics::Write(MetricSink& sink, Time now) {
  for (const ObjectPtr& d : api_.List("apps", "deployments")) {
    const Json& status = d->At("status");
    auto put = [&](std::string_view name, double v) { Put(sink, now, *d, "deployment", name, v); };
    put("kube_deployment_spec_replicas", Number(d->At("spec", "replicas")));
    put("kube_deployment_status_replicas", Number(status.At("replicas")));
    put("kube_deployment_status_replicas_available", Number(status.At("availableReplicas")));
    put("kube_deployment_status_replicas_unavailable", Number(status.At("unavailableReplicas")));
    put("kube_deployment_status_replicas_updated", Number(status.At("updatedReplicas")));
    put("kube_deployment_status_observed_generation", Number(status.At("observedGeneration")));
    put("kube_deployment_metadata_generation", Number(Meta(*d).At("generation")));
    put("kube_deployment_spec_paused", d->At("spec", "paused").BoolOr(false) ? 1 : 0);
  }
  for (const ObjectPtr& set : api_.List("apps", "replicasets")) {
    auto put = [&](std::string_view name, double v) {
      Put(sink, now, *set, "replicaset", name, v);
    };
    put("kube_replicaset_created", Created(*set));
    put("kube_replicaset_spec_replicas", Number(set->At("spec", "replicas")));
    put("kube_replicaset_status_ready_replicas", Number(set->At("status", "readyReplicas")));
    Put(sink, now, *set, "replicaset", "kube_replicaset_owner", 1, "owner_name",
        Text(ControllerOf(*set).At("name")));
  }
  for (const ObjectPtr& pod : api_.List("", "pods")) {
    const Json& container = pod->At("status", "containerStatuses").At(size_t{0});
    Put(sink, now, *pod, "pod", "kube_pod_status_ready", PodIsReady(*pod) ? 1 : 0, "condition",
        "true");
    Put(sink, now, *pod, "pod", "kube_pod_container_status_restarts_total",
        Number(container.At("restartCount")), "container", Text(container.At("name")));
    std::string_view waiting = Text(container.At("state", "waiting", "reason"));
    if (!waiting.empty())
      Put(sink, now, *pod, "pod", "kube_pod_container_status_waiting_reason", 1, "reason", waiting);
  }
  for (auto it = known_.begin(); it != known_.end();) {
    if (it->second.seen == now) {
      ++it;
      continue;
    }
    sink.End(it->second.series, now);
    it = known_.erase(it);
  }
}

}  // namespace rollguard::sim
