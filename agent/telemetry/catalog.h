// SPDX-License-Identifier: Apache-2.0
// Every metric the agent exports, in one table: what /metrics prints, what docs/metrics.md is made
// from and what the dashboards and alerts may use.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace rollguard::telemetry {

enum class Metric : unsigned char {
  // Guards and their releases. These series go when the guard goes.
  kGuardInfo,
  kGuardPhase,
  kGuardPhaseSince,
  kGuardCondition,
  kRollbackReady,
  kReleaseInfo,
  kReleaseStarted,
  kReleaseWeight,
  kReleaseWantedWeight,
  kReleaseStep,
  kReleaseSteps,
  kReleasePods,
  kHealthScore,
  kConfidence,
  kConfidencePart,
  kMeasurementValue,
  kMeasurementThreshold,
  kRuleState,
  kRuleEvaluations,
  kComparisonEvidence,
  kComparisonLimit,
  kApprovalsWaiting,
  kSignalsFiring,
  kReleases,
  kDecisions,
  kRollbacks,
  kRollbackVerdicts,
  kNotices,
  // How fast.
  kReleaseDuration,
  kRestoreDuration,
  kAlertToPatch,
  kBreachToPatch,
  // What came in.
  kAlerts,
  kAlertsFiring,
  kWatchdogMissing,
  // Questions to metrics sources.
  kQueries,
  kQueryRequests,
  kQueryFoldedRequests,
  kQueryBisections,
  kQueryShadowDifferences,
  kQueryFailures,
  kQueryDuration,
  kSourceUp,
  // The API server.
  kApiCalls,
  kApiCallDuration,
  kWatchRestarts,
  // The deciding loop.
  kLooks,
  kLoopBusy,
  kQueueDepth,
  kQueueWait,
  kShardOwned,
  kShards,
  kReady,
  // Outlets.
  kNotifications,
  kNotificationsWaiting,
  kHistoryDegraded,
  kHistoryWaiting,
  kHistoryLag,
  kAuditIntact,
  kHttpConnections,
  kHttpStreams,
  kHttpRequests,
  kHttpRefused,
  // The process.
  kConfigReloads,
  kConfigReloadOk,
  kConfigReloadTime,
  kSeriesDropped,
  kBuildInfo,
  kProcessCpu,
  kProcessMemory,
  kProcessOpenFds,
  kProcessMaxFds,
  kProcessThreads,
  kProcessStart,
};

enum class Kind : unsigned char { kCounter, kGauge, kHistogram };
const char* ToString(Kind kind);

struct MetricInfo {
  Metric id;
  Kind kind;
  std::string_view name;
  std::string_view help;
  std::span<const std::string_view> labels;
  std::span<const double> buckets;  // histograms: upper bounds, ascending, without +Inf
  std::string_view section;         // heading in the reference
  // Series carry `namespace` and `guard` first and are taken away with the guard.
  bool PerGuard() const { return labels.size() >= 2 && labels[1] == "guard"; }
};

// In the order of Metric.
std::span<const MetricInfo> Catalog();
const MetricInfo& InfoOf(Metric metric);

// docs/metrics.md.
std::string MetricsReference();

}  // namespace rollguard::telemetry
