// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/scenario_objects.h"

#include <map>

#include "agent/base/text.h"

namespace rollguard::sim {
namespace {

constexpr const char* kGroup = "sim.rollguard.dev";

class ScenarioController final : public Controller {
 public:
  ScenarioController(const ControllerContext& c, Behaviours& behaviours, Traffic& traffic)
      : api_(c.api),
        behaviours_(behaviours),
        traffic_(traffic),
        behaviour_type_(c.api.types().Add({kGroup, "v1", "behaviours", "Behaviour", true}).id),
        flow_type_(c.api.types().Add({kGroup, "v1", "flows", "Flow", true}).id),
        queue_(c.api.scheduler(), Duration(0), c.seed,
               [this](const ObjectKey& key) { Sync(key); }) {}

  void Observe(const Change& change) override {
    if (change.key.type == behaviour_type_ || change.key.type == flow_type_) queue_.Add(change.key);
  }

 private:
  void Sync(const ObjectKey& key) {
    ObjectPtr object = api_.store().Get(key);
    Status done = key.type == flow_type_ ? SyncFlow(key, object) : SyncBehaviour(key, object);
    if (!object) return;
    api_.Update(key, [&](Json& o) {
      if (done.ok())
        o.Erase("status");
      else
        o["status"].Set("message", done.error().message);
    });
  }

  Status SyncBehaviour(const ObjectKey& key, const ObjectPtr& object) {
    std::string id = StrCat(key.ns, "/", key.name);
    if (!object) {
      auto it = images_.find(id);
      if (it == images_.end()) return {};
      if (it->second.empty())
        behaviours_.SetDefault({});
      else
        behaviours_.ClearImage(it->second);
      images_.erase(it);
      return {};
    }
    Json spec = object->At("spec");
    std::string image = spec.At("image").Str();
    spec.Erase("image");
    auto behaviour = RevisionBehaviour::FromJson(spec, {});
    if (!behaviour) return behaviour.error();
    auto known = images_.find(id);
    if (known != images_.end() && known->second != image && !known->second.empty())
      behaviours_.ClearImage(known->second);
    images_[id] = image;
    if (image.empty())
      behaviours_.SetDefault(*behaviour);
    else
      behaviours_.SetImage(image, *behaviour);
    return {};
  }

  Expected<RouteSource> ReadSource(const Json& source) {
    RouteSource out;
    out.route = source.At("route").Str();
    std::pair<const char*, RouteSource::Kind> kinds[] = {
        {"virtualService", RouteSource::Kind::kVirtualService},
        {"httpRoute", RouteSource::Kind::kHttpRoute},
        {"ingress", RouteSource::Kind::kNginxIngress}};
    for (auto [name, kind] : kinds) {
      if (source.Find(name) == nullptr) continue;
      out.kind = kind;
      out.name = source.At(name).Str();
      return out;
    }
    const Json& generic = source.At("generic");
    if (generic.is_null()) return out;
    std::string_view version = Text(generic.At("apiVersion"));
    size_t slash = version.find('/');
    const TypeInfo* info = api_.types().FindKind(
        slash == std::string_view::npos ? "" : version.substr(0, slash), Text(generic.At("kind")));
    if (info == nullptr)
      return Error(ErrorCode::kInvalid,
                   StrCat("no kind ", Quote(Text(generic.At("kind"))), " in ", Quote(version)));
    out.kind = RouteSource::Kind::kGeneric;
    out.type = info->type;
    out.name = generic.At("name").Str();
    for (const Json& b : generic.At("backends").items())
      out.backends.push_back({b.At("weight").Str(), b.At("service").Str()});
    return out;
  }

  Status SyncFlow(const ObjectKey& key, const ObjectPtr& object) {
    std::string id = StrCat(key.ns, "/", key.name);
    auto known = flows_.find(id);
    if (!object) {
      if (known != flows_.end()) traffic_.SetRate(known->second, 0);
      return {};
    }
    const Json& spec = object->At("spec");
    auto source = ReadSource(spec.At("source"));
    if (!source) return source.error();
    Flow flow;
    flow.ns = key.ns;
    flow.service = spec.At("service").Str();
    flow.source = *source;
    flow.requests_per_second = spec.At("requestsPerSecond").DoubleOr(100);
    for (const auto& [name, value] : spec.At("headers").members()) flow.headers[name] = value.Str();
    if (flow.service.empty())
      return Error(ErrorCode::kInvalid, "spec.service: the Service that users call is missing");
    if (known != flows_.end())
      traffic_.Replace(known->second, std::move(flow));
    else
      flows_[id] = traffic_.Add(std::move(flow));
    return {};
  }

  ApiServer& api_;
  Behaviours& behaviours_;
  Traffic& traffic_;
  int behaviour_type_, flow_type_;
  std::map<std::string, std::string> images_;
  std::map<std::string, size_t> flows_;
  WorkQueue queue_;
};

}  // namespace

std::unique_ptr<Controller> MakeScenarioController(const ControllerContext& context,
                                                   Behaviours& behaviours, Traffic& traffic) {
  return std::make_unique<ScenarioController>(context, behaviours, traffic);
}

}  // namespace rollguard::sim
