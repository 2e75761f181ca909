// SPDX-License-Identifier: Apache-2.0
#include "agent/spec/readers.h"

namespace rollguard::spec {
namespace {

void ReadAnalysis(Object& o, std::string_view key, std::string_view description,
                  std::optional<AnalysisRef>& out) {
  AnalysisRef ref;
  if (o.Obj(key, description, [&](Object& a) { ReadAnalysisRef(a, ref); })) out = std::move(ref);
}

void ReadBackground(Object& o, std::optional<AnalysisRef>& out) {
  ReadAnalysis(o, "analysis", "Runs in the background until the end of the bake.", out);
}

void ReadCandidate(Object& o, CandidateRef& out) {
  o.Obj("candidate", "A second Deployment that somebody else manages, instead of a clone.",
        [&](Object& c) {
          c.Name("deployment", out.deployment, "Its name.");
          c.Require("deployment");
        });
}

void ReadServices(Object& o, std::string& stable, std::string& candidate) {
  o.Name("stableService", stable, "The Service of the stable pods.");
  o.Name("candidateService", candidate, "The Service of the candidate's pods.");
}

void ReadRolling(Object& o, RollingStrategy& out) {
  static constexpr std::pair<std::string_view, RollingStrategy::Admission> kWords[] = {
      {"hold", RollingStrategy::Admission::kHold},
      {"observe", RollingStrategy::Admission::kObserve}};
  o.Enum("admission", out.admission, kWords,
         "hold: paused at rest; observe: only the automatic undo (hold).");
  ReadBackground(o, out.analysis);
}

void ReadCanary(Object& o, CanaryStrategy& out) {
  ReadRouting(o, out.routing);
  ReadServices(o, out.stable_service, out.candidate_service);
  ReadCandidate(o, out.candidate);
  ReadSteps(o, out.steps);
  ReadPhases(o, out.steps);
  ReadStepWeights(o, out.steps);
  ReadBackground(o, out.analysis);
  o.Percent("maxSurge", out.max_surge, "Pods above the target's size while both run.");
  o.Int("minReplicas", out.min_replicas, "Least pods of a track that gets traffic (1).", 1, 1000);
  o.Dur("abortScaleDownDelay", out.abort_scale_down_delay,
        "A rejected candidate keeps its pods this long (30s).");
  o.Dur("scaleDownDelay", out.scale_down_delay, "The old pods stay this long (30s).");
}

void ReadBlueGreen(Object& o, BlueGreenStrategy& out) {
  ReadRouting(o, out.routing);
  o.Name("activeService", out.active_service, "The Service with production traffic.");
  o.Require("activeService");
  o.Name("previewService", out.preview_service, "The Service that shows the candidate before.");
  ReadCandidate(o, out.candidate);
  o.OptInt("previewReplicas", out.preview_replicas, "Size of the candidate before the switch.", 1,
           100'000);
  o.Bool("autoPromotion", out.auto_promotion, "Switch without a person (true).");
  o.OptDur("autoPromotionAfter", out.auto_promotion_after, "Wait this long before switching.");
  Approval approval;
  if (o.Obj("approval", "People who must say yes before the switch.",
            [&](Object& a) { ReadApproval(a, approval); }))
    out.approval = approval;
  ReadAnalysis(o, "prePromotionAnalysis", "Must succeed before the switch.", out.pre_promotion);
  ReadAnalysis(o, "postPromotionAnalysis", "Must succeed after the switch.", out.post_promotion);
  ReadBackground(o, out.analysis);
  o.OptDur("scaleDownDelay", out.scale_down_delay, "Blue stays this long beyond the bake.");
}

void ReadAbTest(Object& o, AbTestStrategy& out) {
  ReadRouting(o, out.routing);
  ReadServices(o, out.stable_service, out.candidate_service);
  ReadCandidate(o, out.candidate);
  ReadRequestMatches(o, out.match, "Requests that go to the candidate; one match suffices.");
  o.Require("match");
  o.Int("iterations", out.iterations, "How many looks (10).", 1, 100'000);
  o.Dur("interval", out.interval, "Time between looks (1m).", std::chrono::seconds(1));
  ReadBackground(o, out.analysis);
}

void ReadMirror(Object& o, MirrorStrategy& out) {
  ReadRouting(o, out.routing);
  ReadServices(o, out.stable_service, out.candidate_service);
  ReadCandidate(o, out.candidate);
  o.Int("percentage", out.percent, "Share of the requests that is copied (100).", 1, 100);
  ReadRequestMatches(o, out.match, "Only these requests are copied.");
  o.Dur("duration", out.duration, "How long (10m).", std::chrono::seconds(1));
  ReadSteps(o, out.steps);
  ReadBackground(o, out.analysis);
}

void ReadExternal(Object& o, ExternalStrategy& out) {
  using Controller = ExternalStrategy::Controller;
  using OnBad = ExternalStrategy::OnBad;
  static constexpr std::pair<std::string_view, Controller> kControllers[] = {
      {"argo", Controller::kArgo}, {"flagger", Controller::kFlagger}};
  static constexpr std::pair<std::string_view, OnBad> kOnBad[] = {
      {"abort", OnBad::kAbort}, {"undo", OnBad::kUndo}, {"pause", OnBad::kPause}};
  o.Enum("controller", out.controller, kControllers, "Who carries releases out.");
  o.Require("controller");
  o.Enum("onBad", out.on_bad, kOnBad, "What it is told when the candidate is bad (abort).");
  o.Bool("promote", out.promote, "Also say go when all is well (false).");
  ReadBackground(o, out.analysis);
}

template <class T>
void Take(Object& o, std::string_view key, std::string_view description, Strategy& out,
          void (*read)(Object&, T&)) {
  T strategy;
  if (o.Obj(key, description, [&](Object& inner) { read(inner, strategy); }))
    out = std::move(strategy);
}

}  // namespace

void ReadStrategy(Object& o, Strategy& out, StrategyRef& ref) {
  Take<RollingStrategy>(o, "rolling", "Kubernetes' own rolling update, watched.", out, ReadRolling);
  Take<CanaryStrategy>(o, "canary", "Steps of traffic beside the stable revision.", out,
                       ReadCanary);
  Take<BlueGreenStrategy>(o, "blueGreen", "A second full set of pods, switched at once.", out,
                          ReadBlueGreen);
  Take<AbTestStrategy>(o, "abTest", "Chosen requests go to the candidate.", out, ReadAbTest);
  Take<MirrorStrategy>(o, "mirror", "Copies of requests go to the candidate.", out, ReadMirror);
  Take<ExternalStrategy>(o, "external", "Another controller releases; it is told what is bad.", out,
                         ReadExternal);
  static constexpr std::pair<std::string_view, int> kRisks[] = {
      {"low", 0}, {"medium", 1}, {"high", 2}, {"critical", 3}};
  o.Obj("ref", "A named strategy, or the matrix' choice.", [&](Object& r) {
    r.Name("name", ref.name, "The ReleaseStrategy's name.");
    r.Str("serviceType", ref.service_type, "Kind of service, as the matrix names it.");
    int risk = 0;
    if (r.Enum<int>("risk", risk, kRisks, "Risk of a change."))
      ref.risk = std::string(kRisks[risk].first);
    r.RequireOne("a strategy reference", {"name", "serviceType"});
  });
  o.AtMostOne({"rolling", "canary", "blueGreen", "abTest", "mirror", "external"});
  if (!o.Has("ref"))
    o.RequireOne("a strategy",
                 {"rolling", "canary", "blueGreen", "abTest", "mirror", "external", "ref"});
  // With `ref`: what the named strategy leaves to the guard.
  std::vector<Routing> routing;
  std::string name;
  CandidateRef candidate;
  if (o.describing() || o.Has("ref")) {
    ReadRouting(o, routing);
    o.Name("stableService", name, "With ref: the Service of the stable pods.");
    o.Name("candidateService", name, "With ref: the Service of the candidate's pods.");
    o.Name("activeService", name, "With ref: the Service with production traffic.");
    o.Name("previewService", name, "With ref: the Service that shows the candidate before.");
    ReadCandidate(o, candidate);
  }
}

const char* NameOf(const Strategy& strategy) {
  constexpr const char* kNames[] = {"rolling", "canary", "blueGreen",
                                    "abTest",  "mirror", "external"};
  return kNames[strategy.index()];
}

const AnalysisRef* BackgroundAnalysis(const Strategy& strategy) {
  return std::visit([](const auto& s) { return s.analysis ? &*s.analysis : nullptr; }, strategy);
}

const std::vector<Routing>& RoutingOf(const Strategy& strategy) {
  static const std::vector<Routing> none;
  return std::visit(
      [](const auto& s) -> const std::vector<Routing>& {
        if constexpr (requires { s.routing; }) {
          return s.routing;
        } else {
          return none;
        }
      },
      strategy);
}

}  // namespace rollguard::spec
