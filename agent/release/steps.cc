// SPDX-License-Identifier: Apache-2.0
// The steps of a canary. Each is a function that is called again and again until it is done; what
// it must remember between calls is in StepScratch.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/release/context.h"

namespace rollguard::release {
namespace {

bool Begun(Context& c) {
  if (c.rel().scratch.started != Time{}) return true;
  c.EditRelease().scratch.started = c.obs.now;
  return false;
}

void Want(Context& c, int64_t weight, const std::string& why) {
  if (weight == c.rel().wanted.candidate) return;
  c.EditRelease().wanted.candidate = weight;
  c.EditRelease().scratch.verified_at.reset();
  c.Decide(Verdict::kAdvance, why);
  c.Tell("advanced", spec::RuleSeverity::kLow, why);
}

// Pods for the share, then the share, then the read-back. True when all proxies can know it.
bool Reach(Context& c, const routing::Split& split, const std::string& why) {
  const bool ratio = FollowsReplicas(c);
  if (ratio) Want(c, split.candidate, why);  // the pods are the traffic
  const Progress pods = ratio ? ExchangePods(c, split.candidate)
                              : EnsureCandidate(c, CandidateNeed(c, split.candidate));
  const WorkloadView& w = c.candidate();
  const int64_t mark = w.ready + w.updated + (ratio ? 1000 * c.stable().total : 0);
  WatchProgress(c, mark, pods == Progress::kDone);
  if (pods != Progress::kDone) return false;
  Want(c, split.candidate, why);
  if (ApplySplit(c, split, why) != Progress::kDone) return false;
  const bool fresh = !c.rel().scratch.verified_at.has_value();
  const bool settled = Settled(c);
  if (fresh) StageWayBack(c);
  return settled;
}

struct Runner {
  Context& c;

  void operator()(const spec::SetWeight& step) const {
    Begun(c);
    routing::Split split = c.rel().wanted;
    split.candidate = step.percent;
    if (!Reach(c, split, StrCat("weight ", step.percent))) return;
    FinishStep(c, StrCat("the candidate carries ", step.percent, " %"));
  }

  void operator()(const spec::Pause& step) const {
    const bool begun = Begun(c);
    if (!Keep()) return;
    if (c.rel().scratch.confirmed) {
      FinishStep(c, "a person went on");
      return;
    }
    if (!step.duration) {
      if (!begun) c.Tell("waiting", spec::RuleSeverity::kLow, "paused until someone promotes");
      c.Wait("paused until someone promotes");
      return;
    }
    const Time until = c.rel().scratch.started + *step.duration;
    if (c.obs.now >= until) {
      FinishStep(c, StrCat("paused for ", FormatShortDuration(*step.duration)));
      return;
    }
    c.Wake(until);
    c.Wait(StrCat("pauses until ", FormatRfc3339(until)));
  }

  void operator()(const spec::SetCandidateScale& step) const {
    Begun(c);
    if (c.rel().scale != step.replicas || c.rel().scale_weight != step.weight) {
      c.EditRelease().scale = step.replicas;
      c.EditRelease().scale_weight = step.weight;
    }
    const Progress done = EnsureCandidate(c, CandidateNeed(c, c.rel().wanted.candidate));
    const WorkloadView& w = c.candidate();
    WatchProgress(c, w.ready + w.updated, done == Progress::kDone);
    if (done == Progress::kDone) FinishStep(c, "the candidate has its size");
  }

  void operator()(const spec::RunAnalysis& step) const {
    Begun(c);
    if (!Keep()) return;
    const std::string id = StrCat(c.rel().id, "-s", c.rel().step, "-", c.rel().scratch.run_attempt);
    if (c.rel().scratch.run != id) c.EditRelease().scratch.run = id;
    const RunView* run = c.obs.FindRun(id);
    if (run == nullptr) {
      c.Do(StartAnalysis{id, step.analysis, StrCat("step ", c.rel().step), false, StableHash(c),
                         CandidateHash(c)});
      c.Wait("analysis is starting");
      return;
    }
    Judge(*run);
  }

  void Judge(const RunView& run) const {
    switch (run.phase) {
      case RunView::Phase::kPending:
      case RunView::Phase::kRunning: c.Wait("analysis is running"); return;
      case RunView::Phase::kSuccessful: FinishStep(c, "analysis was successful"); return;
      case RunView::Phase::kFailed:
      case RunView::Phase::kError: {
        Signal signal;
        signal.source = Signal::Source::kAnalysis;
        signal.state = Signal::State::kFiring;
        signal.name = StrCat("analysis of step ", c.rel().step);
        signal.reason = run.message;
        signal.evidence = run.evidence;
        BeginRollback(c, StrCat("analysis failed: ", run.message), "rollguard", {std::move(signal)},
                      true, false);
        return;
      }
      case RunView::Phase::kInconclusive:
        if (c.rel().scratch.confirmed) {
          FinishStep(c, "a person went on past an inconclusive analysis");
          return;
        }
        if (!c.rel().paused) {
          c.EditRelease().paused = true;
          c.EditRelease().pause_reason = StrCat("analysis is inconclusive: ", run.message);
          c.Decide(Verdict::kPause, c.rel().pause_reason);
          c.Tell("paused", spec::RuleSeverity::kMedium, c.rel().pause_reason);
        }
        return;
    }
  }

  void operator()(const spec::SetHeaderRoute& step) const {
    const bool begun = Begun(c);
    routing::Split split = c.rel().wanted;
    std::erase_if(split.headers, [&](const auto& r) { return r.name == step.name; });
    if (!step.match.empty()) split.headers.push_back({step.name, step.match});
    Extra(begun, std::move(split), StrCat("header route ", step.name));
  }

  void operator()(const spec::SetMirrorRoute& step) const {
    const bool begun = Begun(c);
    routing::Split split = c.rel().wanted;
    std::erase_if(split.mirrors, [&](const auto& r) { return r.name == step.name; });
    if (step.percent > 0) split.mirrors.push_back({step.name, step.match, step.percent});
    Extra(begun, std::move(split), StrCat("mirror route ", step.name));
  }

  // Extra routes are wanted before they are made, so that a way back knows them.
  void Extra(bool begun, routing::Split split, const std::string& why) const {
    if (!begun) {
      c.EditRelease().wanted = std::move(split);
      c.Decide(Verdict::kAdvance, why);
    }
    if (Reach(c, c.rel().wanted, why)) FinishStep(c, StrCat(why, " is in place"));
  }

  void operator()(const spec::WaitForApproval& step) const {
    if (!Begun(c)) c.Tell("waiting", spec::RuleSeverity::kMedium, "waits for approval");
    if (!Keep()) return;
    const auto& votes = c.rel().scratch.votes;
    if (c.rel().scratch.confirmed || static_cast<int64_t>(votes.size()) >= step.approval.required) {
      FinishStep(c, "approved");
      return;
    }
    c.Wait(StrCat("waits for approval, ", votes.size(), " of ", step.approval.required));
    if (!step.approval.timeout) return;
    const Time until = c.rel().scratch.started + *step.approval.timeout;
    if (c.obs.now < until) {
      c.Wake(until);
      return;
    }
    switch (step.approval.on_timeout) {
      case spec::Approval::OnTimeout::kHold: return;
      case spec::Approval::OnTimeout::kRollback:
        BeginRollback(c, "nobody approved in time", "rollguard", {}, true, true);
        return;
      case spec::Approval::OnTimeout::kPromote:
        FinishStep(c, "approval timed out: goes on");
        return;
    }
  }

  void operator()(const spec::RunHook& step) const {
    Begun(c);
    if (!Keep()) return;
    std::string failure;
    switch (RunHooks(c, {step.hook}, failure)) {
      case Progress::kDone: FinishStep(c, StrCat("hook ", step.hook.name, " succeeded")); return;
      case Progress::kWaiting: return;
      case Progress::kFailed: BeginRollback(c, failure, "rollguard", {}, true, false); return;
    }
  }

  void operator()(const spec::WaitForHealth& step) const {
    Begun(c);
    if (!Keep()) return;
    const bool good = c.obs.health.score && *c.obs.health.score >= step.min_score &&
                      !c.obs.health.critical_failing;
    auto since = c.rel().scratch.healthy_since;
    if (good && !since) c.EditRelease().scratch.healthy_since = since = c.obs.now;
    if (!good && since) {
      c.EditRelease().scratch.healthy_since.reset();
      since.reset();
    }
    if ((since && c.obs.now - *since >= step.hold) || c.rel().scratch.confirmed) {
      FinishStep(c, "healthy");
      return;
    }
    if (since) c.Wake(*since + step.hold);
    const Time until =
        c.rel().scratch.started + step.timeout.value_or(c.guard.progress_deadline) + step.hold;
    c.Wake(until);
    c.Wait(StrCat("waits for a health score of ", FormatNumber(step.min_score)));
    if (c.obs.now >= until) {
      BeginRollback(c, "the health score did not reach what the step asks", "rollguard", {}, true,
                    false);
    }
  }

  void operator()(const spec::AskGate& step) const {
    Begun(c);
    if (!Keep()) return;
    const std::string key = StrCat(c.rel().id, "-g", c.rel().step);
    const GateView* answer = c.obs.FindGate(key);
    if ((answer != nullptr && answer->open) || c.rel().scratch.confirmed) {
      FinishStep(c, "the gate is open");
      return;
    }
    if (step.gate.timeout && c.obs.now >= c.rel().scratch.started + *step.gate.timeout) {
      BeginRollback(c, "the gate did not open in time", "rollguard", {}, true, false);
      return;
    }
    const bool due = answer == nullptr || c.obs.now - answer->at >= step.gate.interval;
    if (due) c.Do(AskGate{key, step.gate});
    c.Wake(c.obs.now + step.gate.interval);
    c.Wait(StrCat("waits for the gate ", step.gate.url));
  }

  // While a step waits, what was reached is kept.
  bool Keep() const {
    if (FollowsReplicas(c)) {
      return ExchangePods(c, c.rel().wanted.candidate) != Progress::kFailed;
    }
    if (EnsureCandidate(c, CandidateNeed(c, c.rel().wanted.candidate)) == Progress::kFailed) {
      return false;
    }
    return ApplySplit(c, c.rel().wanted, "routes are kept as decided") == Progress::kDone;
  }
};

}  // namespace

void RunStep(Context& c, const spec::Step& step) { std::visit(Runner{c}, step.action); }

namespace {

// Nothing to wait for in it: what a person says meanwhile is meant for the pause that follows.
bool OnlyMoves(const Context& c) {
  if (c.rel().step >= c.plan.steps.size()) return false;
  const auto& action = c.plan.steps[c.rel().step].action;
  return std::holds_alternative<spec::SetWeight>(action) ||
         std::holds_alternative<spec::SetCandidateScale>(action) ||
         std::holds_alternative<spec::SetHeaderRoute>(action) ||
         std::holds_alternative<spec::SetMirrorRoute>(action);
}

bool IsPause(const Context& c, size_t step) {
  return step < c.plan.steps.size() &&
         std::holds_alternative<spec::Pause>(c.plan.steps[step].action);
}

}  // namespace

void FinishStep(Context& c, const std::string& reason) {
  const bool last = c.rel().step >= c.plan.steps.size() || c.rel().full || c.rel().fast;
  const bool early = c.rel().scratch.confirmed && OnlyMoves(c) && IsPause(c, c.rel().step + 1);
  c.EditRelease().scratch = {};
  if (last) {
    c.EditRelease().weight = MeasuredWeight(c);
    c.Enter(Phase::kBaking);
    c.Decide(Verdict::kAdvance, "all steps are done; the bake begins");
    return;
  }
  c.EditRelease().step += 1;
  c.EditRelease().scratch.confirmed = early;
  c.Wait(reason);
}

}  // namespace rollguard::release
