// SPDX-License-Identifier: Apache-2.0
// An analysis run: what it was created with (frozen), where it stands, when it measures next, and
// what its measurements make of it. Pure: time comes in, requests go out, answers come back.
//
//   Expected<Run> run = CreateRun(options, now);
//   while (!IsCompleted(run->state.phase)) {
//     for (size_t metric : DueMetrics(*run, now)) {
//       Begin(*run, metric, now);
//       Expected<Request> request = MakeRequest(*run, metric, secrets, now);  // carried out by an
//       edge
//       ... Finish(*run, metric, answer, now)   or   FinishJob(*run, metric, succeeded, message,
//       now)
//     }
//     now = *NextDue(*run);
//   }
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/analysis/answer.h"
#include "agent/analysis/request.h"
#include "agent/analysis/verdict.h"
#include "agent/base/json.h"
#include "agent/base/time.h"
#include "agent/spec/analysis_template.h"

namespace rollguard::analysis {

// One metric, arguments substituted. For what comes from a secret a mark stands, until a request is
// made.
struct RunMetric {
  spec::Metric metric;
  yaml::Node tree;  // what `metric` was loaded from: the frozen form
  Conditions conditions;
  bool dry_run = false;
  int64_t retention = 10;
};

struct SecretArgument {
  std::string name;  // of the argument
  spec::SecretKeyRef ref;
};

struct RunSpec {
  std::string ns;
  std::vector<RunMetric> metrics;
  std::vector<SecretArgument> secrets;
};

struct Measurement {
  Phase phase = Phase::kRunning;
  std::string value;  // as shown, secrets redacted
  std::string message;
  std::string query;
  std::vector<std::string> warnings;
  Time started{};
  Time finished{};
};

struct MetricState {
  std::string name;
  bool dry_run = false;
  Phase phase = Phase::kPending;
  std::string message;
  int64_t count = 0;  // successful + failed + inconclusive
  int64_t successful = 0;
  int64_t failed = 0;
  int64_t inconclusive = 0;
  int64_t error = 0;
  int64_t consecutive_error = 0;
  int64_t consecutive_success = 0;
  std::vector<Measurement> measurements;  // the last `retention` ones, oldest first
  bool in_flight = false;
  Time begun{};  // of the one in flight
  std::optional<Time> last_finished;
  bool last_was_error = false;
};

struct RunState {
  Phase phase = Phase::kPending;
  std::string message;  // of a run that failed: metric, phase, counter and limit, last error
  Time started{};
  std::optional<Time> finished;
  bool ending = false;               // asked to end; see also Terminate
  bool broken = false;               // cannot go on: see FailRun
  std::vector<MetricState> metrics;  // in the order of RunSpec::metrics
};

struct Run {
  RunSpec spec;
  RunState state;
};

// Where templates are found. The caller tries nothing itself: `find(name, cluster_scope)`.
using TemplateLookup =
    std::function<const spec::AnalysisTemplate*(std::string_view name, bool cluster_scope)>;

struct RunOptions {
  std::string ns;
  std::vector<spec::TemplateRef> templates;
  // The caller's values. field_path and pod_template_hash are resolved with `guard`, the hashes
  // below; secrets with the edges' help at each measurement.
  std::vector<spec::ArgumentValue> args;
  std::vector<std::string> dry_run;
  std::vector<spec::MeasurementRetention> retention;
  TemplateLookup find;
  Json guard;               // {metadata, spec, status}: what fieldRef points into
  std::string stable_hash;  // podTemplateHashValue: Stable
  std::string latest_hash;  // podTemplateHashValue: Latest
  bool must_end = false;    // an inline step: a metric without end is refused
};

// Everything wrong with it in one message (kInvalid), the first problem first.
Expected<Run> CreateRun(const RunOptions& options, Time now);

// The run as it is when it could not be created: phase Error with that message.
Run FailedRun(std::string message, Time now);

// Metrics that should be measured now, and when the next one is due (nothing: the run is completed,
// ending, or waits for answers only).
std::vector<size_t> DueMetrics(const Run& run, Time now);
std::optional<Time> NextDue(const Run& run);

// The values of a run's secret arguments, by argument name.
using SecretValues = std::vector<std::pair<std::string, std::string>>;

// The request of a metric. An error when a secret is missing (then call FailRun) or the query's
// range does not evaluate.
Expected<Request> MakeRequest(const Run& run, size_t metric, const SecretValues& secrets, Time now);

void Begin(Run& run, size_t metric, Time now);
// The answer, or why there is none. `secrets` are redacted in everything that is kept.
void Finish(Run& run, size_t metric, const Expected<Answer>& answer, Time now,
            const SecretValues& secrets = {});
// A Job has ended; or could not be watched to its end (an Error).
void FinishJob(Run& run, size_t metric, const Expected<bool>& succeeded, const std::string& message,
               Time now);

// Asks the run to end: nothing new is measured, what is in flight is waited for.
void Terminate(Run& run, Time now);
// Ends it at once as Error: a missing secret, a template that cannot be used.
void FailRun(Run& run, std::string message, Time now);

// What a finished run means for its release.
enum class Outcome { kNone, kContinue, kHold, kRollBack };
Outcome OutcomeOf(const Run& run);

// "***" for every occurrence of a secret's value (shorter than 1 byte: never).
std::string Redact(std::string_view text, const SecretValues& secrets);

// The state as it is kept in an object's status, and back; unknown members are ignored.
Json ToJson(const RunState& state);
RunState RunStateFromJson(const Json& json);
// The frozen spec, so that a run goes on after a restart as it was created.
Json ToJson(const RunSpec& spec);
Expected<RunSpec> RunSpecFromJson(const Json& json);

}  // namespace rollguard::analysis
