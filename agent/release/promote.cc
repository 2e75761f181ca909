// SPDX-License-Identifier: Apache-2.0
// After the bake the target follows behind the candidate's back, then routes return to what their
// owner wrote and the sibling goes. Stages: 0 the target rolls, 1 it is held again, 2 routes
// return, 3 the sibling goes, 4 hooks. Each is left only when the cluster shows that it is done.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/release/context.h"

namespace rollguard::release {
namespace {

void NextStage(Context& c) {
  c.EditRelease().stage += 1;
  c.EditRelease().stage_at.reset();
}

// The template moved on while the target was rolling: this revision is finished first, the newer
// one waits and is put back, held, afterwards.
void Park(Context& c) {
  const Json sibling = c.obs.candidate.exists ? TemplateOf(*c.obs.candidate.object) : Json();
  if (!sibling.is_object()) {
    c.Wait("the newer template cannot be put away yet");
    return;
  }
  if (!ParkTemplate(c, c.rel().candidate)) return;
  PutTemplate(c, sibling, false, "the promoted template is finished first");
}

void RollTarget(Context& c) {
  const WorkloadView& w = c.obs.target;
  if (!c.rel().touched_target) c.EditRelease().touched_target = true;
  if (w.revision != c.rel().candidate) {
    Park(c);
    return;
  }
  if (w.held) {
    Unhold(c, "the target follows the candidate");
    c.Wait("the target begins to roll");
    return;
  }
  // Both run one template now: pods may change places freely.
  if (FollowsReplicas(c) && ExchangePods(c, 0) != Progress::kDone) {
    WatchProgress(c, w.updated + w.available, false);
    return;
  }
  const bool done = w.RolledOut();
  WatchProgress(c, w.updated + w.available, done);
  if (done) {
    NextStage(c);
    return;
  }
  c.Wait(StrCat("the target follows: ", w.updated, " of ", w.replicas, " pods updated"));
}

void HoldTarget(Context& c) {
  const WorkloadView& w = c.obs.target;
  if (!c.plan.hold || w.held) {
    const Json parked = ParkedTemplate(c);
    if (!parked.is_object() || w.revision != c.rel().candidate || !w.held) {
      NextStage(c);
      return;
    }
    PutTemplate(c, parked, true, "the newer template is put back");
    c.Wait("the newer template is put back");
    return;
  }
  if (w.revision != c.rel().candidate && !c.rel().parked.is_object()) {
    c.EditRelease().stage = 0;
    return;
  }
  Hold(c, "at rest the target is held");
  c.Wait("the target is held again");
}

void ReturnRoutes(Context& c) {
  if (c.rel().stage_at && c.obs.now < *c.rel().stage_at + kPropagation) {
    c.Wake(*c.rel().stage_at + kPropagation);
    c.Wait("routes return");
    return;
  }
  if (ApplyRest(c, routing::RestAfter::kPromotion) != Progress::kDone) {
    c.EditRelease().stage_at = c.obs.now;
    c.Wake(c.obs.now + kPropagation);
    return;
  }
  NextStage(c);
}

void Drain(Context& c) {
  if (!c.rel().stage_at) c.EditRelease().stage_at = c.obs.now;
  const Time until = *c.rel().stage_at + std::max(c.plan.drain_delay, kPropagation);
  if (c.obs.now < until) {
    c.Wake(until);
    c.Wait("the candidate is kept a little");
    return;
  }
  if (c.tracks.roles_swap) {
    if (c.stable().replicas > 0) {
      c.Scale(c.stable(), c.stable_id(), 0, "the former stable revision goes");
      c.Wait("the former stable revision goes");
      return;
    }
  } else if (RemoveCandidate(c) != Progress::kDone) {
    return;
  }
  if (UnfloorHpa(c)) NextStage(c);
}

void Finish(Context& c) {
  std::string failure;
  const Progress hooks = RunHooks(c, c.guard.hooks.post_promote, failure);
  if (hooks == Progress::kWaiting) return;
  if (hooks == Progress::kFailed) {
    if (!c.rel().paged) {
      c.EditRelease().paged = true;
      c.Decide(Verdict::kEscalate, failure);
      c.Tell("paused", spec::RuleSeverity::kHigh, failure);
    }
    if (!c.rel().scratch.confirmed) {
      c.Wait(failure);
      return;
    }
  }
  Complete(c, "promoted", StrCat("revision ", c.rel().candidate, " is stable now"));
}

// Another template was set before the target could be held, and rolls by now.
bool RollsPast(const Context& c) {
  return c.plan.hold && c.rel().stage < 2 && !c.obs.target.held && !c.rel().parked.is_object();
}

}  // namespace

void Promote(Context& c) {
  if (c.plan.kind == Plan::Kind::kRolling) {
    if (RollsPast(c) && EndedBySuperseding(c)) return;
    if (c.rel().stage == 0) c.EditRelease().stage = 1;
    if (c.rel().stage == 1) {
      HoldTarget(c);
      if (c.rel().stage != 2) return;
    }
    Finish(c);
    return;
  }
  // Two Deployments: nothing keeps another template from rolling where production is by now.
  if (c.tracks.roles_swap && EndedBySuperseding(c)) return;
  if (c.tracks.roles_swap && c.rel().stage < 3) c.EditRelease().stage = 3;
  switch (c.rel().stage) {
    case 0:
      ApplySplit(c, c.rel().wanted, "routes are kept as decided");
      RollTarget(c);
      return;
    case 1: HoldTarget(c); return;
    case 2: ReturnRoutes(c); return;
    case 3: Drain(c); return;
    default: Finish(c); return;
  }
}

}  // namespace rollguard::release
