// SPDX-License-Identifier: Apache-2.0
// What people ask for. Every command gets an answer; one that cannot be followed changes nothing.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/release/external.h"

namespace rollguard::release {
namespace {

constexpr size_t kMaxHandled = 20;
constexpr size_t kMaxVotes = 50;

struct Answer {
  bool accepted = false;
  std::string message;
};

Answer Yes(std::string message) { return {true, std::move(message)}; }
Answer No(std::string message) { return {false, std::move(message)}; }

const char* const kNothing = "nothing is being released";

std::string Because(const Command& command) {
  return command.reason.empty() ? std::string() : StrCat(": ", command.reason);
}

void Unpause(Context& c) {
  ReleaseState& rel = c.EditRelease();
  rel.paused = false;
  rel.pause_reason.clear();
  rel.resumed_at = c.obs.now;
}

// What fires already keeps a release from starting; it may be the very release that mends it.
Answer DoStart(Context& c, const Command& command) {
  c.Edit().retry = c.state().seen;
  c.Decide(Verdict::kResume,
           StrCat("revision ", c.state().seen, " may begin whatever fires already or is not seen",
                  Because(command)),
           command.actor)
      .revision = c.state().seen;
  return Yes("it begins unless something other than alerts stands in its way");
}

Answer DoPromote(Context& c, const Command& command) {
  const Phase phase = c.state().phase;
  if (phase == Phase::kPending) return DoStart(c, command);
  if (!c.active()) return No(kNothing);
  if (phase == Phase::kPreparing && !c.rel().paused && !command.full)
    return No("its steps have not begun; `promote --full` leaves them out");
  if (phase == Phase::kRollingBack || phase == Phase::kVerifying) {
    return No("it is being rolled back; `retry` releases the revision again");
  }
  if (c.rel().paused) Unpause(c);
  if (phase == Phase::kHeld) c.Enter(c.rel().held_from);
  c.EditRelease().scratch.confirmed = true;
  if (command.full) c.EditRelease().full = true;
  c.Decide(Verdict::kResume,
           StrCat(command.full ? "promoted in full" : "promoted past this step", Because(command)),
           command.actor);
  return Yes(command.full ? "goes to 100 % now" : "goes on");
}

Answer DoPause(Context& c, const Command& command) {
  if (!c.active()) return No(kNothing);
  if (c.rel().paused) return Yes("it is paused already");
  if (c.state().phase == Phase::kRollingBack) return No("a rollback is not paused");
  c.EditRelease().paused = true;
  c.EditRelease().pause_reason = StrCat("by ", command.actor, Because(command));
  c.Decide(Verdict::kPause, StrCat("paused", Because(command)), command.actor);
  return Yes("paused");
}

Answer DoResume(Context& c, const Command& command) {
  if (c.state().released) {
    c.Edit().released = false;
    c.Decide(Verdict::kAdopt, "the guard holds the target again", command.actor);
    return Yes("the target is held again");
  }
  if (!c.active()) return No(kNothing);
  if (c.state().phase == Phase::kHeld) {
    Unpause(c);
    c.Decide(Verdict::kResume, StrCat("resumed", Because(command)), command.actor);
    c.Enter(c.rel().trigger ? Phase::kRollingBack : c.rel().held_from);
    return Yes("goes on");
  }
  if (!c.rel().paused) return No("it is not paused");
  Unpause(c);
  const RunView* background = c.obs.FindRun(c.rel().background_run);
  if (background != nullptr && background->phase == RunView::Phase::kInconclusive) {
    c.EditRelease().background_attempt += 1;
    c.EditRelease().background_run.clear();
  }
  c.EditRelease().scratch.run_attempt += 1;
  c.Decide(Verdict::kResume, StrCat("resumed", Because(command)), command.actor);
  return Yes("goes on");
}

Answer DoAbort(Context& c, const Command& command) {
  if (!c.active()) return No(kNothing);
  if (c.state().phase == Phase::kVerifying) return No("it is rolled back already");
  if (c.state().phase == Phase::kRollingBack) {
    if (!c.rel().awaiting_approval) return Yes("it is being rolled back already");
    c.EditRelease().awaiting_approval = false;
    return Yes("rolling back");
  }
  BeginRollback(c, StrCat("aborted by ", command.actor, Because(command)), command.actor, {}, true,
                true);
  return Yes("rolling back");
}

// With nothing running: an earlier stable revision is released again, without steps.
Answer DoRollBack(Context& c, const Command& command) {
  if (c.active()) return DoAbort(c, command);
  if (c.plan.kind == Plan::Kind::kExternal || c.tracks.roles_swap) {
    return No("only a running release can be rolled back with this strategy");
  }
  std::string to = command.to;
  for (auto it = c.state().history.rbegin(); to.empty() && it != c.state().history.rend(); ++it) {
    if (it->revision != c.state().stable) to = it->revision;
  }
  if (to.empty()) return No("no earlier stable revision is known");
  if (to == c.state().stable) return No("that revision is stable already");
  const RevisionView* revision = c.obs.target.Find(to);
  if (revision == nullptr || !TemplateOf(*revision).is_object()) {
    return No(StrCat("revision ", to, " is in no ReplicaSet or ControllerRevision any more"));
  }
  std::erase_if(c.Edit().quarantine, [&](const Rejection& r) { return r.revision == to; });
  c.Edit().retry = to;
  c.Decide(Verdict::kRollBack, StrCat("back to revision ", to, Because(command)), command.actor);
  Quarantine(c, c.state().stable, StrCat("taken back by ", command.actor, Because(command)));
  PutTemplate(c, TemplateOf(*revision), c.plan.hold, StrCat("back to revision ", to));
  return Yes(StrCat("releasing revision ", to, " again"));
}

Answer DoRetry(Context& c, const Command& command) {
  const bool external = c.plan.kind == Plan::Kind::kExternal;
  const std::string now = external ? ReadExternal(c).current : c.obs.target.revision;
  const std::string revision = command.to.empty() ? now : command.to;
  if (c.state().Quarantined(revision, c.obs.now) == nullptr) {
    return No(StrCat("revision ", revision, " is not quarantined"));
  }
  std::erase_if(c.Edit().quarantine, [&](const Rejection& r) { return r.revision == revision; });
  c.Decide(Verdict::kResume,
           StrCat("revision ", revision, " may be released again", Because(command)), command.actor)
      .revision = revision;
  if (external && ReadExternal(c).argo && ReadExternal(c).aborted) RetryRollout(c);
  return Yes("it may be released again");
}

const spec::Approval* PendingApproval(const Context& c) {
  if (!c.active()) return nullptr;
  if (c.state().phase == Phase::kRollingBack) {
    return c.rel().awaiting_approval ? &c.guard.rollback.approval : nullptr;
  }
  if (c.state().phase != Phase::kProgressing || c.rel().step >= c.plan.steps.size()) return nullptr;
  const auto* step = std::get_if<spec::WaitForApproval>(&c.plan.steps[c.rel().step].action);
  return step != nullptr ? &step->approval : nullptr;
}

bool MayApprove(const spec::Approval& approval, const Command& command) {
  if (approval.groups.empty()) return true;
  return std::any_of(command.groups.begin(), command.groups.end(), [&](const std::string& group) {
    return std::find(approval.groups.begin(), approval.groups.end(), group) !=
           approval.groups.end();
  });
}

Answer DoApprove(Context& c, const Command& command) {
  const spec::Approval* approval = PendingApproval(c);
  if (approval == nullptr) return No("nothing waits for approval");
  if (!MayApprove(*approval, command)) return No("you are in none of the groups that may approve");
  const auto& votes = c.rel().scratch.votes;
  if (std::any_of(votes.begin(), votes.end(), [&](const ApprovalVote& v) {
        return v.actor == Abbreviate(command.actor, kMaxName);
      })) {
    return Yes("you approved already");
  }
  if (votes.size() >= kMaxVotes) return No("so many have approved already");
  c.EditRelease().scratch.votes.push_back({Abbreviate(command.actor, kMaxName), c.obs.now});
  c.Decide(Verdict::kResume, StrCat("approved", Because(command)), command.actor);
  return Yes("approved");
}

Answer DoReject(Context& c, const Command& command) {
  const spec::Approval* approval = PendingApproval(c);
  if (approval == nullptr) return No("nothing waits for approval");
  if (!MayApprove(*approval, command)) return No("you are in none of the groups that may decide");
  if (c.state().phase != Phase::kRollingBack) return DoAbort(c, command);
  c.EditRelease().awaiting_approval = false;
  c.EditRelease().trigger.reset();
  const Phase from = c.rel().held_from;
  std::erase_if(c.Edit().quarantine,
                [&](const Rejection& r) { return r.revision == c.rel().candidate; });
  c.Enter(Phase::kHeld);
  c.EditRelease().held_from = from;
  c.EditRelease().held_reason = StrCat("the rollback was refused by ", command.actor);
  c.Decide(Verdict::kHold, c.rel().held_reason, command.actor);
  return Yes("the rollback is refused; the release is held");
}

Answer DoSkip(Context& c, const Command& command) {
  if (const std::string hook = c.active() ? FailedHook(c) : std::string(); !hook.empty()) {
    c.EditRelease().scratch.confirmed = true;
    c.Decide(Verdict::kResume,
             StrCat("hook ", hook, " failed and is passed over", Because(command)), command.actor);
    return Yes(StrCat("hook ", hook, " is passed over"));
  }
  if (!c.active() || c.state().phase != Phase::kProgressing ||
      c.rel().step >= c.plan.steps.size()) {
    return No("no step is running");
  }
  c.Decide(Verdict::kResume, StrCat("step ", c.rel().step, " is skipped", Because(command)),
           command.actor);
  if (c.rel().paused) Unpause(c);
  FinishStep(c, "skipped");
  return Yes("skipped");
}

Answer DoRelease(Context& c, const Command& command) {
  if (c.active()) return No("a release is running: abort or finish it first");
  c.Edit().released = true;
  c.Decide(Verdict::kAdopt, StrCat("the hold is taken off", Because(command)), command.actor);
  if (c.obs.target.exists) GiveBack(c);
  return Yes("the target is free; `resume` holds it again");
}

Answer Follow(Context& c, const Command& command) {
  switch (command.verb) {
    case Command::Verb::kPromote: return DoPromote(c, command);
    case Command::Verb::kPause: return DoPause(c, command);
    case Command::Verb::kResume: return DoResume(c, command);
    case Command::Verb::kAbort: return DoAbort(c, command);
    case Command::Verb::kRollBack: return DoRollBack(c, command);
    case Command::Verb::kRetry: return DoRetry(c, command);
    case Command::Verb::kApprove: return DoApprove(c, command);
    case Command::Verb::kReject: return DoReject(c, command);
    case Command::Verb::kSkip: return DoSkip(c, command);
    case Command::Verb::kRelease: return DoRelease(c, command);
  }
  return No("unknown command");
}

}  // namespace

void HandleCommands(Context& c) {
  for (const Command& command : c.obs.commands) {
    const auto& handled = c.state().handled;
    const std::string id = Abbreviate(command.id, kMaxName);
    if (std::find(handled.begin(), handled.end(), id) != handled.end()) {
      c.out().answers.push_back({command.id, true, "done already"});
      continue;
    }
    Answer answer = Follow(c, command);
    if (answer.accepted) {
      auto& ids = c.Edit().handled;
      ids.push_back(Abbreviate(command.id, kMaxName));
      if (ids.size() > kMaxHandled) ids.erase(ids.begin());
    }
    c.out().answers.push_back({command.id, answer.accepted, std::move(answer.message)});
  }
}

}  // namespace rollguard::release
