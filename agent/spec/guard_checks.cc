// SPDX-License-Identifier: Apache-2.0
// What fits together in a guard: target and strategy, steps and routers, Services and routers.
// A release must never find out half-way that its router cannot do what a step asks.
#include <algorithm>

#include "agent/spec/readers.h"

namespace rollguard::spec {
namespace {

// What one match needs of every router.
void CheckMatch(Context& context, const RequestMatch& match, const std::vector<Routing>& routing,
                SourceSpan span) {
  auto need = [&](bool wanted, bool RoutingCapabilities::*ability, std::string_view what) {
    if (!wanted) return;
    for (const Routing& router : routing) {
      if (CapabilitiesOf(router.settings).*ability) continue;
      context.Error(span, StrCat("the router ", NameOf(router.settings), " cannot match ", what));
    }
  };
  auto regex = [](const std::vector<HeaderMatch>& list) {
    return std::any_of(list.begin(), list.end(), [](const HeaderMatch& h) {
      return h.value.kind == StringMatch::Kind::kRegex;
    });
  };
  need(!match.headers.empty(), &RoutingCapabilities::headers, "headers");
  need(!match.cookies.empty(), &RoutingCapabilities::cookies, "cookies");
  need(!match.query.empty(), &RoutingCapabilities::query, "query parameters");
  if (regex(match.headers))
    need(true, &RoutingCapabilities::header_regex, "headers by regular expression");
}

class StepChecker {
 public:
  StepChecker(Context& context, const std::vector<Routing>& routing)
      : context_(context), routing_(routing) {}

  void Check(const Step& step) {
    span_ = step.span;
    std::visit([this](const auto& action) { CheckAction(action); }, step.action);
  }

 private:
  template <class T>
  void CheckAction(const T&) {}

  void CheckAction(const SetWeight& weight) {
    if (weight.percent == 0 || weight.percent == 100) return;
    for (const Routing& router : routing_) {
      if (!CapabilitiesOf(router.settings).weights)
        context_.Error(span_, StrCat("the router ", NameOf(router.settings),
                                     " sends all traffic or none; a weight of ", weight.percent,
                                     " cannot be set"));
    }
  }

  void CheckAction(const SetHeaderRoute& route) {
    if (routing_.empty())
      context_.Error(span_, "setHeaderRoute needs a router; there is none under \"routing\"");
    for (const RequestMatch& match : route.match) CheckMatch(context_, match, routing_, span_);
  }

  void CheckAction(const SetMirrorRoute& route) {
    if (routing_.empty())
      context_.Error(span_, "setMirrorRoute needs a router; there is none under \"routing\"");
    CheckMirror(context_, routing_, route.percent, span_);
    for (const RequestMatch& match : route.match) CheckMatch(context_, match, routing_, span_);
  }

 public:
  static void CheckMirror(Context& context, const std::vector<Routing>& routing, int64_t percent,
                          SourceSpan span) {
    for (const Routing& router : routing) {
      RoutingCapabilities can = CapabilitiesOf(router.settings);
      if (!can.mirror) {
        context.Error(span,
                      StrCat("the router ", NameOf(router.settings), " cannot mirror requests"));
      } else if (percent != 100 && percent != 0 && !can.mirror_share) {
        context.Error(span, StrCat("the router ", NameOf(router.settings),
                                   " mirrors all requests or none; ", percent, " % cannot be set"));
      }
    }
  }

 private:
  Context& context_;
  const std::vector<Routing>& routing_;
  SourceSpan span_;
};

// Routers that tell the tracks apart by Service need the names of both.
void CheckServices(Context& context, const std::vector<Routing>& routing, const std::string& stable,
                   const std::string& candidate) {
  for (const Routing& router : routing) {
    const auto& s = router.settings;
    const auto* istio = std::get_if<IstioRouting>(&s);
    bool by_service =
        (istio && !istio->destination_rule) ||
        !(istio || std::holds_alternative<ServiceRouting>(s) ||
          std::holds_alternative<ReplicaRouting>(s) || std::holds_alternative<GenericRouting>(s));
    if (by_service && (stable.empty() || candidate.empty()))
      context.Error(router.span,
                    StrCat("the router ", NameOf(s), " needs stableService and candidateService",
                           istio ? ", or a destinationRule" : ""));
  }
}

void CheckStepsOf(Context& context, const std::vector<Step>& steps,
                  const std::vector<Routing>& routing) {
  StepChecker checker(context, routing);
  for (const Step& step : steps) checker.Check(step);
}

void CheckStrategy(Context& context, const CanaryStrategy& s, SourceSpan span) {
  if (s.steps.empty())
    context.Error(span,
                  "a canary needs steps (or phases, or stepWeight): without them the "
                  "candidate would get all traffic at once");
  CheckStepsOf(context, s.steps, s.routing);
  CheckServices(context, s.routing, s.stable_service, s.candidate_service);
  const bool routed = std::any_of(s.routing.begin(), s.routing.end(), [](const Routing& r) {
    return !std::holds_alternative<ReplicaRouting>(r.settings);
  });
  if (s.max_surge && routed)
    context.Warning(span,
                    "maxSurge does nothing here: it bounds the pods of a canary without a router; "
                    "with one stable keeps its "
                    "size for the way back and the candidate's pods come on top: leave it out");
}

void CheckStrategy(Context& context, const AbTestStrategy& s, SourceSpan span) {
  if (s.routing.empty()) context.Error(span, "abTest needs a router under \"routing\"");
  if (s.match.empty()) context.Error(span, "abTest needs at least one match");
  for (const RequestMatch& match : s.match) CheckMatch(context, match, s.routing, span);
  CheckServices(context, s.routing, s.stable_service, s.candidate_service);
}

void CheckStrategy(Context& context, const MirrorStrategy& s, SourceSpan span) {
  if (s.routing.empty()) context.Error(span, "mirror needs a router under \"routing\"");
  StepChecker::CheckMirror(context, s.routing, s.percent, span);
  for (const RequestMatch& match : s.match) CheckMatch(context, match, s.routing, span);
  CheckStepsOf(context, s.steps, s.routing);
  CheckServices(context, s.routing, s.stable_service, s.candidate_service);
}

void CheckStrategy(Context& context, const BlueGreenStrategy& s, SourceSpan span) {
  if (!s.preview_service.empty() && s.preview_service == s.active_service)
    context.Error(span, "activeService and previewService must differ");
}

void CheckStrategy(Context&, const RollingStrategy&, SourceSpan) {}
void CheckStrategy(Context&, const ExternalStrategy&, SourceSpan) {}

// Which kinds of workload a strategy can release.
void CheckTarget(Context& context, const Guard& guard, SourceSpan span) {
  const std::string& kind = guard.target.kind;
  const auto* external = std::get_if<ExternalStrategy>(&guard.strategy);
  if (external) {
    bool argo = external->controller == ExternalStrategy::Controller::kArgo;
    std::string_view wanted = argo ? "Rollout" : "Canary";
    if (kind != wanted)
      context.Error(span, StrCat("with controller ", argo ? "argo" : "flagger",
                                 " the target's kind must be ", wanted, ", not ", Quote(kind)));
    return;
  }
  constexpr std::string_view kKinds[] = {"Deployment", "StatefulSet", "DaemonSet"};
  if (std::find(std::begin(kKinds), std::end(kKinds), kind) == std::end(kKinds)) {
    bool other = kind == "Rollout" || kind == "Canary";
    context.Error(
        span,
        StrCat("the target's kind must be Deployment, StatefulSet or DaemonSet, not ", Quote(kind),
               other ? " (use the strategy external)"
                     : Suggestion(kind, {std::begin(kKinds), std::end(kKinds)})));
    return;
  }
  if (guard.target.api_version != "apps/v1")
    context.Error(span, StrCat("the target's apiVersion must be apps/v1, not ",
                               Quote(guard.target.api_version)));
  if (kind != "Deployment" && !std::holds_alternative<RollingStrategy>(guard.strategy))
    context.Error(span, StrCat("a ", kind, " can only be released with the strategy rolling, not ",
                               NameOf(guard.strategy)));
}

SourceSpan KeySpan(const Guard& guard, std::string_view key) {
  const yaml::Entry* entry = guard.raw.FindEntry(key);
  return entry && entry->key_span.line > 0 ? entry->key_span : guard.origin.span;
}

void CheckReferences(Context& context, const Guard& guard) {
  auto self = [&](const ObjectRef& ref) {
    return ref.name == guard.metadata.name && (ref.ns.empty() || ref.ns == guard.metadata.ns);
  };
  for (const ObjectRef& ref : guard.depends_on) {
    if (self(ref)) context.Error(KeySpan(guard, "dependsOn"), "a guard cannot depend on itself");
  }
  for (const PromotionAfter& after : guard.promotion_after) {
    if (after.context.empty() && self(after.guard))
      context.Error(KeySpan(guard, "promotion"), "a guard cannot be promoted after itself");
  }
  if (!guard.environment.empty() && guard.policy.empty())
    context.Error(KeySpan(guard, "environment"), "\"environment\" needs \"policy\" beside it");
}

// What cannot be done to a workload that another controller moves.
void CheckExternal(Context& context, const Guard& guard) {
  const auto* external = std::get_if<ExternalStrategy>(&guard.strategy);
  if (external == nullptr) return;
  const bool flagger = external->controller == ExternalStrategy::Controller::kFlagger;
  const std::string_view whose = flagger ? "Flagger's" : "Argo's";
  auto refuse = [&](bool written, std::string_view key, std::string_view instead) {
    if (written)
      context.Error(KeySpan(guard, key), StrCat("\"", key,
                                                "\" does nothing with the strategy "
                                                "external: ",
                                                instead));
  };
  const Hooks& h = guard.hooks;
  const bool hooks =
      !h.pre_release.empty() || !h.post_promote.empty() || !h.rollback.empty() || !h.verify.empty();
  refuse(hooks, "hooks", StrCat("use ", whose, " own hooks or analysis jobs"));
  // These may come with a policy that serves other guards too.
  if (guard.rollback_window.revisions > 0)
    context.Warning(KeySpan(guard, "rollbackWindow"),
                    StrCat("\"rollbackWindow\" does nothing here: the steps are ", whose));
  if (guard.bake.count() > 0)
    context.Warning(KeySpan(guard, "bake"),
                    StrCat("\"bake\" does nothing here: a release ends when ",
                           flagger ? "Flagger" : "Argo", " promotes it"));
  const bool rejects =
      guard.concurrency && guard.concurrency->policy == Concurrency::Policy::kReject;
  refuse(rejects, "concurrency", "it has begun already when it is seen; use the policy queue");
  if (!flagger) return;
  const Artifacts& a = guard.artifacts;
  refuse(a.require_digest || !a.public_keys.empty(), "artifacts",
         "a Canary names no images; guard the Deployment instead");
  refuse(!guard.promotion_after.empty(), "promotion",
         "a Canary names no images; guard the Deployment instead");
}

}  // namespace

void CheckGuard(Context& context, const Guard& guard) {
  CheckReferences(context, guard);
  if (!guard.strategy_ref.empty()) return;  // judged when it is resolved
  CheckTarget(context, guard, KeySpan(guard, "target"));
  CheckExternal(context, guard);
  SourceSpan span = KeySpan(guard, "strategy");
  if (const yaml::Node* strategy = guard.raw.Find("strategy")) {
    if (const yaml::Entry* kind = strategy->FindEntry(NameOf(guard.strategy)))
      span = kind->key_span;
  }
  std::visit([&](const auto& s) { CheckStrategy(context, s, span); }, guard.strategy);
}

}  // namespace rollguard::spec
