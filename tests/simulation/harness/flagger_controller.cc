// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "agent/base/text.h"
#include "tests/simulation/harness/foreign.h"

namespace rollguard::simulation {
namespace {

using release::FlaggerHook;
using sim::ObjectKey;
using sim::ObjectPtr;

constexpr Duration kEvery = std::chrono::seconds(10);
constexpr const char* kPrimary = "checkout-primary";

// All that were asked for are of this template, and answer.
bool RolledOut(const Json& deployment) {
  const int64_t wanted = deployment.At("spec", "replicas").IntOr(1);
  const Json& status = deployment.At("status");
  return status.At("observedGeneration").IntOr(0) ==
             sim::Meta(deployment).At("generation").IntOr(0) &&
         status.At("updatedReplicas").IntOr(0) == wanted &&
         status.At("availableReplicas").IntOr(0) == wanted &&
         status.At("replicas").IntOr(0) == wanted;
}

class FlaggerController final : public sim::Controller {
 public:
  FlaggerController(const sim::ControllerContext& c, AskGate ask)
      : api_(c.api),
        canaries_(c.api.TypeId("flagger.app", "canaries")),
        deployments_(c.api.TypeId("apps", "deployments")),
        routes_(c.api.TypeId("networking.istio.io", "virtualservices")),
        ask_(std::move(ask)),
        queue_(c.api.scheduler(), c.lag, c.seed, [this](const ObjectKey& key) { Tick(key); }) {}

  void Observe(const sim::Change& change) override {
    if (change.key.type == canaries_ && !change.before) queue_.Add(change.key);
  }

 private:
  void Tick(const ObjectKey& key) {
    ObjectPtr canary = api_.store().Get(key);
    if (!canary || sim::IsTerminating(*canary)) return;
    queue_.AddAfter(key, kEvery);
    key_ = key;
    ObjectPtr target = Deployment(canary->At("spec", "targetRef", "name").Str());
    if (!target) return;
    ObjectPtr primary = Deployment(kPrimary);
    if (!primary) return MakePrimary(*target);
    const Json& status = canary->At("status");
    const std::string phase = status.At("phase").Str();
    const std::string now = ForeignHash(target->At("spec", "template"));
    const bool changed =
        now != status.At("lastPromotedSpec").Str() && now != status.At("lastAppliedSpec").Str();
    if (phase.empty()) return Initialize(*primary, now);
    if (phase == "Promoting") return Promoting(*primary);
    if (phase == "Finalising") return Finalise(status.At("lastAppliedSpec").Str());
    if (phase == "Progressing" || phase == "WaitingPromotion") {
      return changed ? Begin(now, *primary) : Progress(*canary, *target, *primary);
    }
    if (changed && ask_(FlaggerHook::kConfirm)) return Begin(now, *primary);
    if (changed) return SetPhase("Waiting");
    if (phase == "Waiting") SetPhase("Succeeded");  // its template went back
  }

  ObjectPtr Deployment(const std::string& name) {
    return api_.store().Get({deployments_, key_.ns, name});
  }

  void MakePrimary(const Json& target) {
    Json spec = target.At("spec");
    spec["selector"]["matchLabels"].Set("app", kPrimary);
    spec["template"]["metadata"]["labels"].Set("app", kPrimary);
    api_.Create(deployments_,
                Json::Obj({{"metadata", Json::Obj({{"name", kPrimary}, {"namespace", key_.ns}})},
                           {"spec", std::move(spec)}}));
  }

  void Initialize(const Json& primary, const std::string& hash) {
    if (!RolledOut(primary)) return;
    SetSize(0);
    Write([&](Json& status) {
      status.Set("phase", "Initialized").Set("lastAppliedSpec", hash).Set("lastPromotedSpec", hash);
    });
  }

  // A revision it has not seen, at rest or in the middle of another one.
  void Begin(const std::string& hash, const Json& primary) {
    SetWeight(0);
    SetSize(primary.At("spec", "replicas").IntOr(1));
    began_ = api_.scheduler().Now();
    Write([&](Json& status) {
      status.Set("phase", "Progressing").Set("lastAppliedSpec", hash).Set("canaryWeight", 0);
    });
  }

  void Progress(const Json& canary, const Json& target, const Json& primary) {
    const Json& spec = canary.At("spec");
    if (!RolledOut(target)) {
      const auto limit = std::chrono::seconds(spec.At("progressDeadlineSeconds").IntOr(600));
      if (api_.scheduler().Now() - began_ >= limit) GoBack();
      return;
    }
    if (ask_(FlaggerHook::kRollback)) return GoBack();
    if (!RolledOut(primary)) return;
    const int64_t weight = canary.At("status", "canaryWeight").IntOr(0);
    const Json& analysis = spec.At("analysis");
    const int64_t most = analysis.At("maxWeight").IntOr(100);
    const bool full = weight >= most;
    if (!ask_(FlaggerHook::kConfirm)) {
      if (full) SetPhase("WaitingPromotion");
      return;
    }
    if (full) return Promote(target);
    const int64_t next = std::min(most, weight + analysis.At("stepWeight").IntOr(10));
    SetWeight(next);
    Write([&](Json& status) { status.Set("phase", "Progressing").Set("canaryWeight", next); });
  }

  void Promote(const Json& target) {
    Json pods = target.At("spec", "template");
    pods["metadata"]["labels"].Set("app", kPrimary);
    api_.Update({deployments_, key_.ns, kPrimary},
                [&](Json& object) { object["spec"].Set("template", pods); });
    SetPhase("Promoting");
  }

  void Promoting(const Json& primary) {
    if (!RolledOut(primary)) return;
    SetWeight(0);
    SetPhase("Finalising");
  }

  void Finalise(const std::string& applied) {
    SetSize(0);
    Write([&](Json& status) {
      status.Set("phase", "Succeeded").Set("lastPromotedSpec", applied).Set("canaryWeight", 0);
    });
  }

  void GoBack() {
    SetWeight(0);
    SetSize(0);
    Write([](Json& status) { status.Set("phase", "Failed").Set("canaryWeight", 0); });
  }

  void SetPhase(const char* phase) {
    Write([phase](Json& status) { status.Set("phase", phase); });
  }
  void Write(const std::function<void(Json&)>& change) {
    api_.Update(key_, [&](Json& canary) { change(canary["status"]); });
  }
  void SetSize(int64_t replicas) {
    api_.Update({deployments_, key_.ns, key_.name},
                [&](Json& object) { object["spec"].Set("replicas", replicas); });
  }
  void SetWeight(int64_t weight) {
    api_.Update({routes_, key_.ns, key_.name}, [&](Json& route) {
      Json& destinations = route["spec"]["http"].items()[0]["route"];
      destinations.items()[0].Set("weight", 100 - weight);
      destinations.items()[1].Set("weight", weight);
    });
  }

  sim::ApiServer& api_;
  int canaries_, deployments_, routes_;
  AskGate ask_;
  sim::WorkQueue queue_;
  ObjectKey key_;  // of the one it looks at
  Time began_{};
};

}  // namespace

std::unique_ptr<sim::Controller> MakeFlaggerController(const sim::ControllerContext& context,
                                                       AskGate ask) {
  return std::make_unique<FlaggerController>(context, std::move(ask));
}

}  // namespace rollguard::simulation
