// SPDX-License-Identifier: Apache-2.0
// From counters to phases: a metric's, then the run's. The order of the tests is the contract.
#include "agent/analysis/assess.h"

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::analysis {
namespace {

std::string Passed(std::string_view counter, int64_t value, std::string_view limit, int64_t bound) {
  return StrCat(counter, " (", value, ") > ", limit, " (", bound, ")");
}

// The last error's text, which says more than the counter.
std::string WithLastError(std::string message, const MetricState& state) {
  for (auto m = state.measurements.rbegin(); m != state.measurements.rend(); ++m) {
    if (m->message.empty() || m->phase == Phase::kRunning) continue;
    return StrCat(message, ": ", Quote(StrCat("Error Message: ", m->message)));
  }
  return message;
}

// Which limit was passed; of several the last named wins.
std::optional<Phase> LimitPassed(const spec::Metric& metric, MetricState& state) {
  std::optional<Phase> phase;
  if (metric.failure_limit >= 0 && state.failed > metric.failure_limit) {
    phase = Phase::kFailed;
    state.message = Passed("failed", state.failed, "failureLimit", metric.failure_limit);
  }
  if (state.inconclusive > metric.inconclusive_limit) {
    phase = Phase::kInconclusive;
    state.message =
        Passed("inconclusive", state.inconclusive, "inconclusiveLimit", metric.inconclusive_limit);
  }
  if (state.consecutive_error > metric.consecutive_error_limit) {
    phase = Phase::kError;
    state.message = WithLastError(Passed("consecutiveErrors", state.consecutive_error,
                                         "consecutiveErrorLimit", metric.consecutive_error_limit),
                                  state);
  }
  return phase;
}

Phase AtCount(const spec::Metric& metric, MetricState& state) {
  bool wants_successes = metric.consecutive_success_limit > 0;
  if (metric.failure_limit < 0) {
    state.message =
        StrCat("consecutiveSuccess (", state.consecutive_success, ") < consecutiveSuccessLimit (",
               metric.consecutive_success_limit, ") after ", state.count, " measurements");
    return Phase::kFailed;
  }
  if (!wants_successes) return Phase::kSuccessful;
  state.message =
      StrCat("consecutiveSuccess (", state.consecutive_success, ") < consecutiveSuccessLimit (",
             metric.consecutive_success_limit, ") after ", state.count, " measurements");
  return Phase::kInconclusive;
}

Phase MetricPhase(const spec::Metric& metric, MetricState& state, bool ending) {
  if (IsCompleted(state.phase)) return state.phase;
  bool measured = state.count > 0 || state.error > 0 || state.in_flight;
  if (!measured) return ending ? Phase::kSuccessful : Phase::kPending;
  if (state.in_flight) return Phase::kRunning;
  if (auto passed = LimitPassed(metric, state)) return *passed;
  if (metric.consecutive_success_limit > 0 &&
      state.consecutive_success >= metric.consecutive_success_limit) {
    return Phase::kSuccessful;
  }
  int64_t wanted = metric.EffectiveCount();
  if (wanted > 0 && state.count >= wanted) return AtCount(metric, state);
  return ending ? Phase::kSuccessful : Phase::kRunning;
}

bool EndsRun(Phase phase) {
  return phase == Phase::kFailed || phase == Phase::kError || phase == Phase::kInconclusive;
}

int Badness(Phase phase) {
  switch (phase) {
    case Phase::kSuccessful: return 0;
    case Phase::kRunning: return 1;
    case Phase::kPending: return 2;
    case Phase::kInconclusive: return 3;
    case Phase::kError: return 4;
    case Phase::kFailed: return 5;
  }
  return 0;
}

// The worst of the completed metrics that count, or null.
const MetricState* Worst(const RunState& state) {
  const MetricState* worst = nullptr;
  for (const MetricState& m : state.metrics) {
    if (m.dry_run || !IsCompleted(m.phase)) continue;
    if (worst == nullptr || Badness(m.phase) > Badness(worst->phase)) worst = &m;
  }
  return worst;
}

bool Ending(const RunState& state) {
  return state.ending ||
         std::any_of(state.metrics.begin(), state.metrics.end(),
                     [](const MetricState& m) { return !m.dry_run && EndsRun(m.phase); });
}

void AssessMetrics(Run& run, bool ending) {
  for (size_t i = 0; i < run.state.metrics.size(); ++i) {
    MetricState& state = run.state.metrics[i];
    state.phase = MetricPhase(run.spec.metrics[i].metric, state, ending);
  }
}

}  // namespace

RunState FreshState(const RunSpec& spec, Time now) {
  RunState state;
  state.phase = Phase::kRunning;
  state.started = now;
  for (const RunMetric& m : spec.metrics) {
    MetricState metric;
    metric.name = m.metric.name;
    metric.dry_run = m.dry_run;
    state.metrics.push_back(std::move(metric));
  }
  return state;
}

void Assess(Run& run, Time now) {
  RunState& state = run.state;
  if (state.broken) return;
  AssessMetrics(run, Ending(state));
  bool ending = Ending(state);
  if (ending) AssessMetrics(run, true);
  bool all = std::all_of(state.metrics.begin(), state.metrics.end(),
                         [](const MetricState& m) { return IsCompleted(m.phase); });
  if (!ending && !all) {
    state.phase = Phase::kRunning;
    return;
  }
  const MetricState* worst = Worst(state);
  state.phase = worst == nullptr ? Phase::kSuccessful : worst->phase;
  state.message.clear();
  if (worst != nullptr && EndsRun(worst->phase)) {
    state.message = StrCat("Metric ", Quote(worst->name), " assessed ", ToString(worst->phase),
                           " due to ", worst->message);
  }
  if (!state.finished) state.finished = now;
}

}  // namespace rollguard::analysis
