// SPDX-License-Identifier: Apache-2.0
// Services with a selector get Endpoints (ready and not ready addresses; terminating pods leave at
// once) and one EndpointSlice (terminating pods stay, marked).
#include <algorithm>

#include "agent/base/text.h"
#include "agent/sim/controller.h"
#include "agent/sim/selector.h"

namespace rollguard::sim {
namespace {

// What of a pod endpoints depend on.
bool SameForEndpoints(const Json& a, const Json& b) {
  return IsTerminating(a) == IsTerminating(b) && PodIsReady(a) == PodIsReady(b) &&
         a.At("status", "podIP") == b.At("status", "podIP") &&
         a.At("status", "phase") == b.At("status", "phase") &&
         Meta(a).At("labels") == Meta(b).At("labels");
}

Json TargetRef(const Json& pod) {
  return Json::Obj({{"kind", "Pod"},
                    {"namespace", NamespaceOf(pod)},
                    {"name", NameOf(pod)},
                    {"uid", UidOf(pod)}});
}

int64_t PortNumber(const Json& target, const std::vector<ObjectPtr>& pods) {
  if (target.is_int()) return target.IntOr(0);
  for (const ObjectPtr& pod : pods) {
    for (const Json& c : pod->At("spec", "containers").items()) {
      for (const Json& p : c.At("ports").items()) {
        if (p.At("name") == target) return p.At("containerPort").IntOr(0);
      }
    }
  }
  return 0;
}

Json Ports(const Json& service, const std::vector<ObjectPtr>& pods) {
  Json out = Json::Arr();
  for (const Json& port : service.At("spec", "ports").items()) {
    Json one = Json::Obj();
    if (const Json* name = port.Find("name")) one.Set("name", *name);
    one.Set("port", PortNumber(port.At("targetPort"), pods)).Set("protocol", port.At("protocol"));
    out.Push(std::move(one));
  }
  return out;
}

class EndpointsController final : public Controller {
 public:
  explicit EndpointsController(const ControllerContext& c)
      : api_(c.api),
        services_(c.api.TypeId("", "services")),
        pods_(c.api.TypeId("", "pods")),
        endpoints_(c.api.TypeId("", "endpoints")),
        slices_(c.api.TypeId("discovery.k8s.io", "endpointslices")),
        queue_(c.api.scheduler(), c.lag, c.seed, [this](const ObjectKey& key) { Sync(key); }) {}

  void Observe(const Change& change) override {
    if (change.key.type == services_) queue_.Add(change.key);
    if (change.key.type != pods_) return;
    if (change.before && change.after && SameForEndpoints(*change.before, *change.after)) return;
    for (const ObjectPtr& service : api_.store().List(services_, change.key.ns)) {
      const Json& selector = service->At("spec", "selector");
      if (selector.size() == 0) continue;
      LabelSelector labels = LabelSelector::FromMap(selector);
      bool was = change.before && labels.Matches(Meta(*change.before).At("labels"));
      bool is = change.after && labels.Matches(Meta(*change.after).At("labels"));
      if (was || is) queue_.Add(ApiServer::KeyOf(services_, *service));
    }
  }

 private:
  void Sync(const ObjectKey& key) {
    ObjectPtr service = api_.store().Get(key);
    ObjectKey endpoints{endpoints_, key.ns, key.name};
    if (!service) {
      if (api_.store().Get(endpoints)) api_.Delete(endpoints);
      return;  // the slice has an owner
    }
    const Json& selector = service->At("spec", "selector");
    if (selector.size() == 0) return;
    LabelSelector labels = LabelSelector::FromMap(selector);
    std::vector<ObjectPtr> pods;
    for (const ObjectPtr& pod : api_.store().List(pods_, key.ns)) {
      std::string_view phase = Text(pod->At("status", "phase"));
      bool ended = phase == "Succeeded" || phase == "Failed";
      if (!ended && !Text(pod->At("status", "podIP")).empty() &&
          labels.Matches(Meta(*pod).At("labels")))
        pods.push_back(pod);
    }
    Json ports = Ports(*service, pods);
    WriteEndpoints(endpoints, *service, pods, ports);
    WriteSlice(*service, pods, ports);
  }

  void WriteEndpoints(const ObjectKey& key, const Json& service, const std::vector<ObjectPtr>& pods,
                      const Json& ports) {
    Json ready = Json::Arr(), waiting = Json::Arr();
    for (const ObjectPtr& pod : pods) {
      if (IsTerminating(*pod)) continue;
      Json address = Json::Obj({{"ip", pod->At("status", "podIP")},
                                {"nodeName", pod->At("spec", "nodeName")},
                                {"targetRef", TargetRef(*pod)}});
      (PodIsReady(*pod) ? ready : waiting).Push(std::move(address));
    }
    Json subsets = Json::Arr();
    if (ready.size() + waiting.size() > 0) {
      Json subset = Json::Obj();
      if (ready.size() > 0) subset.Set("addresses", std::move(ready));
      if (waiting.size() > 0) subset.Set("notReadyAddresses", std::move(waiting));
      subset.Set("ports", ports);
      subsets.Push(std::move(subset));
    }
    auto fill = [&](Json& o) {
      subsets.size() > 0 ? o.Set("subsets", subsets) : (o.Erase("subsets"), o);
    };
    if (api_.store().Get(key)) {
      api_.Update(key, fill);
      return;
    }
    Json made = Json::Obj({{"metadata", Json::Obj({{"name", key.name}, {"namespace", key.ns}})}});
    if (const Json* l = Meta(service).Find("labels")) made["metadata"].Set("labels", *l);
    fill(made);
    api_.Create(endpoints_, std::move(made));
  }

  void WriteSlice(const Json& service, const std::vector<ObjectPtr>& pods, const Json& ports) {
    Json list = Json::Arr();
    for (const ObjectPtr& pod : pods) {
      bool ready = PodIsReady(*pod), ending = IsTerminating(*pod);
      Json conditions =
          Json::Obj({{"ready", ready && !ending}, {"serving", ready}, {"terminating", ending}});
      list.Push(Json::Obj({{"addresses", Json::Arr({pod->At("status", "podIP")})},
                           {"conditions", std::move(conditions)},
                           {"nodeName", pod->At("spec", "nodeName")},
                           {"targetRef", TargetRef(*pod)}}));
    }
    std::vector<ObjectPtr> known = api_.Controlled(UidOf(service), slices_);
    if (!known.empty()) {
      api_.Update(ApiServer::KeyOf(slices_, *known[0]),
                  [&](Json& o) { o.Set("endpoints", std::move(list)).Set("ports", ports); });
      return;
    }
    Json meta = Json::Obj({{"generateName", StrCat(NameOf(service), "-")},
                           {"namespace", NamespaceOf(service)},
                           {"labels", Json::Obj({{"kubernetes.io/service-name", NameOf(service)},
                                                 {"endpointslice.kubernetes.io/managed-by",
                                                  "endpointslice-controller.k8s.io"}})},
                           {"ownerReferences", Json::Arr({ControllerRef(service)})}});
    api_.Create(slices_, Json::Obj({{"metadata", std::move(meta)},
                                    {"addressType", "IPv4"},
                                    {"endpoints", std::move(list)},
                                    {"ports", ports}}));
  }

  ApiServer& api_;
  int services_, pods_, endpoints_, slices_;
  WorkQueue queue_;
};

}  // namespace

std::unique_ptr<Controller> MakeEndpointsController(const ControllerContext& context) {
  return std::make_unique<EndpointsController>(context);
}

}  // namespace rollguard::sim
