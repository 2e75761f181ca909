// SPDX-License-Identifier: Apache-2.0
// The way back of what another controller carries: it is told until it is seen to have obeyed. And
// the end of every watch, which takes along whether a pause in the Rollout is ours.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/release/external.h"

namespace rollguard::release {
namespace {

using OnBad = spec::ExternalStrategy::OnBad;

bool PauseIsOurs(const Context& c) {
  return !c.state().pause_version.empty() || (c.active() && c.rel().touched_target);
}

bool PausesTheBad(const Context& c, const ExternalView& view) {
  return view.argo && Settings(c).on_bad == OnBad::kPause;
}

void SendBack(Context& c, const ExternalView& view, const std::string& why) {
  if (!view.argo) {
    c.Wait("Flagger is told when it asks its rollback gate");
  } else if (PausesTheBad(c, view)) {
    StandStill(c, view, why);
  } else {
    AbortRollout(c, view, Settings(c).on_bad == OnBad::kUndo, why);
  }
}

// What is stable now was to be taken back; nobody but people can do that.
void CameTooLate(Context& c, const ExternalView& view) {
  const std::string text =
      StrCat("its controller promoted it before it was told: ", c.rel().trigger->reason);
  c.Edit().stable = view.stable;
  c.Tell("rollbackFailed", spec::RuleSeverity::kCritical, text);
  EndWatch(c, "failed", text);
}

}  // namespace

void StandStill(Context& c, const ExternalView& view, const std::string& why) {
  if (view.paused) return;
  const std::string& seen = c.obs.target.resource_version;
  if (c.state().pause_version != seen) c.Edit().pause_version = seen;
  PauseRollout(c, true, why);
}

bool GoOn(Context& c, const ExternalView& view, const std::string& why) {
  if (!PauseIsOurs(c)) return false;
  if (view.paused) {
    PauseRollout(c, false, why);
    return true;
  }
  // Of the very version it was paused at, it is only not seen yet.
  if (c.state().pause_version == c.obs.target.resource_version) return true;
  if (!c.state().pause_version.empty()) c.Edit().pause_version.clear();
  if (c.active() && c.rel().touched_target) c.EditRelease().touched_target = false;
  return false;
}

void EndWatch(Context& c, const std::string& outcome, const std::string& reason) {
  const bool ours = PauseIsOurs(c);
  const std::string version = c.state().pause_version;
  Complete(c, outcome, reason);
  if (ours) c.Edit().pause_version = version.empty() ? "ours" : version;
}

void RefuseRejected(Context& c, const ExternalView& view, const Rejection& known) {
  const std::string text =
      StrCat("revision ", view.current, " is quarantined; `retry` lets it out");
  c.SetCondition("Quarantined", true, "Rejected",
                 StrCat("revision ", view.current, " was rejected: ", known.reason));
  c.Wait(text);
  const bool told = c.state().seen == view.current && c.state().blocked_by == text;
  // What was paused for people is theirs, until another template takes the pause off.
  const auto& last = c.state().last;
  const bool theirs = !told && !c.state().pause_version.empty() && last &&
                      last->revision == view.current && last->outcome == "failed";
  if (c.observing() || theirs) return;
  if (c.state().phase != Phase::kIdle) c.Enter(Phase::kIdle);
  if (!told) {
    c.Edit().seen = view.current;
    c.Edit().blocked_by = text;
    c.Decide(Verdict::kReject, StrCat(text, ": ", known.reason)).revision = view.current;
    c.Tell("rejected", spec::RuleSeverity::kHigh, StrCat(text, ": ", known.reason));
  }
  SendBack(c, view, text);
}

void TakeBack(Context& c, const ExternalView& view) {
  if (!c.state().blocked_by.empty()) c.Edit().blocked_by.clear();
  const bool gone = view.current != c.rel().candidate;
  if (!gone && view.current == view.stable) {
    CameTooLate(c, view);
    return;
  }
  if (c.rel().awaiting_approval && !view.aborted && !gone) {
    WaitsForApproval(c);
    if (c.rel().awaiting_approval) {
      if (view.argo) StandStill(c, view, "the rollback waits for approval");
      return;
    }
  }
  const std::string reason = c.rel().trigger->reason;
  if (view.aborted || gone) {
    const bool verified = c.rel().trigger->quarantine && !c.observing();
    if (verified) c.Enter(Phase::kVerifying);
    if (!verified) EndWatch(c, "superseded", reason);
    return;
  }
  if (PausesTheBad(c, view) && view.paused) {
    EndWatch(c, "failed", StrCat("paused for people: ", reason));
    return;
  }
  SendBack(c, view, reason);
}

void VerifyBack(Context& c, const ExternalView& view) {
  if (c.rel().scratch.started == Time{}) c.EditRelease().scratch.started = c.obs.now;
  const Time until = c.rel().scratch.started + c.guard.rollback.verify_for;
  const bool fix = view.current != c.rel().candidate && view.current != view.stable;
  if (c.obs.now < until && !fix) {
    c.Wake(until);
    c.Wait(StrCat("verifies the rollback until ", FormatRfc3339(until)));
    return;
  }
  const bool ours = PauseIsOurs(c);
  const std::string version = c.state().pause_version;
  ConcludeRollback(c, !fix);
  if (ours) c.Edit().pause_version = version.empty() ? "ours" : version;
}

void RemoveExternal(Context& c) {
  const ExternalView view = c.obs.target.exists ? ReadExternal(c) : ExternalView{};
  const bool tells = c.obs.target.exists && view.argo && !PausesTheBad(c, view);
  if (c.active() && c.state().phase == Phase::kRollingBack && tells) {
    if (c.rel().awaiting_approval) c.EditRelease().awaiting_approval = false;
    TakeBack(c, view);
    if (c.active() && c.state().phase == Phase::kRollingBack) return;
  }
  if (c.active()) {
    const bool back = c.state().phase == Phase::kVerifying;
    EndWatch(c, back ? "rolledBack" : "superseded", "the guard is deleted");
  }
  if (c.obs.target.exists && view.argo && PauseIsOurs(c) &&
      GoOn(c, view, "the guard is deleted: the Rollout goes on")) {
    c.Wait("the Rollout is given back");
    return;
  }
  c.out().finalized = true;
}

}  // namespace rollguard::release
