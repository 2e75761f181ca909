// SPDX-License-Identifier: Apache-2.0
#include "agent/app/read_back.h"

#include <algorithm>

namespace rollguard::app {
namespace {

constexpr size_t kMaxAlerts = 50'000;
constexpr size_t kMaxReleases = 20'000;
constexpr size_t kMaxDecisions = 10'000;

}  // namespace

Expected<ReadBack> ReadBackFrom(History& history, Time now, Duration alerts_for) {
  ReadBack out;
  auto stored = history.Find({.kind = "alert", .since = now - alerts_for, .limit = kMaxAlerts});
  if (!stored) return stored.error();
  for (const StoredRecord& one : *stored) {
    if (auto alert = alerts::AlertFromJson(one.record.body)) out.alerts.push_back(*alert);
  }
  std::reverse(out.alerts.begin(), out.alerts.end());
  auto releases = history.Releases({.limit = kMaxReleases});
  if (!releases) return releases.error();
  for (ReleaseRow& row : *releases) {
    if (!row.ended) out.running.push_back(std::move(row));
  }
  auto decisions = history.Find({.kind = "decision", .limit = kMaxDecisions});
  if (!decisions) return decisions.error();
  for (StoredRecord& one : *decisions)  // newest first
    out.newest.try_emplace(std::move(one.record.guard), std::move(one.record.id));
  return out;
}

}  // namespace rollguard::app
