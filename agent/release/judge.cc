// SPDX-License-Identifier: Apache-2.0
// What the signals say. Hard ones take the release back at once; soft ones are weighed together
// once per look; unknown ones hold the next step. A person who resumed has seen what was firing
// then: only what began later pauses again.
#include <algorithm>

#include "agent/analysis/score.h"
#include "agent/base/text.h"
#include "agent/release/context.h"

namespace rollguard::release {
namespace {

constexpr Duration kLook = std::chrono::seconds(15);
constexpr size_t kMaxObserved = 20;

Signal WorkloadSignal(std::string name, std::string reason) {
  Signal signal;
  signal.source = Signal::Source::kWorkload;
  signal.state = Signal::State::kFiring;
  signal.name = std::move(name);
  signal.reason = std::move(reason);
  return signal;
}

// What the cluster itself says about the candidate's pods; it does not wait for readiness.
void AddWorkload(const Context& c, std::vector<Signal>& out) {
  // The second Deployment has got another template: what its pods do is not this version's doing.
  if (c.tracks.roles_swap && c.candidate().exists && c.candidate().revision != c.rel().candidate) {
    return;
  }
  const PodsView& pods = c.obs.candidate_pods;
  if (pods.image_pull_failing) out.push_back(WorkloadSignal("ImagePull", pods.problem));
  if (pods.crash_looping) out.push_back(WorkloadSignal("CrashLoop", pods.problem));
  const ReleaseState& rel = c.rel();
  const Phase phase = c.state().phase;
  // With the replica ratio the target takes the pods' place while it is promoted.
  const bool promoted = phase == Phase::kPromoting && FollowsReplicas(c);
  const bool running =
      phase == Phase::kProgressing || phase == Phase::kBaking || phase == Phase::kPromoting;
  const bool serves = c.plan.kind == Plan::Kind::kSibling && running && !promoted &&
                      rel.wanted.candidate > 0 && rel.weight > 0 && rel.stage < 3;
  if (serves && c.candidate().exists && c.candidate().available == 0 && c.candidate().observed) {
    out.push_back(WorkloadSignal("NoReadyPod", "the candidate has traffic and no available pod"));
  }
}

void AddRuns(const Context& c, std::vector<Signal>& out) {
  const RunView* run = c.obs.FindRun(c.rel().background_run);
  if (run == nullptr) return;
  Signal signal;
  signal.source = Signal::Source::kAnalysis;
  signal.name = "background analysis";
  signal.evidence = run->evidence;
  signal.reason = StrCat("background analysis: ", run->message);
  signal.state = Signal::State::kFiring;
  if (run->phase == RunView::Phase::kFailed || run->phase == RunView::Phase::kError) {
    out.push_back(std::move(signal));
  } else if (run->phase == RunView::Phase::kInconclusive) {
    signal.action = spec::TriggerAction::kPause;
    out.push_back(std::move(signal));
  }
}

void AddHealth(const Context& c, std::vector<Signal>& out) {
  if (!c.obs.health.critical_failing) return;
  Signal signal;
  signal.source = Signal::Source::kHealth;
  signal.state = Signal::State::kFiring;
  signal.name = "health";
  signal.reason = c.obs.health.reason;
  out.push_back(std::move(signal));
}

void AddPeers(const Context& c, std::vector<Signal>& out) {
  for (const PeerView& peer : c.obs.peers) {
    if (!peer.rolled_back_at || *peer.rolled_back_at < c.rel().started) continue;
    Signal signal;
    signal.source = Signal::Source::kGroup;
    signal.state = Signal::State::kFiring;
    signal.name = peer.guard;
    signal.reason = StrCat(peer.guard, " of the same group was rolled back: ", peer.rolled_back);
    out.push_back(std::move(signal));
  }
}

std::vector<Signal> Firing(const Context& c) {
  std::vector<Signal> out;
  AddWorkload(c, out);
  AddRuns(c, out);
  AddHealth(c, out);
  AddPeers(c, out);
  for (const Signal& signal : c.obs.signals) {
    if (signal.state == Signal::State::kFiring && !signal.pre_existing) out.push_back(signal);
  }
  return out;
}

// Written down once in a release: what is only observed, and what would be done in `mode: observe`.
bool NoteOnce(Context& c, const std::string& what, const std::string& text,
              std::vector<Signal> signals) {
  const std::string name = Abbreviate(what, kMaxName);
  const auto& known = c.rel().observed;
  if (known.size() >= kMaxObserved || std::find(known.begin(), known.end(), name) != known.end()) {
    return false;
  }
  c.EditRelease().observed.push_back(name);
  c.Decide(Verdict::kHold, text, "rollguard", std::move(signals));
  return true;
}

void NoteObserved(Context& c, const std::vector<Signal>& firing) {
  for (const Signal& signal : firing) {
    if (signal.action != spec::TriggerAction::kObserve) continue;
    NoteOnce(c, signal.name, StrCat("observed only: ", signal.reason), {signal});
  }
}

void PauseBySignal(Context& c, const std::vector<Signal>& firing) {
  if (c.rel().paused) return;
  for (const Signal& signal : firing) {
    if (signal.action != spec::TriggerAction::kPause) continue;
    if (c.rel().resumed_at && (!signal.since || *signal.since <= *c.rel().resumed_at)) continue;
    if (c.observing()) {
      NoteOnce(c, signal.name, StrCat("would pause: ", signal.reason), {signal});
      continue;
    }
    c.EditRelease().paused = true;
    c.EditRelease().pause_reason = signal.reason;
    c.Decide(Verdict::kPause, StrCat("paused: ", signal.reason), "rollguard", {signal});
    c.Tell("paused", signal.severity, StrCat("paused: ", signal.reason));
    return;
  }
}

void JudgeBlind(Context& c) {
  if (c.obs.blind.empty()) {
    if (c.rel().blind_since) c.EditRelease().blind_since.reset();
    return;
  }
  if (!c.rel().blind_since) c.EditRelease().blind_since = c.obs.now;
  const Time due = *c.rel().blind_since + c.guard.blind.after;
  if (c.obs.now < due) {
    c.Wake(due);
    return;
  }
  const std::string reason = StrCat("blind: ", c.obs.blind);
  switch (c.guard.blind.then) {
    case spec::Blind::Then::kHold: return;
    case spec::Blind::Then::kPause:
      if (c.rel().paused || (c.rel().resumed_at && *c.rel().resumed_at >= *c.rel().blind_since)) {
        return;
      }
      if (c.observing()) {
        NoteOnce(c, "blind", StrCat("would pause: ", reason), {});
        return;
      }
      c.EditRelease().paused = true;
      c.EditRelease().pause_reason = reason;
      c.Decide(Verdict::kPause, reason);
      c.Tell("blind", spec::RuleSeverity::kHigh, reason);
      return;
    case spec::Blind::Then::kRollback:
      BeginRollback(c, reason, "rollguard", {}, false, false);
      return;
  }
}

bool LookIsDue(const Context& c, bool soft) {
  if (!c.state().last_look) return soft || c.obs.health.score.has_value();
  if (c.obs.health.score && c.obs.health.at > *c.state().last_look) return true;
  return soft && c.obs.now - *c.state().last_look >= kLook;
}

void Weigh(Context& c, std::vector<Signal> soft) {
  if (!LookIsDue(c, !soft.empty())) {
    if (!soft.empty()) c.Wake(*c.state().last_look + kLook);
    return;
  }
  GuardState& state = c.Edit();
  state.last_look = c.obs.now;
  state.scores.push_back(c.obs.health.score.value_or(1.0));
  if (state.scores.size() > GuardState::kMaxScores) state.scores.erase(state.scores.begin());
  analysis::ConfidenceInput input;
  input.health = state.scores.back();
  input.scores = state.scores;
  input.consecutive_before = state.confident_looks;
  for (const Signal& s : soft) input.severity = std::max(input.severity, WeightOf(s.severity));
  const auto result = analysis::WeighConfidence(c.guard.confidence, input);
  state.confident_looks = result.consecutive;
  if (!soft.empty()) c.Wake(c.obs.now + kLook);
  if (result.advice == analysis::Advice::kMonitor) return;
  ConfidenceParts parts{result.value,         result.health_part,     result.trend_part,
                        result.severity_part, result.trend.r_squared, result.consecutive};
  std::string text = StrCat("confidence that it is bad ", Format("%.2f", result.value),
                            " (threshold ", FormatNumber(c.guard.confidence.threshold), ")");
  if (result.advice == analysis::Advice::kInvestigate) {
    c.Wait(StrCat("investigate: ", text));
    return;
  }
  const bool at_fault = IsAtFault(c, soft);
  BeginRollback(c, text, "rollguard", std::move(soft), at_fault, false);
  for (Action& action : c.out().actions) {
    if (auto* record = std::get_if<RecordDecision>(&action)) {
      if (record->decision.verdict == Verdict::kRollBack) record->decision.confidence = parts;
    }
  }
}

}  // namespace

void WatchProgress(Context& c, int64_t mark, bool complete) {
  const ReleaseState& rel = c.rel();
  if (complete) {
    if (rel.progress_mark >= 0) c.EditRelease().progress_mark = -1;
    return;
  }
  if (rel.progress_mark != mark || !rel.progress_at) {
    c.EditRelease().progress_mark = mark;
    c.EditRelease().progress_at = c.obs.now;
  }
  c.Wake(*c.rel().progress_at + c.guard.progress_deadline);
}

namespace {

bool Overdue(const Context& c) {
  const ReleaseState& rel = c.rel();
  return rel.progress_at && rel.progress_mark >= 0 &&
         c.obs.now - *rel.progress_at >= c.guard.progress_deadline;
}

}  // namespace

void AllowTime(Context& c) {
  if (Overdue(c)) c.EditRelease().progress_at = c.obs.now;
}

bool JudgeProgress(Context& c) {
  if (!Overdue(c)) return false;
  const std::string& problem = c.obs.candidate_pods.problem;
  Signal signal =
      WorkloadSignal("ProgressDeadline", StrCat("the workload came no nearer for ",
                                                FormatShortDuration(c.guard.progress_deadline),
                                                problem.empty() ? "" : ": ", problem));
  const std::string reason = signal.reason;
  const Phase before = c.state().phase;
  BeginRollback(c, reason, "rollguard", {std::move(signal)}, true, false);
  return c.state().phase != before;
}

void EnsureBackground(Context& c) {
  if (c.plan.background == nullptr) return;
  if (static_cast<int64_t>(c.rel().step) < c.plan.background->starting_step &&
      c.state().phase == Phase::kProgressing) {
    return;
  }
  if (c.rel().background_run.empty()) {
    c.EditRelease().background_run = StrCat(c.rel().id, "-bg-", c.rel().background_attempt);
  }
  if (c.obs.FindRun(c.rel().background_run) != nullptr) return;
  c.Do(StartAnalysis{c.rel().background_run, *c.plan.background, "background", true, StableHash(c),
                     CandidateHash(c)});
}

std::vector<std::string> HoldReasons(const Context& c) {
  std::vector<std::string> reasons;
  if (c.rel().paused) reasons.push_back(StrCat("paused: ", c.rel().pause_reason));
  if (WayBack(c, c.rel().candidate)) return reasons;
  if (!c.obs.blind.empty()) reasons.push_back(StrCat("blind: ", c.obs.blind));
  if (!c.obs.start.frozen.empty()) reasons.push_back(StrCat("frozen: ", c.obs.start.frozen));
  if (!c.obs.start.fleet.empty()) reasons.push_back(c.obs.start.fleet);
  for (const Signal& signal : c.obs.signals) {
    if (signal.action == spec::TriggerAction::kObserve) continue;
    if (signal.state == Signal::State::kNoData || signal.state == Signal::State::kError) {
      const bool named = signal.reason.starts_with(signal.name);
      reasons.push_back(named ? signal.reason : StrCat(signal.name, ": ", signal.reason));
    }
  }
  return reasons;
}

namespace {

// Another guard with the same concurrency key asks for the place. Once production is being moved
// over, or when there is no way back, it waits instead.
bool GivesWay(Context& c) {
  const bool late = c.state().phase == Phase::kPromoting ||
                    (c.state().phase == Phase::kHeld && c.rel().held_from == Phase::kPromoting);
  if (c.obs.start.superseded_by.empty() || late || c.observing() || Irreversible(c)) return false;
  c.Edit().yielded = c.rel().candidate;
  BeginRollback(c, StrCat("gives way to ", c.obs.start.superseded_by), "rollguard", {}, false,
                true);
  return true;
}

}  // namespace

void Judge(Context& c) {
  if (GivesWay(c)) return;
  if (c.obs.start.frozen_until) c.Wake(*c.obs.start.frozen_until);
  EnsureBackground(c);
  std::vector<Signal> firing = Firing(c);
  NoteObserved(c, firing);
  std::vector<Signal> hard;
  std::vector<Signal> soft;
  for (const Signal& signal : firing) {
    if (signal.action != spec::TriggerAction::kRollback) continue;
    (signal.Hard() ? hard : soft).push_back(signal);
  }
  if (!hard.empty()) {
    const bool at_fault = IsAtFault(c, hard);
    const std::string reason =
        StrCat(hard.front().reason, at_fault ? "" : "; a newer version ran by then");
    BeginRollback(c, reason, "rollguard", std::move(hard), at_fault, false);
    return;
  }
  PauseBySignal(c, firing);
  JudgeBlind(c);
  if (c.state().phase == Phase::kRollingBack || c.state().phase == Phase::kHeld) return;
  Weigh(c, std::move(soft));
}

}  // namespace rollguard::release
