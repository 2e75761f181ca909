// SPDX-License-Identifier: Apache-2.0
// The steps of a strategy in words, how long the rest of a release takes, and what a person can ask
// for at each point of it.
#include <algorithm>

#include "agent/api/view.h"
#include "agent/base/text.h"
#include "agent/release/context.h"

namespace rollguard::api {
namespace {

using release::Phase;

struct StepWords {
  std::string operator()(const spec::SetWeight& s) const {
    return StrCat("weight to ", s.percent, " %");
  }
  std::string operator()(const spec::Pause& s) const {
    return s.duration ? StrCat("pause for ", FormatShortDuration(*s.duration))
                      : "pause until someone promotes";
  }
  std::string operator()(const spec::SetCandidateScale& s) const {
    if (s.replicas) return StrCat("candidate to ", *s.replicas, " replicas");
    if (s.weight) return StrCat("candidate to ", *s.weight, " % of the full size");
    return "candidate's size follows its weight";
  }
  std::string operator()(const spec::RunAnalysis& s) const {
    std::vector<std::string> names;
    for (const spec::TemplateRef& t : s.analysis.templates) names.push_back(t.name);
    return StrCat("analysis ", Join(names, ", "));
  }
  std::string operator()(const spec::SetHeaderRoute& s) const {
    return StrCat(s.match.empty() ? "take away header route " : "header route ", s.name);
  }
  std::string operator()(const spec::SetMirrorRoute& s) const {
    return s.percent > 0 ? StrCat("mirror ", s.percent, " % of requests") : "stop mirroring";
  }
  std::string operator()(const spec::WaitForApproval& s) const {
    std::string who =
        s.approval.groups.empty() ? "" : StrCat(" of ", Join(s.approval.groups, ", "));
    return StrCat("approval by ", s.approval.required, who);
  }
  std::string operator()(const spec::RunHook& s) const { return StrCat("hook ", s.hook.name); }
  std::string operator()(const spec::WaitForHealth& s) const {
    return StrCat("score of at least ", FormatNumber(s.min_score),
                  s.hold > Duration(0) ? StrCat(" for ", FormatShortDuration(s.hold)) : "");
  }
  std::string operator()(const spec::AskGate&) const { return "ask the gate"; }
};

// How long a step takes when all goes well; nothing: until a person or a verdict.
struct StepTime {
  std::optional<Duration> operator()(const spec::SetWeight&) const { return release::kPropagation; }
  std::optional<Duration> operator()(const spec::Pause& s) const { return s.duration; }
  std::optional<Duration> operator()(const spec::SetCandidateScale&) const { return Duration(0); }
  std::optional<Duration> operator()(const spec::RunAnalysis&) const { return std::nullopt; }
  std::optional<Duration> operator()(const spec::SetHeaderRoute&) const {
    return release::kPropagation;
  }
  std::optional<Duration> operator()(const spec::SetMirrorRoute&) const {
    return release::kPropagation;
  }
  std::optional<Duration> operator()(const spec::WaitForApproval&) const { return std::nullopt; }
  std::optional<Duration> operator()(const spec::RunHook&) const { return std::nullopt; }
  std::optional<Duration> operator()(const spec::WaitForHealth& s) const { return s.hold; }
  std::optional<Duration> operator()(const spec::AskGate&) const { return std::nullopt; }
};

release::Plan PlanOf(const Shown& s) {
  return release::CompilePlan(s.guard, s.state.release && s.state.release->bypass);
}

std::optional<Time> EndOfStep(const spec::Step& step, const release::StepScratch& scratch,
                              Time now) {
  auto time = std::visit(StepTime{}, step.action);
  if (!time) return std::nullopt;
  Time begun = scratch.started == Time{} ? now : scratch.started;
  return std::max(now, begun + *time);
}

Json StepJson(const spec::Step& step, size_t index, const char* state) {
  Json out = Json::Obj({{"index", index},
                        {"kind", spec::NameOf(step.action)},
                        {"words", std::visit(StepWords{}, step.action)},
                        {"state", state}});
  if (!step.name.empty()) out.Set("name", step.name);
  if (const auto* weight = std::get_if<spec::SetWeight>(&step.action))
    out.Set("weight", weight->percent);
  if (auto time = std::visit(StepTime{}, step.action); time && *time > Duration(0))
    out.Set("seconds", ToSeconds(*time));
  return out;
}

Json Action(const char* verb, const char* label, std::string consequence) {
  return Json::Obj({{"verb", verb}, {"label", label}, {"consequence", std::move(consequence)}});
}

// Collects what fits while a release runs.
struct ActionList {
  const Shown& shown;
  const release::ReleaseState& rel;
  Json list = Json::Arr();

  std::string Back() const {
    return StrCat("All traffic returns to ", rel.stable, "; ", rel.candidate,
                  " goes to quarantine and is not released again until someone says retry.");
  }
  void RollBack() {
    if (rel.weight > 0) {
      list.Push(Action("rollback", "Roll back", Back()));
    } else {
      list.Push(Action("abort", "Abort", StrCat("The candidate has no traffic yet. ", Back())));
    }
  }
  void PauseOrResume() {
    if (rel.paused) {
      list.Push(
          Action("resume", "Resume", StrCat("Goes on from ", rel.weight, " % of the traffic.")));
    } else {
      list.Push(Action("pause", "Pause",
                       StrCat("Traffic stays as it is: ", rel.weight, " % on ", rel.candidate,
                              ". Rules still take it back when it is bad.")));
    }
  }
  void Promote(const release::Plan& plan) {
    size_t left = plan.steps.size() - std::min(plan.steps.size(), rel.step);
    if (left > 0) {
      std::string next = rel.step + 1 < plan.steps.size()
                             ? std::visit(StepWords{}, plan.steps[rel.step + 1].action)
                             : "the bake";
      list.Push(Action("promote", "Promote",
                       StrCat("Leaves this step and goes on with the next: ", next, ".")));
    }
    if (left > 1) {
      list.Push(Action("promote", "Promote in full",
                       StrCat("100 % of the traffic goes to ", rel.candidate, " now; ", left,
                              " steps are left out."))
                    .Set("body", Json::Obj({{"full", true}})));
    }
  }
  void Approval() {
    std::optional<spec::Approval> approval = PendingApproval(shown.guard, shown.state);
    if (!approval) return;
    bool back = shown.state.phase == Phase::kRollingBack;
    std::string of = approval->groups.empty()
                         ? ""
                         : StrCat(" Members of ", Join(approval->groups, ", "), " may.");
    list.Push(Action(
        "approve", "Approve",
        StrCat("Counts as your yes, ", rel.scratch.votes.size() + 1, " of ", approval->required,
               ". ", back ? Back() : "With enough of them the release goes on.", of)));
    list.Push(Action(
        "reject", "Reject",
        back ? "The rollback is not carried out; the release is held where it is." : Back()));
  }
};

Json AtRest(const Shown& s) {
  Json list = Json::Arr();
  const release::GuardState& state = s.state;
  bool retry = std::any_of(state.quarantine.begin(), state.quarantine.end(), [&](const auto& r) {
    return state.last && r.revision == state.last->revision;
  });
  if (retry) {
    list.Push(Action("retry", "Retry",
                     StrCat(state.last->revision,
                            " leaves quarantine and, if it is still wanted, is released again, "
                            "step by step."))
                  .Set("body", Json::Obj({{"to", state.last->revision}})));
  }
  for (auto it = state.history.rbegin(); it != state.history.rend(); ++it) {
    if (it->revision == state.stable) continue;
    list.Push(Action("rollback", "Roll back",
                     StrCat("Revision ", it->revision, ", stable before, takes the place of ",
                            state.stable, "; ", state.stable, " goes to quarantine."))
                  .Set("body", Json::Obj({{"to", it->revision}})));
    break;
  }
  return list;
}

}  // namespace

std::optional<Time> EstimateCompletion(const Shown& s) {
  if (!s.state.release || s.state.release->paused || s.state.release->trigger) return std::nullopt;
  const release::ReleaseState& rel = *s.state.release;
  if (s.state.phase == Phase::kPromoting) return s.now;
  Time at = s.now;
  if (s.state.phase == Phase::kBaking) {
    return std::max(at, (rel.scratch.started == Time{} ? at : rel.scratch.started) + s.guard.bake);
  }
  if (s.state.phase != Phase::kPreparing && s.state.phase != Phase::kProgressing)
    return std::nullopt;
  release::Plan plan = PlanOf(s);
  if (!rel.full && !rel.fast) {
    for (size_t i = rel.step; i < plan.steps.size(); ++i) {
      release::StepScratch fresh;
      bool current = i == rel.step && s.state.phase == Phase::kProgressing;
      auto end = EndOfStep(plan.steps[i], current ? rel.scratch : fresh, at);
      if (!end) return std::nullopt;
      at = *end;
    }
  }
  return at + s.guard.bake;
}

Json StepsJson(const Shown& s) {
  release::Plan plan = PlanOf(s);
  const auto& rel = s.state.release;
  bool beyond = s.state.phase == Phase::kBaking || s.state.phase == Phase::kPromoting;
  Json list = Json::Arr();
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    bool done = rel && (beyond || i < rel->step);
    bool current = rel && !beyond && i == rel->step && s.state.phase != Phase::kPreparing;
    Json step = StepJson(plan.steps[i], i, done ? "done" : current ? "current" : "next");
    if (current && rel->scratch.started != Time{}) {
      step.Set("startedAt", FormatRfc3339(rel->scratch.started));
      if (auto end = EndOfStep(plan.steps[i], rel->scratch, s.now))
        step.Set("endsAt", FormatRfc3339(*end));
    }
    list.Push(std::move(step));
  }
  return list;
}

Json ActionsJson(const Shown& s) {
  if (!s.problem.empty() || s.guard.suspend) return Json::Arr();
  if (!s.state.release) return AtRest(s);
  ActionList a{.shown = s, .rel = *s.state.release};
  switch (s.state.phase) {
    case Phase::kPreparing:
    case Phase::kProgressing:
      a.Approval();
      a.Promote(PlanOf(s));
      a.PauseOrResume();
      a.RollBack();
      break;
    case Phase::kBaking:
    case Phase::kPromoting:
      a.PauseOrResume();
      a.RollBack();
      break;
    case Phase::kRollingBack: a.Approval(); break;
    case Phase::kHeld:
      a.list.Push(Action("resume", "Resume",
                         a.rel.trigger ? a.Back() : "The release goes on from where it is held."));
      a.RollBack();
      break;
    case Phase::kVerifying:
    case Phase::kAdopting:
    case Phase::kIdle:
    case Phase::kPending: break;
  }
  return std::move(a.list);
}

}  // namespace rollguard::api
