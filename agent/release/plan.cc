// SPDX-License-Identifier: Apache-2.0
// Strategies -> one form, and how many pods each track needs.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/release/context.h"

namespace rollguard::release {
namespace {

spec::Step Make(spec::StepAction action) { return {std::string(), std::move(action), {}}; }

// What all have in common that run the candidate beside stable.
template <typename Strategy>
Plan Beside(const Strategy& s) {
  Plan plan;
  plan.kind = Plan::Kind::kSibling;
  plan.routing = s.routing;
  plan.second = s.candidate.deployment;
  plan.background = s.analysis ? &*s.analysis : nullptr;
  return plan;
}

// The same between two services.
template <typename Strategy>
Plan BetweenServices(const Strategy& s) {
  Plan plan = Beside(s);
  plan.stable_service = s.stable_service;
  plan.candidate_service = s.candidate_service;
  return plan;
}

Plan FromCanary(const spec::CanaryStrategy& s) {
  Plan plan = BetweenServices(s);
  plan.steps = s.steps;
  plan.min_replicas = std::max<int64_t>(1, s.min_replicas);
  plan.max_surge = s.max_surge;
  plan.abort_delay = s.abort_scale_down_delay;
  plan.drain_delay = s.scale_down_delay;
  return plan;
}

Plan FromBlueGreen(const spec::BlueGreenStrategy& s) {
  Plan plan = Beside(s);
  if (plan.routing.empty()) plan.routing.push_back({spec::ServiceRouting{s.active_service}, {}});
  plan.stable_service = s.active_service;
  plan.candidate_service = s.preview_service;
  plan.after = s.post_promotion ? &*s.post_promotion : nullptr;
  plan.drain_delay = s.scale_down_delay.value_or(Duration{0});
  spec::SetCandidateScale preview;
  if (s.preview_replicas) {
    preview.replicas = s.preview_replicas;
  } else {
    preview.weight = 100;
  }
  plan.steps.push_back(Make(preview));
  if (s.pre_promotion) plan.steps.push_back(Make(spec::RunAnalysis{*s.pre_promotion}));
  if (s.approval) plan.steps.push_back(Make(spec::WaitForApproval{*s.approval}));
  if (s.auto_promotion_after) {
    plan.steps.push_back(Make(spec::Pause{*s.auto_promotion_after}));
  } else if (!s.auto_promotion && !s.approval) {
    plan.steps.push_back(Make(spec::Pause{}));
  }
  return plan;
}

Plan FromAbTest(const spec::AbTestStrategy& s) {
  Plan plan = BetweenServices(s);
  spec::SetCandidateScale full;
  full.weight = 100;
  plan.steps.push_back(Make(full));
  plan.steps.push_back(Make(spec::SetHeaderRoute{"ab", s.match}));
  for (int64_t i = 0; i < s.iterations; ++i) plan.steps.push_back(Make(spec::Pause{s.interval}));
  plan.abort_delay = plan.drain_delay = std::chrono::seconds(30);
  return plan;
}

Plan FromMirror(const spec::MirrorStrategy& s) {
  Plan plan = BetweenServices(s);
  spec::SetCandidateScale share;
  share.weight = s.percent;
  plan.steps.push_back(Make(share));
  plan.steps.push_back(Make(spec::SetMirrorRoute{"mirror", s.percent, s.match}));
  plan.steps.push_back(Make(spec::Pause{s.duration}));
  plan.steps.push_back(Make(spec::SetMirrorRoute{"mirror", 0, {}}));
  plan.steps.insert(plan.steps.end(), s.steps.begin(), s.steps.end());
  plan.abort_delay = plan.drain_delay = std::chrono::seconds(30);
  return plan;
}

Plan FromRolling(const spec::RollingStrategy& s) {
  Plan plan;
  plan.background = s.analysis ? &*s.analysis : nullptr;
  plan.hold = s.admission == spec::RollingStrategy::Admission::kHold;
  return plan;
}

Plan FromExternal(const spec::ExternalStrategy& s) {
  Plan plan;
  plan.kind = Plan::Kind::kExternal;
  plan.background = s.analysis ? &*s.analysis : nullptr;
  plan.hold = false;
  return plan;
}

struct Compile {
  Plan operator()(const spec::RollingStrategy& s) const { return FromRolling(s); }
  Plan operator()(const spec::CanaryStrategy& s) const { return FromCanary(s); }
  Plan operator()(const spec::BlueGreenStrategy& s) const { return FromBlueGreen(s); }
  Plan operator()(const spec::AbTestStrategy& s) const { return FromAbTest(s); }
  Plan operator()(const spec::MirrorStrategy& s) const { return FromMirror(s); }
  Plan operator()(const spec::ExternalStrategy& s) const { return FromExternal(s); }
};

int64_t CeilShare(int64_t weight, int64_t total) { return (weight * total + 99) / 100; }

}  // namespace

Plan CompilePlan(const spec::Guard& guard, bool bypass) {
  Plan plan = std::visit(Compile{}, guard.strategy);
  if (!plan.second.empty()) plan.hold = false;  // only routes and replicas are ours there
  // Who only observes sees the owner's own rollout, whatever the strategy would do.
  const bool observing = guard.mode == spec::Mode::kObserve;
  if (observing) plan.hold = false;
  if ((bypass || observing) && plan.kind == Plan::Kind::kSibling) {
    plan.kind = Plan::Kind::kRolling;
    plan.steps.clear();
    plan.after = nullptr;
  }
  return plan;
}

bool FollowsReplicas(const Context& c) { return routing::FollowsReplicas(c.plan.routing); }

namespace {

// The promotion itself scales the former stable one of two Deployments down.
bool MayBeDrained(const Context& c) {
  if (!c.active() || !c.tracks.roles_swap) return false;
  return c.state().phase == Phase::kPromoting || c.rel().held_from == Phase::kPromoting;
}

}  // namespace

int64_t FullSize(const Context& c) {
  const int64_t base = c.active() ? c.rel().base_replicas : c.stable().replicas;
  if (FollowsReplicas(c)) return base;
  const bool varies = c.obs.hpa.exists || MayBeDrained(c);
  return varies ? std::max(base, c.stable().replicas) : c.stable().replicas;
}

int64_t CandidateNeed(const Context& c, int64_t weight) {
  const int64_t full = FullSize(c);
  const ReleaseState& rel = c.rel();
  int64_t need = CeilShare(weight, full);
  if (FollowsReplicas(c) && weight > 0 && weight < 100 && full > 1) {
    need = std::clamp<int64_t>((weight * full + 50) / 100, 1, full - 1);
  }
  if (weight > 0) need = std::max(need, c.plan.min_replicas);
  if (rel.scale) need = std::max(need, *rel.scale);
  if (rel.scale_weight) need = std::max(need, CeilShare(*rel.scale_weight, full));
  if (!rel.wanted.headers.empty() || !rel.wanted.mirrors.empty()) {
    need = std::max(need, c.plan.min_replicas);
  }
  return need;
}

int64_t StableNeed(const Context& c, int64_t weight) {
  const int64_t full = FullSize(c);
  if (weight >= 100) return 0;
  const int64_t share = full - CandidateNeed(c, weight);
  if (weight <= 0) return full;
  return std::max<int64_t>(share, std::min(c.plan.min_replicas, std::max<int64_t>(full, 1)));
}

int64_t CarrySize(const Context& c) {
  const int64_t full = FullSize(c);
  const bool scales = c.obs.hpa.exists && c.obs.candidate_hpa.exists;
  const int64_t weight = c.active() ? c.rel().wanted.candidate : 0;
  if (!scales || weight <= 0 || !c.candidate().exists) return full;
  const int64_t theirs = c.candidate().replicas;
  if (theirs <= CandidateNeed(c, weight)) return full;  // nobody scaled it but us
  return std::max(full, (theirs * 100 + weight - 1) / weight);
}

int64_t Surge(const Context& c) {
  const int64_t full = FullSize(c);
  return c.plan.max_surge ? c.plan.max_surge->Of(full, true) : full;
}

}  // namespace rollguard::release
