// SPDX-License-Identifier: Apache-2.0
#include "agent/app/read_back.h"

#include <algorithm>

namespace rollguard::app {
namespace {

constexpr size_t kMaxAlerts = 50'000;
constexpr size_t kMaxReleases = 20'000;

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
  return out;
}

}  // namespace rollguard::app
