// SPDX-License-Identifier: Apache-2.0
// How a release runs: the strategies of a guard and the steps of a canary. Sugar (`phases`,
// `stepWeight`, `stepWeights`) is already compiled into steps here.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/base/json.h"
#include "agent/spec/routing.h"
#include "agent/spec/values.h"

namespace rollguard::spec {

// A value for a template's argument.
struct ArgumentValue {
  std::string name;
  std::optional<std::string> value;
  std::optional<std::string> field_path;         // valueFrom.fieldRef.fieldPath, into the guard
  std::optional<std::string> pod_template_hash;  // "Stable" or "Latest"
  std::optional<SecretKeyRef> secret;            // only in a template's own args
  SourceSpan span;
};

struct TemplateRef {
  std::string name;
  bool cluster_scope = false;
  SourceSpan span;
};

struct MeasurementRetention {
  std::string metric;  // unanchored regular expression
  int64_t limit = 10;
  SourceSpan span;
};

// Which templates to run, as in an Argo Rollout.
struct AnalysisRef {
  std::vector<TemplateRef> templates;
  std::vector<ArgumentValue> args;
  std::vector<std::string> dry_run;  // metric names, unanchored regular expressions
  std::vector<MeasurementRetention> retention;
  int64_t starting_step = 0;  // background only: from this step on
  SourceSpan span;
};

// Who must say yes.
struct Approval {
  enum class OnTimeout { kHold, kRollback, kPromote };
  int64_t required = 1;
  std::vector<std::string> groups;  // empty: anyone with the verb `approve`
  std::optional<Duration> timeout;  // absent: waits for ever
  OnTimeout on_timeout = OnTimeout::kRollback;
};

// A Kubernetes Job that must succeed.
struct Hook {
  enum class OnFailure { kFail, kIgnore };
  std::string name;
  Json job;                   // a Job's spec; null when `from_cron_job` is set
  std::string from_cron_job;  // take the Job from this CronJob's template
  Duration timeout = std::chrono::minutes(10);
  OnFailure on_failure = OnFailure::kFail;
  SourceSpan span;
};

// An HTTP service that is asked whether to go on: 2xx yes, anything else not yet.
struct WebhookGate {
  std::string url;
  StringMap headers;
  Duration interval = std::chrono::seconds(10);
  Duration request_timeout = std::chrono::seconds(10);
  std::optional<Duration> timeout;  // give up and roll back; absent: waits for ever
};

struct HeaderMatch {
  std::string name;
  StringMatch value;
};

// All parts of one match must hold; of several matches one suffices.
struct RequestMatch {
  std::optional<StringMatch> method;
  std::optional<StringMatch> path;
  std::vector<HeaderMatch> headers;
  std::vector<HeaderMatch> cookies;
  std::vector<HeaderMatch> query;
  bool empty() const {
    return !method && !path && headers.empty() && cookies.empty() && query.empty();
  }
};

struct SetWeight {
  int64_t percent = 0;
};
struct Pause {
  std::optional<Duration> duration;  // absent: until a person says `promote`
};
// Exactly one: a number, a share of the target's size, or back to following the weight.
struct SetCandidateScale {
  std::optional<int64_t> replicas;
  std::optional<int64_t> weight;
  bool match_traffic_weight = false;
};
struct RunAnalysis {
  AnalysisRef analysis;
};
struct SetHeaderRoute {
  std::string name;
  std::vector<RequestMatch> match;  // empty: remove the route of this name
};
struct SetMirrorRoute {
  std::string name;
  int64_t percent = 100;
  std::vector<RequestMatch> match;  // empty, and percent 0: remove
};
struct WaitForApproval {
  Approval approval;
};
struct RunHook {
  Hook hook;
};
struct WaitForHealth {
  double min_score = 0.9;
  Duration hold{0};                 // `for`: the score must stay there this long
  std::optional<Duration> timeout;  // absent: the guard's progressDeadline
};
struct AskGate {
  WebhookGate gate;
};

using StepAction = std::variant<SetWeight, Pause, SetCandidateScale, RunAnalysis, SetHeaderRoute,
                                SetMirrorRoute, WaitForApproval, RunHook, WaitForHealth, AskGate>;

struct Step {
  std::string name;  // from a phase, or empty
  StepAction action;
  SourceSpan span;
};

// "setWeight", "pause", ...: the key a step is written with.
const char* NameOf(const StepAction& action);

// A second Deployment that somebody else manages, instead of a clone of the target.
struct CandidateRef {
  std::string deployment;  // empty: clone
};

struct RollingStrategy {
  enum class Admission { kHold, kObserve };
  Admission admission = Admission::kHold;
  std::optional<AnalysisRef> analysis;
};

struct CanaryStrategy {
  std::vector<Routing> routing;  // empty: replica ratio
  std::string stable_service;
  std::string candidate_service;
  CandidateRef candidate;
  std::vector<Step> steps;
  std::optional<AnalysisRef> analysis;  // in the background until the end of the bake
  std::optional<IntOrPercent> max_surge;
  int64_t min_replicas = 1;  // of a track that gets traffic
  Duration abort_scale_down_delay = std::chrono::seconds(30);
  Duration scale_down_delay = std::chrono::seconds(30);
};

struct BlueGreenStrategy {
  std::vector<Routing> routing;  // empty: the active Service's selector
  std::string active_service;
  std::string preview_service;
  CandidateRef candidate;
  std::optional<int64_t> preview_replicas;
  bool auto_promotion = true;
  std::optional<Duration> auto_promotion_after;  // wait this long before switching by itself
  std::optional<Approval> approval;
  std::optional<AnalysisRef> pre_promotion;
  std::optional<AnalysisRef> post_promotion;
  std::optional<AnalysisRef> analysis;
  std::optional<Duration> scale_down_delay;  // absent: right after the bake
};

struct AbTestStrategy {
  std::vector<Routing> routing;
  std::string stable_service;
  std::string candidate_service;
  CandidateRef candidate;
  std::vector<RequestMatch> match;
  int64_t iterations = 10;
  Duration interval = std::chrono::minutes(1);
  std::optional<AnalysisRef> analysis;
};

struct MirrorStrategy {
  std::vector<Routing> routing;
  std::string stable_service;
  std::string candidate_service;
  CandidateRef candidate;
  int64_t percent = 100;
  std::vector<RequestMatch> match;
  Duration duration = std::chrono::minutes(10);
  std::optional<AnalysisRef> analysis;
  std::vector<Step> steps;  // afterwards, as in a canary; empty: promote
};

struct ExternalStrategy {
  enum class Controller { kArgo, kFlagger };
  enum class OnBad { kAbort, kUndo, kPause };
  Controller controller = Controller::kArgo;
  OnBad on_bad = OnBad::kAbort;
  bool promote = false;  // also say go when all is well
  std::optional<AnalysisRef> analysis;
};

using Strategy = std::variant<RollingStrategy, CanaryStrategy, BlueGreenStrategy, AbTestStrategy,
                              MirrorStrategy, ExternalStrategy>;

// "rolling", "canary", "blueGreen", "abTest", "mirror", "external".
const char* NameOf(const Strategy& strategy);

// The background analysis of any strategy; nullptr when there is none.
const AnalysisRef* BackgroundAnalysis(const Strategy& strategy);
// The routers of any strategy; empty for rolling and external.
const std::vector<Routing>& RoutingOf(const Strategy& strategy);

}  // namespace rollguard::spec
