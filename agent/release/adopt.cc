// SPDX-License-Identifier: Apache-2.0
// At rest: which revision is stable, the hold on the target, and the notice of a new template.
#include <algorithm>

#include "agent/base/hash.h"
#include "agent/base/text.h"
#include "agent/release/context.h"

namespace rollguard::release {
namespace {

constexpr int64_t kMaxPauseConflicts = 3;

// What runs in production now: the rolled out template, or, with a held target whose template has
// moved on already, the revision that has the pods.
std::string StableNow(const WorkloadView& w) {
  if (w.RolledOut()) return w.revision;
  if (!w.held) return {};
  const RevisionView* most = nullptr;
  for (const RevisionView& r : w.revisions) {
    if (r.available > 0 && (most == nullptr || r.available > most->available)) most = &r;
  }
  return most != nullptr ? most->revision : std::string();
}

// False while the hold is on its way.
bool EnsureHeld(Context& c) {
  const WorkloadView& w = c.obs.target;
  if (!c.plan.hold || w.held || c.state().released || c.observing()) return true;
  const bool again = c.state().pause_version != w.resource_version;
  if (c.state().pause_conflicts >= kMaxPauseConflicts) {
    c.SetCondition("Conflict", true, "Unpaused",
                   "something keeps taking the hold off the target (a manifest with "
                   "`paused: false`?): leave the field out of the manifest");
    return true;
  }
  if (again) {
    if (!c.state().pause_version.empty()) c.Edit().pause_conflicts += 1;
    c.Edit().pause_version = w.resource_version;
  }
  Hold(c, "at rest the target is held");
  c.Wait("the target is being put on hold");
  return false;
}

std::string NewRevision(const Context& c) {
  if (!c.tracks.roles_swap) return c.obs.target.revision;
  const WorkloadView& w = c.candidate();
  return w.exists && w.revision != c.state().baseline ? w.revision : std::string();
}

bool InWindow(const Context& c, const std::string& revision) {
  const auto& window = c.guard.rollback_window;
  const bool asked = c.state().retry == revision;
  int64_t back = 0;
  for (auto it = c.state().history.rbegin(); it != c.state().history.rend(); ++it, ++back) {
    if (it->revision != revision) continue;
    if (asked) return true;
    return window.revisions > 0 && back <= window.revisions &&
           (window.within.count() == 0 || c.obs.now - it->at <= window.within);
  }
  return false;
}

void Reject(Context& c, const std::string& revision, const std::string& reason) {
  Quarantine(c, revision, reason);
  Decision& decision = c.Decide(Verdict::kReject, reason);
  decision.revision = revision;
  c.Edit().last = LastOutcome{"", revision, "rejected", reason, c.obs.now};
  c.Edit().seen.clear();
  c.Edit().blocked_by.clear();
  c.Enter(Phase::kIdle);
  c.Tell("rejected", spec::RuleSeverity::kHigh, StrCat("revision ", revision, ": ", reason));
}

std::string UpstreamBlock(const Context& c) {
  for (const auto& upstream : c.obs.start.upstream) {
    if (!upstream.satisfied) return StrCat("waits for ", upstream.guard, ": ", upstream.reason);
  }
  return {};
}

// Why the release may not begin now; empty: it may. May reject it for good.
std::string Blocked(Context& c, const std::string& revision) {
  using State = StartView::Artifacts::State;
  const StartView& start = c.obs.start;
  if (start.artifacts.state == State::kRefused) {
    Reject(c, revision, start.artifacts.reason);
    return "rejected";
  }
  if (!start.rivals.empty() && c.guard.concurrency &&
      c.guard.concurrency->policy == spec::Concurrency::Policy::kReject) {
    Reject(c, revision, StrCat(start.rivals.front().guard, " is releasing with the same key"));
    return "rejected";
  }
  if (start.artifacts.state == State::kChecking) return "images are being checked";
  if (!start.frozen.empty()) {
    if (start.frozen_until) c.Wake(*start.frozen_until);
    return StrCat("frozen: ", start.frozen);
  }
  if (!start.fleet.empty()) return start.fleet;
  if (!start.rivals.empty()) return StrCat("waits for ", start.rivals.front().guard);
  if (std::string upstream = UpstreamBlock(c); !upstream.empty()) return upstream;
  if (!c.obs.blind.empty()) return StrCat("blind: ", c.obs.blind);
  for (const Signal& signal : c.obs.signals) {
    if (signal.pre_existing && signal.state == Signal::State::kFiring &&
        signal.action == spec::TriggerAction::kRollback) {
      return StrCat(signal.name, " was firing already: ", signal.reason);
    }
  }
  if (FollowsReplicas(c) && c.plan.kind == Plan::Kind::kSibling && c.obs.hpa.exists) {
    return "an autoscaler and the replica ratio would fight over spec.replicas: name a router";
  }
  if (c.plan.kind == Plan::Kind::kSibling && c.stable().replicas == 0) {
    return "the target is scaled to zero: there is nothing to compare with";
  }
  return {};
}

void Begin(Context& c, const std::string& revision, bool bypass) {
  ReleaseState rel;
  rel.id = ShortHash(
      StrCat(c.guard.Id(), "/", c.guard.metadata.uid, "/", revision, "/", c.state().sequence), 8);
  rel.candidate = revision;
  rel.stable = c.state().stable;
  rel.actor = "rollguard";
  rel.started = c.obs.now;
  rel.base_replicas = c.stable().replicas;
  rel.restarts_base = c.obs.candidate_pods.restarts;
  rel.fast = InWindow(c, revision);
  rel.bypass = bypass;
  GuardState& state = c.Edit();
  state.release = std::move(rel);
  state.seen.clear();
  state.blocked_by.clear();
  state.scores.clear();
  state.confident_looks = 0;
  state.last_look.reset();
  c.Enter(Phase::kPreparing);
  const std::string how = bypass         ? " (it is rolling out around the guard)"
                          : c.rel().fast ? " (it was stable lately: no steps)"
                                         : "";
  c.Decide(Verdict::kStart, StrCat("release of ", revision, " begins", how));
  c.Tell("started", spec::RuleSeverity::kLow, StrCat("release of ", revision, " begins"));
}

void Notice(Context& c, const std::string& revision, bool bypass) {
  if (const Rejection* rejected = c.state().Quarantined(revision, c.obs.now)) {
    if (rejected->expires) c.Wake(*rejected->expires);
    c.SetCondition("Quarantined", true, "Rejected",
                   StrCat("revision ", revision, " was rejected: ", rejected->reason));
    c.Wait(StrCat("revision ", revision, " is quarantined; `retry` lets it out"));
    if (c.state().phase == Phase::kPending) c.Enter(Phase::kIdle);
    if (!bypass) return;
  }
  const std::string blocked = bypass ? std::string() : Blocked(c, revision);
  if (blocked == "rejected") return;
  if (blocked.empty()) {
    Begin(c, revision, bypass);
    return;
  }
  c.Wait(blocked);
  if (c.state().phase == Phase::kPending && c.state().blocked_by == blocked &&
      c.state().seen == revision) {
    return;
  }
  c.Edit().seen = revision;
  c.Edit().blocked_by = blocked;
  c.Enter(Phase::kPending);
  c.Decide(Verdict::kHold, StrCat("revision ", revision, " may not start: ", blocked)).revision =
      revision;
  c.Tell("waiting", spec::RuleSeverity::kLow, StrCat("revision ", revision, ": ", blocked));
}

}  // namespace

void Adopt(Context& c) {
  const WorkloadView& w = c.obs.target;
  if (!w.observed) {
    c.Wait("the target's controller has not seen its last change yet");
    return;
  }
  const std::string stable = StableNow(w);
  if (stable.empty()) {
    c.Wait("the target is rolling out; the guard takes over when that has ended");
    return;
  }
  c.Edit().stable = stable;
  c.Edit().history.push_back({stable, c.obs.now, {}});
  if (c.tracks.roles_swap && c.candidate().exists) c.Edit().baseline = c.candidate().revision;
  c.Decide(Verdict::kAdopt, StrCat("taken over with revision ", stable)).revision = stable;
  c.Enter(Phase::kIdle);
}

void Rest(Context& c) {
  const WorkloadView& w = c.obs.target;
  if (!w.observed) {
    c.Wait("the target's controller has not seen its last change yet");
    return;
  }
  const std::string revision = NewRevision(c);
  const bool news = !revision.empty() && revision != c.state().stable;
  // Already rolling: holding now would leave two revisions in production, unwatched.
  const bool around = news && !c.tracks.roles_swap && !w.held && w.updated > 0 && !c.observing() &&
                      c.plan.kind == Plan::Kind::kSibling;
  if (!around && !EnsureHeld(c)) return;
  if (c.plan.kind == Plan::Kind::kSibling && !c.tracks.roles_swap && c.obs.candidate.exists) {
    if (RemoveCandidate(c) == Progress::kWaiting) return;
  }
  if (!news) {
    if (c.state().phase == Phase::kPending) c.Enter(Phase::kIdle);
    if (!c.state().seen.empty()) c.Edit().seen.clear();
    c.SetCondition("Quarantined", false, "None", "");
    if (w.held) c.SetCondition("Conflict", false, "Held", "");
    ReconcileConfigs(c);
    return;
  }
  Notice(c, revision, around);
}

}  // namespace rollguard::release
