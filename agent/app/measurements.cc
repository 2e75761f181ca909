// SPDX-License-Identifier: Apache-2.0
#include "agent/app/measurements.h"

#include <cmath>
#include <limits>

#include "agent/base/text.h"

namespace rollguard::app {
namespace {

std::optional<double> Known(double value) {
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

}  // namespace

Measurements::Release* Measurements::Find(const std::string& guard, const std::string& release) {
  auto found = releases_.find(guard);
  if (found == releases_.end()) return nullptr;
  return release.empty() || found->second.id == release ? &found->second : nullptr;
}

Measurements::Line* Measurements::Due(Release& release, const std::string& name, Time now,
                                      const std::string& verdict) {
  auto found = release.lines.find(name);
  if (found == release.lines.end()) {
    if (release.lines.size() >= kMaxLines) return nullptr;
    found = release.lines.emplace(name, Line{.first = now, .last = {}, .verdict = {}, .limit = {}})
                .first;
  }
  Line& line = found->second;
  if (line.verdict == verdict && now - line.last < (now - line.first) / kDense) return nullptr;
  line.last = now;
  line.verdict = verdict;
  return &line;
}

void Measurements::Write(const std::string& guard, const Release& release, std::string metric,
                         Time at, std::optional<double> value, const std::string& verdict) {
  history_.Measure({.at = at,
                    .guard = guard,
                    .release = release.id,
                    .metric = std::move(metric),
                    .value = value.value_or(std::numeric_limits<double>::quiet_NaN()),
                    .verdict = verdict});
}

void Measurements::Observed(const RuleReading& r) {
  Release* release = Find(r.guard, r.release);
  if (release == nullptr || (r.compare == nullptr && !r.state->ever_evaluated)) return;
  Time at = r.compare != nullptr ? clock_.Now() : r.state->evaluated;
  std::string verdict = r.compare == nullptr ? analysis::ToString(r.state->phase)
                        : r.compare->alarmed ? "firing"
                        : r.compare->no_data ? "noData"
                                             : "inactive";
  Line* line = Due(*release, r.rule->name, at, verdict);
  if (line == nullptr) return;
  if (r.compare != nullptr) {
    bool counted = !r.compare->no_data;
    Write(r.guard, *release, r.rule->name, at, counted ? r.compare->candidate_value : std::nullopt,
          verdict);
    Write(r.guard, *release, StrCat(r.rule->name, kStableLine), at,
          counted ? r.compare->stable_value : std::nullopt, "");
    return;
  }
  Write(r.guard, *release, r.rule->name, at, Known(r.state->value), verdict);
  if (r.threshold && line->limit != r.threshold->value) {
    line->limit = r.threshold->value;
    Write(r.guard, *release, StrCat(r.rule->name, kLimitLine), at, line->limit, "");
  }
}

void Measurements::Observed(const AnalysisReading& r) {
  Release* release = Find(r.guard, "");
  if (release == nullptr || Due(*release, r.metric, r.at, r.verdict) == nullptr) return;
  Write(r.guard, *release, r.metric, r.at, r.value, r.verdict);
}

void Measurements::Changed(const spec::Guard& guard, const release::GuardState&,
                           const release::GuardState& after,
                           const release::Observation& observation) {
  std::string id = guard.Id();
  if (!after.release) {
    releases_.erase(id);
    return;
  }
  Release& release = releases_[id];
  if (release.id != after.release->id)
    release = Release{.id = after.release->id, .lines = {}, .weight = {}};
  auto weight = static_cast<double>(after.release->weight);
  if (release.weight != weight) {
    release.weight = weight;
    Write(id, release, std::string(kWeightLine), observation.now, weight, "");
  }
  if (!after.scores.empty() &&
      Due(release, std::string(kScoreLine), observation.now, "") != nullptr) {
    Write(id, release, std::string(kScoreLine), observation.now, after.scores.back(), "");
  }
}

}  // namespace rollguard::app
