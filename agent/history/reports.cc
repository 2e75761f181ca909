// SPDX-License-Identifier: Apache-2.0
#include "agent/history/reports.h"

#include <algorithm>
#include <cmath>

namespace rollguard::history {
namespace {

// Nearest rank.
std::optional<Duration> Quantile(std::vector<Duration> values, double q) {
  if (values.empty()) return std::nullopt;
  std::sort(values.begin(), values.end());
  auto rank = static_cast<size_t>(std::ceil(q * static_cast<double>(values.size())));
  return values[std::max<size_t>(rank, 1) - 1];
}

void CountOutcome(const ReleaseRow& r, Dora& report) {
  ++report.releases;
  if (r.outcome == "promoted") ++report.promoted;
  if (r.outcome == "rolled_back") ++report.rolled_back;
  if (r.outcome == "superseded") ++report.superseded;
  if (r.outcome == "aborted") ++report.aborted;
  if (r.outcome == "rejected") ++report.rejected;
}

void CountRollback(const ReleaseRow& r, Dora& report) {
  ++report.rollbacks_by_trigger_kind[r.trigger_kind.empty() ? "unknown" : r.trigger_kind];
  auto hour =
      std::chrono::duration_cast<std::chrono::hours>(r.ended->time_since_epoch()).count() % 24;
  ++report.rollbacks_by_hour[static_cast<int>(hour)];
  if (r.trigger.empty()) return;
  Precision& precision = report.precision_by_trigger[r.trigger];
  ++precision.fired;
  if (r.right) ++(*r.right ? precision.right : precision.wrong);
}

Json Millis(const std::optional<Duration>& d) { return d ? Json(ToSeconds(*d)) : Json(); }

}  // namespace

Dora Report(const std::vector<ReleaseRow>& releases, Time since, Time until) {
  Dora report;
  std::vector<Duration> restore, lead;
  for (const ReleaseRow& r : releases) {
    if (!r.ended || *r.ended < since || *r.ended >= until) continue;
    CountOutcome(r, report);
    if (r.outcome == "rolled_back") {
      CountRollback(r, report);
      if (r.trigger_at && r.safe_at && *r.safe_at >= *r.trigger_at)
        restore.push_back(*r.safe_at - *r.trigger_at);
    }
    if (r.outcome == "promoted" && r.commit_time && *r.commit_time <= *r.ended)
      lead.push_back(*r.ended - *r.commit_time);
  }
  double days = ToSeconds(until - since) / 86400;
  if (days > 0) report.per_day = static_cast<double>(report.promoted) / days;
  int64_t judged = report.promoted + report.rolled_back;
  if (judged > 0)
    report.change_failure_rate =
        static_cast<double>(report.rolled_back) / static_cast<double>(judged);
  report.median_time_to_restore = Quantile(restore, 0.5);
  report.p99_time_to_restore = Quantile(restore, 0.99);
  report.median_lead_time = Quantile(lead, 0.5);
  return report;
}

std::map<std::string, Dora> ReportByGuard(const std::vector<ReleaseRow>& releases, Time since,
                                          Time until) {
  std::map<std::string, std::vector<ReleaseRow>> by_guard;
  for (const ReleaseRow& r : releases) by_guard[r.guard].push_back(r);
  std::map<std::string, Dora> reports;
  for (const auto& [guard, rows] : by_guard) reports.emplace(guard, Report(rows, since, until));
  return reports;
}

Json ToJson(const Dora& r) {
  Json kinds = Json::Obj(), hours = Json::Obj(), precision = Json::Obj();
  for (const auto& [kind, count] : r.rollbacks_by_trigger_kind) kinds.Set(kind, count);
  for (const auto& [hour, count] : r.rollbacks_by_hour) hours.Set(std::to_string(hour), count);
  for (const auto& [name, p] : r.precision_by_trigger) {
    precision.Set(name, Json::Obj({{"fired", p.fired}, {"right", p.right}, {"wrong", p.wrong}}));
  }
  return Json::Obj(
      {{"releases", r.releases},
       {"promoted", r.promoted},
       {"rolledBack", r.rolled_back},
       {"superseded", r.superseded},
       {"aborted", r.aborted},
       {"rejected", r.rejected},
       {"perDay", r.per_day},
       {"changeFailureRate", r.change_failure_rate ? Json(*r.change_failure_rate) : Json()},
       {"medianSecondsToRestore", Millis(r.median_time_to_restore)},
       {"p99SecondsToRestore", Millis(r.p99_time_to_restore)},
       {"medianSecondsLeadTime", Millis(r.median_lead_time)},
       {"rollbacksByTrigger", kinds},
       {"rollbacksByHour", hours},
       {"precision", precision}});
}

}  // namespace rollguard::history
