// SPDX-License-Identifier: Apache-2.0
// The steps of a release, and the watch over what they have reached.
#include "agent/base/text.h"
#include "agent/release/context.h"

namespace rollguard::release {
namespace {

// What is pending tells when it is over, unless there is nothing left to ask about.
constexpr Duration kLookAgain = std::chrono::seconds(5);

void AdvanceRolling(Context& c) {
  const WorkloadView& w = c.obs.target;
  if (EndedBySuperseding(c) || !KeepHeld(c)) return;
  if (c.rel().paused) {
    const bool stops = w.kind == "Deployment";
    if (!w.held && stops && !w.RolledOut()) Hold(c, "paused");
    WatchProgress(c, w.updated + w.available, stops || w.RolledOut());
    c.Wait(StrCat("paused: ", c.rel().pause_reason));
    return;
  }
  if (!c.rel().touched_target) c.EditRelease().touched_target = true;
  if (w.held && !c.observing()) {
    Unhold(c, "the new template may roll out");
    c.Wait("the rollout begins");
    return;
  }
  DeleteBrokenPods(c);  // of one that this one came in the place of
  const bool done = w.RolledOut();
  WatchProgress(c, w.updated + w.available, done);
  const int64_t weight = MeasuredWeight(c);
  if (weight != c.rel().weight) c.EditRelease().weight = weight;
  if (!done) {
    c.Wait(StrCat(w.updated, " of ", w.replicas, " pods updated, ", w.available, " available"));
    return;
  }
  c.Enter(Phase::kBaking);
  c.Decide(Verdict::kAdvance, "rolled out; the bake begins");
  c.Tell("advanced", spec::RuleSeverity::kLow, "rolled out; the bake begins");
}

// Everything to the candidate, extra routes gone.
void GoFull(Context& c) {
  const spec::Step last{"", spec::SetWeight{100}, {}};
  if (!c.rel().wanted.headers.empty() || !c.rel().wanted.mirrors.empty()) {
    ReleaseState& rel = c.EditRelease();
    rel.wanted.headers.clear();
    rel.wanted.mirrors.clear();
  }
  RunStep(c, last);
}

// Nothing moves on: pods for the share are kept, and routes as they were wanted. Who waits for
// nothing else is not late.
void KeepReached(Context& c) {
  const bool ratio = FollowsReplicas(c);
  const Progress pods =
      ratio ? Progress::kDone : EnsureCandidate(c, CandidateNeed(c, c.rel().wanted.candidate));
  const WorkloadView& w = c.candidate();
  WatchProgress(c, w.ready + w.updated, pods == Progress::kDone);
  if (!ratio && pods == Progress::kDone)
    ApplySplit(c, c.rel().wanted, "routes are kept as decided");
}

}  // namespace

void Advance(Context& c) {
  if (c.plan.kind == Plan::Kind::kRolling) {
    AdvanceRolling(c);
    return;
  }
  if (EndedBySuperseding(c) || !KeepHeld(c)) return;
  FloorHpa(c);
  std::vector<std::string> holds = HoldReasons(c);
  // What may be the cure of a stable one that serves nobody is not held for it.
  const bool cures = c.rel().cures && c.stable().available == 0 && c.candidate().available > 0;
  if (std::string reason = StableShort(c); !reason.empty() && !cures)
    holds.push_back(std::move(reason));
  const bool confirmed = c.rel().scratch.confirmed;
  if (!holds.empty() && !confirmed) {
    for (const auto& reason : holds) c.Wait(reason);
    KeepReached(c);
    return;
  }
  const bool steps_left = c.rel().step < c.plan.steps.size() && !c.rel().full && !c.rel().fast;
  if (steps_left) {
    RunStep(c, c.plan.steps[c.rel().step]);
  } else {
    GoFull(c);
  }
}

void Bake(Context& c) {
  const bool rolling = c.plan.kind == Plan::Kind::kRolling;
  if (EndedBySuperseding(c) || !KeepHeld(c)) return;
  if (!rolling) {
    FloorHpa(c);
    if (FollowsReplicas(c)) {
      ExchangePods(c, 100);
    } else if (EnsureCandidate(c, CandidateNeed(c, 100)) == Progress::kDone) {
      if (ApplySplit(c, c.rel().wanted, "routes are kept as decided") != Progress::kDone) return;
    }
  }
  if (c.rel().scratch.started == Time{}) c.EditRelease().scratch.started = c.obs.now;
  if (c.plan.after != nullptr) {
    if (c.rel().scratch.run.empty()) {
      c.EditRelease().scratch.run = StrCat(c.rel().id, "-after-", c.rel().scratch.run_attempt);
    }
    const RunView* run = c.obs.FindRun(c.rel().scratch.run);
    if (run == nullptr) {
      c.Do(StartAnalysis{c.rel().scratch.run, *c.plan.after, "postPromotion", false, StableHash(c),
                         CandidateHash(c)});
    } else if (run->phase == RunView::Phase::kFailed || run->phase == RunView::Phase::kError) {
      BeginRollback(c, StrCat("post-promotion analysis: ", run->message), "rollguard", {}, true,
                    false);
      return;
    }
    const bool good = run != nullptr && run->phase == RunView::Phase::kSuccessful;
    if (!good && !c.rel().scratch.confirmed) {
      c.Wait(StrCat("post-promotion analysis ", run != nullptr ? run->message : "is starting"));
      return;
    }
  }
  const Time until = c.rel().scratch.started + c.guard.bake;
  if (!c.rel().scratch.confirmed && !c.rel().full) {
    if (c.obs.now < until) {
      c.Wake(until);
      c.Wait(StrCat("bakes until ", FormatRfc3339(until)));
      return;
    }
    // Who only observes sees the rollout end, whatever he would have waited for.
    const std::vector<std::string> holds = HoldReasons(c);
    if (!holds.empty() && !c.observing()) {
      c.Wait(holds.front());
      return;
    }
    for (const Signal& signal : c.obs.signals) {
      if (signal.state == Signal::State::kPending &&
          signal.action == spec::TriggerAction::kRollback) {
        c.Wake(c.obs.now + kLookAgain);
        c.Wait(StrCat(signal.name, " is pending"));
        return;
      }
    }
  }
  c.Decide(Verdict::kPromote, StrCat("revision ", c.rel().candidate, " has baked"));
  c.Enter(Phase::kPromoting);
}

}  // namespace rollguard::release
