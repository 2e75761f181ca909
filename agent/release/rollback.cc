// SPDX-License-Identifier: Apache-2.0
// The way back, written for each place it can start from. Traffic first, in one patch when stable
// can carry it; then the candidate goes; then routes return to their owner. Where stable's pods are
// gone already (promotion under way, replica ratio) they come back first and traffic follows them.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/release/context.h"
#include "agent/release/observe.h"

namespace rollguard::release {
namespace {

// Stable counts as able to carry everything at this share of its size; below it takes what it can.
constexpr int64_t kEnough = 80;
constexpr Duration kPeerPatience = std::chrono::minutes(1);
constexpr Duration kConfigPatience = std::chrono::minutes(10);

void Escalate(Context& c, const std::string& reason) {
  c.Wait(reason);
  if (c.rel().paged) return;
  c.EditRelease().paged = true;
  c.Decide(Verdict::kEscalate, reason);
  c.Tell("rollbackFailed", spec::RuleSeverity::kCritical, reason);
}

// A template that is neither the one that is taken back nor the one that is gone back to: somebody
// has set it since.
bool NewsIsIn(const Context& c) {
  if (c.tracks.roles_swap) return false;
  const std::string& now = c.obs.target.revision;
  return now != c.rel().stable && now != c.rel().candidate &&
         c.state().Quarantined(now, c.obs.now) == nullptr;
}

// Stable's pods are alone again, behind the hold, under a newer template that waits.
bool NewsWaits(const Context& c) {
  return c.rel().undone && c.obs.target.held && NewsIsIn(c) && !HasStrays(c, c.rel().stable);
}

// The template that stable ran with; escalates when nobody has it any more. A newer one in its
// place is put away, and so is what came with it: the live configuration is its own.
bool PutStableBack(Context& c, const std::string& why) {
  const RevisionView* stable = c.obs.target.Find(c.rel().stable);
  const Json pods = stable != nullptr ? TemplateOf(*stable) : Json();
  if (!pods.is_object()) {
    Escalate(c, StrCat("the stable revision ", c.rel().stable,
                       " is in no ReplicaSet or ControllerRevision any more: put its template back "
                       "by hand"));
    return false;
  }
  const bool news = NewsIsIn(c);
  if (news && !ParkTemplate(c, c.rel().stable)) return false;
  if (!c.rel().undone) c.EditRelease().undone = true;
  PutTemplate(c, pods, false, why);
  if (!news) RestoreConfigs(c);  // its pods read it when they start
  c.Wait("the stable template is put back");
  return true;
}

// Members of the group that stand on this one go back before it does.
bool WaitsForPeers(Context& c) {
  for (const PeerView& peer : c.obs.peers) {
    const bool busy = peer.depends_on_us && peer.releasing && !peer.traffic_returned;
    if (!busy || c.obs.now - c.rel().trigger->at > kPeerPatience) continue;
    c.Wake(c.rel().trigger->at + kPeerPatience);
    c.Wait(StrCat("waits for ", peer.guard, " to go back first"));
    return true;
  }
  return false;
}

int64_t GradualFloor(Context& c, int64_t current) {
  if (c.guard.rollback.on_trigger != spec::RollbackSpec::OnTrigger::kGradual) return 0;
  if (current == 0) return 0;
  const auto& gradual = c.guard.rollback.gradual;
  if (!c.rel().gradual_at || c.obs.now - *c.rel().gradual_at >= gradual.interval) {
    c.EditRelease().gradual_at = c.obs.now;
    c.Wake(c.obs.now + gradual.interval);
    return std::max<int64_t>(0, current - std::max<int64_t>(1, gradual.step));
  }
  c.Wake(*c.rel().gradual_at + gradual.interval);
  return current;
}

// What stays with the candidate because stable cannot carry it.
int64_t CannotCarry(const Context& c) {
  const int64_t full = FullSize(c);
  const WorkloadView& w = c.stable();
  const RevisionView* stable = c.tracks.roles_swap ? nullptr : w.Find(c.rel().stable);
  // A pod that its ReplicaSet no longer wants is about to go.
  const int64_t available = stable != nullptr ? std::min(stable->available, stable->replicas)
                                              : (c.tracks.roles_swap ? w.available : 0);
  if (full == 0) return 0;
  const int64_t share = available * 100 / full;
  return share >= kEnough ? 0 : 100 - share;
}

// The target stands at zero under another template: Kubernetes brings up its latest ReplicaSet
// then, be it of a revision that was rejected long ago.
bool WouldBringUpAnother(const Context& c) {
  const WorkloadView& w = c.obs.target;
  if (!FollowsReplicas(c) || w.replicas > 0 || w.total > 0 || w.revision == c.rel().stable)
    return false;
  const auto made = [](const RevisionView& r) {
    return r.object != nullptr ? r.object->At("metadata", "creationTimestamp").Str() : "";
  };
  const RevisionView* stable = w.Find(c.rel().stable);
  return stable != nullptr &&
         std::any_of(w.revisions.begin(), w.revisions.end(), [&](const RevisionView& r) {
           return r.revision != stable->revision && made(r) >= made(*stable);
         });
}

// The target was rolling towards the candidate: back with the template before traffic.
bool UndoTarget(Context& c) {
  if (c.tracks.roles_swap) return true;
  if (RollsAround(c) || WouldBringUpAnother(c)) c.EditRelease().touched_target = true;
  if (!c.rel().touched_target) return true;
  // A newer template was there before, too: what tells that the undo is over is that stable's pods
  // are alone.
  if (NewsWaits(c)) return true;
  if (c.obs.target.revision == c.rel().stable) {
    if (c.obs.target.held && c.obs.target.observed && !c.obs.target.RolledOut()) {
      Unhold(c, "stable's pods come back");
    }
    return true;
  }
  return PutStableBack(c, "stable's pods come back before traffic does");
}

Progress TrafficHome(Context& c) {
  const routing::Reading reading = routing::Read(c.plan.routing, c.tracks, c.view());
  const bool at_rest = reading.state == routing::Reading::State::kAtRest;
  if (at_rest && !c.candidate().exists) return Progress::kDone;
  if (FollowsReplicas(c)) {
    if (EnsureStable(c, FullSize(c)) != Progress::kDone) return Progress::kWaiting;
    if (c.rel().wanted.candidate != 0) c.EditRelease().wanted = {};
    return Progress::kDone;
  }
  // Routes that have returned already find whatever pods there are: they are pinned to stable's
  // when those can carry everything, and the candidate is given nothing of its own again.
  const int64_t cannot = CannotCarry(c);
  if (at_rest && cannot > 0 && cannot < 100) {
    c.Wait("stable's pods come back before routes are pinned to them");
    return Progress::kWaiting;
  }
  if (at_rest && cannot == 0 && c.rel().wanted.candidate != 0) c.EditRelease().wanted = {};
  // A share that was decided and not yet given is not given on the way back.
  int64_t current = c.rel().wanted.candidate;
  if (reading.state == routing::Reading::State::kSplit)
    current = std::min(current, reading.candidate);
  const int64_t stays = current == 0 ? 0 : cannot;
  if (stays == 100) {
    if (c.tracks.roles_swap && c.stable().replicas < FullSize(c))
      c.Scale(c.stable(), c.stable_id(), FullSize(c), "stable must carry everything");
    Escalate(c, "stable has no available pod: traffic cannot go back to it yet");
    return Progress::kWaiting;
  }
  // A router that knows no shares returns everything at once, when stable can carry that.
  const bool shares = routing::HasWeights(c.plan.routing);
  if (!shares && stays > 0) {
    c.Wait("stable's pods come back before everything returns to them");
    if (c.stable().replicas < FullSize(c))
      c.Scale(c.stable(), c.stable_id(), FullSize(c), "stable must carry everything");
    return Progress::kWaiting;
  }
  const int64_t weight = shares ? std::min(current, std::max(GradualFloor(c, current), stays)) : 0;
  const routing::Split& wanted = c.rel().wanted;
  if (weight != wanted.candidate || !wanted.headers.empty() || !wanted.mirrors.empty()) {
    c.EditRelease().wanted = routing::Split{weight, {}, {}};
    c.EditRelease().scratch.verified_at.reset();
  }
  if (ApplySplit(c, c.rel().wanted, "traffic goes back to stable") != Progress::kDone) {
    return Progress::kWaiting;
  }
  if (!Settled(c)) return Progress::kWaiting;
  if (weight > 0) {
    c.Wait(StrCat(weight, " % stay with the candidate until stable can carry them"));
    if (c.stable().replicas < FullSize(c)) {
      c.Scale(c.stable(), c.stable_id(), FullSize(c), "stable must carry everything");
    }
    return Progress::kWaiting;
  }
  return Progress::kDone;
}

// Something came in its place; nothing was wrong with it. (Not so when the agent was blind: that
// quarantines nothing either.)
bool Superseded(const Context& c) {
  const Trigger& trigger = *c.rel().trigger;
  for (const Decision& decision : c.state().decisions) {
    if (decision.id == trigger.decision) return decision.verdict == Verdict::kSupersede;
  }
  return !trigger.quarantine;
}

// The target is held, under the newer template when one waits. False while that is on its way.
bool PutToRest(Context& c) {
  const WorkloadView& w = c.obs.target;
  if (c.tracks.roles_swap) return true;
  const Json parked = ParkedTemplate(c);
  const bool other = parked.is_object() && RevisionOf(parked) != c.rel().stable;
  if (other && w.revision == c.rel().stable) {
    PutTemplate(c, parked, c.plan.hold, "the newer template is put back");
    c.Wait("the newer template is put back");
    return false;
  }
  if (!c.plan.hold || w.held) return true;
  Hold(c, "at rest the target is held");
  c.Wait("the target is held again");
  return false;
}

// What is the same for every strategy once traffic is home.
void FinishBack(Context& c) {
  // While hooks run, for hours perhaps, what is written there is the owner's again.
  const bool put_back = AnyHookMade(c, c.guard.hooks.rollback);
  if (!put_back && !NewsIsIn(c) && ConfirmConfigs(c) == Progress::kWaiting) {
    const Time until = c.rel().trigger->at + kConfigPatience;
    if (c.obs.now >= until) Escalate(c, "the configuration of stable cannot be put back");
    c.Wake(std::max(c.obs.now + std::chrono::seconds(5), until));
    if (!c.rel().scratch.confirmed) return;
  }
  std::string failure;
  const Progress hooks = RunHooks(c, c.guard.hooks.rollback, failure);
  if (hooks == Progress::kWaiting) return;
  if (hooks == Progress::kFailed) {
    Escalate(c, failure);
    if (!c.rel().scratch.confirmed) return;
  }
  if (Superseded(c)) {
    Complete(c, "superseded", c.rel().trigger->reason);
    return;
  }
  c.Enter(Phase::kVerifying);
}

// Its template may be back, by whoever put it there, long before its pods are.
bool StableIsBack(Context& c) {
  const WorkloadView& w = c.obs.target;
  if (c.tracks.roles_swap || !c.rel().touched_target) return true;
  // Another one is there for as long as ours is on its way, or waits behind the hold.
  if (w.revision != c.rel().stable) return !c.plan.hold || NewsWaits(c);
  if (w.RolledOut()) return true;
  WatchProgress(c, w.updated + w.available, false);
  if (c.obs.now - *c.rel().progress_at >= c.guard.progress_deadline)
    Escalate(c, "stable does not come back: its pods make no progress");
  c.Wait(StrCat("stable comes back: ", w.available, " of ", w.replicas));
  return false;
}

void RollBackSibling(Context& c) {
  if (ConfirmGone(c) != Progress::kDone) return;
  if (!UndoTarget(c)) return;
  if (TrafficHome(c) != Progress::kDone) return;
  if (c.rel().weight != 0) c.EditRelease().weight = 0;
  if (c.candidate().exists && c.rel().scratch.verified_at) {
    const Time until = *c.rel().scratch.verified_at + c.plan.abort_delay;
    if (c.obs.now < until) {
      c.Wake(until);
      c.Wait("the candidate is kept a little without traffic");
      return;
    }
  }
  if (RemoveCandidate(c) != Progress::kDone) return;
  if (!StableIsBack(c) || !PutToRest(c)) return;
  if (c.rel().stage_at && c.obs.now < *c.rel().stage_at + kPropagation) {
    c.Wake(*c.rel().stage_at + kPropagation);
    return;
  }
  // Two Deployments: routes go on saying which of them holds production.
  if (!c.tracks.roles_swap && ApplyRest(c, routing::RestAfter::kRollback) != Progress::kDone) {
    c.EditRelease().stage_at = c.obs.now;
    c.Wake(c.obs.now + kPropagation);
    return;
  }
  if (!UnfloorHpa(c)) return;
  FinishBack(c);
}

// False while stable's pods come back.
bool StableRollsBack(Context& c) {
  const WorkloadView& w = c.obs.target;
  if (w.revision != c.rel().stable) {
    PutStableBack(c, "the stable template is put back");
    return false;
  }
  DeleteBrokenPods(c);
  if (w.RolledOut()) return true;
  // Not before our own hold was seen: until then it only looks as if pods were missing.
  if (w.held && w.observed) Unhold(c, "stable's pods come back");
  WatchProgress(c, w.updated + w.available, false);
  if (c.obs.now - *c.rel().progress_at >= c.guard.progress_deadline) {
    Escalate(c, "stable does not come back: its pods make no progress");
  }
  c.Wait(StrCat("stable comes back: ", w.updated, " of ", w.replicas, " pods"));
  return false;
}

void RollBackRolling(Context& c) {
  const WorkloadView& w = c.obs.target;
  const RevisionView* theirs = w.Find(c.rel().candidate);
  const bool rolled_any = w.revision == c.rel().candidate
                              ? w.updated > 0 || !w.held
                              : theirs != nullptr && theirs->replicas > 0;
  const bool never_began = w.held && !rolled_any && !c.rel().touched_target;
  // Where nobody holds the target a newer template rolls already, and takes the place of both.
  if (NewsIsIn(c) && !c.plan.hold) {
    Complete(c, "superseded", StrCat("revision ", w.revision, " takes its place"));
    return;
  }
  if (!never_began && !NewsWaits(c)) {
    if (!StableRollsBack(c) || !PutToRest(c)) return;
  }
  if (c.rel().weight != 0) c.EditRelease().weight = 0;
  FinishBack(c);
}

}  // namespace

bool WaitsForApproval(Context& c) {
  if (!c.rel().awaiting_approval) return false;
  const spec::Approval& approval = c.guard.rollback.approval;
  if (c.rel().scratch.started == Time{}) {
    c.EditRelease().scratch.started = c.obs.now;
    c.Tell("waiting", spec::RuleSeverity::kCritical,
           StrCat("rollback waits for approval: ", c.rel().trigger->reason));
  }
  if (static_cast<int64_t>(c.rel().scratch.votes.size()) >= approval.required) {
    c.EditRelease().awaiting_approval = false;
    return false;
  }
  c.Wait("the rollback waits for approval");
  if (!approval.timeout) return true;
  const Time until = c.rel().scratch.started + *approval.timeout;
  c.Wake(until);
  if (c.obs.now < until) return true;
  if (approval.on_timeout == spec::Approval::OnTimeout::kHold) return true;
  c.EditRelease().awaiting_approval = false;
  return false;
}

namespace {

// What is to be taken back rolls no further while people think about it, nor does what is set
// meanwhile. Only a Deployment can stand still in the middle, as when it is paused.
void StopRolling(Context& c) {
  const WorkloadView& w = c.obs.target;
  const bool stops = c.plan.kind == Plan::Kind::kRolling && c.plan.hold && w.kind == "Deployment";
  // Pods that are missing after somebody scaled it are no rollout.
  if (stops && !w.held && HasStrays(c, w.revision)) Hold(c, "the rollback waits for approval");
}

}  // namespace

void RollBack(Context& c) {
  if (!c.rel().background_run.empty()) {
    c.Do(StopAnalysis{c.rel().background_run});
    c.EditRelease().background_run.clear();
  }
  if (WaitsForApproval(c)) {
    StopRolling(c);
    return;
  }
  if (WaitsForPeers(c)) return;
  if (c.plan.kind == Plan::Kind::kRolling) {
    RollBackRolling(c);
  } else {
    RollBackSibling(c);
  }
}

namespace {

// Whoever takes the hold off has the rejected template rolled out once more.
bool RollsAgain(const Context& c) {
  const WorkloadView& w = c.obs.target;
  if (c.tracks.roles_swap || c.observing()) return false;
  return (!w.held && w.revision != c.rel().stable) || HasStrays(c, c.rel().stable);
}

// Back once more as part of this rollback; what does not stop meets the limits of a new one.
void GoBackAgain(Context& c) {
  if (c.plan.hold && !c.rel().undone) {
    c.EditRelease().touched_target = true;
    c.Decide(Verdict::kHold, "the hold was taken off while the rollback was verified: back again");
    c.Enter(Phase::kRollingBack);
  } else {
    ConcludeRollback(c, false);
  }
}

// A write of another agent's, decided on before routes had returned, may come after that.
bool RoutesStay(Context& c) {
  if (c.tracks.roles_swap || ApplyRest(c, routing::RestAfter::kRollback) != Progress::kWaiting)
    return true;
  c.Wake(c.obs.now + kPropagation);
  return false;
}

}  // namespace

void Verify(Context& c) {
  if (c.rel().scratch.started == Time{}) c.EditRelease().scratch.started = c.obs.now;
  std::string failure;
  const Progress hooks = RunHooks(c, c.guard.hooks.verify, failure);
  const bool failed = hooks == Progress::kFailed && !c.rel().scratch.confirmed;
  if (failed) Escalate(c, failure);
  const WorkloadView& w = c.stable();
  const RevisionView* stable = c.tracks.roles_swap ? nullptr : w.Find(c.rel().stable);
  const bool well = c.tracks.roles_swap
                        ? w.available >= w.replicas
                        : stable != nullptr &&
                              stable->available >= std::min(w.replicas, stable->replicas) &&
                              stable->replicas >= w.replicas;
  const Time until = c.rel().scratch.started + c.guard.rollback.verify_for;
  const bool fix = NewsIsIn(c);
  if (!fix && RollsAgain(c)) {
    GoBackAgain(c);
    return;
  }
  if (!RoutesStay(c)) return;
  if (c.obs.now < until && !fix) {
    c.Wake(until);
    c.Wait(StrCat("verifies the rollback until ", FormatRfc3339(until)));
    return;
  }
  if (!well && !fix) {
    Escalate(c, "after the rollback stable is not at its size");
    return;
  }
  if ((hooks == Progress::kWaiting || failed) && !fix) return;
  ConcludeRollback(c, !fix);
}

void ConcludeRollback(Context& c, bool judge) {
  const Trigger trigger = *c.rel().trigger;
  const auto& names = trigger.signals;
  const bool stays =
      std::any_of(c.obs.signals.begin(), c.obs.signals.end(), [&](const Signal& signal) {
        return signal.state == Signal::State::kFiring &&
               std::find(names.begin(), names.end(), Abbreviate(signal.name, kMaxName)) !=
                   names.end();
      });
  if (stays && judge) {
    const std::string text =
        StrCat("rolled back, but the trigger is still there: probably not the cause (",
               trigger.reason, ")");
    c.Tell("notTheCause", spec::RuleSeverity::kHigh, text);
    Complete(c, "rolledBack", text);
    return;
  }
  c.Tell("verified", spec::RuleSeverity::kLow, "the rollback is verified");
  Complete(c, "rolledBack", trigger.reason);
}

void StayHeld(Context& c) {
  if (c.rel().held_from != Phase::kPromoting && !c.rel().trigger) {
    if (EndedBySuperseding(c) || !KeepHeld(c)) return;
  }
  c.Wait(StrCat("held: ", c.rel().held_reason, "; `rollback`, `promote` or `resume` decide"));
  if (c.plan.kind == Plan::Kind::kSibling && c.candidate().exists) {
    ApplySplit(c, c.rel().wanted, "routes are kept as decided");
  }
}

void Complete(Context& c, const std::string& asked, const std::string& reason) {
  const ReleaseState rel = c.rel();
  const bool promoted = asked == "promoted";
  const std::string outcome = promoted && c.observing() && rel.trigger ? "wouldRollBack" : asked;
  c.Decide(Verdict::kComplete, StrCat(outcome, ": ", reason));
  if (!rel.background_run.empty()) c.Do(StopAnalysis{rel.background_run});
  GuardState& state = c.Edit();
  state.last = LastOutcome{rel.id, rel.candidate, outcome, reason, c.obs.now};
  if (state.retry == rel.candidate) state.retry.clear();
  if (promoted) {
    state.stable = rel.candidate;
    state.history.push_back({rel.candidate, c.obs.now, ImagesOf(c, rel.candidate)});
    const size_t most =
        GuardState::kMaxHistory + (c.guard.configs.restore ? GuardState::kMaxOutlived : size_t{0});
    if (state.history.size() > most) state.history.erase(state.history.begin());
    if (c.tracks.roles_swap) {
      state.swapped = !state.swapped;
      state.baseline = rel.stable;
    }
    c.Tell("promoted", spec::RuleSeverity::kLow, reason);
  }
  state.release.reset();
  if (state.seen_candidate.uid == SeenWorkload::kMayExist) state.seen_candidate = {};
  state.scores.clear();
  state.confident_looks = 0;
  state.last_look.reset();
  state.pause_conflicts = 0;
  state.pause_version.clear();
  c.Enter(Phase::kIdle);
}

}  // namespace rollguard::release
