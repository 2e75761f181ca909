// SPDX-License-Identifier: Apache-2.0
#include "agent/api/view.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/base/tidy.h"
#include "agent/release/context.h"

namespace rollguard::api {
namespace {

using release::Phase;

std::string TeamOf(const spec::Guard& guard) {
  for (const char* label : {"rollguard.dev/team", "app.kubernetes.io/part-of"}) {
    if (const std::string* team = spec::FindIn(guard.metadata.labels, label)) return *team;
  }
  return {};
}

bool Holds(const release::GuardState& state, std::string_view type, bool fallback) {
  const release::Condition* condition = state.FindCondition(type);
  return condition != nullptr ? condition->status : fallback;
}

// The step a release stands at; nullptr outside of the steps.
const spec::StepAction* CurrentStep(const release::Plan& plan, const release::GuardState& state) {
  if (!state.release || state.phase != Phase::kProgressing) return nullptr;
  size_t step = state.release->step;
  return step < plan.steps.size() ? &plan.steps[step].action : nullptr;
}

bool WaitsForPerson(const release::Plan& plan, const release::GuardState& state) {
  if (state.release && state.release->awaiting_approval) return true;
  const spec::StepAction* step = CurrentStep(plan, state);
  if (step == nullptr) return false;
  const auto* pause = std::get_if<spec::Pause>(step);
  return std::holds_alternative<spec::WaitForApproval>(*step) ||
         (pause != nullptr && !pause->duration);
}

std::string WordAtRest(const release::GuardState& state) {
  bool back =
      state.last && (state.last->outcome == "rolledBack" || state.last->outcome == "rejected");
  return back ? "rolledBack" : "stable";
}

const char* Phrase(release::Verdict verdict) {
  using V = release::Verdict;
  switch (verdict) {
    case V::kStart: return "started";
    case V::kAdvance: return "went on";
    case V::kHold: return "held";
    case V::kPause: return "paused";
    case V::kResume: return "let go on";
    case V::kRollBack: return "rolled back";
    case V::kPromote: return "promoted";
    case V::kReject: return "refused";
    case V::kSupersede: return "superseded";
    case V::kComplete: return "ended";
    case V::kEscalate: return "needs people";
    case V::kAdopt: return "took over";
  }
  return "decided";
}

// How a release ended is a word of records.
std::string PlainReason(const release::Decision& d) {
  constexpr std::string_view kBack = "rolledBack";
  bool back = d.verdict == release::Verdict::kComplete && d.reason.starts_with(kBack);
  return back ? StrCat("rolled back", d.reason.substr(kBack.size())) : d.reason;
}

}  // namespace

std::optional<spec::Approval> PendingApproval(const spec::Guard& guard,
                                              const release::GuardState& state) {
  if (!state.release) return std::nullopt;
  if (state.phase == Phase::kRollingBack && state.release->awaiting_approval)
    return guard.rollback.approval;
  release::Plan plan = release::CompilePlan(guard, state.release->bypass);
  const spec::StepAction* step = CurrentStep(plan, state);
  const auto* wait = step != nullptr ? std::get_if<spec::WaitForApproval>(step) : nullptr;
  return wait != nullptr ? std::optional(wait->approval) : std::nullopt;
}

std::string StateWord(const Shown& s) {
  if (!s.problem.empty()) return "problem";
  if (s.guard.suspend) return "suspended";
  release::Plan plan = release::CompilePlan(s.guard, s.state.release && s.state.release->bypass);
  bool paused = s.state.release && s.state.release->paused;
  switch (s.state.phase) {
    case Phase::kAdopting: return "adopting";
    case Phase::kIdle: return WordAtRest(s.state);
    case Phase::kPending: return "blocked";
    case Phase::kPreparing:
    case Phase::kProgressing:
      if (paused) return "paused";
      return WaitsForPerson(plan, s.state) ? "waiting" : "releasing";
    case Phase::kBaking: return paused ? "paused" : "baking";
    case Phase::kPromoting: return paused ? "paused" : "promoting";
    case Phase::kRollingBack: return WaitsForPerson(plan, s.state) ? "waiting" : "rollingBack";
    case Phase::kVerifying: return "verifying";
    case Phase::kHeld: return "held";
  }
  return "stable";
}

std::string ReasonOf(const Shown& s) {
  if (!s.problem.empty()) return s.problem;
  if (s.state.phase == Phase::kPending && !s.state.blocked_by.empty()) return s.state.blocked_by;
  if (s.state.release) {
    const release::ReleaseState& rel = *s.state.release;
    if (auto approval = PendingApproval(s.guard, s.state); approval && !rel.paused) {
      return StrCat("waits for approval, ", rel.scratch.votes.size(), " of ", approval->required,
                    rel.trigger ? StrCat(": ", rel.trigger->reason) : "");
    }
    if (StateWord(s) == "waiting") return "waits until someone promotes";
    if (s.state.phase == Phase::kHeld && !rel.held_reason.empty()) return rel.held_reason;
    if (rel.trigger && !rel.trigger->reason.empty()) return rel.trigger->reason;
    if (rel.paused && !rel.pause_reason.empty()) return StrCat("paused: ", rel.pause_reason);
  } else if (s.state.last && !s.state.last->reason.empty()) {
    return s.state.last->reason;
  }
  return s.state.decisions.empty() ? "" : s.state.decisions.back().reason;
}

Json RowJson(const Shown& s) {
  const release::GuardState& state = s.state;
  release::Plan plan = release::CompilePlan(s.guard, state.release && state.release->bypass);
  Json scores = Json::Arr();
  for (double score : state.scores) scores.Push(score);
  auto done = EstimateCompletion(s);
  Json row = Json::Obj({{"id", s.guard.Id()},
                        {"namespace", s.guard.metadata.ns},
                        {"name", s.guard.metadata.name},
                        {"target", StrCat(s.guard.target.kind, " ", s.guard.target.name)},
                        {"strategy", spec::NameOf(s.guard.strategy)},
                        {"mode", spec::ToString(s.guard.mode)},
                        {"state", StateWord(s)},
                        {"phase", release::ToString(state.phase)},
                        {"stable", state.stable},
                        {"weight", state.release ? state.release->weight : int64_t{0}},
                        {"step", state.release ? state.release->step : size_t{0}},
                        {"steps", plan.steps.size()},
                        {"score", state.scores.empty() ? Json() : Json(state.scores.back())},
                        {"scores", std::move(scores)},
                        {"reason", ReasonOf(s)},
                        {"estimatedCompletion", done ? Json(FormatRfc3339(*done)) : Json()},
                        {"blind", Holds(state, "Blind", false)},
                        {"rollbackReady", Holds(state, "RollbackReady", false)}});
  if (state.release) {
    row.Set("candidate", state.release->candidate)
        .Set("release", state.release->id)
        .Set("startedAt", FormatRfc3339(state.release->started));
  }
  if (state.last) {
    row.Set("last", Json::Obj({{"release", state.last->release},
                               {"revision", state.last->revision},
                               {"outcome", state.last->outcome},
                               {"reason", state.last->reason},
                               {"at", FormatRfc3339(state.last->at)}}));
  }
  if (!s.guard.group.empty()) row.Set("group", s.guard.group);
  if (std::string team = TeamOf(s.guard); !team.empty()) row.Set("team", team);
  if (!s.problem.empty()) row.Set("problem", s.problem);
  return row;
}

Json ApprovalJson(const Shown& s) {
  std::optional<spec::Approval> approval = PendingApproval(s.guard, s.state);
  if (!approval) return {};
  Json groups = Json::Arr(), votes = Json::Arr();
  for (const std::string& group : approval->groups) groups.Push(group);
  const release::StepScratch& scratch = s.state.release->scratch;
  for (const release::ApprovalVote& vote : scratch.votes) votes.Push(vote.actor);
  Json out = Json::Obj({{"required", approval->required},
                        {"groups", std::move(groups)},
                        {"votes", std::move(votes)}});
  if (approval->timeout && scratch.started != Time{})
    out.Set("until", FormatRfc3339(scratch.started + *approval->timeout));
  return out;
}

Json ConditionsJson(const release::GuardState& state) {
  Json list = Json::Arr();
  for (const release::Condition& c : state.conditions) {
    list.Push(Json::Obj({{"type", c.type},
                         {"status", c.status},
                         {"reason", c.reason},
                         {"message", c.message},
                         {"since", FormatRfc3339(c.since)}}));
  }
  return list;
}

Json QuarantineJson(const release::GuardState& state) {
  Json list = Json::Arr();
  for (const release::Rejection& r : state.quarantine) {
    Json one =
        Json::Obj({{"revision", r.revision}, {"reason", r.reason}, {"at", FormatRfc3339(r.at)}});
    if (r.expires) one.Set("expires", FormatRfc3339(*r.expires));
    list.Push(std::move(one));
  }
  return list;
}

Json StableHistoryJson(const release::GuardState& state) {
  Json list = Json::Arr();
  for (auto it = state.history.rbegin(); it != state.history.rend(); ++it)
    list.Push(Json::Obj({{"revision", it->revision}, {"at", FormatRfc3339(it->at)}}));
  return list;
}

Json TriggerJson(const release::GuardState& state) {
  if (!state.release || !state.release->trigger) return {};
  const release::Trigger& t = *state.release->trigger;
  Json signals = Json::Arr();
  for (const std::string& name : t.signals) signals.Push(name);
  return Json::Obj({{"reason", t.reason},
                    {"decision", t.decision},
                    {"actor", t.actor},
                    {"signals", std::move(signals)},
                    {"at", FormatRfc3339(t.at)}});
}

Json WayBackJson(const release::GuardState& state) {
  Json list = Json::Arr();
  if (!state.release) return list;
  for (const Json& change : state.release->way_back.items()) {
    list.Push(Abbreviate(StrCat(change.At("object").Str(), ": ", change.At("patch").Dump()), 400));
  }
  return list;
}

std::string Words(const release::Decision& d) {
  std::string out = StrCat(FormatClockTime(d.at), " ", Phrase(d.verdict));
  if (d.actor != "rollguard" && !d.actor.empty()) out += StrCat(" by ", d.actor);
  if (!d.reason.empty()) out += StrCat(": ", TidyNumbers(PlainReason(d)));
  if (d.confidence) out += StrCat(", confidence ", Format("%.2f", d.confidence->value));
  if (d.weight > 0) out += StrCat(", at ", d.weight, " %");
  return out;
}

Json DecisionJson(const release::Decision& decision) {
  return release::ToJson(decision).Set("words", Words(decision));
}

Json ReleaseJson(const ReleaseRow& row) {
  Json out = Json::Obj({{"id", row.id},
                        {"guard", row.guard},
                        {"strategy", row.strategy},
                        {"revision", row.revision},
                        {"previous", row.previous},
                        {"startedAt", FormatRfc3339(row.started)},
                        {"endedAt", row.ended ? Json(FormatRfc3339(*row.ended)) : Json()},
                        {"outcome", row.outcome.empty() ? Json() : Json(row.outcome)}});
  if (!row.trigger.empty()) out.Set("trigger", row.trigger);
  if (!row.trigger_kind.empty()) out.Set("triggerKind", row.trigger_kind);
  auto add = [&](const char* name, const std::optional<Time>& time) {
    if (time) out.Set(name, FormatRfc3339(*time));
  };
  add("triggerAt", row.trigger_at);
  add("safeAt", row.safe_at);
  add("commitAt", row.commit_time);
  if (row.trigger_at && row.safe_at)
    out.Set("secondsToRestore", ToSeconds(*row.safe_at - *row.trigger_at));
  if (row.right) out.Set("right", *row.right);
  return out;
}

}  // namespace rollguard::api
