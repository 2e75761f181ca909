// SPDX-License-Identifier: Apache-2.0
// An Argo Rollout as a Guard. Its pod template becomes a Deployment, unless it refers to one.
#include "agent/base/text.h"
#include "agent/proof/import_source.h"

namespace rollguard::proof {
namespace {

constexpr std::string_view kPods =
    "rollguard tells the pods apart by the pod-template-hash that Kubernetes puts on them";

Json Analysis(ImportSource& from) {
  Json out = Json::Obj();
  for (const char* key : {"templates", "args", "dryRun", "measurementRetention", "startingStep"})
    Carry(from, key, out, key);
  from.Leave("analysisRunMetadata", "runs are not objects of their own; labels are not needed");
  if (out.Find("args") == nullptr) return out;
  for (Json& arg : out["args"].items()) {
    if (arg.At("valueFrom", "podTemplateHashValue").is_null()) continue;
    from.Note(
        StrCat("argument ", Quote(arg.At("name").Str()),
               " takes a pod template hash: use $candidate_pods or $stable_pods in the query"));
    arg.Erase("valueFrom");
    arg.Set("value", "");
  }
  return out;
}

Json Istio(ImportSource& from) {
  Json out = Json::Obj();
  from.In("virtualService", [&](ImportSource& v) {
    Carry(v, "name", out, "virtualService");
    Carry(v, "routes", out, "routes");
    Carry(v, "tlsRoutes", out, "tlsRoutes");
    Carry(v, "tcpRoutes", out, "tcpRoutes");
  });
  from.Leave("virtualServices",
             "name one VirtualService per entry of `routing`; several are allowed");
  from.In("destinationRule", [&](ImportSource& d) {
    Json rule = Json::Obj();
    Carry(d, "name", rule, "name");
    Carry(d, "canarySubsetName", rule, "candidateSubset");
    Carry(d, "stableSubsetName", rule, "stableSubset");
    out.Set("destinationRule", std::move(rule));
  });
  return out;
}

void GatewayPlugin(ImportSource& from, Json& routing) {
  from.In("argoproj-labs/gatewayAPI", [&](ImportSource& g) {
    Json gateway = Json::Obj();
    Carry(g, "httpRoute", gateway, "httpRoute");
    Json names = Json::Arr();
    g.Each("httpRoutes", [&](ImportSource& r) {
      names.Push(r.Take("name"));
      r.Ignore("useHeaderRoutes");
    });
    if (names.size() > 0) gateway.Set("httpRoutes", std::move(names));
    g.Ignore("namespace");
    routing.Push(Json::Obj({{"gatewayApi", std::move(gateway)}}));
  });
}

Json Routing(ImportSource& from) {
  Json out = Json::Arr();
  from.In("istio", [&](ImportSource& i) { out.Push(Json::Obj({{"istio", Istio(i)}})); });
  from.In("nginx", [&](ImportSource& n) {
    Json nginx = Json::Obj();
    Carry(n, "stableIngress", nginx, "ingress");
    Carry(n, "stableIngresses", nginx, "ingresses");
    Carry(n, "annotationPrefix", nginx, "annotationPrefix");
    Carry(n, "additionalIngressAnnotations", nginx, "annotations");
    n.Leave("canaryIngressAnnotations", "put them into `annotations`, with their whole names");
    out.Push(Json::Obj({{"nginx", std::move(nginx)}}));
  });
  from.In("alb", [&](ImportSource& a) {
    Json alb = Json::Obj();
    for (const char* key : {"ingress", "servicePort", "rootService", "annotationPrefix"})
      Carry(a, key, alb, key);
    out.Push(Json::Obj({{"alb", std::move(alb)}}));
  });
  from.In("smi", [&](ImportSource& s) {
    Json smi = Json::Obj();
    Carry(s, "rootService", smi, "rootService");
    Carry(s, "trafficSplitName", smi, "trafficSplit");
    out.Push(Json::Obj({{"smi", std::move(smi)}}));
  });
  from.In("traefik", [&](ImportSource& t) {
    Json traefik = Json::Obj();
    Carry(t, "weightedTraefikServiceName", traefik, "service");
    out.Push(Json::Obj({{"traefik", std::move(traefik)}}));
  });
  from.In("apisix", [&](ImportSource& a) {
    a.In("route", [&](ImportSource& r) {
      Json apisix = Json::Obj();
      Carry(r, "name", apisix, "route");
      Carry(r, "rules", apisix, "rules");
      out.Push(Json::Obj({{"apisix", std::move(apisix)}}));
    });
  });
  from.In("plugins", [&](ImportSource& p) { GatewayPlugin(p, out); });
  from.Leave("managedRoutes",
             "header and mirror routes are placed before the others by themselves");
  from.Leave("maxTrafficWeight", "weights are shares of 100");
  return out;
}

void Step(ImportSource& from, Json& steps) {
  Json step = Json::Obj();
  for (const char* key : {"setWeight", "setCanaryScale", "setHeaderRoute", "setMirrorRoute"})
    Carry(from, key, step, key);
  if (from.Has("pause")) {
    Json pause = Json::Obj();
    from.In("pause", [&](ImportSource& p) { CarrySeconds(p, "duration", pause, "duration"); });
    step.Set("pause", std::move(pause));
  }
  from.In("analysis", [&](ImportSource& a) { step.Set("analysis", Analysis(a)); });
  from.Leave("experiment",
             "there are no experiments: run the pods as a `hook` Job, or as a mirror step");
  from.Leave("plugin",
             "there are no step plugins: ask a web service with `gate`, or run a `hook` Job");
  if (step.size() > 0) steps.Push(std::move(step));
}

void CanaryStrategy(ImportSource& from, Json& guard) {
  Json canary = Json::Obj();
  from.In("trafficRouting", [&](ImportSource& t) { canary.Set("routing", Routing(t)); });
  if (canary.At("routing").size() == 0)
    canary.Set("routing", Json::Arr({Json::Obj({{"replicas", Json::Obj()}})}));
  Carry(from, "stableService", canary, "stableService");
  Carry(from, "canaryService", canary, "candidateService");
  Json steps = Json::Arr();
  from.Each("steps", [&](ImportSource& s) { Step(s, steps); });
  if (steps.size() > 0) canary.Set("steps", std::move(steps));
  from.In("analysis", [&](ImportSource& a) { canary.Set("analysis", Analysis(a)); });
  if (from.Has("trafficRouting")) {
    from.Leave("maxSurge", "with a router stable keeps its size and the candidate comes on top");
  } else {
    Carry(from, "maxSurge", canary, "maxSurge");
  }
  Carry(from, "minPodsPerReplicaSet", canary, "minReplicas");
  CarrySeconds(from, "abortScaleDownDelaySeconds", canary, "abortScaleDownDelay");
  CarrySeconds(from, "scaleDownDelaySeconds", canary, "scaleDownDelay");
  from.Leave("maxUnavailable", "stable keeps its size until the candidate carries the traffic");
  from.Leave("dynamicStableScale", "stable keeps its size, so that the way back needs no new pods");
  from.Leave("canaryMetadata", kPods);
  from.Leave("stableMetadata", kPods);
  from.Leave("antiAffinity", "write the affinity into the pod template");
  from.Leave("pingPong", "use stableService and candidateService");
  guard["spec"].Set("strategy", Json::Obj({{"canary", std::move(canary)}}));
}

void BlueGreenStrategy(ImportSource& from, Json& guard) {
  Json out = Json::Obj();
  Carry(from, "activeService", out, "activeService");
  Carry(from, "previewService", out, "previewService");
  Carry(from, "previewReplicaCount", out, "previewReplicas");
  Carry(from, "autoPromotionEnabled", out, "autoPromotion");
  CarrySeconds(from, "autoPromotionSeconds", out, "autoPromotionAfter");
  CarrySeconds(from, "scaleDownDelaySeconds", out, "scaleDownDelay");
  from.In("prePromotionAnalysis",
          [&](ImportSource& a) { out.Set("prePromotionAnalysis", Analysis(a)); });
  from.In("postPromotionAnalysis",
          [&](ImportSource& a) { out.Set("postPromotionAnalysis", Analysis(a)); });
  from.Leave("scaleDownDelayRevisionLimit", "one old revision is kept warm, through the bake");
  from.Leave("abortScaleDownDelaySeconds", "a rejected preview goes at once");
  from.Leave("maxUnavailable", "blue keeps its full size through the bake");
  from.Leave("activeMetadata", kPods);
  from.Leave("previewMetadata", kPods);
  from.Leave("antiAffinity", "write the affinity into the pod template");
  guard["spec"].Set("strategy", Json::Obj({{"blueGreen", std::move(out)}}));
}

// The Deployment that the Rollout's own pod template makes.
Json DeploymentOf(ImportSource& spec, const Json& metadata) {
  Json about = Json::Obj();
  for (const char* key : {"name", "namespace", "labels", "annotations"})
    if (!metadata.At(key).is_null()) about.Set(key, metadata.At(key));
  Json inner = Json::Obj();
  for (const char* key :
       {"replicas", "minReadySeconds", "revisionHistoryLimit", "selector", "template"})
    Carry(spec, key, inner, key);
  return Json::Obj({{"apiVersion", "apps/v1"},
                    {"kind", "Deployment"},
                    {"metadata", std::move(about)},
                    {"spec", std::move(inner)}});
}

void RolloutSpec(ImportSource& spec, Json& guard) {
  CarrySeconds(spec, "progressDeadlineSeconds", guard["spec"], "progressDeadline");
  spec.Leave("progressDeadlineAbort", "a release that misses its deadline is always taken back");
  spec.In("rollbackWindow", [&](ImportSource& w) {
    Json window = Json::Obj();
    Carry(w, "revisions", window, "revisions");
    guard["spec"].Set("rollbackWindow", std::move(window));
  });
  spec.Leave("analysis", "old analysis runs are kept in the agent's history");
  spec.Leave("paused", "say `rollguard pause`, or `suspend: true` in the guard");
  spec.Leave("restartAt", "use `kubectl rollout restart`");
  spec.In("strategy", [&](ImportSource& s) {
    s.In("canary", [&](ImportSource& c) { CanaryStrategy(c, guard); });
    s.In("blueGreen", [&](ImportSource& b) { BlueGreenStrategy(b, guard); });
  });
}

}  // namespace

void ImportRollout(const yaml::Node& node, Imported& out) {
  ImportSource root(node, "", out.notes);
  for (const char* key : {"apiVersion", "kind", "status"}) root.Ignore(key);
  const yaml::Node* metadata = node.Find("metadata");
  const Json about = metadata != nullptr ? yaml::ToJson(*metadata) : Json::Obj();
  Json guard;
  root.In("metadata", [&](ImportSource& m) {
    guard = NewGuard(m, Json::Obj({{"kind", "Deployment"}, {"name", about.At("name").Str()}}));
  });
  if (guard.is_null()) return root.Note("a Rollout without metadata has no name");
  root.In("spec", [&](ImportSource& spec) {
    if (spec.Has("workloadRef")) {
      spec.In("workloadRef", [&](ImportSource& w) {
        Json target = Json::Obj();
        for (const char* key : {"apiVersion", "kind", "name"}) Carry(w, key, target, key);
        w.Leave("scaleDown", "the Deployment goes on carrying production; nothing is scaled away");
        guard["spec"].Set("target", std::move(target));
      });
      spec.Leave("replicas", "the Deployment's own size holds");
      for (const char* key : {"selector", "minReadySeconds", "revisionHistoryLimit"})
        spec.Leave(key, "the Deployment's own holds");
    } else {
      out.documents.push_back(DeploymentOf(spec, about));
    }
    RolloutSpec(spec, guard);
  });
  out.documents.push_back(std::move(guard));
}

}  // namespace rollguard::proof
