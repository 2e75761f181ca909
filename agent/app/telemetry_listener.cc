// SPDX-License-Identifier: Apache-2.0
// Gauges are set from what a look saw; counters rise with what was decided and with what changed
// between two states. Series of a release go when it ends, series of a guard when it goes.
#include "agent/app/telemetry_listener.h"

#include <algorithm>
#include <cmath>

#include "agent/analysis/score.h"
#include "agent/base/text.h"

namespace rollguard::app {
namespace {

using release::GuardState;
using telemetry::Metric;
using telemetry::Metrics;

constexpr std::string_view kCandidate = "candidate";
constexpr std::string_view kStable = "stable";
constexpr std::string_view kFiring = "firing";
constexpr std::string_view kOwnActor = "rollguard";

// Series that speak of a running release only.
constexpr Metric kOfRelease[] = {
    Metric::kReleaseInfo,         Metric::kReleaseStarted,       Metric::kReleaseWeight,
    Metric::kReleaseWantedWeight, Metric::kReleaseStep,          Metric::kReleaseSteps,
    Metric::kReleasePods,         Metric::kConfidence,           Metric::kConfidencePart,
    Metric::kMeasurementValue,    Metric::kMeasurementThreshold, Metric::kRuleState,
    Metric::kComparisonEvidence,  Metric::kComparisonLimit,      Metric::kSignalsFiring,
    Metric::kApprovalsWaiting,
};

double Seconds(Time at) { return static_cast<double>(ToUnixMillis(at)) / 1000; }

// "namespace/name" in its two parts.
std::pair<std::string_view, std::string_view> PartsOf(const std::string& guard) {
  size_t slash = guard.find('/');
  if (slash == std::string::npos) return {"", guard};
  return {std::string_view(guard).substr(0, slash), std::string_view(guard).substr(slash + 1)};
}

// A release counts once it has begun: one that is only seen has no candidate with pods.
bool Runs(const GuardState& state) {
  return state.release.has_value() && state.phase != release::Phase::kPending;
}

const std::vector<spec::Step>* StepsOf(const spec::Guard& guard) {
  if (const auto* canary = std::get_if<spec::CanaryStrategy>(&guard.strategy))
    return &canary->steps;
  if (const auto* mirror = std::get_if<spec::MirrorStrategy>(&guard.strategy))
    return &mirror->steps;
  return nullptr;
}

// Votes the release waits for: at an approval step, or before a rollback that asks people.
int64_t ApprovalsWanted(const spec::Guard& guard, const release::ReleaseState& rel) {
  auto missing = [&](const spec::Approval& approval) {
    return std::max<int64_t>(0, approval.required - static_cast<int64_t>(rel.scratch.votes.size()));
  };
  if (rel.awaiting_approval) return missing(guard.rollback.approval);
  const std::vector<spec::Step>* steps = StepsOf(guard);
  if (steps == nullptr || rel.step >= steps->size() || rel.scratch.confirmed) return 0;
  const auto* step = std::get_if<spec::WaitForApproval>(&(*steps)[rel.step].action);
  return step == nullptr ? 0 : missing(step->approval);
}

bool Soft(const release::Signal& signal) {
  return signal.state == release::Signal::State::kFiring && !signal.pre_existing &&
         signal.action == spec::TriggerAction::kRollback && !signal.Hard();
}

analysis::ConfidenceResult Weigh(const spec::Guard& guard, const GuardState& state,
                                 const release::Observation& observation) {
  analysis::ConfidenceInput input;
  input.scores = state.scores;
  if (!state.scores.empty()) input.health = state.scores.back();
  for (const release::Signal& signal : observation.signals) {
    if (Soft(signal)) input.severity = std::max(input.severity, spec::WeightOf(signal.severity));
  }
  return analysis::WeighConfidence(guard.confidence, input);
}

std::string_view StateOf(const RuleReading& reading) {
  if (reading.compare == nullptr) return analysis::ToString(reading.state->phase);
  if (reading.compare->alarmed) return kFiring;
  return analysis::ToString(reading.compare->no_data ? analysis::RulePhase::kNoData
                                                     : analysis::RulePhase::kInactive);
}

// The signal that a decision is told by: the first that fires.
const release::Signal* Cause(const release::Decision& decision) {
  for (const release::Signal& signal : decision.signals) {
    if (signal.state == release::Signal::State::kFiring) return &signal;
  }
  return decision.signals.empty() ? nullptr : &decision.signals.front();
}

class GuardSeries {
 public:
  GuardSeries(Metrics& metrics, std::string_view ns, std::string_view name)
      : metrics_(metrics), ns_(ns), name_(name) {}

  void Set(Metric metric, double value) { metrics_.GaugeOf(metric, {ns_, name_}).Set(value); }
  void Set(Metric metric, std::string_view label, double value) {
    metrics_.GaugeOf(metric, {ns_, name_, label}).Set(value);
  }
  void Set(Metric metric, std::string_view one, std::string_view two, double value) {
    metrics_.GaugeOf(metric, {ns_, name_, one, two}).Set(value);
  }
  // The metric keeps this one series of the guard.
  void SetOnly(Metric metric, std::string_view label) {
    metrics_.Remove(metric, {ns_, name_});
    Set(metric, label, 1);
  }
  void Remove(Metric metric) { metrics_.Remove(metric, {ns_, name_}); }
  void Remove(Metric metric, std::string_view label) {
    metrics_.Remove(metric, {ns_, name_, label});
  }
  void Count(Metric metric, std::string_view label) {
    metrics_.CounterOf(metric, {ns_, name_, label}).Add();
  }
  void Count(Metric metric, std::string_view one, std::string_view two) {
    metrics_.CounterOf(metric, {ns_, name_, one, two}).Add();
  }

  void ShowInfo(const spec::Guard& guard);
  void ShowConditions(const GuardState& state);
  void ShowRelease(const spec::Guard& guard, const GuardState& state,
                   const release::Observation& observation);
  void BeginCounters();
  void ShowSignals(const std::vector<release::Signal>& signals);
  void ShowHealth(std::string_view track, const release::HealthView& health);

 private:
  Metrics& metrics_;
  std::string_view ns_, name_;
};

void GuardSeries::ShowInfo(const spec::Guard& guard) {
  Remove(Metric::kGuardInfo);
  metrics_
      .GaugeOf(Metric::kGuardInfo, {ns_, name_, guard.target.kind, guard.target.name,
                                    spec::NameOf(guard.strategy), spec::ToString(guard.mode)})
      .Set(1.0);
}

void GuardSeries::ShowConditions(const GuardState& state) {
  for (const release::Condition& condition : state.conditions) {
    if (condition.type == "RollbackReady") {
      Set(Metric::kRollbackReady, condition.status ? 1 : 0);
    } else if (condition.status) {
      Set(Metric::kGuardCondition, condition.type, 1);
    } else {
      Remove(Metric::kGuardCondition, condition.type);
    }
  }
}

// A counter that is born with its first event is not seen to rise: those that people are alerted by
// or count outcomes with are there from the release's start.
void GuardSeries::BeginCounters() {
  for (const char* outcome : {"promoted", "rolledBack"})
    metrics_.CounterOf(Metric::kReleases, {ns_, name_, outcome});
  for (const char* event : {"limited", "rollbackFailed", "notTheCause"})
    metrics_.CounterOf(Metric::kNotices, {ns_, name_, event});
  for (const char* reason : {"rule", "alert", "analysis", "health", "workload", "person"})
    metrics_.CounterOf(Metric::kDecisions, {ns_, name_, "rollback", reason});
  for (const char* action : {"start", "advance", "promote", "complete"})
    metrics_.CounterOf(Metric::kDecisions, {ns_, name_, action, "plan"});
}

void GuardSeries::ShowSignals(const std::vector<release::Signal>& signals) {
  Remove(Metric::kSignalsFiring);
  for (const char* source : {"rule", "alert"}) Set(Metric::kSignalsFiring, source, 0);
  for (const release::Signal& signal : signals) {
    if (signal.state != release::Signal::State::kFiring || signal.pre_existing) continue;
    metrics_.GaugeOf(Metric::kSignalsFiring, {ns_, name_, release::ToString(signal.source)}).Add(1);
  }
}

void GuardSeries::ShowHealth(std::string_view track, const release::HealthView& health) {
  if (health.score) {
    Set(Metric::kHealthScore, track, *health.score);
  } else {
    Remove(Metric::kHealthScore, track);
  }
}

void GuardSeries::ShowRelease(const spec::Guard& guard, const GuardState& state,
                              const release::Observation& observation) {
  const release::ReleaseState& rel = *state.release;
  metrics_.GaugeOf(Metric::kReleaseInfo, {ns_, name_, rel.id, rel.candidate, rel.stable}).Set(1.0);
  Set(Metric::kReleaseStarted, Seconds(rel.started));
  Set(Metric::kReleaseWeight, static_cast<double>(rel.weight) / 100);
  Set(Metric::kReleaseWantedWeight, static_cast<double>(rel.wanted.candidate) / 100);
  const std::vector<spec::Step>* steps = StepsOf(guard);
  Set(Metric::kReleaseStep, static_cast<double>(rel.step + 1));
  Set(Metric::kReleaseSteps, steps == nullptr ? 0 : static_cast<double>(steps->size()));
  Set(Metric::kApprovalsWaiting, static_cast<double>(ApprovalsWanted(guard, rel)));
  for (const auto& [track, pods] : {std::pair(kCandidate, &observation.candidate_pods),
                                    std::pair(kStable, &observation.stable_pods)}) {
    Set(Metric::kReleasePods, track, "total", static_cast<double>(pods->total));
    Set(Metric::kReleasePods, track, "ready", static_cast<double>(pods->ready));
  }
  ShowSignals(observation.signals);
  const analysis::ConfidenceResult weighed = Weigh(guard, state, observation);
  Set(Metric::kConfidence, weighed.value);
  Set(Metric::kConfidencePart, "health", weighed.health_part);
  Set(Metric::kConfidencePart, "trend", weighed.trend_part);
  Set(Metric::kConfidencePart, "severity", weighed.severity_part);
}

}  // namespace

TelemetryListener::TelemetryListener(Metrics& metrics, const Clock& clock)
    : metrics_(metrics), clock_(clock) {
  for (const char* outcome : {"promoted", "rolledBack", "rejected", "superseded", "failed"})
    metrics_.HistogramOf(Metric::kReleaseDuration, {outcome});
  for (Metric metric : {Metric::kRestoreDuration, Metric::kAlertToPatch, Metric::kBreachToPatch})
    metrics_.HistogramOf(metric);
  metrics_.GaugeOf(Metric::kAlertsFiring).Set(0.0);
}

void TelemetryListener::Show(const spec::Guard& guard, const GuardState& state,
                             const release::Observation& observation) {
  GuardSeries series(metrics_, guard.metadata.ns, guard.metadata.name);
  Known& known = known_[guard.Id()];
  if (known.phase != state.phase) {
    // After a restart the last decision is the best that is known of when the phase began.
    const bool first = !known.phase.has_value();
    known.phase = state.phase;
    series.SetOnly(Metric::kGuardPhase, release::ToString(state.phase));
    series.Set(
        Metric::kGuardPhaseSince,
        Seconds(first && !state.decisions.empty() ? state.decisions.back().at : observation.now));
  }
  const std::pair spec_version(guard.metadata.generation, guard.strategy.index());
  if (known.spec_version != spec_version) {
    known.spec_version = spec_version;
    series.ShowInfo(guard);
  }
  series.ShowConditions(state);
  series.ShowHealth(kStable, observation.stable_health);
  if (Runs(state)) {
    if (known.release != state.release->id) {
      known.release = state.release->id;
      EndRelease(guard.metadata.ns, guard.metadata.name);
      series.BeginCounters();
    }
    if (const auto& trigger = state.release->trigger)
      known.trigger = trigger->signals.empty() ? trigger->actor : trigger->signals.front();
    series.ShowHealth(kCandidate, observation.health);
    series.ShowRelease(guard, state, observation);
  } else if (!known.release.empty()) {
    known.release.clear();
    EndRelease(guard.metadata.ns, guard.metadata.name);
  }
}

void TelemetryListener::EndRelease(std::string_view ns, std::string_view name) {
  for (Metric metric : kOfRelease) metrics_.Remove(metric, {ns, name});
  metrics_.Remove(Metric::kHealthScore, {ns, name, kCandidate});
}

void TelemetryListener::Follow(const GuardView& view) {
  metrics_.CounterOf(Metric::kLooks).Add();
  Show(view.guard, view.state, view.observation);
}

void TelemetryListener::Forget(const std::string& guard) { Removed(guard); }

void TelemetryListener::Removed(const std::string& guard) {
  auto [ns, name] = PartsOf(guard);
  metrics_.RemoveGuard(ns, name);
  known_.erase(guard);
}

void TelemetryListener::Decided(const spec::Guard& guard, const release::Decision& decision) {
  auto known = known_.find(guard.Id());
  if (known == known_.end()) return;
  GuardSeries series(metrics_, guard.metadata.ns, guard.metadata.name);
  const release::Signal* cause = Cause(decision);
  std::string_view reason = decision.actor == kOwnActor ? "plan" : "person";
  if (cause != nullptr) reason = release::ToString(cause->source);
  series.Count(Metric::kDecisions, release::ToString(decision.verdict), reason);
  if (decision.verdict != release::Verdict::kRollBack) return;
  const auto now = clock_.Monotonic();
  known->second.rolled_back = now;
  series.Count(Metric::kRollbacks, reason, cause != nullptr ? cause->name : decision.actor);
  if (cause == nullptr) return;
  const bool by_alert = cause->source == release::Signal::Source::kAlert;
  const auto& marks = by_alert ? known->second.alerts : known->second.breaches;
  if (auto mark = marks.find(cause->name); mark != marks.end()) {
    metrics_.HistogramOf(by_alert ? Metric::kAlertToPatch : Metric::kBreachToPatch)
        .Observe(now - mark->second);
  }
}

void TelemetryListener::Changed(const spec::Guard& guard, const GuardState& before,
                                const GuardState& after, const release::Observation& observation) {
  Known& known = known_[guard.Id()];
  const bool began = after.release && (!before.release || before.release->id != after.release->id);
  if (began) {
    known.alerts.clear();
    known.breaches.clear();
    known.rolled_back.reset();
  }
  if (known.rolled_back && (!after.release || after.release->weight == 0)) {
    metrics_.HistogramOf(Metric::kRestoreDuration).Observe(clock_.Monotonic() - *known.rolled_back);
    known.rolled_back.reset();
  }
  if (after.last && (!before.last || before.last->at != after.last->at ||
                     before.last->release != after.last->release)) {
    CountEnd(guard, before, *after.last);
  }
  Show(guard, after, observation);
}

void TelemetryListener::CountEnd(const spec::Guard& guard, const GuardState& before,
                                 const release::LastOutcome& last) {
  GuardSeries series(metrics_, guard.metadata.ns, guard.metadata.name);
  series.Count(Metric::kReleases, last.outcome);
  if (before.release && before.release->id == last.release) {
    metrics_.HistogramOf(Metric::kReleaseDuration, {last.outcome})
        .Observe(last.at - before.release->started);
  }
}

void TelemetryListener::Told(const spec::Guard& guard, const release::Notify& notice) {
  auto known = known_.find(guard.Id());
  if (known == known_.end()) return;
  GuardSeries series(metrics_, guard.metadata.ns, guard.metadata.name);
  series.Count(Metric::kNotices, notice.event);
  if (notice.event == "verified" || notice.event == "notTheCause") {
    series.Count(Metric::kRollbackVerdicts, known->second.trigger,
                 notice.event == "verified" ? "confirmed" : "notTheCause");
  }
}

void TelemetryListener::OnRule(const RuleReading& reading) {
  auto known = known_.find(reading.guard);
  if (known == known_.end() || known->second.release != reading.release) return;
  const auto parts = PartsOf(reading.guard);
  const std::string_view ns = parts.first, name = parts.second;
  const std::string_view group = reading.group, rule = reading.rule->name;
  const std::string_view state = StateOf(reading);
  metrics_.Remove(Metric::kRuleState, {ns, name, group, rule});
  metrics_.GaugeOf(Metric::kRuleState, {ns, name, group, rule, state}).Set(1.0);
  metrics_.CounterOf(Metric::kRuleEvaluations, {ns, name, group, rule, state}).Add();
  if (state == kFiring) {
    known->second.breaches.try_emplace(reading.rule->name, clock_.Monotonic());
  } else {
    known->second.breaches.erase(reading.rule->name);
  }
  auto show = [&](std::string_view track, std::optional<double> value) {
    if (value && !std::isnan(*value)) {
      metrics_.GaugeOf(Metric::kMeasurementValue, {ns, name, group, rule, track}).Set(*value);
    } else {
      metrics_.Remove(Metric::kMeasurementValue, {ns, name, group, rule, track});
    }
  };
  if (reading.compare != nullptr) {
    show(kCandidate, reading.compare->candidate_value);
    show(kStable, reading.compare->stable_value);
    metrics_.GaugeOf(Metric::kComparisonEvidence, {ns, name, group, rule}).Set(reading.compare->e);
    if (reading.alpha > 0)
      metrics_.GaugeOf(Metric::kComparisonLimit, {ns, name, group, rule}).Set(1 / reading.alpha);
  } else {
    show(kCandidate, reading.state->value);
    if (reading.threshold) {
      metrics_.GaugeOf(Metric::kMeasurementThreshold, {ns, name, group, rule})
          .Set(reading.threshold->value);
    }
  }
}

void TelemetryListener::OnAlerts(const AlertDesk& desk, const std::vector<AlertReceipt>& receipts,
                                 std::chrono::nanoseconds arrived) {
  metrics_.GaugeOf(Metric::kAlertsFiring).Set(static_cast<double>(desk.firing()));
  for (const AlertReceipt& receipt : receipts) {
    metrics_.CounterOf(Metric::kAlerts, {alerts::ToString(receipt.disposition)}).Add();
    for (const alerts::Match& match : receipt.matches) {
      auto known = known_.find(match.guard);
      if (known == known_.end()) continue;
      if (match.disposition == alerts::Disposition::kTrigger) {
        known->second.alerts.try_emplace(receipt.alert.Name(), arrived);
      } else if (match.disposition == alerts::Disposition::kResolved) {
        known->second.alerts.erase(receipt.alert.Name());
      }
    }
  }
}

}  // namespace rollguard::app
