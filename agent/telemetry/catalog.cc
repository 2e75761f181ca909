// SPDX-License-Identifier: Apache-2.0
// The table. Rows stand in the order of the enum; a test holds names, units and suffixes against
// `promtool check metrics` and the page in docs/ against what is printed from here.
#include "agent/telemetry/catalog.h"

#include <array>

#include "agent/base/text.h"

namespace rollguard::telemetry {
namespace {

using Names = std::string_view;
constexpr std::array<Names, 0> kNone{};
constexpr std::array<Names, 2> kGuard{"namespace", "guard"};
constexpr std::array<Names, 6> kInfo{"namespace", "guard", "kind", "workload", "strategy", "mode"};
constexpr std::array<Names, 3> kPhase{"namespace", "guard", "phase"};
constexpr std::array<Names, 3> kCondition{"namespace", "guard", "condition"};
constexpr std::array<Names, 5> kRelease{"namespace", "guard", "release", "candidate", "stable"};
constexpr std::array<Names, 4> kPods{"namespace", "guard", "track", "state"};
constexpr std::array<Names, 3> kTrack{"namespace", "guard", "track"};
constexpr std::array<Names, 3> kSignalSource{"namespace", "guard", "source"};
constexpr std::array<Names, 3> kPart{"namespace", "guard", "part"};
constexpr std::array<Names, 4> kRule{"namespace", "guard", "group", "rule"};
constexpr std::array<Names, 5> kRuleTrack{"namespace", "guard", "group", "rule", "track"};
constexpr std::array<Names, 5> kRuleInState{"namespace", "guard", "group", "rule", "state"};
constexpr std::array<Names, 3> kOutcome{"namespace", "guard", "outcome"};
constexpr std::array<Names, 4> kDecision{"namespace", "guard", "action", "reason"};
constexpr std::array<Names, 4> kRollback{"namespace", "guard", "reason", "trigger"};
constexpr std::array<Names, 4> kVerdict{"namespace", "guard", "trigger", "verdict"};
constexpr std::array<Names, 3> kEvent{"namespace", "guard", "event"};
constexpr std::array<Names, 1> kOutcomeOnly{"outcome"};
constexpr std::array<Names, 1> kDisposition{"disposition"};
constexpr std::array<Names, 1> kSource{"source"};
constexpr std::array<Names, 3> kCall{"verb", "resource", "code"};
constexpr std::array<Names, 1> kVerb{"verb"};
constexpr std::array<Names, 1> kResource{"resource"};
constexpr std::array<Names, 1> kShard{"shard"};
constexpr std::array<Names, 2> kChannel{"channel", "outcome"};
constexpr std::array<Names, 1> kVersion{"version"};

constexpr std::array kNoBuckets = std::array<double, 0>{};
constexpr std::array kQuick{0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1,
                            0.25,   0.5,   1.0,   2.5,   5.0,  10.0,  30.0};
constexpr std::array kRestore{0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0};
constexpr std::array kLong{60.0,   300.0,   600.0,   1800.0,  3600.0,
                           7200.0, 14400.0, 43200.0, 86400.0, 604800.0};

constexpr Names kGuards = "Guards and releases";
constexpr Names kSpeed = "How fast";
constexpr Names kAlertsIn = "Alerts";
constexpr Names kQuestions = "Questions to metrics sources";
constexpr Names kServer = "The API server";
constexpr Names kLoop = "Deciding";
constexpr Names kOutlets = "History, notifications, HTTP";
constexpr Names kProcess = "The process";

// Every metric but the histograms.
constexpr MetricInfo Row(Metric id, Kind kind, Names name, std::span<const Names> labels,
                         Names section, Names help) {
  return {id, kind, name, help, labels, kNoBuckets, section};
}
constexpr MetricInfo Row(Metric id, Names name, std::span<const Names> labels,
                         std::span<const double> buckets, Names section, Names help) {
  return {id, Kind::kHistogram, name, help, labels, buckets, section};
}

using enum Metric;
constexpr Kind kC = Kind::kCounter;
constexpr Kind kG = Kind::kGauge;

constexpr std::array kTable = {
    Row(kGuardInfo, kG, "rollguard_guard_info", kInfo, kGuards,
        "1 for every guard: what it watches and how it releases."),
    Row(kGuardPhase, kG, "rollguard_guard_phase", kPhase, kGuards,
        "1 for the phase a guard is in; other phases have no series."),
    Row(kGuardPhaseSince, kG, "rollguard_guard_phase_since_timestamp_seconds", kGuard, kGuards,
        "When the guard entered its phase, as far as this process saw it."),
    Row(kGuardCondition, kG, "rollguard_guard_condition", kCondition, kGuards,
        "1 while a condition of the guard (Ready, Paused, Blind, Conflict, Drift, OlderState) is true."),
    Row(kRollbackReady, kG, "rollguard_rollback_ready", kGuard, kGuards,
        "1 while everything a rollback needs is there, 0 when something is missing."),
    Row(kReleaseInfo, kG, "rollguard_release_info", kRelease, kGuards,
        "1 while a release runs: its id and revisions."),
    Row(kReleaseStarted, kG, "rollguard_release_started_timestamp_seconds", kGuard, kGuards,
        "When the running release began."),
    Row(kReleaseWeight, kG, "rollguard_release_weight_ratio", kGuard, kGuards,
        "The candidate's share of traffic as last read back from the routes, 0 to 1."),
    Row(kReleaseWantedWeight, kG, "rollguard_release_wanted_weight_ratio", kGuard, kGuards,
        "The candidate's share of traffic that the routes are being set to, 0 to 1."),
    Row(kReleaseStep, kG, "rollguard_release_step", kGuard, kGuards,
        "The step the running release is at, from 1; beyond the last one when all are done."),
    Row(kReleaseSteps, kG, "rollguard_release_steps", kGuard, kGuards,
        "How many steps the running release has; 0 for strategies without steps."),
    Row(kReleasePods, kG, "rollguard_release_pods", kPods, kGuards,
        "Pods of the candidate and the stable track, in total and ready."),
    Row(kHealthScore, kG, "rollguard_health_score", kTrack, kGuards,
        "Weighted mean of a track's health checks, 0 to 1; absent while nothing was measured."),
    Row(kConfidence, kG, "rollguard_confidence", kGuard, kGuards,
        "Confidence that the candidate is bad, 0 to 1."),
    Row(kConfidencePart, kG, "rollguard_confidence_part", kPart, kGuards,
        "What health, trend and severity add to the confidence."),
    Row(kMeasurementValue, kG, "rollguard_measurement_value", kRuleTrack, kGuards,
        "The value a rule saw last, for the candidate and, where it compares, for stable."),
    Row(kMeasurementThreshold, kG, "rollguard_measurement_threshold", kRule, kGuards,
        "The value a rule compares with."),
    Row(kRuleState, kG, "rollguard_rule_state", kRuleInState, kGuards,
        "1 for the state a rule is in (inactive, pending, firing, noData, error); other states "
        "have no series."),
    Row(kRuleEvaluations, kC, "rollguard_rule_evaluations_total", kRuleInState, kGuards,
        "Evaluations of a rule by the state it was in afterwards."),
    Row(kComparisonEvidence, kG, "rollguard_comparison_evidence", kRule, kGuards,
        "E of a comparing rule: it acts when this reaches rollguard_comparison_evidence_limit."),
    Row(kComparisonLimit, kG, "rollguard_comparison_evidence_limit", kRule, kGuards,
        "1 / alpha of a comparing rule."),
    Row(kApprovalsWaiting, kG, "rollguard_approvals_waiting", kGuard, kGuards,
        "Approvals a release still waits for."),
    Row(kSignalsFiring, kG, "rollguard_signals_firing", kSignalSource, kGuards,
        "Signals that count against the running release now, by kind (rule, alert, ...)."),
    Row(kReleases, kC, "rollguard_releases_total", kOutcome, kGuards,
        "Releases that ended, by outcome (promoted, rolledBack, rejected, superseded, failed)."),
    Row(kDecisions, kC, "rollguard_decisions_total", kDecision, kGuards,
        "Decisions by action and by the kind of signal behind them (plan: none)."),
    Row(kRollbacks, kC, "rollguard_rollbacks_total", kRollback, kGuards,
        "Rollbacks that were begun, by the kind and the name of what triggered them."),
    Row(kRollbackVerdicts, kC, "rollguard_rollback_verdicts_total", kVerdict, kGuards,
        "Rollbacks by whether their trigger went away afterwards (confirmed, notTheCause)."),
    Row(kNotices, kC, "rollguard_notices_total", kEvent, kGuards,
        "What people were to be told, by event (limited, rollbackFailed, notReady, ...)."),
    Row(kReleaseDuration, "rollguard_release_duration_seconds", kOutcomeOnly, kLong, kSpeed,
        "From the start of a release to its end, by outcome."),
    Row(kRestoreDuration, "rollguard_restore_duration_seconds", kNone, kRestore, kSpeed,
        "From the decision to roll back until no traffic goes to the candidate, as read back."),
    Row(kAlertToPatch, "rollguard_alert_to_patch_seconds", kNone, kQuick, kSpeed,
        "From an alert's arrival until the rollback's patches are handed to the API client."),
    Row(kBreachToPatch, "rollguard_breach_to_patch_seconds", kNone, kQuick, kSpeed,
        "From the look at which a rule fired until the rollback's patches are handed to the API "
        "client."),
    Row(kAlerts, kC, "rollguard_alerts_total", kDisposition, kAlertsIn,
        "Alerts received, by what became of them."),
    Row(kAlertsFiring, kG, "rollguard_alerts_firing", kNone, kAlertsIn,
        "Alerts known to be firing now."),
    Row(kWatchdogMissing, kG, "rollguard_watchdog_missing", kNone, kAlertsIn,
        "1 when no Alertmanager has shown its always-firing Watchdog alert in time."),
    Row(kQueries, kC, "rollguard_queries_total", kSource, kQuestions,
        "Questions asked of a metrics source."),
    Row(kQueryRequests, kC, "rollguard_query_requests_total", kSource, kQuestions,
        "Requests that carried those questions; folding makes them fewer."),
    Row(kQueryFoldedRequests, kC, "rollguard_query_folded_requests_total", kSource, kQuestions,
        "Requests that carried more than one question."),
    Row(kQueryBisections, kC, "rollguard_query_bisections_total", kSource, kQuestions,
        "Folded requests that were refused and asked again in halves."),
    Row(kQueryShadowDifferences, kC, "rollguard_query_shadow_differences_total", kSource,
        kQuestions, "Folded answers that differed from the same question asked alone."),
    Row(kQueryFailures, kC, "rollguard_query_failures_total", kSource, kQuestions,
        "Questions to a metrics source that got no answer."),
    Row(kQueryDuration, "rollguard_query_duration_seconds", kSource, kQuick, kQuestions,
        "How long answers of a metrics source took."),
    Row(kSourceUp, kG, "rollguard_metrics_source_up", kSource, kQuestions,
        "1 while a metrics source answers, 0 while it does not."),
    Row(kApiCalls, kC, "rollguard_api_calls_total", kCall, kServer,
        "Calls to the API server by verb, resource and status code (0: no answer)."),
    Row(kApiCallDuration, "rollguard_api_call_duration_seconds", kVerb, kQuick, kServer,
        "How long calls to the API server took; watches are not counted."),
    Row(kWatchRestarts, kC, "rollguard_watch_restarts_total", kResource, kServer,
        "Watches that ended, by resource; each is begun anew."),
    Row(kLooks, kC, "rollguard_looks_total", kNone, kLoop, "Looks at guards."),
    Row(kLoopBusy, kC, "rollguard_loop_busy_seconds_total", kNone, kLoop,
        "Time the deciding thread was busy."),
    Row(kQueueDepth, kG, "rollguard_queue_depth", kNone, kLoop,
        "What waits for the deciding thread."),
    Row(kQueueWait, kG, "rollguard_queue_wait_seconds", kNone, kLoop,
        "How long the last thing done by the deciding thread had waited for it."),
    Row(kShardOwned, kG, "rollguard_shard_owned", kShard, kLoop,
        "1 for a shard this replica holds the lease of, 0 for the others."),
    Row(kShards, kG, "rollguard_shards", kNone, kLoop, "Shards the guards are divided into."),
    Row(kReady, kG, "rollguard_ready", kNone, kLoop,
        "1 when guards are known and decided on, 0 while starting."),
    Row(kNotifications, kC, "rollguard_notifications_total", kChannel, kOutlets,
        "Notifications by channel and outcome (sent, retried, dropped)."),
    Row(kNotificationsWaiting, kG, "rollguard_notifications_waiting", kNone, kOutlets,
        "Notifications not yet delivered."),
    Row(kHistoryDegraded, kG, "rollguard_history_degraded", kNone, kOutlets,
        "1 while the history cannot be written."),
    Row(kHistoryWaiting, kG, "rollguard_history_waiting", kNone, kOutlets,
        "Facts not yet durable."),
    Row(kHistoryLag, kG, "rollguard_history_lag_seconds", kNone, kOutlets,
        "Age of the oldest fact that is not yet durable."),
    Row(kAuditIntact, kG, "rollguard_audit_intact", kNone, kOutlets,
        "1 when the audit's hash chain was whole when last verified, 0 when it was broken."),
    Row(kHttpConnections, kG, "rollguard_http_connections", kNone, kOutlets,
        "Open connections to the agent's server."),
    Row(kHttpStreams, kG, "rollguard_http_streams", kNone, kOutlets, "Open event streams."),
    Row(kHttpRequests, kC, "rollguard_http_requests_total", kNone, kOutlets,
        "Requests the agent's server answered."),
    Row(kHttpRefused, kC, "rollguard_http_refused_total", kNone, kOutlets,
        "Requests and connections the agent's server turned away."),
    Row(kConfigReloads, kC, "rollguard_config_reloads_total", kOutcomeOnly, kProcess,
        "Reloads of rule files by outcome (ok, refused)."),
    Row(kConfigReloadOk, kG, "rollguard_config_last_reload_successful", kNone, kProcess,
        "1 when the last reload was taken, 0 when it was refused and the old rules still hold."),
    Row(kConfigReloadTime, kG, "rollguard_config_last_reload_success_timestamp_seconds", kNone,
        kProcess, "When rule files were last taken."),
    Row(kSeriesDropped, kC, "rollguard_telemetry_series_dropped_total", kNone, kProcess,
        "Series that were not kept because their metric has too many."),
    Row(kBuildInfo, kG, "rollguard_build_info", kVersion, kProcess, "1; the version."),
    Row(kProcessCpu, kC, "process_cpu_seconds_total", kNone, kProcess,
        "User and system CPU time of the process."),
    Row(kProcessMemory, kG, "process_resident_memory_bytes", kNone, kProcess,
        "Resident memory of the process."),
    Row(kProcessOpenFds, kG, "process_open_fds", kNone, kProcess, "Open file descriptors."),
    Row(kProcessMaxFds, kG, "process_max_fds", kNone, kProcess,
        "File descriptors the process may open."),
    Row(kProcessThreads, kG, "process_threads", kNone, kProcess, "Threads of the process."),
    Row(kProcessStart, kG, "process_start_time_seconds", kNone, kProcess,
        "When the process started."),
};

constexpr bool InOrder() {
  for (size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<size_t>(kTable[i].id) != i) return false;
  }
  return kTable.size() == static_cast<size_t>(kProcessStart) + 1;
}
static_assert(InOrder(), "rows stand in the order of Metric, one for each");

}  // namespace

const char* ToString(Kind kind) {
  switch (kind) {
    case Kind::kCounter: return "counter";
    case Kind::kGauge: return "gauge";
    case Kind::kHistogram: return "histogram";
  }
  return "untyped";
}

std::span<const MetricInfo> Catalog() { return kTable; }

const MetricInfo& InfoOf(Metric metric) { return kTable[static_cast<size_t>(metric)]; }

std::string MetricsReference() {
  std::string out =
      "# Metrics of the agent\n\n"
      "What `/metrics` shows, in Prometheus' text format. This page is printed from the agent's "
      "own "
      "table; a test fails when it is stale.\n\n"
      "Series with the labels `namespace` and `guard` speak of one guard and go with it; those of "
      "a "
      "release go when it ends. Counters begin at 0 with the process; those that alerts and "
      "outcome panels use begin at 0 when a guard's release begins, so that their first rise is "
      "seen. Each replica shows the "
      "guards "
      "of the shards it owns.\n";
  std::string_view section;
  for (const MetricInfo& row : kTable) {
    if (row.section != section) {
      section = row.section;
      out += StrCat("\n## ", section, "\n\n| metric | type | labels | meaning |\n",
                    "| --- | --- | --- | --- |\n");
    }
    out += StrCat("| `", row.name, "` | ", ToString(row.kind), " | ");
    for (size_t i = 0; i < row.labels.size(); ++i)
      out += StrCat(i == 0 ? "" : " ", "`", row.labels[i], "`");
    out += StrCat(" | ", row.help, " |\n");
  }
  return out;
}

}  // namespace rollguard::telemetry
