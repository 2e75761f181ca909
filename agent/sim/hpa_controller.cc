// SPDX-License-Identifier: Apache-2.0
// Every 15 s: desired = ceil(pods * use / target), nothing within 10 %, downscaling only to the
// highest recommendation of the last 5 minutes.
#include "agent/sim/hpa_controller.h"

#include <algorithm>
#include <cmath>
#include <deque>

#include "agent/base/text.h"
#include "agent/sim/selector.h"

namespace rollguard::sim {
namespace {

constexpr Duration kPeriod{15'000};
constexpr Duration kStabilization{300'000};
constexpr double kTolerance = 0.1;

double RequestedCpu(const Json& pod) {
  double sum = 0;
  for (const Json& c : pod.At("spec", "containers").items()) {
    const Json& request = c.At("resources", "requests", "cpu");
    sum +=
        CpuMillis(request.is_string() ? Text(request)
                                      : std::string_view(request.is_null() ? "" : request.Dump()));
  }
  return sum > 0 ? sum : 100;
}

class HpaController final : public Controller {
 public:
  HpaController(const ControllerContext& c, std::function<double(const Json&)> cpu)
      : api_(c.api),
        type_(c.api.TypeId("autoscaling", "horizontalpodautoscalers")),
        pods_(c.api.TypeId("", "pods")),
        cpu_(std::move(cpu)),
        alive_(std::make_shared<bool>(true)) {}
  ~HpaController() override { *alive_ = false; }

  void Observe(const Change& change) override {
    if (change.key.type != type_ || change.before) return;
    Tick(change.key, std::string(UidOf(*change.after)));
  }

 private:
  struct Advice {
    Time when;
    int64_t replicas;
  };

  void Tick(const ObjectKey& key, const std::string& uid) {
    api_.scheduler().After(kPeriod, [this, alive = alive_, key, uid] {
      if (!*alive) return;
      ObjectPtr hpa = api_.store().Get(key);
      if (!hpa || UidOf(*hpa) != uid) return;
      Look(key, *hpa);
      Tick(key, uid);
    });
  }

  // The scale target's type, by its kind.
  const TypeInfo* TargetType(const Json& ref) {
    std::string_view version = Text(ref.At("apiVersion"));
    size_t slash = version.find('/');
    return api_.types().FindKind(slash == std::string_view::npos ? "" : version.substr(0, slash),
                                 Text(ref.At("kind")));
  }

  void Look(const ObjectKey& key, const Json& hpa) {
    const Json& ref = hpa.At("spec", "scaleTargetRef");
    const TypeInfo* target = TargetType(ref);
    if (target == nullptr) return;
    ClusterRequest get;
    get.type = target->type;
    get.ns = key.ns;
    get.name = ref.At("name").Str();
    get.subresource = "scale";
    get.field_manager = "horizontal-pod-autoscaler";
    ApiReply scale = api_.Serve(get);
    if (!scale.ok()) return;
    int64_t current = scale.object->At("spec", "replicas").IntOr(0);
    double use = 0, ratio = 1;
    if (!Measure(hpa, *scale.object, key.ns, use, ratio) || current == 0) return;
    int64_t wanted = std::fabs(ratio - 1) <= kTolerance
                         ? current
                         : static_cast<int64_t>(std::ceil(static_cast<double>(current) * ratio));
    wanted = std::clamp(wanted, hpa.At("spec", "minReplicas").IntOr(1),
                        hpa.At("spec", "maxReplicas").IntOr(1));
    wanted = Stabilize(key, current, wanted);
    if (wanted != current) {
      get.verb = Verb::kPatch;
      get.patch = PatchKind::kMerge;
      get.body = Json::Obj({{"spec", Json::Obj({{"replicas", wanted}})}});
      api_.Serve(get);
    }
    Time now = api_.scheduler().Now();
    api_.Update(key, [&](Json& o) {
      Json& status = o["status"];
      status.Set("currentReplicas", current).Set("desiredReplicas", wanted);
      if (wanted != current)
        status.Set("lastScaleTime", FormatRfc3339(std::chrono::floor<std::chrono::seconds>(now)));
      Json metric = Json::Obj({{"averageUtilization", static_cast<int64_t>(std::llround(use))}});
      status.Set("currentMetrics",
                 Json::Arr({Json::Obj(
                     {{"type", "Resource"},
                      {"resource", Json::Obj({{"name", "cpu"}, {"current", metric}})}})}));
      SetCondition(status, "AbleToScale", "True", "ReadyForNewScale", "", now);
      SetCondition(status, "ScalingActive", "True", "ValidMetricFound", "", now);
    });
  }

  // Use in percent of the requests, and use over target. False when there is nothing to measure.
  bool Measure(const Json& hpa, const Json& scale, const std::string& ns, double& use,
               double& ratio) {
    auto selector = LabelSelector::Parse(Text(scale.At("status", "selector")));
    if (!selector.ok() || selector->empty()) return false;
    double used = 0, requested = 0;
    int pods = 0;
    for (const ObjectPtr& pod : api_.store().List(pods_, ns)) {
      if (!PodIsActive(*pod) || !PodIsReady(*pod) || !selector->Matches(Meta(*pod).At("labels")))
        continue;
      used += cpu_(*pod);
      requested += RequestedCpu(*pod);
      ++pods;
    }
    if (pods == 0) return false;
    use = 100 * used / requested;
    for (const Json& metric : hpa.At("spec", "metrics").items()) {
      const Json& aim = metric.At("resource", "target");
      if (Text(metric.At("resource", "name")) != "cpu") continue;
      if (aim.At("averageUtilization").is_number())
        ratio = use / aim.At("averageUtilization").DoubleOr(80);
      else
        ratio = used / pods / std::max(1.0, CpuMillis(Text(aim.At("averageValue"))));
      return true;
    }
    return false;
  }

  int64_t Stabilize(const ObjectKey& key, int64_t current, int64_t wanted) {
    Time now = api_.scheduler().Now();
    auto& history = advice_[key];
    if (history.empty()) history.push_back({now, current});
    history.push_back({now, wanted});
    while (history.front().when < now - kStabilization) history.pop_front();
    if (wanted >= current) return wanted;
    int64_t highest = wanted;
    for (const Advice& a : history) highest = std::max(highest, a.replicas);
    return std::min(highest, current);
  }

  ApiServer& api_;
  int type_, pods_;
  std::function<double(const Json&)> cpu_;
  std::map<ObjectKey, std::deque<Advice>> advice_;
  std::shared_ptr<bool> alive_;
};

}  // namespace

double CpuMillis(std::string_view quantity) {
  bool milli = quantity.ends_with('m');
  if (milli) quantity.remove_suffix(1);
  auto number = ParseDouble(quantity);
  return number ? *number * (milli ? 1 : 1000) : 0;
}

std::unique_ptr<Controller> MakeHpaController(const ControllerContext& context,
                                              std::function<double(const Json& pod)> cpu) {
  return std::make_unique<HpaController>(context, std::move(cpu));
}

}  // namespace rollguard::sim
