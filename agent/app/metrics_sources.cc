// SPDX-License-Identifier: Apache-2.0
#include "agent/app/metrics_sources.h"

#include "agent/base/text.h"

namespace rollguard::app {
namespace {

constexpr int kTroubleAfter = 2;  // one lost answer is no blindness

}  // namespace

void MetricsSources::Add(std::string name, MetricsSource* source) {
  if (sources_.empty()) default_ = name;
  sources_[std::move(name)].source = source;
}

MetricsSource* MetricsSources::Find(const std::string& name) const {
  auto found = sources_.find(NameOf(name));
  return found == sources_.end() ? nullptr : found->second.source;
}

void MetricsSources::Note(const std::string& name, const Status& outcome) {
  auto found = sources_.find(NameOf(name));
  if (found == sources_.end()) return;
  Entry& entry = found->second;
  if (outcome || outcome.error().code == ErrorCode::kInvalid) {
    entry.failures = 0;
    entry.since.reset();
    return;
  }
  if (entry.failures++ == 0) entry.since = clock_.Now();
  entry.last_error = outcome.error().message;
}

std::string MetricsSources::Trouble(const std::string& name) const {
  auto found = sources_.find(NameOf(name));
  if (found == sources_.end())
    return name.empty() ? "no metrics source is configured"
                        : StrCat("there is no metrics source ", Quote(name));
  const Entry& entry = found->second;
  if (entry.failures < kTroubleAfter) return {};
  return StrCat("metrics source ", found->first, " has not answered since ",
                FormatClockTime(*entry.since), ": ", entry.last_error);
}

}  // namespace rollguard::app
