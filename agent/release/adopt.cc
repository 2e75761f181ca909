// SPDX-License-Identifier: Apache-2.0
// At rest: which revision is stable, the hold on the target, and the notice of a new template.
#include <algorithm>

#include "agent/base/hash.h"
#include "agent/base/text.h"
#include "agent/release/context.h"

namespace rollguard::release {
namespace {

constexpr int64_t kMaxPauseConflicts = 3;
constexpr Duration kSeenLate = std::chrono::minutes(2);

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
  // Pods of another revision still run: Kubernetes replaces them by stable's before it is held.
  if (w.revision == c.state().stable && HasStrays(c, c.state().stable)) {
    DeleteBrokenPods(c);
    c.Wait("the target rolls back to the stable revision");
    return false;
  }
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

// Made since the release of another revision began, however long that went on.
bool IsNewSince(const Context& c, const std::string& revision, Time made) {
  const auto& known = c.state().decisions;
  const auto last = std::find_if(known.rbegin(), known.rend(), [](const Decision& decision) {
    return decision.verdict == Verdict::kStart;
  });
  return last != known.rend() && last->revision != revision && made > last->at;
}

// When its pods began to come, where nobody held them back: it may be seen late, and what fires
// about it was not firing before. A revision that was there once has an older object.
Time Began(const Context& c, const std::string& revision, bool unheld) {
  const RevisionView* found = unheld ? c.obs.target.Find(revision) : nullptr;
  if (found == nullptr || found->object == nullptr) return c.obs.now;
  auto made = ParseRfc3339(found->object->At("metadata", "creationTimestamp").Str());
  if (!made || *made >= c.obs.now) return c.obs.now;
  const bool is_new = IsNewSince(c, revision, *made) || c.obs.now - *made < kSeenLate;
  return is_new ? *made : c.obs.now;
}

void Open(Context& c, const std::string& revision, bool bypass) {
  ReleaseState rel;
  rel.id = ShortHash(
      StrCat(c.guard.Id(), "/", c.guard.metadata.uid, "/", revision, "/", c.state().sequence), 8);
  rel.candidate = revision;
  rel.stable = c.state().stable;
  rel.actor = "rollguard";
  rel.started = Began(c, revision, bypass || !c.obs.target.held);
  rel.base_replicas = c.stable().replicas;
  rel.restarts_base = c.obs.candidate_pods.restarts;
  rel.cures = c.stable().available == 0;
  rel.fast = InWindow(c, revision);
  rel.bypass = bypass;
  GuardState& state = c.Edit();
  state.release = std::move(rel);
  const bool makes_one = c.plan.kind == Plan::Kind::kSibling && !c.tracks.roles_swap;
  if (makes_one) state.seen_candidate.uid = SeenWorkload::kMayExist;
  state.seen.clear();
  state.blocked_by.clear();
  state.queued_since.reset();
  if (state.yielded != revision) state.yielded.clear();
  state.scores.clear();
  state.confident_looks = 0;
  state.last_look.reset();
  c.SetCondition("Drift", false, "Released", "");  // what changed is the new revision's
  c.Enter(Phase::kPreparing);
}

void Begin(Context& c, const std::string& revision, bool bypass) {
  Open(c, revision, bypass);
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

// A person went back to an earlier revision and its template did not get into the target.
bool PutAsked(Context& c) {
  const std::string asked = c.state().retry;
  if (c.tracks.roles_swap || c.observing() || !WayBack(c, asked)) return false;
  for (const Action& action : c.out().actions) {
    if (ChangesCluster(action)) return true;  // it is on its way
  }
  if (c.state().Quarantined(c.state().stable, c.obs.now) == nullptr) return false;
  const RevisionView* found = c.obs.target.Find(asked);
  if (asked == c.state().stable || found == nullptr || !TemplateOf(*found).is_object()) {
    c.Edit().retry.clear();
    return false;
  }
  PutTemplate(c, TemplateOf(*found), c.plan.hold, StrCat("back to revision ", asked));
  c.Wait(StrCat("back to revision ", asked));
  return true;
}

// A rejected revision runs all the same: nobody holds the target, or its pods came before the hold.
// The stable one is put back. What keeps coming is limited as every rollback is.
void Undo(Context& c, const std::string& revision) {
  const std::string reason = StrCat("revision ", revision, " runs although it was rejected: ",
                                    c.state().Quarantined(revision, c.obs.now)->reason);
  Open(c, revision, true);
  BeginRollback(c, reason, "rollguard", {}, true, c.obs.target.held);
}

// Unstoppable: it rolls out already, around the guard or because nobody holds the target.
void Notice(Context& c, const std::string& revision, bool bypass) {
  const bool unheld = !c.plan.hold && (!c.tracks.roles_swap || c.observing());
  const bool unstoppable = bypass || unheld;
  if (Quarantined(c, revision)) {
    const bool runs = unheld || c.obs.target.updated > 0;
    if (runs && !c.observing() && !c.tracks.roles_swap) Undo(c, revision);
    if (!c.observing()) return;
  }
  const Block block = bypass ? Block{} : StartBlock(c, revision);
  if (block.kind == Block::Kind::kRejected) return;
  if (block.kind != Block::Kind::kNone && !unstoppable) {
    NotNow(c, revision, block);
    EnsureHeld(c);
    return;
  }
  if (block.kind == Block::Kind::kWait) {
    c.Decide(Verdict::kHold, StrCat("would not start ", revision, ": ", block.reason)).revision =
        revision;
  }
  Begin(c, revision, bypass);
}

}  // namespace

// Of two Deployments, the one that runs holds production: a guard may be made anew after they
// changed roles.
bool SecondHolds(const Context& c) {
  return c.tracks.roles_swap && c.obs.candidate.exists && c.obs.target.replicas == 0 &&
         c.obs.candidate.replicas > 0;
}

void Adopt(Context& c) {
  const bool second = SecondHolds(c);
  const WorkloadView& w = second ? c.obs.candidate : c.obs.target;
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
  if (c.state().swapped != second) c.Edit().swapped = second;
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
  const bool rolls = news && !c.tracks.roles_swap && !w.held && w.updated > 0 && !c.observing();
  const bool around = rolls && c.plan.kind == Plan::Kind::kSibling;
  if (!rolls && !EnsureHeld(c)) return;
  if (c.plan.kind == Plan::Kind::kSibling && !c.tracks.roles_swap && c.obs.candidate.exists) {
    if (RemoveCandidate(c) == Progress::kWaiting) return;
  }
  DropConfigs(c);
  if (!news) {
    if (PutAsked(c)) return;
    if (c.plan.hold && w.held && !c.tracks.roles_swap && !c.observing() &&
        HasStrays(c, c.state().stable)) {
      Unhold(c, "pods of another revision give way to stable's");
      c.Wait("the target rolls back to the stable revision");
      return;
    }
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
