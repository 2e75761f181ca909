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
  if (c.observing() && w.held && !GivenBack(c)) {
    c.SetCondition("Conflict", true, "StillHeld",
                   "the target is on hold from the time the guard was enforced; `release-hold` "
                   "gives it back");
  }
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
  state.queued_since.reset();
  if (state.yielded != revision) state.yielded.clear();
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

void NotNow(Context& c, const std::string& revision, const Block& block) {
  c.Wait(block.reason);
  GuardState& known = c.out().state;
  if (known.phase == Phase::kPending && known.seen == revision &&
      (block.kind == Block::Kind::kTurn || known.blocked_by == block.reason)) {
    return;
  }
  c.Edit().seen = revision;
  c.Edit().blocked_by = block.reason;
  c.Enter(Phase::kPending);
  if (block.kind == Block::Kind::kTurn) return;
  c.Decide(Verdict::kHold, StrCat("revision ", revision, " may not start: ", block.reason))
      .revision = revision;
  c.Tell(block.frozen ? "frozen" : "waiting", spec::RuleSeverity::kLow,
         StrCat("revision ", revision, ": ", block.reason));
}

// True when the revision is kept out; then it has been said why.
bool Quarantined(Context& c, const std::string& revision) {
  const Rejection* rejected = c.state().Quarantined(revision, c.obs.now);
  if (rejected == nullptr) return false;
  if (rejected->expires) c.Wake(*rejected->expires);
  c.SetCondition("Quarantined", true, "Rejected",
                 StrCat("revision ", revision, " was rejected: ", rejected->reason));
  c.Wait(StrCat("revision ", revision, " is quarantined; `retry` lets it out"));
  if (c.state().phase == Phase::kPending) c.Enter(Phase::kIdle);
  return true;
}

// Unstoppable: it rolls out already, around the guard or because the guard only observes.
void Notice(Context& c, const std::string& revision, bool bypass) {
  const bool unstoppable = bypass || c.observing();
  if (Quarantined(c, revision) && !unstoppable) return;
  const Block block = bypass ? Block{} : StartBlock(c, revision);
  if (block.kind == Block::Kind::kRejected) return;
  if (block.kind != Block::Kind::kNone && !c.observing()) {
    NotNow(c, revision, block);
    return;
  }
  if (block.kind == Block::Kind::kWait) {
    c.Decide(Verdict::kHold, StrCat("would not start ", revision, ": ", block.reason)).revision =
        revision;
  }
  Begin(c, revision, bypass);
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
  c.Edit().history.push_back({stable, c.obs.now, ImagesOf(c, stable)});
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
    if (!c.state().blocked_by.empty()) c.Edit().blocked_by.clear();
    if (c.state().queued_since) c.Edit().queued_since.reset();
    c.SetCondition("Quarantined", false, "None", "");
    if (w.held && !c.observing()) c.SetCondition("Conflict", false, "Held", "");
    ReconcileConfigs(c);
    return;
  }
  Notice(c, revision, around);
}

}  // namespace rollguard::release
