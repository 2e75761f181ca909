// SPDX-License-Identifier: Apache-2.0
#include "agent/analysis/run.h"

#include <algorithm>

#include "agent/analysis/assess.h"
#include "agent/base/text.h"

namespace rollguard::analysis {
namespace {

constexpr Duration kErrorRetry = std::chrono::seconds(10);

bool Active(const Run& run) { return !IsCompleted(run.state.phase) && !run.state.ending; }

// When a metric is next due, or nothing while it is in flight or done.
std::optional<Time> DueAt(const Run& run, size_t index) {
  const MetricState& state = run.state.metrics[index];
  const spec::Metric& metric = run.spec.metrics[index].metric;
  if (IsCompleted(state.phase) || state.in_flight) return std::nullopt;
  if (!state.last_finished) return run.state.started + metric.initial_delay;
  if (state.last_was_error) return *state.last_finished + kErrorRetry;
  return *state.last_finished + metric.interval.value_or(Duration(0));
}

void Count(MetricState& state, Phase phase) {
  switch (phase) {
    case Phase::kSuccessful: ++state.successful; break;
    case Phase::kFailed: ++state.failed; break;
    case Phase::kInconclusive: ++state.inconclusive; break;
    case Phase::kError: ++state.error; break;
    case Phase::kPending:
    case Phase::kRunning: break;
  }
  bool error = phase == Phase::kError;
  if (!error) ++state.count;
  state.consecutive_error = error ? state.consecutive_error + 1 : 0;
  state.consecutive_success = phase == Phase::kSuccessful ? state.consecutive_success + 1 : 0;
}

void Record(Run& run, size_t index, Measurement measurement, Time now) {
  if (index >= run.state.metrics.size()) return;
  MetricState& state = run.state.metrics[index];
  measurement.started = state.in_flight ? state.begun : now;
  measurement.finished = now;
  state.in_flight = false;
  state.last_finished = now;
  state.last_was_error = measurement.phase == Phase::kError;
  Count(state, measurement.phase);
  state.measurements.push_back(std::move(measurement));
  auto keep = static_cast<size_t>(std::max<int64_t>(run.spec.metrics[index].retention, 1));
  if (state.measurements.size() > keep) {
    state.measurements.erase(state.measurements.begin(),
                             state.measurements.end() - static_cast<std::ptrdiff_t>(keep));
  }
  Assess(run, now);
}

}  // namespace

Run FailedRun(std::string message, Time now) {
  Run run;
  run.state.phase = Phase::kError;
  run.state.broken = true;
  run.state.message = std::move(message);
  run.state.started = now;
  run.state.finished = now;
  return run;
}

std::vector<size_t> DueMetrics(const Run& run, Time now) {
  std::vector<size_t> due;
  if (!Active(run)) return due;
  for (size_t i = 0; i < run.state.metrics.size(); ++i) {
    auto at = DueAt(run, i);
    if (at && *at <= now) due.push_back(i);
  }
  return due;
}

std::optional<Time> NextDue(const Run& run) {
  std::optional<Time> next;
  if (!Active(run)) return next;
  for (size_t i = 0; i < run.state.metrics.size(); ++i) {
    auto at = DueAt(run, i);
    if (at && (!next || *at < *next)) next = at;
  }
  return next;
}

void Begin(Run& run, size_t metric, Time now) {
  run.state.metrics[metric].in_flight = true;
  run.state.metrics[metric].begun = now;
  Assess(run, now);
}

void Finish(Run& run, size_t metric, const Expected<Answer>& answer, Time now,
            const SecretValues& secrets) {
  Measurement measurement;
  if (!answer) {
    measurement.phase = Phase::kError;
    measurement.message = Redact(answer.error().message, secrets);
  } else {
    Verdict verdict = Judge(*answer, run.spec.metrics[metric].conditions, now);
    measurement.phase = verdict.phase;
    measurement.message = Redact(verdict.message, secrets);
    measurement.value = Redact(answer->shown, secrets);
    measurement.query = Redact(answer->query, secrets);
    for (const std::string& warning : answer->warnings)
      measurement.warnings.push_back(Redact(warning, secrets));
  }
  Record(run, metric, std::move(measurement), now);
}

void FinishJob(Run& run, size_t metric, const Expected<bool>& succeeded, const std::string& message,
               Time now) {
  Measurement measurement;
  measurement.message = succeeded ? message : succeeded.error().message;
  measurement.phase =
      !succeeded ? Phase::kError : (*succeeded ? Phase::kSuccessful : Phase::kFailed);
  Record(run, metric, std::move(measurement), now);
}

void Terminate(Run& run, Time now) {
  if (IsCompleted(run.state.phase)) return;
  run.state.ending = true;
  Assess(run, now);
}

void FailRun(Run& run, std::string message, Time now) {
  run.state.ending = true;
  run.state.phase = Phase::kError;
  run.state.message = std::move(message);
  run.state.broken = true;
  if (!run.state.finished) run.state.finished = now;
}

Outcome OutcomeOf(const Run& run) {
  switch (run.state.phase) {
    case Phase::kPending:
    case Phase::kRunning: return Outcome::kNone;
    case Phase::kSuccessful: return Outcome::kContinue;
    case Phase::kInconclusive: return Outcome::kHold;
    case Phase::kFailed:
    case Phase::kError: return Outcome::kRollBack;
  }
  return Outcome::kNone;
}

std::string Redact(std::string_view text, const SecretValues& secrets) {
  std::string out(text);
  for (const auto& secret : secrets) {
    if (!secret.second.empty()) out = ReplaceAll(out, secret.second, "***");
  }
  return out;
}

}  // namespace rollguard::analysis
